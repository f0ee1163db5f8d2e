"""The fault wall as rules: what a provider makes of a service that misbehaves, on a clock that runs 1:100. Knows no fault by name."""

from __future__ import annotations

from collections.abc import Sequence

from parley.testing.fault_trials import Fault
from parley.testing.fault_wall import fault_findings, wall_sample
from parley.testing.faults import FAULTS, SELECTION, fault_named
from parley.testing.findings import Finding, Findings, not_run
from parley.testing.offline import kept_offline
from parley.testing.subject import Subject


async def selected_faults(subject: Subject) -> Findings:
    """Whatever a service does (fail, be silent, break off, answer nonsense or too much), the outcome is bounded and the next call works."""
    async for finding in _faced(subject, [fault_named(name) for name in SELECTION]):
        yield finding


async def every_fault(subject: Subject) -> Findings:
    """All other faults of the wall, the hostile ones among them."""
    async for finding in _faced(subject, [fault for fault in FAULTS if fault.name not in SELECTION]):
        yield finding


async def _faced(subject: Subject, faults: Sequence[Fault]) -> Findings:
    if needs := subject.cannot("watch"):
        yield not_run(needs)
        return
    sample = wall_sample(subject.known.wire) or subject.known
    with kept_offline():
        streams = subject.capabilities.streaming is not False
        met = await fault_findings(subject.unguarded, sample, faults=faults, strict=subject.codec is not None, streams=streams)
    unseen: dict[str, dict[str, None]] = {}
    for encounter in met:
        if encounter.verdict == "not_run":
            unseen.setdefault(encounter.evidence, {})[encounter.title] = None
        else:
            yield Finding(verdict=encounter.verdict, evidence=encounter.words, remedy=encounter.remedy)
    for reason, titles in unseen.items():
        yield not_run(f"more than is known ({reason}) for: {'; '.join(titles)}")
