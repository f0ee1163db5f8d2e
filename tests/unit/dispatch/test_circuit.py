"""A circuit under any history: one probe at a time, never asked while it rests, always asked again within its longest rest."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from parley.dispatch.circuit import FAILURES, LONGEST_REST_SECONDS, Circuit

WORDS = st.sampled_from(["begin", "fail", "begun", "succeed", "leave", "ordered", "soon", "later"])
STEPS = st.lists(st.tuples(WORDS, st.integers(0, 5)), max_size=60)


class History:
    """`tries` are under way, each with its beginning and its number as a probe; `probe` is the one that counts."""

    def __init__(self, jitter: float) -> None:
        self.circuit = Circuit(lambda: jitter)
        self.now = 1000.0
        self.tries: list[tuple[float, int]] = []
        self.probe = 0

    def soon(self) -> None:
        self.now += 1

    def later(self) -> None:
        self.now += 7

    def begin(self) -> None:
        was_ready, was_closed = self.circuit.ready(self.now), self.circuit.closed
        probe = self.circuit.begin(self.now)
        assert bool(probe) == (was_ready and not was_closed)
        assert not (probe and self.probe), "two probes at once"
        assert not (probe and self.circuit.ready(self.now))
        self.probe = probe or self.probe
        if was_ready:
            self.tries.append((self.now, probe))

    def end(self, how: str, *, which: int) -> None:
        began_at, probe = self.tries.pop(which % len(self.tries))
        ends: dict[str, Callable[[], None]] = {
            "fail": lambda: self.circuit.failed(self.now, probe=probe),
            "ordered": lambda: self.circuit.failed(self.now, probe=probe, rest_seconds=3),
            "begun": lambda: self.circuit.begun(began_at=began_at),
            "succeed": lambda: self.circuit.succeeded(began_at=began_at),
            "leave": lambda: None,
        }
        ends[how]()
        assert not (how == "ordered" and self.circuit.ready(self.now))
        if probe:
            self.circuit.left(probe)
        # Another try may have shown that the target is well; a probe that ends afterwards says nothing of a later one.
        if probe == self.probe or self.circuit.closed:
            self.probe = 0


@given(STEPS, st.floats(0, 1))
def test_any_history(steps: list[tuple[str, int]], jitter: float) -> None:
    history = History(jitter)
    for step, which in steps:
        if step in {"begin", "soon", "later"}:
            getattr(history, step)()
        elif history.tries:
            history.end(step, which=which)
        assert history.circuit.seconds_to_rest(history.now) <= LONGEST_REST_SECONDS
    if not history.probe:
        assert history.circuit.ready(history.now + LONGEST_REST_SECONDS)


def test_a_probe_that_ends_late_says_nothing_of_a_later_one() -> None:
    circuit = Circuit(lambda: 0.0)
    for _ in range(FAILURES):
        circuit.failed(0.0)
    first = circuit.begin(6.0)
    circuit.succeeded(began_at=6.0)  # of somebody who asked as a last resort
    for _ in range(FAILURES):
        circuit.failed(7.0)
    second = circuit.begin(30.0)
    assert 0 < first < second
    circuit.left(first)
    assert not circuit.ready(31.0)
    circuit.left(second)
    assert circuit.ready(31.0)


def test_it_opens_with_the_third_failure_and_rests_longer_each_time() -> None:
    circuit, now = Circuit(lambda: 0.0), 0.0
    for _ in range(FAILURES - 1):
        circuit.failed(now)
        assert circuit.ready(now)
    rests: list[float] = []
    for _ in range(4):
        circuit.failed(now, probe=circuit.begin(now))
        rests.append(circuit.seconds_to_rest(now))
        now += rests[-1]
    assert rests == [5, 10, 20, 20]
