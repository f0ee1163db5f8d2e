"""`parley chat` with a message or a pipe: the answer on standard output, everything else on standard error, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from parley.cli.chat import target
from parley.cli.main import application


def parley(*arguments: str, piped: str | bytes = b"") -> Result:
    return CliRunner().invoke(application(), list(arguments), input=piped)


def test_without_any_provider_the_demo_answers_and_says_so() -> None:
    result = parley("chat", "What", "is", "it?")
    assert result.exit_code == 0
    assert "no model behind it" in result.stdout
    assert result.stderr == ""


def test_the_text_is_exactly_the_models_with_one_line_end() -> None:
    assert parley("chat", "length").stdout == "[demo] This answer ends before its\n"
    assert json.loads(parley("chat", "json").stdout)["demo"] is True


def test_standard_input_follows_the_message() -> None:
    assert parley("chat", piped="table\n").stdout.startswith("[demo] A table:")
    document = json.loads(parley("chat", "--json", "one two", piped="three four\n").stdout)
    assert document["usage"]["prompt_tokens"] == 4


def test_json_is_one_whole_reply() -> None:
    document = json.loads(parley("chat", "-p", "demo", "--json", "tool").stdout)
    assert document["text"] == "[demo] Calling a tool.\n"
    assert [call["name"] for call in document["tool_calls"]] == ["demo_weather"]
    assert document["parts"][0] == {"type": "text", "text": document["text"]}
    assert (document["provider"], document["model"], document["finish_reason"]) == ("demo", "demo", "tool_calls")
    assert document["usage"]["source"] == "reported"
    assert document["cost"] is None
    assert document["id"].startswith("demo-")


def test_json_stream_is_one_event_a_line_the_last_with_the_reply() -> None:
    events = [json.loads(line) for line in parley("chat", "--json", "--stream", "reason").stdout.splitlines()]
    assert events[0]["type"] == "response_started"
    assert events[-1]["type"] == "response_finished"
    text = "".join(event["text"] for event in events if event["type"] == "text_delta")
    assert text == "".join(part["text"] for part in events[-1]["response"]["parts"] if part["type"] == "text")


def test_json_escapes_what_a_terminal_would_obey() -> None:
    output = parley("chat", "--json", "hostile").stdout
    assert "\x9b" not in output
    assert "\u202e" not in output
    assert "\x9b2J" in json.loads(output)["text"]


def test_plain_text_is_harmless() -> None:
    output = parley("chat", "hostile").stdout
    assert "\x1b" not in output
    assert "␛[31mred" in output


def test_a_complete_answer_is_shown_like_a_streamed_one() -> None:
    assert parley("chat", "--no-stream", "code").stdout == parley("chat", "code").stdout


def test_tool_calls_and_warnings_go_to_standard_error() -> None:
    assert '⚙ demo_weather {"city":"demo"}' in parley("chat", "tool").stderr
    assert "! The answer is not complete." in parley("chat", "warn").stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["-p", "dmo", "hi"], 2, 'Did you mean "demo"?'),
        (["-p", "openai", "hi"], 2, "OPENAI_API_KEY"),
        (["", " "], 2, "the message is empty"),
        (["error 401"], 1, "Check the key"),
        (["error 429"], 1, "Try again in 30 s."),
        (["error context"], 1, "larger context"),
        (["cut"], 1, "ask again for the whole answer"),
    ],
)
def test_errors_are_words_with_a_remedy(arguments: list[str], code: int, words: str) -> None:
    result = parley("chat", *arguments)
    assert result.exit_code == code
    assert words in result.stderr
    assert "Traceback" not in result.output


def test_an_error_as_json_is_the_document_and_the_words() -> None:
    result = parley("chat", "--json", "error 429")
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert (error["code"], error["status"], error["retry_after"], error["provider"]) == ("provider_rate_limited", 429, 30.0, "demo")
    assert "Try again" in result.stderr


def test_a_cut_answer_keeps_its_text_and_fails() -> None:
    result = parley("chat", "cut")
    assert result.stdout == "[demo] This answer is cut in the middle of its\n"
    assert json.loads(parley("chat", "--json", "cut").stdout)["partial"]["text"] == result.stdout.rstrip("\n")


def test_a_server_that_is_down_is_named(monkeypatch: pytest.MonkeyPatch, unused_port: int) -> None:
    monkeypatch.setenv("OPENAI_COMPATIBLE_ENDPOINT", f"http://127.0.0.1:{unused_port}/v1")
    result = parley("chat", "-p", "openai-compatible/some-model", "hi")
    assert result.exit_code == 1
    assert f"127.0.0.1:{unused_port}" in result.stderr
    assert "parley doctor" in result.stderr


def test_input_that_is_no_text_is_refused() -> None:
    result = parley("chat", piped=b"\xff\xfe\x00")
    assert result.exit_code == 2
    assert "not text in UTF-8" in result.stderr


def test_json_needs_something_to_ask() -> None:
    result = parley("chat", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["code"] == "invalid_request"


def test_the_system_prompt_is_sent() -> None:
    document = json.loads(parley("chat", "--json", "--system", "three more words", "table").stdout)
    assert document["usage"]["prompt_tokens"] == 4


def test_configuration_problems_are_all_told(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text('defalt = "demo"\n[[providers]]\nname = "Bad Name"\n')
    result = parley("--config", "other.toml", "chat", "hi")
    assert result.exit_code == 2
    assert 'Did you mean "default"?' in result.stderr
    assert "providers[0].name" in result.stderr


@pytest.mark.parametrize(
    ("provider", "model", "name"),
    [(None, None, ""), ("a", None, "a"), ("a/b", None, "a/b"), (None, "m", "m"), ("a", "b/c", "a/b/c"), ("a/b", "c", "a/c")],
)
def test_provider_and_model_make_one_name(provider: str | None, model: str | None, name: str) -> None:
    assert target(provider, model) == name


def test_a_mistyped_provider_is_told_as_one() -> None:
    result = parley("chat", "-p", "anthropi", "Hi")
    assert result.exit_code == 2
    assert 'no provider is called "anthropi". Did you mean "anthropic"?' in result.stderr


def test_while_debugging_a_foreign_fault_comes_with_its_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "parley_providers").mkdir()
    file = tmp_path / "parley_providers" / "acme.py"
    file.write_text("class Acme:\n    name = 'acme'\n    def generate_response(self, **_):\n        return 1 // 0\n")
    assert "Traceback" not in parley("chat", "-p", "acme", "Hi").stderr
    monkeypatch.setenv("LOG_LEVEL", "debug")
    told = parley("chat", "-p", "acme", "Hi").stderr
    assert "return 1 // 0" in told
    assert str(file) in told


def test_a_broken_dotenv_is_told_line_by_line() -> None:
    Path(".env").write_text("nonsense\nA=1\nB='open\n")
    result = parley("chat", "Hi")
    assert result.exit_code == 2
    assert len([line for line in result.stderr.splitlines() if ".env:" in line]) == 2
