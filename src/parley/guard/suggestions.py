"""What a mistyped name may have meant. Knows nothing of what the names stand for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def snake_case(name: str) -> str:
    """`maxTokens` → `max_tokens`."""
    return _CAPITAL.sub("_", name).lower()


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` Did you mean "max_tokens"?`, or nothing where no known name is close."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    matches = get_close_matches(snake_case(name), by_folded, n=1, cutoff=0.6) or get_close_matches(name.casefold(), by_folded, n=1)
    return f' Did you mean "{by_folded[matches[0]]}"?' if matches else ""
