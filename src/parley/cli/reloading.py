"""`parley serve --dev` takes provider files when they are saved: changed, new, or removed. Knows files and the registry, no vendor."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.util import cache_from_source
from pathlib import Path
from typing import TypeAlias

import parley.providers
from parley.cli.scaffold.flags import checkout_of
from parley.contract.errors import ConfigurationError
from parley.registry.description import ProviderDescription
from parley.registry.discovery import BUILT_IN, provider_files
from parley.registry.environment import Environment
from parley.registry.instances import provider_directories
from parley.registry.loading import CONFIG_VARIABLE, FILE_NAME, Registry
from parley.services.configuration import Configuration
from parley.telemetry import scrub

INTERVAL_SECONDS = 0.25

Fingerprints: TypeAlias = dict[Path, tuple[int, int, int]]
"""Of each watched file that is there: when it was written, how long it is, and which file it is."""
Say: TypeAlias = Callable[[str, str], None]


class Reloader:
    """Watches from the moment it is made, so that nothing saved while the server starts is missed.

    A file counts once two looks at it agree: an editor may be in the middle of it. `say` tells a person a word and a text.
    """

    def __init__(self, *, environ: Mapping[str, str], say: Say) -> None:
        self._environ = environ
        self._say = say
        try:
            self._environment = Environment.read(variables=environ)
        except ConfigurationError:
            self._environment = Environment(environ)  # the server itself tells what is wrong with .env
        own = Path(parley.providers.__file__).parent
        self._own = own if checkout_of(own) is not None else None
        self._taken = self._look()

    async def run(self, configuration: Configuration) -> None:
        """Watch until cancelled."""
        self._environment = configuration.client.registry.environment
        self._tell_broken(configuration.client.registry.descriptions())
        before = self._taken
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            now = self._look()
            if now == before and now != self._taken:
                changed = [path for path in {**self._taken, **now} if self._taken.get(path) != now.get(path)]
                self._taken = now
                await self._take(changed, configuration)
            before = now

    async def _take(self, changed: list[Path], configuration: Configuration) -> None:
        for path in changed:
            if path.parent == self._own:
                _forget(path)
        importlib.invalidate_caches()
        try:
            # In a thread: a provider file may take its time when it is imported.
            registry, descriptions = await asyncio.to_thread(self._read)
            await configuration.replace(registry, broken_files=True)
        except ConfigurationError as error:
            self._say("broken", f"{error.message}; what was there before goes on")
            return
        except Exception as error:  # noqa: BLE001 - a provider file may raise anything, and must not end the watching
            self._say("broken", f"{scrub(f'{type(error).__name__}: {error}')}; what was there before goes on")
            return
        self._environment = registry.environment
        for path in changed:
            self._tell(path, descriptions)

    def _read(self) -> tuple[Registry, list[ProviderDescription]]:
        registry = Registry.from_environment(environ=self._environ)
        return registry, registry.descriptions()

    def _tell(self, path: Path, descriptions: list[ProviderDescription]) -> None:
        origin, name = (BUILT_IN, path.stem.replace("_", "-")) if path.parent == self._own else (str(path), "")
        if path.suffix != ".py":
            self._say("reloaded", shown(path))
            return
        found = [each for each in descriptions if each.origin == origin and name in {"", each.name}]
        for description in found:
            if description.status == "quarantined":
                self._tell_broken([description])
            else:
                state = "ready" if description.status == "ready" else description.reason or description.status
                self._say("reloaded", f"{shown(path)}: {description.name}: {state}")
        if not found:
            self._say("removed" if not path.exists() else "reloaded", shown(path))

    def _tell_broken(self, descriptions: list[ProviderDescription]) -> None:
        for description in descriptions:
            if description.status == "quarantined":
                where = description.name if description.origin == BUILT_IN else shown(Path(description.origin))
                self._say("broken", f"{where}: {description.reason}; the others go on")

    def _look(self) -> Fingerprints:
        found: Fingerprints = {}
        for path in self._watched():
            try:
                seen = path.stat()
            except OSError:  # it went away since its folder was read, or is not there at all
                continue
            found[path] = (seen.st_mtime_ns, seen.st_size, seen.st_ino)
        return found

    def _watched(self) -> Iterator[Path]:
        here = Path.cwd()
        yield here / ".env"
        yield here / (self._environment.get(CONFIG_VARIABLE) or FILE_NAME)
        for directory in provider_directories(self._environment, here, []):
            yield from provider_files(directory)
        if self._own is not None:
            yield from provider_files(self._own)


def _forget(path: Path) -> None:
    """Let the next import of a built-in provider read its source. What runs keeps the module that it began with."""
    sys.modules.pop(f"{parley.providers.__name__}.{path.stem}", None)
    # Python takes a file for unchanged that was saved again within a second at the same size.
    Path(cache_from_source(str(path))).unlink(missing_ok=True)


def shown(path: Path) -> str:
    """A path as a person would type it here."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
