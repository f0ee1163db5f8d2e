"""Writes whole replies, counts and errors as the Messages wire has them. Knows no HTTP and no provider.

https://docs.claude.com/en/api/messages and /errors (read 2026-11-22). A vendor's own blocks come back as they came from this wire; thought
of another wire travels sealed in its signature.
"""

from __future__ import annotations

from typing import Any

import msgspec

from parley.contract.errors import ErrorCode, ParleyError
from parley.contract.messages import FilePart, ImagePart, Part, ProviderData, ReasoningPart, TextPart, ToolCall
from parley.contract.response import ChatResponse, Citation, FinishReason
from parley.contract.usage import Usage, UsageReport
from parley.wire.anthropic_messages_server_blocks import WIRE
from parley.wire.carried_state import seal
from parley.wire.json_events import decode_object
from parley.wire.json_values import list_of, object_of

# The vendor's words for each reason; the first stands for what another wire called otherwise.
_STOP_REASONS: dict[FinishReason, tuple[str, ...]] = {
    "stop": ("end_turn", "stop_sequence", "pause_turn", "compaction"),
    "length": ("max_tokens", "model_context_window_exceeded"),
    "tool_calls": ("tool_use",),
    "content_filter": ("refusal",),
    # The wire has no word for an answer that was cut by other means than its length.
    "cancelled": ("max_tokens",),
    "interrupted": ("max_tokens",),
    "error": ("max_tokens",),
    "unknown": ("end_turn",),
}
_ERROR_TYPES: dict[ErrorCode, str] = {
    ErrorCode.UNAUTHENTICATED: "authentication_error",
    ErrorCode.FORBIDDEN: "permission_error",
    ErrorCode.NOT_FOUND: "not_found_error",
    ErrorCode.UNKNOWN_MODEL: "not_found_error",
    ErrorCode.UNKNOWN_PROVIDER: "not_found_error",
    ErrorCode.MODEL_NOT_FOUND: "not_found_error",
    ErrorCode.BODY_TOO_LARGE: "request_too_large",
    ErrorCode.PROVIDER_RATE_LIMITED: "rate_limit_error",
    ErrorCode.RATE_LIMITED: "rate_limit_error",
    ErrorCode.QUEUE_FULL: "rate_limit_error",
    ErrorCode.BUDGET_EXCEEDED: "billing_error",
    ErrorCode.PROVIDER_QUOTA: "billing_error",
    ErrorCode.PROVIDER_OVERLOADED: "overloaded_error",
    ErrorCode.PROVIDER_TIMEOUT: "timeout_error",
}

encode = msgspec.json.Encoder().encode


def encode_message(response: ChatResponse) -> bytes:
    """A whole reply."""
    return encode(
        {
            "id": response.id,
            "type": "message",
            "role": "assistant",
            "model": response.model,
            "content": content_blocks(response),
            **stop_fields(response),
            "usage": usage_object(response.usage, response.cost, cached=response.cached),
        }
    )


def encode_token_count(count: int) -> bytes:
    """The reply to a count."""
    return encode({"input_tokens": count})


def encode_error(error: ParleyError, *, message: str, request_id: str) -> bytes:
    """An error as a whole body. `code` is Parley's word, the same in the library and on every surface."""
    return encode({**_error(error, message), "request_id": request_id})


def encode_error_event(error: ParleyError, *, message: str) -> bytes:
    """An error that ends a stream."""
    return b"event: error\ndata: " + encode(_error(error, message)) + b"\n\n"


def own_data(data: ProviderData | None) -> dict[str, Any]:
    """What this wire itself wrote, whoever speaks it; empty for anything else."""
    return object_of(data.data) if data is not None and data.wire == WIRE else {}


def content_blocks(response: ChatResponse) -> list[dict[str, Any]]:
    """The reply's parts as blocks. Sources that belong to no part of this wire stand with the last text."""
    blocks = [block for part in response.parts if (block := block_of(part)) is not None]
    if response.citations and not any(own_data(part.provider_data).get("citations") for part in response.parts):
        texts = [block for block in blocks if block["type"] == "text"]
        cited = [cited_source(citation) for citation in response.citations if citation.url]
        if texts and cited:
            texts[-1]["citations"] = cited
    return blocks


def block_of(part: Part) -> dict[str, Any] | None:
    """One part as a block; None for what the wire has no form for."""
    own = own_data(part.provider_data)
    if "block" in own:
        return object_of(own["block"])
    if isinstance(part, TextPart):
        citations = {"citations": list_of(own["citations"])} if "citations" in own else {}
        return {"type": "text", "text": part.text, **citations} if part.text else None
    if isinstance(part, ReasoningPart):
        return thought_block(part)
    if isinstance(part, ToolCall):
        return {"type": "tool_use", "id": part.id, "name": part.name, "input": call_input(part), **object_of(own.get("fields"))}
    return media_block(part) if isinstance(part, (ImagePart, FilePart)) else None


def thought_block(part: ReasoningPart) -> dict[str, Any]:
    """Thought that can be read, or that its vendor alone can read."""
    native = part.provider_data is not None and part.provider_data.wire == WIRE
    if part.redacted is not None and not part.text:
        return {"type": "redacted_thinking", "data": part.redacted if native else seal(part)}
    return {"type": "thinking", "thinking": part.text, "signature": thought_signature(part)}


def thought_signature(part: ReasoningPart) -> str:
    """The vendor's own signature, or another vendor's state in its place; empty where there is neither."""
    if part.provider_data is not None and part.provider_data.wire == WIRE:
        return part.signature or ""
    return seal(part)


def call_input(call: ToolCall) -> dict[str, Any]:
    """The arguments as an object; text that is none stands in one."""
    value = decode_object(call.arguments.encode("utf-8", "surrogatepass"))
    return {"arguments": call.arguments} if value is None else value


def media_block(part: ImagePart | FilePart) -> dict[str, Any]:
    """What a model drew or made, in the form in which clients send images and documents."""
    default = "image/png" if isinstance(part, ImagePart) else "application/octet-stream"
    if part.data is not None:
        source = {"type": "base64", "media_type": part.media_type or default, "data": part.data}
    else:
        source = {"type": "url", "url": part.url or ""}
    return {"type": "image" if isinstance(part, ImagePart) else "document", "source": source}


def cited_source(citation: Citation) -> dict[str, Any]:
    """A source of another wire, in the one form of this wire that names a page."""
    return {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title,
        "cited_text": citation.text or "",
        "encrypted_index": "",
    }


def stop_fields(response: ChatResponse) -> dict[str, Any]:
    """Why the reply ended; the vendor's own word where it is one of this wire's."""
    words = _STOP_REASONS[response.finish_reason]
    raw = response.raw_finish_reason
    reason = raw if raw in words else words[0]
    if response.refusal is None:
        return {"stop_reason": reason, "stop_sequence": None}
    details = {"type": "refusal", "category": None, "explanation": response.refusal}
    return {"stop_reason": "refusal", "stop_sequence": None, "stop_details": details}


def usage_object(usage: Usage | UsageReport, cost: float | None = None, *, cached: bool = False) -> dict[str, Any]:
    """Counts as the wire has them: what came from a cache, or went into one, is counted apart. `source` tells of estimates."""
    read, written = usage.cached_tokens, usage.cache_write_tokens
    counts: dict[str, Any] = {
        "input_tokens": max(0, (usage.prompt_tokens or 0) - (read or 0) - (written or 0)),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": usage.completion_tokens or 0,
    }
    if usage.reasoning_tokens is not None:
        counts["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    if isinstance(usage, Usage) and usage.source != "reported":
        counts["source"] = usage.source
    if cost is not None:
        counts["cost"] = cost
    if cached:
        counts["cached"] = True
    return counts


def _error(error: ParleyError, message: str) -> dict[str, Any]:
    kind = _ERROR_TYPES.get(error.code)
    if kind is None:
        kind = "invalid_request_error" if error.domain == "caller" or error.action == "fix_request" else "api_error"
    told: dict[str, Any] = {"type": kind, "message": message, "code": str(error.code)}
    if error.code == ErrorCode.UNSUPPORTED_FEATURE and error.fields and error.fields[0].path == "thread":
        # What makes the vendor's own tool loop go on with whole conversations.
        told["details"] = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
    return {"type": "error", "error": told}
