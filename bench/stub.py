"""An upstream for measuring: chat completions, plain and streamed, rendered beforehand so that it is never the bottleneck.

The model name says how to answer: `stub` at once, `stub-<chunks>-<gap µs>` streamed in that many chunks with that gap
(0 = as fast as the socket takes them). Serves until it is killed; prints its port first.
"""

from __future__ import annotations

import argparse
import asyncio
import re

USAGE = b'{"prompt_tokens":120,"completion_tokens":100,"total_tokens":220}'
REPLY = (
    b'{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"stub","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"The capital of France is Paris. It has been the capital for most of ten centuries."},'
    b'"finish_reason":"stop"}],"usage":' + USAGE + b"}"
)
PLAIN = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(REPLY), REPLY)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
MODEL = re.compile(rb'"model":\s*"(?:[^"]*/)?stub-(\d+)-(\d+)"')
LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(delta: bytes, finish: bytes = b"null") -> bytes:
    return chunked(
        b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"stub","choices":'
        b'[{"index":0,"delta":%b,"finish_reason":%b}]}\n\n' % (delta, finish)
    )


FIRST = event(b'{"role":"assistant","content":""}')
TOKEN = event(b'{"content":" token"}')
END = (
    event(b"{}", b'"stop"')
    + chunked(b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","choices":[],"usage":' + USAGE + b"}\n\n")
    + chunked(b"data: [DONE]\n\n")
    + b"0\r\n\r\n"
)


class Stub(asyncio.Protocol):
    """One connection; requests are answered in turn."""

    def __init__(self) -> None:
        self.buffer = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self.buffer, 0, end)
            total = end + 4 + (int(length[1]) if length else 0)
            if len(self.buffer) < total:
                return
            request, self.buffer = self.buffer[:total], self.buffer[total:]
            self.answer(request)

    def answer(self, request: bytes) -> None:
        model = MODEL.search(request)
        if model is None or b'"stream":true' not in request.replace(b" ", b""):
            self.transport.write(PLAIN)
            return
        chunks, gap_seconds = int(model[1]), int(model[2]) / 1e6
        if gap_seconds == 0:
            self.transport.write(HEAD + FIRST + TOKEN * chunks + END)
            return
        self.transport.write(HEAD + FIRST)
        self.drip(chunks, gap_seconds)

    def drip(self, left: int, gap_seconds: float) -> None:
        if self.transport.is_closing():
            return
        if left == 0:
            self.transport.write(END)
            return
        self.transport.write(TOKEN)
        asyncio.get_running_loop().call_later(gap_seconds, self.drip, left - 1, gap_seconds)


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", port, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--port", type=int, default=0)
    port = ask.parse_args().port
    try:
        import uvloop

        uvloop.run(serve(port))
    except ImportError:
        asyncio.run(serve(port))
