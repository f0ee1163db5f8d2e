"""What a reader of an answer is told, as `/api/v1` spells it, and the same for stored messages' parts. Knows no SSE and no socket."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias

from msgspec import Struct

from parley.contract.messages import FilePart, ImagePart, Part, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.response import Attempt, Fallback, FinishReason
from parley.contract.usage import Usage, UsageSource

ATTACHMENT_SCHEME = "attachment:"
"""A stored part's `url` begins with it where the bytes are an attachment's; the id follows."""


class ShownText(Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="text"):
    """Text that stands together, whatever pieces it came in."""

    text: str


class ShownReasoning(Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="reasoning"):
    """Readable reasoning that stands together."""

    text: str


class ShownToolCall(Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="tool_call"):
    """A call that the model asked for; `arguments` is JSON text."""

    id: str
    name: str
    arguments: str


class ShownImage(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", tag_field="type", tag="image"):
    """An image: `data` (base64), `url`, or the user's attachment."""

    media_type: str
    data: str | None = None
    url: str | None = None
    attachment_id: str | None = None


class ShownFile(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", tag_field="type", tag="file"):
    """A file: `data` (base64), `url`, or the user's attachment."""

    media_type: str
    name: str = ""
    data: str | None = None
    url: str | None = None
    attachment_id: str | None = None


ShownPart: TypeAlias = ShownText | ShownReasoning | ShownToolCall | ShownImage | ShownFile


class ShownUsage(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Token counts of one answer; `source` says who counted."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    source: UsageSource
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None

    @classmethod
    def of(cls, usage: Usage) -> ShownUsage:
        """A reply's usage, as it is shown."""
        return cls(**{name: getattr(usage, name) for name in Usage.__struct_fields__})


class ShownCitation(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A source that the answer names."""

    url: str | None = None
    title: str | None = None
    text: str | None = None
    start_index: int | None = None
    end_index: int | None = None


class ShownFallback(Struct, frozen=True, kw_only=True, rename="camel"):
    """Who was asked, who answered instead, and why."""

    asked: str
    actual: str
    reason: str

    @classmethod
    def of(cls, fallback: Fallback | None) -> ShownFallback | None:
        """A reply's fallback, as it is shown."""
        return None if fallback is None else cls(asked=fallback.asked, actual=fallback.actual, reason=fallback.reason)


class ShownAttempt(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A try that failed before the answer came; `usage` and `cost` where it had begun to answer. `seconds` is how long it took."""

    provider: str
    model: str
    code: str
    seconds: float
    phase: str | None = None
    usage: ShownUsage | None = None
    cost: float | None = None

    @classmethod
    def of(cls, attempt: Attempt) -> ShownAttempt:
        """A failed try, as it is shown."""
        return cls(
            provider=attempt.provider,
            model=attempt.model,
            code=attempt.code,
            seconds=attempt.seconds,
            phase=attempt.phase,
            usage=None if attempt.usage is None else ShownUsage.of(attempt.usage),
            cost=attempt.cost,
        )


class TokenEvent(Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="token"):
    """More text."""

    content: str
    message_id: str
    seq: int


class ReasoningEvent(Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="reasoning"):
    """More readable reasoning."""

    content: str
    message_id: str
    seq: int


class ToolEvent(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", tag_field="type", tag="tool"):
    """A tool call: `started` without its arguments, then `called` with them; `result` where the vendor ran it itself."""

    call: ShownToolCall
    status: Literal["started", "called"]
    message_id: str
    seq: int
    result: str | None = None


class PartEvent(Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="part"):
    """A part that arrived whole: an image or a file that the model made."""

    part: ShownImage | ShownFile
    message_id: str
    seq: int


class WarningEvent(Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="warning"):
    """Something was left out or estimated."""

    code: str
    message: str
    message_id: str
    seq: int


class RestartEvent(Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="restart"):
    """What came so far is void; the answer begins anew."""

    reason: str
    message_id: str
    seq: int


class DoneEvent(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", tag_field="type", tag="done"):
    """The end, with what is known of the answer. `response_time` in milliseconds; `cost` in US dollars, None = unknown.

    `finish_reason` is `cancelled` after a stop and `interrupted` where the server went away; the text is kept in both.
    """

    message_id: str
    usage: ShownUsage | None
    response_time: int
    provider: str
    model: str
    finish_reason: FinishReason
    cost: float | None
    seq: int
    fallback: ShownFallback | None = None
    cached: bool = False
    refusal: str | None = None
    citations: list[ShownCitation] = []
    time_to_first_token: int | None = None
    request_id: str | None = None
    complete: bool = True


class ErrorEvent(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", tag_field="type", tag="error"):
    """The end, with what went wrong. `retry_after` in seconds; `partial` is the text that came before, which is kept."""

    message: str
    code: str
    retryable: bool
    message_id: str
    seq: int
    retry_after: float | None = None
    partial: str | None = None


class HeartbeatEvent(Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="heartbeat"):
    """Nothing new, but the connection lives."""


class SnapshotEvent(Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="snapshot"):
    """The answer up to and including `seq`; it replaces whatever the reader had."""

    message_id: str
    text: str
    parts: list[ShownPart]
    seq: int


LoggedEvent: TypeAlias = TokenEvent | ReasoningEvent | ToolEvent | PartEvent | WarningEvent | RestartEvent | DoneEvent | ErrorEvent
"""What has a `seq` of its own, from 1 in each generation."""

ChatEvent: TypeAlias = LoggedEvent | HeartbeatEvent | SnapshotEvent


class Frame(NamedTuple):
    """One step of a stream: an event, and up to which `seq` everything is stored, where that is news. At least one of the two.

    `more` says that another is there already, and may be sent with it.
    """

    event: ChatEvent | None
    acknowledged_seq: int | None = None
    more: bool = False


def shown_parts(parts: Iterable[Part]) -> list[ShownPart]:
    """A message's parts as a reader sees them: neighbours of a kind joined, what has nothing to show left out."""
    shown: list[ShownPart] = []
    for part in parts:
        if isinstance(part, (TextPart, ReasoningPart)):
            join_text(shown, ShownText if isinstance(part, TextPart) else ShownReasoning, part.text)
        elif not isinstance(part, ToolResult):
            shown.append(shown_part(part))
    return shown


def join_text(shown: list[ShownPart], kind: type[ShownText | ShownReasoning], text: str) -> None:
    """Add text to the last part where that is of the same kind, else as a new one."""
    if not text:
        return
    last = shown[-1] if shown else None
    if isinstance(last, (ShownText, ShownReasoning)) and type(last) is kind:
        shown[-1] = kind(text=last.text + text)
    else:
        shown.append(kind(text=text))


def shown_part(part: ImagePart | FilePart | ToolCall) -> ShownImage | ShownFile | ShownToolCall:
    """A part that is not text, as a reader sees it; vendors' own data stays here."""
    if isinstance(part, ToolCall):
        return ShownToolCall(id=part.id, name=part.name, arguments=part.arguments)
    url, attachment_id = part.url, None
    if url and url.startswith(ATTACHMENT_SCHEME):
        url, attachment_id = None, url.removeprefix(ATTACHMENT_SCHEME)
    if isinstance(part, ImagePart):
        return ShownImage(media_type=part.media_type, data=part.data, url=url, attachment_id=attachment_id)
    return ShownFile(media_type=part.media_type, name=part.name, data=part.data, url=url, attachment_id=attachment_id)


def text_of(parts: Sequence[ShownPart]) -> str:
    """All shown text joined."""
    return "".join(part.text for part in parts if isinstance(part, ShownText))
