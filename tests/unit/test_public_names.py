"""The two façades: every promised name is there, and importing stays cheap."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest


def _names_for_checkers(module_name: str) -> set[str]:
    """What stands under `if TYPE_CHECKING:`, as type checkers and editors see it."""
    path = import_module(module_name).__file__
    assert path is not None
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imported = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    declared = {node.target.id for node in block.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}
    return imported | declared


def _run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("module_name", ["parley", "parley.provider"])
def test_every_promised_name_is_there_for_programs_and_for_type_checkers(module_name: str) -> None:
    module = import_module(module_name)
    for name in module.__all__:
        assert getattr(module, name) is not None
    assert set(module.__all__) == _names_for_checkers(module_name) == set(dir(module))


@pytest.mark.parametrize("module_name", ["parley", "parley.provider"])
def test_an_unknown_name_is_an_attribute_error(module_name: str) -> None:
    with pytest.raises(AttributeError, match="Nonsense"):
        _ = import_module(module_name).Nonsense


def test_importing_parley_imports_nothing_that_is_heavy() -> None:
    loaded = _run("import sys, parley; print(' '.join(sorted(sys.modules)))").split()
    assert not {"msgspec", "aiohttp", "asyncio", "ssl", "rich", "typer", "importlib.metadata"} & set(loaded)


def test_loading_one_dialect_imports_neither_the_other_wires_nor_the_http_client() -> None:
    code = "import sys, parley; parley.load_provider('openai', api_key='sk-test'); print(' '.join(sorted(sys.modules)))"
    loaded = _run(code).split()
    assert "parley.wire.openai_chat" in loaded
    assert not {"parley.wire.anthropic_messages", "parley.wire.gemini_generate", "parley.providers.anthropic", "aiohttp"} & set(loaded)


def test_what_the_page_of_the_contract_shows_can_be_imported() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "contract.md").read_text(encoding="utf-8")
    shown = re.findall(r"^### `(\w+)`$", page, re.MULTILINE)
    assert {"Role", "ListsModels", "ToolResult"} <= set(shown)
    offered = {*import_module("parley").__all__, *import_module("parley.provider").__all__}
    assert set(shown) <= offered
