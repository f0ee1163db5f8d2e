"""What a rule found: a verdict with its evidence and the remedy. Knows no rule and no provider."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal, TypeAlias

from msgspec import Struct

Verdict: TypeAlias = Literal["passed", "failed", "not_run", "advice"]
Section: TypeAlias = Literal[
    "interface",
    "configuration",
    "registration",
    "environment variables",
    "panel entry",
    "unit tests",
    "contract",
    "faults",
    "documentation",
    "error handling",
    "limits",
    "streaming",
    "live",
]
"""The points of the checklist for a new provider, as a check shows them."""


class Finding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that was looked at. `evidence` says what was seen; of "not_run", what it needs to be seen; `remedy` what to do."""

    verdict: Verdict
    evidence: str
    remedy: str = ""
    rule: str = ""
    section: str = ""

    def __str__(self) -> str:
        return f"{self.rule}: {self.evidence}" + (f"\n  {self.remedy}" if self.remedy else "")


Findings: TypeAlias = AsyncIterator[Finding]


def passed(evidence: str) -> Finding:
    """It was seen to hold."""
    return Finding(verdict="passed", evidence=evidence)


def failed(evidence: str, remedy: str = "") -> Finding:
    """It was seen not to hold."""
    return Finding(verdict="failed", evidence=evidence, remedy=remedy)


def not_run(needs: str) -> Finding:
    """It could not be seen, for want of this."""
    return Finding(verdict="not_run", evidence=needs)


def advice(evidence: str, remedy: str = "") -> Finding:
    """The contract does not ask for it, but people will miss it."""
    return Finding(verdict="advice", evidence=evidence, remedy=remedy)
