"""What the author of a new wire derives a decoder from: one method for an object, one for the end. Knows no vendor's fields."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

from parley.contract.events import Event
from parley.contract.http import ResponseHead
from parley.wire.reply_decoder import ReplyDecoder


class ReplyReader(ReplyDecoder):
    """Reads a reply of JSON objects, as server-sent events or as one document: write `read` and `finish`, usually as generators.

    Seen to already: bytes in any pieces, pings and comments, `[DONE]`, an event that is no JSON (skipped with a warning, three at
    most; an error inside a tool call where `inside_call` says so), an `error:` line, a web page instead of an answer.
    """

    @abstractmethod
    def read(self, value: dict[str, Any], event: str) -> Iterable[Event]:
        """The events that one object stands for; `event` is the type of the server-sent event ("" in a document).

        Raise the error that the object stands for (`provider_error`).
        """

    @abstractmethod
    def finish(self) -> Iterable[Event]:
        """The last events, ResponseFinished among them. Raise StreamTruncatedError where the wire's own end has not come."""

    def inside_call(self) -> bool:
        """Whether a tool call is being received, which a lost event would corrupt."""
        return False

    @property
    def head(self) -> ResponseHead:
        """Status and headers of the reply, and whom it is from."""
        return self._head

    @property
    def is_document(self) -> bool:
        """Whether the reply came as one document, and not as a stream."""
        return self._document is not None

    def started(self, *, reply_id: Any = None, model: Any = None) -> Iterator[Event]:
        """ResponseStarted, the first time; nothing afterwards. What is no text is left out."""
        events: list[Event] = []
        self._start(events, reply_id=_text(reply_id), model=_text(model))
        yield from events

    def _read(self, value: dict[str, Any], name: str, events: list[Event]) -> None:
        # One by one: what was read before an error is delivered before it.
        for event in self.read(value, name):
            events.append(event)  # noqa: PERF402

    def _finish(self, events: list[Event]) -> None:
        for event in self.finish():
            events.append(event)  # noqa: PERF402

    def _inside_call(self) -> bool:
        return self.inside_call()


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
