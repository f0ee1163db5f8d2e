from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parley.services.snippets import MAX_CHARACTERS, highlights, snippet


def test_a_snippet_begins_shortly_before_the_first_hit() -> None:
    text = "far " * 100 + "a needle in the hay" + " away" * 100
    found = snippet(text, ["needle"])
    assert found.text.startswith("…far")
    assert found.text.endswith("…")
    assert len(found.text) <= MAX_CHARACTERS + 2
    assert [found.text[first:last] for first, last in found.highlights] == ["needle"]


def test_hits_that_overlap_are_one_and_signs_are_plain_text() -> None:
    assert highlights("aaa.b", ["aa", "a"]) == [(0, 3)]
    assert highlights("a.b axb", ["a.b"]) == [(0, 3)]
    assert highlights("x", []) == []


def test_without_a_hit_the_beginning_is_shown() -> None:
    assert snippet("STRASSE", ["straße"]).text == "STRASSE"


@given(st.text(max_size=400), st.lists(st.text(min_size=1, max_size=4), max_size=3))
def test_highlights_always_lie_within_the_text(text: str, words: list[str]) -> None:
    found = snippet(text, words)
    assert all(0 <= first < last <= len(found.text) for first, last in found.highlights)
