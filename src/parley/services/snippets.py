"""What was found, shown in its place: a stretch of text and where the words stand in it. Makes no markup: the text is hostile."""

from __future__ import annotations

import re
from collections.abc import Sequence

from parley.services.views import Snippet

BEFORE_CHARACTERS = 40
MAX_CHARACTERS = 160


def highlights(text: str, words: Sequence[str]) -> list[tuple[int, int]]:
    """Where any of the words stands, in any case, as [start, end); what overlaps is joined."""
    if not words:
        return []
    found: list[tuple[int, int]] = []
    # Longest first: where one word begins with another, all of it is marked.
    pattern = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    for match in re.finditer(pattern, text, re.IGNORECASE):
        if found and match.start() <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], match.end()))
        else:
            found.append(match.span())
    return found


def snippet(text: str, words: Sequence[str]) -> Snippet:
    """The text around the first hit, on one line. Without a hit (folding may find more than is marked) its beginning."""
    line = " ".join(text.split())
    hits = highlights(line, words)
    start = max(0, hits[0][0] - BEFORE_CHARACTERS) if hits else 0
    if start:
        start = line.find(" ", start, hits[0][0]) + 1 or start
    end = min(len(line), start + MAX_CHARACTERS)
    before, after = "…" if start else "", "…" if end < len(line) else ""
    shift = len(before) - start
    marked = [(first + shift, min(last, end) + shift) for first, last in hits if start <= first < end]
    return Snippet(text=f"{before}{line[start:end]}{after}", highlights=marked)
