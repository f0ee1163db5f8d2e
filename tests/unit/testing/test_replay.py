"""The replay server, asked over plain sockets: what a client sees is, byte for byte, what it was told to send."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
import urllib.request

import pytest
from msgspec import structs

from parley.testing.recordings import Recording
from parley.testing.replay import Answer, ReplayServer, answer_of, cut

REQUEST = b"POST /any/path?x=1 HTTP/1.1\r\nHost: h\r\nX-One: 1\r\nContent-Length: 7\r\n\r\n" + b'{"a":1}'


def recording(*, body: bytes = b"data: 1\n\ndata: 2\n\n", streaming: bool = True, status: int = 200) -> Recording:
    return Recording(
        file="a/b/c.json",
        provider="acme",
        wire_family="openai-chat",
        kind="text",
        model="m",
        streaming=streaming,
        status=status,
        headers={"content-type": "text/event-stream", "content-encoding": "br", "transfer-encoding": "chunked", "x-request-id": "r1"},
        body=body,
        exact=True,
        request=None,
    )


async def exchange(server: ReplayServer, request: bytes = REQUEST) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request)
    if writer.can_write_eof():
        writer.write_eof()
    data = await reader.read()
    writer.close()
    await writer.wait_closed()
    return data


async def test_streamed_recording_arrives_in_chunks_as_cut() -> None:
    async with ReplayServer(recording(), pieces=[4, 3]) as server:
        head, _, body = (await exchange(server)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"x-request-id: r1" in head
    assert b"content-encoding" not in head
    assert head.count(b"transfer-encoding: chunked") == 1
    assert body == b"4\r\ndata\r\n3\r\n: 1\r\nb\r\n\n\ndata: 2\n\n\r\n0\r\n\r\n"


async def test_complete_recording_has_a_length() -> None:
    async with ReplayServer(recording(body=b"{}", streaming=False, status=429)) as server:
        head, _, body = (await exchange(server)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    assert b"content-length: 2" in head
    assert body == b"{}"


async def test_records_what_was_asked() -> None:
    async with ReplayServer(recording()) as server:
        await exchange(server)
        request = await server.requested()
    assert (request.method, request.path, request.headers["x-one"]) == ("POST", "/any/path?x=1", "1")
    assert request.json() == {"a": 1}
    assert request.connection == 0


async def test_reads_a_chunked_request() -> None:
    async with ReplayServer(recording()) as server:
        await exchange(server, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert server.requests[0].body == b"abcde"


async def test_answers_in_turn_and_repeats_the_last_on_one_connection() -> None:
    async with ReplayServer(Answer(body=b"one"), Answer(body=b"two")) as server:
        data = await exchange(server, REQUEST * 3)
    assert [part.partition(b"\r\n\r\n")[2] for part in data.split(b"HTTP/1.1 ")[1:]] == [b"one", b"two", b"two"]
    assert server.connections == 1
    assert [request.connection for request in server.requests] == [0, 0, 0]


async def test_cut_leaves_out_the_end() -> None:
    async with ReplayServer(Answer(body=b"abcdef", streamed=True, send_bytes=4, ending="close")) as server:
        data = await exchange(server)
    assert data.endswith(b"4\r\nabcd\r\n")


async def test_body_without_framing_ends_with_the_connection() -> None:
    async with ReplayServer(Answer(body=b"abc", framed=False)) as server:
        head, _, body = (await exchange(server)).partition(b"\r\n\r\n")
    assert b"content-length" not in head
    assert body == b"abc"


@pytest.mark.parametrize("silent", [True, False])
async def test_reset_is_a_reset(silent: bool) -> None:
    async with ReplayServer(Answer(body=b"abc", ending="reset", silent_before_head=silent)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(REQUEST)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        with pytest.raises(ConnectionResetError):
            await writer.wait_closed()


@pytest.mark.parametrize(
    "answer", [Answer(ending="stall"), Answer(silent_before_head=True, ending="stall"), Answer(body=b"abc", gap_seconds=60)]
)
async def test_notices_that_the_client_went(answer: Answer) -> None:
    async with ReplayServer(answer) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(REQUEST)
        await server.requested()
        assert server.open_connections == 1
        writer.close()
        await asyncio.wait_for(server.disconnected(), 1)
        assert server.open_connections == 0


async def test_leaving_it_ends_open_connections() -> None:
    async with ReplayServer(Answer(ending="stall")) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(REQUEST)
        await server.requested()
    assert b"HTTP/1.1 200" in await asyncio.wait_for(reader.read(), 1)
    writer.close()


async def test_what_is_no_http_gets_no_answer() -> None:
    async with ReplayServer(Answer()) as server:
        assert await exchange(server, b"hello\r\n\r\n") == b""


def test_pieces_lose_nothing() -> None:
    body = bytes(range(100))
    for pieces in (None, [1, 0, 50], [200], lambda whole: [whole[:7], b"", whole[7:]]):
        found = cut(body, pieces)
        assert b"".join(found) == body
        assert all(found)
    assert cut(b"", None) == []


def test_answer_of_keeps_the_vendors_headers_only() -> None:
    assert answer_of(recording()).headers == {"content-type": "text/event-stream", "x-request-id": "r1"}


async def test_repeats_a_body() -> None:
    async with ReplayServer(Answer(body=b"ab", repeat=3)) as server:
        head, _, body = (await exchange(server)).partition(b"\r\n\r\n")
    assert b"content-length: 6" in head
    assert body == b"ababab"


def test_serves_until_interrupted() -> None:
    code = (
        "from parley.testing.replay import Answer, serve\n"
        "serve(Answer(body=b'hello'), ready=lambda server: print(server.url, flush=True))\n"
        "print('left')"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with urllib.request.urlopen(f"{url}/anything") as reply:
            assert reply.read() == b"hello"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read() == "left\n"
    assert process.returncode == 0


def test_needs_something_to_answer() -> None:
    with pytest.raises(ValueError, match="at least one"):
        ReplayServer()


async def test_an_opening_is_sent_once_before_what_is_repeated() -> None:
    answer = Answer(opening=b"once ", body=b"again ", repeat=3)
    async with ReplayServer(answer, structs.replace(answer, streamed=True)) as server:
        _, _, measured = (await exchange(server)).partition(b"\r\n\r\n")
        _, _, chunked = (await exchange(server)).partition(b"\r\n\r\n")
        assert 0 < server.requests[0].received_at <= server.requests[1].received_at <= time.monotonic()
    assert measured == b"once again again again "
    assert chunked == b"5\r\nonce \r\n" + b"6\r\nagain \r\n" * 3 + b"0\r\n\r\n"
