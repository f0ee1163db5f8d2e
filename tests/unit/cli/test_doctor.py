"""`parley doctor`: what is set up and works, what does not and what to do; nothing secret; the exit code."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from typer.testing import CliRunner, Result

from parley.cli import checkup
from parley.cli.main import application
from parley.testing.replay import Answer, ReplayServer

KEY = "sk-0123456789abcdef0123"
MODELS = json.dumps({"object": "list", "data": [{"id": "tiny-1", "object": "model"}]}).encode()


def doctor(*arguments: str) -> Result:
    return CliRunner().invoke(application(), ["doctor", *arguments])


@pytest.fixture
def vendor() -> Iterator[str]:
    """The base URL of a server that lists one model."""
    started: list[str] = []
    stopping: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    ready = asyncio.Event

    async def serve() -> None:
        stop = ready()
        answer = Answer(headers={"content-type": "application/json"}, body=MODELS)
        async with ReplayServer(answer) as server:
            stopping.append((asyncio.get_running_loop(), stop))
            started.append(server.url)
            told.send(b"x")
            await stop.wait()

    told, heard = socket.socketpair()
    thread = Thread(target=lambda: asyncio.run(serve()))
    with told, heard:
        thread.start()
        heard.recv(1)
    yield started[0]
    loop, stop = stopping[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join()


def test_with_nothing_set_up_it_is_calm_and_says_what_to_set() -> None:
    result = doctor()
    assert result.exit_code == 0
    assert "anthropic: set ANTHROPIC_API_KEY" in result.stdout
    assert "answers where nobody is named: demo" in result.stdout
    assert "(http://127.0.0.1:11434" in result.stdout


def test_a_provider_that_answers_is_good(monkeypatch: pytest.MonkeyPatch, vendor: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ENDPOINT", vendor)
    result = doctor()
    assert result.exit_code == 0
    assert "✓ openai: answers" in result.stdout
    assert "openai.api_key ← environment variable OPENAI_API_KEY" in result.stdout
    assert KEY not in result.stdout


def test_a_provider_that_is_down_is_told_and_fails(monkeypatch: pytest.MonkeyPatch, unused_port: int) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ENDPOINT", f"http://127.0.0.1:{unused_port}/v1")
    result = doctor()
    assert result.exit_code == 1
    assert "✗ openai: nothing listens" in result.stdout


def test_a_wrong_setting_is_told_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ENDPOINT", "api.openai.example/v1")
    result = doctor()
    assert result.exit_code == 1
    assert "✗ OPENAI_ENDPOINT: has no scheme" in result.stdout


def test_a_literal_secret_and_a_broken_plugin_are_told() -> None:
    Path("parley.toml").write_text(f'[[providers]]\nname = "openai"\napi_key = "{KEY}"\nendpoint = "http://127.0.0.1:1/v1"\n')
    Path("parley_providers").mkdir()
    Path("parley_providers/broken.py").write_text("import nothing_like_this\n")
    result = doctor()
    assert result.exit_code == 1
    assert "parley.toml: providers[0] (openai).api_key holds a secret in plain text" in result.stdout
    assert "✗ broken:" in result.stdout
    assert "nothing_like_this" in result.stdout
    assert KEY not in result.output


def test_a_local_server_on_its_usual_port_is_found(monkeypatch: pytest.MonkeyPatch, vendor: str) -> None:
    monkeypatch.setattr(checkup, "_OTHER_LOCAL_SERVERS", (("Ours", vendor),))
    result = doctor()
    assert f"✓ Ours ({vendor}): answers, with tiny-1; to use it, set OPENAI_COMPATIBLE_ENDPOINT={vendor}" in result.stdout


def test_something_else_on_the_port_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        def hang_up() -> None:
            for _ in range(2):
                other.accept()[0].close()

        thread = Thread(target=hang_up)
        thread.start()
        monkeypatch.setattr(checkup, "_OTHER_LOCAL_SERVERS", (("Ours", f"http://127.0.0.1:{port}/v1"),))
        result = doctor()
        thread.join()
    assert result.exit_code == 0
    assert f"! Ours (http://127.0.0.1:{port}/v1): something listens here, but does not answer as Ours would" in result.stdout


def test_the_report_is_scrubbed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, unused_port: int) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ENDPOINT", f"http://127.0.0.1:{unused_port}/v1")
    Path(".env").write_text("GROQ_API_KEY=gsk_abcdefghijklmnop\n")
    result = doctor("--report", "report.json")
    text = Path("report.json").read_text()
    assert json.loads(text)["origins"]["openai.api_key"] == "environment variable OPENAI_API_KEY"
    assert KEY not in text
    assert "gsk_abcdefghijklmnop" not in text
    assert str(tmp_path) not in text
    assert "read it before you send it on" in result.stderr


def test_a_report_that_cannot_be_written_is_told() -> None:
    result = doctor("--report", "no/such/folder/report.json")
    assert result.exit_code == 2
    assert "no/such/folder" in result.stderr


def test_json_is_the_same_as_a_document() -> None:
    document = json.loads(doctor("--json").stdout)
    assert document["default"] == "demo"
    assert document["unconfigured"]["anthropic"] == "set ANTHROPIC_API_KEY"
    named = [server["name"] for server in document["local_servers"]]
    assert {*named} >= {"LM Studio", "vLLM", "Jan"}
    assert len(named) == len({*named}), "none is listed twice"


@pytest.mark.parametrize(("file", "text"), [("parley.toml", "= broken"), (".env", "nonsense")])
def test_an_unreadable_file_is_told_and_the_rest_looked_at(file: str, text: str) -> None:
    Path(file).write_text(text)
    result = doctor()
    assert result.exit_code == 1
    assert f"{file}" in next(line for line in result.stdout.splitlines() if "✗" in line)
    assert "anthropic: set ANTHROPIC_API_KEY" in result.stdout


def test_a_problem_is_told_once_with_its_name() -> None:
    Path("parley.toml").write_text(
        '[[providers]]\nname = "acme"\nprovider = "openai-compatible"\nendpoint = "acme.example"\n'
        '[[providers]]\nname = "beta"\nprovider = "opnai"\n'
    )
    output = doctor().stdout
    assert output.count("has no scheme") == 1
    assert "providers[0] (acme).endpoint" in output
    assert "✗ acme: cannot be used; see its problem above" in output
    assert '✗ beta: its provider, "opnai", is not known' in output


def test_a_mistyped_variable_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_APIKEY", KEY)
    assert "! OPENAI_APIKEY is set and means nothing; did you mean OPENAI_API_KEY?" in doctor().stdout
