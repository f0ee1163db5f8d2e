from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from parley.contract.errors import ConfigurationError, InvalidRequestError
from parley.local.memory import Memory
from parley.local.store import ModelStore, memory_problem, memory_warning, name_of, shown_bytes

Write = Callable[..., Path]


def test_what_is_added_is_listed_found_and_removed(tmp_path: Path, write_gguf: Write) -> None:
    store, source = ModelStore(tmp_path / "data"), write_gguf()
    assert store.list() == []
    added = store.add(source, "tiny")
    assert added.read_bytes() == source.read_bytes()
    (model,) = store.list()
    assert (model.name, model.path, model.file.architecture, model.problem) == ("tiny", added, "llama", "")
    assert store.find("tiny") == added
    source.unlink()
    assert store.find("tiny") is not None, "it stays when the original goes"
    store.remove("tiny")
    assert store.names() == []


def test_a_file_that_went_bad_is_listed_with_what_is_wrong(tmp_path: Path, write_gguf: Write) -> None:
    store = ModelStore(tmp_path / "data")
    added = store.add(write_gguf(), "tiny")
    added.unlink()
    added.write_bytes(b"nonsense")
    assert "no GGUF" in store.list()[0].problem


@pytest.mark.parametrize("name", ["", "../escape", "a/b", ".hidden", "x" * 101, "with space"])
def test_a_name_cannot_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    store = ModelStore(tmp_path / "data")
    assert store.find(name) is None
    with pytest.raises(InvalidRequestError):
        store.path_for(name)
    with pytest.raises(InvalidRequestError):
        store.remove(name)


def test_a_taken_name_is_refused(tmp_path: Path, write_gguf: Write) -> None:
    store, source = ModelStore(tmp_path / "data"), write_gguf()
    store.add(source, "tiny")
    with pytest.raises(InvalidRequestError, match="is taken"):
        store.add(source, "tiny")


def test_no_room_is_told_with_both_numbers(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"left, and 1000 TB are needed"):
        ModelStore(tmp_path / "data").check_room(10**15)


def test_memory_too_small_for_ever_is_a_problem_and_too_small_now_a_warning() -> None:
    big, memory = 6_000_000_000, Memory(8_000_000_000, 3_000_000_000)
    assert memory_problem(big, memory) == ""
    assert memory_warning(big, memory) == "it needs about 6.3 GB of memory, and 3.0 GB are free now"
    assert memory_problem(big, Memory(4_000_000_000, 0)) == "it needs about 6.3 GB of memory, and this machine has 4.0 GB"
    assert (memory_problem(big, Memory(0, 0)), memory_warning(big, Memory(0, 0))) == ("", "")


@pytest.mark.parametrize(
    ("file_name", "name"),
    [("Qwen3-0.6B-Q8_0.gguf", "Qwen3-0.6B-Q8_0"), ("my model (1).GGUF", "my-model-1"), ("..gguf", ""), ("ü.gguf", "")],
)
def test_a_file_suggests_its_own_name(file_name: str, name: str) -> None:
    assert name_of(file_name) == name


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (999, "999 B"), (474_240, "474 kB"), (1_500_000, "1.5 MB"), (23_900_000_000, "23.9 GB")]
)
def test_sizes_are_said_as_people_do(count: int, shown: str) -> None:
    assert shown_bytes(count) == shown
