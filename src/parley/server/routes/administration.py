"""What administrators do to the server as a whole: read its configuration anew, and see who changed what."""

from __future__ import annotations

from msgspec import Struct

from parley.server.policy import Route, administrators
from parley.server.routes.sessions import PageQuery
from parley.services.audit import Audit, AuditView
from parley.services.principals import Principal
from parley.services.reloading import Reloaded, Reloading


class AuditPage(Struct, frozen=True, kw_only=True):
    """The newest first; without `nextCursor` it is the last page."""

    items: list[AuditView]
    next_cursor: str | None


class AdministrationRoutes:
    """`/admin/reload` and `/admin/audit`."""

    def __init__(self, reloading: Reloading, audit: Audit) -> None:
        self._reloading = reloading
        self._audit = audit

    def routes(self) -> list[Route]:
        """The rows of the table."""
        return [
            Route(
                method="POST",
                path="/api/v1/admin/reload",
                handler=self.reload,
                policy=administrators("configuration", "reload"),
                summary="Read .env, parley.toml and provider files anew, on every server; nothing changes where anything is wrong",
                errors=(422,),
            ),
            Route(
                method="GET",
                path="/api/v1/admin/audit",
                handler=self.list,
                policy=administrators("audit", "list"),
                summary="Who changed the configuration, when, and what it was before; never a secret",
            ),
        ]

    async def reload(self, principal: Principal) -> Reloaded:
        """All or nothing."""
        return await self._reloading.reload(by=principal)

    async def list(self, query: PageQuery) -> AuditPage:
        """Page by page."""
        page = await self._audit.list(limit=query.limit, cursor=query.cursor)
        return AuditPage(items=page.items, next_cursor=page.next_cursor)
