"""Files for messages: uploaded, fetched and removed by their owner."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from litestar import Request, Response
from litestar.datastructures import UploadFile
from msgspec import Struct

from parley.contract.errors import FieldProblem, InvalidRequestError
from parley.server.policy import KIBIBYTE, Route, signed_in
from parley.server.routes.sessions import PageQuery
from parley.services.attachments import INLINE, MAX_BYTES, Attachments
from parley.services.principals import Principal
from parley.services.times import rfc3339
from parley.storage.attachments import AttachmentRecord

# The file itself, and what multipart writes around it.
MAX_UPLOAD_BYTES: Final = MAX_BYTES + 64 * KIBIBYTE
_FORM: Final = {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}
# Uploaded files run nothing, wherever somebody opens them.
_SANDBOXED: Final = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


class AttachmentView(Struct, frozen=True, kw_only=True):
    """What is known of an attachment; `mediaType` is what its bytes show, `size` is in bytes."""

    id: str
    name: str
    media_type: str
    size: int
    created_at: str


class AttachmentList(Struct, frozen=True, kw_only=True):
    """One's own attachments, newest first; without `nextCursor` it is the last page."""

    items: list[AttachmentView]
    next_cursor: str | None


class AttachmentRoutes:
    """Everything under `/attachments`."""

    def __init__(self, attachments: Attachments) -> None:
        self._attachments = attachments

    def routes(self) -> list[Route]:
        """The rows of the table."""
        return [
            Route(
                method="POST",
                path="/api/v1/attachments",
                handler=self.upload,
                policy=signed_in("attachment", "create", "chat"),
                summary="Upload an image or a text file, at most 20 MiB",
                status=201,
                errors=(400, 413, 422, 429),
                max_body_bytes=MAX_UPLOAD_BYTES,
                body_media_type="multipart/form-data",
                body_schema=_FORM,
            ),
            Route(
                method="GET",
                path="/api/v1/attachments",
                handler=self.list,
                policy=signed_in("attachment", "list", "chat", "read"),
                summary="One's own attachments",
            ),
            Route(
                method="GET",
                path="/api/v1/attachments/{attachment_id}",
                handler=self.download,
                policy=signed_in("attachment", "read", "chat", "read"),
                summary="An attachment's bytes",
                media_types=("application/octet-stream",),
            ),
            Route(
                method="DELETE",
                path="/api/v1/attachments/{attachment_id}",
                handler=self.remove,
                policy=signed_in("attachment", "remove", "chat"),
                summary="Remove an attachment",
                status=204,
            ),
        ]

    async def upload(self, request: Request[Any, Any, Any], principal: Principal) -> AttachmentView:
        """Store one file."""
        form = await request.form()
        files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
        if len(files) != 1:
            message = "must be one file, as multipart/form-data"
            raise InvalidRequestError(f"file {message}", fields=[FieldProblem(path="file", message=message)])
        return _view(await self._attachments.add(principal, name=files[0].filename, data=await files[0].read()))

    async def list(self, principal: Principal, query: PageQuery) -> AttachmentList:
        """A page of what has been uploaded."""
        page = await self._attachments.list(principal, limit=query.limit, cursor=query.cursor)
        return AttachmentList(items=[_view(record) for record in page.items], next_cursor=page.next_cursor)

    async def download(self, principal: Principal, attachment_id: str) -> Response[bytes]:
        """The bytes; shown in place only where they are an image."""
        record, data = await self._attachments.read(principal, attachment_id)
        disposition = "inline" if record.media_type in INLINE else "attachment"
        headers = {
            "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(record.name, safe='')}",
            "Content-Security-Policy": _SANDBOXED,
            "Cache-Control": "private, max-age=31536000, immutable",
        }
        return Response(data, media_type=record.media_type, headers=headers)

    async def remove(self, principal: Principal, attachment_id: str) -> None:
        """Forget it."""
        await self._attachments.remove(principal, attachment_id)


def _view(record: AttachmentRecord) -> AttachmentView:
    return AttachmentView(
        id=record.id, name=record.name, media_type=record.media_type, size=record.size, created_at=rfc3339(record.created_at)
    )
