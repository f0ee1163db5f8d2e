"""What an author's provider did against the contract, kept for whoever asks (the kit, an operator). Judges nothing and stops nothing."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec import Struct

from parley.telemetry import get_logger

MAX_VIOLATIONS = 100

_logger = get_logger(__name__)


class Violation(Struct, frozen=True, kw_only=True):
    """One broken rule: its name, and what happened."""

    rule: str
    detail: str


class Conduct:
    """The record of one provider: the first hundred violations, and the tasks that would not be cancelled."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.violations: list[Violation] = []
        self.orphans: set[asyncio.Future[Any]] = set()
        self._logged: set[str] = set()

    def violated(self, rule: str, detail: str) -> None:
        """Record it; log the first of each rule."""
        if len(self.violations) < MAX_VIOLATIONS:
            self.violations.append(Violation(rule=rule, detail=detail))
        if rule not in self._logged:
            self._logged.add(rule)
            _logger.warning("provider broke the contract", provider=self.provider, rule=rule, detail=detail)

    def orphaned(self, task: asyncio.Future[Any]) -> None:
        """A task did not stop when it was cancelled: keep hold of it until it does."""
        self.violated("ignores_cancellation", "the call went on after it had been cancelled")
        self.orphans.add(task)
        task.add_done_callback(self.orphans.discard)
