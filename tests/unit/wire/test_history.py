from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.errors import InvalidRequestError
from parley.contract.messages import ImagePart, Message, ProviderData, TextPart, ToolCall, ToolResult
from parley.contract.request import ChatRequest
from parley.wire.history import EncodingWarnings, ToolIds, join_system, own_data, result_media, result_text, short_id, turns


def test_the_system_prompt_stands_before_system_messages_and_a_blank_line_between() -> None:
    messages = [Message(role="user", content="x"), Message(role="system", content="B"), Message(role="system", content="")]
    assert join_system(ChatRequest(messages=messages, system_prompt="A")) == "A\n\nB"
    assert not join_system(ChatRequest(messages=messages[:1]))


def test_neighbours_of_one_side_are_one_turn_and_results_are_the_users() -> None:
    result = ToolResult(tool_call_id="a", content="1")
    messages = [
        Message(role="system", content="S"),
        Message(role="user", content="1"),
        Message(role="user", content="2"),
        Message(role="assistant", content=[ToolCall(id="a", name="f")]),
        Message(role="tool", content=[result]),
        Message(role="user", content="3"),
    ]
    found = turns(ChatRequest(messages=messages))
    assert [turn.role for turn in found] == ["user", "assistant", "user"]
    assert found[0].parts == [TextPart(text="1"), TextPart(text="2")]
    assert found[2].parts == [result, TextPart(text="3")]


def test_a_foreign_id_is_rewritten_alike_for_call_and_result_and_a_fitting_one_stays() -> None:
    ids = ToolIds(r"[a-z]{1,4}")
    assert ids.call("good") == ids.result("good") == "good"
    foreign = ids.call("functions.f:0 / №")
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,40}", foreign)
    assert ids.result("functions.f:0 / №") == foreign


def test_an_id_used_again_is_told_apart_and_results_follow_their_calls() -> None:
    ids = ToolIds()
    first = ids.call("call_0")
    assert ids.result("call_0") == first
    second = ids.call("call_0")
    assert second != first
    assert ids.result("call_0") == second
    assert ids.result("call_0") == second


def test_a_result_without_its_call_names_the_field() -> None:
    with pytest.raises(InvalidRequestError) as raised:
        ToolIds().result("nope")
    assert raised.value.fields[0].path == "messages"
    assert "nope" in raised.value.message


@given(st.lists(st.text(max_size=50), max_size=20))
def test_short_ids_are_nine_letters_and_digits_and_distinct(foreign: list[str]) -> None:
    ids = ToolIds(r"[A-Za-z0-9]{9}", short_id)
    sent = [ids.call(call_id) for call_id in foreign]
    assert all(re.fullmatch(r"[A-Za-z0-9]{9}", call_id) for call_id in sent)
    assert len(set(sent)) == len(sent)


def test_only_the_writer_of_opaque_data_gets_it_back_and_others_one_warning() -> None:
    warnings = EncodingWarnings()
    part = TextPart(text="x", provider_data=ProviderData(wire="w", provider="p", data={"a": 1}))
    assert own_data(part, "w", provider="p", warnings=warnings) == {"a": 1}
    assert warnings.warnings == []
    assert own_data(part, "w", provider="q", warnings=warnings) is None
    assert own_data(part, "v", provider="p", warnings=warnings) is None
    assert [warning.code for warning in warnings.warnings] == ["provider_data_dropped"]


def test_a_result_as_text_says_that_it_is_an_error_and_keeps_its_media_apart() -> None:
    image = ImagePart(url="https://example.org/a.png")
    result = ToolResult(tool_call_id="a", content=[TextPart(text="no"), image], is_error=True)
    assert result_text(result) == "Error: no"
    assert result_media(result) == [image]
    assert result_text(ToolResult(tool_call_id="a", content="yes")) == "yes"
