"""What a provider or model can do: yes, no, or not known; its models and its limits. Knows nobody's name."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from msgspec import Struct

StructuredOutput: TypeAlias = Literal["native", "tool", "prompt"]


class Capabilities(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """True yes, False no, None unknown. What is unknown is sent; what is known to be missing is refused or dropped.

    `structured_output` says how a schema is enforced: by the vendor ("native"), by a forced tool call, or by the prompt.
    """

    streaming: bool | None = None
    tools: bool | None = None
    tool_choice: bool | None = None
    parallel_tool_calls: bool | None = None
    response_format: bool | None = None
    structured_output: StructuredOutput | None = None
    images: bool | None = None
    image_urls: bool | None = None
    files: bool | None = None
    stop: bool | None = None
    reasoning: bool | None = None
    reasoning_effort: bool | None = None
    temperature: bool | None = None
    top_p: bool | None = None
    top_k: bool | None = None
    max_tokens: bool | None = None
    seed: bool | None = None
    frequency_penalty: bool | None = None
    presence_penalty: bool | None = None
    cache_markers: bool | None = None
    citations: bool | None = None
    usage: bool | None = None
    list_models: bool | None = None
    embeddings: bool | None = None
    count_tokens: bool | None = None

    def over(self, general: Capabilities) -> Capabilities:
        """These, with what they leave unknown taken from `general` (model over provider over wire)."""
        return Capabilities(
            **{
                name: getattr(general, name) if getattr(self, name) is None else getattr(self, name)
                for name in Capabilities.__struct_fields__
            }
        )


class Model(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A model that a provider offers. `context_tokens` 0 = unknown. `capabilities` only where they differ from the provider's."""

    id: str
    label: str = ""
    description: str = ""
    context_tokens: int = 0
    capabilities: Capabilities = Capabilities()


class ExtraOption(Struct, frozen=True, kw_only=True):
    """An option that only this provider knows, given in `options.extra` and validated against `type` (any type msgspec can convert to).

    `api` names the one of the vendor's wires that takes it, where it speaks several; empty: all of them.
    """

    name: str
    type: Any = Any
    description: str = ""
    api: str = ""


class Limits(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How much a provider accepts. 0 = no limit known."""

    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    requests_per_day: int = 0
    tokens_per_day: int = 0
    concurrency: int = 0
