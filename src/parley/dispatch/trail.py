"""What became of one request so far: who was tried, who answers, and why it is another than was asked for. Decides nothing."""

from __future__ import annotations

from msgspec import structs

from parley.contract.errors import ParleyError
from parley.contract.response import Attempt, ChatResponse, Fallback
from parley.telemetry import scrub

MAX_REASON_CHARACTERS = 300


class Trail:
    """Make one for each request whose way is to be told; `provider` and `model` are those that are asked now, `tries` how often
    anybody was, the try under way included. `cached` says whether the answer was given before; None where nobody looked.
    """

    __slots__ = ("attempts", "cached", "fallback", "model", "provider", "tries")

    def __init__(self, provider: str = "", model: str = "") -> None:
        self.provider = provider
        self.model = model
        self.attempts: list[Attempt] = []
        self.fallback: Fallback | None = None
        self.tries = 0
        self.cached: bool | None = None

    def failed(self, error: ParleyError, *, seconds: float) -> None:
        """The try that was under way failed."""
        partial = error.partial
        self.attempts.append(
            Attempt(
                provider=self.provider or error.provider or "",
                model=self.model or error.model or "",
                code=str(error.code),
                phase=error.phase,
                usage=None if partial is None else partial.usage,
                cost=None if partial is None else partial.cost,
                seconds=round(seconds, 3),
            )
        )

    def again(self, error: ParleyError) -> None:
        """The first try failed, or another; one more begins."""
        self.failed(error, seconds=0.0)
        self.tries = len(self.attempts) + 1

    def told_in(self, reply: ChatResponse) -> ChatResponse:
        """The reply with all of this in it."""
        if not self.attempts and self.fallback is None:
            return reply
        return structs.replace(reply, attempts=list(self.attempts), fallback=self.fallback)


def reason_of(error: ParleyError) -> str:
    """Why somebody else answers, in a line that may be shown."""
    return " ".join(scrub(error.message).split())[:MAX_REASON_CHARACTERS]
