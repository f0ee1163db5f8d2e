"""Reads replies of Cohere's second chat wire, streamed and complete, into events. Knows nothing of how a request is written.

https://docs.cohere.com/v2/docs/streaming (read 2026-11-25); recordings of 2025 and 2026.
"""

from __future__ import annotations

from typing import Any

from parley.contract.errors import ProtocolError, StreamTruncatedError
from parley.contract.events import CitationAdded, Event, ReasoningDelta, ReasoningEnded, ResponseFinished, TextDelta, UsageReported
from parley.contract.http import ResponseHead
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, Citation, FinishReason
from parley.contract.usage import UsageReport
from parley.wire.errors import provider_error
from parley.wire.json_values import count_of, first_text, json_text, list_of, object_of, text_of
from parley.wire.openai_chat_errors import error_in
from parley.wire.reply_decoder import ReplyDecoder
from parley.wire.tool_calls import ToolCallAssembler, ToolCallFragment

_FINISH_REASONS: dict[str, FinishReason] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "ERROR_LIMIT": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "content_filter",
    "USER_CANCEL": "cancelled",
    "ERROR": "error",
    "TIMEOUT": "error",
}


class CohereDecoder(ReplyDecoder):
    """One reply. It is whole once its finish reason came, in `message-end`. The plan that precedes tool calls counts as reasoning."""

    def __init__(self, request: ChatRequest, head: ResponseHead, *, wire: str) -> None:
        super().__init__(request, head, wire=wire)
        self._calls = ToolCallAssembler()
        self._begun_calls = 0
        self._thought = ""
        self._text_length = 0
        self._text_began_at: dict[int, int] = {}
        self._reason: str | None = None

    def _read(self, value: dict[str, Any], name: str, events: list[Event]) -> None:
        if self._ended:
            return
        kind = text_of(value.get("type"))
        if self._document is not None or (not kind and "finish_reason" in value):
            self._read_whole(value, events)
            return
        delta = object_of(value.get("delta"))
        message = object_of(delta.get("message"))
        if kind == "message-start":
            self._begin(value, events)
        elif kind in {"content-start", "content-delta"}:
            self._read_content(_place(value), object_of(message.get("content")), events)
        elif kind == "tool-plan-delta":
            self._add_thought(text_of(message.get("tool_plan")), "plan", events)
        elif kind in {"tool-call-start", "tool-call-delta"}:
            self._begun_calls += kind == "tool-call-start"
            self._read_call(self._begun_calls, object_of(message.get("tool_calls")), events)
        elif kind == "citation-start":
            self._read_citations(message.get("citations"), events)
        elif kind == "message-end":
            self._read_end(delta, events)
            self._end(events)
        elif kind == "error" or value.get("error") or (not kind and value.get("message")):
            raise error_in(self._head, value)

    def _inside_call(self) -> bool:
        return self._reason is None and self._calls.open

    def _finish(self, events: list[Event]) -> None:
        if self._reason is None:
            if self._document is not None:
                raise ProtocolError("the provider answered with JSON that is no reply; check that its endpoint is right")
            raise StreamTruncatedError("the reply ended before its finish reason came")
        self._end_thought(events)
        events += self._calls.close()
        reason = _FINISH_REASONS.get(self._reason.upper(), "unknown")
        if len(self._calls) and reason in {"stop", "unknown"}:
            reason = "tool_calls"
        events.append(ResponseFinished(response=ChatResponse(finish_reason=reason, raw_finish_reason=self._reason)))

    def _begin(self, value: dict[str, Any], events: list[Event]) -> None:
        reply_id = text_of(value.get("id"))
        self._start(events, reply_id=reply_id or None, model=None)
        self._calls.seed = self._calls.seed or reply_id

    def _read_whole(self, value: dict[str, Any], events: list[Event]) -> None:
        if not isinstance(value.get("message"), dict) and (value.get("message") or value.get("error")):
            raise error_in(self._head, value)
        message = object_of(value.get("message"))
        self._begin(value, events)
        self._add_thought(text_of(message.get("tool_plan")), "plan", events)
        for position, content in enumerate(list_of(message.get("content"))):
            self._read_content(position, object_of(content), events)
        for position, call in enumerate(list_of(message.get("tool_calls"))):
            self._read_call(position, object_of(call), events)
        self._read_citations(message.get("citations"), events)
        self._read_end(value, events)

    def _read_content(self, position: int, content: dict[str, Any], events: list[Event]) -> None:
        self._add_thought(text_of(content.get("thinking")), "thinking", events)
        text = text_of(content.get("text"))
        if text:
            self._end_thought(events)
            self._text_began_at.setdefault(position, self._text_length)
            self._text_length += len(text)
            events.append(TextDelta(text))

    def _add_thought(self, text: str, kind: str, events: list[Event]) -> None:
        if not text:
            return
        if self._thought != kind:
            self._end_thought(events)
            self._thought = kind
        events.append(ReasoningDelta(text))

    def _end_thought(self, events: list[Event]) -> None:
        if self._thought:
            events.append(ReasoningEnded(provider_data=self._own({"kind": self._thought})))
            self._thought = ""

    def _read_call(self, position: int, call: dict[str, Any], events: list[Event]) -> None:
        function = object_of(call.get("function"))
        given = function.get("arguments")
        arguments = text_of(given) or (json_text(given) if isinstance(given, dict) else "")
        self._end_thought(events)
        events += self._calls.add(
            ToolCallFragment(
                index=position,
                id=text_of(call.get("id")),
                name=text_of(function.get("name")),
                # A call of a tool without parameters has "null" for them.
                arguments="" if arguments.strip() == "null" else arguments,
            )
        )

    def _read_citations(self, value: Any, events: list[Event]) -> None:
        """One in a stream's event, a list in a document. Positions count within a text of the reply, or of the plan."""
        for raw in [object_of(value)] if isinstance(value, dict) else map(object_of, list_of(value)):
            began_at = self._text_began_at.get(count_of(raw.get("content_index")) or 0, next(iter(self._text_began_at.values()), 0))
            start, end = count_of(raw.get("start")), count_of(raw.get("end"))
            in_text = raw.get("type") != "PLAN" and start is not None and end is not None
            sources = [object_of(source) for source in list_of(raw.get("sources"))]
            for source in sources or [{}]:
                found = object_of(source.get("document")) or object_of(source.get("tool_output"))
                citation = Citation(
                    url=text_of(found.get("url")) or None,
                    title=first_text(found.get("title"), source.get("id")) or None,
                    text=first_text(found.get("snippet"), found.get("text"), found.get("content")) or None,
                    start_index=began_at + start if in_text and start is not None else None,
                    end_index=began_at + end if in_text and end is not None else None,
                )
                events.append(CitationAdded(citation=citation))

    def _read_end(self, carrier: dict[str, Any], events: list[Event]) -> None:
        self._report_usage(object_of(carrier.get("usage")), events)
        reason = text_of(carrier.get("finish_reason"))
        problem = text_of(carrier.get("error"))
        if problem:
            raise provider_error(self._head, message=problem, provider_code=reason or None)
        self._reason = reason or self._reason

    def _report_usage(self, usage: dict[str, Any], events: list[Event]) -> None:
        """`tokens` is what the model read and wrote, `billed_units` leaves out the vendor's own prompt; images are counted apart."""
        counts = object_of(usage.get("tokens")) or object_of(usage.get("billed_units"))
        prompt = count_of(counts.get("input_tokens"))
        report = UsageReport(
            prompt_tokens=None if prompt is None else prompt + (count_of(counts.get("image_tokens")) or 0),
            completion_tokens=count_of(counts.get("output_tokens")),
            cached_tokens=count_of(usage.get("cached_tokens")),
            reasoning_tokens=count_of(counts.get("reasoning_tokens")),
        )
        if report != UsageReport():
            events.append(UsageReported(usage=report))


def _place(value: dict[str, Any]) -> int:
    index = value.get("index")
    return index if isinstance(index, int) else 0
