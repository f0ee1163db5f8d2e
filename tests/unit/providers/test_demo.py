"""The demo provider: every word shows the state it promises, the same way each time, and says that it is a demo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from parley.contract import errors
from parley.contract.events import (
    CitationAdded,
    Event,
    PartAdded,
    ReasoningDelta,
    RefusalDelta,
    ResponseFinished,
    ResponseStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallEnded,
    UsageReported,
    WarningRaised,
)
from parley.contract.messages import FilePart, ImagePart, Message, TextPart, ToolCall, ToolResult
from parley.contract.options import NamedToolChoice, Options, Tool
from parley.contract.request import ChatRequest
from parley.providers.demo import ERRORS, SCENES, STALL_SECONDS, DemoConfig, DemoProvider

CITY = Tool(name="city_time", parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
OTHER = Tool(name="other", parameters={"type": "object", "properties": {"count": {"type": "integer"}}})


class Clock:
    """Time that passes at once and is written down."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


def ask(text: str, **options: Any) -> ChatRequest:
    return ChatRequest(messages=[Message(role="user", content=text)], options=Options(**options))


async def play(request: ChatRequest, clock: Clock | None = None) -> list[Event]:
    provider = DemoProvider(DemoConfig(), sleep=(clock or Clock()).sleep)
    events: list[Event] = []
    async for event in provider.stream(request):
        assert not isinstance(event, str)
        events.append(event)
    return events


async def test_a_model_that_it_does_not_have_is_refused() -> None:
    with pytest.raises(errors.ModelNotFoundError, match='no model "foo" here, only "demo"'):
        await play(ask("table", model="foo"))


def text_of(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def finish_reason(events: Sequence[Event]) -> str:
    assert isinstance(events[-1], ResponseFinished)
    return events[-1].response.finish_reason


@pytest.mark.parametrize("word", [word for word in SCENES if word not in {"cut", "empty", "refuse", "json"}])
async def test_every_word_says_that_it_is_a_demo(word: str) -> None:
    events = await play(ask(word))
    assert isinstance(events[0], ResponseStarted)
    assert events[0].model == "demo"
    assert "[demo] " in text_of(events)[:10]
    assert finish_reason(events) != "unknown"


@pytest.mark.parametrize("word", [word for word in SCENES if word != "cut"])
async def test_the_same_request_gives_the_same_events(word: str) -> None:
    assert await play(ask(word)) == await play(ask(word))


async def test_free_text_is_answered_honestly_and_with_the_ways_to_a_model() -> None:
    text = text_of(await play(ask("What is the capital of France?")))
    assert "no model behind it" in text
    for way in ("*Providers*", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "Ollama", "llama.cpp", "parley doctor", "help"):
        assert way in text
    assert "Paris" not in text


async def test_attachments_are_named_as_not_looked_at() -> None:
    content = [TextPart(text="See"), ImagePart(data="AA=="), FilePart(id="a"), FilePart(id="b")]
    events = await play(ChatRequest(messages=[Message(role="user", content=list(content))]))
    assert "did not look at the 1 image and 2 files" in text_of(events)


async def test_help_lists_every_word_and_error() -> None:
    text = text_of(await play(ask("  HELP\n")))
    for word in [*SCENES, *ERRORS]:
        assert f"`{word}`" in text


async def test_text_comes_in_word_pieces() -> None:
    pieces = [event.text for event in await play(ask("table")) if isinstance(event, TextDelta)]
    assert len(pieces) > 30
    assert max(len(piece.split()) for piece in pieces) == 1


async def test_slow_waits_between_words_by_the_given_clock() -> None:
    clock = Clock()
    events = await play(ask("slow"), clock)
    assert sum(clock.waits) == pytest.approx(0.4 * sum(isinstance(event, TextDelta) for event in events))


async def test_stall_goes_silent_after_some_words() -> None:
    clock = Clock()
    await play(ask("stall"), clock)
    assert clock.waits[-1] == STALL_SECONDS


async def test_reason_thinks_before_it_answers() -> None:
    kinds = [type(event) for event in await play(ask("reason"))]
    assert kinds.index(ReasoningDelta) < kinds.index(TextDelta)
    assert kinds.count(ReasoningDelta) > 10


@pytest.mark.parametrize(("effort", "thinks"), [("high", True), ("none", False), (None, False)])
async def test_reasoning_effort_adds_reasoning_to_any_answer(effort: str | None, *, thinks: bool) -> None:
    events = await play(ask("table", reasoning_effort=effort))
    assert any(isinstance(event, ReasoningDelta) for event in events) is thinks


async def test_tool_calls_the_callers_first_tool_with_arguments_of_its_schema() -> None:
    events = await play(ask("tool", tools=[CITY, OTHER]))
    calls = [event.call for event in events if isinstance(event, ToolCallEnded)]
    assert [(call.name, msgspec.json.decode(call.arguments)) for call in calls] == [("city_time", {"city": "demo"})]
    assert "".join(event.arguments for event in events if isinstance(event, ToolCallDelta)) == calls[0].arguments
    assert finish_reason(events) == "tool_calls"


async def test_tools_calls_two_unless_parallel_calls_are_off() -> None:
    async def names(**options: Any) -> list[str]:
        return [event.call.name for event in await play(ask("tools", tools=[CITY, OTHER], **options)) if isinstance(event, ToolCallEnded)]

    assert await names() == ["city_time", "other"]
    assert await names(parallel_tool_calls=False) == ["city_time"]


async def test_tool_choice_is_obeyed() -> None:
    named = await play(ask("anything", tools=[CITY, OTHER], tool_choice=NamedToolChoice(name="other")))
    assert [event.call.name for event in named if isinstance(event, ToolCallEnded)] == ["other"]
    none = await play(ask("tool", tools=[CITY], tool_choice="none"))
    assert finish_reason(none) == "stop"


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "enum": ["a", "b"]}, "a"),
        ({"const": 7}, 7),
        ({"type": ["integer", "null"]}, 1),
        ({"type": "array", "items": {"type": "string"}}, []),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, True),
        ({"type": "object", "properties": {"x": {"type": "number"}, "y": {}}, "required": ["x"]}, {"x": 1.5}),
        (True, "demo"),
    ],
)
async def test_tool_arguments_fit_the_schema(schema: Any, value: Any) -> None:
    tool = Tool(name="t", parameters={"type": "object", "properties": {"it": schema}, "required": ["it"]})
    (call,) = [event.call for event in await play(ask("tool", tools=[tool])) if isinstance(event, ToolCallEnded)]
    assert msgspec.json.decode(call.arguments) == {"it": value}


async def test_a_tool_result_continues_the_conversation_and_later_calls_get_new_ids() -> None:
    history = [
        Message(role="user", content="tool"),
        Message(role="assistant", content=[ToolCall(id="demo_call_1", name="city_time", arguments='{"city":"demo"}')]),
        Message(role="tool", content=[ToolResult(tool_call_id="demo_call_1", content="12:30")]),
    ]
    events = await play(ChatRequest(messages=list(history)))
    assert "`demo_call_1` answered: 12:30" in text_of(events)
    again = await play(ChatRequest(messages=[*history, Message(role="user", content="tool")]))
    assert [event.call.id for event in again if isinstance(event, ToolCallEnded)] == ["demo_call_2"]


async def test_a_failed_tool_is_said_to_have_failed() -> None:
    result = ToolResult(tool_call_id="x", content=[TextPart(text="no such city")], is_error=True)
    events = await play(ChatRequest(messages=[Message(role="tool", content=[result])]))
    assert "`x` failed: no such city" in text_of(events)


async def test_cite_refuse_image_and_warn_show_their_state() -> None:
    cited = await play(ask("cite"))
    citation = next(event.citation for event in cited if isinstance(event, CitationAdded))
    assert text_of(cited)[citation.start_index : citation.end_index] == "Example domains are reserved for documentation."
    refused = await play(ask("refuse"))
    assert "".join(event.text for event in refused if isinstance(event, RefusalDelta)).startswith("[demo] I cannot")
    pictures = [event.part for event in await play(ask("image")) if isinstance(event, PartAdded)]
    assert isinstance(pictures[0], ImagePart)
    assert pictures[0].data
    warned = [event for event in await play(ask("warn")) if isinstance(event, WarningRaised)]
    assert [event.incomplete for event in warned] == [False, True]


@pytest.mark.parametrize(("word", "reason"), [("length", "length"), ("filter", "content_filter"), ("empty", "stop"), ("json", "stop")])
async def test_finish_reasons(word: str, reason: str) -> None:
    assert finish_reason(await play(ask(word))) == reason


async def test_json_is_a_json_document_that_says_demo() -> None:
    assert msgspec.json.decode(text_of(await play(ask("json"))))["demo"] is True


async def test_cut_breaks_off_after_some_text() -> None:
    seen: list[Event | str] = []

    async def read() -> None:
        async for event in DemoProvider(DemoConfig()).stream(ask("cut")):
            seen.append(event)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(errors.StreamTruncatedError):
        await read()
    assert any(isinstance(event, TextDelta) for event in seen)


@pytest.mark.parametrize(
    ("word", "error_class", "status"),
    [
        ("429", errors.RateLimitError, 429),
        ("401", errors.AuthenticationError, 401),
        ("402", errors.QuotaExceededError, 402),
        ("403", errors.PermissionDeniedError, 403),
        ("400", errors.RequestRejectedError, 400),
        ("500", errors.ServerError, 500),
        ("503", errors.OverloadedError, 503),
        ("timeout", errors.ProviderTimeoutError, None),
        ("connect", errors.ConnectError, None),
        ("lost", errors.ConnectionLostError, None),
        ("quota", errors.QuotaExceededError, 429),
        ("context", errors.ContextLengthError, 400),
        ("filter", errors.ContentFilterError, 400),
        ("model", errors.ModelNotFoundError, 404),
        ("protocol", errors.ProtocolError, None),
    ],
)
async def test_errors_on_request(word: str, error_class: type[errors.ParleyError], status: int | None) -> None:
    with pytest.raises(error_class, match=rf"^\[demo\].*error {word}") as raised:
        await play(ask(f"error {word}"))
    assert raised.value.status == status
    assert (raised.value.retry_after is not None) is (word == "429")


async def test_an_unknown_error_word_is_free_text() -> None:
    assert "no model behind it" in text_of(await play(ask("error 999")))


async def test_max_tokens_and_stop_are_obeyed() -> None:
    short = await play(ask("long", max_tokens=7))
    assert sum(isinstance(event, TextDelta) for event in short) == 7
    assert finish_reason(short) == "length"
    stopped = await play(ask("long", stop=["paragraph on scrolling"]))
    assert text_of(stopped).endswith("This is the first ")
    assert finish_reason(stopped) == "stop"


async def test_usage_counts_what_was_said_and_estimate_reports_none() -> None:
    events = await play(ask("reason"))
    (usage,) = [event.usage for event in events if isinstance(event, UsageReported)]
    thought, said = (sum(isinstance(event, kind) for event in events) for kind in (ReasoningDelta, TextDelta))
    assert (usage.prompt_tokens, usage.completion_tokens, usage.reasoning_tokens) == (1, thought + said, thought)
    assert usage.total_tokens == 1 + thought + said
    assert not [event for event in await play(ask("estimate")) if isinstance(event, UsageReported)]


async def test_it_is_always_reachable_needs_no_key_and_has_one_model() -> None:
    provider = DemoProvider(DemoConfig())
    assert (await provider.test_connection()).success
    assert [model.id for model in await provider.list_models()] == ["demo"]
    assert await provider.count_tokens(ask("three words here")) == 3
