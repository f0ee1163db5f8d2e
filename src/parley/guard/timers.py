"""How long a provider may stay silent: the table of limits, and one watchdog per call. Knows no transport and cancels nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from msgspec import Struct

from parley.contract.capabilities import Capabilities
from parley.contract.options import Options, Timeouts
from parley.guard.clock import Alarm, Clock

TimerName: TypeAlias = Literal["first_token", "idle", "total"]

# A callback this late means that the event loop was held up: what arrived meanwhile gets as long again to be read, once per silence.
HELD_UP_SECONDS = 0.05


class TimeLimits(Struct, frozen=True, kw_only=True):
    """Seconds for each stage, all known."""

    connect: float
    first_token: float
    idle: float
    total: float

    def as_timeouts(self) -> Timeouts:
        """The same as an option, for the provider to read."""
        return Timeouts(connect=self.connect, first_token=self.first_token, idle=self.idle, total=self.total)


DEFAULT = TimeLimits(connect=10, first_token=120, idle=60, total=15 * 60)
WITH_FALLBACK = TimeLimits(connect=5, first_token=10, idle=10, total=15 * 60)
REASONING = TimeLimits(connect=10, first_token=300, idle=120, total=30 * 60)
LOCAL = TimeLimits(connect=2, first_token=600, idle=120, total=60 * 60)


def table_column(*, local: bool, capabilities: Capabilities, options: Options, has_fallback: bool = False) -> TimeLimits:
    """The column of the contract's table that this call belongs to. `has_fallback`: another target would answer instead."""
    if local:
        return LOCAL
    if capabilities.reasoning or options.reasoning_effort not in {None, "none"}:
        return REASONING
    return WITH_FALLBACK if has_fallback else DEFAULT


def resolve(column: TimeLimits, *settings: Timeouts) -> TimeLimits:
    """The first setting that says something wins, name by name; else the table."""
    found: dict[str, float] = {}
    for name in TimeLimits.__struct_fields__:
        said = (getattr(setting, name) for setting in settings)
        found[name] = next((value for value in said if value is not None), getattr(column, name))
    return TimeLimits(**found)


class Watchdog:
    """One alarm per call, set again only when it goes off: content merely moves the deadline that the alarm then finds.

    A complete call (`whole`) has only the total. While the consumer is slow (`pause`) or the event
    loop is held up, all limits stand still.
    """

    __slots__ = (
        "_alarm",
        "_clock",
        "_due_at",
        "_excused",
        "_expired",
        "_heard",
        "_heard_at",
        "_limits",
        "_paused_at",
        "_started_at",
        "_total_at",
        "_whole",
    )

    def __init__(self, clock: Clock, limits: TimeLimits, *, total_at: float, whole: bool, expired: Callable[[TimerName], None]) -> None:
        self._clock = clock
        self._limits = limits
        self._whole = whole
        self._expired = expired
        self._started_at = self._heard_at = clock.now()
        self._total_at = total_at
        self._heard = False
        self._excused = False
        self._paused_at: float | None = None
        self._alarm: Alarm | None = None
        self._due_at = 0.0
        self._set(self._started_at)

    def heard(self, now: float) -> None:
        """Something with content came."""
        self._heard_at = now
        self._excused = False
        if not self._heard:
            self._heard = True
            # The idle limit may end before the alarm that was set for the first token.
            if not self._whole and now + self._limits.idle < self._due_at:
                self._set(now)

    def pause(self) -> None:
        """The consumer is slow: what follows is not the provider's silence."""
        self._paused_at = self._clock.now()
        self.stop()

    def resume(self) -> None:
        """The consumer has caught up."""
        if self._paused_at is not None:
            now = self._clock.now()
            self._excuse(now - self._paused_at)
            self._paused_at = None
            self._set(now)

    def stop(self) -> None:
        """The call is over."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _deadline(self) -> tuple[float, TimerName]:
        total: tuple[float, TimerName] = (self._total_at, "total")
        if self._whole:
            return total
        if self._heard:
            return min((self._heard_at + self._limits.idle, "idle"), total)
        return min((self._started_at + self._limits.first_token, "first_token"), total)

    def _excuse(self, seconds: float) -> None:
        self._started_at += seconds
        self._heard_at += seconds
        self._total_at += seconds

    def _set(self, now: float) -> None:
        self.stop()
        self._due_at = self._deadline()[0]
        self._alarm = self._clock.call_later(max(0.0, self._due_at - now), self._ring)

    def _ring(self) -> None:
        self._alarm = None
        now = self._clock.now()
        late = now - self._due_at
        if late > HELD_UP_SECONDS and not self._excused:
            self._excused = True
            self._excuse(late + HELD_UP_SECONDS)
        deadline, name = self._deadline()
        if now < deadline:
            self._set(now)
        else:
            self._expired(name)
