"""Conventions that no linter knows: every module says what it is, no forbidden module name, no vendor above its own file."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "parley"
FILES = sorted(SOURCE.rglob("*.py"))
FORBIDDEN_NAMES = {"utils", "util", "helpers", "common", "core", "base", "manager", "misc"}
VENDORS = re.compile(r"\b(openai|anthropic|claude|gemini|groq|deepseek|openrouter|mistral|ollama|xai|perplexity|cohere|bedrock)", re.IGNORECASE)

# Where a vendor may be named outside `providers/` and `wire/`, and why.
VENDOR_ALLOWED: dict[str, str] = {
    "provider.py": "the door re-exports the wires by their names",
}


def place_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


@pytest.mark.parametrize("path", FILES, ids=place_of)
def test_a_module_opens_with_a_short_docstring(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring, f"{place_of(path)} says nothing of itself"


@pytest.mark.parametrize("path", FILES, ids=place_of)
def test_no_module_is_a_drawer_for_everything(path: Path) -> None:
    assert not FORBIDDEN_NAMES & {part.removesuffix(".py") for part in path.relative_to(SOURCE).parts}


def vendor_mentions(source: str) -> list[str]:
    """Vendor names in code (identifiers and strings), docstrings and comments aside: examples may name a vendor, logic may not."""
    tree = ast.parse(source)
    docstrings = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body
            for statement in body:
                if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                    docstrings.add(id(statement.value))
    found = []
    for node in ast.walk(tree):
        text = ""
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            text = node.value
        elif isinstance(node, ast.Name):
            text = node.id
        elif isinstance(node, ast.Attribute):
            text = node.attr
        elif isinstance(node, ast.ImportFrom):
            text = node.module or ""
        if VENDORS.search(text):
            found.append(f"line {node.lineno}: {text[:60]}")
    return found


@pytest.mark.parametrize("path", [path for path in FILES if place_of(path).split("/")[0] not in {"providers", "wire"}], ids=place_of)
def test_no_vendor_is_named_outside_its_own_file(path: Path) -> None:
    if place_of(path) in VENDOR_ALLOWED:
        return
    assert vendor_mentions(path.read_text(encoding="utf-8")) == []


def test_the_vendor_check_sees_a_vendor() -> None:
    assert vendor_mentions("if name == 'openai': pass")
    assert not vendor_mentions('"""Openai in a docstring."""')
