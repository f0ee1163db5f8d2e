"""Reported and estimated counts."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from parley.contract.messages import ImagePart, Message, Part, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.options import Options, Tool
from parley.contract.request import ChatRequest
from parley.contract.usage import UsageReport
from parley.guard.token_families import families
from parley.guard.tokens import FamilyTokenCounter, TokenCounter, settle_usage

REQUEST = ChatRequest(messages=[Message(role="user", content="x" * 40)])


class Fixed:
    """Counts what it is told to, and keeps what it was asked."""

    def __init__(self, prompt: int = 10, output: int = 5) -> None:
        self.prompt, self.output = prompt, output
        self.models: list[str] = []

    def ready(self, model: str) -> bool:
        return True

    def prepare(self, model: str) -> None:
        raise AssertionError("is ready")

    def count(self, text: str, *, model: str) -> int:
        return len(text)

    def count_prompt(self, request: ChatRequest, *, model: str) -> int:
        self.models.append(model)
        return self.prompt

    def count_output(self, parts: Sequence[Part], *, model: str) -> int:
        self.models.append(model)
        return self.output


COUNTER: TokenCounter = Fixed()


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
    usage = settle_usage(report, REQUEST, output=list, counter=COUNTER, model="m", aborted=aborted)
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, usage.source) == (prompt, completion, total, source)


def test_the_finer_counts_are_passed_on_and_stay_unknown_where_they_are() -> None:
    report = UsageReport(prompt_tokens=9, completion_tokens=1, cached_tokens=0, reasoning_tokens=1)
    usage = settle_usage(report, REQUEST, output=list, counter=COUNTER, model="m", aborted=False)
    assert (usage.cached_tokens, usage.cache_write_tokens, usage.reasoning_tokens) == (0, None, 1)


@pytest.mark.parametrize(
    ("asked", "answered", "counted"),
    [
        ("gpt-5", "gpt-5-2025-08-07", "gpt-5-2025-08-07"),
        ("gpt-5", "our-deployment", "gpt-5"),
        ("our-deployment", "gpt-4o-2024-11-20", "gpt-4o-2024-11-20"),
        (None, "whatever", "whatever"),
    ],
)
def test_it_is_counted_by_the_name_that_says_more(asked: str | None, answered: str, counted: str) -> None:
    counter = Fixed()
    request = ChatRequest(messages=REQUEST.messages, options=Options(model=asked))
    settle_usage(UsageReport(), request, output=list, counter=counter, model=answered, aborted=False)
    assert counter.models == [counted, counted]


PLAIN = ChatRequest(messages=[Message(role="user", content="What is the time in Ulm?")])
CALL = ToolCall(id="1", name="weather", arguments='{"city":"Ulm"}')
IMAGE = ImagePart(media_type="image/png", url="https://example.com/a.png")


@pytest.mark.parametrize("model", [family.name for family in families()])
@pytest.mark.parametrize(
    "longer",
    [
        ChatRequest(messages=PLAIN.messages, system_prompt="Be brief."),
        ChatRequest(messages=[*PLAIN.messages, Message(role="assistant", content="It is four o'clock.")]),
        ChatRequest(messages=[Message(role="user", content=[TextPart(text="What is the time in Ulm?"), IMAGE])]),
        ChatRequest(messages=[*PLAIN.messages, Message(role="assistant", content=[ReasoningPart(text="They ask for the time.")])]),
        ChatRequest(messages=[*PLAIN.messages, Message(role="assistant", content=[CALL])]),
        ChatRequest(messages=[*PLAIN.messages, Message(role="tool", content=[ToolResult(tool_call_id="1", content="sunny")])]),
        ChatRequest(messages=[*PLAIN.messages, Message(role="tool", content=[ToolResult(tool_call_id="1", content=[IMAGE])])]),
        ChatRequest(messages=PLAIN.messages, options=Options(tools=[Tool(name="weather", description="Tells of the sky.")])),
    ],
    ids=["prompt", "answer", "image", "reasoning", "call", "result", "image in a result", "tool"],
)
def test_the_prompt_is_all_that_the_model_reads(model: str, longer: ChatRequest) -> None:
    counter = FamilyTokenCounter()
    assert counter.count_prompt(longer, model=model) > counter.count_prompt(PLAIN, model=model) > 0


@pytest.mark.parametrize("part", [TextPart(text="x y"), ReasoningPart(text="x y"), CALL])
def test_reasoning_and_tool_calls_are_output_too(part: Part) -> None:
    counter = FamilyTokenCounter()
    assert counter.count_output([], model="m") == 0
    assert counter.count_output([TextPart(text="")], model="m") == 0
    assert counter.count_output([TextPart(text="answer"), part], model="m") > counter.count_output([TextPart(text="answer")], model="m") > 0


def test_a_prompt_beyond_all_measure_is_counted_in_a_moment() -> None:
    messages = [Message(role="user", content="".join(chr(97 + index * 7919 % 26) for index in range(200_000)))] * 150
    begun = time.perf_counter()
    tokens = FamilyTokenCounter().count_prompt(ChatRequest(messages=messages), model="gpt-5")
    assert time.perf_counter() - begun < 3
    assert 5_000_000 < tokens < 25_000_000


def test_a_system_message_holds_the_tools_of_openais_older_models() -> None:
    counter, tool = FamilyTokenCounter(), Options(tools=[Tool(name="look")])
    for model, less in (("gpt-4o", 4), ("gpt-5.4", 0)):
        alone = counter.count_prompt(ChatRequest(messages=REQUEST.messages, options=tool), model=model)
        beside = counter.count_prompt(ChatRequest(messages=REQUEST.messages, system_prompt="Hi", options=tool), model=model)
        plain = counter.count_prompt(ChatRequest(messages=REQUEST.messages, system_prompt="Hi"), model=model)
        assert beside - alone == plain - counter.count_prompt(REQUEST, model=model) - less
