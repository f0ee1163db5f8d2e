from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from parley.storage import ids
from parley.storage.ids import first_id, new_id, now_ms


def test_an_id_is_a_uuid7_of_now() -> None:
    before = now_ms()
    made = uuid.UUID(new_id())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= now_ms() + 1


def test_ids_sort_in_the_order_of_their_making() -> None:
    made = [new_id() for _ in range(20_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_a_clock_that_goes_back_does_not_turn_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    first = new_id()
    monkeypatch.setattr(ids, "now_ms", lambda: 1)
    assert new_id() > first


def test_ids_cannot_be_guessed_from_the_one_before() -> None:
    steps = {(uuid.UUID(new_id()).int - uuid.UUID(new_id()).int) for _ in range(200)}
    assert len(steps) > 190


def test_threads_get_different_ids() -> None:
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: new_id(), range(4000)))
    assert len(set(made)) == 4000


def test_a_time_lies_between_the_ids_before_and_after_it() -> None:
    before = new_id()
    later = int(before.replace("-", "")[:12], 16) + 1
    assert before < first_id(later) <= first_id(later) + "-7000-8000-000000000000"
    assert first_id(later - 1) < before
