"""`parley provider record`: says what it will do, asks, and shows in a line each what became of it."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs
from typer.testing import CliRunner, Result

from parley.cli.main import application
from parley.testing import examine, subject_of
from parley.testing.replay import Answer, ReplayServer
from parley.testing.rules import RULES
from parley.testing.samples import openai_chat

KEY = "sk-quiet-Ab3dEf6hIj9kLm2n"
SAMPLE = openai_chat()
FOUR = [SAMPLE.complete(), SAMPLE.streamed(), SAMPLE.error(404, "no such model"), SAMPLE.error(401, "no such key")]


class Vendor:
    """A ReplayServer in a thread of its own: the command runs an event loop itself."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.server = self._in_loop(self._start())

    async def _start(self) -> ReplayServer:
        return await ReplayServer(Answer(status=500)).__aenter__()

    def _in_loop(self, work: object) -> ReplayServer:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)  # type: ignore[arg-type]

    def close(self) -> None:
        self._in_loop(self.server.__aexit__())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReplayServer]:
    running = Vendor()
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_ENDPOINT", running.server.url)
    yield running.server
    running.close()


def parley(*arguments: str) -> Result:
    return CliRunner().invoke(application(), ["provider", *arguments])


def test_what_was_recorded_is_listed_and_can_be_replayed(vendor: ReplayServer) -> None:
    vendor.answer_with(*FOUR)
    result = parley("record", "openai", "--yes", "--only", "text, stream,error", "--to", "kept", "--model", "gpt-x")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines() if line.startswith("  ✓")]
    assert [(line[1], line[2], line[-1]) for line in lines] == [
        ("text", "200", "openai/generate/text-gpt-x.json"),
        ("stream", "200", "openai/stream/stream-gpt-x.json"),
        ("unknown-model", "404", "openai/error/unknown-model-gpt-x.json"),
        ("wrong-key", "401", "openai/error/wrong-key-gpt-x.json"),
    ]
    assert "4 saved in kept" in result.stdout
    assert KEY not in result.output
    shown = parley("replay", "kept/openai/stream/stream-gpt-x.json")
    assert (shown.exit_code, shown.stdout) == (0, f"{SAMPLE.text}\n")
    assert json.loads(parley("replay", "kept/openai/error/wrong-key-gpt-x.json", "--json").stdout)["error"]["status"] == 401


def test_what_was_recorded_of_a_new_wire_is_found_by_the_check_and_proves_it(vendor: ReplayServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scaffold as it is written, against a server that speaks its made-up wire."""
    assert parley("new", "plain", "--kind", "wire", "--endpoint", vendor.url, "--model", "m").exit_code == 0
    end = b'"done": "stop", "usage": {"input": 3, "output": 2}}'
    whole = Answer(headers={"content-type": "application/json"}, body=b'{"id": "r-1", "model": "m", "text": "Good day.", ' + end)
    events = b'data: {"id": "r-1", "model": "m", "text": "Good "}\n\ndata: {"text": "day."}\n\ndata: {' + end + b"\n\n"
    call = b'"calls": [{"id": "c-1", "name": "get_weather", "arguments": {"city": "Oslo"}}], ' + end.replace(b"stop", b"calls")
    called = Answer(headers={"content-type": "application/json"}, body=b'{"id": "r-2", ' + call)
    stream = Answer(headers={"content-type": "text/event-stream"}, body=events, streamed=True)
    vendor.answer_with(whole, stream, called, structs.replace(stream, body=b"data: {" + call + b"\n\n"))
    result = parley("record", "plain", "--yes", "--only", "text,stream,tools")
    assert result.exit_code == 0, result.output
    assert "\n  parley provider check plain\n" in result.stdout
    subject = subject_of("plain")
    assert len(subject.recordings) == 4
    looked_at = {"options", "recordings", "streamed_and_complete", "tool_calls", "history"}
    found = asyncio.run(examine(subject, [rule for rule in RULES if rule.name in looked_at]))
    assert {finding.verdict for finding in found} == {"passed"}, [str(finding) for finding in found if finding.verdict != "passed"]


def test_it_says_first_what_it_will_do(vendor: ReplayServer) -> None:
    vendor.answer_with(SAMPLE.complete())
    before = parley("record", "openai", "--yes", "--only", "text,reasoning").stdout.partition("✓")[0]
    words = " ".join(before.split())
    assert "model gpt-5-mini" in words
    assert f"1 request to 127.0.0.1:{vendor.port}, with your key (environment variable OPENAI_API_KEY)" in words
    assert re.search(r"at most 128 of output: \$0\.000\d at most, by genai-prices \S+ on \d{4}-", words), words
    assert "leaves out reasoning, reasoning-streamed: reasoning is not declared" in words


def test_nothing_is_sent_without_consent(vendor: ReplayServer) -> None:
    result = parley("record", "openai")
    assert result.exit_code == 2
    assert "add --yes" in result.stderr
    assert vendor.requests == []


@pytest.mark.parametrize(("answer", "sent", "status"), [("n", 0, 1), ("y", 1, 0)])
def test_on_a_terminal_it_asks(vendor: ReplayServer, answer: str, sent: int, status: int) -> None:
    vendor.answer_with(SAMPLE.complete())
    ours, theirs = pty.openpty()
    program = [sys.executable, "-c", "from parley.cli.main import run; run()", "provider", "record", "openai", "--only", "text"]
    with subprocess.Popen(program, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as command:
        os.close(theirs)
        os.write(ours, f"{answer}\n".encode())
        output = command.communicate(timeout=60)[0]
    os.close(ours)
    assert (command.returncode, len(vendor.requests)) == (status, sent), output
    assert "Send them?" in output
    assert Path("recordings/openai/generate").exists() == bool(sent)


def test_what_failed_is_told_and_decides_the_exit_code(vendor: ReplayServer) -> None:
    leaking = openai_chat(["It is ", KEY[:9], KEY[9:]])
    vendor.answer_with(SAMPLE.error(429, "Slow\x1b[31m down."), leaking.streamed())
    result = parley("record", "openai", "--yes", "--only", "text,stream")
    assert result.exit_code == 1
    text, stream = [line for line in result.stdout.splitlines() if line.startswith("  ✗")]
    assert "429" in text
    assert "Slow␛[31m down." in text
    assert "not written, a secret is still in it: response body" in stream
    assert KEY[9:] not in result.output
    assert "0 saved in recordings, 2 not recorded" in result.stdout
    assert not list(Path("recordings").rglob("*.json"))


def test_nothing_passed_is_an_error(vendor: ReplayServer) -> None:
    Path("parley_providers").mkdir()
    Path("parley_providers/acme.py").write_text(
        "class Acme:\n    name = 'acme'\n    def __init__(self, config): self.config = config\n"
        "    def generate_response(self, **_): return {'text': 'Hi'}\n"
    )
    os.environ["ACME_ENDPOINT"], os.environ["ACME_MODEL"] = vendor.url, "m"
    try:
        result = parley("record", "acme", "--yes")
    finally:
        del os.environ["ACME_ENDPOINT"], os.environ["ACME_MODEL"]
    assert result.exit_code == 2
    assert "nothing passed through; acme does not use its endpoint" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["opnai"], 'Did you mean "openai"?'),
        (["openai", "--only", "tool"], 'Did you mean "tools"?'),
        (["openai", "--to", "file/below"], "name another folder with --to"),
        (["demo"], "demo has no endpoint"),
        (["groq"], "GROQ_API_KEY"),
    ],
)
def test_bad_input_is_told_before_anything_is_sent(vendor: ReplayServer, arguments: list[str], words: str) -> None:
    Path("file").write_text("")
    result = parley("record", *arguments, "--yes")
    assert result.exit_code == 2
    assert words in result.stderr
    assert vendor.requests == []


def test_a_recording_with_a_secret_is_not_shown(vendor: ReplayServer) -> None:
    vendor.answer_with(SAMPLE.complete())
    parley("record", "openai", "--yes", "--only", "text")
    (file,) = Path("recordings").rglob("*.json")
    document = json.loads(file.read_text())
    document["request"]["headers"]["authorization"] = f"Bearer {KEY}"
    file.write_text(json.dumps(document))
    result = parley("replay", str(file))
    assert result.exit_code == 2
    assert "request header authorization" in result.stderr
    assert KEY not in result.output
