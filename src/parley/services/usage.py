"""What a user's answers came to. Knows no limit and no price."""

from __future__ import annotations

from msgspec import Struct

from parley.services.principals import Principal
from parley.storage.messages import Messages


class UsageView(Struct, frozen=True, kw_only=True):
    """All stored answers of a user together; `cost` in US dollars, of those whose cost is known; None where no answer's is."""

    answers: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost: float | None


class UsageCounts:
    """Counted when asked, from the messages themselves."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    async def totals(self, principal: Principal) -> UsageView:
        """Everything so far; what was deleted counts no more."""
        totals = await self._messages.totals(principal.user_id)
        return UsageView(
            answers=totals.messages,
            prompt_tokens=totals.prompt_tokens,
            completion_tokens=totals.completion_tokens,
            total_tokens=totals.prompt_tokens + totals.completion_tokens,
            cost=totals.cost,
        )
