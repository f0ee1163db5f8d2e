"""An answer on a terminal: each block once, in order, hostile text harmless, the unfinished end never higher than the screen."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from parley.cli.notes import footer
from parley.cli.rendering import MarkdownAnswer, SafeMarkdown, split_blocks
from parley.contract.events import (
    CitationAdded,
    Event,
    PartAdded,
    ReasoningDelta,
    RefusalDelta,
    ResponseFinished,
    TextDelta,
    ToolCallEnded,
)
from parley.contract.messages import ImagePart, TextPart, ToolCall
from parley.contract.response import ChatResponse, Citation, ResponseWarning
from parley.contract.usage import Usage

REPLY = ChatResponse(
    parts=[TextPart(text="x")],
    usage=Usage(prompt_tokens=1200, completion_tokens=30, total_tokens=1230, cached_tokens=1000),
    provider="acme",
    model="acme-fast",
    finish_reason="stop",
)
MARKDOWN = (
    "# Title\n\nA paragraph\nof two lines.\n\n- one\n- two\n\n  still two\n\n"
    "| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nx = 1\n\ny = 2\n```\n\nEnd\n"
)


def terminal(height: int = 12) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=60, height=height, color_system=None, legacy_windows=False)


def on_screen(output: str) -> str:
    """What stays: a terminal of endless height that knows the codes Rich uses to redraw."""
    lines, row = [""], 0
    for code, character in re.findall(r"\x1b\[\??([0-9]*[A-Za-z])|(.)", output, re.DOTALL):
        if code.endswith("A"):
            row -= int(code[:-1] or 1)
        elif code == "2K":
            lines[row] = ""
        elif character == "\n":
            row += 1
            lines += [""] * (row >= len(lines))
        elif character and character != "\r":
            lines[row] += character
    return "\n".join(line.rstrip() for line in lines)


async def shown(events: Sequence[Event], *, console: Console | None = None) -> str:
    output = console or terminal()
    view = MarkdownAnswer(output, waiting_for="acme", clock=lambda: 0.0)
    async with view:
        for event in events:
            view.show(event)
            view.draw()
    assert isinstance(output.file, io.StringIO)
    return on_screen(output.file.getvalue())


LINES = ["# T\n", "text\n", "\n", "- a\n", "  b\n", "1. x\n", "```\n", "> q\n", "---\n", "| a |\n", "|---|\n", "    c\n", "\u2028\n"]


@given(st.lists(st.sampled_from(LINES)), st.lists(st.sampled_from(LINES)))
def test_a_block_before_the_last_never_changes_by_what_follows(lines: list[str], more: list[str]) -> None:
    before, after = split_blocks("".join(lines)), split_blocks("".join(lines + more))
    assert after[: len(before) - 1] == before[:-1] or not before
    # Rendered one by one they are what the whole is.
    whole = [token.type for token in SafeMarkdown("".join(lines)).parsed]
    assert [token.type for block in before for token in SafeMarkdown(block).parsed] == whole


def test_blocks_are_split_at_the_top_level() -> None:
    assert [block.split("\n")[0] for block in split_blocks(MARKDOWN)] == [
        "# Title",
        "A paragraph",
        "- one",
        "| a | b |",
        "```python",
        "End",
    ]


async def test_every_block_stands_once_however_it_arrives() -> None:
    text = MARKDOWN + "\n".join(f"paragraph {number}\n" for number in range(40))
    at_once = await shown([TextDelta(text), ResponseFinished(response=REPLY)])
    by_character = await shown([*(TextDelta(character) for character in text), ResponseFinished(response=REPLY)])
    assert by_character == at_once
    for number in range(40):
        assert at_once.count(f"paragraph {number}\n") == 1
    assert "\n\n\n" not in at_once


async def test_the_unfinished_block_is_never_higher_than_the_screen() -> None:
    console = terminal(height=10)
    code = "```text\n" + "".join(f"line {number}\n" for number in range(50)) + "```\n"
    screen = await shown([*(TextDelta(line) for line in code.splitlines(keepends=True))], console=console)
    assert isinstance(console.file, io.StringIO)
    ups = [len(re.findall(r"\x1b\[1A", block)) for block in re.findall(r"(?:\x1b\[1A|\x1b\[2K|\r)+", console.file.getvalue())]
    assert max(ups) < 10
    assert [screen.count(f" line {number}\n") for number in range(49)] == [1] * 49


async def test_hostile_text_is_shown_and_does_not_act() -> None:
    hostile = "<script>x</script> \x1b]0;title\x07 [click](https://evil.example/x) ![beacon](https://evil.example/p.png)\n"
    console = terminal()
    screen = await shown([TextDelta(hostile)], console=console)
    assert isinstance(console.file, io.StringIO)
    assert "\x1b]" not in console.file.getvalue()
    for visible in ("<script>x</script>", "␛]0;title␇", "click (https://evil.example/x)", "beacon"):
        assert visible in screen.replace("\n", " ")
    assert screen.replace("\n", " ").count("https://evil.example/p.png") == 1


async def test_reasoning_tools_parts_refusal_sources_warnings_and_footer() -> None:
    reply = ChatResponse(
        **{name: getattr(REPLY, name) for name in ("parts", "usage", "provider", "model")},
        finish_reason="length",
        citations=[Citation(url="https://example.com", title="Source\x1b[0m")],
        warnings=[ResponseWarning(code="x", message="an option was dropped")],
        complete=False,
    )
    screen = await shown(
        [
            ReasoningDelta("First think."),
            TextDelta("Then say."),
            ToolCallEnded(index=0, call=ToolCall(id="1", name="look", arguments='{"a":\n1}')),
            PartAdded(part=ImagePart(media_type="image/png", data="AAAA")),
            RefusalDelta("No more."),
            CitationAdded(citation=reply.citations[0]),
            ResponseFinished(response=reply),
        ]
    )
    order = [
        "First think.",
        "Then say.",
        '⚙ look {"a": 1}',
        "▣ image image/png, 3 bytes",
        "No more.",
        "! an option was dropped",
        "! The answer ended at its limit of tokens.",
        "! The answer is not complete.",
        "[1] Source␛[0m – https://example.com",
        "acme/acme-fast · 1,200 in, 30 out (1,000 cached) · 0.0 s",
    ]
    positions = [screen.index(text) for text in order]
    assert positions == sorted(positions)


async def test_a_cancelled_answer_keeps_what_came() -> None:
    view = MarkdownAnswer(console := terminal(), waiting_for="acme")

    async def cancelled() -> None:
        async with view:
            view.show(TextDelta("half an ans"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await cancelled()
    assert isinstance(console.file, io.StringIO)
    assert on_screen(console.file.getvalue()).strip() == "half an ans"


async def test_estimated_usage_and_an_empty_answer_are_said() -> None:
    usage = Usage(prompt_tokens=2, completion_tokens=0, total_tokens=2, source="estimated")
    screen = await shown([ResponseFinished(response=ChatResponse(usage=usage, provider="demo", model="demo", finish_reason="stop"))])
    assert "! The answer is empty." in screen
    assert "demo · ≈ 2 in, 0 out (estimated) · 0.0 s" in screen


@pytest.mark.parametrize(
    ("cost", "shown_as"),
    [
        (None, None),
        (0.0, "$0.00"),
        (0.0000412, "$0.000041"),
        (0.0000999, "$0.0001"),
        (0.0034, "$0.0034"),
        (0.25, "$0.25"),
        (1234.5, "$1,234.50"),
    ],
)
def test_a_cost_is_told_in_digits_that_say_something(cost: float | None, shown_as: str | None) -> None:
    told = footer(ChatResponse(model="m", provider="p", cost=cost), seconds=1).split(" · ")
    assert (told[-1] if "$" in told[-1] else None) == shown_as
