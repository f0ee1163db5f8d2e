"""What a wire is: three pure functions from contract to bytes and back. Knows no client and no clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from parley.contract.capabilities import Capabilities, Model
from parley.contract.embeddings import EmbeddingRequest, Embeddings
from parley.contract.errors import ParleyError
from parley.contract.events import Event
from parley.contract.http import AuthScheme, HttpRequest, ResponseHead, Target
from parley.contract.request import ChatRequest


class Decoder(Protocol):
    """Reads one reply, in pieces of any size. Made anew for each reply; not shared between tasks."""

    def feed(self, data: bytes) -> list[Event]:
        """Take more bytes; give the events they complete. No bytes give no events, but raise an error that was held back behind some.

        Raises the typed error that an error event stands for, or ProtocolError.
        """
        ...

    def close(self) -> list[Event]:
        """The bytes are over: give the last events, ResponseFinished among them unless `feed` gave it already.

        Raises StreamTruncatedError where the wire's own end is missing.
        """
        ...


@runtime_checkable
class KnowsWhole(Protocol):
    """A decoder that says when the answer is whole and only counts may still come: a server that then keeps the line open without the
    wire's end marker is not waited for.
    """

    @property
    def whole(self) -> bool:
        """Whether the reason why the model stopped has come."""
        ...


class Codec(Protocol):
    """A wire format. Pure: no I/O, no waiting, no state between calls."""

    name: str
    """The wire's name, as in `provider_data.wire`: "openai_chat"."""
    capabilities: Capabilities
    """What the wire itself can or cannot say; providers and models refine it."""
    auth_scheme: AuthScheme
    """How the vendor's key travels on this wire."""

    def encode(self, request: ChatRequest, *, target: Target, stream: bool) -> HttpRequest:
        """The request as HTTP. Raises CallerError for what this wire cannot express."""
        ...

    def decoder(self, request: ChatRequest, head: ResponseHead) -> Decoder:
        """A decoder for a 2xx reply: SSE, JSON lines or whole JSON, as its head says."""
        ...

    def decode_error(self, head: ResponseHead, body: bytes) -> ParleyError:
        """The typed error that a reply stands for: any status, JSON of any shape, HTML, or nothing."""
        ...


@runtime_checkable
class Embeds(Protocol):
    """A codec whose vendor makes embeddings of texts."""

    def max_embedding_texts(self, model: str) -> int:
        """How many texts one request to this model may hold; 0 = any number."""
        ...

    def encode_embeddings(self, request: EmbeddingRequest, *, target: Target) -> HttpRequest:
        """The request for the vectors of all its texts. Raises CallerError for what this wire cannot express."""
        ...

    def decode_embeddings(self, request: EmbeddingRequest, head: ResponseHead, body: bytes) -> Embeddings:
        """The vectors, one per text of the request and in its order, with the usage that was reported.

        Raises ProtocolError for a body that holds no such thing, or the typed error that it stands for.
        """
        ...


@runtime_checkable
class ListsModels(Protocol):
    """A codec that can ask for the list of models."""

    def encode_list_models(self, *, target: Target) -> HttpRequest:
        """The request for the list."""
        ...

    def decode_models(self, head: ResponseHead, body: bytes) -> Sequence[Model]:
        """The models listed. Raises ProtocolError for a body that is no such list."""
        ...


@runtime_checkable
class CountsTokens(Protocol):
    """A codec whose vendor counts a prompt's tokens without answering it."""

    def encode_count_tokens(self, request: ChatRequest, *, target: Target) -> HttpRequest:
        """The request for the count. Raises CallerError for what this wire cannot express."""
        ...

    def decode_token_count(self, head: ResponseHead, body: bytes) -> int:
        """The count. Raises ProtocolError for a body that holds none."""
        ...


@runtime_checkable
class ChoosesCodec(Protocol):
    """A codec that stands for several, one for each model."""

    def of(self, model: str) -> Codec:
        """The codec of this model."""
        ...


class Auth(Protocol):
    """Puts credentials on a request: on each attempt, over the final bytes and URL (a signature, a fresh OAuth token)."""

    async def apply(self, request: HttpRequest) -> HttpRequest:
        """The same request with its credentials."""
        ...
