"""Here the exhibits lie where an operator would have them, and the SDK of one counts as installed."""

from __future__ import annotations

from pathlib import Path

import pytest

EXHIBITS = Path(__file__).parent / "v1"


@pytest.fixture(autouse=True)
def _visited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_PROVIDER_PATH", str(EXHIBITS))
    monkeypatch.syspath_prepend(str(EXHIBITS / "sdk"))
