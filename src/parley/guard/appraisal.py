"""The seam where a reply gets its price. Knows no price: whoever calls the providers knows what was agreed with their vendors."""

from __future__ import annotations

from typing import Protocol

from parley.contract.response import ChatResponse


class Appraiser(Protocol):
    """Says what the replies of one provider cost."""

    def ready(self, model: str) -> bool:
        """Whether `prepare` has nothing to do for this model."""
        ...

    def prepare(self) -> None:
        """Read what must be read first. May take a fifth of a second: it is called in a thread, while the vendor answers."""
        ...

    def appraise(self, reply: ChatResponse, *, asked: str) -> ChatResponse:
        """The reply with its cost, unchanged where that is unknown. `asked` is the model that was asked for. Raises nothing."""
        ...
