"""The one task that writes: what is submitted at the same time shares a transaction. Knows statements and no table."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from sqlalchemy import Connection, Executable

from parley.storage.errors import StorageUnavailableError
from parley.storage.faults import DATABASE_ERRORS, is_away, told
from parley.telemetry import get_logger

LOG_SECONDS = 0.15
"""How long the log waits for company; with the commit itself it stays below 200 ms."""
MAX_UNITS = 512
MAX_WAITING_UNITS = 20_000

Parameters: TypeAlias = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None

_Result = TypeVar("_Result")
_logger = get_logger(__name__)


class Change(NamedTuple):
    """A statement and its values; several sets of values run it once for each."""

    statement: Executable
    parameters: Parameters = None


class Work(Protocol):
    """How the database runs a function on its connection for writing, wherever that lives."""

    def __call__(self, work: Callable[[Connection], _Result], /) -> Awaitable[_Result]:
        """What the function returns."""
        ...


class _Unit(NamedTuple):
    changes: Sequence[Change]
    done: asyncio.Future[list[int]]
    mergeable: bool = False


class _Entry(NamedTuple):
    make: Callable[[], Change | None]
    done: asyncio.Future[None]


class Writer:
    """Submit and await; whoever submits while a commit runs is in the next one. Nothing is held between two groups."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._units: list[_Unit] = []
        self._entries: list[_Entry] = []
        self._waiting = asyncio.Event()
        self._urgent = asyncio.Event()
        self._closing = False
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(self._ended)

    async def submit(self, statement: Executable, parameters: Parameters = None) -> int:
        """Run one statement; the number of rows it changed, once that is committed. Raises as `submit_all` does."""
        return (await self.submit_all([Change(statement, parameters)]))[0]

    async def submit_all(self, changes: Sequence[Change]) -> list[int]:
        """Run statements in order, all or none; the rows that each changed, once they are committed.

        Raises AlreadyExistsError where a constraint forbids it, InvalidRequestError for a value that the database cannot hold,
        else StorageUnavailableError.
        """
        return await self._put(changes, mergeable=False)

    async def submit_together(self, changes: Sequence[Change]) -> None:
        """As `submit_all`, without the counts: the same statements of others are run as one, statement by statement.

        That is several times cheaper. Each change must find its rows by an id that no other caller changes at the same time.
        """
        await self._put(changes, mergeable=True)

    async def _put(self, changes: Sequence[Change], *, mergeable: bool) -> list[int]:
        if self._closing:
            raise StorageUnavailableError("the server is shutting down; nothing was stored")
        if len(self._units) >= MAX_WAITING_UNITS:
            raise StorageUnavailableError("the database does not keep up; try again in a moment", retry_after=1.0)
        done: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        self._units.append(_Unit(changes, done, mergeable))
        self._waiting.set()
        self._urgent.set()
        return await done

    def log(self, make: Callable[[], Change | None]) -> asyncio.Future[None]:
        """Write something that nobody waits for; the future is done when it is committed, or fails as `submit_all` raises.

        `make` is called when its group is put together, up to LOG_SECONDS later; None from it means that there is nothing left.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._entries.append(_Entry(make, done))
        self._waiting.set()
        return done

    async def aclose(self) -> None:
        """Write what is waiting, then take nothing more."""
        self._closing = True
        self._waiting.set()
        self._urgent.set()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while self._units or self._entries or not self._closing:
            await self._waiting.wait()
            if not self._urgent.is_set():
                await self._gather()
            units, self._units = self._units[:MAX_UNITS], self._units[MAX_UNITS:]
            entries, self._entries = self._entries, []
            if not self._units and not self._closing:
                self._waiting.clear()
                self._urgent.clear()
            try:
                await self._write(units, entries)
            finally:
                _give_up(units, entries)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """However the task ended: nobody waits for it for ever."""
        self._closing = True
        _give_up(self._units, self._entries)
        if not task.cancelled() and (error := task.exception()) is not None:
            _logger.error("the writer broke down; restart the server", error=error)

    async def _gather(self) -> None:
        """Nobody waits for the log: let more of it come, until something comes along that is waited for."""
        try:
            async with asyncio.timeout(LOG_SECONDS):
                await self._urgent.wait()
        except TimeoutError:
            return

    async def _write(self, units: Sequence[_Unit], entries: Sequence[_Entry]) -> None:
        made: list[tuple[_Entry, Change]] = []
        for entry in entries:
            if (change := entry.make()) is None:
                _settle(entry.done, None)
            else:
                made.append((entry, change))
        alone = [unit for unit in units if not unit.mergeable]
        merged = [unit for unit in units if unit.mergeable]
        groups = [unit.changes for unit in alone]
        groups.append(_merged([*(unit.changes for unit in merged), *([change] for _, change in made)]))
        try:
            counts = await self._work(lambda connection: _commit(connection, groups))
        except DATABASE_ERRORS as error:
            await self._write_singly(units, made, error)
            return
        for unit, count in zip(alone, counts, strict=False):
            _settle(unit.done, count)
        for unit in merged:
            _settle(unit.done, [])
        for entry, _ in made:
            _settle(entry.done, None)

    async def _write_singly(self, units: Sequence[_Unit], made: Sequence[tuple[_Entry, Change]], error: Exception) -> None:
        """One of the group took the others with it: each by itself, unless the database is away altogether."""
        hopeless = is_away(error) or len(units) + len(made) == 1
        for unit in units:
            await self._write_one(unit.changes, unit.done, error if hopeless else None)
        for entry, change in made:
            done: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
            await self._write_one([change], done, error if hopeless else None)
            if (problem := done.exception()) is not None:
                _fail(entry.done, problem)
            else:
                _settle(entry.done, None)

    async def _write_one(self, changes: Sequence[Change], done: asyncio.Future[list[int]], error: Exception | None) -> None:
        try:
            if error is not None:
                raise error
            counts = await self._work(lambda connection: _commit(connection, [changes]))
        except DATABASE_ERRORS as problem:
            _fail(done, told(problem))
        else:
            _settle(done, counts[0])


def _commit(connection: Connection, groups: Sequence[Sequence[Change]]) -> list[list[int]]:
    with connection.begin():
        return [[connection.execute(statement, parameters).rowcount for statement, parameters in group] for group in groups]


def _merged(units: Sequence[Sequence[Change]]) -> list[Change]:
    """Units of the same statements as one, with all their values: a row of a bulk statement costs a fraction of one of its own."""
    shapes: dict[tuple[int, ...], list[Sequence[Change]]] = {}
    for unit in units:
        shapes.setdefault(tuple(id(change.statement) for change in unit), []).append(unit)
    return [_joined(places) for alike in shapes.values() for places in zip(*alike, strict=True)]


def _joined(changes: Sequence[Change]) -> Change:
    """The same statement of several units; a single one stays as it is."""
    if len(changes) == 1:
        return changes[0]
    rows: list[Mapping[str, Any]] = []
    for _, parameters in changes:
        rows.extend([parameters] if isinstance(parameters, Mapping) else parameters or [{}])
    return Change(changes[0].statement, rows)


def _give_up(units: Sequence[_Unit], entries: Sequence[_Entry]) -> None:
    """For whoever has had no answer yet."""
    for waiting in (*units, *entries):
        if not waiting.done.done():
            waiting.done.set_exception(StorageUnavailableError("the server cannot write; nothing was stored"))


def _settle(done: asyncio.Future[_Result], result: _Result) -> None:
    if not done.done():
        done.set_result(result)


def _fail(done: asyncio.Future[Any], error: BaseException) -> None:
    if not done.done():
        done.set_exception(error)
