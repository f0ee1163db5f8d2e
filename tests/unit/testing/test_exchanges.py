"""What is asked follows from what the provider says it can do."""

from __future__ import annotations

import base64
import zlib

from parley.contract.capabilities import Capabilities
from parley.contract.messages import ImagePart, ToolCall
from parley.contract.options import NamedToolChoice
from parley.contract.response import ChatResponse
from parley.testing.exchanges import SUBJECTS, UNKNOWN_MODEL, plan

ABLE = Capabilities(tools=True, tool_choice=True, images=True, structured_output="native", reasoning=True, streaming=True)


def test_all_of_it_is_asked_of_who_can_all_of_it() -> None:
    exchanges, left_out = plan(ABLE, model="m")
    assert {exchange.subject for exchange in exchanges} == set(SUBJECTS)
    assert left_out == {}
    assert all(0 < exchange.max_tokens <= 2048 for exchange in exchanges)
    assert {exchange.request.options.model for exchange in exchanges} == {"m", UNKNOWN_MODEL}
    assert len({exchange.name for exchange in exchanges}) == len(exchanges)


def test_what_is_not_known_is_tried_but_for_what_wants_a_declaration() -> None:
    exchanges, left_out = plan(Capabilities(), model="m")
    assert {exchange.subject for exchange in exchanges} == {"text", "stream", "tools", "image", "error"}
    assert left_out == dict.fromkeys(("structured",), "structured output is not declared") | dict.fromkeys(
        ("reasoning", "reasoning-streamed"), "reasoning is not declared"
    )
    calls = [exchange.request.options for exchange in exchanges if exchange.subject == "tools"]
    assert all(options.tool_choice is None and options.tools for options in calls)


def test_what_it_cannot_is_left_out_with_the_reason() -> None:
    exchanges, left_out = plan(Capabilities(streaming=False, tools=False, images=False), model="m", has_key=False)
    assert [exchange.name for exchange in exchanges] == ["text", "unknown-model"]
    assert left_out["stream"] == "it does not stream"
    assert left_out["tool-call"] == "it knows no tools"
    assert left_out["image"] == "it takes no images"
    assert left_out["wrong-key"] == "it needs no key"


def test_a_choice_of_subjects_leaves_the_others_unsaid() -> None:
    exchanges, left_out = plan(Capabilities(images=False), model="m", only=["text", "image"])
    assert [exchange.name for exchange in exchanges] == ["text"]
    assert list(left_out) == ["image"]


def test_a_tool_is_forced_where_that_is_known_to_work() -> None:
    exchanges, _ = plan(ABLE, model="m", only=["tools"])
    assert [exchange.streamed for exchange in exchanges] == [False, True]
    assert all(exchange.request.options.tool_choice == NamedToolChoice(name="get_weather") for exchange in exchanges)


def test_a_kind_is_what_the_reply_shows() -> None:
    (call, *_), _ = plan(ABLE, model="m", only=["tools"])
    assert call.shown_by(ChatResponse(parts=[ToolCall(id="1", name="get_weather")])) == "tools"
    assert call.shown_by(ChatResponse()) == "generate"


def test_the_image_is_one() -> None:
    (exchange,), _ = plan(ABLE, model="m", only=["image"])
    part = exchange.request.messages[0].content[1]
    assert isinstance(part, ImagePart)
    data = base64.b64decode(part.data or "")
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    start = data.index(b"IDAT") + 4
    pixels = zlib.decompress(data[start : start + int.from_bytes(data[start - 8 : start - 4])])
    assert pixels[:4] == b"\0\xe0\x20\x20"
    assert len(pixels) == 64 * (1 + 3 * 64)
