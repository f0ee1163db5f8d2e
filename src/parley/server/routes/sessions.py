"""Conversations: made, listed, searched, changed, counted, deleted; and their messages page by page."""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from parley.server.policy import Policy, Route, signed_in
from parley.services.accounts import Accounts
from parley.services.principals import Principal
from parley.services.sessions import NewSession, SessionChanges, Sessions, SessionStats
from parley.services.views import FoundSession, MessageView, SessionSettings, SessionView

_SESSIONS: Final = "/api/v1/chat/sessions"
Limit = Annotated[int, Meta(ge=1, le=100)]


class SessionMade(Struct, frozen=True, kw_only=True):
    """A new session: whom it asks, and how."""

    session_id: str
    provider: str
    model: str
    settings: SessionSettings
    system_prompt: str | None
    session: SessionView


class PageQuery(Struct, frozen=True, kw_only=True):
    """One page; `cursor` is what the page before gave as `nextCursor`."""

    limit: Limit = 50
    cursor: str | None = None


class SessionQuery(Struct, frozen=True, kw_only=True):
    """One page of one's sessions; with `q` only those in which all its words stand."""

    limit: Limit = 50
    cursor: str | None = None
    q: str = ""


class SessionPage(Struct, frozen=True, kw_only=True):
    """Newest activity first; without `nextCursor` it is the last page."""

    items: list[FoundSession]
    next_cursor: str | None


class MessagePage(Struct, frozen=True, kw_only=True):
    """The branch shown, its newest page first; within a page in the order of reading."""

    items: list[MessageView]
    next_cursor: str | None


class SessionRoutes:
    """Everything under `/chat/session` and `/chat/sessions`."""

    def __init__(self, sessions: Sessions, accounts: Accounts) -> None:
        self._sessions = sessions
        self._accounts = accounts

    def routes(self) -> list[Route]:
        """The rows of the table."""
        return [
            Route(
                method="POST",
                path="/api/v1/chat/session",
                handler=self.create,
                policy=signed_in("session", "create", "chat"),
                summary="Begin a session",
                status=201,
            ),
            _read("", self.list, signed_in("session", "list", "chat", "read"), "One's sessions, newest activity first; searched with `q`"),
            _read("/{session_id}", self.get, signed_in("session", "read", "chat", "read"), "One session"),
            _read(
                "/{session_id}/messages", self.messages, signed_in("message", "list", "chat", "read"), "The messages of the branch shown"
            ),
            _read("/{session_id}/stats", self.stats, signed_in("session", "read", "chat", "read"), "What a session came to"),
            Route(
                method="PATCH",
                path=f"{_SESSIONS}/{{session_id}}",
                handler=self.update,
                policy=signed_in("session", "update", "chat"),
                summary="Change some of a session; null takes a setting back",
            ),
            Route(
                method="DELETE",
                path=f"{_SESSIONS}/{{session_id}}",
                handler=self.delete,
                policy=signed_in("session", "remove", "chat"),
                summary="Delete a session with everything in it",
                status=204,
            ),
            Route(
                method="DELETE",
                path=f"{_SESSIONS}/{{session_id}}/context",
                handler=self.clear_context,
                policy=signed_in("session", "update", "chat"),
                summary="A fresh context: what was said stays visible and is not sent any more",
                status=204,
                errors=(409,),
            ),
        ]

    async def create(self, principal: Principal, body: NewSession) -> SessionMade:
        """With the user's preferences where nothing else is said."""
        preferences = (await self._accounts.profile(principal)).preferences
        view = await self._sessions.create(principal, body, preferences=preferences)
        return SessionMade(
            session_id=view.id,
            provider=view.provider,
            model=view.model,
            settings=view.settings,
            system_prompt=view.system_prompt,
            session=view,
        )

    async def list(self, principal: Principal, query: SessionQuery) -> SessionPage:
        """A page of sessions."""
        page = await self._sessions.list(principal, limit=query.limit, cursor=query.cursor, query=query.q)
        return SessionPage(items=page.items, next_cursor=page.next_cursor)

    async def get(self, principal: Principal, session_id: str) -> SessionView:
        """One session."""
        return await self._sessions.get(principal, session_id)

    async def update(self, principal: Principal, session_id: str, body: SessionChanges) -> SessionView:
        """What is given changes, the rest stays."""
        return await self._sessions.update(principal, session_id, body)

    async def delete(self, principal: Principal, session_id: str) -> None:
        """With everything in it."""
        await self._sessions.delete(principal, session_id)

    async def messages(self, principal: Principal, session_id: str, query: PageQuery) -> MessagePage:
        """A page of messages."""
        page = await self._sessions.messages(principal, session_id, limit=query.limit, cursor=query.cursor)
        return MessagePage(items=page.items, next_cursor=page.next_cursor)

    async def clear_context(self, principal: Principal, session_id: str) -> None:
        """From here on."""
        await self._sessions.clear_context(principal, session_id)

    async def stats(self, principal: Principal, session_id: str) -> SessionStats:
        """Counts over all branches."""
        return await self._sessions.stats(principal, session_id)


def _read(path: str, handler: Any, policy: Policy, summary: str) -> Route:
    return Route(method="GET", path=_SESSIONS + path, handler=handler, policy=policy, summary=summary)
