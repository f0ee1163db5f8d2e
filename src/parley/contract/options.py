"""What a caller may ask of a model, in one vocabulary for all vendors. Knows no wire names and sets no defaults: None means not asked."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from msgspec import Struct, field

ReasoningEffort: TypeAlias = Literal["none", "minimal", "low", "medium", "high"]


class Tool(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A function the model may call. `parameters` is a JSON Schema object."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})
    strict: bool | None = None


class NamedToolChoice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model must call this tool."""

    name: str


class SchemaFormat(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The reply must be JSON that fits this JSON Schema."""

    name: str
    schema: dict[str, Any]
    strict: bool = True


class Timeouts(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Limits in seconds; None leaves the next outer setting (request, then route, model, provider, default) in force."""

    connect: float | None = None
    first_token: float | None = None
    idle: float | None = None
    total: float | None = None


class Options(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Everything a request may set. 0 is a value; None is "not asked". `timeout` as a number of seconds means the total.

    `extra` holds options that one provider declares for itself; they are validated against that declaration.
    """

    model: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    stop: list[str] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    parallel_tool_calls: bool | None = None
    tools: list[Tool] | None = None
    tool_choice: Literal["auto", "none", "required"] | NamedToolChoice | None = None
    response_format: Literal["text", "json"] | SchemaFormat | None = None
    reasoning_effort: ReasoningEffort | None = None
    timeout: Timeouts | float | None = None
    extra: dict[str, Any] = {}

    @property
    def timeouts(self) -> Timeouts:
        """`timeout` in its full form."""
        if isinstance(self.timeout, Timeouts):
            return self.timeout
        return Timeouts(total=self.timeout)
