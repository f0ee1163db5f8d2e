"""Every parley.toml that a guide shows is one that Parley reads without complaint."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from parley.registry.loading import Registry

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
FILES = [
    block for page in sorted(GUIDES.glob("*.md")) for block in re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
]


@pytest.mark.parametrize("text", FILES)
def test_a_shown_file_is_right(text: str, tmp_path: Path) -> None:
    (tmp_path / "parley.toml").write_text(text, encoding="utf-8")
    variables = dict.fromkeys(re.findall(r"env:(\w+)", text), "a-key")
    registry = Registry.from_environment(environ={**variables, "OPENAI_API_KEY": "a-key"}, directory=tmp_path)
    assert registry.problems() == []
    assert all(registry.describe(entry.name).status == "ready" for entry in registry.file.providers)


def test_there_are_some() -> None:
    assert len(FILES) >= 2
