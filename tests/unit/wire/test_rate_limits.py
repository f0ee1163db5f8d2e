from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.response import RateLimits
from parley.wire.rate_limits import MAX_RETRY_AFTER_SECONDS, rate_limits, retry_after_seconds

DATE = "Sun, 22 Nov 2026 18:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "30s"}, 30.0),
        ({"retry-after-ms": "754", "retry-after": "1"}, 0.754),
        ({"retry-after-ms": "0", "retry-after": "1"}, 1.0),
        ({"retry-after": "Sun, 22 Nov 2026 18:00:05 GMT", "date": DATE}, 5.0),
        ({"retry-after": "Sun, 22 Nov 2026 17:59:00 GMT", "date": DATE}, 0.0),
        ({"retry-after": "1e12"}, None),
        ({"retry-after": "999999999"}, MAX_RETRY_AFTER_SECONDS),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "-3"}, 0.0),
        ({}, None),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360.0),
        ({"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "6m0s"}, None),
        ({"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "2026-11-22T18:00:09Z", "date": DATE}, 9.0),
    ],
)
def test_the_time_to_wait_in_every_form_that_vendors_use(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers) == (None if seconds is None else pytest.approx(seconds))


def test_a_date_counts_from_the_given_time_too() -> None:
    assert retry_after_seconds({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, now=50.0) == 10.0


def test_the_limits_of_the_two_families_are_read() -> None:
    common = {"x-ratelimit-limit-requests": "500", "x-ratelimit-remaining-requests": "499", "x-ratelimit-reset-requests": "120ms"}
    assert rate_limits(common) == RateLimits(limit_requests=500, remaining_requests=499, reset_requests_seconds=pytest.approx(0.12))
    anthropic = {
        "anthropic-ratelimit-tokens-limit": "80000",
        "anthropic-ratelimit-tokens-remaining": "79000",
        "anthropic-ratelimit-tokens-reset": "2026-11-22T18:01:00Z",
        "date": DATE,
    }
    assert rate_limits(anthropic) == RateLimits(limit_tokens=80000, remaining_tokens=79000, reset_tokens_seconds=60.0)


def test_no_limits_are_none() -> None:
    assert rate_limits({"content-type": "text/plain"}) is None
    assert rate_limits({"x-ratelimit-limit-requests": "many"}) is None


@given(st.text(max_size=40))
def test_no_header_value_crashes(value: str) -> None:
    headers = {"retry-after": value, "date": value, "x-ratelimit-reset-requests": value, "x-ratelimit-remaining-requests": "0"}
    wait = retry_after_seconds(headers)
    assert wait is None or 0 <= wait <= MAX_RETRY_AFTER_SECONDS
    rate_limits(headers)
