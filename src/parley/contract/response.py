"""One reply, whole: its parts are the truth, text and tool calls are views of them. Knows no wire."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct, field

from parley.contract.messages import Message, Part, ReasoningPart, TextPart, ToolCall
from parley.contract.pricing import Price
from parley.contract.usage import Usage

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter", "cancelled", "interrupted", "error", "unknown"]


class Citation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A source. `start_index`/`end_index` are positions in the reply's text where the vendor gives them, end exclusive."""

    url: str | None = None
    title: str | None = None
    text: str | None = None
    start_index: int | None = None
    end_index: int | None = None


class ResponseWarning(Struct, frozen=True, kw_only=True):
    """Something the caller should know that did not stop the answer. `code` is for programs, `message` for people."""

    code: str
    message: str


class RateLimits(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the vendor's headers say of its limits; resets in seconds from the reply. None = not said."""

    limit_requests: int | None = None
    remaining_requests: int | None = None
    reset_requests_seconds: float | None = None
    limit_tokens: int | None = None
    remaining_tokens: int | None = None
    reset_tokens_seconds: float | None = None


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A try that failed before the answer came: whom, with which error, when, and what it cost where it had begun to answer."""

    provider: str
    model: str
    code: str
    phase: str | None = None
    usage: Usage | None = None
    cost: float | None = None
    seconds: float = 0.0


class Fallback(Struct, frozen=True, kw_only=True):
    """Another target of a route answered than the one that stood first: `asked` and `actual` are provider/model, `reason` is words."""

    asked: str
    actual: str
    reason: str


def _unknown_usage() -> Usage:
    return Usage(prompt_tokens=0, completion_tokens=0, total_tokens=0, source="estimated")


class ChatResponse(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A reply. `parts` in the order the model wrote them; `raw_finish_reason` is the vendor's own word.

    `complete` is False when something was skipped or cut; `cost` is in US dollars, None when unknown (never 0 for unknown), and
    `price` what it was reckoned with (None where the vendor itself said the cost); `id` is the vendor's, else `<provider>-<uuid7>`.
    `cached`: it was given before, to the same request, and costs nothing; `usage` says what it took then.
    `usage` and `cost` are this answer's alone; `attempts` are the tries that failed before it, with theirs.
    """

    parts: list[Part] = []
    usage: Usage = field(default_factory=_unknown_usage)
    id: str = ""
    model: str = ""
    provider: str = ""
    finish_reason: FinishReason = "unknown"
    raw_finish_reason: str | None = None
    citations: list[Citation] = []
    refusal: str | None = None
    warnings: list[ResponseWarning] = []
    complete: bool = True
    request_id: str | None = None
    time_to_first_token_ms: float | None = None
    cost: float | None = None
    price: Price | None = None
    cached: bool = False
    attempts: list[Attempt] = []
    fallback: Fallback | None = None

    @property
    def text(self) -> str:
        """All text parts joined."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))

    @property
    def reasoning(self) -> str:
        """All readable reasoning joined."""
        return "".join(part.text for part in self.parts if isinstance(part, ReasoningPart))

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tool calls in order."""
        return [part for part in self.parts if isinstance(part, ToolCall)]

    def to_message(self) -> Message:
        """The assistant's message for the next request; nothing of the reply's parts is lost."""
        if len(self.parts) == 1 and isinstance(self.parts[0], TextPart) and self.parts[0].provider_data is None:
            return Message(role="assistant", content=self.parts[0].text)
        return Message(role="assistant", content=list(self.parts))


class ConnectionStatus(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of a connection test; `error` says in a sentence what a person can do."""

    success: bool
    provider: str
    error: str | None = None
    latency_ms: float | None = None
