"""Holds an answer back until it is whole, for readers that cannot take tokens back. Knows no wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from parley.contract.events import Event, Restarted


async def held(batches: AsyncGenerator[list[Event], None], *, tick_seconds: float | None = None) -> AsyncGenerator[list[Event], None]:
    """The events of the answer that was finished, in one batch; nothing of those that were begun before it.

    With `tick_seconds` an empty batch comes that often while it is waited for, so that whoever reads can say that we are still there.
    """
    gathering = asyncio.ensure_future(_gather(batches))
    try:
        while tick_seconds is not None and not (await asyncio.wait({gathering}, timeout=tick_seconds))[0]:
            yield []
        yield await gathering
    finally:
        gathering.cancel()
        await asyncio.wait({gathering})


async def _gather(batches: AsyncGenerator[list[Event], None]) -> list[Event]:
    kept: list[Event] = []
    async with aclosing(batches):
        async for batch in batches:
            if type(batch[0]) is Restarted:
                kept.clear()
            else:
                kept += batch
    return kept
