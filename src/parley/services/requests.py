"""What is sent for an answer: a branch's messages as the provider takes them, checked before anything is stored. Calls nobody."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import cast

from msgspec import structs

from parley.contract.errors import CallerError
from parley.contract.messages import FilePart, ImagePart, Message, Part, Role, TextPart, ToolCall
from parley.contract.request import ChatRequest
from parley.dispatch.targets import Destination
from parley.services.errors import NotFoundError
from parley.services.events import ATTACHMENT_SCHEME
from parley.storage.attachments import AttachmentRecord, Attachments
from parley.storage.messages import MessageRecord
from parley.storage.sessions import SessionRecord

SUMMARY_HEADING = "A summary of the earlier part of this conversation:"


def attachment_part(attachment: AttachmentRecord) -> ImagePart | FilePart:
    """An attachment's place in a message; its bytes stay where they are."""
    url = ATTACHMENT_SCHEME + attachment.id
    if attachment.media_type.startswith("image/"):
        return ImagePart(media_type=attachment.media_type, url=url)
    return FilePart(media_type=attachment.media_type, name=attachment.name, url=url)


def sent_context(session: SessionRecord, path: Sequence[MessageRecord]) -> tuple[str | None, Sequence[MessageRecord]]:
    """The system prompt and the messages that are still sent, of what `Messages.context` gave."""
    if not path or path[0].id != session.context_after_id:
        return session.system_prompt, path
    prompt = session.system_prompt
    if session.context_summary:
        summary = f"{SUMMARY_HEADING}\n\n{session.context_summary}"
        prompt = f"{prompt}\n\n{summary}" if prompt else summary
    return prompt, path[1:]


async def sent_messages(records: Iterable[MessageRecord], attachments: Attachments, *, user_id: str) -> list[Message]:
    """Messages as a provider takes them: attachments with their bytes, without answers that hold nothing.

    Tool calls are left out: nothing here runs tools, and no vendor takes a call without its result.
    """
    messages: list[Message] = []
    for record in records:
        content = record.content
        if not isinstance(content, str):
            content = [await _sent_part(part, attachments, user_id) for part in content if not isinstance(part, ToolCall)]
        if content:
            messages.append(Message(role=cast("Role", record.role), content=content))
    return messages


def check_sendable(destination: Destination, request: ChatRequest) -> None:
    """Refuse a valid request that nobody who may answer would send. Raises what the first of them says: a CallerError."""
    refusals: list[CallerError] = []
    for provider, model in destination.providers:
        try:
            provider.check_sendable(structs.replace(request, options=structs.replace(request.options, model=model or None)))
        except CallerError as error:
            refusals.append(error)
        else:
            return
    raise refusals[0]


async def _sent_part(part: Part, attachments: Attachments, user_id: str) -> Part:
    if not isinstance(part, (ImagePart, FilePart)) or part.url is None or not part.url.startswith(ATTACHMENT_SCHEME):
        return part
    try:
        data = await attachments.data(user_id, part.url.removeprefix(ATTACHMENT_SCHEME))
    except NotFoundError:
        return TextPart(text="(An attachment stood here that has been deleted.)")
    if isinstance(part, FilePart) and part.media_type.startswith("text/"):
        return TextPart(text=f"The attached file {part.name}:\n\n{data.decode('utf-8', 'replace')}")
    return structs.replace(part, url=None, data=base64.b64encode(data).decode())
