"""From the events of an answer to its parts, as every reader does it and as the log is read after a crash. Knows no time and no task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import DecodeError, json

from parley.contract.messages import FilePart, ImagePart, Part, ReasoningPart, TextPart, ToolCall
from parley.services.events import (
    LoggedEvent,
    PartEvent,
    ReasoningEvent,
    RestartEvent,
    ShownFile,
    ShownImage,
    ShownPart,
    ShownReasoning,
    ShownText,
    ShownToolCall,
    TokenEvent,
    ToolEvent,
    join_text,
)

_events = json.Decoder(list[LoggedEvent])


class MessageFold:
    """Takes events in order. A tool call counts once it is whole: nobody may run half of one."""

    __slots__ = ("_calls", "_kind", "_parts", "_pieces")

    def __init__(self) -> None:
        self._parts: list[ShownPart | None] = []
        self._calls: dict[str, int] = {}
        self._kind: type[ShownText | ShownReasoning] = ShownText
        self._pieces: list[str] = []

    def add(self, event: LoggedEvent) -> None:
        """One more."""
        if isinstance(event, TokenEvent):
            self._write(ShownText, event.content)
        elif isinstance(event, ReasoningEvent):
            self._write(ShownReasoning, event.content)
        elif isinstance(event, ToolEvent):
            self._call(event)
        elif isinstance(event, PartEvent):
            self._close()
            self._parts.append(event.part)
        elif isinstance(event, RestartEvent):
            self._parts, self._calls, self._pieces = [], {}, []

    def parts(self) -> list[ShownPart]:
        """The parts so far."""
        self._close()
        shown: list[ShownPart] = []
        for part in self._parts:
            if isinstance(part, (ShownText, ShownReasoning)):
                join_text(shown, type(part), part.text)
            elif part is not None:
                shown.append(part)
        return shown

    def content(self) -> str | list[Part]:
        """The parts so far, as a message holds them."""
        parts = [_stored(part) for part in self.parts()]
        if not parts:
            return ""
        only = parts[0]
        return only.text if len(parts) == 1 and isinstance(only, TextPart) else parts

    def _write(self, kind: type[ShownText | ShownReasoning], content: str) -> None:
        if kind is not self._kind:
            self._close()
            self._kind = kind
        self._pieces.append(content)

    def _close(self) -> None:
        if self._pieces:
            self._parts.append(self._kind(text="".join(self._pieces)))
            self._pieces = []

    def _call(self, event: ToolEvent) -> None:
        self._close()
        if event.status == "started" or event.call.id not in self._calls:
            self._calls[event.call.id] = len(self._parts)
            self._parts.append(None)
        if event.status == "called":
            self._parts[self._calls.pop(event.call.id)] = event.call


def fold_log(stretches: Iterable[bytes]) -> tuple[MessageFold, int]:
    """A stored log, folded, and the `seq` of its last event. It ends at a gap, if there is one."""
    fold, seq = MessageFold(), 0
    for event in read_log(stretches, after=0):
        fold.add(event)
        seq = event.seq
    return fold, seq


def read_log(stretches: Iterable[bytes], *, after: int) -> Iterator[LoggedEvent]:
    """A stored log from an event on, as far as it is whole. What a newer version wrote and this one cannot read is a gap."""
    for stretch in stretches:
        try:
            events = _events.decode(stretch)
        except DecodeError:
            return
        for event in events:
            if event.seq > after + 1:
                return
            if event.seq == after + 1:
                after = event.seq
                yield event


def _stored(part: ShownPart) -> Part:
    if isinstance(part, ShownText):
        return TextPart(text=part.text)
    if isinstance(part, ShownReasoning):
        return ReasoningPart(text=part.text)
    if isinstance(part, ShownToolCall):
        return ToolCall(id=part.id, name=part.name, arguments=part.arguments)
    return _stored_medium(part)


def _stored_medium(part: ShownImage | ShownFile) -> Part:
    if isinstance(part, ShownImage):
        return ImagePart(media_type=part.media_type, data=part.data, url=part.url)
    return FilePart(media_type=part.media_type, name=part.name, data=part.data, url=part.url)
