"""Token counts and finish reasons of OpenAI's chat wire and its dialects, in the contract's terms. Knows no stream.

https://platform.openai.com/docs/api-reference/chat/object; recordings of 2024 to 2026.
"""

from __future__ import annotations

from typing import Any

from parley.contract.response import FinishReason
from parley.contract.usage import UsageReport
from parley.wire.json_values import count_of, object_of

_FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "end_turn": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "stop_token": "stop",
    "complete": "stop",
    "completed": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "max_new_tokens": "length",
    "model_length": "length",
    "context_length_exceeded": "length",
    "model_context_window_exceeded": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "tool_call": "tool_calls",
    "function_call": "tool_calls",
    "function_calls": "tool_calls",
    "content_filter": "content_filter",
    "content_filtered": "content_filter",
    "refusal": "content_filter",
    "safety": "content_filter",
    "sensitive": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "spii": "content_filter",
    "image_safety": "content_filter",
    "model_armor": "content_filter",
    "guardrail_intervened": "content_filter",
    "malformed_function_call": "error",
    "function_call_filter": "error",
    "unexpected_tool_call": "error",
    "insufficient_system_resource": "interrupted",
    "abort": "interrupted",
    "aborted": "interrupted",
    "cancelled": "interrupted",
    "time_limit": "interrupted",
    "timeout": "interrupted",
    "error": "error",
    "network_error": "error",
}


def finish_reason_of(raw: str | None, *, called_tools: bool) -> FinishReason:
    """The contract's word. Several vendors say "stop" (or nothing) after tool calls, and "tool_calls" where the caller has none to answer:
    the call was structured output in disguise, or the vendor ran its own tool.
    """
    # Google's compatible API appends its own word: "content_filter: RECITATION".
    reason = _FINISH_REASONS.get((raw or "").partition(":")[0].lower(), "unknown")
    if called_tools:
        return "tool_calls" if reason in {"stop", "unknown"} else reason
    return "stop" if reason == "tool_calls" else reason


def usage_of(raw: dict[str, Any]) -> UsageReport | None:
    """The counts in one usage object, None where it has none: no prompt has 0 tokens, so that all counts 0 are a place kept free (MiniMax).
    Servers that also speak newer APIs call the counts `input_tokens` and `output_tokens`.

    The total tells what the parts leave out: xAI counts reasoning apart from the completion, Google's compatible API hides its thoughts
    in the total alone, Mistral counts audio apart from the prompt, and gateways to Anthropic may count its cache apart.
    """
    details = object_of(raw.get("prompt_tokens_details") or raw.get("input_tokens_details"))
    written_details = object_of(raw.get("completion_tokens_details") or raw.get("output_tokens_details"))
    reasoning = _first_count(written_details.get("reasoning_tokens"), raw.get("reasoning_tokens"))
    cached = _first_count(
        details.get("cached_tokens"),
        raw.get("prompt_cache_hit_tokens"),
        raw.get("cached_tokens"),
        raw.get("cache_read_input_tokens"),
        raw.get("num_cached_tokens"),
    )
    written = _first_count(details.get("cache_write_tokens"), raw.get("cache_creation_input_tokens"))
    prompt = _first_count(raw.get("prompt_tokens"), raw.get("input_tokens"))
    completion = _first_count(raw.get("completion_tokens"), raw.get("output_tokens"))
    total = count_of(raw.get("total_tokens"))
    if not (prompt or completion or total):
        return None
    if prompt is not None and completion is not None and total is not None and total > prompt + completion:
        missing = total - prompt - completion
        if missing in {count_of(details.get("audio_tokens")), (cached or 0) + (written or 0)} and missing != reasoning:
            prompt += missing
        else:
            completion += missing
    return UsageReport(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
    )


def _first_count(*values: Any) -> int | None:
    return next((count for count in map(count_of, values) if count is not None), None)
