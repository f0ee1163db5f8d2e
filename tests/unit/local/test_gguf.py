from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from parley.contract.errors import ConfigurationError
from parley.local.gguf import ModelFile, read_beginning, read_model_file

Write = Callable[..., Path]
Make = Callable[..., bytes]


def test_a_file_says_what_it_is(write_gguf: Write) -> None:
    path = write_gguf()
    assert read_model_file(path) == ModelFile(
        architecture="llama",
        name="Tiny",
        quantisation="Q4_K_M",
        context_tokens=4096,
        chat_template=True,
        file_bytes=path.stat().st_size,
    )


def test_a_model_without_chat_template_is_told_from_one_that_has_it(write_gguf: Write) -> None:
    assert read_model_file(write_gguf(tokenizer__chat_template=None)).chat_template is False


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no GGUF file but empty"),
        (b"<!doctype html>", "no GGUF file but a web page"),
        (b"PK\x03\x04zip", "no GGUF file but something that begins with b'PK"),
    ],
)
def test_what_is_no_gguf_is_called_what_it_is(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(data)
    with pytest.raises(ConfigurationError, match=words):
        read_model_file(path)


def test_a_file_cut_at_any_byte_is_never_taken_for_whole(tmp_path: Path, make_gguf: Make) -> None:
    whole, path = make_gguf(), tmp_path / "model.gguf"
    for length in range(4, len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ConfigurationError, match="cut short"):
            read_model_file(path)


def test_damage_is_an_error_of_ours_and_bounded(tmp_path: Path, make_gguf: Make) -> None:
    """Whatever one byte of the head is changed to."""
    whole, path = make_gguf(), tmp_path / "model.gguf"
    for position in range(4, len(whole) - 64):
        for value in (0x00, 0x7F, 0xFF):
            path.write_bytes(whole[:position] + bytes([value]) + whole[position + 1 :])
            with suppress(ConfigurationError):
                assert read_model_file(path).file_bytes <= len(whole)


def test_one_part_of_several_and_another_version_are_refused(write_gguf: Write) -> None:
    with pytest.raises(ConfigurationError, match="one of 3 parts"):
        read_model_file(write_gguf(split__count=3))
    with pytest.raises(ConfigurationError, match="version 1 of the format"):
        read_model_file(write_gguf(version=1))


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_model_file(tmp_path)


def test_the_beginning_tells_what_stands_in_it_and_leaves_the_rest_open(make_gguf: Make) -> None:
    whole = make_gguf()
    found = read_beginning(whole[: whole.index(b"tokenizer.ggml.tokens")], "model.gguf")
    assert (found.architecture, found.context_tokens, found.chat_template) == ("llama", 4096, None)
    assert read_beginning(whole, "model.gguf").chat_template is True
