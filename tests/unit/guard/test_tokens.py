"""Reported and estimated counts."""

from __future__ import annotations

import pytest

from parley.contract.messages import Message, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.options import Options, Tool
from parley.contract.request import ChatRequest
from parley.contract.usage import UsageReport
from parley.guard.tokens import EstimatingTokenCounter, countable_text, settle_usage

COUNTER = EstimatingTokenCounter()
REQUEST = ChatRequest(messages=[Message(role="user", content="x" * 40)])


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("é" * 8, 2)])
def test_the_estimate_is_a_quarter_of_the_characters_rounded_up(text: str, tokens: int) -> None:
    assert COUNTER.count(text, model="any") == tokens


@pytest.mark.parametrize(
    ("report", "aborted", "prompt", "completion", "total", "source"),
    [
        (UsageReport(prompt_tokens=3, completion_tokens=4), False, 3, 4, 7, "reported"),
        (UsageReport(prompt_tokens=3, completion_tokens=4, total_tokens=9), False, 3, 4, 9, "reported"),
        (UsageReport(prompt_tokens=3), False, 3, 5, 8, "mixed"),
        (UsageReport(completion_tokens=4), False, 10, 4, 14, "mixed"),
        (UsageReport(total_tokens=30), False, 10, 5, 30, "mixed"),
        (UsageReport(completion_tokens=0), False, 10, 0, 10, "mixed"),
        (UsageReport(), False, 10, 5, 15, "estimated"),
        (UsageReport(prompt_tokens=3, completion_tokens=1, total_tokens=4), True, 3, 5, 8, "mixed"),
        (UsageReport(prompt_tokens=3, completion_tokens=9, total_tokens=12), True, 3, 9, 12, "reported"),
    ],
)
def test_what_is_missing_is_estimated_and_said_so(
    report: UsageReport, aborted: bool, prompt: int, completion: int, total: int, source: str
) -> None:
    usage = settle_usage(report, REQUEST, output=lambda: "x" * 20, counter=COUNTER, aborted=aborted)
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, usage.source) == (prompt, completion, total, source)


def test_the_finer_counts_are_passed_on_and_stay_unknown_where_they_are() -> None:
    report = UsageReport(prompt_tokens=9, completion_tokens=1, cached_tokens=0, reasoning_tokens=1)
    usage = settle_usage(report, REQUEST, output=str, counter=COUNTER, aborted=False)
    assert (usage.cached_tokens, usage.cache_write_tokens, usage.reasoning_tokens) == (0, None, 1)


def test_the_prompt_is_all_that_the_model_reads() -> None:
    class Listening:
        heard: str = ""
        model: str = ""

        def count(self, text: str, *, model: str) -> int:
            self.heard, self.model = text, model
            return 1

    counter = Listening()
    result = ToolResult(tool_call_id="1", content=[TextPart(text="sunny")])
    request = ChatRequest(
        messages=[
            Message(role="user", content="question"),
            Message(role="assistant", content=[ToolCall(id="1", name="weather", arguments='{"city":"Ulm"}')]),
            Message(role="tool", content=[result]),
        ],
        system_prompt="prompt",
        options=Options(model="m", tools=[Tool(name="weather", description="the sky", parameters={"type": "object"})]),
    )
    settle_usage(UsageReport(completion_tokens=1), request, output=str, counter=counter, aborted=False)
    for text in ("prompt", "question", "weather", '{"city":"Ulm"}', "sunny", "the sky", '{"type":"object"}'):
        assert text in counter.heard
    assert counter.model == "m"


def test_reasoning_and_tool_calls_are_output_too() -> None:
    assert countable_text([ReasoningPart(text="a"), TextPart(text="b"), ToolCall(id="1", name="c", arguments="d")]) == "abcd"
