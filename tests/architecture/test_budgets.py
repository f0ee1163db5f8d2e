"""The size budgets of the architecture: 500 lines a file, 60 a function, 6 parameters (complexity is ruff's)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "parley"
FILES = sorted(SOURCE.rglob("*.py"))
MAX_FILE_LINES, MAX_FUNCTION_LINES, MAX_PARAMETERS = 500, 60, 6

# "path" or "path:function" -> why it may be larger.
ALLOWED: dict[str, str] = {
    "cli/new.py:new": "one parameter for each flag of the command: Typer reads them from the signature",
}


def over_budget(path: Path, source: str) -> list[str]:
    place = path.relative_to(SOURCE).as_posix()
    found = []
    if (lines := source.count("\n")) > MAX_FILE_LINES and place not in ALLOWED:
        found.append(f"{place} has {lines} lines (budget {MAX_FILE_LINES})")
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or f"{place}:{node.name}" in ALLOWED:
            continue
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        names = [argument.arg for argument in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]]
        parameters = len([name for name in names if name not in {"self", "cls", "mcls"}])
        if lines > MAX_FUNCTION_LINES:
            found.append(f"{place}:{node.lineno} {node.name} has {lines} lines (budget {MAX_FUNCTION_LINES})")
        if parameters > MAX_PARAMETERS:
            found.append(f"{place}:{node.lineno} {node.name} has {parameters} parameters (budget {MAX_PARAMETERS})")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_file_stays_within_its_budgets(path: Path) -> None:
    assert over_budget(path, path.read_text(encoding="utf-8")) == []


def test_the_budget_check_sees_what_is_too_large() -> None:
    source = "def many(a, b, c, d, e, f, g):\n" + "    a = b\n" * 60
    assert len(over_budget(SOURCE / "made_up.py", source)) == 2
    assert len(over_budget(SOURCE / "made_up.py", "\n" * 501)) == 1


def test_every_exception_to_a_budget_is_still_needed() -> None:
    for place in ALLOWED:
        name = place.split(":")[0]
        assert (SOURCE / name).is_file(), f"{place} is allowed but does not exist"
