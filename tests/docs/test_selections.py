"""The selections that CONTRIBUTING.md names choose what it says they do."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# One file of each folder, and such as are about a provider: enough to see whom a selection takes, in seconds.
FILES = [
    "tests/unit/wire/test_sse.py",
    "tests/unit/providers/test_mistral.py",
    "tests/contract/test_checked.py",
    "tests/museum/test_contract.py",
    "tests/integration/test_example_package.py",
    "tests/e2e/test_budgets.py",
]
TABLE = re.findall(r"^\| `(-[mk]) (\w+)` \|", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
EXPECTED = {
    "unit": {"unit"},
    "contract": {"contract", "museum"},
    "integration": {"integration"},
    "e2e": {"e2e"},
    "mistral": {"unit", "contract"},
}


def test_the_table_names_every_selection() -> None:
    assert {name for _, name in TABLE} == set(EXPECTED)


@pytest.mark.parametrize(("option", "name"), TABLE)
def test_a_selection_takes_what_it_says(option: str, name: str) -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", option, name, *FILES]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=120)
    chosen = {line.split("/")[1] for line in done.stdout.splitlines() if line.startswith("tests/")}
    assert chosen == EXPECTED[name], done.stdout[-2000:] + done.stderr
