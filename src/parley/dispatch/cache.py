"""Answers that were given before: the same request of the same tenant to the same model gets the same answer, at no cost. Sends nothing.

Only what would be answered the same way again is remembered: a temperature of 0, or what the caller asks to be.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from typing import Final

from msgspec import DecodeError, MsgspecError, ValidationError, json, structs

from parley.bus.cache import Cache
from parley.contract.events import CitationAdded, Event, RefusalDelta, ResponseFinished, ResponseStarted, TextDelta
from parley.contract.messages import Message, TextPart
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse
from parley.dispatch.trail import Trail
from parley.guard.fold import reply_events
from parley.registry.limit_tables import CacheTable

FORMAT: Final = b"1"
"""Changes when an entry's form does: what an older Parley has written is then a miss."""
MAX_ENTRY_BYTES: Final = 1024 * 1024
PIECE_CHARACTERS: Final = 200
_DIGEST_BYTES: Final = 16
_WHOLE: Final = frozenset({"stop", "length", "tool_calls"})

_NUMBERS: Final = ("temperature", "top_p", "frequency_penalty", "presence_penalty")
"""Written by some callers as 0, by others as 0.0."""

_decoder = json.Decoder(ChatResponse)


class AnswerCache:
    """`on_lookup` is told of each request that may be remembered: whether it was."""

    def __init__(self, cache: Cache, table: CacheTable, *, on_lookup: Callable[[bool], None] = lambda _hit: None) -> None:
        self._cache = cache
        self._table = table
        self._on_lookup = on_lookup

    def key(self, request: ChatRequest, *, tenant: str, targets: Sequence[str], wanted: bool | None = None) -> str | None:
        """Under which name its answer is kept; None where it is not.

        `targets` is who is asked, each as provider/model. `wanted`: True also where the answer may differ each time, False never.
        What a provider remembers of a session belongs to that session alone.
        """
        if wanted is False or request.session_id is not None:
            return None
        if wanted is None and request.options.temperature != 0:
            return None
        numbers = {name: float(value) for name in _NUMBERS if (value := getattr(request.options, name)) is not None}
        options = structs.replace(request.options, model=None, timeout=None, **numbers)
        plain = structs.replace(request, messages=[_plain(message) for message in request.messages], user_id=None, options=options)
        try:
            spelled = json.encode([tenant, targets, plain])
        except (MsgspecError, TypeError, ValueError):
            return None  # data of a vendor's own that has no such form
        return hashlib.sha256(FORMAT + spelled).hexdigest()

    async def find(self, key: str) -> ChatResponse | None:
        """The answer as it was given, marked as such; an entry that is not what was written is a miss."""
        entry = await self._cache.get(key)
        reply = None if entry is None else _opened(entry)
        self._on_lookup(reply is not None)
        if reply is not None:
            return structs.replace(reply, cached=True, cost=0.0, price=None, time_to_first_token_ms=None, attempts=[])
        if entry is not None:
            self._cache.remove(key)
        return None

    def keep(self, key: str, reply: ChatResponse) -> None:
        """Remember a whole answer of the model that was asked for; of others nothing."""
        if reply.finish_reason not in _WHOLE or not reply.complete or reply.fallback is not None:
            return
        try:
            written = json.encode(structs.replace(reply, attempts=[]))
        except (MsgspecError, TypeError, ValueError):
            return  # data of a vendor's own that has no such form
        if len(written) <= MAX_ENTRY_BYTES:
            self._cache.put(key, _digest(written) + written, ttl_seconds=self._table.ttl_seconds, max_bytes=self._table.max_bytes)


async def through(
    answers: AnswerCache, key: str, ask: Callable[[], AsyncGenerator[list[Event], None]], *, trail: Trail
) -> AsyncGenerator[list[Event], None]:
    """The remembered answer, else what asking gives, which is remembered then."""
    found = await answers.find(key)
    trail.cached = found is not None
    if found is not None:
        trail.provider, trail.model = found.provider, found.model
        for batch in replayed(found):
            yield batch
        return
    async with aclosing(ask()) as batches:
        async for batch in batches:
            last = batch[-1]
            if isinstance(last, ResponseFinished):
                answers.keep(key, last.response)  # before it is passed on: who has the last event does not ask for another
            yield batch


def replayed(reply: ChatResponse) -> Iterator[list[Event]]:
    """A remembered answer as the stream that it was, in pieces."""
    yield [ResponseStarted(id=reply.id or None, model=reply.model or None, request_id=reply.request_id)]
    for event in reply_events(reply):
        yield from ([piece] for piece in _pieces(event))
    told: list[Event] = [CitationAdded(citation=citation) for citation in reply.citations]
    if reply.refusal:
        told.append(RefusalDelta(reply.refusal))
    if told:
        yield told
    yield [ResponseFinished(response=reply)]


def _pieces(event: Event) -> Iterator[Event]:
    """A long text in several deltas; what belongs to its part stands with the first or the last, as in a stream."""
    if not isinstance(event, TextDelta) or len(event.text) <= PIECE_CHARACTERS:
        yield event
        return
    starts = range(0, len(event.text), PIECE_CHARACTERS)
    for start in starts:
        yield TextDelta(
            event.text[start : start + PIECE_CHARACTERS],
            event.provider_data if start == starts[-1] else None,
            event.begins if start == 0 else None,
        )


def _plain(message: Message) -> Message:
    """One spelling for what means the same: a single plain text as a string."""
    content = message.content
    if isinstance(content, list) and len(content) == 1 and content[0] == TextPart(text=message.text):
        return Message(role=message.role, content=message.text)
    return message


def _digest(written: bytes) -> bytes:
    return hashlib.sha256(written).digest()[:_DIGEST_BYTES]


def _opened(entry: bytes) -> ChatResponse | None:
    digest, written = entry[:_DIGEST_BYTES], entry[_DIGEST_BYTES:]
    if digest != _digest(written):
        return None
    try:
        return _decoder.decode(written)
    except (DecodeError, ValidationError, RecursionError):
        return None
