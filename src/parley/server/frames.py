"""A chat's events as server-sent events: a delta without an id, the id once it is stored. Knows no chat and no socket."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from msgspec import json

from parley.contract.errors import ParleyError
from parley.server.sse import Heartbeat
from parley.services.events import ErrorEvent, Frame, HeartbeatEvent
from parley.telemetry import scrub

_encoder = json.Encoder()
MAX_JOINED_BYTES: Final = 16_384
HEARTBEAT: Final = Heartbeat(b"data: " + _encoder.encode(HeartbeatEvent()) + b"\n\n")


def encode_frame(frame: Frame, message_id: str) -> bytes:
    """One event. An `id` alone is one too: browsers take it for the place to resume from, and show nothing."""
    lines = b"" if frame.event is None else b"data: " + _encoder.encode(frame.event) + b"\n"
    if frame.acknowledged_seq is not None:
        lines += f"id: {message_id}:{frame.acknowledged_seq}\n".encode()
    return lines + b"\n"


def read_event_id(text: str) -> tuple[str, int] | None:
    """`<messageId>:<seq>` taken apart; None for what is no such id."""
    message_id, separator, seq = text.strip().rpartition(":")
    return (message_id, int(seq)) if separator and seq.isascii() and seq.isdigit() and len(seq) < 16 else None


async def encode_frames(frames: AsyncGenerator[Frame], message_id: str) -> AsyncGenerator[bytes]:
    """Every frame as it comes, with those that are there already. What goes wrong on the way here is the last event: the status has
    long been sent.
    """
    seq = 0
    joined = b""
    try:
        async with aclosing(frames):
            async for frame in frames:
                seq = frame.acknowledged_seq or seq
                joined += encode_frame(frame, message_id)
                if not frame.more or len(joined) > MAX_JOINED_BYTES:
                    yield joined
                    joined = b""
        if joined:
            yield joined
    except ParleyError as error:
        event = ErrorEvent(
            message=scrub(error.message),
            code=str(error.code),
            retryable=error.retryable,
            retry_after=error.retry_after,
            message_id=message_id,
            seq=seq,
        )
        yield joined + encode_frame(Frame(event), message_id)
