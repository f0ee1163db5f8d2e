"""The author's door to the kit that proves a provider: rules, recordings, a server that replays them, and the suite for pytest.

Names are loaded when they are first used. Only `ProviderContract` needs pytest (the extra `testing`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parley.testing.findings import Finding, Section, Verdict
    from parley.testing.offline import OfflineError, kept_offline
    from parley.testing.payload_diff import PayloadDiff, payload_diffs
    from parley.testing.recordings import RecordedRequest, Recording, find_recordings, load_recording, recordings_directory
    from parley.testing.replay import Answer, ReceivedRequest, ReplayServer, answer_of
    from parley.testing.rules import RULES, Rule, examine, look, rules_for
    from parley.testing.samples import Sample, sample_of
    from parley.testing.subject import CANARY, Subject, subject_of
    from parley.testing.suite import ProviderContract

_NAMES = {
    "parley.testing.findings": "Finding Section Verdict",
    "parley.testing.offline": "OfflineError kept_offline",
    "parley.testing.payload_diff": "PayloadDiff payload_diffs",
    "parley.testing.recordings": "RecordedRequest Recording find_recordings load_recording recordings_directory",
    "parley.testing.replay": "Answer ReceivedRequest ReplayServer answer_of",
    "parley.testing.rules": "RULES Rule examine look rules_for",
    "parley.testing.samples": "Sample sample_of",
    "parley.testing.subject": "CANARY Subject subject_of",
    "parley.testing.suite": "ProviderContract",
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = [
    "CANARY",
    "RULES",
    "Answer",
    "Finding",
    "OfflineError",
    "PayloadDiff",
    "ProviderContract",
    "ReceivedRequest",
    "RecordedRequest",
    "Recording",
    "ReplayServer",
    "Rule",
    "Sample",
    "Section",
    "Subject",
    "Verdict",
    "answer_of",
    "examine",
    "find_recordings",
    "kept_offline",
    "load_recording",
    "look",
    "payload_diffs",
    "recordings_directory",
    "rules_for",
    "sample_of",
    "subject_of",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'parley.testing' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
