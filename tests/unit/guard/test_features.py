"""What a model is known not to do."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from parley.contract.capabilities import Capabilities, ExtraOption
from parley.contract.errors import InvalidRequestError, UnsupportedFeatureError
from parley.contract.messages import FilePart, ImagePart, Message, TextPart, ToolCall, ToolResult
from parley.contract.options import Options, Tool
from parley.contract.request import ChatRequest
from parley.guard.features import check_extra, fit_request, missing_features

IMAGE = ImagePart(media_type="image/png", data="AAAA")


def request_for(*parts: Any, strict: bool = False, **options: Any) -> ChatRequest:
    content = list(parts) or "Hi"
    return ChatRequest(messages=[Message(role="user", content=content)], options=Options(**options), strict_options=strict)


@pytest.mark.parametrize(
    ("capabilities", "request_", "path"),
    [
        (Capabilities(tools=False), request_for(tools=[Tool(name="n")]), "options.tools"),
        (Capabilities(tool_choice=False), request_for(tool_choice="none"), "options.tool_choice"),
        (Capabilities(response_format=False), request_for(response_format="json"), "options.response_format"),
        (Capabilities(stop=False), request_for(stop=["x"]), "options.stop"),
        (Capabilities(reasoning_effort=False), request_for(reasoning_effort="low"), "options.reasoning_effort"),
        (Capabilities(images=False), request_for(TextPart(text="x"), IMAGE), "messages[0].content[1]"),
        (Capabilities(image_urls=False), request_for(ImagePart(url="https://example.org")), "messages[0].content[0]"),
        (Capabilities(files=False), request_for(FilePart(id="f")), "messages[0].content[0]"),
    ],
)
def test_what_changes_the_answer_is_refused(capabilities: Capabilities, request_: ChatRequest, path: str) -> None:
    with pytest.raises(UnsupportedFeatureError, match="acme does not support this") as caught:
        fit_request(request_, missing_features(capabilities), provider="acme")
    assert caught.value.fields[0].path == path
    assert caught.value.provider == "acme"


def test_an_image_inside_a_tool_result_counts() -> None:
    call, result = ToolCall(id="1", name="n"), ToolResult(tool_call_id="1", content=[IMAGE])
    request = ChatRequest(messages=[Message(role="assistant", content=[call]), Message(role="tool", content=[result])])
    with pytest.raises(UnsupportedFeatureError, match=r"messages\[1\]\.content\[0\]"):
        fit_request(request, frozenset({"images"}), provider="acme")


def test_an_image_as_data_needs_no_urls() -> None:
    request = request_for(IMAGE)
    assert fit_request(request, frozenset({"image_urls"}), provider="acme") == (request, [])


TUNING = {
    "temperature": 0.0,
    "top_p": 0.5,
    "top_k": 0,
    "seed": 0,
    "frequency_penalty": 0.0,
    "presence_penalty": 1.0,
    "max_tokens": 1,
    "parallel_tool_calls": False,
}


@pytest.mark.parametrize("name", TUNING)
def test_mere_tuning_is_dropped_with_a_warning_and_refused_when_strict(name: str) -> None:
    fitted, warnings = fit_request(request_for(**TUNING), frozenset({name}), provider="acme")
    assert getattr(fitted.options, name) is None
    assert {other for other in TUNING if getattr(fitted.options, other) is not None} == TUNING.keys() - {name}
    assert [(warning.code, name in warning.message) for warning in warnings] == [("option_dropped", True)]
    with pytest.raises(UnsupportedFeatureError, match=f"options.{name}"):
        fit_request(request_for(strict=True, **TUNING), frozenset({name}), provider="acme")


def test_what_is_not_asked_or_the_same_as_not_asking_is_no_problem() -> None:
    everything = missing_features(Capabilities(**dict.fromkeys(("tools", "tool_choice", "response_format", "seed", "stop"), False)))
    request = request_for()
    assert fit_request(request, everything, provider="acme") == (request, [])
    fitted, warnings = fit_request(request_for(tool_choice="auto", response_format="text", strict=True), everything, provider="acme")
    assert (fitted.options, warnings) == (Options(), [])


def test_unknown_is_sent() -> None:
    assert missing_features(Capabilities(tools=True)) == frozenset()
    request = request_for(IMAGE, tools=[Tool(name="n")], temperature=1.0)
    assert fit_request(request, frozenset(), provider="acme") == (request, [])


def test_cache_markers_that_mean_nothing_are_dropped_with_a_warning_wherever_they_stand() -> None:
    marked = ToolResult(tool_call_id="1", content=[TextPart(text="sun", cache="5m")], cache="1h")
    request = ChatRequest(
        messages=[
            Message(role="system", content="Plain"),
            Message(role="user", content=[TextPart(text="x", cache="5m"), IMAGE]),
            Message(role="assistant", content=[ToolCall(id="1", name="n", cache="1h")]),
            Message(role="tool", content=[marked]),
        ]
    )
    fitted, warnings = fit_request(request, frozenset({"cache_markers"}), provider="acme")
    assert '"cache"' not in msgspec.json.encode(fitted).decode()
    assert [message.text for message in fitted.messages] == ["Plain", "x", "", ""]
    assert [warning.code for warning in warnings] == ["cache_markers_dropped"]
    with pytest.raises(UnsupportedFeatureError, match="does not support cache markers"):
        fit_request(msgspec.structs.replace(request, strict_options=True), frozenset({"cache_markers"}), provider="acme")
    assert fit_request(request, frozenset({"seed"}), provider="acme") == (request, [])


def test_extra_options_without_any_declared_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match="acme has no such option"):
        check_extra({"a": 1}, (), provider="acme")
    with pytest.raises(InvalidRequestError, match="Known are zzz"):
        check_extra({"a": 1}, (ExtraOption(name="zzz"),), provider="acme")
    check_extra({"a": object()}, None, provider="acme")
