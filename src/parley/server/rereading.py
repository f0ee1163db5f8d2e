"""How the server reads its sources again: variables, `.env`, `parley.toml`, provider files. Decides nothing about what it finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from parley.config import Settings, changed_variables, load_settings
from parley.registry.loading import Registry
from parley.services.reloading import Sources


def rereading(started: Settings, *, environ: Mapping[str, str] | None = None, directory: Path | None = None) -> Callable[[], Sources]:
    """What reads them as at the start; `started` is what was read then, `environ` and `directory` stand for the process's own."""

    def read() -> Sources:
        settings = load_settings(environ=environ, directory=directory)
        registry = Registry.from_environment(environ=environ, directory=directory)
        return Sources(registry=registry, needs_restart=changed_variables(started, settings))

    return read
