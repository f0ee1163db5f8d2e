"""Times as they leave the server: stored milliseconds as RFC 3339 UTC text. Knows no clock."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(milliseconds: int) -> str:
    """`1767225600000` → `2026-01-01T00:00:00.000Z`."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def milliseconds_of(time: datetime) -> int:
    """A time with a zone as it is stored; one without a zone is taken for UTC."""
    zoned = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    return round(zoned.timestamp() * 1000)
