"""What is made of conversations: a file to keep, a summary that stands for what came before, and what all of them came to."""

from __future__ import annotations

from litestar import Response
from msgspec import Struct

from parley.server.policy import Route, signed_in
from parley.services.exports import ExportFormat, Exports
from parley.services.principals import Principal
from parley.services.summaries import Summaries, Summary
from parley.services.usage import UsageCounts, UsageView


class ExportQuery(Struct, frozen=True, kw_only=True):
    """In which form."""

    format: ExportFormat = "json"


class ExtractRoutes:
    """Exports, summaries, usage."""

    def __init__(self, exports: Exports, summaries: Summaries, usage: UsageCounts) -> None:
        self._exports = exports
        self._summaries = summaries
        self._usage = usage

    def routes(self) -> list[Route]:
        """The rows of the table."""
        return [
            Route(
                method="GET",
                path="/api/v1/chat/sessions/{session_id}/export",
                handler=self.export,
                policy=signed_in("session", "read", "chat", "read"),
                summary="A session as a file: JSON with everything, Markdown or text of the branch shown",
                media_types=("application/json", "text/markdown", "text/plain"),
            ),
            Route(
                method="POST",
                path="/api/v1/chat/sessions/{session_id}/summarize",
                handler=self.summarize,
                policy=signed_in("session", "update", "chat"),
                summary="Send a summary instead of what was said so far; nothing is deleted",
                errors=(409, 422, 429, 502, 504),
            ),
            Route(
                method="GET",
                path="/api/v1/usage",
                handler=self.usage,
                policy=signed_in("usage", "read", "chat", "read"),
                summary="What one's answers came to",
            ),
        ]

    async def export(self, principal: Principal, session_id: str, query: ExportQuery) -> Response[str]:
        """To be saved, never shown in place."""
        made = await self._exports.export(principal, session_id, query.format)
        headers = {"Content-Disposition": f'attachment; filename="{made.file_name}"'}
        return Response(made.content, media_type=made.media_type, headers=headers)

    async def summarize(self, principal: Principal, session_id: str) -> Summary:
        """From then on the summary is sent."""
        return await self._summaries.summarize(principal, session_id)

    async def usage(self, principal: Principal) -> UsageView:
        """Everything so far."""
        return await self._usage.totals(principal)
