"""The program itself: quick to start, honest about its own faults, and without a traceback for a person's mistake."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from parley import __version__
from parley.cli.main import application


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=False
    )


def test_alone_it_shows_its_help() -> None:
    output = CliRunner().invoke(application(), []).output
    for command in ("chat", "providers", "provider", "doctor"):
        assert f"\n  {command} " in output


def test_version() -> None:
    result = CliRunner().invoke(application(), ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"parley {__version__}\n")


def test_a_mistyped_command_gets_a_suggestion() -> None:
    result = CliRunner().invoke(application(), ["docter"])
    assert result.exit_code == 2
    assert "doctor" in result.output


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom parley.cli.main import run\nsys.argv = ['parley', '--help']\n"
        "try:\n    run()\nexcept SystemExit:\n    print([name for name in ('rich', 'aiohttp', 'markdown_it') if name in sys.modules])"
    )
    assert run(code).stdout.splitlines()[-1] == "[]"


def test_piping_a_chat_needs_no_rich() -> None:
    code = (
        "import sys\nfrom parley.cli.main import run\nsys.argv = ['parley', 'chat', 'table']\n"
        "try:\n    run()\nexcept SystemExit:\n    print([name for name in ('rich', 'markdown_it') if name in sys.modules])"
    )
    assert run(code).stdout.splitlines()[-1] == "[]"


BROKEN = (
    "import sys\nfrom parley.cli import main\nimport parley.cli.chat as chat\n"
    "def broken(*_):\n    raise RuntimeError('of sk-abcdefghijklmnop')\nchat.target = broken\n"
    "sys.argv = ['parley', 'chat', 'hi']\nmain.run()"
)


def test_its_own_fault_is_one_line_without_secrets() -> None:
    result = run(BROKEN)
    assert result.returncode == 1
    assert result.stderr.startswith("parley failed unexpectedly: RuntimeError: of ***\n")
    assert "LOG_LEVEL=debug" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_traceback_is_there_for_who_asks() -> None:
    result = run(BROKEN, LOG_LEVEL="debug")
    assert "Traceback" in result.stderr
    assert "sk-abcdefghijklmnop" not in result.stderr


@pytest.mark.parametrize(("variable", "value"), [("LOG_LEVEL", "loud"), ("LOG_CONTENT", "perhaps")])
def test_wrong_logging_variables_are_told(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    result = CliRunner().invoke(application(), ["chat", "hi"])
    assert result.exit_code == 2
    assert variable in result.stderr


def test_the_log_is_written_to_standard_error(tmp_path: Path) -> None:
    code = "import sys\nfrom parley.cli.main import run\nsys.argv = ['parley', 'provider', 'test', 'ollama']\nrun()"
    result = run(code, LOG_LEVEL="debug", OLLAMA_ENDPOINT="http://127.0.0.1:9/v1")
    assert "level=DEBUG" in result.stderr
    assert "level=" not in result.stdout


def test_a_closed_pipe_is_no_fault(tmp_path: Path) -> None:
    command = f"{sys.executable} -c 'from parley.cli.main import run; run()' chat long | head -n 1"
    result = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert result.stdout == "# [demo] A long answer\n"
    assert "Traceback" not in result.stderr
    assert "failed" not in result.stderr
