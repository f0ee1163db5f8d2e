"""How often and how soon the same target is tried again."""

from __future__ import annotations

from parley.contract.errors import (
    AuthenticationError,
    ConnectError,
    ProviderTimeoutError,
    RateLimitError,
    ServerError,
    StreamTruncatedError,
)
from parley.guard.retry import RetryBudget, RetryPolicy

FULL = RetryPolicy(jitter=lambda: 1.0, tries=10)


def test_the_wait_doubles_up_to_its_greatest_and_stays_in_the_window() -> None:
    budget, now, waits = RetryBudget(FULL), 0.0, []
    while (delay := budget.delay_after(ServerError("x"), now=now)) is not None:
        waits.append(delay)
        now += delay
    assert waits == [0.5, 1, 2, 4, 8]
    assert now <= 20


def test_jitter_goes_down_to_nothing() -> None:
    assert RetryBudget(RetryPolicy(jitter=lambda: 0.0)).delay_after(ServerError("x"), now=0) == 0


def test_a_vendors_wait_is_the_least() -> None:
    policy = RetryPolicy(jitter=lambda: 1.0)
    assert RetryBudget(policy).delay_after(RateLimitError("x", retry_after=2.5), now=0) == 2.5
    assert RetryBudget(policy).delay_after(RateLimitError("x", retry_after=0), now=0) == 0.5
    assert RetryBudget(policy).delay_after(RateLimitError("x", retry_after=20), now=0) == 20
    assert RetryBudget(policy).delay_after(RateLimitError("x", retry_after=20.1), now=0) is None


def test_the_window_begins_with_the_first_failure() -> None:
    budget = RetryBudget(RetryPolicy(jitter=lambda: 1.0))
    assert budget.delay_after(ServerError("x"), now=100) == 0.5
    assert budget.delay_after(ServerError("x"), now=119.5) is None


def test_three_tries_unless_the_caller_says_so() -> None:
    budget = RetryBudget(RetryPolicy())
    assert [budget.delay_after(ServerError("x"), now=0) is None for _ in range(3)] == [False, False, True]
    assert RetryBudget(RetryPolicy(), tries=1).delay_after(ServerError("x"), now=0) is None


def test_no_try_begins_when_the_requests_own_time_is_over() -> None:
    def budget() -> RetryBudget:
        return RetryBudget(RetryPolicy(jitter=lambda: 0.0), ends_at=105)

    assert budget().delay_after(RateLimitError("x", retry_after=4.9), now=100) == 4.9
    assert budget().delay_after(RateLimitError("x", retry_after=5), now=100) is None
    assert budget().delay_after(ServerError("x"), now=105) is None


def test_which_errors_are_worth_it() -> None:
    def retried(error: Exception) -> bool:
        return RetryBudget(FULL).delay_after(error, now=0) is not None  # pyright: ignore

    assert retried(ConnectError("x"))
    assert retried(StreamTruncatedError("x"))
    assert retried(ProviderTimeoutError("x", phase="connect"))
    assert not retried(ProviderTimeoutError("x", phase="first_token"))
    assert not retried(AuthenticationError("x"))
