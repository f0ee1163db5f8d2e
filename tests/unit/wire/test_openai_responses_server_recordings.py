"""Every recorded reply of the Responses wire, read, written as we serve it, and read again: nothing of it is lost or changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import structs

from parley.contract.http import ResponseHead
from parley.contract.response import Citation
from parley.testing.recordings import Recording, find_recordings, load_recording
from parley.wire.openai_responses import OpenAIResponses
from parley.wire.openai_responses_server_reply import Frame, encode_response
from parley.wire.openai_responses_server_stream import ResponseWriter

from .round_trip import Read, read_reply, streamed, whole_head

WIRE = OpenAIResponses()
FRAME = Frame(echo={"tools": [], "tool_choice": "auto", "parallel_tool_calls": True}, created=7, seed="seed")


def recorded() -> Iterator[Any]:
    found = False
    for path in find_recordings():
        recording = load_recording(path)
        # Azure answers for models of other makers in the shape of chat completions.
        is_reply = recording.wire_family == "openai-responses" and recording.status == 200 and recording.kind != "error-stream"
        if is_reply and b'"choices"' not in recording.body:
            found = True
            yield pytest.param(recording, id=recording.file)
    if not found:
        yield pytest.param(None, marks=pytest.mark.skip(reason="the recordings are not here (PARLEY_RECORDINGS)"))


RECORDINGS = list(recorded())


def first(recording: Recording) -> Read:
    head = ResponseHead(status=200, headers=recording.headers, provider="acme", model=recording.model)
    return read_reply(WIRE, recording.body, head)


def told(read: Read) -> dict[str, Any]:
    """The wire demands counts that not every vendor gives, a title and a place for each source, and knows one word for whole."""
    told = read.told()
    counts = {name: getattr(read.report, name) or 0 for name in ("cached_tokens", "cache_write_tokens", "reasoning_tokens")}
    told["usage"] = structs.replace(read.report, **counts)
    told["citations"] = [where_cited(citation) for citation in read.reply.citations]
    told["finish"] = (read.reply.finish_reason, "completed" if read.reply.raw_finish_reason == "complete" else read.reply.raw_finish_reason)
    return told


def where_cited(citation: Citation) -> tuple[Any, ...]:
    return citation.url, citation.title or citation.url


@pytest.mark.parametrize("recording", RECORDINGS)
def test_a_whole_reply_comes_back_as_it_was(recording: Recording) -> None:
    read = first(recording)
    again = read_reply(WIRE, encode_response(read.reply, FRAME), whole_head("acme"))
    assert told(again) == told(read)


@pytest.mark.parametrize("recording", RECORDINGS)
def test_a_stream_comes_back_as_it_was(recording: Recording) -> None:
    read = first(recording)
    body = streamed(ResponseWriter(FRAME, reply_id="made-up", model="asked-for"), read)
    again = read_reply(WIRE, body, whole_head("acme"))
    if "github-copilot" in recording.provider:  # each of its events has another id for the same item; ours keep the first
        assert (again.reply.text, again.reply.reasoning) == (read.reply.text, read.reply.reasoning)
    else:
        assert told(again) == told(read)
    assert again.text_deltas == read.text_deltas


@pytest.mark.parametrize("recording", RECORDINGS)
def test_events_are_numbered_and_every_item_keeps_its_id(recording: Recording) -> None:
    body = streamed(ResponseWriter(FRAME, reply_id="made-up", model="asked-for"), first(recording)).decode()
    events = [json.loads(block.partition("\ndata: ")[2]) for block in body.split("\n\n") if block]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    added = {event["output_index"]: event["item"].get("id") for event in events if event["type"] == "response.output_item.added"}
    done = {event["output_index"]: event["item"].get("id") for event in events if event["type"] == "response.output_item.done"}
    final = [item.get("id") for item in events[-1]["response"]["output"]]
    if "github-copilot" not in recording.provider:  # each of its events has another id for the same item
        assert added == done
    assert list(done.values()) == final or sorted(map(str, done.values())) == sorted(map(str, final))
    assert all(event["item_id"] == added[event["output_index"]] for event in events if "item_id" in event)
