"""Writes replies as the chat completions wire has them: whole, in chunks, and as errors. Knows no HTTP and no provider.

https://platform.openai.com/docs/api-reference/chat/object and /chat-streaming (read 2026-11-22); reasoning as `reasoning_content`
(DeepSeek's word, which most clients read), generated images as OpenRouter has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from parley.contract.errors import ErrorCode, ParleyError
from parley.contract.events import (
    CitationAdded,
    Event,
    PartAdded,
    ReasoningDelta,
    RefusalDelta,
    ResponseFinished,
    ResponseStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallEnded,
    ToolCallStarted,
    WarningRaised,
)
from parley.contract.messages import ImagePart, ToolCall
from parley.contract.response import ChatResponse, Citation, FinishReason, ResponseWarning
from parley.contract.usage import Usage
from parley.wire.call_state import CallState, call_states, extra_content
from parley.wire.history import data_url

_DONE = b"data: [DONE]\n\n"

# The wire has no word for an answer that was cut by other means than its length.
_FINISH_REASONS: dict[FinishReason, str] = {"cancelled": "length", "interrupted": "length", "error": "length", "unknown": "stop"}
_ERROR_TYPES: dict[ErrorCode, str] = {
    ErrorCode.UNAUTHENTICATED: "authentication_error",
    ErrorCode.FORBIDDEN: "permission_error",
    ErrorCode.PROVIDER_RATE_LIMITED: "rate_limit_error",
    ErrorCode.RATE_LIMITED: "rate_limit_error",
    ErrorCode.QUEUE_FULL: "rate_limit_error",
    ErrorCode.BUDGET_EXCEEDED: "insufficient_quota",
}

_encode = msgspec.json.Encoder().encode


def encode_completion(response: ChatResponse, *, created: int, legacy_functions: bool = False) -> bytes:
    """A whole reply. `created` is in Unix seconds; `legacy_functions` answers a request that had `functions`."""
    text, calls = response.text, response.tool_calls
    empty = None if calls or response.refusal is not None else ""
    message: dict[str, Any] = {"role": "assistant", "content": text or empty, "refusal": response.refusal}
    if reasoning := response.reasoning:
        message["reasoning_content"] = reasoning
    if calls and legacy_functions:
        message["function_call"] = {"name": calls[0].name, "arguments": calls[0].arguments}
    elif calls:
        states = call_states(response.parts)
        message["tool_calls"] = [_tool_call(call, states.get(number)) for number, call in enumerate(calls)]
    if annotations := [_annotation(citation) for citation in response.citations if citation.url]:
        message["annotations"] = annotations
    if images := [_image(part) for part in response.parts if isinstance(part, ImagePart)]:
        message["images"] = images
    reason = _finish_reason(response, legacy_functions=legacy_functions)
    return _encode(
        {
            "id": response.id,
            "object": "chat.completion",
            "created": created,
            "model": response.model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
            "usage": usage_object(response.usage, response.cost, cached=response.cached),
        }
    )


def usage_object(usage: Usage, cost: float | None, *, cached: bool = False) -> dict[str, Any]:
    """Counts as the wire has them; what is unknown is left out. `source` stands there only where counts were estimated."""
    written: dict[str, Any] = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
    if usage.cached_tokens is not None or usage.cache_write_tokens is not None:
        counts = {"cached_tokens": usage.cached_tokens, "cache_write_tokens": usage.cache_write_tokens}
        written["prompt_tokens_details"] = {name: count for name, count in counts.items() if count is not None}
    if usage.reasoning_tokens is not None:
        written["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    if usage.source != "reported":
        written["source"] = usage.source
    if cost is not None:
        written["cost"] = cost
    if cached:
        written["cached"] = True
    return written


def encode_error(error: ParleyError, *, message: str, param: str | None = None) -> bytes:
    """An error as a whole body. `code` is Parley's word, the same in the library and on every surface."""
    return _encode({"error": error_object(error, message, param)})


def encode_error_event(error: ParleyError, *, message: str, param: str | None = None) -> bytes:
    """An error that ends a stream. No end mark follows: the answer is not whole."""
    written = error_object(error, message, param)
    if error.retry_after is not None:
        written["retry_after"] = error.retry_after
    return b"data: " + _encode({"error": written}) + b"\n\n"


class ChunkWriter:
    """Writes one reply's events as server-sent chunks. What all chunks share is rendered once, at the first content.

    `reply_id` and `model` stand in where the provider names none; `created` is in Unix seconds.
    """

    __slots__ = (
        "_before",
        "_before_text",
        "_behind",
        "_created",
        "_id",
        "_include_usage",
        "_late_warnings",
        "_legacy",
        "_model",
        "_silent_calls",
    )

    def __init__(self, *, reply_id: str, model: str, created: int, include_usage: bool = False, legacy_functions: bool = False) -> None:
        self._id = reply_id
        self._model = model
        self._created = created
        self._include_usage = include_usage
        self._legacy = legacy_functions
        self._before = self._before_text = b""
        self._behind = b',"finish_reason":null}]' + self._null_usage() + b"}\n\n"
        self._silent_calls: set[int] = set()
        self._late_warnings: list[ResponseWarning] = []

    def write(self, events: Sequence[Event]) -> bytes:
        """These events as bytes. The last event of all brings the usage and the end mark."""
        chunks: list[bytes] = []
        before_text, behind_text = self._before_text, b"}" + self._behind
        for event in events:
            if before_text and isinstance(event, TextDelta):  # the token path
                if event.text:
                    chunks += (before_text, _encode(event.text), behind_text)
                continue
            self._write(event, chunks)
            before_text = self._before_text
        return b"".join(chunks)

    def _write(self, event: Event, chunks: list[bytes]) -> None:
        if isinstance(event, ResponseStarted):
            self._id, self._model = event.id or self._id, event.model or self._model
        elif isinstance(event, WarningRaised):
            if self._before:  # earlier ones are in the head of the reply
                self._late_warnings.append(event.warning)
        elif isinstance(event, ResponseFinished):
            self._finish(event.response, chunks)
        elif (delta := self._delta(event)) is not None:
            self._add(delta, chunks)

    def _delta(self, event: Event) -> dict[str, Any] | None:
        if isinstance(event, TextDelta):
            return {"content": event.text} if event.text else None
        if isinstance(event, ReasoningDelta):
            return {"reasoning_content": event.text}
        if isinstance(event, RefusalDelta):
            return {"refusal": event.text}
        if isinstance(event, CitationAdded):
            return {"annotations": [_annotation(event.citation)]} if event.citation.url else None
        if isinstance(event, PartAdded):
            return {"images": [_image(event.part)]} if isinstance(event.part, ImagePart) else None
        return self._call_delta(event)

    def _call_delta(self, event: Event) -> dict[str, Any] | None:
        if isinstance(event, ToolCallStarted):
            self._silent_calls.add(event.index)
            function = {"name": event.name, "arguments": ""}
            return {"function_call": function} if self._legacy else _fragment(event.index, function, id=event.id, type="function")
        if isinstance(event, ToolCallDelta):
            self._silent_calls.discard(event.index)
            arguments = event.arguments
        elif isinstance(event, ToolCallEnded) and event.index in self._silent_calls:
            arguments = event.call.arguments  # a call without arguments has no deltas, and an empty text is no JSON
        else:
            return None
        function = {"arguments": arguments}
        return {"function_call": function} if self._legacy else _fragment(event.index, function)

    def _add(self, delta: dict[str, Any], chunks: list[bytes]) -> None:
        self._open(chunks)
        chunks += (self._before, _encode(delta), self._behind)

    def _open(self, chunks: list[bytes]) -> None:
        if not self._before:
            self._before = b"data: " + self._head() + b',"choices":[{"index":0,"delta":'
            self._before_text = self._before + b'{"content":'
            chunks += (self._before, b'{"role":"assistant","content":""}', self._behind)

    def _finish(self, response: ChatResponse, chunks: list[bytes]) -> None:
        self._open(chunks)
        if not self._legacy:
            for number, state in call_states(response.parts).items():
                call = {"index": number, "function": {"arguments": ""}, "extra_content": extra_content(state)}
                self._add({"tool_calls": [call]}, chunks)  # official clients want a function in each fragment
        reason = _encode(_finish_reason(response, legacy_functions=self._legacy))
        warnings = b',"warnings":' + _encode(self._late_warnings) if self._late_warnings else b""
        chunks += (self._before, b'{},"finish_reason":', reason, b"}]", warnings, self._null_usage(), b"}\n\n")
        if self._include_usage:
            usage = _encode(usage_object(response.usage, response.cost, cached=response.cached))
            chunks += (b"data: ", self._head(), b',"choices":[],"usage":', usage, b"}\n\n")
        chunks.append(_DONE)

    def _head(self) -> bytes:
        return _encode({"id": self._id, "object": "chat.completion.chunk", "created": self._created, "model": self._model})[:-1]

    def _null_usage(self) -> bytes:
        """With include_usage every chunk but the last has the field, as null."""
        return b',"usage":null' if self._include_usage else b""


def _finish_reason(response: ChatResponse, *, legacy_functions: bool) -> str:
    reason = response.finish_reason
    if reason == "tool_calls" and legacy_functions:
        return "function_call"
    return _FINISH_REASONS.get(reason, reason)


def _fragment(index: int, function: dict[str, str], **more: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, **more, "function": function}]}


def _tool_call(call: ToolCall, state: CallState | None) -> dict[str, Any]:
    written: dict[str, Any] = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
    if state is not None:
        written["extra_content"] = extra_content(state)
    return written


def _annotation(citation: Citation) -> dict[str, Any]:
    """Strict clients want both positions: where the vendor gives none, an empty span at the beginning."""
    source = {
        "url": citation.url,
        "title": citation.title or citation.url,
        "start_index": citation.start_index or 0,
        "end_index": citation.end_index or 0,
    }
    return {"type": "url_citation", "url_citation": source}


def _image(part: ImagePart) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": data_url(part)}}


def error_object(error: ParleyError, message: str, param: str | None) -> dict[str, Any]:
    """What both of OpenAI's wires say of an error."""
    kind = _ERROR_TYPES.get(error.code)
    if kind is None:
        kind = "invalid_request_error" if error.domain == "caller" or error.action == "fix_request" else "api_error"
    return {"message": message, "type": kind, "param": param, "code": str(error.code)}
