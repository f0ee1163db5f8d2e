"""Reads replies of Amazon Bedrock's Converse wire, as a binary stream and as a document. Knows nothing of how a request is written.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html (read 2026-11-25); recordings of 2025 and 2026.
"""

from __future__ import annotations

from typing import Any

from parley.contract.errors import ParleyError, ProtocolError, StreamTruncatedError
from parley.contract.events import (
    CitationAdded,
    Event,
    PartAdded,
    ReasoningDelta,
    ReasoningEnded,
    ResponseFinished,
    TextDelta,
    UsageReported,
)
from parley.contract.http import ResponseHead
from parley.contract.messages import TextPart
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, Citation, FinishReason
from parley.contract.usage import UsageReport
from parley.wire.errors import classify, plain_words, provider_error
from parley.wire.eventstream import EventStreamParser, StreamMessage
from parley.wire.json_events import decode_object
from parley.wire.json_values import count_of, first_text, json_text, list_of, object_of, text_of
from parley.wire.reply_decoder import ReplyDecoder
from parley.wire.structured_output import structured_tool_name
from parley.wire.tool_calls import ToolCallAssembler, ToolCallFragment

_FINISH_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "refusal": "content_filter",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
}

_UNKNOWN_MODEL = "model identifier is invalid"
# Names that say no more than that something failed: the words say what.
_GENERAL = frozenset({"internalserverexception", "modelerrorexception", "modelstreamerrorexception", "modeltimeoutexception"})


def converse_error(head: ResponseHead, *, message: str, code: str) -> ParleyError:
    """The error that the service's own name for it (`ThrottlingException:http://…`) and its words mean."""
    name = code.partition(":")[0].rsplit("#", 1)[-1]
    known = "model_not_found" if _UNKNOWN_MODEL in message else "server_error" if name.lower() in _GENERAL else name
    error_class = classify(head.status, message, codes=(known,))
    return provider_error(head, message=message, provider_code=name or None, error_class=error_class)


def decode_converse_error(head: ResponseHead, body: bytes) -> ParleyError:
    """The error that a whole reply stands for. Its name may stand in a header only."""
    document = decode_object(body)
    code = first_text(head.headers.get("x-amzn-errortype"), object_of(document).get("__type"), object_of(document).get("code"))
    if document is None:
        return provider_error(head, message=plain_words(head, body), error_class=ProtocolError if head.status < 400 else None)
    message = first_text(document.get("message"), document.get("Message"), object_of(document.get("error")).get("message"))
    return converse_error(head, message=message or f"{head.provider or 'the provider'} answered with an error and no words", code=code)


class _Block:
    """A content block that is being received."""

    __slots__ = ("began_at", "call", "citations", "input", "kind", "raw", "redacted", "results", "signature", "text")

    def __init__(self, kind: str, raw: dict[str, Any], began_at: int) -> None:
        self.kind = kind
        self.raw = raw
        self.began_at = began_at
        self.call = 0
        self.text = False
        self.input: list[str] = []
        self.signature = ""
        self.redacted = ""
        self.citations: list[dict[str, Any]] = []
        self.results: list[Any] = []


class ConverseDecoder(ReplyDecoder):
    """One reply. It is whole once its stop reason came; the counts come behind it. The stream is binary, the whole reply is JSON."""

    def __init__(self, request: ChatRequest, head: ResponseHead, *, wire: str) -> None:
        super().__init__(request, head, wire=wire)
        self._answer_tool = structured_tool_name(request)
        self._binary: EventStreamParser | None = None
        self._calls = ToolCallAssembler(seed=head.headers.get("x-amzn-requestid", ""))
        self._blocks: dict[int, _Block] = {}
        self._text_length = 0
        self._begun_calls = 0
        self._reason: str | None = None
        self._readers = {
            "contentBlockDelta": self._read_delta,
            "contentBlockStart": self._read_start,
            "contentBlockStop": self._read_stop,
            "messageStop": self._read_message_stop,
            "metadata": self._read_metadata,
        }

    def _take(self, data: bytes, events: list[Event]) -> None:
        if self._binary is None and (self._document is not None or self._parser is not None or (self._beginning + data)[:1] != b"\0"):
            super()._take(data, events)
            return
        if self._binary is None:
            # A length in four bytes begins the stream; no text begins like that.
            self._binary = EventStreamParser()
        self._take_frames(self._binary, data, events)

    def _take_frames(self, binary: EventStreamParser, data: bytes, events: list[Event]) -> None:
        try:
            messages = binary.feed(data)
        except ProtocolError:
            if self._reason is not None:
                return  # what comes behind the end is no matter
            raise
        for message in messages:
            self._read_message(message, events)

    def _take_rest(self, events: list[Event]) -> None:
        if self._binary is None:
            super()._take_rest(events)
        else:
            self._take_frames(self._binary, b"", events)

    def _read_message(self, message: StreamMessage, events: list[Event]) -> None:
        kind = message.headers.get(":message-type", "event")
        if kind != "event":
            code = first_text(message.headers.get(":exception-type"), message.headers.get(":error-code"))
            told = first_text(object_of(decode_object(message.payload)).get("message"), message.headers.get(":error-message"))
            raise converse_error(self._head, message=told or f"the provider broke off: {code or kind}", code=code)
        value = self._json.decode(message.payload, strict=self._strict or self._inside_call())
        if isinstance(value, dict):
            self._read(value, message.headers.get(":event-type", ""), events)
        else:
            events.append(value)

    def _read(self, value: dict[str, Any], name: str, events: list[Event]) -> None:
        self._start(events, reply_id=None, model=None)
        reader = self._readers.get(name)
        if reader is not None:
            reader(value, events)
        elif self._document is not None:
            self._read_whole(value, events)

    @property
    def whole(self) -> bool:
        """See parley.contract.codec.KnowsWhole."""
        return self._reason is not None

    def _inside_call(self) -> bool:
        return any(block.kind == "toolUse" for block in self._blocks.values())

    def _finish(self, events: list[Event]) -> None:
        if self._reason is None:
            if self._document is not None:
                raise ProtocolError("the provider answered with JSON that is no reply; check that its endpoint is right")
            raise StreamTruncatedError("the reply ended before its stop reason came")
        for index in list(self._blocks):
            self._end_block(index, events)
        events += self._calls.close()
        reason = _FINISH_REASONS.get(self._reason, "unknown")
        if reason == "tool_calls" and not len(self._calls):
            reason = "stop"
        events.append(ResponseFinished(response=ChatResponse(finish_reason=reason, raw_finish_reason=self._reason)))

    def _read_whole(self, value: dict[str, Any], events: list[Event]) -> None:
        message = object_of(object_of(value.get("output")).get("message"))
        error = value.get("error")
        problem = first_text(value.get("message"), value.get("Message"), object_of(error).get("message"), error)
        if problem and not message:
            raise converse_error(self._head, message=problem, code=text_of(value.get("__type")))
        for index, content in enumerate(map(object_of, list_of(message.get("content")))):
            self._read_content(index, content, events)
        self._read_message_stop(value, events)
        self._read_metadata(value, events)

    def _read_content(self, index: int, content: dict[str, Any], events: list[Event]) -> None:
        """A block of a whole reply, read as the deltas that would have brought it."""
        cited = object_of(content.get("citationsContent"))
        thought = object_of(content.get("reasoningContent"))
        if "toolUse" in content:
            used = object_of(content["toolUse"])
            self._begin(index, "toolUse", used, events)
            self._add_input(index, json_text(used["input"]) if isinstance(used.get("input"), dict) else "", events)
        elif "text" in content:
            self._add_text(index, text_of(content["text"]), events)
        elif cited:
            for text in map(object_of, list_of(cited.get("content"))):
                self._add_text(index, text_of(text.get("text")), events)
            for citation in list_of(cited.get("citations")):
                self._block(index, "text").citations.append(object_of(citation))
        elif thought:
            told = object_of(thought.get("reasoningText"))
            self._add_thought(index, {**told, "redactedContent": thought.get("redactedContent")}, events)
        elif content:
            events.append(PartAdded(part=TextPart(text="", provider_data=self._own({"block": content}))))
        self._end_block(index, events)

    def _read_start(self, value: dict[str, Any], events: list[Event]) -> None:
        start = object_of(value.get("start"))
        kind = next(iter(start), "")
        if kind:
            self._begin(_place(value), kind, object_of(start[kind]), events)

    def _begin(self, index: int, kind: str, raw: dict[str, Any], events: list[Event]) -> None:
        """A tool that the vendor runs itself is no call to be answered: its blocks are kept and go back."""
        name = text_of(raw.get("name"))
        if kind == "toolUse" and raw.get("type") == "server_tool_use":
            kind = "serverToolUse"
        elif kind == "toolUse" and name and name == self._answer_tool:
            kind = "answer"
        block = self._block(index, kind)
        block.kind, block.raw = kind, raw
        if kind == "toolUse":
            block.call = self._begun_calls
            self._begun_calls += 1
            events += self._calls.add(ToolCallFragment(index=block.call, id=text_of(raw.get("toolUseId")), name=name))

    def _read_delta(self, value: dict[str, Any], events: list[Event]) -> None:
        index, delta = _place(value), object_of(value.get("delta"))
        if "text" in delta:
            self._add_text(index, text_of(delta["text"]), events)
        elif "toolUse" in delta:
            self._add_input(index, text_of(object_of(delta["toolUse"]).get("input")), events)
        elif "reasoningContent" in delta:
            self._add_thought(index, object_of(delta["reasoningContent"]), events)
        elif "citation" in delta:
            self._block(index, "text").citations.append(object_of(delta["citation"]))
        elif "toolResult" in delta:
            self._block(index, "toolResult").results += list_of(delta["toolResult"])

    def _block(self, index: int, kind: str) -> _Block:
        block = self._blocks.get(index)
        if block is None:
            block = self._blocks[index] = _Block(kind, {}, self._text_length)
        return block

    def _add_text(self, index: int, text: str, events: list[Event]) -> None:
        if text:
            self._block(index, "text").text = True
            self._text_length += len(text)
            events.append(TextDelta(text))

    def _add_thought(self, index: int, thought: dict[str, Any], events: list[Event]) -> None:
        block = self._block(index, "reasoning")
        text = text_of(thought.get("text"))
        if text:
            block.text = True
            events.append(ReasoningDelta(text))
        block.signature += text_of(thought.get("signature"))
        block.redacted += first_text(thought.get("redactedContent"), thought.get("data"))

    def _add_input(self, index: int, text: str, events: list[Event]) -> None:
        block = self._block(index, "")
        if block.kind == "answer":
            self._add_text(index, text, events)
        elif block.kind == "serverToolUse":
            block.input.append(text)
        elif block.kind != "toolUse":
            raise ProtocolError("the provider sent arguments of a tool call that had not begun")
        elif text:
            events += self._calls.add(ToolCallFragment(index=block.call, arguments=text))

    def _read_stop(self, value: dict[str, Any], events: list[Event]) -> None:
        self._end_block(_place(value), events)

    def _end_block(self, index: int, events: list[Event]) -> None:
        block = self._blocks.pop(index, None)
        if block is None:
            return
        if block.kind == "reasoning" and (block.text or block.signature or block.redacted):
            own = self._own({"kind": "thought"})
            events.append(ReasoningEnded(signature=block.signature or None, redacted=block.redacted or None, provider_data=own))
        elif block.kind == "serverToolUse":
            given = object_of(block.raw.get("input")) or object_of(decode_object("".join(block.input).encode()))
            used: dict[str, Any] = {**block.raw, "input": given}
            events.append(PartAdded(part=TextPart(text="", provider_data=self._own({"block": {"toolUse": used}}))))
        elif block.kind == "toolResult":
            result = {**block.raw, "content": block.raw.get("content") or block.results}
            events.append(PartAdded(part=TextPart(text="", provider_data=self._own({"block": {"toolResult": result}}))))
        for citation in block.citations:
            self._cite(block, citation, events)

    def _cite(self, block: _Block, raw: dict[str, Any], events: list[Event]) -> None:
        """The sources of a block support all of its text."""
        location = object_of(raw.get("location"))
        source = object_of(next(iter(location.values()), None))
        url = first_text(source.get("url"), raw.get("source"))
        citation = Citation(
            url=url or None,
            title=first_text(raw.get("title"), source.get("domain")) or None,
            text="".join(text_of(object_of(content).get("text")) for content in list_of(raw.get("sourceContent"))) or None,
            start_index=block.began_at if block.text else None,
            end_index=self._text_length if block.text else None,
        )
        events.append(CitationAdded(citation=citation))

    def _read_message_stop(self, value: dict[str, Any], _: list[Event]) -> None:
        self._reason = text_of(value.get("stopReason")) or self._reason

    def _read_metadata(self, value: dict[str, Any], events: list[Event]) -> None:
        """Cached input stands beside the input, and the total tells whether it is counted in it."""
        usage = object_of(value.get("usage"))
        fresh, output, total = (count_of(usage.get(name)) for name in ("inputTokens", "outputTokens", "totalTokens"))
        read, written = count_of(usage.get("cacheReadInputTokens")), count_of(usage.get("cacheWriteInputTokens"))
        beside = (read or 0) + (written or 0)
        included = fresh is not None and output is not None and total == fresh + output
        report = UsageReport(
            prompt_tokens=fresh if fresh is None or included else fresh + beside,
            completion_tokens=output,
            total_tokens=total,
            cached_tokens=read,
            cache_write_tokens=written,
        )
        if report != UsageReport():
            events.append(UsageReported(usage=report))


def _place(value: dict[str, Any]) -> int:
    index = value.get("contentBlockIndex")
    return index if isinstance(index, int) else 0
