from __future__ import annotations

import asyncio

import pytest

from parley.services import recent as module
from parley.services.errors import StorageUnavailableError
from parley.services.recent import FRESH_SECONDS, GRACE_SECONDS, Recent


class Table:
    """What is read, how often, and how long that takes."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {"a": "1"}
        self.reads = 0
        self.away = False
        self.gate: asyncio.Event | None = None
        self.now = 1000.0

    async def read(self, key: str) -> str | None:
        self.reads += 1
        found = self.rows.get(key)
        if self.gate is not None:
            await self.gate.wait()
        if self.away:
            raise StorageUnavailableError("away")
        return found


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def recent(table: Table) -> Recent[str]:
    return Recent(table.read, now=lambda: table.now)


async def test_a_row_is_read_once_while_it_is_fresh(table: Table, recent: Recent[str]) -> None:
    assert [await recent.find("a") for _ in range(3)] == ["1"] * 3
    assert table.reads == 1
    table.rows["a"] = "2"
    table.now += FRESH_SECONDS
    assert await recent.find("a") == "2"


async def test_what_is_forgotten_is_read_again_at_once(table: Table, recent: Recent[str]) -> None:
    await recent.find("a")
    del table.rows["a"]
    recent.forget("a")
    assert await recent.find("a") is None


async def test_what_is_not_there_is_not_remembered(table: Table, recent: Recent[str]) -> None:
    assert await recent.find("b") is None
    table.rows["b"] = "1"
    assert await recent.find("b") == "1"


async def test_of_many_that_ask_for_an_old_row_one_reads(table: Table, recent: Recent[str]) -> None:
    await recent.find("a")
    table.now += FRESH_SECONDS
    table.gate = asyncio.Event()
    first = asyncio.ensure_future(recent.find("a"))
    await asyncio.sleep(0)
    assert [await recent.find("a") for _ in range(50)] == ["1"] * 50
    table.gate.set()
    assert await first == "1"
    assert table.reads == 2


async def test_a_read_that_began_before_a_change_is_not_remembered(table: Table, recent: Recent[str]) -> None:
    table.gate = asyncio.Event()
    old = asyncio.ensure_future(recent.find("a"))
    await asyncio.sleep(0)
    table.rows["a"] = "2"
    recent.forget("a")
    table.gate.set()
    assert await old == "1"
    assert await recent.find("a") == "2"


async def test_while_the_database_is_away_what_was_known_counts_for_a_while(table: Table, recent: Recent[str]) -> None:
    await recent.find("a")
    table.away = True
    table.now += FRESH_SECONDS
    assert await recent.find("a") == "1"
    with pytest.raises(StorageUnavailableError):
        await recent.find("b")
    table.now += GRACE_SECONDS
    with pytest.raises(StorageUnavailableError):
        await recent.find("a")


async def test_what_is_remembered_is_bounded(table: Table, recent: Recent[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED", 2)
    table.rows = {"a": "1", "b": "2", "c": "3"}
    for key in ("a", "b", "c", "c", "b"):
        await recent.find(key)
    assert table.reads == 3
    await recent.find("a")
    assert table.reads == 4
