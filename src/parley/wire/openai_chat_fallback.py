"""Reads chat completions where another wire was asked for. Many servers, and Azure for models of other makers, know no other answer."""

from __future__ import annotations

from typing import Any

import msgspec

from parley.contract.events import Event
from parley.contract.http import ResponseHead
from parley.contract.request import ChatRequest
from parley.wire.openai_chat_decode import OpenAIChatDecoder


class ChatFallback:
    """The decoder of chat completions inside another wire's: it begins with the first object that is one, and reads the rest."""

    def __init__(self, request: ChatRequest, head: ResponseHead) -> None:
        self._request = request
        self._head = head
        self._decoder: OpenAIChatDecoder | None = None

    @property
    def active(self) -> bool:
        """Whether the reply turned out to be one of chat completions."""
        return self._decoder is not None

    @property
    def whole(self) -> bool:
        """See parley.contract.codec.KnowsWhole."""
        return self._decoder is not None and self._decoder.whole

    def takes(self, value: dict[str, Any]) -> bool:
        """Whether this object is for `read`."""
        return self._decoder is not None or bool(value.get("choices") and "type" not in value)

    def read(self, value: dict[str, Any], events: list[Event], *, document: bool) -> None:
        """One object of the reply, or the whole of it."""
        if self._decoder is None:
            self._decoder = OpenAIChatDecoder(self._request, self._head, wire="openai_chat")
        encoded = msgspec.json.encode(value)
        events += self._decoder.feed(encoded if document else b"data: %b\n\n" % encoded)

    def close(self, events: list[Event]) -> None:
        """The bytes ended."""
        if self._decoder is not None:
            events += self._decoder.close()
