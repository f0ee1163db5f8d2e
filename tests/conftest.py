"""What every test shares: asyncio alone, no provider variable from the person's own environment, no .env or parley.toml of theirs."""

from __future__ import annotations

import gc
import logging
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from parley import telemetry

settings.register_profile("default", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("deep", deadline=None, max_examples=5000, suppress_health_check=list(HealthCheck))
settings.load_profile("default")

KEPT = re.compile(r"^PARLEY_(RECORDINGS|LIVE|REQUIRE_SERVICES|TEST_.*)$")
PROVIDER_VARIABLE = re.compile(
    r"^PARLEY_|^(LOG_LEVEL|LOG_CONTENT|DEMO)$|"
    r"_(API_KEY|KEYS|MODEL|ENDPOINT|HEADERS|PROXY|CA_FILE|TIMEOUTS|LIMITS|API|HOST|TOKEN|API_VERSION|DEPLOYMENT|CREDENTIALS?|BASE_URL|PAT"
    r"|ACCOUNT|ACCOUNT_ID|ACCOUNT_IDENTIFIER|REGION|PROJECT|LOCATION|ACCESS_KEY_ID|SECRET_ACCESS_KEY|BEDROCK)$",
    re.IGNORECASE,
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def pytest_configure() -> None:
    # Before anything is imported that might read it: an exported key must never cost its owner money in a test run.
    recordings = os.environ.get("PARLEY_RECORDINGS", "../shared/recordings")
    os.environ["PARLEY_RECORDINGS"] = str(Path(recordings).resolve())
    if os.environ.get("PARLEY_LIVE") == "1":
        return
    for name in list(os.environ):
        if PROVIDER_VARIABLE.search(name) and not KEPT.match(name):
            del os.environ[name]


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test stands in an empty directory: the checkout's own `.env` and `parley.toml` are not its business."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A command that a test runs sets up logging for its process; the next test starts without."""
    yield
    logger = logging.getLogger("parley")
    logger.setLevel(logging.NOTSET)
    logger.handlers.clear()


@pytest.fixture(autouse=True)
def _secrets_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that one test configures is a mere word in the next, which must find it unscrubbed."""
    monkeypatch.setattr(telemetry._process, "secrets", set(telemetry._process.secrets))
    monkeypatch.setattr(telemetry._process, "scrubber", telemetry._process.scrubber)


def pytest_collection_finish() -> None:
    """What all the tests are made of stays to the end; looking through it again and again for garbage takes a third of the time."""
    gc.collect()
    gc.freeze()


BUDGET_SECONDS = {"e2e": 240, "docs": 180, "integration": 400, "contract": 300, "museum": 60, "architecture": 20, "unit": 500}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How long each suite took, beside what it may take."""
    spent: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                spent[report.nodeid.split("/")[1]] += report.duration
    shown = ", ".join(f"{suite} {spent[suite]:.0f} of {budget}" for suite, budget in BUDGET_SECONDS.items() if spent[suite])
    terminalreporter.write_line(f"seconds by suite: {shown}")


SPREAD = {"contract/test_checked.py", "docs/test_selections.py", "unit/cli/test_checking.py", "unit/testing/test_faults.py"}
"""Files of many slow tests that share nothing: they go to all workers. The tests of any other file stay together, with its fixtures."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With several workers (`-n 4`), each takes a file at a time, but for those that are spread."""
    from xdist.scheduler import LoadScopeScheduling

    class FileByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return nodeid if file.removeprefix("tests/") in SPREAD else file

    return FileByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`-m unit`, `-m contract`, `-m integration` and `-m e2e` follow the folders; the museum is of the contract.

    The suites whose single tests take longest come first, so that several workers end together.
    """
    order = list(BUDGET_SECONDS)
    folders = {item: Path(str(item.fspath)).relative_to(Path(__file__).parent).parts[0] for item in items}
    items.sort(key=lambda item: order.index(folders[item]))
    for item in items:
        if folders[item] in {"unit", "contract", "integration", "e2e"}:
            item.add_marker(folders[item])
        elif folders[item] == "museum":
            item.add_marker("contract")
