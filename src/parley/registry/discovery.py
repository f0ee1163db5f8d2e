"""Where providers are found: built in, `parley_providers/`, entry points. Imports a provider only when it is asked for.

Knows nothing of configuration, and of providers only that a module offers one.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Iterable
from importlib.machinery import SourceFileLoader
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from msgspec import Struct

from parley import providers
from parley.registry.configuration_file import NAME_RULE, PROVIDER_NAME

ENTRY_POINT_GROUP = "parley.providers"
BUILT_IN = "built in"
TEST_PREFIX = "test_"


class Candidate(Struct, frozen=True, kw_only=True):
    """A provider by name, not yet imported. `load` gives its module, or the object that an entry point names.

    `conflict` says why it cannot be used although it was found (a bad or taken name).
    """

    name: str
    origin: str
    load: Callable[[], Any]
    conflict: str | None = None


def discover(directories: Iterable[Path]) -> list[Candidate]:
    """Every provider in order of its source; a later one of a taken name keeps its place, with the conflict that rules it out."""
    found: dict[str, Candidate] = {}
    conflicting: list[Candidate] = []
    for candidate in (*built_in_candidates(), *file_candidates(directories), *entry_point_candidates()):
        conflict = candidate.conflict
        if conflict is None and (other := found.get(candidate.name)):
            conflict = f"the name is taken by {_described(other)}; choose another"
        if conflict is None:
            found[candidate.name] = candidate
        else:
            conflicting.append(Candidate(name=candidate.name, origin=candidate.origin, load=candidate.load, conflict=conflict))
    return [*found.values(), *conflicting]


def _described(candidate: Candidate) -> str:
    return "a built-in provider, which nothing replaces" if candidate.origin == BUILT_IN else candidate.origin


def built_in_candidates() -> list[Candidate]:
    """The providers that ship with Parley, by their file names, in alphabetical order."""
    return [
        Candidate(name=module.name.replace("_", "-"), origin=BUILT_IN, load=_module_loader(f"{providers.__name__}.{module.name}"))
        for module in sorted(pkgutil.iter_modules(providers.__path__), key=lambda module: module.name)
    ]


def file_candidates(directories: Iterable[Path]) -> list[Candidate]:
    """The operator's own provider files."""
    return [
        Candidate(name=name, origin=str(path), load=_file_loader(path), conflict=_name_conflict(path.stem, name))
        for directory in directories
        for path in provider_files(directory)
        for name in [path.stem.replace("_", "-")]
    ]


def provider_files(directory: Path) -> list[Path]:
    """The files of a folder that are meant to be providers. What begins with `_` is the operator's alone, tests may lie beside."""
    return [path for path in sorted(directory.glob("*.py")) if not path.name.startswith(("_", TEST_PREFIX)) and path.name != "conftest.py"]


def _name_conflict(stem: str, name: str) -> str | None:
    if "-" in stem:
        return f"the file's name contains a -; call it {stem.replace('-', '_')}.py"
    return None if PROVIDER_NAME.fullmatch(name) else f"its name {NAME_RULE}"


def entry_point_candidates() -> list[Candidate]:
    """Providers of installed packages, by the name of their entry point."""
    return [
        Candidate(
            name=point.name,
            origin=f"package {point.dist.name if point.dist else point.value}",
            load=_entry_point_loader(point),
            conflict=None if PROVIDER_NAME.fullmatch(point.name) else f"its name {NAME_RULE}",
        )
        for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: (point.name, point.value))
    ]


def _module_loader(module_name: str) -> Callable[[], ModuleType]:
    return lambda: importlib.import_module(module_name)


def _entry_point_loader(point: EntryPoint) -> Callable[[], Any]:
    return point.load


def _file_loader(path: Path) -> Callable[[], ModuleType]:
    return lambda: load_file(path)


class _SourceLoader(SourceFileLoader):
    """Compiles the file each time. Python's cache takes a file for unchanged that was saved again within a second at the same size,
    and would lie in a folder that is not ours.
    """

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def load_file(path: Path) -> ModuleType:
    """Import a provider file. The same file, unchanged, is imported once; whatever it raises is raised here."""
    fingerprint = hashlib.sha256(f"{path.resolve()}:{path.stat().st_mtime_ns}".encode()).hexdigest()[:12]
    module_name = f"parley_provider_{path.stem}_{fingerprint}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    spec = importlib.util.spec_from_file_location(module_name, path, loader=_SourceLoader(module_name, str(path)))
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses and annotations are resolved through it while the file runs
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
    return module
