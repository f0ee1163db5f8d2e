"""What the author of a new wire derives a decoder from: one method for an object, one for the end. Knows no vendor's fields."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

from parley.contract.events import Event
from parley.contract.http import ResponseHead
from parley.contract.messages import ProviderData
from parley.contract.request import ChatRequest
from parley.wire.reply_decoder import ReplyDecoder


class ReplyReader(ABC):
    """Reads a reply of JSON objects, as server-sent events, as JSON lines or as one document: write `read` and `finish`, usually as
    generators.

    Seen to already: bytes in any pieces, pings and comments, `[DONE]`, an event that is no JSON (skipped with a warning, three at
    most; an error inside a tool call where `inside_call` says so), an `error:` line, a web page instead of an answer. `head` is the
    reply's: its status and headers, and whom it is from.
    """

    def __init__(self, request: ChatRequest, head: ResponseHead, *, wire: str) -> None:
        self.head = head
        # Two underscores, and all that is ours behind them: Python keeps it apart from whatever an author's class calls its attributes.
        self.__decoder = _ObjectDecoder(self, request, wire=wire)

    @abstractmethod
    def read(self, value: dict[str, Any], event: str) -> Iterable[Event]:
        """The events that one object stands for; `event` is the type of the server-sent event ("" where it came as no such event).

        Raise the error that the object stands for (`provider_error`).
        """

    @abstractmethod
    def finish(self) -> Iterable[Event]:
        """The last events, ResponseFinished among them. Raise StreamTruncatedError where the wire's own end has not come."""

    def inside_call(self) -> bool:
        """Whether a tool call is being received, which a lost event would corrupt."""
        return False

    @property
    def is_document(self) -> bool:
        """Whether the reply came as one document, and not as a stream."""
        return self.__decoder.is_document

    def started(self, *, reply_id: Any = None, model: Any = None) -> Iterator[Event]:
        """ResponseStarted, the first time; nothing afterwards. What is no text is left out."""
        yield from self.__decoder.started(reply_id=_text(reply_id), model=_text(model))

    def own(self, data: Any) -> ProviderData:
        """For `provider_data`: data that comes back unchanged, to this wire and provider alone."""
        return self.__decoder.own(data)

    def feed(self, data: bytes) -> list[Event]:
        """See parley.contract.codec.Decoder."""
        return self.__decoder.feed(data)

    def close(self) -> list[Event]:
        """See parley.contract.codec.Decoder."""
        return self.__decoder.close()


class _ObjectDecoder(ReplyDecoder):
    """Hands each object to the author's reader."""

    def __init__(self, reader: ReplyReader, request: ChatRequest, *, wire: str) -> None:
        super().__init__(request, reader.head, wire=wire)
        self._reader = reader

    @property
    def is_document(self) -> bool:
        return self._document is not None

    def started(self, *, reply_id: str | None, model: str | None) -> list[Event]:
        events: list[Event] = []
        self._start(events, reply_id=reply_id, model=model)
        return events

    def own(self, data: Any) -> ProviderData:
        return self._own(data)

    def _read(self, value: dict[str, Any], name: str, events: list[Event]) -> None:
        # One by one: what was read before an error is delivered before it.
        for event in self._reader.read(value, name):
            events.append(event)  # noqa: PERF402

    def _finish(self, events: list[Event]) -> None:
        for event in self._reader.finish():
            events.append(event)  # noqa: PERF402

    def _inside_call(self) -> bool:
        return self._reader.inside_call()


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
