from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from msgspec import json

from parley.server.frames import HEARTBEAT, encode_frame, encode_frames, read_event_id
from parley.services.errors import StorageUnavailableError
from parley.services.events import Frame, TokenEvent


def token(text: str, seq: int) -> TokenEvent:
    return TokenEvent(content=text, message_id="m", seq=seq)


def test_a_delta_has_no_id_until_it_is_stored() -> None:
    assert encode_frame(Frame(token("a\nb", 1)), "m") == b'data: {"type":"token","content":"a\\nb","messageId":"m","seq":1}\n\n'
    assert encode_frame(Frame(None, 1), "m") == b"id: m:1\n\n"
    assert encode_frame(Frame(token("c", 2), 1), "m").endswith(b'"seq":2}\nid: m:1\n\n')
    assert HEARTBEAT.frame == b'data: {"type":"heartbeat"}\n\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [("m:12", ("m", 12)), (" m:0 ", ("m", 0)), ("m", None), (":5", ("", 5)), ("m:-1", None), ("m:٣", None), ("m:" + "9" * 20, None)],
)
def test_an_event_id_is_read_back(text: str, expected: tuple[str, int] | None) -> None:
    assert read_event_id(text) == expected


async def test_a_failure_on_the_way_is_the_last_event_and_closes_the_source() -> None:
    closed = []

    async def frames() -> AsyncGenerator[Frame]:
        try:
            yield Frame(token("a", 1), 1)
            raise StorageUnavailableError("the database is away; key sk-abcdefgh12345678")
        finally:
            closed.append(True)

    sent = [frame async for frame in encode_frames(frames(), "m")]
    last = json.decode(sent[-1].removeprefix(b"data: "))
    assert (last["type"], last["code"], last["seq"], last["retryable"]) == ("error", "storage_unavailable", 1, True)
    assert "sk-abcdefgh" not in last["message"]
    assert closed == [True]


async def test_what_is_there_already_is_sent_together() -> None:
    async def frames() -> AsyncGenerator[Frame]:
        yield Frame(token("a", 1))
        yield Frame(token("b", 2), more=True)
        yield Frame(token("c", 3), more=True)
        yield Frame(token("d", 4), 4)

    alone = [encode_frame(Frame(token(text, seq), 4 if seq == 4 else None), "m") for seq, text in enumerate("abcd", 1)]
    assert [sent async for sent in encode_frames(frames(), "m")] == [alone[0], b"".join(alone[1:])]
