"""The table of limits, and the watchdog by itself."""

from __future__ import annotations

from typing import Any

import pytest

from parley.contract.capabilities import Capabilities
from parley.contract.options import Options, Timeouts
from parley.guard.timers import DEFAULT, LOCAL, REASONING, TimeLimits, Watchdog, resolve, table_column


def test_the_table_is_the_contracts() -> None:
    assert TimeLimits(connect=10, first_token=120, idle=60, total=900) == DEFAULT
    assert TimeLimits(connect=10, first_token=300, idle=120, total=1800) == REASONING
    assert TimeLimits(connect=2, first_token=600, idle=120, total=3600) == LOCAL


@pytest.mark.parametrize(
    ("local", "capabilities", "options", "column"),
    [
        (False, Capabilities(), Options(), DEFAULT),
        (False, Capabilities(reasoning=False), Options(), DEFAULT),
        (False, Capabilities(reasoning=True), Options(), REASONING),
        (False, Capabilities(), Options(reasoning_effort="minimal"), REASONING),
        (True, Capabilities(reasoning=True), Options(), LOCAL),
    ],
)
def test_a_call_belongs_to_one_column(local: bool, capabilities: Capabilities, options: Options, column: TimeLimits) -> None:
    assert table_column(local=local, capabilities=capabilities, options=options) == column


def test_the_first_setting_that_says_something_wins_name_by_name() -> None:
    limits = resolve(DEFAULT, Timeouts(idle=1), Timeouts(idle=2, total=3), Timeouts(total=4, connect=5))
    assert limits == TimeLimits(connect=5, first_token=120, idle=1, total=3)


async def test_an_idle_limit_shorter_than_what_is_left_for_the_first_token_holds(clock: Any) -> None:
    rung: list[str] = []
    watchdog = Watchdog(clock, DEFAULT, total_at=clock.now() + 900, whole=False, expired=rung.append)
    watchdog.heard(clock.now())
    await clock.advance(59)
    assert rung == []
    await clock.advance(1)
    assert rung == ["idle"]


async def test_a_pause_moves_every_limit_the_total_included(clock: Any) -> None:
    rung: list[str] = []
    watchdog = Watchdog(clock, DEFAULT, total_at=clock.now() + 90, whole=False, expired=rung.append)
    watchdog.heard(clock.now())
    await clock.advance(50)
    watchdog.pause()
    await clock.advance(1000)
    watchdog.resume()
    await clock.advance(9)
    watchdog.heard(clock.now())
    await clock.advance(30)
    assert rung == []
    await clock.advance(1)
    assert rung == ["total"]


async def test_a_loop_that_was_held_up_is_excused_once_per_silence(clock: Any) -> None:
    rung: list[str] = []
    Watchdog(clock, DEFAULT, total_at=clock.now() + 900, whole=False, expired=rung.append)
    clock.time += 130
    await clock.advance(0)
    assert rung == []
    clock.time += 1
    await clock.advance(0)
    assert rung == ["first_token"]
