"""A provider made of a wire and a vendor's declaration: encodes, sends, decodes. Knows no vendor, folds nothing and retries nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from time import perf_counter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct, structs

from parley.contract.capabilities import Capabilities, ExtraOption, Limits, Model
from parley.contract.codec import Auth, ChoosesCodec, Codec, CountsTokens, Embeds, ListsModels
from parley.contract.config import Config, config_fields
from parley.contract.embeddings import EmbeddingRequest, Embeddings
from parley.contract.errors import (
    AuthenticationError,
    ConfigurationError,
    ErrorCode,
    FieldProblem,
    InvalidRequestError,
    MissingCredentialError,
    OverloadedError,
    ParleyError,
    Phase,
    ProtocolError,
    RateLimitError,
    RequestRejectedError,
    ServerError,
    UnsupportedFeatureError,
)
from parley.contract.events import Event, ResponseFinished, ResponseStarted, UsageReported, WarningRaised
from parley.contract.http import AuthScheme, HttpRequest, ResponseHead, Target
from parley.contract.messages import Message
from parley.contract.options import Options, Timeouts
from parley.contract.provider import FIRST_CONTRACT_VERSION, Provider
from parley.contract.request import ChatRequest
from parley.contract.response import ConnectionStatus
from parley.telemetry import register_secrets, scrub
from parley.transport import errors
from parley.transport.auth import HeaderAuth, NoAuth
from parley.transport.settings import (
    MAX_COMPLETE_BODY_BYTES,
    MAX_ERROR_BODY_BYTES,
    ConnectionSettings,
    Permits,
    header_problem,
    setting_problems,
    url_problem,
)
from parley.transport.stream_reading import StreamReading

if TYPE_CHECKING:
    from parley.transport.client import HttpClient, HttpResponse

DEFAULT_CONNECT_SECONDS = 10.0
LOCAL_CONNECT_SECONDS = 2.0
TEST_SECONDS = 15.0
"""So long a connection test may take before it says that the provider is silent."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_NO_SUCH_PATH = (404, 405, 501)
_BEFORE_CONTENT = frozenset({ResponseStarted, UsageReported, WarningRaised})


class Dialect(Struct, frozen=True, kw_only=True):
    """A vendor, declared: the wire it speaks and what is its own. The whole of most provider files.

    `auth` says how its key travels where that differs from its wire: an AuthScheme, or what makes an Auth of its Config (`NoAuth`).
    `apis` are further wires that it speaks, each by the value of its Config's field `api` that chooses it. `base_url` makes the
    endpoint of its Config where that takes more than the field `endpoint` (a region, a project, a version).
    `capabilities` and `models` name what is known; what is left out is unknown and is sent; the first of
    `embedding_models` makes embeddings where none is named. `timeouts` differ from the table only
    where the vendor needs it. `extra_options` declares what `options.extra` may hold; None hands everything over.
    """

    name: str
    config: type[Config]
    wire: Codec
    label: str = ""
    description: str = ""
    capabilities: Capabilities = Capabilities()
    models: Sequence[Model] = ()
    embedding_models: Sequence[Model] = ()
    limits: Limits = Limits()
    docs_url: str = ""
    timeouts: Timeouts = Timeouts()
    local: bool = False
    auth: AuthScheme | Callable[[Any], Auth] | None = None
    extra_options: Sequence[ExtraOption] | None = ()
    contract_version: int = FIRST_CONTRACT_VERSION
    apis: Mapping[str, Codec] = {}
    base_url: Callable[[Any], str] | None = None

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            whole = "; ".join(f"{problem.path} {problem.message}" for problem in problems)
            raise ConfigurationError(f"the declaration of the provider {self.name!r} cannot be used: {whole}", fields=problems)

    def _problems(self) -> Iterator[FieldProblem]:
        name: Any = self.name
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            yield FieldProblem(
                path="name", message="must be lower-case letters, digits and -, beginning with a letter, at most 40 characters"
            )
        config: Any = self.config
        if not (isinstance(config, type) and issubclass(config, Config)):
            yield FieldProblem(path="config", message="must be a class derived from Config (the class, not an instance)")
        for path, wire in (("wire", self.wire), *((f"apis[{api!r}]", other) for api, other in self.apis.items())):
            if isinstance(wire, type) or not all(callable(getattr(wire, name, None)) for name in ("encode", "decoder", "decode_error")):
                yield FieldProblem(path=path, message="must be a codec: an instance of one, with its parentheses")
        if self.apis and not any(field.name == "api" for field in config_fields(self.config)):
            yield FieldProblem(path="apis", message="needs a field `api` in the Config, which chooses between them")
        yield from _no_models("models", self.models)
        yield from _no_models("embedding_models", self.embedding_models)
        for field_name, expected in (("capabilities", Capabilities), ("limits", Limits), ("timeouts", Timeouts)):
            if not isinstance(getattr(self, field_name), expected):
                yield FieldProblem(path=field_name, message=f"must be {expected.__name__}(…)")

    def create(self, config: Config, *, name: str | None = None) -> HttpProvider:
        """The provider, configured. `name` is the instance's, where one vendor is configured several times.

        Raises ConfigurationError with every problem of the configuration, named by its variable.
        """
        return HttpProvider(self, config, name=name)

    def wire_for(self, config: Config) -> Codec:
        """The wire that this configuration speaks."""
        return self.apis.get(getattr(config, "api", ""), self.wire)

    def endpoint_for(self, config: Config) -> str:
        """The base URL of this configuration; empty where nothing says it."""
        return self.base_url(config) if self.base_url is not None else config.endpoint

    def extra_options_for(self, config: Config) -> Sequence[ExtraOption] | None:
        """What `options.extra` may hold on the wire that this configuration speaks."""
        if self.extra_options is None:
            return None
        api = getattr(config, "api", "")
        return [option for option in self.extra_options if option.api in {"", api}]

    def auth_for(self, config: Config) -> Auth:
        """How requests of this configuration carry their credentials."""
        if self.auth is None or isinstance(self.auth, AuthScheme):
            return HeaderAuth(self.auth or self.wire_for(config).auth_scheme, config.api_key) if config.api_key else NoAuth()
        return self.auth(config)

    def key_is_required(self) -> bool:
        """Whether a request without a key is refused before it is sent."""
        travels_in_header = self.auth is None or isinstance(self.auth, AuthScheme)
        return travels_in_header and any(field.name == "api_key" and field.required for field in config_fields(self.config))


def _no_models(path: str, models: Sequence[Any]) -> Iterator[FieldProblem]:
    for index, model in enumerate(models):
        if not isinstance(model, Model):
            yield FieldProblem(path=f"{path}[{index}]", message=f"must be a Model, not {type(model).__name__}")


class HttpProvider(Provider):
    """One configured vendor over HTTP. It has no state but its configuration and serves concurrent calls, on one event loop at a time.

    Errors leave it with provider, model and phase filled in. Its capabilities are the declared ones over the wire's.
    """

    def __init__(self, dialect: Dialect, config: Config, *, name: str | None = None) -> None:
        super().__init__(config)
        self.name = name or dialect.name
        self.label = dialect.label or self.name
        self.description = dialect.description
        self.models = dialect.models
        self.embedding_models = dialect.embedding_models
        self.limits = dialect.limits
        self.timeouts = dialect.timeouts
        self.extra_options = dialect.extra_options_for(config)
        self.docs_url = dialect.docs_url
        self.local = dialect.local
        self.contract_version = dialect.contract_version
        self.dialect = dialect
        self.wire = dialect.wire_for(config)
        self.capabilities = dialect.capabilities.over(self.wire.capabilities)
        self._configured = config
        self._settings = ConnectionSettings(proxy=config.proxy, ca_file=config.ca_file)
        self._endpoint = dialect.endpoint_for(config).rstrip("/")
        self._check()
        register_secrets(_secrets(config))
        self._auth = dialect.auth_for(config)
        self._key_is_missing = not config.api_key and dialect.key_is_required()
        self._targets: dict[str, Target] = {}
        self._client: HttpClient | None = None

    def __repr__(self) -> str:
        return f"HttpProvider({self.name!r}, endpoint={scrub(self._endpoint)!r})"

    async def stream(self, request: ChatRequest) -> AsyncIterator[Event]:
        """The answer, event by event. The connection is closed when the consumer stops."""
        async with aclosing(self.stream_batches(request)) as batches:
            async for batch in batches:
                for event in batch:
                    yield event

    async def stream_batches(self, request: ChatRequest) -> AsyncGenerator[list[Event], None]:
        """The same events as `stream`, as many at a time as arrived together.

        Raises CallerError before I/O, TransportError, and whatever typed error the reply stands for.
        """
        target = self._target(request)
        phase: Phase = "first_token"
        try:
            http_request = self.wire.encode(request, target=target, stream=True)
            with await self._send(http_request, request, accept_encoding="identity") as response:
                head = await self._head(response, target)
                warnings = _warnings(http_request)
                if warnings:
                    yield warnings
                decoder = self.wire.decoder(request, head)
                reading = StreamReading(response, decoder)
                while data := await reading.next():
                    events = decoder.feed(data)
                    if events:
                        if phase == "first_token" and not all(type(event) in _BEFORE_CONTENT for event in events):
                            phase = "streaming"
                        if isinstance(events[-1], ResponseFinished):
                            response.finish()
                            yield events
                            return
                        yield events
                        decoder.feed(b"")  # raises the error that came behind these events in the same piece
                yield decoder.close()
        except ParleyError as error:
            _complete(error, target, phase)
            raise

    async def complete_events(self, request: ChatRequest) -> list[Event]:
        """The answer to a call that does not stream, as the same events that a stream would have brought. Raises as `stream_batches`."""
        target = self._target(request)
        try:
            http_request = self.wire.encode(request, target=target, stream=False)
            with await self._send(http_request, request) as response:
                head = await self._head(response, target)
                body = await response.read_body(MAX_COMPLETE_BODY_BYTES)
            decoder = self.wire.decoder(request, head)
            return _warnings(http_request) + decoder.feed(body) + decoder.close()
        except ParleyError as error:
            _complete(error, target, "complete")
            raise

    async def list_models(self) -> Sequence[Model]:
        """The models that the vendor lists now. Raises UnsupportedFeatureError where its wire has no such list, else as a call does."""
        wire = self.wire
        if not isinstance(wire, ListsModels) or self.capabilities.list_models is False:
            raise UnsupportedFeatureError(f"{self.name} does not list its models", provider=self.name)
        target = self._target_for("")
        try:
            with await self._send(wire.encode_list_models(target=target), None) as response:
                head = await self._head(response, target)
                if response.headers.get("content-type", "").startswith("text/event-stream"):
                    raise ProtocolError(f"{self.name} answered with an event stream where its list of models was asked for")
                return wire.decode_models(head, await response.read_body(MAX_COMPLETE_BODY_BYTES))
        except ParleyError as error:
            _complete(error, target, "complete")
            raise

    async def embeddings(self, request: EmbeddingRequest) -> Embeddings:
        """The vectors of as many texts as one request holds. Raises UnsupportedFeatureError where its wire makes none, else as a call."""
        target = self._target(request)
        wire = self._codec(target.model)
        if not isinstance(wire, Embeds) or self.capabilities.embeddings is False:
            raise UnsupportedFeatureError(f"{self.name} makes no embeddings", provider=self.name)
        try:
            http_request = wire.encode_embeddings(request, target=target)
            with await self._send(http_request, request) as response:
                head = await self._head(response, target)
                body = await response.read_body(MAX_COMPLETE_BODY_BYTES)
            found = wire.decode_embeddings(request, head, body)
        except ParleyError as error:
            _complete(error, target, "complete")
            raise
        return structs.replace(
            found, provider=self.name, model=found.model or target.model, warnings=[*http_request.warnings, *found.warnings]
        )

    def max_embedding_texts(self, model: str) -> int:
        """How many texts one request to this model may hold; 0 = any number."""
        wire = self._codec(model)
        return wire.max_embedding_texts(model) if isinstance(wire, Embeds) else 0

    async def count_tokens(self, request: ChatRequest) -> int:
        """The prompt's tokens as the vendor counts. Raises UnsupportedFeatureError where its wire has no such call, else as a call does."""
        target = self._target(request)
        wire = self._codec(target.model)
        if not isinstance(wire, CountsTokens) or self.capabilities.count_tokens is False:
            raise UnsupportedFeatureError(f"{self.name} does not count tokens", provider=self.name)
        try:
            with await self._send(wire.encode_count_tokens(request, target=target), request) as response:
                head = await self._head(response, target)
                return wire.decode_token_count(head, await response.read_body(MAX_COMPLETE_BODY_BYTES))
        except ParleyError as error:
            _complete(error, target, "complete")
            raise

    def wire_of(self, model: str) -> str:
        """The name of the wire that is spoken with this model."""
        return self._codec(model).name

    def _codec(self, model: str) -> Codec:
        return self.wire.of(model) if isinstance(self.wire, ChoosesCodec) else self.wire

    async def test_connection(self) -> ConnectionStatus:
        """Ask for the list of models; where the endpoint has none, for one token. Never raises for the provider's fault."""
        started = perf_counter()
        try:
            async with asyncio.timeout(TEST_SECONDS):
                try:
                    await self.list_models()
                except UnsupportedFeatureError:
                    await self._ask_for_one_token()
                except RequestRejectedError as error:
                    if error.status not in {404, 405, 501}:
                        raise
                    await self._ask_for_one_token()
        except ParleyError as error:
            return ConnectionStatus(success=False, provider=self.name, error=scrub(self._advice(error)))
        except TimeoutError:
            place = urlsplit(self._endpoint).netloc
            return ConnectionStatus(
                success=False,
                provider=self.name,
                error=f"{place} accepted the connection and did not answer within {TEST_SECONDS:g} s",
            )
        return ConnectionStatus(success=True, provider=self.name, latency_ms=round((perf_counter() - started) * 1000, 1))

    async def aclose(self) -> None:
        """Give up this provider's share of the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.leave(self)

    def restrict(self, permits: Permits) -> None:
        """From now on connect only to addresses that `permits` allows: somebody else than the operator chose the endpoint."""
        self._settings = structs.replace(self._settings, permits=permits)

    def variable(self, field_name: str) -> str:
        """The environment variable of a field, as an error message names it: `ACME_API_KEY`."""
        fields = {field.name: field for field in config_fields(type(self._configured))}
        return fields[field_name].environment_variable(self.name) if field_name in fields else field_name

    def _check(self) -> None:
        config = self._configured
        problems = list(setting_problems(self._settings, config.headers))
        if config.api_key and (problem := header_problem("x", config.api_key)):
            problems.append(FieldProblem(path="api_key", message=problem))
        if not self._endpoint:
            problems.append(FieldProblem(path="endpoint", message="is missing; give the base URL with its version prefix"))
        elif problem := url_problem(self._endpoint):
            problems.append(FieldProblem(path="endpoint", message=problem))
        if problems:
            named = [FieldProblem(path=self._path(problem.path), message=problem.message) for problem in problems]
            whole = "; ".join(f"{problem.path} {problem.message}" for problem in named)
            raise ConfigurationError(scrub(f"the configuration of {self.name} cannot be used: {whole}"), provider=self.name, fields=named)

    def _path(self, path: str) -> str:
        field_name, dot, rest = path.partition(".")
        return f"{self.variable(field_name)}{dot}{rest}"

    def _target(self, request: ChatRequest | EmbeddingRequest) -> Target:
        if self._key_is_missing:
            variable = self.variable("api_key")
            raise MissingCredentialError(
                f"{self.name} needs a key; set {variable} or pass api_key",
                provider=self.name,
                fields=[FieldProblem(path=variable, message="is not set")],
            )
        model = request.options.model or self._configured.model
        if not model:
            raise InvalidRequestError(
                f"no model was named for {self.name}; name one (-m, options.model) or set {self.variable('model')}",
                provider=self.name,
                fields=[FieldProblem(path="options.model", message="is missing")],
            )
        return self._target_for(model)

    def _target_for(self, model: str) -> Target:
        target = self._targets.get(model)
        if target is None:
            own = next((known.capabilities for known in self.models if known.id == model), Capabilities())
            target = Target(provider=self.name, model=model, endpoint=self._endpoint, capabilities=own.over(self.capabilities))
            if len(self._targets) < 1000:  # model ids come from callers
                self._targets[model] = target
        return target

    async def _send(
        self, http_request: HttpRequest, request: ChatRequest | EmbeddingRequest | None, *, accept_encoding: str = "gzip, deflate"
    ) -> HttpResponse:
        authorised = await self._authorised(http_request, request)
        headers = _merged({"user-agent": "parley", "accept-encoding": accept_encoding}, authorised.headers, self._configured.headers)
        ready = HttpRequest(method=authorised.method, url=authorised.url, headers=headers, body=authorised.body)
        client = self._client
        if client is None or client.loop is not asyncio.get_running_loop():
            from parley.transport.client import HttpClient

            client = self._client = HttpClient.shared(self)
        return await client.send(ready, self._settings, connect_seconds=self._connect_seconds(request))

    async def _authorised(self, http_request: HttpRequest, request: ChatRequest | EmbeddingRequest | None) -> HttpRequest:
        """The request with its credentials. Override it where a server must be made to answer first."""
        return await self._auth.apply(http_request)

    def _connect_seconds(self, request: ChatRequest | EmbeddingRequest | None) -> float:
        asked = request.options.timeout if request is not None else None
        for timeouts in (asked, self._configured.timeouts, self.timeouts):
            if isinstance(timeouts, Timeouts) and timeouts.connect is not None:
                return timeouts.connect
        return LOCAL_CONNECT_SECONDS if self.local else DEFAULT_CONNECT_SECONDS

    async def _head(self, response: HttpResponse, target: Target) -> ResponseHead:
        """The head of a reply that is worth decoding. Raises what any other reply stands for."""
        head = ResponseHead(status=response.status, headers=response.headers, provider=target.provider, model=target.model)
        if 200 <= response.status < 300:
            return head
        if 300 <= response.status < 400:
            location = urlsplit(response.headers.get("location", "")).hostname or ""
            raise errors.redirected(place=response.place, status=response.status, location=location)
        error = self.wire.decode_error(head, await response.read_body(MAX_ERROR_BODY_BYTES))
        if response.status in _NO_SUCH_PATH and target.model not in error.message:
            error.message += self._other_api()
        raise error

    def _other_api(self) -> str:
        """That the server may speak another of the dialect's wires; said of servers that are not the vendor's own alone."""
        own = next((field.default for field in config_fields(self.dialect.config) if field.name == "endpoint"), "")
        others = [api for api, wire in self.dialect.apis.items() if wire is not self.wire]
        if not others or self.wire is not self.dialect.wire or ((not own or self._endpoint == own.rstrip("/")) and not self.local):
            return ""
        return f"; where this server knows no {self.wire.name}, set {self.variable('api')}={others[0]}"

    async def _ask_for_one_token(self) -> None:
        request = ChatRequest(messages=[Message(role="user", content="Hi")], options=Options(max_tokens=1))
        await self.complete_events(request)

    def _advice(self, error: ParleyError) -> str:
        if isinstance(error, MissingCredentialError):
            return error.message
        if isinstance(error, AuthenticationError):
            return f"{self.label} does not accept the key; check it, or set another ({self.variable('api_key')}): {error.message}"
        if error.code == ErrorCode.PROVIDER_PROTOCOL or error.status in {404, 405}:
            place = f"{self.variable('endpoint')} ({self._endpoint})"
            return f"{error.message}: {place}" if "endpoint" in error.message else f"{error.message}; check {place}"
        if isinstance(error, RateLimitError | OverloadedError | ServerError):
            return f"{error.message.rstrip('.')}; the vendor is the one to act: try again later"
        return error.message


def _complete(error: ParleyError, target: Target, phase: Phase) -> None:
    error.provider = error.provider or target.provider
    error.model = error.model or target.model or None
    error.phase = error.phase or phase
    error.message = scrub(error.message)
    error.args = (error.message,)


def _secrets(config: Config) -> Iterator[str]:
    # A local server that wants no key is often given a mere word for one, which must stay readable in messages.
    word = config.api_key if config.api_key.isalpha() and len(config.api_key) < 8 else ""
    yield from (secret for secret in config.secrets() if secret not in {config.proxy, word})
    password = urlsplit(config.proxy).password
    if password:
        yield config.proxy
        yield unquote(password)


def _merged(*headers: Mapping[str, str]) -> dict[str, str]:
    """One header of each name; the later one wins."""
    return {name.lower(): value for some in headers for name, value in some.items()}


def _warnings(request: HttpRequest) -> list[Event]:
    return [WarningRaised(warning=warning) for warning in request.warnings]
