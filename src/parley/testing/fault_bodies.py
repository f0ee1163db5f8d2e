"""What a vendor writes when it refuses or misbehaves, on each wire that ships: error bodies, and events that no vendor should send.

Error bodies are of the shapes that the vendors document (read July 2026). Decodes nothing, and says nothing of what is right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import json

from parley.testing.more_fault_bodies import MORE_BODIES
from parley.testing.wire_bodies import Refusal, WireBodies

STATUSES: Mapping[Refusal, int] = {
    "key": 401,
    "permission": 403,
    "credit": 402,
    "context": 400,
    "policy": 400,
    "prefill": 400,
    "model": 404,
    "overloaded": 503,
}
DEEP = 100_000


def bodies_of(wire: str) -> WireBodies | None:
    """The bodies of this wire; None for one that Parley does not ship."""
    writer = _WRITERS.get(wire)
    return writer() if writer else None


def deep_document() -> bytes:
    """Valid JSON, nested too deeply to be read by recursion."""
    return b'{"deep":' + b"[" * DEEP + b"]" * DEEP + b"}"


def _plain_event(document: bytes) -> bytes:
    return b"data: %b\n\n" % document


def _openai_chat() -> WireBodies:
    def error(kind: str, code: str | None, message: str) -> bytes:
        return json.encode({"error": {"message": message, "type": kind, "param": None, "code": code}})

    def chunk(delta: dict[str, Any]) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        return _plain_event(json.encode({"id": "reply-1", "object": "chat.completion.chunk", "model": "model-1", "choices": [choice]}))

    def calls(count: int) -> bytes:
        listed = [{"id": f"call_{n}", "type": "function", "function": {"name": "f", "arguments": "{}"}} for n in range(count)]
        choice = {"index": 0, "message": {"role": "assistant", "content": None, "tool_calls": listed}, "finish_reason": "tool_calls"}
        return json.encode({"id": "reply-1", "object": "chat.completion", "model": "model-1", "choices": [choice]})

    invalid = "invalid_request_error"
    return WireBodies(
        refusals={
            "key": error(invalid, "invalid_api_key", "Incorrect API key provided."),
            "permission": error(invalid, None, "You have no access to this project."),
            "credit": error("insufficient_credits", None, "This request requires more credits."),
            "context": error(invalid, "context_length_exceeded", "This model's maximum context length is 128000 tokens."),
            "policy": error(invalid, "content_filter", "The prompt triggered the content management policy."),
            "prefill": error(invalid, None, "Cannot continue an assistant message: assistant prefill is not supported."),
            "model": error(invalid, "model_not_found", "The model `model-1` does not exist or you do not have access to it."),
            "overloaded": json.encode({"error": {"code": 503, "message": "The engine is currently overloaded, please try again later."}}),
        },
        event_of=_plain_event,
        call_event=chunk({"tool_calls": [{"type": "function", "function": {"name": "f", "arguments": "{}"}}]}),
        text_event=lambda text: chunk({"content": text}),
        document_opening=b'{"id":"reply-1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"',
        calls_document=calls,
        end_again=b"data: [DONE]\n\n",
    )


def _anthropic_messages() -> WireBodies:
    no_input: dict[str, Any] = {}

    def error(kind: str, message: str) -> bytes:
        return json.encode({"type": "error", "error": {"type": kind, "message": message}, "request_id": "request-1"})

    def event(document: bytes) -> bytes:
        kind: str = json.decode(document)["type"]
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), document)

    def text(words: str) -> bytes:
        delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": words}}
        return event(json.encode(delta))

    def calls(count: int) -> bytes:
        content = [{"type": "tool_use", "id": f"toolu_{n}", "name": "f", "input": no_input} for n in range(count)]
        usage = {"input_tokens": 11, "output_tokens": 7}
        message = {"id": "reply-1", "type": "message", "role": "assistant", "model": "model-1", "content": content}
        return json.encode(message | {"stop_reason": "tool_use", "usage": usage})

    call = {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "toolu_1", "name": "f", "input": no_input},
    }
    stop = {"type": "content_block_stop", "index": 1}
    invalid = "invalid_request_error"
    return WireBodies(
        refusals={
            "key": error("authentication_error", "invalid x-api-key"),
            "permission": error("permission_error", "Your API key does not have permission to use the specified resource."),
            "credit": error("billing_error", "Your credit balance is too low to access the API."),
            "context": error(invalid, "prompt is too long: 210000 tokens > 200000 maximum"),
            "policy": error(invalid, "Output blocked by content filtering policy"),
            "prefill": error(invalid, "This model does not support assistant message prefill."),
            "model": error("not_found_error", "model: model-1"),
            "overloaded": error("overloaded_error", "Overloaded"),
        },
        event_of=event,
        call_event=event(json.encode(call)) + event(json.encode(stop)),
        text_event=text,
        document_opening=b'{"id":"reply-1","type":"message","role":"assistant","content":[{"type":"text","text":"',
        calls_document=calls,
        end_again=event(b'{"type":"message_stop"}'),
    )


def _gemini_generate() -> WireBodies:
    no_input: dict[str, Any] = {}

    def error(code: int, status: str, message: str) -> bytes:
        return json.encode({"error": {"code": code, "message": message, "status": status}})

    def chunk(parts: list[dict[str, Any]]) -> bytes:
        return json.encode({"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0}], "modelVersion": "model-1"})

    def calls(count: int) -> bytes:
        parts = [{"functionCall": {"name": "f", "args": no_input}} for _ in range(count)]
        return json.encode({"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0, "finishReason": "STOP"}]})

    invalid = "INVALID_ARGUMENT"
    return WireBodies(
        refusals={
            "key": error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
            "permission": error(403, "PERMISSION_DENIED", "The caller does not have permission"),
            "credit": error(402, "FAILED_PRECONDITION", "Billing is not enabled on this project."),
            "context": error(400, invalid, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
            "policy": error(400, invalid, "The prompt could not be submitted: it violates the content policy."),
            "prefill": error(400, invalid, "Please ensure that single turn requests end with a user role."),
            "model": error(404, "NOT_FOUND", "models/model-1 is not found for API version v1beta."),
            "overloaded": error(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
        },
        event_of=_plain_event,
        call_event=_plain_event(chunk([{"functionCall": {"name": "f", "args": no_input}}])),
        text_event=lambda text: _plain_event(chunk([{"text": text}])),
        document_opening=b'{"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"',
        calls_document=calls,
        splits_calls=False,
    )


_WRITERS: dict[str, Callable[[], WireBodies]] = {
    "openai_chat": _openai_chat,
    "anthropic_messages": _anthropic_messages,
    "gemini_generate": _gemini_generate,
    **MORE_BODIES,
}
"""By wire; a test compares this with the wires that ship."""
