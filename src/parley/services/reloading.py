"""Reads the operator's sources anew while the server runs, and takes them as a whole or not at all. Knows no file and no signal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from parley.contract.errors import ConfigurationError
from parley.registry.loading import Registry
from parley.services.audit import told_changes
from parley.services.configuration import Configuration
from parley.services.principals import Principal
from parley.telemetry import get_logger, scrub

MAX_TOLD_PROBLEMS: Final = 50

_logger = get_logger(__name__)


class Sources(Struct, frozen=True, kw_only=True):
    """What was read. `needs_restart` names the server's own variables that are other than at the start: a process keeps those."""

    registry: Registry
    needs_restart: Sequence[str] = ()


class Reloaded(Struct, frozen=True, kw_only=True):
    """The number of the configuration that is now in force in the process that was asked, and what waits for its restart."""

    generation: int
    needs_restart: list[str]


class Reloading:
    """`read` reads everything and raises ConfigurationError with every problem; it may take its time, so it runs in a thread."""

    def __init__(self, configuration: Configuration, read: Callable[[], Sources]) -> None:
        self._configuration = configuration
        self._read = read
        self._lock = asyncio.Lock()
        configuration.reread = self.follow

    async def reload(self, *, by: Principal | None) -> Reloaded:
        """Take what the sources say now; `by` is None for the operator's signal, which means this process alone.

        Raises ConfigurationError with every problem; then the running configuration is untouched. Both are noted in the audit.
        """
        async with self._lock:
            try:
                sources = await self._sources()
                await self._configuration.reload(sources.registry, told_changes("needsRestart", sources.needs_restart), by=by)
            except ConfigurationError as error:
                problems = [f"{problem.path}: {problem.message}" for problem in error.fields] or [error.message]
                _logger.warning("the configuration was not taken", problems=len(problems), error=error.message)
                await self._configuration.note("configuration.refused", told_changes("problem", problems[:MAX_TOLD_PROBLEMS]), by=by)
                raise
        generation = self._configuration.generation
        _logger.info("configuration reloaded", generation=generation, by=by.user_id if by else "the operator")
        return Reloaded(generation=generation, needs_restart=list(sources.needs_restart))

    async def follow(self) -> None:
        """Another replica was asked to: its own entry says by whom."""
        async with self._lock:
            sources = await self._sources()
            await self._configuration.replace(sources.registry)

    async def _sources(self) -> Sources:
        try:
            return await asyncio.to_thread(self._read)
        except ConfigurationError:
            raise
        except Exception as error:  # a provider file may raise anything when it is imported, and must not end the server's work
            raise ConfigurationError(scrub(f"a provider file cannot be read: {type(error).__name__}: {error}")) from error
