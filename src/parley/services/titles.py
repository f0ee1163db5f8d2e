"""A session's title from its first message, without asking a model. Knows no session."""

from __future__ import annotations

import re

MAX_TITLE_CHARACTERS = 60
_LEADING_MARKS = re.compile(r"^[\s#>*`_~|-]+")
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]+")


def title_of(text: str) -> str:
    """The first line that says something, without Markdown at its beginning, cut between words."""
    lines = (" ".join(_INVISIBLE.sub(" ", _LEADING_MARKS.sub("", line)).split()) for line in text.splitlines())
    line = next((line for line in lines if line), "")
    if len(line) <= MAX_TITLE_CHARACTERS:
        return line or "Attachment"
    cut = line[:MAX_TITLE_CHARACTERS].rpartition(" ")[0] or line[: MAX_TITLE_CHARACTERS - 1]
    return cut.rstrip(" ,;:.–-") + "…"
