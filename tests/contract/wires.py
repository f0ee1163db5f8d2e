"""Small replies on each wire, written for these tests: the same answer everywhere, streamed and complete, with tools and with errors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from parley.testing.replay import Answer

TEXT = "Grüße aus Parley – ünïcödé 🙂 and a second sentence."
PIECES = ["Grüße aus ", "Parley – ünïcödé 🙂", " and a second", " sentence."]
CALL_NAME, CALL_ARGUMENTS = "get_weather", {"city": "Tromsø", "days": 2}
PROMPT_TOKENS, COMPLETION_TOKENS = 11, 7
EVENT_STREAM = {"content-type": "text/event-stream", "x-request-id": "request-1"}
JSON_HEADERS = {"content-type": "application/json", "x-request-id": "request-1"}


def sse(*events: Any, names: bool = False, done: bool = False) -> bytes:
    lines = [(f"event: {event['type']}\n" if names else "") + f"data: {json.dumps(event, ensure_ascii=False)}\n\n" for event in events]
    return "".join([*lines, "data: [DONE]\n\n" if done else ""]).encode()


@dataclass(frozen=True)
class Wire:
    """One wire's replies. `cut` is a stream without its end; `error` says no more than its status does."""

    name: str
    text_stream: bytes
    text_complete: dict[str, Any]
    tool_stream: bytes
    tool_complete: dict[str, Any]
    cut: bytes

    def streamed(self, body: bytes, **options: Any) -> Answer:
        return Answer(headers=EVENT_STREAM, body=body, streamed=True, **options)

    def complete(self, document: dict[str, Any]) -> Answer:
        return Answer(headers=JSON_HEADERS, body=json.dumps(document).encode())

    def error(self, status: int, message: str, headers: dict[str, str] | None = None) -> Answer:
        body = {"type": "error", "error": {"type": "unheard_of", "message": message, "code": status}}
        return Answer(status=status, headers=JSON_HEADERS | (headers or {}), body=json.dumps(body).encode())


def openai_chat() -> Wire:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {
            "id": "reply-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "model-1",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }

    def call(fragment: str, **names: str) -> dict[str, Any]:
        head = {"id": names["id"], "type": "function"} if "id" in names else {}
        function = {"name": names["name"]} if "name" in names else {}
        return {"tool_calls": [{"index": 0, **head, "function": {**function, "arguments": fragment}}]}

    usage = {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": COMPLETION_TOKENS,
        "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
    }
    counted = {"id": "reply-1", "object": "chat.completion.chunk", "model": "model-1", "choices": [], "usage": usage}
    arguments = json.dumps(CALL_ARGUMENTS, ensure_ascii=False)
    texts = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": piece}) for piece in PIECES)]
    tools = [chunk(call("", id="call_1", name=CALL_NAME)), chunk(call(arguments[:9])), chunk(call(arguments[9:]))]

    def whole(message: dict[str, Any], finish: str) -> dict[str, Any]:
        return {
            "id": "reply-1",
            "object": "chat.completion",
            "created": 1,
            "model": "model-1",
            "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}],
            "usage": usage,
        }

    tool_call = {"id": "call_1", "type": "function", "function": {"name": CALL_NAME, "arguments": arguments}}
    return Wire(
        name="openai_chat",
        text_stream=sse(*texts, chunk({}, "stop"), counted, done=True),
        text_complete=whole({"content": TEXT}, "stop"),
        tool_stream=sse(*tools, chunk({}, "tool_calls"), counted, done=True),
        tool_complete=whole({"content": None, "tool_calls": [tool_call]}, "tool_calls"),
        cut=sse(*texts[:3]),
    )


def anthropic_messages() -> Wire:
    start = {
        "type": "message_start",
        "message": {
            "id": "reply-1",
            "type": "message",
            "role": "assistant",
            "model": "model-1",
            "content": [],
            "stop_reason": None,
            "usage": {"input_tokens": PROMPT_TOKENS, "output_tokens": 1},
        },
    }

    def block(index: int, content: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            {"type": "content_block_start", "index": index, "content_block": content},
            *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
            {"type": "content_block_stop", "index": index},
        ]

    def end(reason: str) -> list[dict[str, Any]]:
        delta = {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": COMPLETION_TOKENS}}
        return [delta, {"type": "message_stop"}]

    def whole(content: list[dict[str, Any]], reason: str) -> dict[str, Any]:
        usage = {"input_tokens": PROMPT_TOKENS, "output_tokens": COMPLETION_TOKENS}
        return start["message"] | {"content": content, "stop_reason": reason, "usage": usage}  # type: ignore[operator]

    arguments = json.dumps(CALL_ARGUMENTS, ensure_ascii=False)
    texts = block(0, {"type": "text", "text": ""}, *({"type": "text_delta", "text": piece} for piece in PIECES))
    fragments = [{"type": "input_json_delta", "partial_json": part} for part in ("", arguments[:9], arguments[9:])]
    tool = {"type": "tool_use", "id": "toolu_1", "name": CALL_NAME}
    return Wire(
        name="anthropic_messages",
        text_stream=sse(start, {"type": "ping"}, *texts, *end("end_turn"), names=True),
        text_complete=whole([{"type": "text", "text": TEXT}], "end_turn"),
        tool_stream=sse(start, *block(0, tool | {"input": {}}, *fragments), *end("tool_use"), names=True),
        tool_complete=whole([tool | {"input": CALL_ARGUMENTS}], "tool_use"),
        cut=sse(start, *texts[:3], names=True),
    )


def gemini_generate() -> Wire:
    def chunk(parts: list[dict[str, Any]], finish: str | None = None) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        usage = {
            "promptTokenCount": PROMPT_TOKENS,
            "candidatesTokenCount": COMPLETION_TOKENS,
            "totalTokenCount": PROMPT_TOKENS + COMPLETION_TOKENS,
        }
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "model-1", "responseId": "reply-1"}

    texts = [chunk([{"text": piece}]) for piece in PIECES[:-1]]
    call = chunk([{"functionCall": {"name": CALL_NAME, "args": CALL_ARGUMENTS}}], "STOP")
    return Wire(
        name="gemini_generate",
        text_stream=sse(*texts, chunk([{"text": PIECES[-1]}], "STOP")),
        text_complete=chunk([{"text": TEXT}], "STOP"),
        tool_stream=sse(call),
        tool_complete=call,
        cut=sse(*texts[:2]),
    )


WIRES = {wire.name: wire for wire in (openai_chat(), anthropic_messages(), gemini_generate())}
