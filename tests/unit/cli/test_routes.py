"""A route on the command line: its first target breaks off in the middle, the demo answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from parley import Restarted, TextDelta
from parley.cli.main import application
from parley.cli.rendering import MarkdownAnswer

BREAKING = """
from parley.provider import Config, Provider, StreamTruncatedError, TextDelta

class BreakingConfig(Config):
    api_key: str = ""
    model: str = "m"

class Breaking(Provider):
    name = "breaking"
    config_type = BreakingConfig

    async def stream(self, request):
        yield TextDelta("wrong from the start ")
        raise StreamTruncatedError("the line went dead")
"""


@pytest.fixture(autouse=True)
def _route() -> None:
    Path("parley_providers").mkdir()
    Path("parley_providers/breaking.py").write_text(BREAKING, encoding="utf-8")
    Path("parley.toml").write_text(
        'default = "fast"\n[[routes]]\nname = "fast"\ntargets = [{model = "breaking/m"}, {model = "demo/demo"}]\n', encoding="utf-8"
    )


def parley(*arguments: str) -> Result:
    return CliRunner(env={"DEMO": "on"}).invoke(application(), list(arguments))


def test_a_pipe_gets_the_whole_answer_and_the_note_stands_beside_it() -> None:
    result = parley("chat", "table")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("[demo] A table:")
    assert "! demo/demo answered instead of breaking/m: the line went dead" in result.stderr


def test_events_tell_that_all_before_was_void() -> None:
    events = [json.loads(line) for line in parley("chat", "--json", "--stream", "table").stdout.splitlines()]
    assert [event["type"] for event in events[:2]] == ["text_delta", "restarted"]
    assert events[-1]["response"]["fallback"]["asked"] == "breaking/m"
    assert events[-1]["response"]["parts"][0]["text"].startswith("[demo]")


def test_routes_are_listed_after_the_providers() -> None:
    assert parley("providers").stdout.splitlines()[-1] == "route fast (priority): breaking/m, demo/demo"


async def test_on_a_terminal_what_stands_above_is_called_void(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    console = Console(force_terminal=True, width=100)
    async with MarkdownAnswer(console, waiting_for="fast") as view:
        view.show(TextDelta("wrong"))
        view.show(Restarted(reason="the line went dead", code="stream_truncated"))
        view.show(TextDelta("right"))
    shown = capsys.readouterr().out
    assert shown.index("wrong") < shown.index("void: the line went dead") < shown.index("right")
