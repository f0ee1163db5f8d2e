"""From events to a reply."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.errors import ProtocolError
from parley.contract.events import (
    CitationAdded,
    Event,
    PartAdded,
    ReasoningDelta,
    ReasoningEnded,
    RefusalDelta,
    ResponseFinished,
    ResponseStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallEnded,
    ToolCallStarted,
    UsageReported,
    WarningRaised,
)
from parley.contract.messages import ImagePart, ProviderData, ReasoningPart, TextPart, ToolCall
from parley.contract.response import ChatResponse, Citation, ResponseWarning
from parley.contract.usage import UsageReport
from parley.guard import fold as fold_module
from parley.guard.fold import Fold, reply_events, reply_id

DATA = ProviderData(wire="w", provider="p", data={"signature": "s"})
CALL = ToolCall(id="1", name="weather", arguments='{"city":"Ulm"}')


def folded(*events: Event) -> Fold:
    fold = Fold()
    for event in events:
        fold.add([event])
    return fold


def test_parts_stand_in_the_order_in_which_they_came() -> None:
    fold = folded(
        ReasoningDelta("let me "),
        ReasoningDelta("see"),
        ReasoningEnded(signature="sig"),
        TextDelta("I "),
        TextDelta("look."),
        ToolCallStarted(index=0, id="1", name="weather"),
        ToolCallDelta(index=0, arguments='{"city":'),
        ToolCallDelta(index=0, arguments='"Ulm"}'),
        ToolCallEnded(index=0, call=CALL),
        PartAdded(part=ImagePart(media_type="image/png", data="AAAA")),
        TextDelta("Done."),
    )
    assert fold.parts() == [
        ReasoningPart(text="let me see", signature="sig"),
        TextPart(text="I look."),
        CALL,
        ImagePart(media_type="image/png", data="AAAA"),
        TextPart(text="Done."),
    ]


def test_provider_data_ends_its_text_part() -> None:
    fold = folded(TextDelta("a"), TextDelta("b", DATA), TextDelta("c"))
    assert fold.parts() == [TextPart(text="ab", provider_data=DATA), TextPart(text="c")]


def test_provider_data_without_text_ends_the_open_part_or_is_one() -> None:
    assert folded(TextDelta("a"), TextDelta("", DATA)).parts() == [TextPart(text="a", provider_data=DATA)]
    assert folded(TextDelta("", DATA)).parts() == [TextPart(text="", provider_data=DATA)]


def test_redacted_reasoning_without_deltas_is_a_part_and_an_empty_end_is_none() -> None:
    assert folded(ReasoningEnded(redacted="xyz")).parts() == [ReasoningPart(redacted="xyz")]
    assert folded(ReasoningEnded(), TextDelta("a")).parts() == [TextPart(text="a")]


def test_parallel_tool_calls_keep_the_order_of_their_starts() -> None:
    other = ToolCall(id="2", name="time")
    fold = folded(
        ToolCallStarted(index=0, id="1", name="weather"),
        ToolCallStarted(index=1, id="2", name="time"),
        ToolCallEnded(index=1, call=other),
        ToolCallDelta(index=0, arguments='{"city":"Ulm"}'),
        ToolCallEnded(index=0, call=CALL),
    )
    assert fold.parts() == [CALL, other]


def test_a_tool_call_that_was_not_ended_is_whole_at_the_end_and_left_out_of_a_cut_reply() -> None:
    fold = folded(TextDelta("x"), ToolCallStarted(index=0, id="1", name="weather"), ToolCallDelta(index=0, arguments='{"city":"Ulm"}'))
    assert fold.parts(aborted=True) == [TextPart(text="x")]
    assert fold.output(aborted=True) == [TextPart(text="x"), ToolCall(id="1", name="weather", arguments='{"city":"Ulm"}')]
    assert fold.parts() == [TextPart(text="x"), CALL]
    assert folded(ToolCallStarted(index=0, id="1", name="weather")).parts() == [ToolCall(id="1", name="weather", arguments="{}")]


def test_usage_keeps_the_last_value_of_each_field() -> None:
    fold = folded(
        UsageReported(usage=UsageReport(prompt_tokens=5, completion_tokens=1)),
        UsageReported(usage=UsageReport(completion_tokens=9, reasoning_tokens=0)),
    )
    assert fold.report == UsageReport(prompt_tokens=5, completion_tokens=9, reasoning_tokens=0)


def test_the_rest_is_collected() -> None:
    warning = ResponseWarning(code="invalid_event", message="skipped")
    fold = folded(
        ResponseStarted(id="a"),
        ResponseStarted(id="b", model="m", request_id="r"),
        RefusalDelta("I "),
        RefusalDelta("won't"),
        CitationAdded(citation=Citation(url="https://example.org")),
        WarningRaised(warning=warning, incomplete=True),
    )
    assert (fold.started.id, fold.started.model, fold.started.request_id) == ("a", "m", "r")
    assert fold.refusal == "I won't"
    assert fold.citations == [Citation(url="https://example.org")]
    assert fold.warnings == [warning]
    assert fold.complete is False


@pytest.mark.parametrize(
    ("event", "is_content"),
    [
        (TextDelta("a"), True),
        (TextDelta(""), False),
        (ReasoningDelta("a"), True),
        (ReasoningDelta(""), False),
        (ToolCallStarted(index=0, id="1", name="n"), True),
        (RefusalDelta("no"), True),
        (ResponseStarted(id="a"), False),
        (UsageReported(usage=UsageReport(prompt_tokens=1)), False),
        (WarningRaised(warning=ResponseWarning(code="c", message="m")), False),
    ],
)
def test_only_content_counts_as_content(event: Event, is_content: bool) -> None:
    fold = Fold()
    assert fold.add([event]) is is_content
    assert fold.content is is_content


def test_nothing_after_the_end_is_folded() -> None:
    fold = Fold()
    fold.add([TextDelta("a"), ResponseFinished(response=ChatResponse(finish_reason="stop")), TextDelta("b")])
    assert fold.parts() == [TextPart(text="a")]
    assert fold.finished == ChatResponse(finish_reason="stop")


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        ([17], "gave a int, which is neither an event nor text"),
        ([ToolCallDelta(index=0, arguments="{")], "tool call 0, which was not started"),
        ([ToolCallStarted(index=0, id="1", name="n")] * 2, "tool call 0 was started twice"),
    ],
)
def test_what_breaks_the_order_is_a_protocol_error(events: list, problem: str) -> None:
    with pytest.raises(ProtocolError, match=problem):
        Fold().add(events)


def test_a_million_tool_calls_are_refused_early() -> None:
    fold = Fold()
    with pytest.raises(ProtocolError, match="more than 1024 tool calls"):
        fold.add(ToolCallStarted(index=index, id=str(index), name="n") for index in range(1_000_000))
    assert len(fold.parts()) == 1024


def test_endless_parts_citations_and_text_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold_module, "MAX_PARTS", 10)
    monkeypatch.setattr(fold_module, "MAX_CITATIONS", 10)
    monkeypatch.setattr(fold_module, "MAX_CHARACTERS", 10)
    with pytest.raises(ProtocolError, match="more than 10 parts"):
        Fold().add([ReasoningEnded(redacted="")] * 11)
    with pytest.raises(ProtocolError, match="more than 10 citations"):
        Fold().add([CitationAdded(citation=Citation())] * 11)
    long = ProviderData(wire="w", provider="p", data={"s": "x" * 10})
    for event in (
        TextDelta("ab"),
        TextDelta("", long),
        ReasoningDelta("ab"),
        ReasoningEnded(redacted="ab"),
        ReasoningEnded(signature="ab"),
        ReasoningEnded(provider_data=long),
        RefusalDelta("ab"),
        PartAdded(part=TextPart(text="", provider_data=long)),
        PartAdded(part=ImagePart(url="ab")),
        CitationAdded(citation=Citation(url="a", text="b")),
    ):
        with pytest.raises(ProtocolError, match="longer than 10 characters"):
            Fold().add([event] * 6)


def test_what_a_tool_call_is_called_counts_and_its_arguments_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold_module, "MAX_CHARACTERS", 10)
    whole = [
        ToolCallStarted(index=0, id="1", name="ab"),
        ToolCallDelta(index=0, arguments="{12345}"),
        ToolCallEnded(index=0, call=ToolCall(id="1", name="ab", arguments="{12345}")),
    ]
    Fold().add(whole)
    for more in (
        TextDelta("x"),
        ToolCallStarted(index=1, id="2", name=""),
        ToolCallEnded(index=0, call=ToolCall(id="1", name="ab", arguments="{123456}")),
        ToolCallEnded(index=0, call=ToolCall(id="1", name="ab", arguments="{12345}", provider_data=DATA)),
    ):
        with pytest.raises(ProtocolError, match="longer than 10 characters"):
            Fold().add([*whole, more])


def test_warnings_are_bounded_without_failing() -> None:
    fold = Fold()
    fold.add([WarningRaised(warning=ResponseWarning(code="c", message="m"))] * 10_000)
    assert len(fold.warnings) == 100


_PARTS = st.one_of(
    st.builds(TextPart, text=st.text(min_size=1), provider_data=st.sampled_from([None, DATA])),
    st.builds(ReasoningPart, text=st.text(), signature=st.text(min_size=1)),
    st.builds(ToolCall, id=st.text(min_size=1), name=st.text(min_size=1), arguments=st.just("{}")),
    st.builds(ImagePart, media_type=st.just("image/png"), data=st.just("AAAA")),
)


@given(st.lists(_PARTS))
def test_a_whole_reply_and_its_events_are_the_same(parts: list) -> None:
    again = ChatResponse(parts=folded(*reply_events(ChatResponse(parts=parts))).parts())
    whole = ChatResponse(parts=parts)
    assert (again.text, again.reasoning, again.tool_calls) == (whole.text, whole.reasoning, whole.tool_calls)


_EVENTS = st.lists(
    st.one_of(
        st.builds(TextDelta, st.text()),
        st.builds(TextDelta, st.text(), st.just(DATA)),
        st.builds(ReasoningDelta, st.text()),
        st.builds(ReasoningEnded, signature=st.none() | st.text()),
        st.integers(0, 1000).map(lambda index: ToolCallEnded(index=index, call=CALL)),
        st.just(PartAdded(part=ImagePart(url="https://example.org/x.png"))),
        st.builds(RefusalDelta, st.text()),
        st.just(UsageReported(usage=UsageReport(prompt_tokens=3))),
    )
)


@given(_EVENTS)
def test_any_sequence_folds_so_that_the_tokens_are_the_text(events: list[Event]) -> None:
    fold = Fold()
    fold.add(events)
    reply = ChatResponse(parts=fold.parts())
    assert reply.text == "".join(event.text for event in events if isinstance(event, TextDelta))
    assert reply.reasoning == "".join(event.text for event in events if isinstance(event, ReasoningDelta))
    assert fold.parts() == reply.parts


@given(_EVENTS, st.integers(0, 40))
def test_how_events_are_grouped_changes_nothing(events: list[Event], cut: int) -> None:
    whole, split = Fold(), Fold()
    whole.add(events)
    split.add(events[:cut])
    split.add(events[cut:])
    assert whole.parts() == split.parts()


def test_ids_are_uuids_of_version_7_in_the_order_of_time() -> None:
    made = reply_id("acme")
    assert re.fullmatch(r"acme-[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", made)
    assert len({reply_id("acme") for _ in range(1000)}) == 1000
    assert made[:18] <= reply_id("acme")[:18]
