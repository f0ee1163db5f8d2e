from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.services.titles import MAX_TITLE_CHARACTERS, title_of


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("hello", "hello"),
        ("\n\n  ## Boiling *eggs*\nmore", "Boiling *eggs*"),
        ("```python\nprint(1)\n```", "python"),
        ("a\tb \u202ec", "a b c"),
        ("", "Attachment"),
        ("x" * 100, "x" * (MAX_TITLE_CHARACTERS - 1) + "…"),
        ("word " * 30, "word " * 11 + "word…"),
    ],
)
def test_a_title_is_the_first_line_that_says_something(text: str, title: str) -> None:
    assert title_of(text) == title


@given(st.text())
def test_any_text_has_a_short_title_on_one_line(text: str) -> None:
    title = title_of(text)
    assert 0 < len(title) <= MAX_TITLE_CHARACTERS + 1
    assert title.isprintable() or not any(ord(character) < 32 for character in title)
    assert "\n" not in title
