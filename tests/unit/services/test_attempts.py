from __future__ import annotations

import pytest

from parley.contract.errors import LimitExceededError
from parley.services import attempts as module
from parley.services.attempts import Attempts, network_of


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def count(attempts: Attempts, key: str, times: int) -> int:
    """How many of these are let through."""
    passed = 0
    for _ in range(times):
        try:
            attempts.begin(key)
        except LimitExceededError:
            break
        passed += 1
    return passed


def test_each_key_has_its_own_attempts_and_the_true_time_to_wait() -> None:
    clock = Clock()
    attempts = Attempts(3, seconds=60, now=clock)
    assert (count(attempts, "a", 5), count(attempts, "b", 5)) == (3, 3)
    clock.now = 20
    with pytest.raises(LimitExceededError) as caught:
        attempts.begin("a")
    assert caught.value.retry_after == 40
    clock.now = 60
    assert count(attempts, "a", 5) == 3


def test_what_is_forgiven_or_given_back_does_not_count() -> None:
    attempts = Attempts(2, seconds=60, now=Clock())
    assert count(attempts, "a", 2) == 2
    attempts.give_back("a")
    assert count(attempts, "a", 2) == 1
    attempts.forgive("a")
    assert count(attempts, "a", 3) == 2
    attempts.give_back("never")
    assert count(attempts, "never", 3) == 2


def test_what_is_remembered_is_bounded_and_the_oldest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED", 3)
    attempts = Attempts(1, seconds=60, now=Clock())
    for key in ("a", "b", "c", "d"):
        attempts.begin(key)
    assert count(attempts, "d", 1) == 0
    assert count(attempts, "a", 1) == 1


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("x" * 1000, "x" * 64),
        ("", ""),
    ],
)
def test_one_customer_is_one_place(address: str, place: str) -> None:
    assert network_of(address) == place
