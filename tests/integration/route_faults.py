"""The sixteen faults as a route meets them: what its first target does, who must answer, and how. Sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

Answerer: TypeAlias = Literal["primary", "fallback", "nobody", "both"]


class RouteFault(Struct, frozen=True, kw_only=True):
    """`fault` is the fault wall's. `requests` are how many the first target may get, `seconds` how long it may take from the question to
    the last word: without the route's own limits it would be sixty and more.

    `cut` says that the first target fails after it has delivered text: where that cannot be taken back, an error is right.
    `lacking` is the text event that was no JSON; `code` the error that must be told; `lasts_seconds` how long a target is down.
    """

    number: int
    title: str
    fault: str
    answered_by: Answerer
    requests: tuple[int, int] = (1, 1)
    seconds: tuple[float, float] = (0.0, 55.0)
    cut: bool = False
    lacking: int | None = None
    code: str = ""
    lasts_seconds: float = 0.0


ROUTE_FAULTS: Sequence[RouteFault] = (
    RouteFault(
        number=1,
        title="429 with Retry-After: 2, then healthy",
        fault="rate-limited-once",
        answered_by="primary",
        requests=(2, 2),
        seconds=(2.0, 55.0),
    ),
    RouteFault(number=2, title="429 without it, for ever", fault="rate-limited", answered_by="fallback", requests=(2, 3)),
    RouteFault(number=3, title="500 once, then healthy", fault="failed-once", answered_by="primary", requests=(2, 2)),
    RouteFault(number=4, title="503 for ever", fault="overloaded", answered_by="fallback", requests=(2, 3)),
    RouteFault(number=5, title="TCP reset before the headers", fault="reset", answered_by="fallback", requests=(1, 3)),
    RouteFault(number=6, title="accepts and never answers", fault="never-answers", answered_by="fallback", seconds=(9.9, 55.0)),
    RouteFault(number=7, title="headers, first token after 20 s", fault="late-first-token", answered_by="fallback", seconds=(9.9, 55.0)),
    RouteFault(number=8, title="dies after 40 of 60 tokens", fault="dies-midway", answered_by="fallback", cut=True),
    RouteFault(number=9, title="silent after 20 tokens", fault="silent-midway", answered_by="fallback", seconds=(9.9, 55.0), cut=True),
    RouteFault(number=10, title="one event is invalid JSON", fault="invalid-event", answered_by="primary", lacking=2),
    RouteFault(number=11, title="whole stream, no [DONE]", fault="no-end-marker", answered_by="primary"),
    RouteFault(number=12, title="400 context length", fault="context-length", answered_by="fallback"),
    RouteFault(number=13, title="400 content policy", fault="content-policy", answered_by="nobody", code="content_filter"),
    RouteFault(number=14, title="as 8, and no prefilled turn is taken", fault="ends-early", answered_by="fallback", cut=True),
    RouteFault(
        number=15,
        title="down for 60 s, then healthy",
        fault="overloaded",
        answered_by="both",
        requests=(3, 14),
        seconds=(60.0, 150.0),
        lasts_seconds=60.0,
    ),
    RouteFault(number=16, title="503 for ever: whom the reply names", fault="overloaded", answered_by="fallback", requests=(2, 3)),
)
