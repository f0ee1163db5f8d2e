"""Makes a Litestar handler of each row: policy first, then query and body by their types, then the reply's twin. Knows no route."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from functools import partial
from hmac import compare_digest
from types import UnionType
from typing import Any, Final, Protocol, Union, cast, get_args, get_origin, get_type_hints

import msgspec
from litestar import Request, Response, WebSocket
from litestar.exceptions import InternalServerException
from litestar.handlers import HTTPRouteHandler, WebsocketRouteHandler
from msgspec import Struct, structs

from parley.contract.errors import ErrorCode, InvalidRequestError, ParleyError
from parley.server.bodies import read_json, read_query
from parley.server.boundary import header_of, is_loopback, log_unexpected, request_id_of
from parley.server.errors import as_parley_error
from parley.server.policy import Policy, Route, SocketRoute, authorise
from parley.server.sse import EventStream
from parley.server.twins import camel, to_camel
from parley.services.errors import NotFoundError, UnauthenticatedError
from parley.services.principals import Principal
from parley.storage.ids import now_ms

PATH_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
AnyRequest = Request[Any, Any, Any]


class Confirm(Protocol):
    """Raises UnauthenticatedError where a principal proven at that time counts no longer."""

    def __call__(self, principal: Principal, /, *, since_ms: int) -> Awaitable[None]:
        """Look it up."""
        ...


class Signature(Struct, frozen=True, kw_only=True):
    """What a handler declares: the structs of its body, query and replies, and the parameters it takes."""

    parameters: frozenset[str]
    path_parameters: tuple[str, ...]
    body: type[Struct] | None
    query: type[Struct] | None
    replies: tuple[type[Struct], ...]


def signature_of(route: Route) -> Signature:
    """Read from the handler's annotations. Raises TypeError for a parameter that nothing could fill."""
    hints = get_type_hints(route.handler)
    parameters = frozenset(inspect.signature(route.handler).parameters)
    path_parameters = tuple(PATH_PARAMETER.findall(route.path))
    if unfilled := parameters - {"request", "principal", "body", "query", *path_parameters}:
        raise TypeError(f"{route.method} {route.path}: nothing fills the parameter {', '.join(sorted(unfilled))}")
    return Signature(
        parameters=parameters,
        path_parameters=path_parameters,
        body=hints.get("body"),
        query=hints.get("query"),
        replies=_structs(route.reply or hints.get("return")),
    )


def _structs(reply: Any) -> tuple[type[Struct], ...]:
    """The struct types of a reply, of each alternative where it has several."""
    alternatives = get_args(reply) if get_origin(reply) in {Union, UnionType} else (reply,)
    return tuple(kind for kind in alternatives if isinstance(kind, type) and issubclass(kind, Struct))


class Handlers:
    """Turns routes into handlers.

    `authenticate` knows whose a token is, `confirm` whether what was proven at a time (ms) still counts; `metrics_token` opens the
    operator's routes from afar.
    """

    def __init__(self, *, authenticate: Callable[[str], Awaitable[Principal]], confirm: Confirm, metrics_token: str) -> None:
        self._authenticate = authenticate
        self._confirm = confirm
        self._metrics_token = metrics_token

    def handler(self, route: Route) -> HTTPRouteHandler:
        """The handler of one route. A route without a policy is refused here, when the server is built."""
        if not isinstance(route.policy, Policy):  # pyright: ignore[reportUnnecessaryIsInstance] - msgspec does not check constructors
            raise TypeError(f"{route.method} {route.path} has no policy; say who may call it")
        return HTTPRouteHandler(
            PATH_PARAMETER.sub(r"{\1:str}", route.path).replace("{path:str}", "{path:path}"),
            http_method=["GET", "HEAD"] if route.head else route.method,
            # Litestar's own default, of which it demands that it fits the annotation; each reply has a status of its own.
            status_code=200,
            opt={"policy": route.policy},
            request_max_body_size=route.max_body_bytes,
            exception_handlers=_exception_handlers(route),
        )(self._endpoint(route))

    def _endpoint(self, route: Route) -> Callable[[AnyRequest], Awaitable[Response[Any]]]:
        signature = signature_of(route)
        decoder = msgspec.json.Decoder(camel(signature.body, closed=True)) if signature.body else None
        # Where every field may be left out, so may the whole body.
        substitute = b"{}" if signature.body and not any(info.required for info in structs.fields(signature.body)) else b""
        handler, policy, status = route.handler, route.policy, route.status

        async def endpoint(request: AnyRequest) -> Response[Any]:
            principal = await self._admit(request, policy)
            arguments: dict[str, Any] = {name: _path_value(request, name) for name in signature.path_parameters}
            if "principal" in signature.parameters:
                arguments["principal"] = principal
            if "request" in signature.parameters:
                arguments["request"] = request
            if signature.query is not None:
                arguments["query"] = read_query(dict(request.query_params.multi_items()), signature.query)
            if decoder is not None:
                arguments["body"] = read_json(await _body(request) or substitute, decoder)
            reply = _reply(await handler(**arguments), status)
            if isinstance(reply, EventStream) and principal is not None:
                reply.confirm = partial(self._confirm, principal, since_ms=now_ms())
            return reply

        return endpoint

    async def _admit(self, request: AnyRequest, policy: Policy) -> Principal | None:
        if not policy.identified:
            return None
        token = bearer_token(request)
        if "operator" in policy.principals:
            self._admit_operator(request, token)
            return None
        principal = await self._authenticate(token) if token is not None else None
        authorise(policy, principal)
        return principal

    def _admit_operator(self, request: AnyRequest, token: str | None) -> None:
        if is_loopback(request.scope):
            return
        if not self._metrics_token or not compare_digest((token or "").encode(), self._metrics_token.encode()):
            raise UnauthenticatedError("metrics are for the machine itself, or for the bearer of METRICS_TOKEN")


def bearer_token(request: AnyRequest) -> str | None:
    """The token that was sent, as `Authorization: Bearer` or `x-api-key`; None where there is none of either."""
    header = header_of(request.scope, b"authorization")
    if header is None:
        return header_of(request.scope, b"x-api-key")
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise UnauthenticatedError("the header Authorization must be: Bearer, a space, the token")
    return token.strip()


async def _body(request: AnyRequest) -> bytes:
    try:
        return await request.body()
    except InternalServerException as error:  # that is how Litestar says that the client has gone
        raise InvalidRequestError("the body ended before it was whole") from error


def _path_value(request: AnyRequest, name: str) -> str:
    """A parameter from the path. What is no id names nothing, so no repository is asked for it."""
    value = str(request.path_params.get(name, ""))
    if name.endswith("_id") and not is_id(value):
        raise NotFoundError(f"there is no {name.removesuffix('_id').replace('_', ' ')} with this id")
    return value


def is_id(text: str) -> bool:
    """Whether this could be the id of anything."""
    return _ID.fullmatch(text) is not None


def socket_handler(route: SocketRoute) -> WebsocketRouteHandler:
    """The handler of a socket. Its frames are its own; who may send them stands in the row."""
    serve = route.handler

    async def endpoint(socket: WebSocket[Any, Any, Any]) -> None:
        await serve(socket)

    return WebsocketRouteHandler(route.path, opt={"policies": route.policies})(endpoint)


def _reply(value: Any, status: int) -> Response[Any]:
    if isinstance(value, Response):
        return cast("Response[Any]", value)
    if value is None:
        return Response(None, status_code=status)
    return Response(msgspec.json.encode(to_camel(value)), status_code=status, media_type="application/json")


def _exception_handlers(route: Route) -> Any:
    render = route.render_error
    if render is None:
        return {}

    def handle(request: AnyRequest, exception: Exception) -> Response[bytes]:
        error: ParleyError = as_parley_error(exception)
        if error is not exception and error.code == ErrorCode.INTERNAL_ERROR:
            log_unexpected(exception, request_id_of(request.scope))
        return render(request, error)

    return {Exception: handle}
