"""The client against real servers on this machine: its pool, its bounds, and what it makes of everything that goes wrong."""

from __future__ import annotations

import asyncio
import gzip
import socket
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from parley.contract.errors import ConnectError, ConnectionLostError, InvalidRequestError, ProtocolError, ProviderTimeoutError
from parley.contract.http import HttpRequest
from parley.testing.replay import Answer, ReplayServer
from parley.transport import client as client_module
from parley.transport.client import HttpClient

FAST_SECONDS = 0.1


def post(server: ReplayServer, body: bytes = b"{}", **headers: str) -> HttpRequest:
    return HttpRequest(method="POST", url=f"{server.url}/talk?a=b", headers=headers, body=body)


async def whole(client: HttpClient, server: ReplayServer, *, max_bytes: int = 1_000_000) -> bytes:
    with await client.send(post(server)) as response:
        return await response.read_body(max_bytes)


async def test_sends_what_it_was_given_and_nothing_more(client: HttpClient) -> None:
    async with ReplayServer(Answer(status=201, headers={"X-One": "1", "Set-Cookie": "a=b"}, body=b"yes")) as server:
        with await client.send(post(server, b'{"q":1}', **{"X-Key": "k", "Content-Type": "application/json"})) as response:
            assert response.status == 201
            assert response.headers["x-one"] == "1"
            assert await response.read_body(100) == b"yes"
        await whole(client, server)
    first, second = server.requests
    assert (first.method, first.path, first.body) == ("POST", "/v1/talk?a=b", b'{"q":1}')
    assert first.headers == {
        "host": f"127.0.0.1:{server.port}",
        "x-key": "k",
        "content-type": "application/json",
        "content-length": "7",
    }
    assert "cookie" not in second.headers


async def test_repeated_headers_are_joined(client: HttpClient) -> None:
    async with raw_server(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n") as url:
        with await client.send(HttpRequest(method="GET", url=url)) as response:
            assert response.headers["x-a"] == "1, 2"


async def test_a_connection_is_kept_for_the_next_request(client: HttpClient) -> None:
    async with ReplayServer(Answer(body=b"abc"), Answer(body=b"abc", streamed=True)) as server:
        for _ in range(5):
            assert await whole(client, server) == b"abc"
        assert server.connections == 1


async def test_more_open_streams_than_the_librarys_usual_hundred(client: HttpClient) -> None:
    async with ReplayServer(Answer(body=b"hello", streamed=True, ending="stall")) as server:
        responses = await asyncio.gather(*(client.send(post(server)) for _ in range(300)))
        assert [await response.read() for response in responses] == [b"hello"] * 300
        assert server.open_connections == 300
        for response in responses:
            response.close()
        await server.disconnected(300)


async def test_leaving_early_closes_the_connection(client: HttpClient) -> None:
    async with ReplayServer(Answer(body=b"abcdef", streamed=True, pieces=[3], ending="stall")) as server:
        with await client.send(post(server)) as response:
            assert await response.read()
        await asyncio.wait_for(server.disconnected(), FAST_SECONDS)


async def test_leaving_early_in_the_middle_of_an_upload_closes_the_connection(client: HttpClient) -> None:
    async with raw_server(b"", read=False) as url:
        task = asyncio.create_task(client.send(HttpRequest(method="POST", url=url, body=b"x" * 20_000_000)))
        await until(lambda: client_writes(client) > 0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert client_writes(client) == 0


async def test_a_slow_reader_holds_the_server_back(client: HttpClient) -> None:
    async with ReplayServer(Answer(body=b"x" * 1_000_000, streamed=True, repeat=100)) as server:
        with await client.send(post(server)) as response:
            before = resident_bytes()
            await until(lambda: response._content._protocol._reading_paused)  # pyright: ignore
            assert len(await response.read()) < 1_000_000
            assert resident_bytes() - before < 20_000_000
        await server.disconnected()


async def test_a_finished_reply_whose_transfer_ends_later_keeps_its_connection(client: HttpClient) -> None:
    async with ReplayServer(Answer(body=b"ab", streamed=True, pieces=[1], gap_seconds=0.02), Answer(body=b"c")) as server:
        with await client.send(post(server)) as response:
            assert await response.read() == b"a"
            response.finish()
        await until(lambda: not client._lingering)  # pyright: ignore[reportPrivateUsage]
        assert await whole(client, server) == b"c"
        assert server.connections == 1


async def test_a_transfer_that_never_ends_is_not_waited_for(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "LINGER_SECONDS", 0.01)
    async with ReplayServer(Answer(body=b"a", streamed=True, ending="stall")) as server:
        with await client.send(post(server)) as response:
            assert await response.read() == b"a"
            response.finish()
        assert server.open_connections == 1
        await asyncio.wait_for(server.disconnected(), 1)


async def test_closing_ends_what_lingers() -> None:
    client = HttpClient()
    async with ReplayServer(Answer(body=b"a", streamed=True, ending="stall")) as server:
        response = await client.send(post(server))
        await response.read()
        response.finish()
        await client.aclose()
        await asyncio.wait_for(server.disconnected(), FAST_SECONDS)


class TestStaleConnection:
    """A server may close an idle connection at the very moment when a request is written to it."""

    async def test_is_replaced_and_the_request_sent_again_once(self, client: HttpClient) -> None:
        async with ReplayServer(Answer(body=b"one"), Answer(silent_before_head=True, ending="close"), Answer(body=b"two")) as server:
            assert await whole(client, server) == b"one"
            assert await whole(client, server) == b"two"
            assert [request.connection for request in server.requests] == [0, 0, 1]

    async def test_a_reset_counts_as_well(self, client: HttpClient) -> None:
        async with ReplayServer(Answer(body=b"one"), Answer(silent_before_head=True, ending="reset"), Answer(body=b"two")) as server:
            await whole(client, server)
            assert await whole(client, server) == b"two"

    async def test_only_once(self, client: HttpClient) -> None:
        async with ReplayServer(Answer(body=b"one"), Answer(silent_before_head=True, ending="close")) as server:
            await whole(client, server)
            with pytest.raises(ConnectionLostError):
                await whole(client, server)
            assert len(server.requests) == 3

    async def test_the_second_time_on_a_new_connection_though_others_are_idle(self, client: HttpClient) -> None:
        async with ReplayServer(Answer(body=b"one", gap_seconds=0.02)) as server:
            await asyncio.gather(*(whole(client, server) for _ in range(3)))
            assert server.connections == 3
            server.answer_with(Answer(silent_before_head=True, ending="close"), Answer(body=b"two"))
            assert await whole(client, server) == b"two"
            assert server.requests[-1].connection == 3

    async def test_a_fresh_connection_is_not_tried_again(self, client: HttpClient) -> None:
        async with ReplayServer(Answer(silent_before_head=True, ending="close")) as server:
            with pytest.raises(ConnectionLostError) as raised:
                await whole(client, server)
            assert len(server.requests) == 1
        assert f"127.0.0.1:{server.port} closed the connection before it answered" in raised.value.message

    async def test_nor_one_that_had_begun_to_answer(self, client: HttpClient) -> None:
        async with ReplayServer(
            Answer(body=b"one"), Answer(interim_heads=b"HTTP/1.1 200 OK\r\nX-", silent_before_head=True, ending="close")
        ) as server:
            await whole(client, server)
            with pytest.raises(ConnectionLostError):
                await whole(client, server)
            assert len(server.requests) == 2

    async def test_bytes_that_nobody_asked_for_are_not_the_next_answer(self, client: HttpClient) -> None:
        smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
        async with ReplayServer(Answer(body=b"one"), Answer(body=b"two")) as server:
            assert await whole(client, server) == b"one"
            await server.push(smuggled)
            await until(lambda: any(conn.should_close for conn in client._used))  # pyright: ignore[reportPrivateUsage]
            assert await whole(client, server) == b"two"


class TestNoConnection:
    async def test_refused(self, client: HttpClient) -> None:
        with pytest.raises(ConnectError, match=r"nothing listens at http://127.0.0.1:\d+ .*is the server running"):
            await client.send(HttpRequest(method="GET", url=f"http://127.0.0.1:{free_port()}/v1"))

    async def test_name_not_found(self, client: HttpClient) -> None:
        with pytest.raises(ConnectError, match=r"name of http://no-such-host.invalid was not found; is this machine connected"):
            await client.send(HttpRequest(method="GET", url="http://no-such-host.invalid/v1"))

    async def test_too_slow(self, client: HttpClient) -> None:
        # A listener whose queue is full drops further connections without a word, as a firewall does.
        with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for filler in (first, second):
                filler.setblocking(False)
                filler.connect_ex(listener.getsockname())
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
            with pytest.raises(ProviderTimeoutError, match=r"within 0.1 s") as raised:
                await client.send(HttpRequest(method="GET", url=url), connect_seconds=0.1)
        assert raised.value.phase == "connect"

    async def test_tls_where_there_is_none(self, client: HttpClient) -> None:
        async with raw_server(b"HTTP/1.1 400 Bad Request\r\n\r\n", until=b"") as url:
            with pytest.raises(ConnectError, match=r"does not speak TLS .* should the endpoint begin with http://\?"):
                await client.send(HttpRequest(method="GET", url=url.replace("http:", "https:")))

    async def test_cancelled_while_connecting(self, client: HttpClient) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            listener.setblocking(False)
            url = f"https://127.0.0.1:{listener.getsockname()[1]}/v1"
            task = asyncio.create_task(client.send(HttpRequest(method="GET", url=url)))
            accepted, _ = await asyncio.get_running_loop().sock_accept(listener)
            with accepted:
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                async with asyncio.timeout(FAST_SECONDS):
                    while await asyncio.get_running_loop().sock_recv(accepted, 65536):
                        pass


class TestBody:
    async def test_bound(self, client: HttpClient) -> None:
        async with ReplayServer(Answer(body=b"x" * 200_000, streamed=True)) as server:
            assert len(await whole(client, server, max_bytes=200_000)) == 200_000
            with pytest.raises(ProtocolError, match="larger than 199999 bytes"):
                await whole(client, server, max_bytes=199_999)
            await asyncio.wait_for(server.disconnected(), FAST_SECONDS)

    async def test_gzip_is_unpacked(self, client: HttpClient) -> None:
        async with ReplayServer(Answer(headers={"content-encoding": "gzip"}, body=gzip.compress(b"hello"))) as server:
            assert await whole(client, server) == b"hello"

    async def test_gzip_bomb(self, client: HttpClient) -> None:
        bomb = zlib.compressobj(9, wbits=31)
        packed = b"".join(bomb.compress(bytes(1_000_000)) for _ in range(200)) + bomb.flush()
        assert len(packed) < 1_000_000
        async with ReplayServer(Answer(headers={"content-encoding": "gzip"}, body=packed)) as server:
            before = resident_bytes()
            with pytest.raises(ProtocolError, match="larger than 1000000 bytes"):
                await whole(client, server)
            assert resident_bytes() - before < 20_000_000

    async def test_an_encoding_that_was_not_asked_for(self, client: HttpClient) -> None:
        async with ReplayServer(Answer(headers={"content-encoding": "gzip"}, body=b"no gzip at all")) as server:
            with pytest.raises(ProtocolError, match="proper HTTP"):
                await whole(client, server)

    @pytest.mark.parametrize("streamed", [True, False])
    async def test_cut(self, client: HttpClient, *, streamed: bool) -> None:
        async with ReplayServer(Answer(body=b"abcdef", streamed=streamed, send_bytes=3, ending="close")) as server:
            with pytest.raises(ConnectionLostError, match="in the middle of the answer, after 3 bytes"):
                await whole(client, server)

    async def test_reset(self, client: HttpClient) -> None:
        async with ReplayServer(Answer(body=b"abcdef", streamed=True, send_bytes=3, ending="reset")) as server:
            with pytest.raises(ConnectionLostError):
                await whole(client, server)

    async def test_without_framing_it_ends_with_the_connection(self, client: HttpClient) -> None:
        async with ReplayServer(Answer(body=b"abc", framed=False)) as server:
            assert await whole(client, server) == b"abc"

    @pytest.mark.parametrize(
        "reply",
        [
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: nine\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000,
        ],
    )
    async def test_what_is_no_http(self, client: HttpClient, reply: bytes) -> None:
        async with raw_server(reply) as url:
            with pytest.raises(ProtocolError, match="proper HTTP"):
                await (await client.send(HttpRequest(method="GET", url=url))).read_body(1000)

    async def test_interim_replies_are_skipped(self, client: HttpClient) -> None:
        async with ReplayServer(Answer(interim_heads=b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3, body=b"ok")) as server:
            assert await whole(client, server) == b"ok"


class TestBadRequest:
    async def test_a_header_that_would_add_another(self, client: HttpClient) -> None:
        async with ReplayServer(Answer()) as server:
            with pytest.raises(InvalidRequestError, match="line break") as raised:
                await client.send(post(server, **{"X-Key": "sk-secret-1\r\nX-Admin: 1"}))
            assert server.requests == []
        assert raised.value.fields[0].path == "headers.'X-Key'"
        assert "sk-secret-1" not in str(raised.value.to_dict())

    @pytest.mark.parametrize("url", ["http://h/a b", "http://h/a\r\nX: 1", "no-url", "http://user:secret-9@h/v1"])
    async def test_a_url_that_would_not_do(self, client: HttpClient, url: str) -> None:
        with pytest.raises(InvalidRequestError) as raised:
            await client.send(HttpRequest(method="GET", url=url))
        assert raised.value.fields[0].path == "endpoint"
        assert "secret-9" not in str(raised.value.to_dict())


class TestShared:
    async def test_one_client_for_all_providers_of_a_loop(self) -> None:
        one, two = Owner(), Owner()
        client = HttpClient.shared(one)
        assert HttpClient.shared(two) is client
        async with ReplayServer(Answer(body=b"a")) as server:
            await whole(client, server)
            await client.leave(one)
            await whole(client, server)
            assert server.connections == 1
            await client.leave(two)
            await asyncio.wait_for(server.disconnected(), FAST_SECONDS)
        another = HttpClient.shared(one)
        assert another is not client
        await another.leave(one)

    def test_a_loop_that_was_closed_without_leaving_keeps_no_socket(self) -> None:
        owners = [Owner(), Owner()]

        async def forget(owner: Owner) -> HttpClient:
            async with ReplayServer(Answer(body=b"a")) as server:
                client = HttpClient.shared(owner)
                await whole(client, server)
                return client

        first = asyncio.run(forget(owners[0]))
        assert first in client_module._clients.values()  # pyright: ignore[reportPrivateUsage]
        second = asyncio.run(forget(owners[1]))
        assert list(client_module._clients.values()) == [second]  # pyright: ignore[reportPrivateUsage]
        for client in (first, second):
            asyncio.run(client.aclose())
        client_module._clients.clear()  # pyright: ignore[reportPrivateUsage]


class Owner:
    pass


class raw_server:  # noqa: N801 - used like a function
    """Sends these bytes to whoever connects, once it has sent something, and closes; or does not even read."""

    def __init__(self, reply: bytes, *, read: bool = True, until: bytes = b"\r\n\r\n") -> None:
        self._reply = reply
        self._until = until
        self._read = read
        self._left = asyncio.Event()

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._left.set()
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._read:
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            await self._left.wait()
        else:
            await (reader.readuntil(self._until) if self._until else reader.read(1))
            writer.write(self._reply)
        writer.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def client_writes(client: HttpClient) -> int:
    """Bytes waiting to be sent on connections in use."""
    waiting = 0
    for protocol in client._connector._acquired:  # pyright: ignore[reportPrivateUsage]
        transport = getattr(protocol, "transport", None)
        waiting += transport.get_write_buffer_size() if transport is not None else 0
    return waiting


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not reached():  # noqa: ASYNC110 - what is waited for has no event: it is the client's own state
            await asyncio.sleep(0)
