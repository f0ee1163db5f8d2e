"""What happens while a reply is made, in order. Errors are raised, never events. Consumers ignore kinds they do not know."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from parley.contract.messages import FilePart, ImagePart, ProviderData, TextPart, ToolCall
from parley.contract.response import ChatResponse, Citation, RateLimits, ResponseWarning
from parley.contract.usage import UsageReport


class ResponseStarted(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="response_started"):
    """The vendor has begun to answer. Fields it did not send are None; a later one fills what an earlier one left open."""

    id: str | None = None
    model: str | None = None
    request_id: str | None = None
    rate_limits: RateLimits | None = None


class TextDelta(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="text_delta"):
    """More text. `provider_data`, if any, belongs to the text part that this delta ends; `begins` is what the vendor says of one that
    this delta begins (its id), where it says that up front.
    """

    text: str
    provider_data: ProviderData | None = None
    begins: ProviderData | None = None


class ReasoningDelta(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="reasoning_delta"):
    """More readable reasoning; `begins` as with text."""

    text: str
    begins: ProviderData | None = None


class ReasoningEnded(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="reasoning_ended"):
    """The current reasoning part is over. Without deltas before it, it is a part by itself (redacted thought)."""

    signature: str | None = None
    redacted: str | None = None
    provider_data: ProviderData | None = None


class ToolCallStarted(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="tool_call_started"):
    """A tool call begins. `index` counts the calls of this reply from 0; `provider_data` is what the vendor says of it up front."""

    index: int
    id: str
    name: str
    provider_data: ProviderData | None = None


class ToolCallDelta(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="tool_call_delta"):
    """More of the call's JSON argument text."""

    index: int
    arguments: str


class ToolCallEnded(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="tool_call_ended"):
    """The call is whole; its arguments are the deltas joined ("{}" when there were none)."""

    index: int
    call: ToolCall


class PartAdded(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="part_added"):
    """A part that arrives whole: a generated image or file, or a vendor's own block (an empty text part with provider_data)."""

    part: TextPart | ImagePart | FilePart


class CitationAdded(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="citation_added"):
    """A source was named."""

    citation: Citation


class RefusalDelta(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="refusal_delta"):
    """More of the vendor's own refusal text, where it keeps that apart from the answer."""

    text: str


class UsageReported(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="usage_reported"):
    """Counts so far; the last non-null value per field counts."""

    usage: UsageReport


class WarningRaised(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="warning_raised"):
    """Something was skipped, dropped or estimated. `incomplete` marks the reply as not whole."""

    warning: ResponseWarning
    incomplete: bool = False


class ResponseFinished(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="response_finished"):
    """The end. From the guard, `response` is whole; a decoder fills only its finish reasons, the guard folds the rest."""

    response: ChatResponse


class Restarted(Struct, frozen=True, kw_only=True, tag_field="type", tag="restarted"):
    """Everything before this is void: another target makes the answer anew. Only Parley itself says so, where a route fails over after
    its first token; a provider that does breaks the contract. `code` is the error's that ended the first answer, `reason` its words.
    """

    reason: str
    code: str


Event: TypeAlias = (
    ResponseStarted
    | TextDelta
    | ReasoningDelta
    | ReasoningEnded
    | ToolCallStarted
    | ToolCallDelta
    | ToolCallEnded
    | PartAdded
    | CitationAdded
    | RefusalDelta
    | UsageReported
    | WarningRaised
    | Restarted
    | ResponseFinished
)
