"""How each provider did last: what its latest test or answer said, for a while. Calls nobody."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from parley.contract.errors import ErrorCode, ParleyError

REMEMBER_SECONDS: Final = 600.0

# What says something of the provider, and not of one request.
_FAULTS: Final = frozenset(
    {
        ErrorCode.PROVIDER_CREDENTIALS,
        ErrorCode.PROVIDER_PERMISSION,
        ErrorCode.PROVIDER_QUOTA,
        ErrorCode.PROVIDER_OVERLOADED,
        ErrorCode.PROVIDER_ERROR,
        ErrorCode.PROVIDER_PROTOCOL,
        ErrorCode.PROVIDER_UNREACHABLE,
        ErrorCode.PROVIDER_TIMEOUT,
    }
)


class _Fault(Struct, frozen=True):
    message: str
    seen_at: float


class Health:
    """The latest fault of each provider, until it works again or REMEMBER_SECONDS have passed."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._faults: dict[str, _Fault] = {}

    def record(self, name: str, error: ParleyError | None) -> None:
        """Note how a call ended: None for an answer. What is the request's own fault says nothing."""
        if error is None:
            self._faults.pop(name, None)
        elif error.code in _FAULTS:
            self.record_fault(name, error.message)

    def record_fault(self, name: str, message: str) -> None:
        """Note that it does not work, in words for a person."""
        self._faults[name] = _Fault(message, self._now())

    def problem(self, name: str) -> str | None:
        """What was wrong last; None where it works as far as anybody knows."""
        fault = self._faults.get(name)
        if fault is None or self._now() - fault.seen_at >= REMEMBER_SECONDS:
            return None
        return fault.message

    def forget(self, name: str) -> None:
        """It was set up anew."""
        self._faults.pop(name, None)
