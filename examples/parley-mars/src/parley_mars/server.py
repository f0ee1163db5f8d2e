"""A small Mars to talk to: `python -m parley_mars.server`. It speaks the wire and knows nothing of Parley.

What it says depends on what it is told: "weather" asks a tool if it was given one, "storm" breaks off with an error, "quiet" breaks off
without a word, "busy" is refused. Any pass that begins with "mars-" is good.
"""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

CRAFTS = [{"id": "olympus-1", "name": "Olympus 1"}, {"id": "olympus-1-deep", "name": "Olympus 1 Deep"}]
SECONDS_BETWEEN_WORDS = 0.05


class Mayday(Exception):
    """An error that is told with a status."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.body = {"mayday": {"code": code, "text": text}}


async def lines_of(order: dict[str, Any], seconds: float) -> AsyncIterator[dict[str, Any]]:
    """The answer, line by line."""
    said = [entry for entry in order.get("log", []) if isinstance(entry, dict)]
    last = said[-1] if said else {}
    heard = str(last.get("say", ""))
    if "busy" in heard:
        raise Mayday(429, "too_many_transmissions", "The dish is taken; try again in a moment.")
    yield {"mission": f"m-{len(said)}", "craft": order.get("to", "olympus-1")}
    if order.get("to") == "olympus-1-deep":
        yield {"think": f"Earth says {len(heard)} characters. "}
        yield {"think": "They want an answer."}
    tools = order.get("tools", [])
    if tools and "weather" in heard and "answer" not in last:
        yield {"ask": {"ref": "a1", "tool": tools[0]["tool"], "with": {"place": "Olympus Mons"}}}
    else:
        reply = f"The tool says: {heard}" if "answer" in last else f"Mars here. You said: {heard}"
        for word in reply.split(" "):
            await asyncio.sleep(seconds)
            yield {"say": word + " "}
            if word in {"storm", "quiet"}:
                if word == "storm":
                    yield {"mayday": {"code": "dust_storm", "text": "A dust storm took the signal."}}
                return
    written = len(json.dumps(order.get("log"))) // 4, 12
    yield {"fuel": {"up": written[0], "down": written[1]}}
    yield {"landed": "asks" if tools and "weather" in heard and "answer" not in last else "done"}


def whole(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """The same answer as one document."""
    document: dict[str, Any] = {}
    for line in lines:
        for name, value in line.items():
            if name in {"say", "think"}:
                document[name] = document.get(name, "") + value
            elif name == "ask":
                document.setdefault("asks", []).append(value)
            else:
                document[name] = value
    return document


async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """One request, one answer, one connection."""
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        path = head[0].split(" ")[1]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        try:
            if not headers.get("x-mars-pass", "").startswith("mars-"):
                raise Mayday(401, "bad_pass", "This pass is not good; it begins with mars-.")
            if path == "/v1/crafts":
                writer.write(_document(200, {"crafts": CRAFTS}))
            elif path == "/v1/transmissions":
                await _transmit(_order(body), writer, seconds)
            else:
                raise Mayday(404, "nothing_here", f"There is nothing at {path}.")
        except Mayday as mayday:
            writer.write(_document(mayday.status, mayday.body))
        await writer.drain()
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


def _order(body: bytes) -> dict[str, Any]:
    try:
        order = json.loads(body)
    except ValueError:
        order = None
    if not isinstance(order, dict):
        raise Mayday(400, "garbled", "The transmission is not a JSON object.")
    return order


async def _transmit(order: dict[str, Any], writer: asyncio.StreamWriter, seconds: float) -> None:
    lines = lines_of(order, seconds if order.get("live") else 0)
    first = await anext(lines)  # raises what the request is refused with, while it can still have a status
    if not order.get("live"):
        writer.write(_document(200, whole([first, *[line async for line in lines]])))
        return
    writer.write(_head(200, "application/jsonl") + json.dumps(first).encode() + b"\n")
    async for line in lines:
        writer.write(json.dumps(line).encode() + b"\n")
        await writer.drain()


def _document(status: int, document: dict[str, Any]) -> bytes:
    return _head(status, "application/json", "retry-after: 2\r\n" if status == 429 else "") + json.dumps(document).encode()


def _head(status: int, media_type: str, more: str = "") -> bytes:
    """Without a length: the connection's end is the body's."""
    return f"HTTP/1.1 {status} Mars\r\ncontent-type: {media_type}\r\n{more}connection: close\r\n\r\n".encode()


async def start(port: int = 0, *, seconds: float = SECONDS_BETWEEN_WORDS) -> asyncio.Server:
    """A server on this machine; port 0 takes a free one."""
    return await asyncio.start_server(lambda reader, writer: serve_one(reader, writer, seconds), "127.0.0.1", port)


async def run(port: int) -> None:
    """Serve until the program is interrupted."""
    server = await start(port)
    print(f"Mars listens at http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    async with server:
        await server.serve_forever()


def main() -> None:
    """Read the command line."""
    ask = argparse.ArgumentParser(description="A small Mars to talk to.")
    ask.add_argument("--port", type=int, default=8765)
    with suppress(KeyboardInterrupt):
        asyncio.run(run(ask.parse_args().port))


if __name__ == "__main__":
    main()
