from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from parley.testing import load_recording
from parley.testing.derived_samples import MAX_EVENTS, derive_sample, events_of
from parley.testing.recordings import Recording

from . import mars


def recording(body: bytes, content_type: str) -> Recording:
    return Recording(
        file="a",
        provider="a",
        wire_family="a",
        kind="stream",
        model="a",
        streaming=True,
        status=200,
        headers={"content-type": content_type},
        body=body,
        exact=True,
        request=None,
    )


@pytest.mark.parametrize(
    ("body", "content_type", "events"),
    [
        (b"data: 1\n\ndata: 2\n\n", "text/event-stream", [b"data: 1\n\n", b"data: 2\n\n"]),
        (b"data: 1\r\n\r\ndata: 2", "text/event-stream", [b"data: 1\r\n\r\n", b"data: 2"]),
        (b": ping\n\ndata: 1\n\n", "", [b": ping\n\n", b"data: 1\n\n"]),
        (b'{"a":1}\n{"b":2}\n', "application/x-ndjson", [b'{"a":1}\n', b'{"b":2}\n']),
        (b"\x00\x01\x02", "application/vnd.amazon.eventstream", [b"\x00", b"\x01", b"\x02"]),
        (b"", "text/event-stream", []),
    ],
)
def test_events_are_found_by_blank_lines_lines_or_bytes(body: bytes, content_type: str, events: list[bytes]) -> None:
    assert events_of(recording(body, content_type)) == events


def test_a_long_stream_has_no_more_pieces_than_are_worth_cutting() -> None:
    body = b"".join(b"data: %d\n\n" % number for number in range(1000))
    events = events_of(recording(body, "text/event-stream"))
    assert len(events) <= MAX_EVENTS
    assert b"".join(events) == body
    assert all(event.endswith(b"\n\n") for event in events)
    assert len(events_of(recording(bytes(10_000), "application/octet-stream"))) <= MAX_EVENTS


async def test_a_sample_says_what_the_recordings_say(tmp_path: Path) -> None:
    read = [load_recording(path) for path in sorted(mars.recordings(tmp_path).glob("*.json"))]
    subject = mars_subject(tmp_path)
    sample = await derive_sample("mars", read, subject._read_recording, codec=subject.codec)
    assert sample is not None
    assert (sample.wire, sample.text, len(sample.text_events)) == ("mars", "Red dust ünd 🪐 rocks", 5)
    assert (sample.call_name, sample.call_arguments) == ("get_weather", {"city": "Olympus"})
    assert json.loads(sample.text_complete)["words"] == "Red dust"
    assert sample.stream_headers == {"content-type": "application/x-ndjson"}
    assert (sample.lead_events, sample.end_events) == (0, 1)
    assert sample.prompt_tokens is None, "nobody has said what the counts mean"


async def test_recordings_without_a_reply_make_no_sample(tmp_path: Path) -> None:
    path = mars.write(tmp_path, "error", [{"fault": "x"}], status=500)
    subject = mars_subject(tmp_path)
    assert await derive_sample("mars", [load_recording(path)], subject._read_recording) is None
    cut = msgspec.structs.replace(load_recording(mars.write(tmp_path, "stream", [{"words": "Red "}])))
    assert await derive_sample("mars", [cut], subject._read_recording) is None


def mars_subject(folder: Path):
    from parley.testing import subject_of

    return subject_of(mars.dialect(), recordings=folder)
