"""What a vendor sends on each wire that ships: one answer as text and one as a tool call, streamed and complete. Decodes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct, field, json, structs

from parley.testing.replay import Answer

PIECES = ("Grüße aus ", "Parley – ünïcödé 🙂", " and a second", " sentence.")
CALL_NAME, CALL_ARGUMENTS = "get_weather", {"city": "Tromsø", "days": 2}
PROMPT_TOKENS, COMPLETION_TOKENS = 11, 7
REPLY_ID, MODEL, REQUEST_ID = "reply-1", "model-1", "request-1"

EVENT_STREAM = {"content-type": "text/event-stream", "x-request-id": REQUEST_ID}
JSON_DOCUMENT = {"content-type": "application/json", "x-request-id": REQUEST_ID}


class Sample(Struct, frozen=True, kw_only=True):
    """One vendor's answers on a wire. What they say is known where somebody wrote them: `text`, the call, the counts.

    `text_events` is the stream, an element for each event as it stands on the wire; its last `end_events` say that it is over
    (finish reason, usage, end marker), its first `lead_events` say nothing yet. `cut_events` of it are enough for some text and
    no more than a part of the answer.
    `error_event` reports an error in the middle of a stream; its words are "something happened".
    Bodies that a wire has no form for are empty.
    """

    wire: str
    text: str
    text_events: Sequence[bytes]
    end_events: int
    text_complete: bytes
    tool_events: Sequence[bytes] = ()
    tool_complete: bytes = b""
    error_event: bytes = b""
    call_name: str = CALL_NAME
    call_arguments: dict[str, Any] = field(default_factory=CALL_ARGUMENTS.copy)
    prompt_tokens: int | None = PROMPT_TOKENS
    completion_tokens: int | None = COMPLETION_TOKENS
    lead_events: int = 0
    cut_events: int = 3
    stream_headers: dict[str, str] = field(default_factory=EVENT_STREAM.copy)
    complete_headers: dict[str, str] = field(default_factory=JSON_DOCUMENT.copy)

    def streamed(self, **changes: Any) -> Answer:
        """The text as a stream. `changes` are fields of the Answer."""
        return self.stream_of(self.text_events, **changes)

    def complete(self) -> Answer:
        """The text in one document."""
        return Answer(headers=self.complete_headers, body=self.text_complete)

    def tool_streamed(self) -> Answer:
        """The tool call as a stream."""
        return self.stream_of(self.tool_events)

    def tool_called(self) -> Answer:
        """The tool call in one document."""
        return Answer(headers=self.complete_headers, body=self.tool_complete)

    def cut(self, *, after_events: int | None = None, **changes: Any) -> Answer:
        """The text's stream up to this event, without its end."""
        return self.stream_of(self.text_events[: self.cut_events if after_events is None else after_events], **changes)

    def stream_of(self, events: Sequence[bytes], **changes: Any) -> Answer:
        """These events as this wire's stream."""
        answer = Answer(headers=self.stream_headers, body=b"".join(events), streamed=True)
        return structs.replace(answer, **changes)

    def error(self, status: int, message: str, headers: dict[str, str] | None = None) -> Answer:
        """An error that says no more than its status does, in a shape that most vendors share."""
        body = {"type": "error", "error": {"type": "unheard_of", "message": message, "code": status}}
        return Answer(status=status, headers=JSON_DOCUMENT | (headers or {}), body=json.encode(body))


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
        text_events=[*_events(*texts, chunk({}, "stop"), counted), done],
        end_events=3,
        lead_events=1,
        text_complete=whole({"content": "".join(pieces)}, "stop"),
        tool_events=[*_events(*tools, chunk({}, "tool_calls"), counted), done],
        tool_complete=whole({"content": None, "tool_calls": [call]}, "tool_calls"),
        error_event=_events({"error": {"message": "something happened", "type": "unheard_of", "code": None}})[0],
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
        text_events=_events(start, {"type": "ping"}, *texts, *end("end_turn"), named=True),
        end_events=3,
        lead_events=3,
        text_complete=whole({"type": "text", "text": "".join(pieces)}, "end_turn"),
        tool_events=_events(start, *block(tool | {"input": {}}, fragments), *end("tool_use"), named=True),
        tool_complete=whole(tool | {"input": CALL_ARGUMENTS}, "tool_use"),
        error_event=_events({"type": "error", "error": {"type": "unheard_of", "message": "something happened"}}, named=True)[0],
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
        text_events=_events(*(chunk([{"text": piece}]) for piece in pieces[:-1]), chunk([{"text": pieces[-1]}], "STOP")),
        end_events=1,
        text_complete=json.encode(chunk([{"text": "".join(pieces)}], "STOP")),
        tool_events=_events(call),
        tool_complete=json.encode(call),
        error_event=_events({"error": {"code": 500, "message": "something happened", "status": "UNHEARD_OF"}})[0],
        cut_events=2,
    )


WRITERS: dict[str, Callable[[Sequence[str]], Sample]] = {
    "openai_chat": openai_chat,
    "anthropic_messages": anthropic_messages,
    "gemini_generate": gemini_generate,
}
"""By wire, what writes its sample with a text of these pieces; a test compares this with the wires that ship."""


def sample_of(wire: str, *, pieces: Sequence[str] = PIECES) -> Sample | None:
    """The wire's sample with a text of these pieces; None for a wire that Parley does not ship."""
    writer = WRITERS.get(wire)
    return writer(pieces) if writer else None


def _events(*documents: dict[str, Any], named: bool = False) -> list[bytes]:
    """Each as a server-sent event, named after its type where the wire names its events."""
    names = [f"event: {document['type']}\n" if named else "" for document in documents]
    return [b"%bdata: %b\n\n" % (name.encode(), json.encode(document)) for name, document in zip(names, documents, strict=True)]
