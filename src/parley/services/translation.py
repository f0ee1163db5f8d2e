"""From a provider's events to a reader's. Numbers nothing, stores nothing, and leaves vendors' own data out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

from parley.contract.events import (
    Event,
    PartAdded,
    ReasoningDelta,
    Restarted,
    TextDelta,
    ToolCallEnded,
    ToolCallStarted,
    WarningRaised,
)
from parley.contract.messages import TextPart
from parley.contract.response import ChatResponse
from parley.services.events import (
    LoggedEvent,
    PartEvent,
    ReasoningEvent,
    RestartEvent,
    ShownFile,
    ShownImage,
    ShownToolCall,
    TokenEvent,
    ToolEvent,
    WarningEvent,
    shown_part,
)

Numbered: TypeAlias = Callable[[str, int], LoggedEvent]
"""Makes an event of a message's id and its number."""


class Translation:
    """One answer's events, one at a time; remembers which tool calls were begun."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: dict[int, str] = {}

    def translate(self, event: Event) -> Numbered | None:
        """What a reader is told; None where it is nothing to them."""
        handler = self._handlers.get(type(event))
        return None if handler is None else handler(self, event)

    def unfinished_calls(self, reply: ChatResponse) -> list[Numbered]:
        """The calls that were begun and never ended by themselves, as the whole reply has them."""
        waiting = set(self._open.values())
        return [
            _tool("called", ShownToolCall(id=call.id, name=call.name, arguments=call.arguments))
            for call in reply.tool_calls
            if call.id in waiting
        ]

    def _text(self, event: TextDelta) -> Numbered | None:
        if not event.text:
            return None
        return lambda message_id, seq: TokenEvent(content=event.text, message_id=message_id, seq=seq)

    def _reasoning(self, event: ReasoningDelta) -> Numbered | None:
        if not event.text:
            return None
        return lambda message_id, seq: ReasoningEvent(content=event.text, message_id=message_id, seq=seq)

    def _call_started(self, event: ToolCallStarted) -> Numbered:
        self._open[event.index] = event.id
        return _tool("started", ShownToolCall(id=event.id, name=event.name, arguments=""))

    def _call_ended(self, event: ToolCallEnded) -> Numbered:
        self._open.pop(event.index, None)
        return _tool("called", ShownToolCall(id=event.call.id, name=event.call.name, arguments=event.call.arguments))

    def _part(self, event: PartAdded) -> Numbered | None:
        part = event.part
        if isinstance(part, TextPart):
            return self._text(TextDelta(part.text))
        shown = shown_part(part)
        if not isinstance(shown, (ShownImage, ShownFile)):
            return None
        return lambda message_id, seq: PartEvent(part=shown, message_id=message_id, seq=seq)

    def _warning(self, event: WarningRaised) -> Numbered:
        warning = event.warning
        return lambda message_id, seq: WarningEvent(code=warning.code, message=warning.message, message_id=message_id, seq=seq)

    def _restarted(self, event: Restarted) -> Numbered:
        self._open.clear()
        return lambda message_id, seq: RestartEvent(reason=event.reason, message_id=message_id, seq=seq)

    _handlers: ClassVar[dict[type, Callable[[Translation, Any], Numbered | None]]] = {
        TextDelta: _text,
        ReasoningDelta: _reasoning,
        ToolCallStarted: _call_started,
        ToolCallEnded: _call_ended,
        PartAdded: _part,
        WarningRaised: _warning,
        Restarted: _restarted,
    }


def _tool(status: Any, call: ShownToolCall) -> Numbered:
    return lambda message_id, seq: ToolEvent(call=call, status=status, message_id=message_id, seq=seq)
