"""What a provider is to its author: a name, and `stream` or `generate`. The guard makes the rest of it true."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

from parley.contract.capabilities import Capabilities, ExtraOption, Limits, Model
from parley.contract.config import Config
from parley.contract.embeddings import EmbeddingRequest, Embeddings
from parley.contract.errors import UnsupportedFeatureError
from parley.contract.events import Event
from parley.contract.options import Timeouts
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, ConnectionStatus

CONTRACT_VERSION = 1
"""The newest version that this Parley knows."""
FIRST_CONTRACT_VERSION = 1
"""What a provider that says nothing is written for; it stays 1 when CONTRACT_VERSION grows."""


class Provider:
    """Derive from this and write `stream` or `generate`; the other is derived. Only `name` must be set.

    `stream` yields events (or plain strings, which are text); `generate` returns a ChatResponse (or a string).
    Raise the errors of `parley.contract.errors`; anything else becomes ProtocolError. One instance serves concurrent calls.
    `local` marks an inference server on this machine (its timers are longer). `extra_options` declares what `options.extra` may
    hold; None hands everything over unchecked. Of `embedding_models` the first is used where a request for embeddings names none.
    """

    name: str = ""
    label: str = ""
    description: str = ""
    capabilities: Capabilities = Capabilities()
    models: Sequence[Model] = ()
    embedding_models: Sequence[Model] = ()
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    extra_options: Sequence[ExtraOption] | None = ()
    docs_url: str = ""
    local: bool = False
    contract_version: int = FIRST_CONTRACT_VERSION
    config_type: ClassVar[type[Config]] = Config

    def __init__(self, config: Config | None = None) -> None:
        self.config = config

    def stream(self, request: ChatRequest) -> AsyncIterator[Event | str]:
        """The answer as events, in order. Cancelling the consumer must close whatever the answer comes from."""
        raise UnsupportedFeatureError(f"{self.name} does not stream", provider=self.name)

    async def generate(self, request: ChatRequest) -> ChatResponse | str:
        """The answer, whole."""
        raise UnsupportedFeatureError(f"{self.name} does not generate", provider=self.name)

    async def test_connection(self) -> ConnectionStatus:
        """Whether the provider can be reached and accepts the configuration."""
        raise UnsupportedFeatureError(f"{self.name} has no connection test", provider=self.name)

    async def list_models(self) -> Sequence[Model]:
        """The models on offer now."""
        raise UnsupportedFeatureError(f"{self.name} does not list its models", provider=self.name)

    async def embed(self, texts: Sequence[str], options: dict[str, Any] | None = None) -> list[list[float]]:
        """One vector per text, in order. `options` are the fields of EmbeddingOptions that were set."""
        raise UnsupportedFeatureError(f"{self.name} makes no embeddings", provider=self.name)

    async def embeddings(self, request: EmbeddingRequest) -> Embeddings:
        """The same in the typed form, with usage; written instead of `embed` where there is more to tell than the vectors."""
        raise UnsupportedFeatureError(f"{self.name} makes no embeddings", provider=self.name)

    def max_embedding_texts(self, model: str) -> int:
        """How many texts one call may hold; 0 = any number. The guard makes as many calls as it takes."""
        return 0

    async def count_tokens(self, request: ChatRequest) -> int:
        """How many prompt tokens the request has, as the vendor counts."""
        raise UnsupportedFeatureError(f"{self.name} does not count tokens", provider=self.name)

    def wire_of(self, model: str) -> str:
        """The name of the wire that is spoken with this model; empty where there is none, or nobody else's."""
        return ""

    async def aclose(self) -> None:
        """Give back what the provider holds. Called once; does nothing by default."""
