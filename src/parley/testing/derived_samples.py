"""A wire's sample made of its author's recordings: what they say is found by reading them through the provider itself. Knows no wire."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from parley.contract.codec import Codec
from parley.contract.events import TextDelta
from parley.contract.http import ResponseHead
from parley.contract.messages import Message
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse
from parley.guard.fold import Fold
from parley.testing.recordings import Recording
from parley.testing.replay import Answer, answer_of
from parley.testing.samples import CALL_ARGUMENTS, CALL_NAME, Sample

Read: TypeAlias = Callable[[Recording], Awaitable[ChatResponse | None]]
"""What a provider makes of a recording; None where that is an error."""

MAX_EVENTS = 64
"""So many pieces a recorded stream is taken apart into, at most; longer ones have several events in a piece."""

_QUESTION = ChatRequest(messages=[Message(role="user", content="Hello")])
_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")


async def derive_sample(wire: str, recordings: Sequence[Recording], read: Read, *, codec: Codec | None = None) -> Sample | None:
    """The sample; None where there is no recorded stream or complete answer with text in it that the provider can read.

    Where its text begins and ends among the events is known where there is a codec to ask, else guessed.
    """
    found = {kind: await _first(recordings, kind, read) for kind in ("stream", "generate", "tools-stream", "tools")}
    streamed, complete, tools, called = found.values()
    if streamed is None and complete is None:
        return None
    stream, reply = streamed or (None, ChatResponse())
    document, complete_reply = complete or (None, ChatResponse())
    call = next((each for _, tool_reply in filter(None, (tools, called)) for each in tool_reply.tool_calls), None)
    events = events_of(stream) if stream is not None else []
    lead, begins, ends = _places_in(events, codec, _headers(stream)) if codec is not None else (0, 0, len(events) - 1)
    return Sample(
        wire=wire,
        text=reply.text or complete_reply.text,
        text_events=events,
        end_events=max(1, len(events) - ends),
        lead_events=lead,
        text_complete=document.body if document is not None else b"",
        tool_events=events_of(tools[0]) if tools is not None else (),
        tool_complete=called[0].body if called is not None else b"",
        call_name=call.name if call is not None else CALL_NAME,
        call_arguments=_arguments(call.arguments) if call is not None else dict(CALL_ARGUMENTS),
        prompt_tokens=None,
        completion_tokens=None,
        cut_events=max(1, (begins + ends) // 2),
        stream_headers=_headers(stream),
        complete_headers=_headers(document),
    )


def events_of(recording: Recording) -> list[bytes]:
    """The body in its events: server-sent events end with a blank line, JSON lines with their line; else pieces of equal size."""
    body = recording.body
    content_type = recording.headers.get("content-type", "")
    if "event-stream" in content_type or body.lstrip().startswith((b"data:", b"event:", b":")):
        ends = [found.end() for found in _BLANK_LINE.finditer(body)]
    elif "json" in content_type and body.count(b"\n") > 1:
        ends = [found.end() for found in re.finditer(rb"\n", body)]
    else:
        size = max(1, -(-len(body) // MAX_EVENTS))
        ends = list(range(size, len(body), size))
    places = [0, *[end for end in ends if end < len(body)], len(body)]
    events = [body[begin:end] for begin, end in pairwise(places) if begin < end]
    return _joined(events)


def _joined(events: Sequence[bytes]) -> list[bytes]:
    together = -(-len(events) // MAX_EVENTS)
    return [b"".join(events[place : place + together]) for place in range(0, len(events), together)] if together else []


async def _first(recordings: Sequence[Recording], kind: str, read: Read) -> tuple[Recording, ChatResponse] | None:
    """The first recording of this kind with something in it: a text, or a tool call."""
    for recording in recordings:
        if recording.kind == kind and recording.status == 200:
            reply = await read(recording)
            if reply is not None and (reply.tool_calls if kind.startswith("tools") else reply.text):
                return recording, reply
    return None


def _places_in(events: Sequence[bytes], codec: Codec, headers: dict[str, str]) -> tuple[int, int, int]:
    """How many events come before the first content (which may be a thought), before the first text, and with how many the last text
    has come.
    """
    decoder, fold = codec.decoder(_QUESTION, ResponseHead(status=200, headers=headers)), Fold()
    with_content: list[int] = []
    with_text: list[int] = []
    try:
        for number, event in enumerate(events):
            told = decoder.feed(event)
            if fold.add(told):
                with_content.append(number)
            if any(isinstance(each, TextDelta) and each.text for each in told):
                with_text.append(number)
    except Exception:  # noqa: BLE001 - an author's codec may raise anything; the rules tell of it
        return 0, 0, len(events) - 1
    return (with_content[0], with_text[0], with_text[-1] + 1) if with_text else (0, 0, len(events) - 1)


def _arguments(text: str) -> dict[str, Any]:
    try:
        return json.loads(text)
    except ValueError:
        return {}


def _headers(recording: Recording | None) -> dict[str, str]:
    return dict(answer_of(recording).headers) if recording is not None else dict(Answer().headers)
