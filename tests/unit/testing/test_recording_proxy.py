"""The proxy changes nothing that matters, keeps every byte, and goes to no other place than the one it stands before."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from parley.contract.errors import ConnectError, ParleyError
from parley.contract.http import HttpRequest
from parley.testing.recording_proxy import Passed, RecordingProxy
from parley.testing.replay import Answer, ReplayServer
from parley.transport.client import HttpClient
from parley.transport.settings import ConnectionSettings

DIRECT = ConnectionSettings()
STREAM = {"content-type": "text/event-stream"}


@asynccontextmanager
async def asking() -> AsyncIterator[HttpClient]:
    """A client that shares no connection with the proxy's."""
    client = HttpClient()
    try:
        yield client
    finally:
        await client.aclose()


async def ask(url: str, *, body: bytes = b'{"a": 1}', method: str = "POST", **headers: str) -> tuple[int, dict[str, str], bytes]:
    async with asking() as client:
        with await client.send(HttpRequest(method=method, url=url, headers=headers, body=body)) as response:
            return response.status, response.headers, await response.read_body(10_000_000)


async def test_request_and_reply_pass_unchanged_and_are_kept() -> None:
    answer = Answer(status=201, headers={"content-type": "application/json", "x-request-id": "r-1"}, body="Grüße".encode())
    async with ReplayServer(answer) as vendor, RecordingProxy(vendor.url, DIRECT) as proxy:
        status, headers, body = await ask(f"{proxy.url}/chat?x=1", body=b'{"model":"m"}', authorization="Bearer k")
        (passed,) = await proxy.take()
        assert await proxy.take() == []
    received = vendor.requests[0]
    assert (received.method, received.path, received.body) == ("POST", "/v1/chat?x=1", b'{"model":"m"}')
    assert received.headers["authorization"] == "Bearer k"
    assert received.headers["accept-encoding"] == "identity"
    assert received.headers["host"].endswith(str(vendor.port))
    assert (status, headers["x-request-id"], body) == (201, "r-1", "Grüße".encode())
    assert (passed.status, bytes(passed.reply), passed.whole, passed.failure) == (201, body, True, None)
    assert passed.request.path == "/v1/chat?x=1"


async def test_a_stream_comes_piece_by_piece() -> None:
    pieces = [b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n"]
    answer = Answer(headers=STREAM, body=b"".join(pieces), streamed=True, pieces=[9, 9], send_bytes=9, ending="stall")
    async with ReplayServer(answer) as vendor, RecordingProxy(vendor.url, DIRECT) as proxy, asking() as client:
        with await client.send(HttpRequest(method="POST", url=f"{proxy.url}/x")) as response:
            # The vendor has not sent the rest, and never will: what came must not wait for it.
            assert await asyncio.wait_for(response.read(), 5) == pieces[0]


async def test_what_comes_compressed_all_the_same_is_kept_as_it_reads() -> None:
    answer = Answer(headers={"content-type": "text/plain", "content-encoding": "gzip"}, body=gzip.compress(b"plain words"))
    async with ReplayServer(answer) as vendor, RecordingProxy(vendor.url, DIRECT) as proxy:
        _, headers, body = await ask(f"{proxy.url}/x")
        (passed,) = await proxy.take()
    assert body == bytes(passed.reply) == b"plain words"
    assert "content-encoding" not in headers


async def test_who_has_read_enough_may_go_and_the_rest_is_kept() -> None:
    body = b"data: x\n\n" * 50_000
    async with (
        ReplayServer(Answer(headers=STREAM, body=body, streamed=True, pieces=[9, 9, 9])) as vendor,
        RecordingProxy(vendor.url, DIRECT) as proxy,
    ):
        async with asking() as client:
            with await client.send(HttpRequest(method="POST", url=f"{proxy.url}/x")) as response:
                await response.read()
        (passed,) = await proxy.take()
    assert passed.whole
    assert bytes(passed.reply) == body


@pytest.mark.parametrize("ending", ["close", "reset"])
async def test_an_answer_that_breaks_off_is_not_whole(ending: str) -> None:
    answer = Answer(headers=STREAM, body=b"data: 1\n\ndata: 2\n\n", streamed=True, send_bytes=9, ending=ending)  # type: ignore[arg-type]
    async with ReplayServer(answer) as vendor, RecordingProxy(vendor.url, DIRECT) as proxy:
        passed = await broken(proxy)
    assert not passed.whole
    assert passed.failure is not None
    assert "closed the connection" in passed.failure.message


async def test_a_vendor_that_is_down_is_told_as_it_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    async with RecordingProxy(f"http://127.0.0.1:{port}/v1", DIRECT) as proxy:
        passed = await broken(proxy)
    assert isinstance(passed.failure, ConnectError)
    assert str(port) in passed.failure.message


async def broken(proxy: RecordingProxy) -> Passed:
    with pytest.raises(ParleyError, match="closed the connection"):
        await ask(f"{proxy.url}/x")
    (passed,) = await proxy.take()
    return passed


async def test_a_request_for_another_host_goes_nowhere() -> None:
    async with ReplayServer(Answer()) as vendor, ReplayServer(Answer()) as other, RecordingProxy(vendor.url, DIRECT) as proxy:
        port = int(proxy.url.split(":")[2].split("/")[0])
        for target in (f"http://127.0.0.1:{other.port}/x", f"@127.0.0.1:{other.port}/x", f"//127.0.0.1:{other.port}/x"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
            writer.write_eof()
            await reader.read()
            writer.close()
        assert other.requests == []
        assert [passed.request.path for passed in await proxy.take()] == [f"//127.0.0.1:{other.port}/x"]


async def test_noise_on_its_port_disturbs_nobody() -> None:
    async with ReplayServer(Answer(body=b"ok")) as vendor, RecordingProxy(vendor.url, DIRECT) as proxy:
        port = int(proxy.url.split(":")[2].split("/")[0])
        for noise in (b"\0\xff\n\r\n\r\n", b"GET\r\n\r\n", b"POST /x HTTP/1.1\r\ncontent-length: x\r\n\r\n", b"POST /x HTTP/1.1\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(noise)
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()
        assert (await ask(f"{proxy.url}/x"))[2] == b"ok"
        assert len(await proxy.take()) == 1


async def test_the_way_to_the_vendor_leads_through_the_configured_proxy() -> None:
    async with ReplayServer(Answer(body=b"ok")) as company:
        settings = ConnectionSettings(proxy=f"http://127.0.0.1:{company.port}")
        async with RecordingProxy("http://vendor.invalid/v1", settings) as proxy:
            assert (await ask(f"{proxy.url}/x"))[2] == b"ok"
        assert company.requests[0].path == "http://vendor.invalid/v1/x"
