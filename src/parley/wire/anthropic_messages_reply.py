"""Reads Anthropic's Messages replies, streamed and complete, into events. Knows nothing of how a request is written.

https://docs.claude.com/en/api/messages-streaming (read 2026-11-22); recordings of 2024 to 2026.
"""

from __future__ import annotations

from typing import Any

from parley.contract.errors import ModelNotFoundError, ParleyError, ProtocolError, ProviderError, RequestRejectedError, StreamTruncatedError
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
    WarningRaised,
)
from parley.contract.http import ResponseHead
from parley.contract.messages import TextPart
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, Citation, FinishReason, ResponseWarning
from parley.contract.usage import UsageReport
from parley.wire.errors import no_reply, plain_words, provider_error
from parley.wire.json_events import decode_json, decode_object
from parley.wire.json_values import count_of, first_text, json_text, list_of, object_of, text_of
from parley.wire.reply_decoder import ReplyDecoder
from parley.wire.structured_output import structured_tool_name
from parley.wire.tool_calls import ToolCallAssembler, ToolCallFragment

_FINISH_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "compaction": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    # Words that servers which also speak OpenAI's wire let through.
    "stop": "stop",
    "length": "length",
    "max_output_tokens": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "sensitive": "content_filter",
}
_TOOL_CALL_FIELDS = frozenset({"type", "id", "name", "input", "cache_control"})
MAX_OPEN_BLOCKS = 1024
_PLAIN_BLOCKS = frozenset({"text", "thinking", "redacted_thinking"})


class _Block:
    """A content block that is being received: what it began with, and what came for it since."""

    __slots__ = ("citations", "has_text", "json", "kind", "others", "raw", "signature")

    def __init__(self, kind: str, raw: dict[str, Any]) -> None:
        self.kind = kind
        self.raw = raw
        self.has_text = False
        self.json: list[str] = []
        self.signature = [text_of(raw.get("signature"))]
        self.citations: list[dict[str, Any]] = []
        self.others: dict[str, list[Any]] = {}

    def whole(self) -> dict[str, Any]:
        """The block with its deltas of kinds we do not know: text goes on, anything else replaces (`compaction_delta`, what may come)."""
        merged = dict(self.raw)
        for name, values in self.others.items():
            texts = [value for value in (merged.get(name, ""), *values) if isinstance(value, str)]
            merged[name] = "".join(texts) if isinstance(values[-1], str) else values[-1]
        return merged


class MessagesDecoder(ReplyDecoder):
    """One reply. It is whole once its stop reason came: that travels in `message_delta`, after every block and with the final usage, so
    that a `message_stop` which a proxy swallowed takes nothing away. A block that has no common form is kept to be sent back unchanged.
    """

    def __init__(self, request: ChatRequest, head: ResponseHead, *, wire: str) -> None:
        super().__init__(request, head, wire=wire)
        self._structured_tool = structured_tool_name(request)
        self._calls = ToolCallAssembler()
        self._calls_before = 0
        self._blocks: dict[int, _Block] = {}
        self._text_may_go_on = False
        self._usage: dict[str, Any] = {}
        self._open_message: str | None = None
        self._stop_reason: str | None = None
        self._stopped = False
        self._readers = {
            "content_block_delta": self._read_delta,
            "content_block_start": self._read_block_start,
            "content_block_stop": self._read_block_stop,
            "message_start": self._read_message_start,
            "message_delta": self._read_message_delta,
            "message_stop": self._read_message_stop,
            "message": self._read_message,
            "error": self._read_error,
        }

    def _read(self, value: dict[str, Any], name: str, events: list[Event]) -> None:
        kind = value.get("type")
        if name == "error" or not isinstance(kind, str):
            kind = "error" if name == "error" else _kind_of(value, name)
        reader = self._readers.get(kind)
        if reader is not None:
            reader(value, events)

    def _inside_call(self) -> bool:
        return any(block.kind not in _PLAIN_BLOCKS for block in self._blocks.values())

    @property
    def whole(self) -> bool:
        """See parley.contract.codec.KnowsWhole."""
        return self._stop_reason is not None

    def _finish(self, events: list[Event]) -> None:
        if not self._started and self._document is not None:
            raise ProtocolError("the provider answered with JSON that is no message; check that its endpoint is right")
        if self._stop_reason is None and not self._stopped:
            raise StreamTruncatedError("the reply ended before its stop reason came")
        self._end_blocks(events)
        reason = self._stop_reason
        finish_reason = _FINISH_REASONS.get(reason or "", "unknown")
        if len(self._calls) > self._calls_before and reason != "pause_turn" and finish_reason in {"stop", "unknown"}:
            finish_reason = "tool_calls"
        elif finish_reason == "tool_calls" and not len(self._calls):
            finish_reason = "stop"
        events.append(ResponseFinished(response=ChatResponse(finish_reason=finish_reason, raw_finish_reason=reason)))

    def _read_message_start(self, value: dict[str, Any], events: list[Event]) -> None:
        """Gateways repeat this event (the same id: ignored), or try again in the middle and append the second try to the first (another
        id: the first one was cut). After `message_stop` another message goes on with the reply.
        """
        message = object_of(value.get("message"))
        message_id = text_of(message.get("id"))
        if self._open_message is not None:
            if message_id == self._open_message:
                return
            raise StreamTruncatedError("another message began before the first one ended; the provider's connection was cut on its way")
        self._open_message = message_id
        self._calls_before = len(self._calls)
        self._stop_reason, self._stopped = None, False
        self._read_content(message, events)

    def _read_message(self, message: dict[str, Any], events: list[Event]) -> None:
        """A whole message: the document, or what MiniMax closes a stream with, where it repeats all that came
        (https://github.com/songquanpeng/one-api/issues/2406, read 2026-11-22).
        """
        if self._started and self._document is None:
            self._read_stop(message, events)
            self._report_usage(message.get("usage"), events, whole=self._stop_reason is not None)
        else:
            self._read_content(message, events)

    def _read_content(self, message: dict[str, Any], events: list[Event]) -> None:
        reply_id = text_of(message.get("id")) or None
        self._start(events, reply_id=reply_id, model=text_of(message.get("model")) or None)
        self._calls.seed = self._calls.seed or reply_id or ""
        content = message.get("content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list_of(content)
        for index, block in enumerate(blocks):
            self._start_block(index, object_of(block), events)
            self._stop_block(index, events)
        self._read_stop(message, events)
        self._report_usage(message.get("usage"), events, whole=self._stop_reason is not None)

    def _read_message_delta(self, value: dict[str, Any], events: list[Event]) -> None:
        self._read_stop(object_of(value.get("delta")), events)
        self._report_usage(value.get("usage"), events, whole=True)

    def _read_message_stop(self, _: dict[str, Any], events: list[Event]) -> None:
        self._end_blocks(events)
        self._open_message = None
        self._stopped = True

    def _read_error(self, value: dict[str, Any], _: list[Event]) -> None:
        raise messages_error(self._head, value)

    def _read_stop(self, carrier: dict[str, Any], events: list[Event]) -> None:
        reason = carrier.get("stop_reason")
        if isinstance(reason, str) and reason:
            self._stop_reason = reason
        if reason == "refusal":
            explanation = text_of(object_of(carrier.get("stop_details")).get("explanation"))
            if explanation:
                events.append(RefusalDelta(explanation))

    def _report_usage(self, value: Any, events: list[Event], *, whole: bool) -> None:
        """Counts are cumulative. The output count of `message_start` is only that of its first token, and therefore not passed on.

        Servers that learn the input's count late, or never, write 0 at the start, others 0 at the end after the count at the start
        (SGLang: https://github.com/sgl-project/sglang/pull/20830, read 2026-11-22). No prompt has 0 tokens.
        """
        usage = self._usage
        usage.update((name, count) for name, count in object_of(value).items() if count or (count == 0 and name not in usage))
        fresh, read = count_of(usage.get("input_tokens")), count_of(usage.get("cache_read_input_tokens"))
        written = count_of(usage.get("cache_creation_input_tokens"))
        report = UsageReport(
            prompt_tokens=None if fresh is None else fresh + (read or 0) + (written or 0) or None,
            completion_tokens=count_of(usage.get("output_tokens")) if whole else None,
            cached_tokens=read,
            cache_write_tokens=written,
            reasoning_tokens=count_of(object_of(usage.get("output_tokens_details")).get("thinking_tokens")),
        )
        if report != UsageReport():
            events.append(UsageReported(usage=report))

    def _read_block_start(self, value: dict[str, Any], events: list[Event]) -> None:
        self._start_block(count_of(value.get("index")) or 0, object_of(value.get("content_block")), events)

    def _read_block_stop(self, value: dict[str, Any], events: list[Event]) -> None:
        self._stop_block(count_of(value.get("index")) or 0, events)

    def _start_block(self, index: int, raw: dict[str, Any], events: list[Event]) -> None:
        self._stop_block(index, events)
        if len(self._blocks) >= MAX_OPEN_BLOCKS:
            raise ProtocolError(f"the provider began more than {MAX_OPEN_BLOCKS} content blocks without ending one")
        kind = text_of(raw.get("type"))
        if kind == "tool_use" and raw.get("name") == self._structured_tool:
            kind = "structured_output"
        block = self._blocks[index] = _Block(kind, dict(raw))
        if kind == "text":
            self._start_text(block, events)
            return
        self._text_may_go_on = False
        if kind == "thinking":
            self._add_reasoning(block, text_of(raw.get("thinking")), events)
        elif kind == "tool_use":
            extra = {name: value for name, value in raw.items() if name not in _TOOL_CALL_FIELDS}
            events += self._calls.add(
                ToolCallFragment(
                    index=index,
                    id=text_of(raw.get("id")),
                    name=text_of(raw.get("name")),
                    provider_data=self._own({"fields": extra}) if extra else None,
                )
            )

    def _start_text(self, block: _Block, events: list[Event]) -> None:
        if self._text_may_go_on:
            # Two text blocks in a row stay two: each has its own citations, and goes back as it came.
            events.append(TextDelta("", self._own({})))
            self._text_may_go_on = False
        self._add_text(block, text_of(block.raw.get("text")), events)
        for citation in list_of(block.raw.get("citations")):
            self._add_citation(block, object_of(citation), events)

    def _read_delta(self, value: dict[str, Any], events: list[Event]) -> None:
        index = value.get("index")
        block = self._blocks.get(index if isinstance(index, int) else 0)
        delta = object_of(value.get("delta"))
        kind = delta.get("type")
        if kind == "text_delta":
            self._add_text(block, text_of(delta.get("text")), events)
        elif kind == "thinking_delta":
            self._add_reasoning(block, text_of(delta.get("thinking")), events)
        elif kind == "input_json_delta":
            self._add_json(block, count_of(index) or 0, text=_json_of(delta.get("partial_json")), events=events)
        elif block is None:
            return
        elif kind == "signature_delta":
            block.signature.append(text_of(delta.get("signature")))
        elif kind == "citations_delta":
            self._add_citation(block, object_of(delta.get("citation")), events)
        elif block.kind not in _PLAIN_BLOCKS:
            for name in delta.keys() - {"type"}:
                block.others.setdefault(name, []).append(delta[name])

    def _add_text(self, block: _Block | None, text: str, events: list[Event]) -> None:
        if text:
            events.append(TextDelta(text))
            if block is not None:
                block.has_text = True

    def _add_reasoning(self, block: _Block | None, text: str, events: list[Event]) -> None:
        if text:
            events.append(ReasoningDelta(text))
            if block is not None:
                block.has_text = True

    def _add_json(self, block: _Block | None, index: int, *, text: str, events: list[Event]) -> None:
        if block is None:
            raise ProtocolError("the provider sent arguments of a tool call that had not begun")
        if not text:
            return
        block.json.append(text)
        if block.kind == "tool_use":
            events += self._calls.add(ToolCallFragment(index=index, arguments=text))
        elif block.kind == "structured_output":
            events.append(TextDelta(text))

    def _add_citation(self, block: _Block, raw: dict[str, Any], events: list[Event]) -> None:
        """`start_char_index` and its like are positions in the source, not in the reply, and stay in the block's own data."""
        if not raw:
            return
        block.citations.append(raw)
        citation = Citation(
            url=first_text(raw.get("url"), raw.get("source")) or None,
            title=first_text(raw.get("title"), raw.get("document_title")) or None,
            text=first_text(raw.get("cited_text")) or None,
        )
        events.append(CitationAdded(citation=citation))

    def _stop_block(self, index: int, events: list[Event]) -> None:
        block = self._blocks.pop(index, None)
        if block is None:
            return
        if block.kind == "text":
            self._stop_text(block, events)
        elif block.kind == "thinking":
            signature = "".join(block.signature) or None
            if signature or block.has_text:
                events.append(ReasoningEnded(signature=signature, provider_data=self._own({"kind": block.kind})))
        elif block.kind == "redacted_thinking":
            events.append(ReasoningEnded(redacted=text_of(block.raw.get("data")), provider_data=self._own({"kind": block.kind})))
        elif block.kind == "tool_use":
            self._stop_call(index, block, events)
        elif block.kind == "structured_output":
            if not block.json:
                events.append(TextDelta(json_text(object_of(block.raw.get("input")))))
        else:
            self._keep(block, events)

    def _stop_text(self, block: _Block, events: list[Event]) -> None:
        if block.has_text and block.citations:
            events.append(TextDelta("", self._own({"citations": block.citations})))
        self._text_may_go_on = block.has_text and not block.citations

    def _stop_call(self, index: int, block: _Block, events: list[Event]) -> None:
        whole = _json_of(block.raw.get("input"))
        if whole and not block.json:
            events += self._calls.add(ToolCallFragment(index=index, arguments=whole))
        if not any(other.kind == "tool_use" for other in self._blocks.values()):
            events += self._calls.close()

    def _keep(self, block: _Block, events: list[Event]) -> None:
        kept = block.whole()
        if block.json:
            merged = decode_object("".join(block.json).encode("utf-8", "surrogatepass"))
            if merged is None:
                message = f"the provider's own {block.raw.get('name') or block.kind} call was cut; its input was left out"
                events.append(WarningRaised(warning=ResponseWarning(code="invalid_event", message=message), incomplete=True))
            else:
                kept["input"] = merged
        events.append(PartAdded(part=TextPart(text="", provider_data=self._own({"block": kept}))))

    def _end_blocks(self, events: list[Event]) -> None:
        for index in list(self._blocks):
            self._stop_block(index, events)


def _kind_of(value: dict[str, Any], name: str) -> str:
    """What an object without a type is. "message" is also what an event without a name is called, such as a proxy's empty keep-alive."""
    if "error" in value:
        return "error"
    if not name and isinstance(value.get("content"), (list, str)):
        return "message"
    if not name and first_text(value.get("message"), value.get("detail")):
        return "error"
    return "" if name == "message" else name


def _json_of(value: Any) -> str:
    """A tool's input as JSON text, which gateways send as text or as an object; an empty one has none."""
    return json_text(value) if value and isinstance(value, dict) else text_of(value)


def messages_error(head: ResponseHead, value: dict[str, Any]) -> ProviderError:
    """The error that an error object stands for, wherever it stood."""
    details = object_of(value.get("error"))
    kind = first_text(details.get("type"), value.get("code"), *([] if value.get("type") == "error" else [value.get("type")]))
    message = first_text(details.get("message"), value.get("error"), value.get("message"), value.get("detail"), kind) or plain_words(
        head, json_text(value).encode()
    )
    error = provider_error(head, message=message, provider_code=kind or None, error_class=_class_of(kind, message))
    error.request_id = error.request_id or text_of(value.get("request_id")) or None
    return error


def _class_of(kind: str, message: str) -> type[ProviderError] | None:
    if kind == "not_found_error":
        # "model: claude-nowhere" is all that it says of a model.
        return ModelNotFoundError if "model" in message.lower() else RequestRejectedError
    return RequestRejectedError if kind == "request_too_large" else None


def decode_messages_error(head: ResponseHead, body: bytes) -> ParleyError:
    """The error that a reply stands for, JSON or not."""
    value = decode_json(body)
    if isinstance(value, list):
        value = next(iter(list_of(value)), None)
    return messages_error(head, object_of(value)) if isinstance(value, dict) else no_reply(head, body)
