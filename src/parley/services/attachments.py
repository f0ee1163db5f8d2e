"""What users attach to messages: images and text, known by their bytes and not by what they are called. Knows no HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import re
import unicodedata
from typing import Final

from parley.contract.errors import FieldProblem, InvalidRequestError, LimitExceededError
from parley.services.cursors import DEFAULT_PAGE, Page, check_limit, read_cursor, written_cursor
from parley.services.errors import BodyTooLargeError
from parley.services.principals import Principal
from parley.services.profiles import MAX_ATTACHMENT_BYTES
from parley.storage.attachments import AttachmentRecord
from parley.storage.attachments import Attachments as StoredAttachments
from parley.storage.database import Database
from parley.storage.ids import new_id, now_ms

MAX_BYTES: Final = 20 * 1024 * 1024
MAX_NAME_CHARACTERS: Final = 200
TEXT: Final = "text/plain"
INLINE: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""What a page may show in place. Everything else is offered for saving: as text, an SVG or HTML runs nothing."""

_SIGNATURES: Final = (
    (re.compile(rb"\x89PNG\r\n\x1a\n.{4}IHDR", re.DOTALL), "image/png"),
    (re.compile(rb"\xff\xd8\xff[\xc0-\xfe]"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF.{4}WEBPVP8[ LX]", re.DOTALL), "image/webp"),
)
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f\ufffe\uffff]")
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f\x7f-\x9f"<>|:*?\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]')


class Attachments:
    """Every lookup is by owner: another user's attachment is not there."""

    def __init__(self, database: Database) -> None:
        self._stored = StoredAttachments(database)

    async def add(self, principal: Principal, *, name: str, data: bytes) -> AttachmentRecord:
        """Store what was uploaded, under a type that its bytes show.

        Raises BodyTooLargeError, InvalidRequestError for what is neither image nor text, LimitExceededError over the quota.
        """
        if len(data) > MAX_BYTES:
            raise BodyTooLargeError(f"an attachment has at most {MAX_BYTES // 2**20} MiB; send a smaller file")
        media_type, digest = await asyncio.to_thread(_examined, data)
        if media_type is None:
            message = "is neither an image (PNG, JPEG, GIF, WebP) nor text in UTF-8; convert it first"
            raise InvalidRequestError(f"the file {message}", fields=[FieldProblem(path="file", message=message)])
        if await self._stored.total_size(principal.user_id) + len(data) > MAX_ATTACHMENT_BYTES:
            raise LimitExceededError(
                f"all attachments together have at most {MAX_ATTACHMENT_BYTES // 2**20} MiB; remove some", retryable=False
            )
        record = AttachmentRecord(
            id=new_id(),
            user_id=principal.user_id,
            name=safe_name(name),
            media_type=media_type,
            size=len(data),
            sha256=digest,
            created_at=now_ms(),
        )
        await self._stored.add(record, data)
        return record

    async def read(self, principal: Principal, attachment_id: str) -> tuple[AttachmentRecord, bytes]:
        """An attachment with its bytes. Raises NotFoundError."""
        record = await self._stored.get(principal.user_id, attachment_id)
        return record, await self._stored.data(principal.user_id, attachment_id)

    async def list(self, principal: Principal, *, limit: int = DEFAULT_PAGE, cursor: str | None = None) -> Page[AttachmentRecord]:
        """The user's attachments, newest first, page by page. Raises InvalidRequestError."""
        listed = await self._stored.list(principal.user_id, limit=check_limit(limit) + 1, before=read_cursor(cursor, str))
        page = [*listed[:limit]]
        return Page(items=page, next_cursor=written_cursor(page[-1].id) if len(listed) > limit else None)

    async def remove(self, principal: Principal, attachment_id: str) -> None:
        """Forget an attachment. Raises NotFoundError."""
        await self._stored.remove(principal.user_id, attachment_id)


def sniffed(data: bytes) -> str | None:
    """The media type that the bytes show, None for what is not taken. An SVG or HTML is text like any other."""
    for signature, media_type in _SIGNATURES:
        if signature.match(data):
            return media_type
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if _NOT_TEXT.search(text) else TEXT


def safe_name(name: str) -> str:
    """The last part of a file's name, without what a header, a shell or a file system would take for its own."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    cleaned = _NOT_IN_NAMES.sub("", last).strip(". ")
    return cleaned[-MAX_NAME_CHARACTERS:] or "attachment"


def _examined(data: bytes) -> tuple[str | None, str]:
    return sniffed(data), hashlib.sha256(data).hexdigest()
