"""Text from outside must not act on a terminal, in whatever pieces it comes."""

from __future__ import annotations

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.cli.terminal import console, harmless, one_line


@given(st.text(st.characters(codec=None)))
def test_nothing_is_left_that_a_terminal_obeys_or_an_encoding_refuses(text: str) -> None:
    shown = harmless(text)
    assert not [character for character in shown if ord(character) < 0x20 and character not in "\n\t"]
    assert not [character for character in shown if 0x7F <= ord(character) < 0xA0]
    shown.encode("utf-8")


@given(st.text(st.characters(codec=None)), st.integers(0, 100))
def test_pieces_are_made_harmless_as_the_whole_is(text: str, position: int) -> None:
    assert harmless(text[:position]) + harmless(text[position:]) == harmless(text)


def test_ordinary_text_is_left_alone() -> None:
    text = "naïve 日本語 👩‍👩‍👧 שלום\tx\n"
    assert harmless(text) is text


def test_escape_codes_are_shown_and_overrides_vanish() -> None:
    assert harmless("a\x1b[31mb\r\n\u202ec\u2066\x9b\x7f") == "a␛[31mb\nc␡␡"


def test_one_line_joins_and_cuts() -> None:
    assert one_line("a\n  b\tc") == "a b c"
    assert one_line("x" * 50, longest=10) == "x" * 9 + "…"


def test_a_file_gets_long_lines_unbroken_and_uncoloured(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stdout", file)
    console().print("word " * 60, style="bad")
    assert file.getvalue().rstrip() == ("word " * 60).rstrip()
