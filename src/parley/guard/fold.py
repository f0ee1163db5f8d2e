"""From events to one reply, and from a reply back to events. Knows no time, no tasks and no provider's habits; bounds what it keeps."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from io import StringIO
from typing import Any, ClassVar

from msgspec import json

from parley.contract.errors import ProtocolError
from parley.contract.events import (
    CitationAdded,
    Event,
    PartAdded,
    ReasoningDelta,
    ReasoningEnded,
    RefusalDelta,
    ResponseFinished,
    ResponseStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallEnded,
    ToolCallStarted,
    UsageReported,
    WarningRaised,
)
from parley.contract.messages import FilePart, ImagePart, Part, ProviderData, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.response import ChatResponse, Citation, ResponseWarning
from parley.contract.usage import UsageReport
from parley.guard.tokens import countable_text

MAX_CHARACTERS = 32 * 1024 * 1024
MAX_PARTS = 10_000
MAX_TOOL_CALLS = 1024
MAX_CITATIONS = 10_000
MAX_WARNINGS = 100


class _OpenCall:
    """A tool call while its arguments arrive; `position` is its place among the parts."""

    __slots__ = ("arguments", "id", "name", "position")

    def __init__(self, position: int, started: ToolCallStarted) -> None:
        self.position = position
        self.id = started.id
        self.name = started.name
        self.arguments = StringIO()

    def finish(self) -> ToolCall:
        return ToolCall(id=self.id, name=self.name, arguments=self.arguments.getvalue() or "{}")


class Fold:
    """Takes events as they come. Text and reasoning are one part as long as nothing else comes between.

    `content` says whether anything came that a caller would call an answer; `finished` holds what the end said of itself; `offending`
    is the event that `add` raised for, None where the reply as a whole was too long.
    """

    __slots__ = (
        "_calls",
        "_characters",
        "_open",
        "_parts",
        "_refusal",
        "_written",
        "citations",
        "complete",
        "content",
        "finished",
        "offending",
        "report",
        "started",
        "warnings",
    )

    def __init__(self) -> None:
        self._parts: list[Part | None] = []
        self._open: type[TextPart | ReasoningPart] | None = None
        self._written = StringIO()
        self._characters = 0
        self._calls: dict[int, _OpenCall] = {}
        self._refusal: StringIO | None = None
        self.started = ResponseStarted()
        self.citations: list[Citation] = []
        self.warnings: list[ResponseWarning] = []
        self.report = UsageReport()
        self.complete = True
        self.content = False
        self.finished: ChatResponse | None = None
        self.offending: Event | None = None

    def add(self, events: Iterable[Event]) -> bool:
        """Take events up to the end of the reply; True when content was among them.

        Raises ProtocolError for what is no event, breaks their order, or is more than a reply may hold.
        """
        content = False
        try:
            for event in events:
                if type(event) is TextDelta and event.provider_data is None:
                    if text := event.text:
                        if self._open is not TextPart:
                            self._begin(TextPart)
                        self._written.write(text)
                        self._characters += len(text)
                        content = True
                elif type(event) is ResponseFinished:
                    self.finished = event.response
                    break
                else:
                    content = self._handle(event) or content
        finally:
            self.content = self.content or content
        if self._characters > MAX_CHARACTERS:
            raise ProtocolError(f"the reply is longer than {MAX_CHARACTERS} characters")
        return content

    def _handle(self, event: Event) -> bool:
        try:
            handler = self._handlers.get(type(event))
            if handler is None:
                raise ProtocolError(f"the stream gave a {type(event).__name__}, which is neither an event nor text")
            return handler(self, event)
        except ProtocolError:
            self.offending = event
            raise

    def parts(self, *, aborted: bool = False) -> list[Part]:
        """The parts so far. A tool call that is not whole is left out of an aborted reply: nobody may run it."""
        self._close()
        if not aborted:
            for call in self._calls.values():
                if self._parts[call.position] is None:
                    self._parts[call.position] = call.finish()
        return [part for part in self._parts if part is not None]

    @property
    def has_open_call(self) -> bool:
        """Whether a tool call has begun whose end has not come."""
        return any(self._parts[call.position] is None for call in self._calls.values())

    def output(self, *, aborted: bool) -> str:
        """All that was written, as one text to count, half a tool call included."""
        texts = countable_text(self.parts(aborted=aborted)) + (self.refusal or "")
        unfinished = (call for call in self._calls.values() if self._parts[call.position] is None)
        return texts + "".join(call.name + call.arguments.getvalue() for call in unfinished)

    @property
    def refusal(self) -> str | None:
        """The vendor's own refusal text."""
        return None if self._refusal is None else self._refusal.getvalue()

    def _begin(self, kind: type[TextPart | ReasoningPart]) -> None:
        self._make_room()
        self._open = kind

    def _make_room(self) -> None:
        """For one more part. Checked before it begins, so that closing it, as a failing call must, never fails."""
        self._close()
        if len(self._parts) >= MAX_PARTS:
            raise ProtocolError(f"the reply has more than {MAX_PARTS} parts")

    def _close(self, *, provider_data: ProviderData | None = None, signature: str | None = None, redacted: str | None = None) -> None:
        kind, self._open = self._open, None
        if kind is None:
            return
        text, self._written = self._written.getvalue(), StringIO()
        if kind is TextPart:
            self._parts.append(TextPart(text=text, provider_data=provider_data))
        else:
            self._parts.append(ReasoningPart(text=text, signature=signature, redacted=redacted, provider_data=provider_data))

    def _text_with_data(self, event: TextDelta) -> bool:
        if self._open is not TextPart:
            self._begin(TextPart)
        self._written.write(event.text)
        self._characters += len(event.text) + _size(event.provider_data)
        self._close(provider_data=event.provider_data)
        return True

    def _reasoning(self, event: ReasoningDelta) -> bool:
        if not event.text:
            return False
        if self._open is not ReasoningPart:
            self._begin(ReasoningPart)
        self._written.write(event.text)
        self._characters += len(event.text)
        return True

    def _reasoning_ended(self, event: ReasoningEnded) -> bool:
        if self._open is not ReasoningPart:
            if event.signature is None and event.redacted is None and event.provider_data is None:
                return False
            self._begin(ReasoningPart)
        self._characters += len(event.signature or "") + len(event.redacted or "") + _size(event.provider_data)
        self._close(signature=event.signature, redacted=event.redacted, provider_data=event.provider_data)
        return True

    def _call_started(self, event: ToolCallStarted) -> bool:
        self._make_room()
        if event.index in self._calls:
            raise ProtocolError(f"tool call {event.index} was started twice")
        if len(self._calls) >= MAX_TOOL_CALLS:
            raise ProtocolError(f"the reply has more than {MAX_TOOL_CALLS} tool calls")
        self._calls[event.index] = _OpenCall(len(self._parts), event)
        self._characters += len(event.id) + len(event.name)
        self._parts.append(None)
        return True

    def _call_delta(self, event: ToolCallDelta) -> bool:
        call = self._calls.get(event.index)
        if call is None:
            raise ProtocolError(f"arguments came for tool call {event.index}, which was not started")
        call.arguments.write(event.arguments)
        self._characters += len(event.arguments)
        return True

    def _call_ended(self, event: ToolCallEnded) -> bool:
        if event.index not in self._calls:
            self._call_started(ToolCallStarted(index=event.index, id=event.call.id, name=event.call.name))
        call = self._calls[event.index]
        self._characters += max(0, len(event.call.arguments) - call.arguments.tell()) + _size(event.call.provider_data)
        self._parts[call.position] = event.call
        return True

    def _part_added(self, event: PartAdded) -> bool:
        self._make_room()
        part = event.part
        self._parts.append(part)
        self._characters += len(part.text) if isinstance(part, TextPart) else len(part.data or part.url or "")
        self._characters += _size(part.provider_data)
        return True

    def _citation(self, event: CitationAdded) -> bool:
        if len(self.citations) >= MAX_CITATIONS:
            raise ProtocolError(f"the reply has more than {MAX_CITATIONS} citations")
        citation = event.citation
        self._characters += sum(len(words) for words in (citation.url, citation.title, citation.text) if words)
        self.citations.append(citation)
        return True

    def _refused(self, event: RefusalDelta) -> bool:
        if self._refusal is None:
            self._refusal = StringIO()
        self._refusal.write(event.text)
        self._characters += len(event.text)
        return bool(event.text)

    def _started(self, event: ResponseStarted) -> bool:
        known = self.started
        self.started = ResponseStarted(
            id=known.id or event.id,
            model=known.model or event.model,
            request_id=known.request_id or event.request_id,
            rate_limits=known.rate_limits or event.rate_limits,
        )
        return False

    def _usage(self, event: UsageReported) -> bool:
        self.report = self.report.merge(event.usage)
        return False

    def _warning(self, event: WarningRaised) -> bool:
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(event.warning)
        self.complete = self.complete and not event.incomplete
        return False

    _handlers: ClassVar[dict[type, Callable[[Fold, Any], bool]]] = {
        TextDelta: _text_with_data,
        ReasoningDelta: _reasoning,
        ReasoningEnded: _reasoning_ended,
        ToolCallStarted: _call_started,
        ToolCallDelta: _call_delta,
        ToolCallEnded: _call_ended,
        PartAdded: _part_added,
        CitationAdded: _citation,
        RefusalDelta: _refused,
        ResponseStarted: _started,
        UsageReported: _usage,
        WarningRaised: _warning,
    }


def reply_events(reply: ChatResponse, *, had: Sequence[Part] = ()) -> list[Event]:
    """What a whole reply would have been as a stream, without its end, and without the kinds of part that were already `had`."""
    had_kinds = {type(part) for part in had}
    events: list[Event] = []
    calls = 0
    for part in reply.parts:
        if type(part) in had_kinds:
            continue
        if isinstance(part, ToolCall):
            events.append(ToolCallStarted(index=calls, id=part.id, name=part.name, provider_data=part.provider_data))
            events.append(ToolCallDelta(index=calls, arguments=part.arguments))
            events.append(ToolCallEnded(index=calls, call=part))
            calls += 1
        else:
            events += _part_events(part)
    if reply.usage.source != "estimated":
        events.append(UsageReported(usage=_as_report(reply)))
    return events


def _part_events(part: TextPart | ImagePart | FilePart | ReasoningPart | ToolResult) -> list[Event]:
    if isinstance(part, ReasoningPart):
        ended = ReasoningEnded(signature=part.signature, redacted=part.redacted, provider_data=part.provider_data)
        return [ReasoningDelta(part.text, part.provider_data), ended] if part.text else [ended]
    if isinstance(part, ToolResult):
        raise ProtocolError("a reply holds a tool result; only a request may")
    if isinstance(part, TextPart) and (part.text or part.provider_data is None):
        return [TextDelta(part.text, part.provider_data, part.provider_data)]
    return [PartAdded(part=part)]


def _as_report(reply: ChatResponse) -> UsageReport:
    """No prompt has 0 tokens, nor has an answer with something in it: there 0 means that nobody counted."""
    counts = {name: getattr(reply.usage, name) for name in UsageReport.__struct_fields__}
    for name in ("prompt_tokens", "total_tokens", *(("completion_tokens",) if reply.parts else ())):
        counts[name] = counts[name] or None
    return UsageReport(**counts)


def _size(provider_data: ProviderData | None) -> int:
    """What opaque data counts towards the length of a reply."""
    return 0 if provider_data is None else len(json.encode(provider_data.data, enc_hook=str))


def reply_id(provider: str) -> str:
    """`<provider>-<uuid7>`: unique, and in the order of time."""
    milliseconds = time.time_ns() // 1_000_000
    number = (milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    digits = f"{number:032x}"
    return f"{provider}-{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
