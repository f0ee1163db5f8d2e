"""`parley provider test` and `replay`: a recording goes through a real server and comes out as it was sent."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from parley.cli.main import application

STREAM = (
    'data: {"id":"chatcmpl-1","model":"m-1","choices":[{"index":0,"delta":{"role":"assistant","content":"Good "}}]}\n\n'
    'data: {"id":"chatcmpl-1","model":"m-1","choices":[{"index":0,"delta":{"content":"day."}}]}\n\n'
    'data: {"id":"chatcmpl-1","model":"m-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    'data: {"id":"chatcmpl-1","model":"m-1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n'
    "data: [DONE]\n\n"
)
WHOLE = json.dumps(
    {
        "id": "chatcmpl-2",
        "model": "m-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Good day."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }
)
PROGRAM = [sys.executable, "-c", "from parley.cli.main import run; run()"]
LIMITED = json.dumps({"error": {"message": "Slow down, please.", "type": "rate_limit_error", "code": "rate_limit_exceeded"}})


def parley(*arguments: str) -> Result:
    return CliRunner().invoke(application(), list(arguments))


def write(directory: Path, body: str, **changes: Any) -> str:
    document = {
        "provider": "somebody-chat",
        "wire_family": "openai-chat",
        "kind": "stream",
        "model": "m-1",
        "streaming": True,
        "notes": [],
        "request": None,
        "response": {"status": 200, "headers": {"Content-Type": "text/event-stream"}, "body_text": body, "body_exact": True},
    } | changes
    file = directory / "recording.json"
    file.write_text(json.dumps(document))
    return str(file)


def response(body: str, *, status: int = 200, **headers: str) -> dict[str, Any]:
    return {"status": status, "headers": {"content-type": "application/json"} | headers, "body_text": body, "body_exact": True}


def test_a_streamed_recording_is_shown_as_its_text(tmp_path: Path) -> None:
    result = parley("provider", "replay", write(tmp_path, STREAM))
    assert (result.exit_code, result.stdout) == (0, "Good day.\n")


def test_the_reply_as_json_has_usage_and_finish_reason(tmp_path: Path) -> None:
    document = json.loads(parley("provider", "replay", write(tmp_path, STREAM), "--json").stdout)
    assert document["text"] == "Good day."
    assert (document["usage"]["prompt_tokens"], document["usage"]["completion_tokens"]) == (3, 2)
    assert (document["id"], document["finish_reason"]) == ("chatcmpl-1", "stop")


def test_a_complete_recording_is_read_too(tmp_path: Path) -> None:
    file = write(tmp_path, WHOLE, streaming=False, response=response(WHOLE))
    assert parley("provider", "replay", file).stdout == "Good day.\n"


def test_a_recorded_error_becomes_the_typed_error_at_once(tmp_path: Path) -> None:
    file = write(tmp_path, LIMITED, response=response(LIMITED, status=429, **{"retry-after": "7"}))
    result = parley("provider", "replay", file, "--json")
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert (error["error"], error["status"], error["retry_after"]) == ("RateLimitError", 429, 7.0)
    assert "Slow down, please." in result.stderr


def test_a_cut_recording_is_no_success(tmp_path: Path) -> None:
    result = parley("provider", "replay", write(tmp_path, STREAM.split("\n\n", maxsplit=1)[0] + "\n\n"))
    assert result.exit_code == 1
    assert result.stdout == "Good \n"
    assert "stream_truncated" in result.stderr


def test_who_reads_it_can_be_chosen(tmp_path: Path) -> None:
    file = write(tmp_path, STREAM)
    assert json.loads(parley("provider", "replay", file, "-p", "groq", "--json").stdout)["provider"] == "groq"
    unknown = parley("provider", "replay", file, "-p", "grok")
    assert unknown.exit_code == 2
    assert 'Did you mean "groq"?' in unknown.stderr


def test_the_namesake_reads_it_where_there_is_one(tmp_path: Path) -> None:
    file = write(tmp_path, STREAM, provider="mistral-chat")
    assert json.loads(parley("provider", "replay", file, "--json").stdout)["provider"] == "mistral"


@pytest.mark.parametrize(
    ("content", "words"), [("no json", "is not a recording"), ("[]", "is not a recording"), ('{"a": 1}', "is not a recording")]
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "x.json").write_text(content)
    result = parley("provider", "replay", "x.json")
    assert result.exit_code == 2
    assert words in result.stderr
    assert parley("provider", "replay", "missing.json").exit_code == 2


def test_an_unknown_wire_is_told(tmp_path: Path) -> None:
    result = parley("provider", "replay", write(tmp_path, STREAM, wire_family="telegraph"))
    assert result.exit_code == 2
    assert "telegraph" in result.stderr


def test_served_it_answers_any_program_that_is_pointed_to_it(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*PROGRAM, "provider", "replay", write(tmp_path, STREAM), "--serve"], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as server:
        try:
            assert server.stdout is not None
            told = "".join(iter(server.stdout.readline, "  parley chat -p openai/m-1 Hi\n"))
            variables = dict(re.findall(r"([A-Z_]+)=(\S+)", told))
            assert set(variables) == {"OPENAI_ENDPOINT", "OPENAI_API_KEY", "OPENAI_API"}
            chat = subprocess.run(
                [*PROGRAM, "chat", "-p", "openai/m-1", "Hi"],
                env={**os.environ, **variables},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert (chat.returncode, chat.stdout, chat.stderr) == (0, "Good day.\n", "")
        finally:
            server.send_signal(signal.SIGINT)
    assert server.returncode == 0


def test_a_taken_port_is_told(tmp_path: Path, taken_port: int) -> None:
    result = parley("provider", "replay", write(tmp_path, STREAM), "--serve", "--port", str(taken_port))
    assert result.exit_code == 2
    assert "--port" in result.stderr


def test_the_connection_test_says_yes_or_why_not(monkeypatch: pytest.MonkeyPatch, unused_port: int) -> None:
    assert parley("provider", "test", "demo").stdout.startswith("✓ demo answers")
    monkeypatch.setenv("OLLAMA_ENDPOINT", f"http://127.0.0.1:{unused_port}/v1")
    down = parley("provider", "test", "ollama")
    assert down.exit_code == 1
    assert f"127.0.0.1:{unused_port}" in down.stderr
    document = json.loads(parley("provider", "test", "ollama", "--json").stdout)
    assert document["success"] is False
    assert document["error"]


def test_the_connection_test_of_an_unconfigured_or_unknown_provider() -> None:
    missing = parley("provider", "test", "openai")
    assert missing.exit_code == 2
    assert "OPENAI_API_KEY" in missing.stderr
    assert 'Did you mean "openai"?' in parley("provider", "test", "opnai").stderr


def test_the_name_is_said_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "parley_providers").mkdir()
    (tmp_path / "parley_providers" / "acme.py").write_text(
        "class Acme:\n    name = 'acme'\n    def generate_response(self, **_): ...\n"
        "    def test_connection(self): return {'success': False, 'provider': 'acme', 'error': 'acme is closed'}\n"
    )
    assert parley("provider", "test", "acme").stderr == "✗ acme is closed\n"


def test_env_prints_what_sets_a_provider_up() -> None:
    result = parley("provider", "env", "groq")
    assert result.exit_code == 0
    assert "# a key of the Groq console; required; for example gsk_…\nGROQ_API_KEY=\n" in result.stdout
    assert "# GROQ_MODEL=llama-3.3-70b-versatile\n" in result.stdout


def test_env_knows_a_provider_file_and_says_why_a_broken_one_has_none(tmp_path: Path) -> None:
    files = tmp_path / "parley_providers"
    files.mkdir()
    (files / "acme.py").write_text(
        "from typing import Annotated\n"
        "from parley.provider import Config, Dialect, OpenAIChat, Setting\n"
        "class AcmeConfig(Config):\n"
        '    region: Annotated[str, Setting("where requests are answered")] = "eu"\n'
        'provider = Dialect(name="acme", config=AcmeConfig, wire=OpenAIChat())\n'
    )
    (files / "broken.py").write_text("import nothing_like_it\n")
    assert "# where requests are answered\n# ACME_REGION=eu\n" in parley("provider", "env", "acme").stdout
    broken = parley("provider", "env", "broken")
    assert (broken.exit_code, broken.stdout) == (2, "")
    assert "nothing_like_it" in broken.stderr


def test_env_of_a_name_that_nobody_has_suggests_one() -> None:
    result = parley("provider", "env", "grok")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "groq" in result.stderr


def test_the_documentation_of_any_provider_is_printed(tmp_path: Path) -> None:
    (tmp_path / "parley_providers").mkdir()
    (tmp_path / "parley_providers" / "acme.py").write_text("class Acme:\n    name = 'acme'\n    def generate_response(self, **_): ...\n")
    (tmp_path / "parley_providers" / "broken.py").write_text("1 / 0\n")
    page = parley("provider", "docs", "acme").stdout
    assert page.startswith("# acme\n")
    assert "`ACME_API_KEY`" in page
    assert "vendor-proven" in parley("provider", "docs", "groq").stdout
    broken = parley("provider", "docs", "broken")
    assert broken.exit_code == 2
    assert "ZeroDivisionError" in broken.stderr


def test_the_faults_are_listed_with_what_is_right() -> None:
    shown = parley("provider", "faults").stdout
    assert "rate-limited-once" in shown
    assert "never a success" in " ".join(shown.split())
    listed = json.loads(parley("provider", "faults", "--json").stdout)
    assert {"name", "number", "title", "right", "ways", "hostile"} == set(listed[0])
    assert len(listed) > 50


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("never-answer",), 'Did you mean "never-answers"'),
        (("never-answers", "--wire", "telegraph"), "no wire that ships"),
        (("down-then-well",), "nothing to serve"),
        (("silent-midway", "--complete"), "without --complete"),
        (("no-end-marker", "--wire", "gemini-generate"), "has no end marker"),
        (("length-too-long",), "with --complete"),
    ],
)
def test_a_fault_that_cannot_be_served_is_told_why(arguments: tuple[str, ...], words: str) -> None:
    result = parley("provider", "faults", "--serve", *arguments)
    assert result.exit_code != 0
    assert words in " ".join(result.stderr.split())


def test_a_fault_is_served_to_any_program() -> None:
    command = [*PROGRAM, "provider", "faults", "--serve", "key-refused", "--wire", "anthropic-messages"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            told = server.stdout.readline()
            url = next(word for word in told.split() if word.startswith("http://"))
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(url, data=b"{}", timeout=10)
            assert refused.value.code == 401
            assert b"invalid x-api-key" in refused.value.read()
            refused.value.close()
        finally:
            server.send_signal(signal.SIGINT)
    assert server.returncode == 0
