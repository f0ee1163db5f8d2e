from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, text

from parley.contract.errors import InvalidRequestError
from parley.storage import writer
from parley.storage.database import Database
from parley.storage.errors import AlreadyExistsError, StorageUnavailableError
from parley.storage.writer import Change

MAKE = text("CREATE TABLE notes (id INTEGER PRIMARY KEY, words TEXT NOT NULL)")
ADD = text("INSERT INTO notes VALUES (:id, :words)")
CHANGE = text("UPDATE notes SET words = :words WHERE id = :id")
ALL = text("SELECT id, words FROM notes ORDER BY id")


@pytest.fixture
async def notes(database: Database) -> Database:
    await database.writer.submit(MAKE)
    return database


@pytest.fixture
def groups(notes: Database, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often the database was written to, one entry for each transaction."""
    counted: list[int] = []
    work = notes.writer._work

    async def counting(function: Callable[[Connection], Any]) -> Any:
        counted.append(1)
        return await work(function)

    monkeypatch.setattr(notes.writer, "_work", counting)
    return counted


async def stored(database: Database) -> list[tuple[int, str]]:
    return [tuple(row) for row in await database.fetch(ALL)]


def note(number: int, words: str = "x") -> dict[str, Any]:
    return {"id": number, "words": words}


async def test_what_is_submitted_at_the_same_time_shares_a_transaction(notes: Database, groups: list[int]) -> None:
    counts = await asyncio.gather(*(notes.writer.submit(ADD, note(number)) for number in range(200)))
    assert counts == [1] * 200
    assert len(groups) <= 2
    assert len(await stored(notes)) == 200


async def test_each_caller_learns_how_many_rows_it_changed(notes: Database) -> None:
    await notes.writer.submit(ADD, [note(1), note(2)])
    changed = await asyncio.gather(
        notes.writer.submit(CHANGE, note(1, "y")),
        notes.writer.submit(CHANGE, note(9, "y")),
        notes.writer.submit_all([Change(CHANGE, note(1, "z")), Change(CHANGE, note(2, "z")), Change(CHANGE, note(3, "z"))]),
    )
    assert changed == [1, 0, [1, 1, 0]]


async def test_one_that_fails_does_not_take_its_neighbours_with_it(notes: Database) -> None:
    await notes.writer.submit(ADD, note(1))
    outcomes = await asyncio.gather(
        notes.writer.submit(ADD, note(2)),
        notes.writer.submit(ADD, note(1)),
        notes.writer.submit_together([Change(ADD, note(3))]),
        notes.writer.submit_together([Change(ADD, note(1))]),
        notes.writer.submit(ADD, {"id": 5, "words": None}),
        notes.writer.submit(ADD, {"id": 6, "words": "\ud800"}),
        notes.writer.submit(ADD, note(7)),
        return_exceptions=True,
    )
    kinds = [type(outcome) if isinstance(outcome, Exception) else None for outcome in outcomes]
    assert kinds == [None, AlreadyExistsError, None, AlreadyExistsError, AlreadyExistsError, InvalidRequestError, None]
    assert [number for number, _ in await stored(notes)] == [1, 2, 3, 7]


async def test_a_unit_is_all_or_nothing(notes: Database) -> None:
    with pytest.raises(AlreadyExistsError):
        await notes.writer.submit_all([Change(ADD, note(1)), Change(ADD, note(1))])
    assert await stored(notes) == []


async def test_units_that_run_together_keep_their_own_order(notes: Database, groups: list[int]) -> None:
    units = [[Change(ADD, note(number, "first")), Change(CHANGE, note(number, "second"))] for number in range(50)]
    await asyncio.gather(*(notes.writer.submit_together(unit) for unit in units))
    assert await stored(notes) == [(number, "second") for number in range(50)]
    assert len(groups) <= 2


async def test_the_log_waits_for_company_and_what_is_awaited_does_not(notes: Database, groups: list[int]) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    logged = [notes.writer.log(lambda number=number: Change(ADD, note(number))) for number in range(5)]
    await asyncio.gather(*logged)
    assert loop.time() - begun >= writer.LOG_SECONDS * 0.9
    assert len(groups) == 1
    waiting = notes.writer.log(lambda: Change(ADD, note(10)))
    await notes.writer.submit(ADD, note(11))
    assert waiting.done(), "what is waited for takes the log along"
    assert len(groups) == 2


async def test_a_log_is_made_when_it_is_written(notes: Database) -> None:
    words: list[str] = []
    done = notes.writer.log(lambda: Change(ADD, note(1, " ".join(words))))
    words += ["late", "comers"]
    await done
    assert await stored(notes) == [(1, "late comers")]
    await notes.writer.log(lambda: None)


async def test_a_log_that_fails_tells_its_owner_alone(notes: Database) -> None:
    await notes.writer.submit(ADD, note(1))
    good, bad = notes.writer.log(lambda: Change(ADD, note(2))), notes.writer.log(lambda: Change(ADD, note(1)))
    await good
    with pytest.raises(AlreadyExistsError):
        await bad


async def test_a_database_that_is_away_is_told_and_found_again(notes: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_work: object) -> Any:
        raise OSError("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(notes.writer, "_work", away)
        outcomes = await asyncio.gather(*(notes.writer.submit(ADD, note(number)) for number in range(3)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [StorageUnavailableError] * 3
    assert await notes.writer.submit(ADD, note(1)) == 1


async def test_a_caller_that_gives_up_harms_nobody(notes: Database) -> None:
    leaving = asyncio.create_task(notes.writer.submit(ADD, note(1)))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await notes.writer.submit(ADD, note(2)) == 1
    assert len(await stored(notes)) == 2


async def test_closing_writes_what_waits_and_takes_nothing_more(notes: Database) -> None:
    waiting = notes.writer.log(lambda: Change(ADD, note(1)))
    await notes.writer.aclose()
    assert waiting.done()
    assert await stored(notes) == [(1, "x")]
    with pytest.raises(StorageUnavailableError):
        await notes.writer.submit(ADD, note(2))


async def test_a_writer_that_breaks_down_leaves_nobody_waiting(notes: Database) -> None:
    def broken() -> Change:
        raise RuntimeError("a fault of ours")

    waiting = notes.writer.log(broken)
    with pytest.raises(StorageUnavailableError):
        await notes.writer.submit(ADD, note(1))
    with pytest.raises(StorageUnavailableError):
        await waiting
    with pytest.raises(StorageUnavailableError):
        await notes.writer.submit(ADD, note(2))
