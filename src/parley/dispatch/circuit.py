"""Whether a target is worth asking: opens after failures, lets single probes through, closes when one succeeds. Knows no error."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import inf

FAILURES = 3
"""So many tries in a row must fail."""
FIRST_REST_SECONDS = 5.0
LONGEST_REST_SECONDS = 20.0
"""After each probe that fails the rest is twice as long, up to this: who recovers is asked again within half a minute."""
LONGEST_ORDERED_REST_SECONDS = 3600.0


class Circuit:
    """Closed: everybody may try. Open: nobody, until its rest is over; then one at a time, to see."""

    __slots__ = ("_failures", "_jitter", "_opened_at", "_probe", "_probes", "_rest_seconds", "_until", "limited")

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._failures = 0
        self._until = -inf
        self._opened_at = -inf
        self._rest_seconds = 0.0
        self._probe = 0
        self._probes = 0
        self.limited = False
        """Whether the target itself said how long to stay away."""

    @property
    def closed(self) -> bool:
        """Whether nothing is held against the target."""
        return self._until == -inf

    def ready(self, now: float) -> bool:
        """Whether a try may begin."""
        return self._until == -inf or (now >= self._until and not self._probe)

    def seconds_to_rest(self, now: float) -> float:
        """How long it is not to be asked; 0 where it may be."""
        return max(0.0, self._until - now)

    def begin(self, now: float) -> int:
        """A try begins; the number of the probe that it is, 0 where it is none. A probe ends with `begun`, `failed` or `left`."""
        if self._until == -inf or self._probe or now < self._until:
            return 0
        self._probes += 1
        self._probe = self._probes
        return self._probe

    def begun(self, *, began_at: float) -> None:
        """The target began to answer: it may be asked again, on trial. A try that began before it failed says nothing of that."""
        if self._until == -inf or began_at < self._opened_at:
            return
        self._until = self._opened_at = -inf
        self._failures = FAILURES - 1
        self._probe = 0
        self.limited = False

    def succeeded(self, *, began_at: float) -> None:
        """The target gave a whole answer: nothing is held against it any more."""
        self.begun(began_at=began_at)
        if self._until == -inf:
            self._failures = 0
            self._rest_seconds = 0.0

    def failed(self, now: float, *, probe: int = 0, rest_seconds: float | None = None) -> None:
        """A try failed. With `rest_seconds` the target said, or it is known, how long it is no use to ask again."""
        probed = probe != 0 and probe == self._probe
        self.left(probe)
        self._failures += 1
        if rest_seconds is not None:
            self.limited = True
            self._open(now, min(rest_seconds, LONGEST_ORDERED_REST_SECONDS))
        elif probed or (self.closed and self._failures >= FAILURES):
            self.limited = False
            self._rest_seconds = min(LONGEST_REST_SECONDS, self._rest_seconds * 2 or FIRST_REST_SECONDS)
            # A little earlier than others, never later: many processes must not probe at the same moment.
            self._open(now, self._rest_seconds * (1 - 0.2 * self._jitter()))

    def left(self, probe: int) -> None:
        """A probe ended and says nothing: another may begin."""
        if probe == self._probe:
            self._probe = 0

    def _open(self, now: float, seconds: float) -> None:
        self._opened_at = now
        self._until = max(self._until, now + seconds)
