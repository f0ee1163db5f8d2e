"""Runs scripts in Redis, as many in one trip as are waiting, so that a crowd needs one connection. Knows no script."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any, TypeAlias, cast

from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

MAX_TOGETHER = 500

Argument: TypeAlias = str | bytes | int | float


class Script:
    """A script's text and the name under which Redis keeps it."""

    __slots__ = ("digest", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class RedisLostError(Exception):
    """Redis does not answer, not in time, or not as it should."""


class _Call(Struct):
    script: Script
    keys: Sequence[str]
    arguments: Sequence[Argument]
    done: asyncio.Future[Any]


class Scripting:
    """Every trip ends within `timeout_seconds`, whatever becomes of Redis."""

    def __init__(self, redis: Redis, *, timeout_seconds: float) -> None:
        self._redis = redis
        self._timeout_seconds = timeout_seconds
        self._waiting: list[_Call] = []
        self._sending: asyncio.Task[None] | None = None

    def start(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> asyncio.Future[Any]:
        """Send it with the next trip. The future raises RedisLostError, and may be left alone."""
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        done.add_done_callback(_seen)
        self._waiting.append(_Call(script, keys, arguments, done))
        if self._sending is None:
            self._sending = asyncio.get_running_loop().create_task(self._send_all())
        return done

    async def run(self, script: Script, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """What the script returns. Raises RedisLostError."""
        return await self.start(script, keys, arguments)

    async def aclose(self) -> None:
        """Wait until everything is sent."""
        while self._sending is not None:
            await asyncio.wait([self._sending])

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                calls, self._waiting = self._waiting[:MAX_TOGETHER], self._waiting[MAX_TOGETHER:]
                try:
                    async with asyncio.timeout(self._timeout_seconds):
                        await self._send(calls)
                except (RedisError, OSError, TimeoutError) as error:
                    _fail(calls, RedisLostError(f"Redis does not answer: {error or 'it took too long'}"))
                except BaseException:
                    _fail(calls, RedisLostError("nobody waits for Redis any more"))
                    raise
        finally:
            self._sending = None

    async def _send(self, calls: Sequence[_Call]) -> None:
        results = await self._trip(calls)
        unknown = [index for index, result in enumerate(results) if isinstance(result, NoScriptError)]
        if unknown:
            for text in {calls[index].script.text for index in unknown}:
                await cast("Any", self._redis).script_load(text)
            for index, result in zip(unknown, await self._trip([calls[index] for index in unknown]), strict=True):
                results[index] = result
        for call, result in zip(calls, results, strict=True):
            if call.done.done():
                continue
            if isinstance(result, Exception):
                call.done.set_exception(RedisLostError(f"Redis refuses: {result}"))
            else:
                call.done.set_result(result)

    async def _trip(self, calls: Sequence[_Call]) -> list[Any]:
        if len(calls) == 1:
            call = calls[0]
            try:
                return [await cast("Any", self._redis).evalsha(call.script.digest, len(call.keys), *call.keys, *call.arguments)]
            except ResponseError as error:  # as a pipeline does, which costs twice as much for a single call
                return [error]
        async with cast("Any", self._redis).pipeline(transaction=False) as pipeline:
            for call in calls:
                pipeline.evalsha(call.script.digest, len(call.keys), *call.keys, *call.arguments)
            return await pipeline.execute(raise_on_error=False)


def _fail(calls: Sequence[_Call], error: RedisLostError) -> None:
    for call in calls:
        if not call.done.done():
            call.done.set_exception(error)


def _seen(done: asyncio.Future[Any]) -> None:
    """Who does not wait for it is not told of it either."""
    if not done.cancelled():
        done.exception()
