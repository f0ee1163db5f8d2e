"""Every recorded reply of the Messages wire, read, written as we serve it, and read again: nothing of it is lost or changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from parley.contract.errors import StreamTruncatedError
from parley.contract.http import ResponseHead
from parley.testing.recordings import Recording, find_recordings, load_recording
from parley.wire.anthropic_messages import AnthropicMessages
from parley.wire.anthropic_messages_server_reply import encode_message
from parley.wire.anthropic_messages_server_stream import MessageWriter

from .round_trip import Read, read_reply, streamed, whole_head

WIRE = AnthropicMessages()


def recorded() -> Iterator[Any]:
    found = False
    for path in find_recordings("anthropic-messages"):
        recording = load_recording(path)
        if recording.status == 200 and recording.kind != "error-stream" and is_whole(recording):
            found = True
            yield pytest.param(recording, id=recording.file)
    if not found:
        yield pytest.param(None, marks=pytest.mark.skip(reason="the recordings are not here (PARLEY_RECORDINGS)"))


def is_whole(recording: Recording) -> bool:
    try:
        first(recording)
    except StreamTruncatedError:
        return False
    return True


def first(recording: Recording) -> Read:
    head = ResponseHead(status=200, headers=recording.headers, provider="acme", model=recording.model)
    return read_reply(WIRE, recording.body, head)


@pytest.mark.parametrize("recording", list(recorded()))
def test_a_whole_reply_comes_back_as_it_was(recording: Recording) -> None:
    read = first(recording)
    again = read_reply(WIRE, encode_message(read.reply), whole_head("acme"))
    assert again.told(exact_arguments=False) == read.told(exact_arguments=False)


@pytest.mark.parametrize("recording", list(recorded()))
def test_a_stream_comes_back_as_it_was(recording: Recording) -> None:
    read = first(recording)
    again = read_reply(WIRE, streamed(MessageWriter(reply_id="made-up", model="asked-for"), read), whole_head("acme"))
    assert again.told() == read.told()
    assert again.text_deltas == read.text_deltas or not recording.streaming
