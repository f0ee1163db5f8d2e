"""A session as a file to keep: JSON with everything, Markdown or text of the branch shown. Knows no HTTP header."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from msgspec import Struct, json

from parley.services.principals import Principal
from parley.services.views import MessageView, SessionView, message_view, session_view
from parley.storage.messages import MessageRecord, Messages
from parley.storage.sessions import SessionRecord

ExportFormat: TypeAlias = Literal["json", "markdown", "text"]

_MEDIA_TYPES: dict[ExportFormat, str] = {"json": "application/json", "markdown": "text/markdown", "text": "text/plain"}
_ENDINGS: dict[ExportFormat, str] = {"json": "json", "markdown": "md", "text": "txt"}
_ROLES = {"user": "You", "assistant": "Assistant", "system": "System", "tool": "Tool"}
_UNSAFE = re.compile(r"[^A-Za-z0-9]+")
MAX_NAME_CHARACTERS = 60


class Export(Struct, frozen=True, kw_only=True):
    """A file. Its name is plain ASCII: it goes into a header."""

    file_name: str
    media_type: str
    content: str


class _Document(Struct, frozen=True, kw_only=True, rename="camel"):
    session: SessionView
    messages: list[MessageView]
    shown_message_ids: list[str]


class Exports:
    """Files of a user's own sessions."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    async def export(self, principal: Principal, session_id: str, form: ExportFormat = "json") -> Export:
        """The session as a file. Raises NotFoundError."""
        session, _ = await self._messages.context(principal.user_id, session_id)
        shown = [] if session.shown_leaf_id is None else (await self._messages.branch(session.shown_leaf_id))[::-1]
        if form == "json":
            content = _json(session, await self._messages.list(session_id), shown)
        else:
            content = _markdown(session, shown) if form == "markdown" else _text(session, shown)
        return Export(file_name=_file_name(session.title, form), media_type=_MEDIA_TYPES[form], content=content)


def _json(session: SessionRecord, messages: list[MessageRecord], shown: list[MessageRecord]) -> str:
    document = _Document(
        session=session_view(session, running=False),
        messages=[message_view(message) for message in messages],
        shown_message_ids=[message.id for message in shown],
    )
    return json.format(json.encode(document).decode(), indent=2) + "\n"


def _markdown(session: SessionRecord, shown: list[MessageRecord]) -> str:
    prompt = [f"> {line}" for line in (session.system_prompt or "").splitlines()]
    blocks = [f"# {session.title or 'Untitled'}", *(["\n".join(prompt)] if prompt else [])]
    blocks += [f"## {_heading(message)}\n\n{_body(message)}" for message in shown]
    return "\n\n".join(blocks) + "\n"


def _text(session: SessionRecord, shown: list[MessageRecord]) -> str:
    blocks = [session.title or "Untitled", *(f"{_heading(message)}:\n{_body(message)}" for message in shown)]
    return "\n\n".join(blocks) + "\n"


def _heading(message: MessageRecord) -> str:
    name = _ROLES.get(message.role, message.role)
    return f"{name} ({message.model})" if message.role == "assistant" and message.model else name


def _body(message: MessageRecord) -> str:
    if message.text or message.details.error is None:
        return message.text
    return f"(no answer: {message.details.error.message})"


def _file_name(title: str, form: ExportFormat) -> str:
    name = _UNSAFE.sub("-", title).strip("-").lower()[:MAX_NAME_CHARACTERS].strip("-")
    return f"{name or 'chat'}.{_ENDINGS[form]}"
