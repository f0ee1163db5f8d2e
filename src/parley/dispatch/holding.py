"""Holds an answer back until it is whole, for readers that cannot take tokens back. Knows no wire."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from parley.contract.events import Event, Restarted


async def held(batches: AsyncGenerator[list[Event], None]) -> AsyncGenerator[list[Event], None]:
    """The events of the answer that was finished, in one batch; nothing of those that were begun before it."""
    kept: list[Event] = []
    async with aclosing(batches):
        async for batch in batches:
            if type(batch[0]) is Restarted:
                kept.clear()
            else:
                kept += batch
    if kept:
        yield kept
