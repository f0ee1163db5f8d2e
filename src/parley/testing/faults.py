"""The fault wall's table: every way in which a provider may misbehave, in order. Faces nothing: see fault_wall."""

from __future__ import annotations

from collections.abc import Sequence

from parley.contract.errors import InvalidRequestError
from parley.guard.suggestions import did_you_mean
from parley.testing.fault_trials import Fault
from parley.testing.hostile_faults import HOSTILE_FAULTS
from parley.testing.provider_faults import PROVIDER_FAULTS

FAULTS: Sequence[Fault] = (*PROVIDER_FAULTS, *HOSTILE_FAULTS)

SELECTION = (
    "rate-limited-once",
    "failed-once",
    "never-answers",
    "dies-midway",
    "silent-midway",
    "invalid-event",
    "key-refused",
    "redirect",
    "web-page",
    "huge-event",
)
"""What one more provider of a known wire is faced with."""


def fault_named(name: str) -> Fault:
    """The fault of this name. Raises InvalidRequestError with a suggestion."""
    for fault in FAULTS:
        if fault.name == name:
            return fault
    hint = did_you_mean(name, [fault.name for fault in FAULTS])
    raise InvalidRequestError(f"there is no fault {name!r}.{hint or ' `parley provider faults` lists them.'}")
