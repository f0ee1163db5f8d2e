"""All sixteen faults in all three modes. It takes some seconds: the waits are a thirtieth of real ones, and they come to minutes."""

from __future__ import annotations

from .route_wall import last_line, outcomes


async def test_every_answer_is_whole_or_a_clear_error() -> None:
    found = [outcome async for outcome in outcomes(at_once=4)]
    assert [outcome.line for outcome in found if outcome.verdict == "FAIL"] == []
    assert last_line(found) == "16/16 16/16 13+3"
