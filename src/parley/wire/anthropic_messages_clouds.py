"""Anthropic's Messages wire as the clouds host it: Amazon Bedrock's invocation, Google's Vertex AI. Knows no signature and no token.

https://platform.claude.com/docs/en/build-with-claude/claude-on-amazon-bedrock, …/claude-on-vertex-ai (read 2026-11-25); recordings of
2024 to 2026.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from msgspec import structs

from parley.contract.codec import Decoder
from parley.contract.errors import ParleyError, ProtocolError, UnsupportedFeatureError
from parley.contract.events import Event
from parley.contract.http import HttpRequest, ResponseHead, Target
from parley.contract.request import ChatRequest
from parley.wire.anthropic_messages import AnthropicMessages
from parley.wire.bedrock_converse_reply import converse_error, decode_converse_error
from parley.wire.eventstream import EventStreamParser, StreamMessage
from parley.wire.json_events import decode_object
from parley.wire.json_values import first_text, text_of

BEDROCK_VERSION = "bedrock-2023-05-31"
VERTEX_VERSION = "vertex-2023-10-16"


class _Hosted(AnthropicMessages):
    """The model stands in the address, the version in the body; lists of models are the cloud's matter."""

    capabilities = structs.replace(AnthropicMessages.capabilities, count_tokens=False)
    _version = ""

    def headers(self, betas: Sequence[str]) -> Mapping[str, str]:
        """The headers: version and betas travel in the body here."""
        return {"content-type": "application/json"}

    def body(self, fields: dict[str, Any], *, stream: bool, betas: Sequence[str]) -> dict[str, Any]:
        """The body without the model."""
        named = {"anthropic_version": self._version, **({"anthropic_beta": list(betas)} if betas else {})}
        return named | {name: value for name, value in fields.items() if name != "model"}

    def encode_list_models(self, *, target: Target) -> HttpRequest:
        """There is no such list."""
        raise UnsupportedFeatureError(f"{target.provider} does not list its models", provider=target.provider)

    def encode_count_tokens(self, request: ChatRequest, *, target: Target) -> HttpRequest:
        """The clouds count at other addresses, in other forms."""
        raise UnsupportedFeatureError(f"{target.provider} does not count tokens", provider=target.provider)


class AnthropicOnBedrock(_Hosted):
    """The codec for Bedrock's `invoke`: its stream is Amazon's binary one, each event holding one of Anthropic's."""

    _version = BEDROCK_VERSION

    def url(self, target: Target, *, stream: bool) -> str:
        """Where a message is asked for."""
        action = "invoke-with-response-stream" if stream else "invoke"
        return f"{target.endpoint.rstrip('/')}/model/{quote(target.model, safe='')}/{action}"

    def decoder(self, request: ChatRequest, head: ResponseHead) -> Decoder:
        """See parley.contract.codec.Codec."""
        return _InvocationDecoder(super().decoder(request, head), head)

    def decode_error(self, head: ResponseHead, body: bytes) -> ParleyError:
        """See parley.contract.codec.Codec."""
        return decode_converse_error(head, body)


class _InvocationDecoder:
    """Takes Anthropic's events out of Amazon's; a document is Anthropic's as it is."""

    def __init__(self, inner: Decoder, head: ResponseHead) -> None:
        self._inner = inner
        self._head = head
        self._binary: EventStreamParser | None = None
        self._began = False
        self._failure: ParleyError | None = None

    def feed(self, data: bytes) -> list[Event]:
        """See parley.contract.codec.Decoder."""
        if self._failure is not None:
            raise self._failure
        if not self._began and data:
            self._began = True
            self._binary = EventStreamParser() if data[:1] == b"\0" else None
        if self._binary is None:
            return self._inner.feed(data)
        events: list[Event] = []
        try:
            for message in self._binary.feed(data):
                events += self._read(message)
        except ParleyError as error:
            # What came before an error is delivered before it is raised.
            if not events:
                raise
            self._failure = error
        return events

    def close(self) -> list[Event]:
        """See parley.contract.codec.Decoder."""
        if self._failure is not None:
            raise self._failure
        return self._inner.close()

    def _read(self, message: StreamMessage) -> list[Event]:
        document = decode_object(message.payload) or {}
        if message.headers.get(":message-type", "event") != "event":
            code = first_text(message.headers.get(":exception-type"), message.headers.get(":error-code"))
            told = first_text(document.get("message"), message.headers.get(":error-message"), f"the provider broke off: {code}")
            raise converse_error(self._head, message=told, code=code)
        try:
            event = base64.b64decode(text_of(document.get("bytes")), validate=True)
        except (binascii.Error, ValueError) as error:
            raise ProtocolError("the provider sent an event that is not valid base64") from error
        return self._inner.feed(b"data: %b\n\n" % event.replace(b"\n", b" ")) if event else []


class AnthropicOnVertex(_Hosted):
    """The codec for Vertex AI's `rawPredict`; its stream is Anthropic's own."""

    _version = VERTEX_VERSION

    def url(self, target: Target, *, stream: bool) -> str:
        """Where a message is asked for."""
        action = "streamRawPredict" if stream else "rawPredict"
        return f"{target.endpoint.rstrip('/')}/publishers/anthropic/models/{quote(target.model, safe='@')}:{action}"

    def body(self, fields: dict[str, Any], *, stream: bool, betas: Sequence[str]) -> dict[str, Any]:
        """The body without the model; that it streams is said here too."""
        return super().body(fields, stream=stream, betas=betas) | ({"stream": True} if stream else {})
