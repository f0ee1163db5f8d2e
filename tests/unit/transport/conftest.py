"""A tiny wire of the tests' own, so that what fails here is the transport: a line of text is a delta, a line "." is the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import msgspec
import pytest

from parley.contract.capabilities import Capabilities, Model
from parley.contract.config import Config
from parley.contract.errors import ParleyError, ProtocolError, StreamTruncatedError, error_class_for_status
from parley.contract.events import Event, ResponseFinished, ResponseStarted, TextDelta
from parley.contract.http import AuthScheme, HttpRequest, ResponseHead, Target
from parley.contract.messages import Message
from parley.contract.options import Options
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, ResponseWarning
from parley.transport.client import HttpClient
from parley.transport.http_provider import Dialect, HttpProvider

MAX_LINE_BYTES = 1024 * 1024


class LineDecoder:
    def __init__(self, head: ResponseHead) -> None:
        self._head = head
        self._rest = b""
        self._started = False
        self._ended = False

    def feed(self, data: bytes) -> list[Event]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            raise ProtocolError("a line is too long")
        events: list[Event] = []
        if not self._started:
            self._started = True
            events.append(ResponseStarted(request_id=self._head.headers.get("x-request-id")))
        for line in lines:
            if line == b".":
                self._ended = True
                events.append(ResponseFinished(response=ChatResponse(finish_reason="stop")))
            elif line == b"!":
                raise ProtocolError("the provider said !")
            else:
                events.append(TextDelta(line.decode("utf-8", "replace")))
        return events

    def close(self) -> list[Event]:
        if not self._ended:
            raise StreamTruncatedError("the lines ended without a dot")
        return []


class LineCodec:
    name = "lines"
    capabilities = Capabilities(streaming=True, images=False)
    auth_scheme = AuthScheme()

    def encode(self, request: ChatRequest, *, target: Target, stream: bool) -> HttpRequest:
        body = {"model": target.model, "stream": stream, "text": request.messages[0].text}
        warnings = [ResponseWarning(code="dropped", message="seed was dropped")] if request.options.seed is not None else []
        return HttpRequest(
            method="POST",
            url=f"{target.endpoint}/talk",
            headers={"Content-Type": "application/json"},
            body=msgspec.json.encode(body),
            warnings=warnings,
        )

    def decoder(self, request: ChatRequest, head: ResponseHead) -> LineDecoder:
        return LineDecoder(head)

    def decode_error(self, head: ResponseHead, body: bytes) -> ParleyError:
        return error_class_for_status(head.status)(body.decode("utf-8", "replace") or "empty", status=head.status)


class ListingCodec(LineCodec):
    def encode_list_models(self, *, target: Target) -> HttpRequest:
        return HttpRequest(method="GET", url=f"{target.endpoint}/models")

    def decode_models(self, head: ResponseHead, body: bytes) -> Sequence[Model]:
        if body.startswith(b"<"):
            raise ProtocolError("the provider answered with a web page")
        return [Model(line.decode()) for line in body.split()]


class AcmeConfig(Config):
    model: str = "acme-fast"


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    http_client = HttpClient()
    yield http_client
    await http_client.aclose()


@pytest.fixture
def dialect() -> Dialect:
    return Dialect(name="acme", config=AcmeConfig, wire=LineCodec())


@pytest.fixture
def listing_dialect() -> Dialect:
    return Dialect(name="acme", label="Acme", config=AcmeConfig, wire=ListingCodec())


ProviderFor = Callable[..., HttpProvider]


@pytest.fixture
async def provider_for(dialect: Dialect) -> AsyncIterator[ProviderFor]:
    """Makes configured providers and closes them; takes the fields of a Config, and `dialect` and `name`."""
    made: list[HttpProvider] = []

    def make(endpoint: str, **fields: Any) -> HttpProvider:
        chosen: Dialect = fields.pop("dialect", dialect)
        name = fields.pop("name", None)
        provider = chosen.create(chosen.config(**{"api_key": "sk-test-1234567890", "endpoint": endpoint} | fields), name=name)
        made.append(provider)
        return provider

    yield make
    for provider in made:
        await provider.aclose()


@pytest.fixture
def question() -> Callable[..., ChatRequest]:
    def ask(**options: Any) -> ChatRequest:
        return ChatRequest(messages=[Message(role="user", content="Hi")], options=Options(**options))

    return ask


@pytest.fixture
def text_of() -> Callable[[HttpProvider, ChatRequest], Awaitable[str]]:
    async def collect(provider: HttpProvider, request: ChatRequest) -> str:
        return "".join([event.text async for event in provider.stream(request) if isinstance(event, TextDelta)])

    return collect
