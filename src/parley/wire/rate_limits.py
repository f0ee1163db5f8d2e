"""What vendors' headers say of their limits and of when to come back. Knows no clock: dates count from the reply's own `date` header.

OpenAI and its kin: https://platform.openai.com/docs/guides/rate-limits (x-ratelimit-*); Anthropic: anthropic-ratelimit-*; RFC 9110 §10.2.3.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from parley.contract.response import RateLimits

MAX_RETRY_AFTER_SECONDS = 7 * 24 * 3600.0
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)")
_SECONDS_PER_UNIT = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_EARLIEST_EPOCH = 1e9
_KINDS = ("requests", "tokens")


def retry_after_seconds(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Seconds to wait, as the vendor asks; None where it does not. Header names in lower case; `now` (Unix time) defaults to the
    reply's `date`, without which a date in `retry-after` says nothing.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds:
        # Azure sends 0 here beside a whole second in `retry-after`.
        return _bounded(milliseconds / 1000)
    value = headers.get("retry-after", "")
    wait = _seconds(value, _reference(headers, now)) if value else None
    if wait is not None:
        return _bounded(wait)
    exhausted = [_reset_of(headers, kind, now) for kind in _KINDS if _remaining_of(headers, kind) == 0]
    known = [wait for wait in exhausted if wait is not None]
    return _bounded(max(known)) if known else None


def rate_limits(headers: Mapping[str, str], *, now: float | None = None) -> RateLimits | None:
    """The limits in the reply's headers (names in lower case), None where there are none."""
    if not any("ratelimit" in name for name in headers):
        return None
    found = RateLimits(
        limit_requests=_limit_of(headers, "requests"),
        remaining_requests=_remaining_of(headers, "requests"),
        reset_requests_seconds=_reset_of(headers, "requests", now),
        limit_tokens=_limit_of(headers, "tokens"),
        remaining_tokens=_remaining_of(headers, "tokens"),
        reset_tokens_seconds=_reset_of(headers, "tokens", now),
    )
    return found if found != RateLimits() else None


def _header(headers: Mapping[str, str], what: str, kind: str) -> str:
    """`x-ratelimit-limit-requests` (OpenAI), `-requests-minute` (Cerebras), `anthropic-ratelimit-requests-limit`, `x-ratelimit-limit`."""
    names = [f"x-ratelimit-{what}-{kind}", f"x-ratelimit-{what}-{kind}-minute", f"anthropic-ratelimit-{kind}-{what}"]
    names += [f"x-ratelimit-{kind}-{what}", f"x-ratelimit-{what}-req-minute" if kind == "requests" else f"x-ratelimit-{what}-tokens-minute"]
    if kind == "requests":
        names.append(f"x-ratelimit-{what}")
    return next((headers[name] for name in names if name in headers), "")


def _limit_of(headers: Mapping[str, str], kind: str) -> int | None:
    return _count(_header(headers, "limit", kind))


def _remaining_of(headers: Mapping[str, str], kind: str) -> int | None:
    return _count(_header(headers, "remaining", kind))


def _reset_of(headers: Mapping[str, str], kind: str, now: float | None) -> float | None:
    value = _header(headers, "reset", kind)
    wait = _seconds(value, _reference(headers, now)) if value else None
    return None if wait is None else _bounded(wait)


def _reference(headers: Mapping[str, str], now: float | None) -> float | None:
    return _moment(headers.get("date", "")) if now is None else now


def _seconds(value: str, now: float | None) -> float | None:
    """Seconds ("2", "1.5"), a duration ("6m0s", "120ms"), a Unix time in seconds or milliseconds, an HTTP date or an ISO 8601 one."""
    value = value.strip()
    number = _number(value)
    if number is not None:
        if number < _EARLIEST_EPOCH:
            return number
        moment = number / 1000 if number >= _EARLIEST_EPOCH * 1000 else number
        return None if now is None else moment - now
    pieces = _DURATION.findall(value)
    if pieces and "".join(amount + unit for amount, unit in pieces) == value:
        return sum(float(amount) * _SECONDS_PER_UNIT[unit] for amount, unit in pieces)
    moment = _moment(value)
    return None if moment is None or now is None else moment - now


def _moment(value: str) -> float | None:
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = parse(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            continue
    return None


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _count(value: str) -> int | None:
    number = _number(value.partition(",")[0])
    return int(number) if number is not None and number >= 0 else None


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)
