"""A real HTTP server on this machine that answers any request with a recording, byte for byte and piece by piece as told.
Knows no wire and judges no request.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from http import HTTPStatus
from itertools import chain, repeat
from typing import Literal, TypeAlias

from msgspec import Struct, json

from parley.testing.recordings import Recording

Pieces: TypeAlias = Callable[[bytes], Iterable[bytes]] | Sequence[int]
"""How a body is cut: a function from body to pieces, or the sizes of the first pieces (the rest follows as the last)."""
Ending: TypeAlias = Literal["end", "close", "reset", "stall"]

MAX_REQUEST_BYTES = 256 * 1024 * 1024
MAX_HEAD_BYTES = 1024 * 1024
WAIT_SECONDS = 10.0

_REASONS = {status.value: status.phrase for status in HTTPStatus}
# The server frames the body itself, and recordings hold it uncompressed.
_NOT_REPLAYED = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "keep-alive",
        "proxy-authenticate",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class ReceivedRequest(Struct, frozen=True, kw_only=True):
    """What a client sent. Header names are in lower case; `connection` counts the server's connections from 0.

    `received_at` is when it was whole, in seconds of `time.monotonic`.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    received_at: float = 0.0

    def json(self) -> object:
        """The body as JSON. Raises msgspec.DecodeError where it is none."""
        return json.decode(self.body)


class Answer(Struct, frozen=True, kw_only=True):
    """What the server sends for one request.

    `streamed` uses chunked transfer, a chunk for each piece; else the body has a length. `framed=False` gives neither: the body
    ends with the connection. The body is sent `repeat` times, so that an endless one takes no memory; of each, only the first
    `send_bytes` bytes (None = all). Then comes the `ending`: "end" as HTTP wants it, "close" without it, "reset" as a TCP reset,
    "stall" by silence until the client goes. `silent_before_head` sends no head at all, only the ending.
    `gap_seconds` waits before each piece. `interim_heads` are raw bytes sent before all else (100 Continue, half a head).
    `opening` begins the body, once: what an endless body repeats comes after it.
    """

    status: int = 200
    headers: dict[str, str] = {}
    body: bytes = b""
    opening: bytes = b""
    streamed: bool = False
    framed: bool = True
    pieces: Pieces | None = None
    repeat: int = 1
    send_bytes: int | None = None
    ending: Ending = "end"
    silent_before_head: bool = False
    gap_seconds: float = 0.0
    interim_heads: bytes = b""


def answer_of(recording: Recording, *, pieces: Pieces | None = None) -> Answer:
    """The recording's status, headers and body; chunked where the vendor streamed."""
    headers = {name: value for name, value in recording.headers.items() if name not in _NOT_REPLAYED}
    return Answer(status=recording.status, headers=headers, body=recording.body, streamed=recording.streaming, pieces=pieces)


def cut(body: bytes, pieces: Pieces | None) -> list[bytes]:
    """The body in pieces; empty ones are left out, since an empty chunk would end a chunked body."""
    if pieces is None:
        return [body] if body else []
    if callable(pieces):
        return [piece for piece in pieces(body) if piece]
    found: list[bytes] = []
    position = 0
    for size in pieces:
        found.append(body[position : position + size])
        position += size
    return [piece for piece in [*found, body[position:]] if piece]


class ReplayServer:
    """Answers any path with recordings or Answers, in turn, the last one again and again. An async context manager.

    ```python
    async with ReplayServer(recording) as server:
        provider = load_provider("openai", api_key="k", endpoint=server.url)
    ```
    `requests` holds what was asked; `connections` how many connections were made. `tls` serves https.
    """

    def __init__(
        self,
        *answers: Recording | Answer,
        pieces: Pieces | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if not answers:
            raise ValueError("ReplayServer needs at least one recording or Answer")
        self.answer_with(*answers, pieces=pieces)
        self._host = host
        self._port = port
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._handlers: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._sent = 0
        self._disconnects = 0
        self._changed = asyncio.Condition()
        self.requests: list[ReceivedRequest] = []
        self.connections = 0

    async def __aenter__(self) -> ReplayServer:
        self._server = await asyncio.start_server(self._serve, self._host, self._port, ssl=self._tls, limit=MAX_HEAD_BYTES)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for handler in list(self._handlers):
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    @property
    def url(self) -> str:
        """A base URL for a provider's `endpoint`."""
        return f"{'https' if self._tls else 'http'}://{self._host}:{self._port}/v1"

    @property
    def open_connections(self) -> int:
        """How many connections are open now, idle ones included."""
        return len(self._handlers)

    def answer_with(self, *answers: Recording | Answer, pieces: Pieces | None = None) -> None:
        """From now on answer with these."""
        self._answers = [answer_of(answer, pieces=pieces) if isinstance(answer, Recording) else answer for answer in answers]
        self._answered = 0

    async def push(self, data: bytes) -> None:
        """Send bytes that nobody asked for on every open connection."""
        for writer in self._writers:
            writer.write(data)
            await writer.drain()

    async def requested(self, count: int = 1) -> ReceivedRequest:
        """Wait until so many requests have come, and give the last of them. Raises TimeoutError after ten seconds."""
        await self._wait(lambda: len(self.requests) >= count)
        return self.requests[count - 1]

    async def sent(self, count: int = 1) -> None:
        """Wait until so many answers have been sent, as far as they go. Raises TimeoutError after ten seconds."""
        await self._wait(lambda: self._sent >= count)

    async def disconnected(self, count: int = 1) -> None:
        """Wait until so many connections were closed by a client. Raises TimeoutError after ten seconds."""
        await self._wait(lambda: self._disconnects >= count)

    async def _wait(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_SECONDS), self._changed:
            await self._changed.wait_for(reached)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._handlers.add(task)
        self._writers.add(writer)
        number = self.connections
        self.connections += 1
        try:
            while (request := await read_request(reader, number)) is not None:
                self.requests.append(request)
                await self._notify()
                answer = self._next_answer()
                await _send(answer, reader, writer)
                self._sent += 1
                await self._notify()
                if not await _end(answer, reader, writer):
                    break
            if reader.at_eof():
                self._disconnects += 1
        except (ConnectionError, asyncio.IncompleteReadError):
            self._disconnects += 1
        except (ValueError, asyncio.LimitOverrunError):
            pass  # no HTTP/1.1 request: nothing to answer
        except asyncio.CancelledError:
            pass  # the server is being left; asyncio would log a cancelled handler as an error
        finally:
            if task is not None:
                self._handlers.discard(task)
            self._writers.discard(writer)
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
            await self._notify()

    def _next_answer(self) -> Answer:
        index = min(self._answered, len(self._answers) - 1)
        self._answered += 1
        return self._answers[index]


async def read_request(reader: asyncio.StreamReader, connection: int) -> ReceivedRequest | None:
    """The next request of a connection, whole; None where the client has gone.

    Raises ValueError or LimitOverrunError where it is no HTTP/1.1, IncompleteReadError where it breaks off.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as ended:
        if ended.partial:
            raise
        return None
    lines = head.decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
    if "chunked" in headers.get("transfer-encoding", ""):
        body = b"".join([chunk async for chunk in _chunks(reader)])
    else:
        body = await reader.readexactly(min(int(headers.get("content-length", "0")), MAX_REQUEST_BYTES))
    return ReceivedRequest(method=method, path=path, headers=headers, body=body, connection=connection, received_at=time.monotonic())


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        yield (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")


async def _send(answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send what there is to send. Raises ConnectionError where the client goes meanwhile."""
    writer.write(answer.interim_heads)
    if not answer.silent_before_head:
        writer.write(_head(answer))
        await _send_body(answer, reader, writer)
    await writer.drain()


async def _end(answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """End the answer; whether the connection may serve another request."""
    if answer.ending == "stall":
        await reader.read(1)
    elif answer.ending == "reset":
        # Closing with a linger time of zero is what makes the system send a reset.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    return answer.ending == "end" and answer.framed and not answer.silent_before_head


def _head(answer: Answer) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Answer')}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    if not answer.framed:
        lines.append("connection: close")
    elif answer.streamed:
        lines.append("transfer-encoding: chunked")
    else:
        lines.append(f"content-length: {len(answer.opening) + len(answer.body) * answer.repeat}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


async def _send_body(answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    body = answer.body if answer.send_bytes is None else answer.body[: answer.send_bytes]
    chunked = answer.framed and answer.streamed
    leaving = asyncio.ensure_future(reader.read(1)) if answer.gap_seconds else None
    try:
        for piece in chain(cut(answer.opening, None), chain.from_iterable(repeat(cut(body, answer.pieces), answer.repeat))):
            if leaving is not None:
                await asyncio.wait({leaving}, timeout=answer.gap_seconds)
                if leaving.done() and not leaving.result():
                    raise ConnectionResetError
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            await writer.drain()
            await asyncio.sleep(0)  # lets a client on the same loop read this piece before the next is sent
    finally:
        if leaving is not None:
            leaving.cancel()
            await asyncio.wait({leaving})
    if chunked and answer.ending == "end":
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def serve(
    *answers: Recording | Answer,
    host: str = "127.0.0.1",
    port: int = 0,
    pieces: Pieces | None = None,
    ready: Callable[[ReplayServer], None] | None = None,
) -> None:
    """Run a server until the program is interrupted; `ready` is called once it listens. For a command line."""

    async def run() -> None:
        async with ReplayServer(*answers, host=host, port=port, pieces=pieces) as server:
            if ready is not None:
                ready(server)
            await asyncio.Event().wait()

    with suppress(KeyboardInterrupt):
        asyncio.run(run())
