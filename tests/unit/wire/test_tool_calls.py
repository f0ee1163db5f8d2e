from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.errors import ProtocolError
from parley.contract.events import Event, ToolCallDelta, ToolCallEnded, ToolCallStarted
from parley.contract.messages import ToolCall
from parley.wire.tool_calls import MAX_TOOL_CALLS, ToolCallAssembler, ToolCallFragment


def assemble(*fragments: ToolCallFragment, seed: str = "") -> tuple[list[Event], list[ToolCall]]:
    assembler = ToolCallAssembler(seed)
    events = [event for fragment in fragments for event in assembler.add(fragment)] + assembler.close()
    return events, [event.call for event in events if isinstance(event, ToolCallEnded)]


def shown(calls: list[ToolCall]) -> list[tuple[str, str, str]]:
    return [(call.id, call.name, call.arguments) for call in calls]


def test_interleaved_fragments_come_together_by_index() -> None:
    events, calls = assemble(
        ToolCallFragment(index=0, id="a", name="one", arguments=""),
        ToolCallFragment(index=1, id="b", name="two", arguments='{"y"'),
        ToolCallFragment(index=0, arguments='{"x":'),
        ToolCallFragment(index=1, arguments=":2}"),
        ToolCallFragment(index=0, arguments="1}"),
    )
    assert shown(calls) == [("a", "one", '{"x":1}'), ("b", "two", '{"y":2}')]
    assert events[:2] == [ToolCallStarted(index=0, id="a", name="one"), ToolCallStarted(index=1, id="b", name="two")]
    assert "".join(event.arguments for event in events if isinstance(event, ToolCallDelta) and event.index == 1) == '{"y":2}'


def test_another_id_and_name_under_the_same_index_is_another_call() -> None:
    _, calls = assemble(
        ToolCallFragment(index=0, id="a", name="f", arguments="{}"), ToolCallFragment(index=0, id="b", name="f", arguments="{}")
    )
    assert shown(calls) == [("a", "f", "{}"), ("b", "f", "{}")]


def test_a_new_id_for_each_fragment_of_one_call_is_still_one_call() -> None:
    _, calls = assemble(ToolCallFragment(index=0, id="a", name="f", arguments='{"x"'), ToolCallFragment(index=0, id="b", arguments=":1}"))
    assert shown(calls) == [("a", "f", '{"x":1}')]


def test_a_name_and_id_repeated_in_each_fragment_make_one_call() -> None:
    _, calls = assemble(*(ToolCallFragment(index=0, id="a", name="f", arguments=piece) for piece in ("{", '"x":', "1}", "")))
    assert shown(calls) == [("a", "f", '{"x":1}')]
    _, calls = assemble(*(ToolCallFragment(index=0, name="f", arguments=piece) for piece in ("{", '"x":', "1}", "")))
    assert [(call.name, call.arguments) for call in calls] == [("f", '{"x":1}')]


def test_whole_calls_that_share_index_zero_and_have_no_id_stay_apart() -> None:
    _, calls = assemble(ToolCallFragment(index=0, name="f", arguments='{"x":1}'), ToolCallFragment(index=0, name="f", arguments='{"x":2}'))
    assert [call.arguments for call in calls] == ['{"x":1}', '{"x":2}']
    assert calls[0].id != calls[1].id


def test_fragments_without_an_index_follow_their_id_or_the_last_call() -> None:
    _, calls = assemble(
        ToolCallFragment(id="a", name="f", arguments='{"x"'),
        ToolCallFragment(arguments=":1}"),
        ToolCallFragment(id="b", name="g"),
        ToolCallFragment(id="b", arguments="{}"),
    )
    assert shown(calls) == [("a", "f", '{"x":1}'), ("b", "g", "{}")]


def test_calls_that_are_whole_are_never_joined() -> None:
    _, calls = assemble(*(ToolCallFragment(name="f", whole=True) for _ in range(3)))
    assert [call.arguments for call in calls] == ["{}"] * 3
    assert len({call.id for call in calls}) == 3


def test_arguments_may_be_missing_blank_or_an_object() -> None:
    _, calls = assemble(
        ToolCallFragment(index=0, name="f"),
        ToolCallFragment(index=1, name="g", arguments=" "),
        ToolCallFragment(index=2, name="h", arguments={"a": [1]}),
    )
    assert [call.arguments for call in calls] == ["{}", "{}", '{"a":[1]}']


def test_a_name_that_comes_late_holds_the_call_back_and_loses_nothing() -> None:
    events, calls = assemble(ToolCallFragment(index=0, id="a", arguments='{"x"'), ToolCallFragment(index=0, name="f", arguments=":1}"))
    assert isinstance(events[0], ToolCallStarted)
    assert shown(calls) == [("a", "f", '{"x":1}')]


@pytest.mark.parametrize(
    ("pieces", "name"),
    [(("get_", "weather"), "get_weather"), (("get_weather",) * 3, "get_weather"), (("get_", "get_weather"), "get_weather")],
)
@pytest.mark.parametrize("call_id", ["", "a"])
def test_a_name_in_pieces_is_put_together_before_the_call_starts(pieces: tuple[str, ...], name: str, call_id: str) -> None:
    first = ToolCallFragment(index=0, id="a", name=pieces[0], splits_names=True)
    others = (ToolCallFragment(index=0, id=call_id, name=piece, splits_names=True) for piece in pieces[1:])
    events, calls = assemble(first, *others, ToolCallFragment(index=0, arguments="{}", splits_names=True))
    assert events[0] == ToolCallStarted(index=0, id="a", name=name)
    assert shown(calls) == [("a", name, "{}")]


def test_calls_whose_names_wait_start_in_order() -> None:
    events, calls = assemble(
        *(ToolCallFragment(index=index, id=f"c{index}", name=f"f{index}", splits_names=True) for index in range(3)),
        ToolCallFragment(index=1, arguments="{}", splits_names=True),
    )
    assert [event.index for event in events if isinstance(event, ToolCallStarted)] == [0, 1, 2]
    assert shown(calls) == [(f"c{index}", f"f{index}", "{}") for index in range(3)]


def test_a_call_that_never_gets_a_name_is_refused() -> None:
    with pytest.raises(ProtocolError, match="without a name"):
        assemble(ToolCallFragment(index=0, id="a", arguments="{}"))


def test_made_ids_differ_between_replies_and_are_the_same_for_the_same_bytes() -> None:
    (first,), (again,), (other,) = (assemble(ToolCallFragment(index=0, name="f"), seed=seed)[1] for seed in ("r1", "r1", "r2"))
    assert first.id == again.id != other.id


def test_a_million_calls_are_refused_early() -> None:
    assembler = ToolCallAssembler()
    fragments = (ToolCallFragment(index=index, name="f") for index in range(1_000_000))
    with pytest.raises(ProtocolError, match=str(MAX_TOOL_CALLS)):
        any(assembler.add(fragment) is None for fragment in fragments)
    assert len(assembler) == MAX_TOOL_CALLS


def test_open_says_whether_a_call_waits_for_its_end() -> None:
    assembler = ToolCallAssembler()
    assert not assembler.open
    assembler.add(ToolCallFragment(index=0, name="f"))
    assert assembler.open
    assembler.close()
    assert not assembler.open


@given(st.lists(st.text(alphabet='{}":x1 ,', max_size=6), max_size=8))
def test_the_whole_call_is_its_deltas_joined(pieces: list[str]) -> None:
    events, calls = assemble(*(ToolCallFragment(index=0, name="f", arguments=piece, id="a") for piece in pieces))
    joined = "".join(event.arguments for event in events if isinstance(event, ToolCallDelta))
    assert joined == "".join(pieces)
    assert [call.arguments for call in calls] == ([joined if joined.strip() else "{}"] if pieces else [])
