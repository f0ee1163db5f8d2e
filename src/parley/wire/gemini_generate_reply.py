"""Reads Gemini's generateContent replies (events, a JSON array, or one object; Google AI and Vertex alike) into events. Knows nothing of
how a request is written.

https://ai.google.dev/api/generate-content (read 2026-11-22); recordings of 2025 and 2026.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from parley.contract.errors import AuthenticationError, ModelNotFoundError, ParleyError, ProtocolError, ProviderError, StreamTruncatedError
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
from parley.contract.messages import FilePart, ImagePart, TextPart
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, FinishReason, ResponseWarning
from parley.contract.usage import UsageReport
from parley.wire.errors import no_reply, plain_words, provider_error
from parley.wire.gemini_generate_arguments import StreamedArguments
from parley.wire.gemini_generate_citations import CitationReader
from parley.wire.json_events import decode_json
from parley.wire.json_values import count_of, first_text, json_text, list_of, object_of, text_of
from parley.wire.reply_decoder import ReplyDecoder
from parley.wire.structured_output import structured_tool_name
from parley.wire.tool_calls import ToolCallAssembler, ToolCallFragment

_FINISH_REASONS: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "LANGUAGE": "error",
    "MALFORMED_FUNCTION_CALL": "error",
    "UNEXPECTED_TOOL_CALL": "error",
    "TOO_MANY_TOOL_CALLS": "error",
    "MISSING_THOUGHT_SIGNATURE": "error",
    "MALFORMED_RESPONSE": "error",
    "NO_IMAGE": "error",
    "IMAGE_OTHER": "error",
}
# Vertex writes numbers where a client asked for `enum-encoding=int`; these are its own enum's, not Google AI's.
_NUMBERED_REASONS = (
    *("", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"),
    *("MALFORMED_FUNCTION_CALL", "MODEL_ARMOR"),
)
_KNOWN_FIELDS = frozenset({"candidates", "promptFeedback", "usageMetadata", "modelVersion", "responseId"})
_FLAT_MESSAGES = ("error", "message", "detail")
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


class _StreamedCall:
    """A function call whose arguments are still coming."""

    __slots__ = ("arguments", "index")

    def __init__(self, index: int) -> None:
        self.index = index
        self.arguments = StreamedArguments()


class GenerateDecoder(ReplyDecoder):
    """One reply; of several candidates the first. A stream is whole once a finish reason (or the reason why the prompt was blocked) came;
    the wire has no other end.

    Signatures stay with the part they came on, and parts that have no common form are kept, so that all of it can be sent back unchanged.
    """

    streams_arrays = True

    def __init__(self, request: ChatRequest, head: ResponseHead, *, wire: str) -> None:
        super().__init__(request, head, wire=wire)
        self._structured_tool = structured_tool_name(request)
        self._calls = ToolCallAssembler()
        self._streamed: _StreamedCall | None = None
        self._citations = CitationReader()
        self._usage: dict[str, Any] = {}
        self._prompt_reported = False
        self._reported = UsageReport()
        self._in_text = False
        self._in_reasoning = False
        self._finish_reason: FinishReason | None = None
        self._raw_finish_reason: str | None = None
        self._finish_message = ""

    def _read(self, value: dict[str, Any], name: str, events: list[Event]) -> None:
        if value.get("error"):
            raise generate_error(self._head, value)
        if not self._started:
            if _KNOWN_FIELDS.isdisjoint(value):
                return
            self._calls.seed = text_of(value.get("responseId"))
            self._start(events, reply_id=self._calls.seed or None, model=text_of(value.get("modelVersion")) or None)
        for candidate in map(object_of, list_of(value.get("candidates"))):
            if not candidate.get("index"):
                self._read_candidate(candidate, events)
                break
        if "promptFeedback" in value:
            self._read_feedback(object_of(value["promptFeedback"]), events)
        if "usageMetadata" in value:
            self._read_usage(object_of(value["usageMetadata"]), events)

    def _inside_call(self) -> bool:
        return self._streamed is not None

    @property
    def whole(self) -> bool:
        """See parley.contract.codec.KnowsWhole."""
        return self._finish_reason is not None

    def _finish(self, events: list[Event]) -> None:
        is_document = self._document is not None
        if not self._started and (is_document or self._array is not None):
            raise ProtocolError("the provider answered with JSON that is no reply; check that its endpoint is right")
        if self._finish_reason is None and not is_document:
            raise StreamTruncatedError("the reply ended before its finish reason came")
        self._end_reasoning(events)
        self._end_streamed(events)
        self._report_usage(events)
        events += [CitationAdded(citation=citation) for citation in self._citations.citations()]
        reason = self._finish_reason or "unknown"
        if reason in {"stop", "unknown"} and len(self._calls):
            reason = "tool_calls"
        if reason == "error" and self._finish_message:
            events.append(WarningRaised(warning=ResponseWarning(code="finish_message", message=self._finish_message)))
        events.append(ResponseFinished(response=ChatResponse(finish_reason=reason, raw_finish_reason=self._raw_finish_reason)))

    def _read_candidate(self, candidate: dict[str, Any], events: list[Event]) -> None:
        for part in list_of(object_of(candidate.get("content")).get("parts")):
            self._read_part(object_of(part), events)
        self._citations.read(candidate)
        reason = candidate.get("finishReason")
        if reason is None:
            return
        if isinstance(reason, int) and not isinstance(reason, bool):
            named = _NUMBERED_REASONS[reason] if 0 <= reason < len(_NUMBERED_REASONS) else ""
            self._end_with(str(reason), named)
        elif isinstance(reason, str) and reason:
            self._end_with(reason, reason)
        self._finish_message = text_of(candidate.get("finishMessage")) or self._finish_message

    def _end_with(self, raw: str, named: str) -> None:
        self._raw_finish_reason = raw
        self._finish_reason = _FINISH_REASONS.get(named, "unknown")

    def _read_feedback(self, feedback: dict[str, Any], events: list[Event]) -> None:
        reason = feedback.get("blockReason")
        if reason is None or self._finish_reason is not None:
            return
        self._raw_finish_reason, self._finish_reason = str(reason), "content_filter"
        if text_of(feedback.get("blockReasonMessage")):
            events.append(RefusalDelta(feedback["blockReasonMessage"]))

    def _read_usage(self, usage: dict[str, Any], events: list[Event]) -> None:
        """Counts are cumulative. Before the end only the input's count is passed on: of an answer that is cut, the output is estimated by
        what came, since the vendor's count lags behind.
        """
        self._usage.update(usage if None not in usage.values() else {name: count for name, count in usage.items() if count is not None})
        if self._finish_reason is not None:
            self._report_usage(events)
        elif not self._prompt_reported:
            prompt = self._prompt_tokens()
            self._prompt_reported = prompt is not None
            if prompt is not None:
                events.append(UsageReported(usage=UsageReport(prompt_tokens=prompt)))

    def _prompt_tokens(self) -> int | None:
        """All input; what tools brought in is counted apart."""
        prompt = count_of(self._usage.get("promptTokenCount"))
        return None if prompt is None else prompt + (count_of(self._usage.get("toolUsePromptTokenCount")) or 0)

    def _report_usage(self, events: list[Event]) -> None:
        """Thought is output, counted apart. What is missing is unknown, not 0."""
        thoughts = count_of(self._usage.get("thoughtsTokenCount"))
        written = [count for count in (count_of(self._usage.get("candidatesTokenCount")), thoughts) if count is not None]
        report = UsageReport(
            prompt_tokens=self._prompt_tokens(),
            completion_tokens=sum(written) if written else None,
            total_tokens=count_of(self._usage.get("totalTokenCount")),
            cached_tokens=count_of(self._usage.get("cachedContentTokenCount")),
            reasoning_tokens=thoughts,
        )
        if report != self._reported:
            self._reported = report
            events.append(UsageReported(usage=report))

    def _read_part(self, part: dict[str, Any], events: list[Event]) -> None:
        text = part.get("text")
        is_thought = part.get("thought") is True
        if isinstance(text, str):
            if is_thought:
                self._read_thought(text, text_of(part.get("thoughtSignature")), events)
            else:
                self._read_text(text, part, events)
            return
        if not part:
            return
        self._end_reasoning(events)
        self._in_text = False
        if "functionCall" in part:
            self._read_call(object_of(part["functionCall"]), text_of(part.get("thoughtSignature")), events)
        elif is_thought or not self._read_media(part, events):
            self._keep(part, events)

    def _read_thought(self, text: str, signature: str, events: list[Event]) -> None:
        self._in_text = False
        if text:
            self._in_reasoning = True
            events.append(ReasoningDelta(text))
        if signature:
            self._in_reasoning = False
            events.append(ReasoningEnded(signature=signature, provider_data=self._own({"thought": True})))

    def _read_text(self, text: str, part: dict[str, Any], events: list[Event]) -> None:
        signature = text_of(part.get("thoughtSignature"))
        if self._in_reasoning and (text or signature):
            self._end_reasoning(events)
        if signature:
            self._read_signed_text(text, part, events)
        elif text:
            self._in_text = True
            self._citations.add_text(text)
            events.append(TextDelta(text))

    def _read_signed_text(self, text: str, part: dict[str, Any], events: list[Event]) -> None:
        """A signature belongs to its own part alone: text before it must not be merged into that part when it is sent back."""
        was_in_text, self._in_text = self._in_text, False
        if not text:
            self._keep(part, events)
            return
        if was_in_text:
            events.append(TextDelta("", self._own({})))
        self._citations.add_text(text)
        events.append(TextDelta(text, self._own({"thoughtSignature": part["thoughtSignature"]})))

    def _end_reasoning(self, events: list[Event]) -> None:
        if self._in_reasoning:
            self._in_reasoning = False
            events.append(ReasoningEnded(provider_data=self._own({"thought": True})))

    def _read_media(self, part: dict[str, Any], events: list[Event]) -> bool:
        """Whether the part holds an image or file, which is then added."""
        inline, linked = object_of(part.get("inlineData")), object_of(part.get("fileData"))
        data, url = text_of(inline.get("data")) or None, text_of(linked.get("fileUri")) or None
        if data is None and url is None:
            return False
        media_type = text_of(inline.get("mimeType") or linked.get("mimeType"))
        signature = text_of(part.get("thoughtSignature"))
        own = self._own({"thoughtSignature": signature}) if signature else None
        kind = ImagePart if media_type.startswith("image/") else FilePart
        events.append(PartAdded(part=kind(media_type=media_type, data=data, url=url, provider_data=own)))
        return True

    def _read_call(self, call: dict[str, Any], signature: str, events: list[Event]) -> None:
        name = text_of(call.get("name"))
        if name:
            self._end_streamed(events)
            if name == self._structured_tool:
                text = _arguments_of(call) or "{}"
                self._citations.add_text(text)
                events.append(TextDelta(text))
                return
            self._begin_call(call, name, signature=signature, events=events)
        if self._streamed is not None:
            self._streamed.arguments.add(call.get("partialArgs"))
            if call.get("willContinue") is not True:
                self._end_streamed(events)

    def _begin_call(self, call: dict[str, Any], name: str, *, signature: str, events: list[Event]) -> None:
        call_id = text_of(call.get("id"))
        own = {**({"thoughtSignature": signature} if signature else {}), **({"id": call_id} if call_id else {})}
        index = len(self._calls)
        fragment = ToolCallFragment(
            index=index,
            id=call_id,
            name=name,
            arguments=_arguments_of(call),
            provider_data=self._own(own) if own else None,
        )
        events += self._calls.add(fragment)
        if call.get("willContinue") is True or "partialArgs" in call:
            self._streamed = _StreamedCall(index)
        else:
            events += self._calls.close()

    def _end_streamed(self, events: list[Event]) -> None:
        streamed, self._streamed = self._streamed, None
        if streamed is not None:
            arguments = streamed.arguments.value()
            events += self._calls.add(ToolCallFragment(index=streamed.index, arguments=arguments or None))
            events += self._calls.close()

    def _keep(self, part: dict[str, Any], events: list[Event]) -> None:
        events.append(PartAdded(part=TextPart(text="", provider_data=self._own({"part": part}))))


def _arguments_of(call: dict[str, Any]) -> str:
    """The arguments as JSON text, which gateways also send as text; empty where there are none."""
    arguments = call.get("args")
    return json_text(arguments) if arguments and isinstance(arguments, dict) else text_of(arguments)


def generate_error(head: ResponseHead, value: dict[str, Any]) -> ProviderError:
    """The error that an error object stands for; inside a 200 its own code is the status."""
    details = object_of(value.get("error"))
    code = count_of(details.get("code"))
    if head.status < 400 and code is not None and 400 <= code < 600:
        head = msgspec.structs.replace(head, status=code)
    status, message = text_of(details.get("status")), first_text(*(details.get("message"), *map(value.get, _FLAT_MESSAGES)))
    notes = [object_of(note) for note in list_of(details.get("details"))]
    reason = next((text_of(note["reason"]) for note in notes if text_of(note.get("reason"))), "")
    error_class: type[ProviderError] | None = None
    if reason in {"API_KEY_INVALID", "API_KEY_EXPIRED"}:
        error_class = AuthenticationError
    elif (status == "NOT_FOUND" or code == 404) and "model" in message.lower():
        error_class = ModelNotFoundError
    error = provider_error(
        head,
        message=message or plain_words(head, json_text(value).encode()),
        provider_code=reason or status or None,
        error_class=error_class,
    )
    wait = next((wait for wait in (_seconds(note.get("retryDelay")) for note in notes) if wait is not None), None)
    error.retry_after = wait if wait is not None else error.retry_after
    return error


def _seconds(duration: Any) -> float | None:
    """A protobuf duration as JSON writes it: "34.4s"."""
    found = _DURATION.fullmatch(text_of(duration))
    return None if found is None else float(found[1])


def decode_generate_error(head: ResponseHead, body: bytes) -> ParleyError:
    """The error that a reply stands for, JSON or not; a request for a stream without SSE gets its error inside an array."""
    value = decode_json(body)
    if isinstance(value, list):
        value = next(iter(list_of(value)), None)
    return generate_error(head, object_of(value)) if isinstance(value, dict) else no_reply(head, body)
