"""The built page: hashed files for ever, `index.html` for every page's address. Serves nothing that was not there when it looked."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from litestar import Request, Response
from msgspec import Struct

from parley.services.errors import NotFoundError

BUILT: Final = Path(__file__).parent / "static"
INDEX: Final = "index.html"
SET_UP: Final = "/setup"
# Vite writes a hash of the content into the names of what lies here.
HASHED: Final = "assets/"
FOR_EVER: Final = "public, max-age=31536000, immutable"
ASK_AGAIN: Final = "no-cache"
# Scripts are files of ours, never inline. Styles may be inline: formulas and code are laid out by style attributes.
PAGE_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "connect-src 'self'; worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_COMPRESSIBLE: Final = ("text/", "application/javascript", "application/json", "application/manifest+json", "image/svg+xml")
_SMALLEST_COMPRESSED_BYTES: Final = 1024


class PageFile(Struct, frozen=True, kw_only=True):
    """One file as it is sent."""

    content: bytes
    compressed: bytes | None
    media_type: str
    etag: str
    cache_control: str


class Pages:
    """The files of one built page. They are read when first asked for; a newly built page is noticed by its `index.html`."""

    def __init__(self, directory: Path = BUILT, *, is_set_up: Callable[[], Awaitable[bool]] | None = None) -> None:
        self._directory = directory
        self._is_set_up = is_set_up
        self._built_at = 0
        self._paths: dict[str, Path] = {}
        self._files: dict[str, PageFile] = {}

    async def index(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """The page's first document; before there is an account, the way to make it: nobody could sign in."""
        if self._is_set_up is not None and not await self._is_set_up():
            return Response(b"", status_code=303, headers={"Location": SET_UP, "Cache-Control": "no-store"}, media_type="text/html")
        return await self.serve(request, "")

    async def serve(self, request: Request[Any, Any, Any], path: str) -> Response[bytes]:
        """The file, or `index.html` for the address of a page. Raises NotFoundError for a file that is not there."""
        name = path.strip("/")
        self._look_again()
        if name not in self._paths:
            if "." in name.rpartition("/")[2] or not self._paths:
                raise NotFoundError("there is nothing at this address" if self._paths else "this Parley was installed without its page")
            name = INDEX
        return self._response(request, self._file(name))

    def _look_again(self) -> None:
        """List the files where the page has been built since. Only what is listed can be asked for: no path leads out of the folder."""
        index = self._directory / INDEX
        built_at = index.stat().st_mtime_ns if index.is_file() else 0
        if built_at == self._built_at:
            return
        self._built_at = built_at
        self._files.clear()
        self._paths = {path.relative_to(self._directory).as_posix(): path for path in self._directory.rglob("*") if path.is_file()}

    def _file(self, name: str) -> PageFile:
        if name not in self._files:
            content = self._paths[name].read_bytes()
            media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
            small = len(content) < _SMALLEST_COMPRESSED_BYTES or not media_type.startswith(_COMPRESSIBLE)
            self._files[name] = PageFile(
                content=content,
                compressed=None if small else gzip.compress(content, 6, mtime=0),
                media_type=media_type,  # Litestar adds the charset to texts
                etag=f'"{hashlib.sha256(content).hexdigest()[:32]}"',
                cache_control=FOR_EVER if name.startswith(HASHED) else ASK_AGAIN,
            )
        return self._files[name]

    def _response(self, request: Request[Any, Any, Any], file: PageFile) -> Response[bytes]:
        headers = {"Cache-Control": file.cache_control, "ETag": file.etag, "Vary": "Accept-Encoding"}
        if file.media_type.startswith("text/html"):
            headers["Content-Security-Policy"] = PAGE_POLICY
        if file.etag in request.headers.get("if-none-match", ""):
            return Response(b"", status_code=304, headers=headers, media_type=file.media_type)
        if file.compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(file.compressed, headers={**headers, "Content-Encoding": "gzip"}, media_type=file.media_type)
        return Response(file.content, headers=headers, media_type=file.media_type)
