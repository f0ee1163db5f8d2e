"""What a vendor sends on each wire that ships, the first three in full: the same answers on each of them. Decodes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import json

from parley.testing.more_samples import MORE_WRITERS, UNSTREAMED_WRITERS
from parley.testing.sample_answers import (
    CALL_ARGUMENTS,
    CALL_NAME,
    COMPLETION_TOKENS,
    EVENT_STREAM,
    JSON_DOCUMENT,
    MODEL,
    PIECES,
    PROMPT_TOKENS,
    REPLY_ID,
    REQUEST_ID,
    Sample,
    sse_events,
)

__all__ = [
    "CALL_ARGUMENTS",
    "CALL_NAME",
    "COMPLETION_TOKENS",
    "EVENT_STREAM",
    "JSON_DOCUMENT",
    "MODEL",
    "PIECES",
    "PROMPT_TOKENS",
    "REPLY_ID",
    "REQUEST_ID",
    "WRITERS",
    "Sample",
    "anthropic_messages",
    "gemini_generate",
    "openai_chat",
    "sample_of",
]


def openai_chat(pieces: Sequence[str] = PIECES) -> Sample:
    """Chat completions: chunks, a finish reason, a chunk with the usage, `[DONE]`."""

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"id": REPLY_ID, "object": "chat.completion.chunk", "created": 1, "model": MODEL, "choices": [choice]}

    def fragment(text: str, **named: str) -> dict[str, Any]:
        function = {"name": named["name"]} if "name" in named else {}
        head = {"id": named["id"], "type": "function"} if "id" in named else {}
        return chunk({"tool_calls": [{"index": 0, **head, "function": {**function, "arguments": text}}]})

    def whole(message: dict[str, Any], finish: str) -> bytes:
        choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
        return json.encode({"id": REPLY_ID, "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice], "usage": usage})

    counts = PROMPT_TOKENS, COMPLETION_TOKENS, PROMPT_TOKENS + COMPLETION_TOKENS
    usage = dict(zip(("prompt_tokens", "completion_tokens", "total_tokens"), counts, strict=True))
    counted: dict[str, Any] = {"id": REPLY_ID, "object": "chat.completion.chunk", "model": MODEL, "choices": [], "usage": usage}
    arguments = json.encode(CALL_ARGUMENTS).decode()
    texts = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": piece}) for piece in pieces)]
    tools = [fragment("", id="call_1", name=CALL_NAME), fragment(arguments[:9]), fragment(arguments[9:])]
    call = {"id": "call_1", "type": "function", "function": {"name": CALL_NAME, "arguments": arguments}}
    done = b"data: [DONE]\n\n"
    return Sample(
        wire="openai_chat",
        text="".join(pieces),
        text_events=[*sse_events(*texts, chunk({}, "stop"), counted), done],
        end_events=3,
        lead_events=1,
        text_complete=whole({"content": "".join(pieces)}, "stop"),
        tool_events=[*sse_events(*tools, chunk({}, "tool_calls"), counted), done],
        tool_complete=whole({"content": None, "tool_calls": [call]}, "tool_calls"),
        error_event=sse_events({"error": {"message": "something happened", "type": "unheard_of", "code": None}})[0],
    )


def anthropic_messages(pieces: Sequence[str] = PIECES) -> Sample:
    """Anthropic messages: named events, blocks, the stop reason with the final counts."""
    message: dict[str, Any] = {"id": REPLY_ID, "type": "message", "role": "assistant", "model": MODEL, "content": [], "stop_reason": None}
    start = {"type": "message_start", "message": message | {"usage": {"input_tokens": PROMPT_TOKENS, "output_tokens": 1}}}

    def block(content: dict[str, Any], deltas: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {"type": "content_block_start", "index": 0, "content_block": content},
            *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
            {"type": "content_block_stop", "index": 0},
        ]

    def end(reason: str) -> list[dict[str, Any]]:
        delta = {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": COMPLETION_TOKENS}}
        return [delta, {"type": "message_stop"}]

    def whole(content: dict[str, Any], reason: str) -> bytes:
        usage = {"input_tokens": PROMPT_TOKENS, "output_tokens": COMPLETION_TOKENS}
        return json.encode(message | {"content": [content], "stop_reason": reason, "usage": usage})

    arguments = json.encode(CALL_ARGUMENTS).decode()
    texts = block({"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces])
    fragments = [{"type": "input_json_delta", "partial_json": part} for part in ("", arguments[:9], arguments[9:])]
    tool = {"type": "tool_use", "id": "toolu_1", "name": CALL_NAME}
    return Sample(
        wire="anthropic_messages",
        text="".join(pieces),
        text_events=sse_events(start, {"type": "ping"}, *texts, *end("end_turn"), named=True),
        end_events=3,
        lead_events=3,
        text_complete=whole({"type": "text", "text": "".join(pieces)}, "end_turn"),
        tool_events=sse_events(start, *block(tool | {"input": {}}, fragments), *end("tool_use"), named=True),
        tool_complete=whole(tool | {"input": CALL_ARGUMENTS}, "tool_use"),
        error_event=sse_events({"type": "error", "error": {"type": "unheard_of", "message": "something happened"}}, named=True)[0],
        cut_events=5,
    )


def gemini_generate(pieces: Sequence[str] = PIECES) -> Sample:
    """Gemini generateContent: whole chunks, each with the counts so far; the last text comes with the finish reason."""

    def chunk(parts: list[dict[str, Any]], finish: str | None = None) -> dict[str, Any]:
        candidate = {"content": {"role": "model", "parts": parts}, "index": 0} | ({"finishReason": finish} if finish else {})
        counts = PROMPT_TOKENS, COMPLETION_TOKENS, PROMPT_TOKENS + COMPLETION_TOKENS
        usage = dict(zip(("promptTokenCount", "candidatesTokenCount", "totalTokenCount"), counts, strict=True))
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": MODEL, "responseId": REPLY_ID}

    call = chunk([{"functionCall": {"name": CALL_NAME, "args": CALL_ARGUMENTS}}], "STOP")
    return Sample(
        wire="gemini_generate",
        text="".join(pieces),
        text_events=sse_events(*(chunk([{"text": piece}]) for piece in pieces[:-1]), chunk([{"text": pieces[-1]}], "STOP")),
        end_events=1,
        text_complete=json.encode(chunk([{"text": "".join(pieces)}], "STOP")),
        tool_events=sse_events(call),
        tool_complete=json.encode(call),
        error_event=sse_events({"error": {"code": 500, "message": "something happened", "status": "UNHEARD_OF"}})[0],
        cut_events=2,
    )


WRITERS: dict[str, Callable[[Sequence[str]], Sample]] = {
    "openai_chat": openai_chat,
    "anthropic_messages": anthropic_messages,
    "gemini_generate": gemini_generate,
    **MORE_WRITERS,
}
"""By wire that streams, what writes its sample with a text of these pieces; a test compares this with the wires that ship."""


def sample_of(wire: str, *, pieces: Sequence[str] = PIECES) -> Sample | None:
    """The wire's sample with a text of these pieces; None for a wire that Parley does not ship."""
    writer = WRITERS.get(wire) or UNSTREAMED_WRITERS.get(wire)
    return writer(pieces) if writer else None
