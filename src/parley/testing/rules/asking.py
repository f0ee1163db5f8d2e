"""How the rules ask: callbacks that remember, and the outcome of a call as a value that can be compared. Knows no rule."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, TypeAlias

from msgspec import structs

from parley.contract.errors import ParleyError
from parley.contract.response import ChatResponse
from parley.testing.findings import Finding, advice, failed
from parley.testing.subject import Subject

MESSAGES = [{"role": "user", "content": "Hello"}]
Outcome: TypeAlias = ChatResponse | ParleyError


class Heard:
    """Callbacks that remember what they were told, in order."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.done: list[ChatResponse] = []
        self.errors: list[ParleyError] = []

    @property
    def callbacks(self) -> dict[str, Any]:
        """The arguments of stream_response."""
        return {"on_token": self.tokens.append, "on_done": self.done.append, "on_error": self.errors.append}

    @property
    def text(self) -> str:
        """All tokens joined."""
        return "".join(self.tokens)


async def outcome(call: Awaitable[ChatResponse]) -> Outcome:
    """The reply, or the error that was raised instead."""
    try:
        return await call
    except ParleyError as error:
        return error


def comparable(result: Outcome) -> Any:
    """What two outcomes of the same bytes must have in common: all but times and made-up ids."""
    if isinstance(result, ParleyError):
        partial = None if result.partial is None else comparable(result.partial)
        return type(result).__name__, result.message, result.status, partial
    return structs.replace(result, id="", time_to_first_token_ms=None)


def told(result: Outcome) -> str:
    """An outcome in a few words."""
    if isinstance(result, ParleyError):
        return f"{type(result).__name__} ({shortened(result.message)})"
    return f"an answer of {len(result.text)} characters, finish reason {result.finish_reason}"


def wrong_class(subject: Subject, result: Outcome, problem: str, remedy: str) -> Finding:
    """Of a plain class it is advice that an error should be of another class, where the guard has made a typed one of it."""
    made = isinstance(result, ParleyError) and result.__cause__ is not None and not isinstance(result.__cause__, ParleyError)
    return advice(problem, remedy) if subject.is_plain and made else failed(problem, remedy)


def first_findings(findings: Sequence[Finding], count: int = 5) -> list[Finding]:
    """The first of many alike, failures before advice, and how many more of each there are."""
    shown: list[Finding] = []
    for make, verdict in ((failed, "failed"), (advice, "advice")):
        alike = [finding for finding in findings if finding.verdict == verdict]
        more = len(alike) - count
        shown += alike[:count]
        if more > 0:
            shown.append(make(f"and {more} more like these", alike[0].remedy))
    return shown


def shortened(text: str, characters: int = 160) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= characters else line[:characters] + "…"
