"""All sixteen faults in all three modes. It takes some seconds: the waits are a fiftieth of real ones, and a fiftieth of 400 s is that."""

from __future__ import annotations

from .route_wall import last_line, outcomes


async def test_every_answer_is_whole_or_a_clear_error() -> None:
    found = [outcome async for outcome in outcomes(at_once=4)]
    assert [outcome.line for outcome in found if outcome.verdict == "FAIL"] == []
    assert last_line(found) == "16/16 16/16 13+3"
