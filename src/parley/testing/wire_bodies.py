"""What the bodies of faults are on any wire: error bodies, and events that no vendor should send. Knows no wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

Refusal: TypeAlias = Literal["key", "permission", "credit", "context", "policy", "prefill", "model", "overloaded"]


class WireBodies(Struct, frozen=True, kw_only=True):
    """One wire's. `refusals` are error bodies; `event_of` makes an event of a document (its type stands in it).

    `call_event` is a whole tool call, `text_event` makes a text; `end_again` says a second time that the reply is over (empty where
    the wire has no end of its own beside the finish reason). `calls_document` is a complete answer of that many calls.
    """

    refusals: Mapping[Refusal, bytes]
    event_of: Callable[[bytes], bytes]
    call_event: bytes
    text_event: Callable[[str], bytes]
    document_opening: bytes
    calls_document: Callable[[int], bytes]
    end_again: bytes = b""
    splits_calls: bool = True

    def error_event(self, refusal: Refusal) -> bytes:
        """The refusal in the middle of a stream."""
        return self.event_of(self.refusals[refusal])
