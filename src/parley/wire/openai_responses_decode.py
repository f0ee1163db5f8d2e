"""Reads replies of OpenAI's Responses wire, streamed and complete, into events. Knows nothing of how a request is written.

https://platform.openai.com/docs/api-reference/responses-streaming; recordings of 2025 and 2026 from ten vendors.
"""

from __future__ import annotations

from typing import Any

import msgspec

from parley.contract.errors import ParleyError, ProtocolError, StreamTruncatedError
from parley.contract.events import (
    CitationAdded,
    Event,
    PartAdded,
    ReasoningDelta,
    ReasoningEnded,
    RefusalDelta,
    ResponseFinished,
    TextDelta,
    UsageReported,
)
from parley.contract.http import ResponseHead
from parley.contract.messages import ImagePart, ProviderData, TextPart
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, Citation, FinishReason
from parley.contract.usage import UsageReport
from parley.wire.errors import plain_words
from parley.wire.json_values import count_of, first_text, list_of, object_of, text_of
from parley.wire.openai_chat_errors import error_in
from parley.wire.openai_chat_fallback import ChatFallback
from parley.wire.reply_decoder import ReplyDecoder
from parley.wire.structured_output import structured_tool_name
from parley.wire.tool_calls import ToolCallAssembler, ToolCallFragment

MAX_ITEMS = 4096
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
_CALL_FIELDS = frozenset({"type", "status", "call_id", "name", "arguments", "input"})
_THOUGHTS = (("summary", "summary"), ("content", "content"))
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
_INCOMPLETE: dict[str, FinishReason] = {"max_output_tokens": "length", "max_tokens": "length", "content_filter": "content_filter"}
_STATUSES: dict[str, FinishReason] = {"completed": "stop", "complete": "stop", "cancelled": "cancelled", "incomplete": "unknown"}


class _Item:
    """An output item that is being received: its kind, which of its pieces have delivered something, and whether it is over. `own` is
    what is known of it from its beginning.
    """

    __slots__ = ("answer", "began_at", "done", "id", "kind", "own", "piece", "seen")

    def __init__(self, kind: str, item_id: str) -> None:
        self.kind = kind
        self.id = item_id
        self.own: dict[str, Any] = {"id": item_id} if item_id else {}
        self.answer = False
        self.seen: set[tuple[str, int]] = set()
        self.piece: tuple[str, int] | None = None
        self.began_at: dict[int, int] = {}
        self.done = False


class OpenAIResponsesDecoder(ReplyDecoder):
    """One reply. It is whole once the event came that carries the final response; that also repeats every item, and is read for what the
    stream had not brought. Items are told apart by their index: some gateways give them another id in each event.
    """

    def __init__(self, request: ChatRequest, head: ResponseHead, *, wire: str) -> None:
        super().__init__(request, head, wire=wire)
        self._answer_tool = structured_tool_name(request)
        self._calls = ToolCallAssembler()
        self._items: dict[int, _Item] = {}
        self._cited: set[tuple[int, int, int]] = set()
        self._text_length = 0
        self._repeated = 0
        self._chat = ChatFallback(request, head)
        self._final: dict[str, Any] | None = None
        self._readers = {
            "response.output_text.delta": self._read_text,
            "response.reasoning_summary_text.delta": self._read_summary,
            "response.reasoning_text.delta": self._read_thought,
            "response.function_call_arguments.delta": self._read_arguments,
            "response.custom_tool_call_input.delta": self._read_arguments,
            "response.refusal.delta": self._read_refusal,
            "response.output_item.added": self._read_item_added,
            "response.output_item.done": self._read_item_done,
            "response.output_text.annotation.added": self._read_annotation,
        }

    def _read(self, value: dict[str, Any], name: str, events: list[Event]) -> None:
        if self._ended:
            return
        if self._chat.takes(value):
            self._chat.read(value, events, document=self._document is not None)
            return
        kind = value.get("type")
        kind = kind if isinstance(kind, str) else name
        reader = self._readers.get(kind)
        if reader is not None:
            reader(value, events)
        elif kind in _ENDS:
            self._read_response(object_of(value.get("response")), kind, events)
            self._end(events)
        elif isinstance(value.get("response"), dict):
            self._name(object_of(value["response"]), events)
        elif kind == "error" or value.get("error"):
            raise error_in(self._head, {key: told for key, told in value.items() if key != "type"})
        elif self._document is not None:
            self._read_document_of(value, events)

    @property
    def whole(self) -> bool:
        """See parley.contract.codec.KnowsWhole. This wire's own last event ends the reply by itself."""
        return self._chat.whole

    def _inside_call(self) -> bool:
        return any(item.kind not in {"message", "reasoning"} and not item.done for item in self._items.values())

    def _finish(self, events: list[Event]) -> None:
        if self._chat.active:
            self._chat.close(events)
            return
        if self._final is None:
            if self._document is not None:
                raise ProtocolError("the provider answered with JSON that is no response; check that its endpoint is right")
            raise StreamTruncatedError("the reply ended before the event that carries the whole response")
        events += self._calls.close()
        final = self._final
        status = text_of(final.get("status"))
        reason = text_of(object_of(final.get("incomplete_details")).get("reason"))
        finish_reason = _INCOMPLETE.get(reason, "unknown") if reason else _STATUSES.get(status, "unknown")
        if len(self._calls) and finish_reason in {"stop", "unknown"}:
            finish_reason = "tool_calls"
        raw = reason or status or None
        events.append(ResponseFinished(response=ChatResponse(finish_reason=finish_reason, raw_finish_reason=raw)))

    def _read_document_of(self, value: dict[str, Any], events: list[Event]) -> None:
        if isinstance(value.get("output"), list) or value.get("object") == "response":
            self._read_response(value, "", events)
        else:
            raise ProtocolError(plain_words(self._head, msgspec.json.encode(value)))

    def _read_response(self, response: dict[str, Any], kind: str, events: list[Event]) -> None:
        """A whole response, after a stream or by itself."""
        self._name(response, events)
        for index, item in enumerate(list_of(response.get("output"))):
            known = self._items.get(index)
            if known is None or not known.done:
                self._finish_item(index, object_of(item), events)
        self._report_usage(object_of(response.get("usage")), events)
        error = response.get("error")
        if error or kind == "response.failed" or response.get("status") == "failed":
            raise self._failed(error)
        self._final = response

    def _failed(self, error: Any) -> ParleyError:
        return error_in(self._head, {"error": error or {"code": "server_error", "message": "the provider gave up without saying why"}})

    def _name(self, response: dict[str, Any], events: list[Event]) -> None:
        reply_id = text_of(response.get("id"))
        self._start(events, reply_id=reply_id or None, model=text_of(response.get("model")) or None)
        self._calls.seed = self._calls.seed or reply_id

    def _report_usage(self, raw: dict[str, Any], events: list[Event]) -> None:
        inputs, outputs = object_of(raw.get("input_tokens_details")), object_of(raw.get("output_tokens_details"))
        report = UsageReport(
            prompt_tokens=count_of(raw.get("input_tokens")),
            completion_tokens=count_of(raw.get("output_tokens")),
            total_tokens=count_of(raw.get("total_tokens")),
            cached_tokens=count_of(inputs.get("cached_tokens")),
            cache_write_tokens=count_of(inputs.get("cache_write_tokens")),
            reasoning_tokens=count_of(outputs.get("reasoning_tokens")),
        )
        if report != UsageReport():
            events.append(UsageReported(usage=report))

    def _read_text(self, value: dict[str, Any], events: list[Event]) -> None:
        text = value.get("delta")
        if isinstance(text, str) and text:
            self._add_text(self._item_of(value, "message"), _place(value, "content_index"), text=text, events=events)

    def _read_summary(self, value: dict[str, Any], events: list[Event]) -> None:
        self._add_thought(
            self._item_of(value, "reasoning"), ("summary", _place(value, "summary_index")), text=text_of(value.get("delta")), events=events
        )

    def _read_thought(self, value: dict[str, Any], events: list[Event]) -> None:
        self._add_thought(
            self._item_of(value, "reasoning"), ("content", _place(value, "content_index")), text=text_of(value.get("delta")), events=events
        )

    def _read_refusal(self, value: dict[str, Any], events: list[Event]) -> None:
        item, text = self._item_of(value, "message"), text_of(value.get("delta"))
        if text:
            item.seen.add(("refusal", _place(value, "content_index")))
            events.append(RefusalDelta(text))

    def _read_arguments(self, value: dict[str, Any], events: list[Event]) -> None:
        index = _place(value, "output_index")
        item = self._items.get(index)
        if item is None:
            raise ProtocolError("the provider sent arguments of a tool call that had not begun")
        text = text_of(value.get("delta"))
        if text:
            item.seen.add(("arguments", 0))
            self._add_arguments(item, index, text=text, events=events)

    def _add_arguments(self, item: _Item, index: int, *, text: str, events: list[Event]) -> None:
        if item.answer:
            self._add_text(item, 0, text=text, events=events)
        else:
            events += self._calls.add(ToolCallFragment(index=index, arguments=text))

    def _read_item_added(self, value: dict[str, Any], events: list[Event]) -> None:
        index = _place(value, "output_index")
        if index not in self._items:
            self._begin_item(index, object_of(value.get("item")), events)

    def _read_item_done(self, value: dict[str, Any], events: list[Event]) -> None:
        index = _place(value, "output_index")
        item = self._items.get(index)
        if item is None or not item.done:
            self._finish_item(index, object_of(value.get("item")), events)
            return
        self._repeated += 1
        if self._repeated > MAX_ITEMS:
            raise ProtocolError(f"the provider sent more than {MAX_ITEMS} output items again")

    def _item_of(self, value: dict[str, Any], kind: str) -> _Item:
        """The item that a delta belongs to; one that was not announced begins with it."""
        index = _place(value, "output_index")
        item = self._items.get(index)
        return item if item is not None else self._new_item(index, kind, text_of(value.get("item_id")))

    def _new_item(self, index: int, kind: str, item_id: str) -> _Item:
        if len(self._items) >= MAX_ITEMS:
            raise ProtocolError(f"the provider sent more than {MAX_ITEMS} output items in one reply")
        item = self._items[index] = _Item(kind, item_id)
        return item

    def _begin_item(self, index: int, raw: dict[str, Any], events: list[Event]) -> _Item:
        kind, name = text_of(raw.get("type")), text_of(raw.get("name"))
        item = self._new_item(index, kind, text_of(raw.get("id")))
        if raw.get("phase"):
            item.own["phase"] = raw["phase"]
        if kind not in _CALLS:
            return item
        if name and name == self._answer_tool:
            item.answer = True
            return item
        events += self._calls.add(
            ToolCallFragment(
                index=index, id=first_text(raw.get("call_id"), raw.get("id")), name=name, provider_data=self._call_data(raw, kind)
            )
        )
        return item

    def _call_data(self, raw: dict[str, Any], kind: str) -> ProviderData | None:
        own = {name: value for name, value in raw.items() if name not in _CALL_FIELDS and value is not None}
        if kind == "custom_tool_call":
            own["custom"] = True
        return self._own(own) if own else None

    def _finish_item(self, index: int, raw: dict[str, Any], events: list[Event]) -> None:
        """The whole item: what of it the stream has not brought is read from here, then its part ends."""
        item = self._items.get(index) or self._begin_item(index, raw, events)
        item.done = True
        if item.kind == "message":
            self._finish_message(index, item, raw=raw, events=events)
        elif item.kind == "reasoning":
            self._finish_reasoning(item, raw, events)
        elif item.kind in _CALLS:
            text = text_of(raw.get(_CALLS[item.kind]))
            if text and ("arguments", 0) not in item.seen:
                self._add_arguments(item, index, text=text, events=events)
        elif item.kind:
            events.append(PartAdded(part=self._part_of(raw)))

    def _finish_message(self, index: int, item: _Item, *, raw: dict[str, Any], events: list[Event]) -> None:
        for number, content in enumerate(map(object_of, list_of(raw.get("content")))):
            text, refusal = text_of(content.get("text")), text_of(content.get("refusal"))
            if text and ("text", number) not in item.seen:
                self._add_text(item, number, text=text, events=events)
            if refusal and ("refusal", number) not in item.seen:
                events.append(RefusalDelta(refusal))
            for position, annotation in enumerate(list_of(content.get("annotations"))):
                self._cite(item, (index, number, position), raw=object_of(annotation), events=events)
        if item.piece is not None:
            self._end_text(item, raw, events)

    def _end_text(self, item: _Item, raw: dict[str, Any], events: list[Event]) -> None:
        own = {name: value for name in ("id", "phase") if (value := raw.get(name) or item.own.get(name))}
        if own:
            events.append(TextDelta("", self._own(own)))
        item.piece = None

    def _finish_reasoning(self, item: _Item, raw: dict[str, Any], events: list[Event]) -> None:
        for field, kind in _THOUGHTS:
            for number, thought in enumerate(map(object_of, list_of(raw.get(field)))):
                if (kind, number) not in item.seen:
                    self._add_thought(item, (kind, number), text=text_of(thought.get("text")), events=events)
        encrypted = text_of(raw.get("encrypted_content"))
        if item.piece is None and not encrypted and not raw.get("id"):
            return
        events.append(ReasoningEnded(redacted=None if item.piece else encrypted or None, provider_data=self._own({"item": raw})))

    def _add_text(self, item: _Item, number: int, *, text: str, events: list[Event]) -> None:
        piece = ("text", number)
        if item.piece != piece:
            if item.piece is not None:
                self._end_text(item, {}, events)
            item.piece = piece
            item.seen.add(piece)
            item.began_at[number] = self._text_length
            events.append(TextDelta(text, begins=self._own(item.own) if item.own else None))
        else:
            events.append(TextDelta(text))
        self._text_length += len(text)

    def _add_thought(self, item: _Item, piece: tuple[str, int], *, text: str, events: list[Event]) -> None:
        """Each summary is a part by itself; the last part of an item carries what goes back to the vendor."""
        if not text:
            return
        if item.piece != piece:
            if item.piece is not None:
                events.append(ReasoningEnded(provider_data=self._own({"id": item.id})))
            item.piece = piece
            item.seen.add(piece)
            events.append(ReasoningDelta(text, begins=self._own({"id": item.id, "kind": piece[0]})))
        else:
            events.append(ReasoningDelta(text))

    def _part_of(self, raw: dict[str, Any]) -> TextPart | ImagePart:
        """A hosted tool's item, to be sent back unchanged; a generated image is one."""
        image = text_of(raw.get("result")) if raw.get("type") == "image_generation_call" else ""
        if image:
            kept = {name: value for name, value in raw.items() if name != "result"}
            media_type = f"image/{text_of(raw.get('output_format')) or 'png'}"
            return ImagePart(media_type=media_type, data=image, provider_data=self._own({"item": kept}))
        return TextPart(text="", provider_data=self._own({"item": raw}))

    def _read_annotation(self, value: dict[str, Any], events: list[Event]) -> None:
        place = _place(value, "output_index"), _place(value, "content_index"), _place(value, "annotation_index")
        self._cite(self._item_of(value, "message"), place, raw=object_of(value.get("annotation")), events=events)

    def _cite(self, item: _Item, place: tuple[int, int, int], *, raw: dict[str, Any], events: list[Event]) -> None:
        if place in self._cited:
            return
        self._cited.add(place)
        source = object_of(raw.get("url_citation")) or raw
        url, title = text_of(source.get("url")), first_text(source.get("title"), source.get("filename"))
        if not (url or title):
            return
        began_at = item.began_at.get(place[1], 0)
        start, end = count_of(source.get("start_index")), count_of(source.get("end_index"))
        citation = Citation(
            url=url or None,
            title=title or None,
            start_index=None if start is None else began_at + start,
            end_index=None if end is None else began_at + end,
        )
        events.append(CitationAdded(citation=citation))


def _place(value: dict[str, Any], field: str) -> int:
    place = value.get(field)
    return place if isinstance(place, int) else 0
