"""Bodies of faults on the wires that came after the first three: refusals in each vendor's words, calls and texts without end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import json

from parley.testing.more_samples import amazon_frame
from parley.testing.sample_answers import sse_events
from parley.testing.wire_bodies import WireBodies


def _event(document: dict[str, Any]) -> bytes:
    return sse_events(document, named="type" in document)[0]


def _plain_event(document: bytes) -> bytes:
    return b"data: %b\n\n" % document


def openai_responses() -> WireBodies:
    """OpenAI's Responses."""

    def error(code: str, message: str) -> bytes:
        return json.encode({"type": "error", "error": {"type": "invalid_request_error", "code": code, "message": message, "param": None}})

    def call(number: int) -> dict[str, Any]:
        return {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}", "name": "f", "arguments": "{}"}

    def calls(count: int) -> bytes:
        output = [call(number) for number in range(count)]
        return json.encode({"id": "reply-1", "object": "response", "model": "model-1", "status": "completed", "output": output})

    done = {"type": "response.output_item.done", "output_index": 9, "item": call(1)}
    return WireBodies(
        refusals={
            "key": error("invalid_api_key", "Incorrect API key provided."),
            "permission": error("permission_denied", "You have no access to this project."),
            "credit": error("insufficient_quota", "You exceeded your current quota, please check your plan and billing details."),
            "context": error("context_length_exceeded", "Your input exceeds the context window of this model."),
            "policy": error("content_filter", "The prompt triggered the content management policy."),
            "prefill": error("unsupported_value", "Cannot continue an assistant message: assistant prefill is not supported."),
            "model": error("model_not_found", "The requested model 'model-1' does not exist."),
            "overloaded": error("server_is_overloaded", "Our servers are currently overloaded. Please try again later."),
        },
        event_of=_plain_event,
        call_event=_event(done),
        text_event=lambda text: _event({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": text}),
        document_opening=b'{"id":"reply-1","object":"response","output":[{"type":"message","content":[{"type":"output_text","text":"',
        calls_document=calls,
    )


def cohere_v2() -> WireBodies:
    """Cohere's second version, whose errors are a message alone."""

    def error(message: str) -> bytes:
        return json.encode({"id": "request-1", "message": message})

    def call(number: int) -> dict[str, Any]:
        return {"id": f"call_{number}", "type": "function", "function": {"name": "f", "arguments": "{}"}}

    def calls(count: int) -> bytes:
        message = {"role": "assistant", "tool_calls": [call(number) for number in range(count)]}
        return json.encode({"id": "reply-1", "message": message, "finish_reason": "TOOL_CALL", "usage": {"tokens": {}}})

    start = {"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": call(1)}}}
    return WireBodies(
        refusals={
            "key": error("invalid api token"),
            "permission": error("You do not have permission to use this model."),
            "credit": error("Please add or update your payment method: your credit is used up."),
            "context": error("too many tokens: size limit exceeded by 1000 tokens."),
            "policy": error("The prompt violates the content policy."),
            "prefill": error("the last message must be of role user or tool: assistant prefill is not supported"),
            "model": error("model 'model-1' not found, make sure the correct model ID was used"),
            "overloaded": error("The service is overloaded, please try again later."),
        },
        event_of=_plain_event,
        call_event=_event(start) + _event({"type": "tool-call-end", "index": 0}),
        text_event=lambda text: _event({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": text}}}}),
        document_opening=b'{"id":"reply-1","message":{"role":"assistant","content":[{"type":"text","text":"',
        calls_document=calls,
        end_again=b"data: [DONE]\n\n",
    )


def ollama_chat() -> WireBodies:
    """Ollama's own, whose errors are a sentence."""

    def error(message: str) -> bytes:
        return json.encode({"error": message})

    def line(message: dict[str, Any], **more: Any) -> bytes:
        return json.encode({"model": "model-1", "message": {"role": "assistant", **message}, "done": False, **more})

    def called(count: int) -> list[dict[str, Any]]:
        empty: dict[str, Any] = {}
        return [{"id": f"call_{number}", "function": {"name": "f", "arguments": empty}} for number in range(count)]

    return WireBodies(
        refusals={
            "key": error("unauthorized"),
            "permission": error("you have no access to this model"),
            "credit": error("you have reached your usage limit, upgrade for more credits"),
            "context": error("the prompt exceeds the context length of the model"),
            "policy": error("the prompt violates the content policy"),
            "prefill": error("assistant prefill is not supported"),
            "model": error('model "model-1" not found, try pulling it first'),
            "overloaded": error("server overloaded, please retry shortly"),
        },
        event_of=lambda document: document + b"\n",
        call_event=line({"content": "", "tool_calls": called(1)}) + b"\n",
        text_event=lambda text: line({"content": text}) + b"\n",
        document_opening=b'{"model":"model-1","done":true,"message":{"role":"assistant","content":"',
        calls_document=lambda count: line({"content": "", "tool_calls": called(count)}, done=True, done_reason="stop"),
        splits_calls=False,
    )


def bedrock_converse() -> WireBodies:
    """Bedrock's Converse, whose errors in a stream are frames of their own kind."""

    def error(message: str) -> bytes:
        return json.encode({"message": message})

    def calls(count: int) -> bytes:
        empty: dict[str, Any] = {}
        content = [{"toolUse": {"toolUseId": f"call_{number}", "name": "f", "input": empty}} for number in range(count)]
        return json.encode({"output": {"message": {"role": "assistant", "content": content}}, "stopReason": "tool_use"})

    start = {"contentBlockIndex": 9, "start": {"toolUse": {"toolUseId": "call_1", "name": "f"}}}
    return WireBodies(
        refusals={
            "key": error("The security token included in the request is invalid."),
            "permission": error("You don't have access to the model with the specified model ID."),
            "credit": error("Your account has no valid payment instrument."),
            "context": error("Input is too long for requested model."),
            "policy": error("The prompt violates the content policy."),
            "prefill": error("This model does not support assistant message prefill."),
            "model": error("The provided model identifier is invalid."),
            "overloaded": error("The model is overloaded, please try again later."),
        },
        event_of=lambda document: amazon_frame("modelStreamErrorException", document, exception=True),
        call_event=amazon_frame("contentBlockStart", start) + amazon_frame("contentBlockStop", {"contentBlockIndex": 9}),
        text_event=lambda text: amazon_frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}),
        document_opening=b'{"stopReason":"end_turn","output":{"message":{"role":"assistant","content":[{"text":"',
        calls_document=calls,
    )


MORE_BODIES: dict[str, Callable[[], WireBodies]] = {
    "openai_responses": openai_responses,
    "cohere_v2": cohere_v2,
    "ollama_chat": ollama_chat,
    "bedrock_converse": bedrock_converse,
}
