from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from parley.cli.main import application


@pytest.fixture(autouse=True)
def _of_this_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "PORT", "PUBLIC_URL", "DATABASE_URL", "JWT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PARLEY_DATA_DIR", str(tmp_path / "data"))


def test_a_port_that_is_taken_is_told_at_once_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(application(), ["serve", "--port", str(port)])
    assert result.exit_code == 2
    told = re.sub(r"\s+", " ", result.output)
    assert f"cannot listen on 127.0.0.1:{port}" in told
    assert "--port" in told


def test_every_wrong_setting_is_told_before_anything_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PUBLIC_URL", "not a url")
    monkeypatch.setenv("DATABASE_URL", "mysql://x")
    result = CliRunner().invoke(application(), ["serve", "--port", "99999"])
    assert result.exit_code == 2
    assert all(name in result.output for name in ("PORT", "PUBLIC_URL", "DATABASE_URL"))
    assert not (tmp_path / "data" / "parley.db").exists()
