"""What a sample of a wire's answers is: one as text and one as a tool call, streamed and complete. Knows no wire."""

from __future__ import annotations

from collections.abc import Sequence
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


def sse_events(*documents: dict[str, Any], named: bool = False) -> list[bytes]:
    """Each as a server-sent event, named after its type where the wire names its events."""
    names = [f"event: {document['type']}\n" if named else "" for document in documents]
    return [b"%bdata: %b\n\n" % (name.encode(), json.encode(document)) for name, document in zip(names, documents, strict=True)]
