"""What tokens cost: the prices that one reply was reckoned with. Knows no list and no vendor."""

from __future__ import annotations

from msgspec import Struct

from parley.contract.usage import Usage

TOKENS_PER_PRICE = 1_000_000


class Price(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """US dollars per million tokens, and per request. None = as all other input, or all other output.

    `source` says who set it ("operator", or a price list with its version), `as_of` the day for which it was looked up.
    """

    input: float
    output: float
    cached: float | None = None
    cache_write: float | None = None
    reasoning: float | None = None
    per_request: float = 0.0
    source: str = ""
    as_of: str = ""

    def cost(self, usage: Usage) -> float:
        """US dollars for these tokens. Cached and reasoning tokens are parts of the input and the output, never added to them."""
        cached = min(usage.cached_tokens or 0, usage.prompt_tokens)
        written = min(usage.cache_write_tokens or 0, usage.prompt_tokens - cached)
        reasoning = min(usage.reasoning_tokens or 0, usage.completion_tokens)
        tokens = (
            (usage.prompt_tokens - cached - written) * self.input
            + cached * (self.input if self.cached is None else self.cached)
            + written * (self.input if self.cache_write is None else self.cache_write)
            + (usage.completion_tokens - reasoning) * self.output
            + reasoning * (self.output if self.reasoning is None else self.reasoning)
        )
        return tokens / TOKENS_PER_PRICE + self.per_request
