"""Writes one reply's events as the Messages wire streams them: message_start, blocks, message_stop. Knows no HTTP and no provider.

https://docs.claude.com/en/api/messages-streaming (read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from parley.contract.events import (
    CitationAdded,
    Event,
    PartAdded,
    ReasoningDelta,
    ReasoningEnded,
    ResponseFinished,
    ResponseStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallEnded,
    ToolCallStarted,
    UsageReported,
    WarningRaised,
)
from parley.contract.messages import ProviderData, ReasoningPart
from parley.contract.response import ChatResponse, Citation, ResponseWarning
from parley.contract.usage import UsageReport
from parley.wire.anthropic_messages_server_reply import (
    block_of,
    cited_source,
    encode,
    own_data,
    stop_fields,
    thought_block,
    thought_signature,
    usage_object,
)
from parley.wire.json_events import decode_object
from parley.wire.json_values import list_of, object_of

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


class _OpenCall:
    """A tool call whose block is open."""

    __slots__ = ("block", "written")

    def __init__(self, block: int) -> None:
        self.block = block
        self.written: list[str] = []

    def is_whole(self) -> bool:
        return decode_object("".join(self.written).encode("utf-8", "surrogatepass")) is not None


class MessageWriter:
    """One reply. Blocks follow one another; a tool call alone stays open beside what follows, as long as its arguments are not whole.

    `reply_id` and `model` stand in where the provider names none.
    """

    __slots__ = (
        "_before_text",
        "_calls",
        "_cited",
        "_id",
        "_late_warnings",
        "_model",
        "_next",
        "_open",
        "_open_kind",
        "_report",
        "_started",
    )

    def __init__(self, *, reply_id: str, model: str) -> None:
        self._id = reply_id
        self._model = model
        self._started = False
        self._report = UsageReport()
        self._next = 0
        self._open = 0
        self._open_kind = ""
        self._before_text = b""
        self._calls: dict[int, _OpenCall] = {}
        self._cited: list[Citation] = []
        self._late_warnings: list[ResponseWarning] = []

    def write(self, events: Sequence[Event]) -> bytes:
        """These events as bytes; the last event of all brings the usage and message_stop."""
        frames: list[bytes] = []
        for event in events:
            if type(event) is TextDelta and self._before_text and event.provider_data is None:  # the token path
                if event.text:
                    frames += (self._before_text, encode(event.text), b"}}\n\n")
                continue
            self._write(event, frames)
        if not self._started and any(isinstance(event, ResponseStarted) for event in events):
            self._start(frames)
        return b"".join(frames)

    def _write(self, event: Event, frames: list[bytes]) -> None:
        if isinstance(event, TextDelta):
            self._text(event, frames)
        elif isinstance(event, ReasoningDelta):
            self._thought(event, frames)
        elif isinstance(event, ReasoningEnded):
            self._end_thought(event, frames)
        elif isinstance(event, CitationAdded):
            self._cited.append(event.citation)
        elif isinstance(event, PartAdded):
            self._whole_block(block_of(event.part), frames)
        elif isinstance(event, ResponseFinished):
            self._finish(event.response, frames)
        elif isinstance(event, (ToolCallStarted, ToolCallDelta, ToolCallEnded)):
            self._call(event, frames)
        else:
            self._note(event)

    def _note(self, event: Event) -> None:
        """What stands in the events to come."""
        if isinstance(event, ResponseStarted):
            self._id, self._model = event.id or self._id, event.model or self._model
        elif isinstance(event, UsageReported):
            self._report = self._report.merge(event.usage)
        elif isinstance(event, WarningRaised) and self._started:  # earlier ones are in the head of the reply
            self._late_warnings.append(event.warning)

    def _start(self, frames: list[bytes]) -> None:
        if self._started:
            return
        self._started = True
        message: dict[str, Any] = {"id": self._id, "type": "message", "role": "assistant", "model": self._model, "content": []}
        usage = usage_object(self._report)
        frames.append(_frame("message_start", message={**message, "stop_reason": None, "stop_sequence": None, "usage": usage}))
        frames.append(PING)

    def _text(self, event: TextDelta, frames: list[bytes]) -> None:
        if event.text:
            if self._open_kind != "text":
                self._begin({"type": "text", "text": ""}, frames)
                delta = b'{"type":"content_block_delta","index":%d,"delta":{"type":"text_delta","text":' % self._open
                self._before_text = b"event: content_block_delta\ndata: " + delta
            frames += (self._before_text, encode(event.text), b"}}\n\n")
        if event.provider_data is not None:
            self._end_open(frames, event.provider_data)

    def _thought(self, event: ReasoningDelta, frames: list[bytes]) -> None:
        if not event.text:
            return
        if self._open_kind != "thinking":
            self._begin({"type": "thinking", "thinking": "", "signature": ""}, frames)
        self._delta(self._open, {"type": "thinking_delta", "thinking": event.text}, frames)

    def _end_thought(self, event: ReasoningEnded, frames: list[bytes]) -> None:
        part = ReasoningPart(signature=event.signature, redacted=event.redacted, provider_data=event.provider_data)
        if self._open_kind == "thinking":
            if signature := thought_signature(part):
                self._delta(self._open, {"type": "signature_delta", "signature": signature}, frames)
            self._end_open(frames)
        elif part.redacted is not None:
            self._whole_block(thought_block(part), frames)
        elif signature := thought_signature(part):
            self._begin({"type": "thinking", "thinking": "", "signature": ""}, frames)
            self._open_kind = "thinking"
            self._delta(self._open, {"type": "signature_delta", "signature": signature}, frames)
            self._end_open(frames)

    def _call(self, event: ToolCallStarted | ToolCallDelta | ToolCallEnded, frames: list[bytes]) -> None:
        if isinstance(event, ToolCallStarted):
            for index in [index for index, call in self._calls.items() if call.is_whole()]:
                self._stop(self._calls.pop(index).block, frames)
            more = object_of(own_data(event.provider_data).get("fields"))
            self._begin({"type": "tool_use", "id": event.id, "name": event.name, "input": {}, **more}, frames, kind="")
            self._calls[event.index] = _OpenCall(self._open)
            return
        call = self._calls.get(event.index)
        if call is None:  # it was whole before another one began
            return
        if isinstance(event, ToolCallDelta):
            self._arguments(call, event.arguments, frames)
            return
        if not call.written and event.call.arguments != "{}":
            self._arguments(call, event.call.arguments, frames)
        self._stop(self._calls.pop(event.index).block, frames)

    def _arguments(self, call: _OpenCall, arguments: str, frames: list[bytes]) -> None:
        call.written.append(arguments)
        self._delta(call.block, {"type": "input_json_delta", "partial_json": arguments}, frames)

    def _whole_block(self, block: dict[str, Any] | None, frames: list[bytes]) -> None:
        if block is not None:
            self._begin(block, frames, kind="whole")
            self._end_open(frames)

    def _begin(self, block: dict[str, Any], frames: list[bytes], *, kind: str | None = None) -> None:
        """Open a block; a tool call's, of no kind, is closed by its own end."""
        self._start(frames)
        self._end_open(frames)
        self._open, self._open_kind = self._next, block["type"] if kind is None else kind
        self._next += 1
        frames.append(_frame("content_block_start", index=self._open, content_block=block))

    def _end_open(self, frames: list[bytes], data: ProviderData | None = None) -> None:
        """Close the block of text or thought that is open, with its sources."""
        kind, self._open_kind, self._before_text = self._open_kind, "", b""
        if kind == "text":
            own = list_of(own_data(data).get("citations"))
            cited = own or [cited_source(citation) for citation in self._cited if citation.url]
            self._cited.clear()
            for citation in cited:
                self._delta(self._open, {"type": "citations_delta", "citation": citation}, frames)
        if kind:
            self._stop(self._open, frames)

    def _delta(self, block: int, delta: dict[str, Any], frames: list[bytes]) -> None:
        frames.append(_frame("content_block_delta", index=block, delta=delta))

    def _stop(self, block: int, frames: list[bytes]) -> None:
        frames.append(b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n' % block)

    def _finish(self, response: ChatResponse, frames: list[bytes]) -> None:
        self._start(frames)
        self._end_open(frames)
        for call in self._calls.values():
            self._stop(call.block, frames)
        warnings = {"warnings": self._late_warnings} if self._late_warnings else {}
        usage = usage_object(response.usage, response.cost, cached=response.cached)
        frames.append(_frame("message_delta", delta=stop_fields(response), usage=usage, **warnings))
        frames.append(_STOP)


def _frame(name: str, **fields: Any) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + encode({"type": name, **fields}) + b"\n\n"
