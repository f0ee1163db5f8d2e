"""Writes one reply's events as the Responses wire streams them, in order and numbered. Knows no HTTP and no provider.

https://platform.openai.com/docs/api-reference/responses-streaming (read 2026-11-25). Items follow one another; a tool call alone stays
open beside what follows, as long as its arguments are not whole.
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
    RefusalDelta,
    ResponseFinished,
    ResponseStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallEnded,
    ToolCallStarted,
    WarningRaised,
)
from parley.contract.messages import ImagePart, ProviderData, ReasoningPart, TextPart, ToolCall
from parley.contract.response import ChatResponse, Citation, ResponseWarning
from parley.wire.json_events import decode_object
from parley.wire.json_values import object_of
from parley.wire.openai_responses_server_reply import (
    Frame,
    annotation,
    call_item,
    encode,
    image_item,
    message_item,
    own_data,
    text_content,
    thought_item,
)


class _Piece:
    """A part of the open item that is being written: its kind, its place, and its text so far."""

    __slots__ = ("began", "content", "index", "kind", "texts")

    def __init__(self, kind: str, index: int, began: int) -> None:
        self.kind = kind
        self.index = index
        self.began = began
        self.texts: list[str] = []
        self.content: dict[str, Any] = {}


class _OpenCall:
    """A tool call whose item is open."""

    __slots__ = ("call", "index", "item_id", "kind", "written")

    def __init__(self, call: ToolCall, index: int, item: dict[str, Any]) -> None:
        self.call = call
        self.index = index
        self.item_id: str = item["id"]
        self.kind: str = item["type"]
        self.written: list[str] = []

    @property
    def arguments(self) -> str:
        return "".join(self.written)

    def is_whole(self) -> bool:
        return decode_object(self.arguments.encode("utf-8", "surrogatepass")) is not None


class ResponseWriter:
    """One reply. `reply_id` and `model` stand in where the provider names none."""

    __slots__ = (
        "_before_text",
        "_calls",
        "_frame",
        "_held",
        "_id",
        "_index",
        "_item",
        "_items",
        "_late_warnings",
        "_model",
        "_next",
        "_piece",
        "_position",
        "_started",
        "number",
    )

    def __init__(self, frame: Frame, *, reply_id: str, model: str) -> None:
        self._frame = frame
        self._id = reply_id
        self._model = model
        self._started = False
        self._next = 0
        self._index = 0
        self._item: dict[str, Any] | None = None
        self._piece: _Piece | None = None
        self._before_text = b""
        self._position = 0
        self._calls: dict[int, _OpenCall] = {}
        self._items: dict[int, dict[str, Any]] = {}
        self._held: list[Citation] = []
        self._late_warnings: list[ResponseWarning] = []
        self.number = 0
        """The place of the next event."""

    def write(self, events: Sequence[Event]) -> bytes:
        """These events as bytes; the last event of all brings the whole response."""
        frames: list[bytes] = []
        for event in events:
            if type(event) is TextDelta and self._before_text and event.provider_data is None and event.begins is None:  # the token path
                if event.text:
                    self._add_text(event.text, frames)
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
            self._cite(event.citation, frames)
        elif isinstance(event, PartAdded):
            self._part(event.part, frames)
        elif isinstance(event, RefusalDelta):
            self._refusal(event.text, frames)
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
        elif isinstance(event, WarningRaised) and self._started:  # earlier ones are in the head of the reply
            self._late_warnings.append(event.warning)

    def _event(self, kind: str, frames: list[bytes], **fields: Any) -> None:
        body = {"type": kind, "sequence_number": self.number, **fields}
        self.number += 1
        frames.append(b"event: " + kind.encode() + b"\ndata: " + encode(body) + b"\n\n")

    def _start(self, frames: list[bytes]) -> None:
        if self._started:
            return
        self._started = True
        response = self._frame.response(reply_id=self._id, model=self._model, status="in_progress", output=[])
        self._event("response.created", frames, response=response)
        self._event("response.in_progress", frames, response=response)

    def _made(self, prefix: str) -> str:
        return f"{prefix}_{self._frame.seed}{self._next:04x}"

    def _begin_item(self, item: dict[str, Any], frames: list[bytes]) -> int:
        """Announce an item; its place in the output."""
        self._start(frames)
        self._close_item(frames)
        index = self._next
        self._next += 1
        self._event("response.output_item.added", frames, output_index=index, item=item)
        return index

    def _open_item(self, item: dict[str, Any], frames: list[bytes]) -> None:
        self._index = self._begin_item(item, frames)
        self._item = dict(item)

    def _close_item(self, frames: list[bytes], item: dict[str, Any] | None = None) -> None:
        """End the message or thought that is open; `item` is the vendor's own word on it."""
        if self._item is None:
            return
        self._close_piece(frames)
        whole = item or self._item
        if item is None and whole["type"] == "message":
            whole["status"] = "completed"
        self._item = None
        self._done(self._index, whole, frames)

    def _done(self, index: int, item: dict[str, Any], frames: list[bytes]) -> None:
        self._items[index] = item
        self._event("response.output_item.done", frames, output_index=index, item=item)

    def _where(self, name: str = "content_index") -> dict[str, Any]:
        item, piece = self._item, self._piece
        return {"item_id": item["id"] if item else "", "output_index": self._index, name: piece.index if piece else 0}

    def _open_piece(self, kind: str, frames: list[bytes]) -> None:
        """Go on with the open item in another piece: text, refusal, summary or thought."""
        self._close_piece(frames)
        item = self._item or {}
        pieces: list[Any] = item.setdefault("summary" if kind == "summary_text" else "content", [])
        piece = self._piece = _Piece(kind, len(pieces), self._position)
        if kind == "output_text":
            piece.content = text_content("")
        else:
            piece.content = {"type": kind, "refusal" if kind == "refusal" else "text": ""}
        pieces.append(piece.content)
        if kind == "summary_text":
            self._event("response.reasoning_summary_part.added", frames, **self._where("summary_index"), part=piece.content)
        else:
            self._event("response.content_part.added", frames, **self._where(), part=piece.content)
        if kind == "output_text":
            shared = encode({"type": "response.output_text.delta", **self._where(), "logprobs": []})
            self._before_text = b"event: response.output_text.delta\ndata: " + shared[:-1] + b',"sequence_number":'
            for citation in self._held:
                self._cite(citation, frames)
            self._held.clear()

    def _close_piece(self, frames: list[bytes]) -> None:
        piece = self._piece
        if piece is None:
            return
        text, kind = "".join(piece.texts), piece.kind
        field = "refusal" if kind == "refusal" else "text"
        piece.content[field] = text
        if kind == "summary_text":
            where = self._where("summary_index")
            self._event("response.reasoning_summary_text.done", frames, **where, text=text)
            self._event("response.reasoning_summary_part.done", frames, **where, part=piece.content)
        else:
            where = self._where()
            name = {"output_text": "output_text", "refusal": "refusal", "reasoning_text": "reasoning_text"}[kind]
            more: dict[str, Any] = {"logprobs": []} if kind == "output_text" else {}
            self._event(f"response.{name}.done", frames, **where, **{field: text}, **more)
            self._event("response.content_part.done", frames, **where, part=piece.content)
        self._piece, self._before_text = None, b""

    def _add_text(self, text: str, frames: list[bytes]) -> None:
        frames += (self._before_text, b"%d" % self.number, b',"delta":', encode(text), b"}\n\n")
        self.number += 1
        if self._piece is not None:
            self._piece.texts.append(text)
        self._position += len(text)

    def _text(self, event: TextDelta, frames: list[bytes]) -> None:
        if event.text:
            self._message(own_data(event.begins), frames)
            if self._piece is None or self._piece.kind != "output_text":
                self._open_piece("output_text", frames)
            self._add_text(event.text, frames)
        if event.provider_data is not None:
            own = own_data(event.provider_data)
            if self._item is not None and self._item["type"] == "message":
                self._item |= {name: value for name, value in own.items() if name != "id"}
                self._close_piece(frames)

    def _message(self, own: dict[str, Any], frames: list[bytes]) -> None:
        """See to it that a message is open: this one, where the vendor named it."""
        item = self._item
        if item is None or item["type"] != "message" or own.get("id", item["id"]) != item["id"]:
            self._open_item(message_item(own, self._made("msg"), status="in_progress"), frames)

    def _refusal(self, text: str, frames: list[bytes]) -> None:
        if not text:
            return
        self._message({}, frames)
        if self._piece is None or self._piece.kind != "refusal":
            self._open_piece("refusal", frames)
        self._event("response.refusal.delta", frames, **self._where(), delta=text)
        if self._piece is not None:
            self._piece.texts.append(text)

    def _thought(self, event: ReasoningDelta, frames: list[bytes]) -> None:
        if not event.text:
            return
        own = _beginning(own_data(event.begins))
        kind = "reasoning_text" if own.get("kind") == "content" else "summary_text"
        item = self._item
        if item is None or item["type"] != "reasoning" or own.get("id", item["id"]) != item["id"]:
            made: dict[str, Any] = {"id": own.get("id") or self._made("rs"), "type": "reasoning", "summary": []}
            self._open_item(made, frames)
        if self._piece is None or own:
            self._open_piece(kind, frames)
        if self._piece is None:
            return
        self._piece.texts.append(event.text)
        if self._piece.kind == "summary_text":
            self._event("response.reasoning_summary_text.delta", frames, **self._where("summary_index"), delta=event.text)
        else:
            self._event("response.reasoning_text.delta", frames, **self._where(), delta=event.text)

    def _end_thought(self, event: ReasoningEnded, frames: list[bytes]) -> None:
        own = own_data(event.provider_data)
        is_open = self._item is not None and self._item["type"] == "reasoning"
        if own and "item" not in own:
            self._close_piece(frames)
            return
        if "item" in own:
            whole = object_of(own["item"])
            if not is_open:
                self._open_item({**whole, "summary": []}, frames)
            self._close_item(frames, whole)
            return
        state = ReasoningPart(signature=event.signature, redacted=event.redacted, provider_data=event.provider_data)
        if is_open and self._item is not None:
            self._close_piece(frames)
            self._item = {**thought_item(self._item["id"], state), "summary": self._item["summary"]}
            self._close_item(frames)
        elif state != ReasoningPart():
            self._whole_item(thought_item(self._made("rs"), state), frames)

    def _cite(self, citation: Citation, frames: list[bytes]) -> None:
        piece = self._piece
        if piece is None or piece.kind != "output_text":
            self._held.append(citation)
            return
        written = annotation(citation, piece.began)
        annotations: list[Any] = piece.content["annotations"]
        annotations.append(written)
        where = {**self._where(), "annotation_index": len(annotations) - 1}
        self._event("response.output_text.annotation.added", frames, **where, annotation=written)

    def _part(self, part: Any, frames: list[bytes]) -> None:
        own = own_data(part.provider_data)
        if "item" in own:
            result = {"result": part.data} if isinstance(part, ImagePart) else {}
            self._whole_item({**object_of(own["item"]), **result}, frames)
        elif isinstance(part, ImagePart) and part.data is not None:
            self._whole_item(image_item(part, self._made("ig")), frames)
        elif isinstance(part, TextPart) and part.text:
            self._text(TextDelta(part.text, part.provider_data), frames)

    def _whole_item(self, item: dict[str, Any], frames: list[bytes]) -> None:
        self._done(self._begin_item(item, frames), item, frames)

    def _call(self, event: ToolCallStarted | ToolCallDelta | ToolCallEnded, frames: list[bytes]) -> None:
        if isinstance(event, ToolCallStarted):
            self._begin_call(event, frames)
            return
        call = self._calls.get(event.index)
        if call is None:  # it was whole before another one began
            return
        if isinstance(event, ToolCallDelta):
            self._arguments(call, event.arguments, frames)
        else:
            self._end_call(event.index, event.call, frames)

    def _begin_call(self, event: ToolCallStarted, frames: list[bytes]) -> None:
        for index in [index for index, call in self._calls.items() if call.is_whole()]:
            self._end_call(index, None, frames)
        call = ToolCall(id=event.id, name=event.name, arguments="", provider_data=event.provider_data)
        item = {**call_item(call, self._made("fc")), "status": "in_progress"}
        self._calls[event.index] = _OpenCall(call, self._begin_item(item, frames), item)

    def _arguments(self, call: _OpenCall, arguments: str, frames: list[bytes]) -> None:
        call.written.append(arguments)
        kind = "custom_tool_call_input" if call.kind == "custom_tool_call" else "function_call_arguments"
        self._event(f"response.{kind}.delta", frames, item_id=call.item_id, output_index=call.index, delta=arguments)

    def _end_call(self, index: int, ended: ToolCall | None, frames: list[bytes]) -> None:
        call = self._calls.pop(index)
        arguments = call.arguments
        if ended is not None and not arguments:
            arguments = ended.arguments
        if call.kind == "custom_tool_call":
            self._event("response.custom_tool_call_input.done", frames, item_id=call.item_id, output_index=call.index, input=arguments)
        else:
            where = {"item_id": call.item_id, "output_index": call.index, "name": call.call.name}
            self._event("response.function_call_arguments.done", frames, **where, arguments=arguments)
        data: ProviderData | None = call.call.provider_data
        whole = ToolCall(id=call.call.id, name=call.call.name, arguments=arguments, provider_data=data)
        self._done(call.index, call_item(whole, call.item_id), frames)

    def _finish(self, response: ChatResponse, frames: list[bytes]) -> None:
        self._start(frames)
        self._close_item(frames)
        for index in list(self._calls):
            self._end_call(index, None, frames)
        output = [self._items[index] for index in sorted(self._items)]
        whole = self._frame.whole(response, output)
        whole |= {"id": self._id, "model": self._model}
        if self._late_warnings:
            whole["warnings"] = self._late_warnings
        self._event(f"response.{whole['status']}", frames, response=whole)


def _beginning(own: dict[str, Any]) -> dict[str, Any]:
    """What is known of a thought that begins: its item's id, and whether it is a summary. A whole reply gives the item at once."""
    item = object_of(own.get("item"))
    return {"id": item.get("id"), "kind": "content" if item.get("content") else "summary"} if item else own
