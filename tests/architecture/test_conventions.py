"""Conventions that no linter knows: every module says what it is, no forbidden module name, no vendor above its own file."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "parley"
FILES = sorted(SOURCE.rglob("*.py"))
FORBIDDEN_NAMES = {"utils", "util", "helpers", "common", "core", "base", "manager", "misc"}
VENDOR_NAMES = "openai anthropic claude gemini groq deepseek openrouter mistral ollama xai perplexity cohere bedrock"
VENDOR_NAMES += " azure alibaba cerebras databricks fireworks huggingface lmstudio moonshot snowflake dialogflow"
VENDORS = re.compile(rf"\b({VENDOR_NAMES.replace(' ', '|')})", re.IGNORECASE)

# Where a vendor may be named outside `providers/` and `wire/`, and why.
VENDOR_ALLOWED: dict[str, str] = {
    "provider.py": "the door re-exports the wires by their names",
    "server/compat/table.py": "lists the wires that are spoken",
    "testing/samples.py": "writes what each wire that ships looks like",
    "testing/more_samples.py": "writes what each wire that ships looks like",
    "testing/more_fault_bodies.py": "writes what each wire that ships looks like where it fails",
    "testing/fault_bodies.py": "writes what each wire that ships looks like where it fails",
    "cli/key.py": "the variables that the official clients read bear the vendor's name",
    "server/compat/embeddings.py": "this wire is called after the vendor that invented it",
    "server/compat/openai.py": "this wire is called after the vendor that invented it",
    "server/compat/responses.py": "this wire is called after the vendor that invented it",
    "server/compat/anthropic.py": "this wire is called after the vendor that invented it",
    "server/compat/elsewhere.py": "tells the two vendors' clients apart, who share an address",
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


def docstrings_of(tree: ast.Module) -> set[int]:
    """The ids of all strings that stand as statements."""
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.Expr)]
    return {id(statement.value) for statement in statements if isinstance(statement.value, ast.Constant)}


def text_of(node: ast.AST) -> str:
    """What a node names: a string's value, an identifier, a module."""
    match node:
        case ast.Constant(value=str(text)) | ast.Name(id=text) | ast.Attribute(attr=text) | ast.ImportFrom(module=str(text)):
            return text
        case _:
            return ""


def vendor_mentions(source: str) -> list[str]:
    """Vendor names in code (identifiers and strings), docstrings and comments aside: examples may name a vendor, logic may not."""
    tree = ast.parse(source)
    ignored = docstrings_of(tree)
    named = [(node, text_of(node)) for node in ast.walk(tree) if id(node) not in ignored]
    return [f"line {getattr(node, 'lineno', 0)}: {text[:60]}" for node, text in named if VENDORS.search(text)]


@pytest.mark.parametrize("path", [path for path in FILES if place_of(path).split("/")[0] not in {"providers", "wire"}], ids=place_of)
def test_no_vendor_is_named_outside_its_own_file(path: Path) -> None:
    if place_of(path) in VENDOR_ALLOWED:
        return
    assert vendor_mentions(path.read_text(encoding="utf-8")) == []


def test_the_vendor_check_sees_a_vendor() -> None:
    assert vendor_mentions("if name == 'openai': pass")
    assert not vendor_mentions('"""Openai in a docstring."""')


@pytest.mark.parametrize("path", [path for path in FILES if path.relative_to(SOURCE).parts[0] == "server"], ids=place_of)
def test_the_server_decides_nothing_by_the_address_that_a_request_claims(path: Path) -> None:
    found = [
        f"line {node.lineno}: request.{node.attr}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"url", "base_url"} and getattr(node.value, "id", "") == "request"
    ]
    assert not found, f"{place_of(path)}: the Host header is the caller's word; use the settings' own URL ({', '.join(found)})"
