"""The one file that knows the HTTP library (aiohttp). Sends requests and reads replies as bytes; knows no vendor, wire or retry policy.

Of aiohttp it takes the pool, DNS, TLS, proxies and the parser. The head of a request is written here and connections are handed back
here: `ClientSession.request` costs as much again as the rest of a call, and hides whether a connection was reused.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from time import perf_counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from weakref import WeakSet

from aiohttp import (
    ClientConnectorDNSError,
    ClientError,
    ClientHttpProxyError,
    ClientOSError,
    ClientPayloadError,
    ClientProxyConnectionError,
    ClientRequest,
    ClientTimeout,
    ServerDisconnectedError,
    StreamReader,
    TCPConnector,
)
from aiohttp.http_exceptions import HttpProcessingError
from msgspec import Struct
from yarl import URL

from parley.contract.errors import FieldProblem, InvalidRequestError, ParleyError
from parley.contract.http import HttpRequest
from parley.telemetry import content_is_logged, get_logger
from parley.transport import errors
from parley.transport.settings import ConnectionSettings, Permits, header_lines, tls_context, url_problem

if TYPE_CHECKING:
    from types import TracebackType

    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.http_parser import RawResponseMessage

READ_BUFFER_BYTES = 64 * 1024
MAX_HEADER_BYTES = 64 * 1024
KEEP_ALIVE_SECONDS = 30.0
"""An idle connection is kept this long: less than the usual minute of load balancers; one that they close earlier is noticed."""
MAX_BYTES_AT_A_TIME = 1024 * 1024
"""So much of a body is read before other streams have their turn, even where more has come."""
LINGER_SECONDS = 1.0
"""A finished reply may take this long to end its transfer, so that its connection can be used again."""

_MAX_ROUTES = 1024
_MAX_LOGGED_BODY_BYTES = 16 * 1024
_DIRECT = ConnectionSettings()

_log = get_logger(__name__)


class _Route(Struct, frozen=True):
    """What all requests to one URL share. `pool_key` stands for them towards aiohttp's pool, which reads nothing else of it."""

    pool_key: ClientRequest
    target: str
    fixed_headers: str
    place: str
    proxy_place: str
    permits: Permits | None


class _Exchange(Struct, frozen=True):
    """What the log says of one request besides its answer. `started` is on the clock of `perf_counter`."""

    method: str
    url: str
    started: float

    @property
    def milliseconds(self) -> float:
        return (perf_counter() - self.started) * 1000


class HttpClient:
    """The connections of one event loop. Get it with `shared`; give it back with `leave`.

    There are as many connections as open streams; idle ones are kept for KEEP_ALIVE_SECONDS. No cookies, no redirects, nothing
    from the environment, and no time limit but that for connecting.
    """

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._connector = TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS)
        self._routes: dict[tuple[str, ConnectionSettings], _Route] = {}
        self._used: WeakSet[ResponseHandler] = WeakSet()
        self._owners: WeakSet[object] = WeakSet()
        self._lingering: set[HttpResponse] = set()

    @staticmethod
    def shared(owner: object) -> HttpClient:
        """The client of the running loop, made on first use. It lives until its last owner leaves."""
        loop = asyncio.get_running_loop()
        client = _clients.get(loop)
        if client is None:
            for closed in [other for other in list(_clients) if other.is_closed()]:
                del _clients[closed]  # its owners left without a word; their sockets must not stay open for ever
            client = _clients[loop] = HttpClient()
        client._owners.add(owner)
        return client

    async def leave(self, owner: object) -> None:
        """This owner needs the client no longer; the last one closes all connections."""
        self._owners.discard(owner)
        if not self._owners and _clients.get(self.loop) is self:
            del _clients[self.loop]
            await self.aclose()

    async def aclose(self) -> None:
        """Close every connection, idle or not."""
        for response in list(self._lingering):
            response.abort()
        await self._connector.close()

    async def send(self, request: HttpRequest, settings: ConnectionSettings = _DIRECT, *, connect_seconds: float = 10.0) -> HttpResponse:
        """Send a request and wait for the head of its reply, which the caller closes (`with`).

        Raises InvalidRequestError (what cannot be sent), ConnectError, ProviderTimeoutError (phase "connect"),
        ConnectionLostError, ProtocolError. Cancelling it closes the connection at once.
        """
        route = self._route(request.url, settings)
        exchange = _Exchange(request.method, request.url, perf_counter())
        _log_request(request)
        try:
            return await self._answered(request, route, exchange, connect_seconds)
        except ParleyError as error:
            _log_failure(exchange, error)
            raise

    async def _answered(self, request: HttpRequest, route: _Route, exchange: _Exchange, connect_seconds: float) -> HttpResponse:
        head = _head(request, route)
        fresh = False
        while True:
            connection, protocol = await self._connect(route, connect_seconds, fresh=fresh)
            reused = protocol in self._used
            try:
                message, content = await _exchange(connection, protocol, head + request.body)
            except (ClientOSError, ServerDisconnectedError) as broken:
                if not reused or _something_came(broken):
                    raise errors.lost_before_answer(broken, place=route.place) from broken
                # The server had closed this idle connection while the request was on its way. Once more, on a new connection.
                fresh = True
            except HttpProcessingError as malformed:
                raise errors.malformed_answer(malformed.message, place=route.place) from malformed
            else:
                self._used.add(protocol)
                return HttpResponse(self, connection, message, content, place=route.place, exchange=exchange)

    async def _connect(self, route: _Route, seconds: float, *, fresh: bool) -> tuple[Connection, ResponseHandler]:
        timeout = ClientTimeout(connect=seconds)
        while True:
            try:
                connection = await self._connector.connect(route.pool_key, traces=[], timeout=timeout)
            except TimeoutError as slow:
                raise errors.connect_timeout(place=route.place, seconds=seconds) from slow
            except (ClientError, OSError) as failure:
                problem, cause = _connect_error(failure, route), _system_error(failure)
                break
            protocol = connection.protocol
            # Bytes that came while the connection was idle would be taken for the answer to our request.
            if protocol is None or (protocol in self._used and (fresh or protocol.should_close)):
                _abort(connection)
                continue
            if route.permits is not None and not _is_permitted(connection, route.permits):
                _abort(connection)
                raise errors.not_permitted(place=route.place)
            return connection, protocol
        # Raised out here, because aiohttp's own errors quote the proxy's URL with its password: they must not stand in a traceback.
        raise problem from cause

    def _route(self, url: str, settings: ConnectionSettings) -> _Route:
        route = self._routes.get((url, settings))
        if route is None:
            if len(self._routes) >= _MAX_ROUTES:
                self._routes.clear()
            route = self._routes[url, settings] = _make_route(url, settings, self.loop)
        return route

    def linger(self, response: HttpResponse) -> None:
        """Keep hold of a response that ends its transfer in the background."""
        self._lingering.add(response)

    def forget(self, response: HttpResponse) -> None:
        """It has ended."""
        self._lingering.discard(response)


_clients: dict[asyncio.AbstractEventLoop, HttpClient] = {}


class HttpResponse:
    """A reply whose head has come. `headers` are in lower case, repeated ones joined by ", ".

    Use it as a context manager: leaving closes the connection, unless the body was read to its end. Then the connection is kept.
    """

    def __init__(
        self,
        client: HttpClient,
        connection: Connection,
        message: RawResponseMessage,
        content: StreamReader,
        *,
        place: str,
        exchange: _Exchange,
    ) -> None:
        self.status = message.code
        self.headers: dict[str, str] = {}
        for name, value in message.headers.items():
            lower = name.lower()
            self.headers[lower] = f"{self.headers[lower]}, {value}" if lower in self.headers else value
        self.place = place
        self._client = client
        self._connection: Connection | None = connection
        self._content = content
        self._exchange = exchange
        self._received_bytes = self._others_served_at = 0
        self._logged_body = bytearray() if _log.debug_enabled and content_is_logged() else None
        self._linger_timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> HttpResponse:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    async def read(self) -> bytes:
        """The bytes that have come, as soon as there are any; b"" at the end.

        Raises ConnectionLostError where the connection broke inside the body, ProtocolError where the body is not what its
        headers say.
        """
        try:
            data = await self._content.readany()
        except (ClientPayloadError, ClientOSError, ServerDisconnectedError, HttpProcessingError) as broken:
            self.abort()
            raise _body_error(broken, self.place, self._received_bytes) from broken
        self._received_bytes += len(data)
        if self._received_bytes > self._others_served_at + MAX_BYTES_AT_A_TIME:
            # What unpacks to a thousand times its size is always there already: without this nobody else would be served.
            self._others_served_at = self._received_bytes
            await asyncio.sleep(0)
        if self._logged_body is not None and len(self._logged_body) < _MAX_LOGGED_BODY_BYTES:
            self._logged_body += data[:_MAX_LOGGED_BODY_BYTES]
        return data

    async def read_body(self, max_bytes: int) -> bytes:
        """The whole body. Raises ProtocolError beyond the bound, which holds for what it is after decompression; else as `read`."""
        chunks: list[bytes] = []
        size = 0
        while chunk := await self.read():
            size += len(chunk)
            if size > max_bytes:
                self.abort()
                raise errors.too_large(place=self.place, max_bytes=max_bytes)
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def close(self) -> None:
        """Give the connection back if the body has ended, else close it."""
        if self._linger_timer is None:
            if self._content.is_eof():
                self._give_back()
            else:
                self.abort()

    def finish(self) -> None:
        """The reply is whole as its wire sees it: let its transfer end in the background, so that the connection can be kept.

        The last chunk often comes in a packet of its own. One that does not come within LINGER_SECONDS is not waited for.
        """
        if self._connection is None or self._content.is_eof():
            self.close()
        else:
            self._linger_timer = self._client.loop.call_later(LINGER_SECONDS, self.abort)
            self._client.linger(self)
            self._content.on_eof(self._give_back)

    def abort(self) -> None:
        """Close the connection at once, whatever is still to be sent or read."""
        connection = self._end()
        if connection is not None:
            _abort(connection)

    def _give_back(self) -> None:
        connection = self._end()
        if connection is not None:
            transport = connection.transport
            if transport is None or transport.get_write_buffer_size():
                _abort(connection)  # answered before the request was all sent: the rest would be read as the next request
            else:
                connection.release()

    def _end(self) -> Connection | None:
        connection, self._connection = self._connection, None
        if self._linger_timer is not None:
            self._linger_timer.cancel()
            self._client.forget(self)
        if connection is not None and _log.debug_enabled:
            _log_reply(self._exchange, self.status, self._received_bytes, self._logged_body)
        return connection


def _make_route(url: str, settings: ConnectionSettings, loop: asyncio.AbstractEventLoop) -> _Route:
    if problem := url_problem(url):
        raise InvalidRequestError(f"the URL of the request {problem}", fields=[FieldProblem(path="endpoint", message=problem)])
    address = URL(url).with_fragment(None)
    if address.user or address.password:
        problem = "holds a user or password; put credentials into api_key, or a header into headers"
        raise InvalidRequestError(f"the URL of the request {problem}", fields=[FieldProblem(path="endpoint", message=problem)])
    proxy = URL(settings.proxy) if settings.proxy else None
    fixed_headers = f"Host: {address.host_port_subcomponent}\r\n"
    target = address.raw_path_qs
    if proxy is not None and address.scheme == "http":
        # Without TLS there is no tunnel: the proxy itself reads the request, which names the whole URL and carries the proxy's password.
        target = str(address)
        if proxy.user is not None:
            credentials = b64encode(f"{proxy.user}:{proxy.password or ''}".encode()).decode("ascii")
            fixed_headers += f"Proxy-Authorization: Basic {credentials}\r\n"
    return _Route(
        pool_key=ClientRequest("POST", address, loop=loop, proxy=proxy, ssl=tls_context(settings.ca_file) if settings.ca_file else True),
        target=target,
        fixed_headers=fixed_headers,
        place=str(address.origin()),
        proxy_place=str(proxy.origin()) if proxy is not None else "",
        permits=settings.permits if proxy is None else None,
    )


def _head(request: HttpRequest, route: _Route) -> bytes:
    length = f"Content-Length: {len(request.body)}\r\n" if request.body or request.method != "GET" else ""
    head = f"{request.method} {route.target} HTTP/1.1\r\n{route.fixed_headers}{header_lines(request.headers)}{length}\r\n"
    return head.encode("latin-1")


async def _exchange(connection: Connection, protocol: ResponseHandler, data: bytes) -> tuple[RawResponseMessage, StreamReader]:
    try:
        transport = protocol.transport
        if transport is None:
            raise ServerDisconnectedError
        protocol.set_response_params(
            read_until_eof=True,
            auto_decompress=True,
            read_bufsize=READ_BUFFER_BYTES,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )
        transport.write(data)
        while True:
            message, content = await protocol.read()
            if message.code >= 200:
                return message, content
            if message.code == 101:
                raise HttpProcessingError(message="switches to another protocol")
    except BaseException:
        _abort(connection)
        raise


def _is_permitted(connection: Connection, permits: Permits) -> bool:
    """Whether requests may go to the address at the other end: a name may mean another one than when it was checked."""
    peer = connection.transport.get_extra_info("peername") if connection.transport is not None else None
    return peer is not None and permits(peer[0], peer[1])


def _abort(connection: Connection) -> None:
    """Unlike a mere close, this neither waits for unsent bytes nor for TLS to say goodbye."""
    if connection.protocol is not None:
        connection.protocol.abort()
    connection.close()


def _something_came(broken: ClientOSError | ServerDisconnectedError) -> bool:
    """Whether part of a head had come: then the server has seen the request, and sending it again could do it twice."""
    return isinstance(broken, ServerDisconnectedError) and not isinstance(broken.message, str)


def _connect_error(failure: ClientError | OSError, route: _Route) -> ParleyError:
    if isinstance(failure, ClientHttpProxyError):
        return errors.proxy_refused(status=failure.status, place=route.place)
    cause = _system_error(failure) or failure
    if not isinstance(cause, OSError):
        cause = OSError(str(failure))
    # With a proxy, the only name that is looked up here is the proxy's own.
    at_proxy = isinstance(failure, ClientProxyConnectionError) or (isinstance(failure, ClientConnectorDNSError) and route.proxy_place != "")
    return errors.connect_error(cause, place=route.proxy_place if at_proxy else route.place, proxy=at_proxy)


def _system_error(failure: ClientError | OSError) -> OSError | None:
    """What the system said, without what the HTTP library made of it."""
    if isinstance(failure.__cause__, OSError):
        return failure.__cause__
    return None if isinstance(failure, ClientError) else failure


def _body_error(broken: Exception, place: str, received_bytes: int) -> ParleyError:
    reason = broken.__cause__ or broken
    if isinstance(reason, HttpProcessingError) and "Not enough data" not in reason.message:
        return errors.malformed_answer(reason.message, place=place)
    return errors.cut_body(place=place, received_bytes=received_bytes)


def _log_request(request: HttpRequest) -> None:
    if _log.debug_enabled:
        body = request.body[:_MAX_LOGGED_BODY_BYTES].decode("utf-8", "replace") if content_is_logged() else None
        headers = ",".join(sorted(name.lower() for name in request.headers))
        _log.debug("http request", method=request.method, url=_shown(request.url), headers=headers, bytes=len(request.body), body=body)


def _log_reply(exchange: _Exchange, status: int, received_bytes: int, logged_body: bytearray | None) -> None:
    body = None if logged_body is None else logged_body.decode("utf-8", "replace")
    url, milliseconds = _shown(exchange.url), exchange.milliseconds
    _log.debug("http reply", method=exchange.method, url=url, status=status, ms=milliseconds, bytes=received_bytes, body=body)


def _log_failure(exchange: _Exchange, error: ParleyError) -> None:
    if _log.debug_enabled:
        url, milliseconds = _shown(exchange.url), exchange.milliseconds
        _log.debug("http failure", method=exchange.method, url=url, ms=milliseconds, error=error)


def _shown(url: str) -> str:
    """The URL without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
