"""Takes a stream's bytes from a response: what comes in quick succession together, and no longer than it is open. Knows no wire's words."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from parley.contract.codec import KnowsWhole
from parley.contract.errors import ConnectionLostError

if TYPE_CHECKING:
    from parley.transport.client import HttpResponse

WINDOW_SECONDS: Final = 0.012
"""So long tokens are gathered where they come faster than that: less than a frame of a screen, and half the work for each."""
DENSE_READS: Final = 8
"""After so many reads in quick succession, so that the first tokens are never kept."""
MAX_GATHERED_BYTES: Final = 4096
"""What brings more at a time is gathered already."""
LINGER_SECONDS: Final = 2.0
"""So long the end, or the counts, of an answer that is whole are waited for."""


class StreamReading:
    """The reads of one response. `decoder` says whether the answer is whole, where its wire can tell before the connection ends."""

    __slots__ = ("_decoder", "_dense", "_loop", "_read_at", "_response", "_size")

    def __init__(self, response: HttpResponse, decoder: object) -> None:
        self._response = response
        self._decoder = decoder if isinstance(decoder, KnowsWhole) else None
        self._loop = asyncio.get_running_loop()
        self._read_at = 0.0
        self._dense = 0
        self._size = 0

    async def next(self) -> bytes:
        """The next bytes; b"" at the end. A connection that breaks is the end: the decoder knows whether the answer was whole.

        Where it is, and the server sends neither more nor the end, that is the end after a moment.
        """
        if self._dense >= DENSE_READS and self._size < MAX_GATHERED_BYTES:
            rest = self._read_at + WINDOW_SECONDS - self._loop.time()
            if rest > 0:
                await asyncio.sleep(rest)
        try:
            if self._decoder is None or not self._decoder.whole:
                data = await self._response.read()
            else:
                async with asyncio.timeout(LINGER_SECONDS):
                    data = await self._response.read()
        except (ConnectionLostError, TimeoutError):
            return b""
        now = self._loop.time()
        self._dense = self._dense + 1 if now - self._read_at < 2 * WINDOW_SECONDS else 0
        self._read_at = now
        self._size = len(data)
        return data
