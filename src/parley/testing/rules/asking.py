"""How the rules ask: callbacks that remember, and the outcome of a call as a value that can be compared. Knows no rule."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, TypeAlias

from msgspec import structs

from parley.contract.errors import ParleyError
from parley.contract.response import ChatResponse

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


def first_few(problems: Sequence[str], count: int = 5) -> list[str]:
    """The first of many alike, and how many more there are."""
    more = len(problems) - count
    return [*problems[:count], f"and {more} more like these"] if more > 0 else list(problems)


def shortened(text: str, characters: int = 160) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= characters else line[:characters] + "…"
