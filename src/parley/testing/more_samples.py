"""What vendors send on the wires that came after the first three: the same answers as in `samples`, in their shapes. Decodes nothing."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import json

from parley.testing.sample_answers import (
    CALL_ARGUMENTS,
    CALL_NAME,
    COMPLETION_TOKENS,
    JSON_DOCUMENT,
    MODEL,
    PIECES,
    PROMPT_TOKENS,
    REPLY_ID,
    REQUEST_ID,
    Sample,
    sse_events,
)

_ARGUMENTS = json.encode(CALL_ARGUMENTS).decode()


def openai_responses(pieces: Sequence[str] = PIECES) -> Sample:
    """OpenAI's Responses: items that begin, grow and end, then the event with the whole response."""
    counts = {"input_tokens": PROMPT_TOKENS, "output_tokens": COMPLETION_TOKENS, "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS}
    text = "".join(pieces)
    content: dict[str, Any] = {"type": "output_text", "text": text, "annotations": []}
    message: dict[str, Any] = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [content]}
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": CALL_NAME, "arguments": _ARGUMENTS, "status": "completed"}

    def response(status: str, *output: dict[str, Any]) -> dict[str, Any]:
        whole = {"id": REPLY_ID, "object": "response", "model": MODEL, "status": status, "output": list(output)}
        return whole | ({"usage": counts} if output else {})

    def growing(item: dict[str, Any], kind: str, deltas: Sequence[str], empty: dict[str, Any]) -> list[dict[str, Any]]:
        place = {"output_index": 0, "item_id": item["id"], "content_index": 0}
        return [
            {"type": "response.output_item.added", "output_index": 0, "item": item | empty | {"status": "in_progress"}},
            *({"type": f"response.{kind}.delta", **place, "delta": delta} for delta in deltas),
            {"type": "response.output_item.done", "output_index": 0, "item": item},
        ]

    def stream(item: dict[str, Any], kind: str, deltas: Sequence[str], empty: dict[str, Any]) -> list[bytes]:
        begin = [{"type": "response.created", "response": response("in_progress")}]
        end = [{"type": "response.completed", "response": response("completed", item)}]
        return sse_events(*begin, *growing(item, kind, deltas, empty), *end, named=True)

    return Sample(
        wire="openai_responses",
        text=text,
        text_events=stream(message, "output_text", pieces, {"content": []}),
        end_events=2,
        lead_events=2,
        text_complete=json.encode(response("completed", message)),
        tool_events=stream(call, "function_call_arguments", (_ARGUMENTS[:9], _ARGUMENTS[9:]), {"arguments": ""}),
        tool_complete=json.encode(response("completed", call)),
        error_event=sse_events({"type": "error", "code": "unheard_of", "message": "something happened", "param": None}, named=True)[0],
        cut_events=4,
    )


def cohere_v2(pieces: Sequence[str] = PIECES) -> Sample:
    """Cohere's second version: typed events, the counts and the finish reason in the last one."""
    usage = {"billed_units": {}, "tokens": {"input_tokens": PROMPT_TOKENS, "output_tokens": COMPLETION_TOKENS}}
    call = {"id": "call_1", "type": "function", "function": {"name": CALL_NAME, "arguments": _ARGUMENTS}}

    def event(kind: str, **message: Any) -> dict[str, Any]:
        return {"type": kind, "index": 0, "delta": {"message": message}}

    def end(reason: str) -> dict[str, Any]:
        return {"type": "message-end", "delta": {"finish_reason": reason, "usage": usage}}

    def whole(message: dict[str, Any], reason: str) -> bytes:
        return json.encode({"id": REPLY_ID, "message": {"role": "assistant", **message}, "finish_reason": reason, "usage": usage})

    start: dict[str, Any] = {
        "id": REPLY_ID,
        "type": "message-start",
        "delta": {"message": {"role": "assistant", "content": [], "tool_calls": []}},
    }
    texts = [event("content-delta", content={"text": piece}) for piece in pieces]
    begun = call | {"function": {"name": CALL_NAME, "arguments": ""}}
    fragments = [event("tool-call-delta", tool_calls={"function": {"arguments": part}}) for part in (_ARGUMENTS[:9], _ARGUMENTS[9:])]
    tools = [event("tool-call-start", tool_calls=begun), *fragments, {"type": "tool-call-end", "index": 0}]
    done = b"data: [DONE]\n\n"
    return Sample(
        wire="cohere_v2",
        text="".join(pieces),
        text_events=[*sse_events(start, event("content-start", content={"type": "text", "text": ""}), *texts, end("COMPLETE")), done],
        end_events=2,
        lead_events=2,
        text_complete=whole({"content": [{"type": "text", "text": "".join(pieces)}]}, "COMPLETE"),
        tool_events=[*sse_events(start, *tools, end("TOOL_CALL")), done],
        tool_complete=whole({"tool_calls": [call]}, "TOOL_CALL"),
        error_event=sse_events({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "something happened"}})[0],
        cut_events=4,
    )


def ollama_chat(pieces: Sequence[str] = PIECES) -> Sample:
    """Ollama's own: an object a line, the last one with the counts."""
    call = {"id": "call_1", "function": {"name": CALL_NAME, "arguments": CALL_ARGUMENTS}}

    def line(message: dict[str, Any], *, done: bool = False) -> dict[str, Any]:
        counts = {"done_reason": "stop", "prompt_eval_count": PROMPT_TOKENS, "eval_count": COMPLETION_TOKENS} if done else {}
        return {"model": MODEL, "created_at": "2026-11-25T00:00:00Z", "message": {"role": "assistant", **message}, "done": done, **counts}

    def lines(*documents: dict[str, Any]) -> list[bytes]:
        return [json.encode(document) + b"\n" for document in documents]

    end = line({"content": ""}, done=True)
    return Sample(
        wire="ollama_chat",
        text="".join(pieces),
        text_events=lines(*(line({"content": piece}) for piece in pieces), end),
        end_events=1,
        text_complete=json.encode(line({"content": "".join(pieces)}, done=True)),
        tool_events=lines(line({"content": "", "tool_calls": [call]}), end),
        tool_complete=json.encode(line({"content": "", "tool_calls": [call]}, done=True)),
        error_event=json.encode({"error": "something happened"}) + b"\n",
        cut_events=2,
        stream_headers={"content-type": "application/x-ndjson", "x-request-id": REQUEST_ID},
    )


def bedrock_converse(pieces: Sequence[str] = PIECES) -> Sample:
    """Bedrock's Converse: Amazon's binary frames, the counts behind the stop reason."""
    counts = {"inputTokens": PROMPT_TOKENS, "outputTokens": COMPLETION_TOKENS, "totalTokens": PROMPT_TOKENS + COMPLETION_TOKENS}
    used = {"toolUseId": "call_1", "name": CALL_NAME}

    def delta(value: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return "contentBlockDelta", {"contentBlockIndex": 0, "delta": value}

    def stream(reason: str, *events: tuple[str, dict[str, Any]]) -> list[bytes]:
        end = (("contentBlockStop", {"contentBlockIndex": 0}), ("messageStop", {"stopReason": reason}), ("metadata", {"usage": counts}))
        return [amazon_frame(kind, value) for kind, value in (("messageStart", {"role": "assistant"}), *events, *end)]

    def whole(content: dict[str, Any], reason: str) -> bytes:
        return json.encode({"output": {"message": {"role": "assistant", "content": [content]}}, "stopReason": reason, "usage": counts})

    begun = ("contentBlockStart", {"contentBlockIndex": 0, "start": {"toolUse": used}})
    fragments = [delta({"toolUse": {"input": part}}) for part in (_ARGUMENTS[:9], _ARGUMENTS[9:])]
    return Sample(
        wire="bedrock_converse",
        text="".join(pieces),
        text_events=stream("end_turn", *(delta({"text": piece}) for piece in pieces)),
        end_events=3,
        lead_events=1,
        text_complete=whole({"text": "".join(pieces)}, "end_turn"),
        tool_events=stream("tool_use", begun, *fragments),
        tool_complete=whole({"toolUse": used | {"input": CALL_ARGUMENTS}}, "tool_use"),
        error_event=amazon_frame("modelStreamErrorException", {"message": "something happened"}, exception=True),
        stream_headers={"content-type": "application/vnd.amazon.eventstream", "x-amzn-requestid": REQUEST_ID},
        complete_headers={"content-type": "application/json", "x-amzn-requestid": REQUEST_ID},
    )


def amazon_frame(kind: str, value: dict[str, Any] | bytes, *, exception: bool = False) -> bytes:
    """One event, or exception, as Amazon's binary stream has it."""
    message = "exception" if exception else "event"
    named = {f":{message}-type": kind, ":content-type": "application/json", ":message-type": message}
    headers = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(text)) + text.encode() for name, text in named.items()
    )
    payload = value if isinstance(value, bytes) else json.encode(value)
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return body + struct.pack(">I", zlib.crc32(body))


def dialogflow_detect_intent(pieces: Sequence[str] = PIECES) -> Sample:
    """Dialogflow's detectIntent: one document, streamed or not; it has no calls, no counts and names no model."""
    text = "".join(pieces)
    result = {"languageCode": "en", "responseMessages": [{"text": {"text": [text]}}], "match": {"matchType": "INTENT"}}
    document = json.encode({"responseId": REPLY_ID, "queryResult": result, "responseType": "FINAL"})
    return Sample(
        wire="dialogflow_detect_intent",
        text=text,
        text_events=[document],
        end_events=1,
        text_complete=document,
        prompt_tokens=None,
        completion_tokens=None,
        cut_events=0,
        stream_headers=JSON_DOCUMENT,
    )


UNSTREAMED_WRITERS: dict[str, Callable[[Sequence[str]], Sample]] = {"dialogflow_detect_intent": dialogflow_detect_intent}
MORE_WRITERS: dict[str, Callable[[Sequence[str]], Sample]] = {
    "openai_responses": openai_responses,
    "cohere_v2": cohere_v2,
    "ollama_chat": ollama_chat,
    "bedrock_converse": bedrock_converse,
}
