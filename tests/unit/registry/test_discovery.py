from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from parley.registry import discovery
from parley.registry.discovery import BUILT_IN, built_in_candidates, discover, file_candidates, load_file


def _entry_points(directory: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """An installed package, as importlib.metadata sees it."""
    information = directory / "acme_parley-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-parley\nVersion: 1.0\n", encoding="utf-8")
    (information / "entry_points.txt").write_text(f"[{discovery.ENTRY_POINT_GROUP}]\n{text}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(directory))


def test_built_in_providers_are_listed_by_file_name_without_importing_them() -> None:
    names = [candidate.name for candidate in built_in_candidates()]
    assert names == sorted(names)
    assert {"openai", "anthropic", "gemini", "groq", "deepseek", "openrouter", "mistral", "ollama", "llama-cpp", "demo"} <= set(names)
    assert {candidate.conflict for candidate in built_in_candidates()} == {None}


def test_files_become_providers_by_their_names(tmp_path: Path) -> None:
    for name in ("acme_two.py", "_shared.py", "notes.txt", "__init__.py", "test_acme_two.py", "conftest.py"):
        (tmp_path / name).write_text("raise RuntimeError('imported')", encoding="utf-8")
    [acme] = file_candidates([tmp_path])
    assert (acme.name, acme.origin, acme.conflict) == ("acme-two", str(tmp_path / "acme_two.py"), None)


@pytest.mark.parametrize("file_name", ["Acme.py", "2acme.py", "acme-two.py", f"{'a' * 41}.py", "acme two.py"])
def test_a_file_whose_name_cannot_be_a_providers_is_told(tmp_path: Path, file_name: str) -> None:
    (tmp_path / file_name).touch()
    [candidate] = file_candidates([tmp_path])
    assert candidate.conflict


def test_nothing_shadows_a_built_in_and_the_first_of_a_name_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for directory, names in ((first, ["openai", "acme"]), (second, ["acme"])):
        directory.mkdir()
        for name in names:
            (directory / f"{name}.py").touch()
    _entry_points(tmp_path / "site", monkeypatch, "acme = acme_module:provider\nother = acme_module\nBad = acme_module")
    found = discover([first, second])
    usable = {candidate.name: candidate.origin for candidate in found if candidate.conflict is None}
    assert usable["openai"] == BUILT_IN
    assert usable["acme"] == str(first / "acme.py")
    assert usable["other"] == "package acme-parley"
    ruled_out = {(candidate.name, candidate.origin): candidate.conflict for candidate in found if candidate.conflict}
    assert "built-in" in (ruled_out[("openai", str(first / "openai.py"))] or "")
    assert str(first / "acme.py") in (ruled_out[("acme", str(second / "acme.py"))] or "")
    assert ("acme", "package acme-parley") in ruled_out
    assert ("Bad", "package acme-parley") in ruled_out


def test_an_entry_point_is_imported_when_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _entry_points(tmp_path / "site", monkeypatch, "late = parley_test_late_module:provider")
    (tmp_path / "site" / "parley_test_late_module.py").write_text("provider = 'here'", encoding="utf-8")
    [candidate] = [candidate for candidate in discover([]) if candidate.name == "late"]
    assert "parley_test_late_module" not in sys.modules
    assert candidate.load() == "here"


def test_a_file_is_imported_once_and_again_when_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "acme.py"
    path.write_text("value = 1", encoding="utf-8")
    first = load_file(path)
    assert load_file(path) is first
    path.write_text("value = 22", encoding="utf-8")
    assert load_file(path).value == 22


def test_a_file_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "acme.py"
    path.write_text("raise SystemExit(3)", encoding="utf-8")
    with pytest.raises(SystemExit):
        load_file(path)
    assert not [name for name in sys.modules if name.startswith("parley_provider_acme_") and str(path) in str(sys.modules[name])]


def test_a_file_saved_twice_within_a_second_is_what_was_saved_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = tmp_path / "acme.py"
    for index, value in enumerate(("one", "two")):
        file.write_text(f"value = {value!r}", encoding="utf-8")
        os.utime(file, ns=(1_000_000_000, 1_000_000_000 + index))
        assert load_file(file).value == value
    assert list(tmp_path.iterdir()) == [file]
