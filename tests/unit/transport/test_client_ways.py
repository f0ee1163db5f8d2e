"""The client through TLS with an authority of one's own, and through a proxy."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
import traceback
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from parley.contract.errors import ConnectError, ParleyError
from parley.contract.http import HttpRequest
from parley.testing.replay import Answer, ReplayServer
from parley.transport.client import HttpClient
from parley.transport.settings import ConnectionSettings

FAST_SECONDS = 0.1


def post(server: ReplayServer) -> HttpRequest:
    return HttpRequest(method="POST", url=f"{server.url}/talk?a=b", body=b"{}")


class TestTls:
    async def test_an_authority_of_ones_own(self, client: HttpClient, certificate: tuple[Path, Path]) -> None:
        authority, server_file = certificate
        async with ReplayServer(Answer(body=b"safe"), tls=server_tls(server_file)) as server:
            with await client.send(post(server), ConnectionSettings(ca_file=str(authority))) as response:
                assert await response.read_body(100) == b"safe"

    async def test_without_it_the_certificate_is_refused(self, client: HttpClient, certificate: tuple[Path, Path]) -> None:
        async with ReplayServer(Answer(), tls=server_tls(certificate[1])) as server:
            with pytest.raises(ConnectError, match=r"certificate of https://127.0.0.1:\d+ is not trusted .*name its file in ca_file"):
                await client.send(post(server))
            assert server.requests == []

    async def test_closing_does_not_wait_for_goodbye(self, client: HttpClient, certificate: tuple[Path, Path]) -> None:
        authority, server_file = certificate
        async with ReplayServer(Answer(body=b"a", streamed=True, ending="stall"), tls=server_tls(server_file)) as server:
            with await client.send(post(server), ConnectionSettings(ca_file=str(authority))) as response:
                await response.read()
            await asyncio.wait_for(server.disconnected(), FAST_SECONDS)


class TestProxy:
    async def test_plain(self, client: HttpClient) -> None:
        async with ReplayServer(Answer(body=b"ok")) as server, ForwardProxy() as proxy:
            settings = ConnectionSettings(proxy=f"http://us%20er:pass@127.0.0.1:{proxy.port}")
            for _ in range(2):
                with await client.send(post(server), settings) as response:
                    assert await response.read_body(100) == b"ok"
            assert proxy.heads[0].startswith(f"POST {server.url}/talk?a=b HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n")
            assert "Proxy-Authorization: Basic dXMgZXI6cGFzcw==\r\n" in proxy.heads[0]

    async def test_tunnel(self, client: HttpClient, certificate: tuple[Path, Path]) -> None:
        authority, server_file = certificate
        async with ReplayServer(Answer(body=b"ok"), tls=server_tls(server_file)) as server, ForwardProxy() as proxy:
            settings = ConnectionSettings(proxy=f"http://user:pass@127.0.0.1:{proxy.port}", ca_file=str(authority))
            with await client.send(post(server), settings) as response:
                assert await response.read_body(100) == b"ok"
            assert proxy.heads[0].startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n")
            assert "proxy-authorization: basic dxnlcjpwyxnz" in proxy.heads[0].lower()
            assert "proxy-authorization" not in server.requests[0].headers

    async def test_one_that_is_not_there(self, client: HttpClient) -> None:
        async with ReplayServer(Answer()) as server:
            with pytest.raises(ConnectError, match=r"the proxy http://127\.0\.0\.1:1 .*is the proxy right") as raised:
                await client.send(post(server), ConnectionSettings(proxy="http://127.0.0.1:1"))
        assert isinstance(raised.value.__cause__, ConnectionRefusedError)

    async def test_one_that_refuses(self, client: HttpClient) -> None:
        async with ReplayServer(Answer(status=407)) as proxy:
            with pytest.raises(ConnectError, match=r"status 407.*user and password"):
                await client.send(
                    HttpRequest(method="GET", url="https://127.0.0.1:1/v1"), ConnectionSettings(proxy=f"http://127.0.0.1:{proxy.port}")
                )

    @pytest.mark.parametrize("answer", [Answer(status=407), Answer(silent_before_head=True, ending="close")])
    async def test_its_password_is_in_no_cause_or_traceback(self, client: HttpClient, answer: Answer) -> None:
        async with ReplayServer(answer) as proxy:
            settings = ConnectionSettings(proxy=f"http://ann:pa55w0rd@127.0.0.1:{proxy.port}")
            with pytest.raises(ParleyError) as raised:
                await client.send(HttpRequest(method="GET", url="https://127.0.0.1:1/v1"), settings)
        shown = "".join(traceback.format_exception(raised.value))
        error: BaseException | None = raised.value
        while error is not None:
            shown += f"{error!r} {error.args!r} {vars(error)!r}"
            error = error.__cause__ or error.__context__
        assert "pa55w0rd" not in shown


class ForwardProxy:
    """A true proxy of a few lines: reads one head, connects, and passes bytes both ways."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> ForwardProxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        method, target, _ = head.split(" ", 2)
        authority = target if method == "CONNECT" else target.split("/")[2]
        host, _, port = authority.partition(":")
        there, back = await asyncio.open_connection(host, int(port))
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            back.write(head.replace(target, "/" + target.split("/", 3)[3]).encode())
        with suppress(asyncio.CancelledError):  # the test is over; asyncio would report a cancelled handler
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


def server_tls(file: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A throw-away authority, and a server's key and certificate signed by it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command to make a certificate authority")
    folder = tmp_path_factory.mktemp("tls")
    (folder / "san.cnf").write_text("subjectAltName=IP:127.0.0.1\n")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for arguments in (
        ["req", "-x509", *new_key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "1", "-subj", "/CN=Test authority"],
        ["req", *new_key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=127.0.0.1"],
        [
            "x509",
            "-req",
            "-in",
            "server.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "1",
            "-extfile",
            "san.cnf",
            "-out",
            "server.crt",
        ],
    ):
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)
    (folder / "server.pem").write_bytes((folder / "server.key").read_bytes() + (folder / "server.crt").read_bytes())
    return folder / "ca.pem", folder / "server.pem"


class TestPermits:
    async def test_a_forbidden_address_is_sent_nothing_whatever_its_name(self, client: HttpClient) -> None:
        asked: list[tuple[str, int]] = []

        def permits(address: str, port: int) -> bool:
            asked.append((address, port))
            return False

        async with ReplayServer(Answer(body=b"safe")) as server:
            with pytest.raises(ConnectError, match="must not call") as caught:
                await client.send(post(server), ConnectionSettings(permits=permits))
            assert server.requests == []
            assert asked == [("127.0.0.1", urlsplit(server.url).port)]
        assert not caught.value.retryable

    async def test_a_connection_that_another_opened_is_no_way_around(self, client: HttpClient) -> None:
        async with ReplayServer(Answer(body=b"safe"), Answer(body=b"safe")) as server:
            with await client.send(post(server)) as response:
                await response.read_body(100)
            with pytest.raises(ConnectError, match="must not call"):
                await client.send(post(server), ConnectionSettings(permits=lambda _address, _port: False))
            assert len(server.requests) == 1

    async def test_a_permitted_address_is_called(self, client: HttpClient) -> None:
        async with ReplayServer(Answer(body=b"safe")) as server:
            with await client.send(post(server), ConnectionSettings(permits=lambda _address, _port: True)) as response:
                assert await response.read_body(100) == b"safe"
