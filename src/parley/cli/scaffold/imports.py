"""The imports that a generated file needs, from the names that its code uses. Knows no template."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Mapping

import parley.provider

_MODULES = ("asyncio", "json", "ssl", "aiohttp", "pytest")
_HOMES = {
    "collections.abc": "AsyncGenerator Awaitable Callable Iterator",
    "contextlib": "asynccontextmanager",
    "pathlib": "Path",
    "typing": "Annotated Any",
    "parley.guard.guarded": "GuardedProvider guard",
    "parley.registry.discovery": "load_file",
    "parley.testing": "ProviderContract",
    "parley.testing.replay": "Answer ReplayServer",
    "parley.provider": " ".join(parley.provider.__all__),
}
_STANDARD = frozenset({"asyncio", "collections.abc", "contextlib", "json", "pathlib", "ssl", "typing"})
_LONGEST_LINE = 88


def import_lines(code: str, *, own: Mapping[str, str], own_packages: Iterable[str] = ()) -> str:
    """The import block of this code. `own` gives whole statements for further names; `own_packages` get a section of their own."""
    used = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    statements: dict[str, str] = {name: f"import {name}" for name in _MODULES if name in used}
    for module, names in _HOMES.items():
        if needed := sorted(used & set(names.split()), key=_order):
            statements[module] = _from(module, needed)
    for name, statement in own.items():
        if name in used:
            statements[statement.split()[1]] = statement
    first_party = tuple(own_packages)
    sections: dict[int, list[str]] = defaultdict(list)
    for module in sorted(statements, key=lambda module: (statements[module].startswith("from"), module)):
        section = 0 if module in _STANDARD else 2 if module.split(".")[0] in first_party else 1
        sections[section].append(statements[module])
    return "\n\n".join("\n".join(sections[section]) for section in sorted(sections))


def _order(name: str) -> tuple[bool, str]:
    """Classes before functions, as linters sort them."""
    return name[:1].islower(), name


def _from(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= _LONGEST_LINE:
        return line
    listed = "".join(f"    {name},\n" for name in names)
    return f"from {module} import (\n{listed})"
