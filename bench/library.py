"""Measures one library as a caller uses it, against a running stub; prints one JSON document. Run in a process of its own.

python bench/library.py parley|openai|litellm --endpoint http://127.0.0.1:9001/v1 [--seconds 3] [--callers 32] [--streams 0]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

MESSAGES = [{"role": "user", "content": "What is the capital of France, and how long has it been the capital?"}]
Call = Callable[[], Awaitable[int]]
Calls = tuple[Call, Call, Callable[[], Awaitable[None]]]


async def parley_calls(endpoint: str, model: str) -> Calls:
    import parley

    provider = parley.load_provider("openai-compatible", endpoint=endpoint, api_key="bench", model=model)
    messages = [parley.Message(role="user", content=MESSAGES[0]["content"])]

    async def complete() -> int:
        reply = await provider.generate(parley.ChatRequest(messages=messages))
        return len(reply.text) and 1

    async def stream() -> int:
        events = 0
        async for _ in provider.stream(parley.ChatRequest(messages=messages)):
            events += 1
        return events

    return complete, stream, provider.aclose


async def openai_calls(endpoint: str, model: str) -> Calls:
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=endpoint, api_key="bench")

    async def complete() -> int:
        reply = await client.chat.completions.create(model=model, messages=MESSAGES)  # type: ignore[arg-type]
        return len(reply.choices[0].message.content or "") and 1

    async def stream() -> int:
        events = 0
        async for _ in await client.chat.completions.create(model=model, messages=MESSAGES, stream=True):  # type: ignore[arg-type]
            events += 1
        return events

    return complete, stream, client.close


async def litellm_calls(endpoint: str, model: str) -> Calls:
    import litellm

    async def complete() -> int:
        reply: Any = await litellm.acompletion(model=f"openai/{model}", messages=MESSAGES, api_base=endpoint, api_key="bench")
        return len(reply.choices[0].message.content or "") and 1

    async def stream() -> int:
        events = 0
        reply: Any = await litellm.acompletion(model=f"openai/{model}", messages=MESSAGES, api_base=endpoint, api_key="bench", stream=True)
        async for _ in reply:
            events += 1
        return events

    async def close() -> None:
        """It offers no way to close what it opened."""

    return complete, stream, close


async def rate(call: Call, callers: int, seconds: float) -> float:
    """What `call` counts, per second, with this many callers in a closed loop."""
    counted = 0
    stop = 0.0

    async def caller() -> None:
        nonlocal counted
        while time.perf_counter() < stop:
            answered = await call()
            counted += answered

    await call()
    start = time.perf_counter()
    stop = start + seconds
    await asyncio.gather(*(caller() for _ in range(callers)))
    return counted / (time.perf_counter() - start)


def resident_bytes() -> int:
    gc.collect()
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this kernel does not report memory in smaps_rollup")


async def memory_per_stream(stream: Call, count: int) -> float:
    """Bytes per stream that is open and waiting for its next token."""
    before = resident_bytes()
    tasks = [asyncio.create_task(stream()) for _ in range(count)]
    await asyncio.sleep(4)  # all are connected and have had their first tokens
    during = resident_bytes()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return (during - before) / count


async def main(options: argparse.Namespace) -> dict[str, float]:
    make = {"parley": parley_calls, "openai": openai_calls, "litellm": litellm_calls}[options.library]
    complete, _, close_complete = await make(options.endpoint, "stub")
    _, stream, close_stream = await make(options.endpoint, "stub-100-0")
    _, slow, close_slow = await make(options.endpoint, "stub-100000-1000000")
    result = {
        "complete_calls_per_s": round(await rate(complete, options.callers, options.seconds)),
        "stream_events_per_s": round(await rate(stream, options.callers, options.seconds)),
    }
    if options.streams:
        result["bytes_per_open_stream"] = round(await memory_per_stream(slow, options.streams))
    for close in (close_complete, close_stream, close_slow):
        await close()
    return result


if __name__ == "__main__":
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("library", choices=["parley", "openai", "litellm"])
    ask.add_argument("--endpoint", required=True)
    ask.add_argument("--seconds", type=float, default=3)
    ask.add_argument("--callers", type=int, default=32)
    ask.add_argument("--streams", type=int, default=0, help="also hold this many streams open and report the memory of one")
    options = ask.parse_args()
    try:
        import uvloop

        print(json.dumps(uvloop.run(main(options))))
    except ImportError:
        print(json.dumps(asyncio.run(main(options))))
