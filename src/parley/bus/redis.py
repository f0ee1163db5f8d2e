"""The bus over Redis or Valkey: one listening connection, messages as publications, presence as a sorted set. Knows no meaning of them."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any, Final

from msgspec import DecodeError, msgpack

from parley.bus.protocol import Handler, new_replica_id
from parley.telemetry import get_logger

if TYPE_CHECKING:
    from redis.asyncio import Redis

HEARTBEAT_SECONDS: Final = 3.0
GONE_AFTER_SECONDS: Final = 10.0
FIRST_RETRY_SECONDS: Final = 0.1
MAX_RETRY_SECONDS: Final = 2.0

# By the server's clock: replicas' own may differ. Answers how many there are.
_PRESENCE: Final = """
local now = redis.call('TIME')
local seconds = tonumber(now[1]) + tonumber(now[2]) / 1000000
redis.call('ZADD', KEYS[1], seconds, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', seconds - tonumber(ARGV[2]))
redis.call('EXPIRE', KEYS[1], math.ceil(tonumber(ARGV[2])) * 2)
return redis.call('ZCARD', KEYS[1])
"""

_encode = msgpack.Encoder().encode
_decoder = msgpack.Decoder(tuple[str, str, bytes])
_logger = get_logger(__name__)


class RedisBus:
    """`redis` is open for others to keep counters and answers in, under keys that begin with `prefix`."""

    shared = True

    def __init__(self, redis: Redis, *, prefix: str) -> None:
        self.replica_id = new_replica_id()
        self.redis = redis
        self.prefix = prefix
        self._handlers: dict[str, Handler] = {}
        self._connected = False
        self._replicas = 1
        self._tasks: list[asyncio.Task[None]] = []
        self._heard = asyncio.Event()

    @property
    def connected(self) -> bool:
        """Whether we hear others; what we say goes the same way."""
        return self._connected

    @property
    def replicas(self) -> int:
        """How many were there when the server last said."""
        return self._replicas

    async def start(self) -> None:
        """Listen, and be counted. Returns when both have begun, or a try of each has failed."""
        await self._be_present()
        self._tasks = [asyncio.create_task(self._listen_always()), asyncio.create_task(self._be_present_always())]
        await self._heard.wait()

    def on(self, topic: str, handler: Handler) -> None:
        """Call `handler` for what others say about a topic."""
        self._handlers[topic] = handler

    async def publish(self, topic: str, data: bytes) -> bool:
        """Tell every other replica."""
        return await self._say(self._everybody, topic, data) is not None

    async def send(self, replica_id: str, topic: str, data: bytes) -> bool:
        """Tell one replica. False also where nobody listens under that name."""
        return bool(await self._say(self._inbox(replica_id), topic, data))

    async def aclose(self) -> None:
        """Leave at once, so that others need not wait until we are missed."""
        from redis.exceptions import RedisError

        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            await self._command("ZREM", self._present, self.replica_id)
        except (RedisError, OSError):
            _logger.debug("the bus was away when this replica left")
        await self.redis.aclose()

    @property
    def _everybody(self) -> str:
        return f"{self.prefix}bus:all"

    @property
    def _present(self) -> str:
        return f"{self.prefix}bus:replicas"

    def _inbox(self, replica_id: str) -> str:
        return f"{self.prefix}bus:replica:{replica_id}"

    async def _say(self, channel: str, topic: str, data: bytes) -> int | None:
        from redis.exceptions import RedisError

        try:
            return int(await self._command("PUBLISH", channel, _encode((self.replica_id, topic, data))))
        except (RedisError, OSError) as error:
            _logger.debug("the bus did not take a message", topic=topic, error=error)
            return None

    async def _command(self, *arguments: Any) -> Any:
        run: Any = self.redis.execute_command  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return await run(*arguments)

    async def _listen_always(self) -> None:
        from redis.exceptions import RedisError

        seconds = FIRST_RETRY_SECONDS
        while True:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                if self._connected:
                    _logger.warning("the bus is away: readers follow by the database until it is back", error=error)
                    seconds = FIRST_RETRY_SECONDS
            self._connected = False
            self._heard.set()
            await asyncio.sleep(seconds * random.uniform(0.5, 1.0))  # noqa: S311 - spread, not secrecy
            seconds = min(seconds * 2, MAX_RETRY_SECONDS)

    async def _listen(self) -> None:
        """Until the connection is lost. A silent one is asked whether it lives."""
        subscriber: Any = self.redis.pubsub()  # pyright: ignore[reportUnknownMemberType]
        async with subscriber:
            await subscriber.subscribe(self._everybody, self._inbox(self.replica_id))
            asked = False
            while True:
                message = await subscriber.get_message(timeout=HEARTBEAT_SECONDS)
                if message is None:
                    if asked:
                        raise ConnectionError("it does not answer")
                    asked = True
                    await subscriber.ping()
                    continue
                asked = False
                if message["type"] == "subscribe":
                    self._subscribed()
                elif message["type"] == "message":
                    self._hear(message["data"])

    def _subscribed(self) -> None:
        if not self._connected:
            self._connected = True
            self._heard.set()

    def _hear(self, message: bytes) -> None:
        try:
            sender, topic, data = _decoder.decode(message)
        except DecodeError as error:  # somebody else's publication under our name, or another version's
            _logger.warning("a message on the bus cannot be read", error=error)
            return
        handler = self._handlers.get(topic)
        if handler is not None and sender != self.replica_id:
            handler(sender, data)

    async def _be_present_always(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await self._be_present()

    async def _be_present(self) -> None:
        from redis.exceptions import RedisError

        try:
            counted = await self._command("EVAL", _PRESENCE, 1, self._present, self.replica_id, GONE_AFTER_SECONDS)
        except (RedisError, OSError) as error:
            _logger.debug("the bus could not be told that this replica lives", error=error)
            return
        self._replicas = max(1, int(counted))
