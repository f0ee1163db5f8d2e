"""A connection to Redis or Valkey from an address: checked once, bounded in time, not retried behind anybody's back. Knows no key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from parley.contract.errors import ConfigurationError, FieldProblem

if TYPE_CHECKING:
    from redis.asyncio import Redis

ANSWER_SECONDS: Final = 2.0
MAX_CONNECTIONS: Final = 64
_EXPECTED: Final = "expected redis://[[user]:password@]host[:port][/number], rediss:// for TLS"


async def open_redis(url: str) -> Redis:
    """A client that has been answered once. Raises ConfigurationError, which shows no password, where it was not."""
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError

    problem = url_problem(url)
    if problem is not None:
        raise _refused(problem)
    make_pool: Any = BlockingConnectionPool.from_url  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    try:
        pool = make_pool(
            url,
            max_connections=MAX_CONNECTIONS,
            timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            health_check_interval=30,
            # Whoever asks has something else to fall back on, and no time.
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as error:
        raise _refused(f"{error}; {_EXPECTED}") from error
    client = Redis.from_pool(pool)
    try:
        await client.ping()  # pyright: ignore[reportUnknownMemberType]
    except (RedisError, OSError) as error:
        await client.aclose()
        raise _refused(f"{place(url)} does not answer as Redis does: {error}") from error
    return client


def url_problem(url: str) -> str | None:
    """What is wrong with an address, as far as it can be seen without asking anybody."""
    try:
        parts = urlsplit(url)
        well_formed = parts.scheme in {"redis", "rediss"} and bool(parts.hostname) and parts.port != 0
        number = parts.path.strip("/")
    except ValueError:
        return f"it is not a URL; {_EXPECTED}"
    if not well_formed or (number and not number.isdigit()):
        return f"it does not name a server; {_EXPECTED}"
    return None


def place(url: str) -> str:
    """Host and port alone."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 6379}"


def _refused(problem: str) -> ConfigurationError:
    return ConfigurationError(f"REDIS_URL: {problem}", fields=[FieldProblem(path="REDIS_URL", message=problem)])
