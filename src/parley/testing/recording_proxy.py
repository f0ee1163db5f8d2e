"""Stands between a provider and its vendor: hands everything through, piece by piece, and keeps what passed. Knows no wire."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from time import perf_counter
from urllib.parse import urlsplit

from msgspec import Struct

from parley.contract.errors import ParleyError
from parley.contract.http import HttpRequest
from parley.testing.replay import MAX_HEAD_BYTES, ReceivedRequest, read_request
from parley.transport.client import HttpClient, HttpResponse
from parley.transport.settings import ConnectionSettings

MAX_KEPT_BYTES = 32 * 1024 * 1024
SETTLE_SECONDS = 5.0
"""So long a vendor may take to end its transfer after the provider has read all it wanted."""

# Of one connection, not of the exchange; or set by who sends it on.
_NOT_PASSED_ON = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class Passed(Struct, kw_only=True):
    """One exchange as it passed. `reply` is decompressed; `whole` says whether it came to its end; `failure` why it did not."""

    request: ReceivedRequest
    status: int = 0
    headers: dict[str, str] = {}
    reply: bytearray
    seconds: float = 0.0
    whole: bool = False
    failure: ParleyError | None = None


class RecordingProxy:
    """Listens on this machine and sends every request on to the server of `endpoint`, and to no other. An async context manager.

    `url` is the endpoint to give to the provider: the path of the real one, so that nobody sees a difference. Nothing is added
    to a request; the vendor is asked for an answer that is not compressed.
    """

    def __init__(self, endpoint: str, settings: ConnectionSettings) -> None:
        parts = urlsplit(endpoint)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._path = parts.path.rstrip("/")
        self._settings = settings
        self._server: asyncio.Server | None = None
        self._client: HttpClient | None = None
        self._handlers: set[asyncio.Task[None]] = set()
        self._passed: list[Passed] = []
        self._busy = 0
        self._settled = asyncio.Event()
        self._settled.set()

    async def __aenter__(self) -> RecordingProxy:
        self._client = HttpClient.shared(self)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=MAX_HEAD_BYTES)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for handler in list(self._handlers):
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)
        if self._client is not None:
            await self._client.leave(self)

    @property
    def url(self) -> str:
        """What to give the provider as its endpoint."""
        port = self._server.sockets[0].getsockname()[1] if self._server is not None else 0
        return f"http://127.0.0.1:{port}{self._path}"

    async def take(self) -> list[Passed]:
        """What has passed since the last time, once it is at its end."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._settled.wait(), SETTLE_SECONDS)
        passed, self._passed = self._passed, []
        return passed

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._handlers.add(task)
        try:
            # A request that names a whole URL takes this for a proxy to anywhere, which it is not.
            while (request := await read_request(reader, 0)) is not None and request.path.startswith("/"):
                passed = Passed(request=request, reply=bytearray())
                self._passed.append(passed)
                self._begin()
                try:
                    await self._pass(passed, writer)
                finally:
                    self._end()
                if not passed.whole:
                    writer.transport.abort()
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass  # the provider has gone, or what it sends is no HTTP/1.1: it is told by what it makes of the closed connection
        except asyncio.CancelledError:
            pass  # the proxy is being left; asyncio would log a cancelled handler as an error
        finally:
            if task is not None:
                self._handlers.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def _begin(self) -> None:
        self._busy += 1
        self._settled.clear()

    def _end(self) -> None:
        self._busy -= 1
        if not self._busy:
            self._settled.set()

    async def _pass(self, passed: Passed, writer: asyncio.StreamWriter) -> None:
        """Send the request on and the reply back. What goes wrong on the vendor's side stands in `failure` afterwards."""
        started = perf_counter()
        request = passed.request
        if self._client is None:
            return
        headers = _passed_on(request.headers) | {"accept-encoding": "identity"}
        sent_on = HttpRequest(method=request.method, url=f"{self._origin}{request.path}", headers=headers, body=request.body)
        try:
            with await self._client.send(sent_on, self._settings) as response:
                passed.status, passed.headers = response.status, response.headers
                await _hand_back(response, passed, writer)
        except ParleyError as failure:
            passed.failure = failure
        finally:
            passed.seconds = perf_counter() - started


async def _hand_back(response: HttpResponse, passed: Passed, writer: asyncio.StreamWriter) -> None:
    """Write the reply as it comes, and keep it. Who has read enough may go: what the vendor still sends is kept all the same."""
    has_body = response.status not in {204, 304} and passed.request.method != "HEAD"
    lines = [f"HTTP/1.1 {response.status} Answer", *(f"{name}: {value}" for name, value in _passed_on(response.headers).items())]
    lines += ["transfer-encoding: chunked"] if has_body else []
    listens = await _written(writer, ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace"))
    while has_body and (piece := await response.read()):
        passed.reply += piece
        if len(passed.reply) > MAX_KEPT_BYTES:
            return
        listens = listens and await _written(writer, b"%x\r\n%b\r\n" % (len(piece), piece))
    passed.whole = True
    if has_body and listens:
        await _written(writer, b"0\r\n\r\n")


async def _written(writer: asyncio.StreamWriter, data: bytes) -> bool:
    """Whether there was still somebody to write to."""
    try:
        writer.write(data)
        await writer.drain()
    except ConnectionError:
        return False
    return True


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _NOT_PASSED_ON}
