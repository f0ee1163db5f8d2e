"""A long run of streams, on /v1 and stored in chats: the server's memory must stay flat.

    python bench/soak.py [--events 10000000] [--callers 16]

Prints the memory after each tenth, and ends with 1 where the last three tenths need more than the three after the first by a tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys

from run import stub
from server import COMPLETIONS, MESSAGES, STORED, Load, memory_mb, new_chats, parley_server

CHUNKS = 1000
GROWTH = 1.10
TENTHS = 10
ROUND_SECONDS = 4.0


async def read(loads: list[Load], *, callers: int, events: int) -> None:
    """Load of each kind until so many events were read."""
    while sum(load.events for load in loads) < events:
        await asyncio.gather(*(load.run(callers, ROUND_SECONDS) for load in loads))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--callers", type=int, default=16)
    options = parser.parse_args()
    model = f"openai-compatible/stub-{CHUNKS}-0"
    used: list[float] = []
    with stub(None) as endpoint, parley_server(endpoint, limits=True) as (port, pid, key):
        body: dict[str, object] = {"model": model, "messages": MESSAGES, "stream": True, "stream_options": {"include_usage": True}}
        callers, total = options.callers // 2, 0
        for number in range(1, TENTHS + 1):
            streamed = Load(port, [body], key, path=COMPLETIONS)
            # New sessions each time: a conversation that grows for ever would be measured by its length.
            stored = Load(port, new_chats(port, key, model=model, count=callers), key, path=STORED)
            asyncio.run(read([streamed, stored], callers=callers, events=options.events // TENTHS))
            total += streamed.events + stored.events
            used.append(memory_mb(pid))
            print(f"{number * 10:3d} %   {total:>12,} events   {used[-1]:6.1f} MB", flush=True)
    before, after = statistics.median(used[1:4]), statistics.median(used[-3:])
    print(f"memory {before:.1f} MB → {after:.1f} MB")
    if after > before * GROWTH:
        sys.exit("memory grew")


if __name__ == "__main__":
    main()
