"""Texts as vectors: what a caller asks for, and what comes back. Knows no wire and no vendor's names."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from msgspec import Struct, field

from parley.contract.options import Timeouts
from parley.contract.response import ResponseWarning
from parley.contract.usage import Usage

EmbeddingPurpose: TypeAlias = Literal["query", "document", "similarity", "classification", "clustering"]
"""What the vectors are for. Vendors that know it make other vectors of a question than of the texts that are searched."""


class EmbeddingOptions(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a caller may ask of an embedding model; None is "not asked".

    `dimensions` is the length of each vector, for models that can shorten theirs. `timeout` is in seconds, as for chats. `extra` holds
    further fields of the vendor's own request, which go up as they are.
    """

    model: str | None = None
    dimensions: int | None = None
    purpose: EmbeddingPurpose | None = None
    timeout: Timeouts | float | None = None
    extra: dict[str, Any] = {}

    @property
    def timeouts(self) -> Timeouts:
        """`timeout` in its full form."""
        return self.timeout if isinstance(self.timeout, Timeouts) else Timeouts(total=self.timeout)


class EmbeddingRequest(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The texts, at least one, and options. `user_id` is opaque. `strict_options` refuses what would else be dropped with a warning."""

    texts: list[str]
    options: EmbeddingOptions = field(default_factory=EmbeddingOptions)
    user_id: str | None = None
    strict_options: bool = False


class Embeddings(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One vector per text, in the texts' order. `model` is the vendor's own word for what made them.

    `usage` counts the texts' tokens; None only where a provider's author left it to be estimated.
    """

    vectors: list[list[float]]
    usage: Usage | None = None
    model: str = ""
    provider: str = ""
    request_id: str | None = None
    warnings: list[ResponseWarning] = []
