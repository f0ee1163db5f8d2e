from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.capabilities import Capabilities
from parley.contract.errors import InvalidRequestError, ParleyError, ProtocolError, StreamTruncatedError, UnsupportedFeatureError
from parley.contract.http import ResponseHead, Target
from parley.contract.messages import FilePart, ImagePart, Message, TextPart, ToolCall, ToolResult
from parley.contract.options import NamedToolChoice, Options, SchemaFormat, Tool
from parley.contract.request import ChatRequest
from parley.wire.bedrock_converse import BedrockConverse

CODEC = BedrockConverse()
ENDPOINT = "https://bedrock-runtime.us-east-1.amazonaws.com"
HEAD = ResponseHead(status=200, provider="bedrock", model="m")
QUESTION = Message(role="user", content="Hi")
CLAUDE, NOVA, OTHER = "us.anthropic.claude-haiku-4-5-20251001-v1:0", "us.amazon.nova-2-lite-v1:0", "openai.gpt-oss-120b-1:0"
CITY = Tool(name="weather", description="Tells it", parameters={"type": "object", "properties": {}}, strict=True)
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}


def encoded(*messages: Message, model: str = NOVA, system_prompt: str | None = None, mode: Any = None, **options: Any) -> dict[str, Any]:
    request = ChatRequest(messages=list(messages) or [QUESTION], options=Options(**options), system_prompt=system_prompt)
    target = Target(provider="bedrock", model=model, endpoint=ENDPOINT, capabilities=Capabilities(structured_output=mode))
    return json.loads(CODEC.encode(request, target=target, stream=False).body)


def test_the_model_is_one_segment_of_the_address() -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-2-lite-v1:0"
    for stream, ending in ((True, "converse-stream"), (False, "converse")):
        request = CODEC.encode(ChatRequest(messages=[QUESTION]), target=Target(provider="b", model=arn, endpoint=ENDPOINT), stream=stream)
        assert request.url == f"{ENDPOINT}/model/{arn.replace(':', '%3A').replace('/', '%2F')}/{ending}"


def test_options_stand_where_the_service_looks_for_them() -> None:
    body = encoded(
        system_prompt="Be brief", temperature=0, top_p=0.5, top_k=3, max_tokens=9, stop=["x"], tools=[CITY], tool_choice="required",
        extra={"guardrailConfig": {"guardrailIdentifier": "g"}, "own": 1},
    )  # fmt: skip
    specification = {"name": "weather", "description": "Tells it", "strict": True, "inputSchema": {"json": CITY.parameters}}
    assert body == {
        "messages": [{"role": "user", "content": [{"text": "Hi"}]}],
        "system": [{"text": "Be brief"}],
        "inferenceConfig": {"maxTokens": 9, "temperature": 0, "topP": 0.5, "stopSequences": ["x"]},
        "toolConfig": {"tools": [{"toolSpec": specification}], "toolChoice": {"any": {}}},
        "additionalModelRequestFields": {"top_k": 3, "own": 1},
        "guardrailConfig": {"guardrailIdentifier": "g"},
    }


@pytest.mark.parametrize(
    ("model", "effort", "fields"),
    [
        (CLAUDE, "low", {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
        (CLAUDE, "none", {"thinking": {"type": "disabled"}}),
        (NOVA, "minimal", {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}),
        (NOVA, "none", {"reasoningConfig": {"type": "disabled"}}),
        (OTHER, "high", {"reasoning_effort": "high"}),
        (OTHER, "none", None),
    ],
)
def test_each_makers_models_are_asked_to_reason_in_their_way(model: str, effort: str, fields: Any) -> None:
    body = encoded(model=model, reasoning_effort=effort, max_tokens=100)
    assert body.get("additionalModelRequestFields") == fields
    assert body["inferenceConfig"]["maxTokens"] > (fields or {}).get("thinking", {}).get("budget_tokens", 0)


def test_structured_output_natively_by_a_tool_and_by_words() -> None:
    wanted = SchemaFormat(name="person", schema=SCHEMA)
    native = encoded(response_format=wanted, mode="native")["outputConfig"]["textFormat"]
    assert json.loads(native["structure"]["jsonSchema"]["schema"]) == {**SCHEMA, "additionalProperties": False}
    assert encoded(response_format=wanted)["toolConfig"]["toolChoice"] == {"tool": {"name": "structured_output"}}
    assert "JSON Schema" in encoded(response_format=wanted, mode="prompt")["system"][0]["text"]
    assert "JSON" in encoded(response_format="json")["system"][0]["text"]


def test_the_tool_that_stands_for_structured_output_comes_back_as_text(decode: Any, fold: Any) -> None:
    used = {"toolUse": {"toolUseId": "t", "name": "structured_output", "input": {"name": "Ada"}}}
    document = {"output": {"message": {"content": [used]}}, "stopReason": "tool_use", "usage": {}}
    request = ChatRequest(messages=[QUESTION], options=Options(response_format=SchemaFormat(name="n", schema=SCHEMA)))
    folded = fold(decode(CODEC, HEAD, [json.dumps(document).encode()], request)[0])
    assert (folded.reply.text, folded.reply.tool_calls) == ('{"name":"Ada"}', [])
    assert folded.finished.finish_reason == "stop"


@pytest.mark.parametrize(
    ("choice", "sent"),
    [("auto", {"auto": {}}), (NamedToolChoice(name="weather"), {"tool": {"name": "weather"}}), (None, None)],
)
def test_tools_are_offered_as_they_are_wanted(choice: Any, sent: Any) -> None:
    assert encoded(tools=[CITY], tool_choice=choice)["toolConfig"].get("toolChoice") == sent
    assert "toolConfig" not in encoded(tools=[CITY], tool_choice="none")


def test_calls_in_the_history_declare_their_tools_and_answers_follow_them() -> None:
    call = Message(role="assistant", content=[ToolCall(id="no good id!", name="weather", arguments="no JSON")])
    answers = [ToolResult(tool_call_id="no good id!", content="", is_error=True)]
    body = encoded(QUESTION, call, Message(role="tool", content=list(answers)))
    assert body["toolConfig"]["tools"][0]["toolSpec"]["name"] == "weather"
    used, result = body["messages"][1]["content"][0]["toolUse"], body["messages"][2]["content"][0]["toolResult"]
    assert used["input"] == {"input": "no JSON"}
    assert result == {"toolUseId": used["toolUseId"], "content": [{"text": "(empty)"}], "status": "error"}


def test_media_and_cache_marks() -> None:
    parts = [
        TextPart(text="Look", cache="5m"), ImagePart(media_type="image/jpeg", data="aaaa", cache="1h"),
        FilePart(media_type="application/pdf", name="über/all.pdf", data="bbbb"),
        FilePart(media_type="application/pdf", name="all.pdf", data="cc"),
        FilePart(media_type="video/mp4", url="s3://bucket/a.mp4"),
    ]  # fmt: skip
    content = encoded(Message(role="user", content=parts))["messages"][0]["content"]
    assert content[:4] == [
        {"text": "Look"}, {"cachePoint": {"type": "default"}},
        {"image": {"format": "jpeg", "source": {"bytes": "aaaa"}}}, {"cachePoint": {"type": "default", "ttl": "1h"}},
    ]  # fmt: skip
    assert [block["document"]["name"] for block in content[4:6]] == ["ber all", "all"]
    assert content[6] == {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://bucket/a.mp4"}}}}


def test_media_that_the_service_cannot_take_are_told() -> None:
    with pytest.raises(UnsupportedFeatureError, match="audio/wav"):
        encoded(Message(role="user", content=[FilePart(media_type="audio/wav", data="aaaa")]))
    with pytest.raises(InvalidRequestError, match="by their data"):
        encoded(Message(role="user", content=[ImagePart(url="https://x.example/i.png")]))


def test_the_list_of_models_is_kept_beside_the_runtime() -> None:
    target = Target(provider="b", model="", endpoint=ENDPOINT)
    assert CODEC.encode_list_models(target=target).url.startswith("https://bedrock.us-east-1.amazonaws.com/foundation-models")
    (model,) = CODEC.decode_models(HEAD, b'{"modelSummaries":[{"modelId":"m","modelName":"M"},{}]}')
    assert (model.id, model.label) == ("m", "M")
    with pytest.raises(ProtocolError):
        CODEC.decode_models(HEAD, b"<html></html>")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{}", ProtocolError), (b"<html></html>", ProtocolError), (b"", StreamTruncatedError),
        (b"\0\0\0\x10\0\0\0\0", StreamTruncatedError),
        (b"\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0", ProtocolError),
    ],
)  # fmt: skip
def test_what_is_no_reply_is_told_as_such(body: bytes, expected: type[ParleyError], decode: Any) -> None:
    assert type(decode(CODEC, HEAD, [body])[1]) is expected


FIELDS = ["output", "message", "content", "text", "toolUse", "toolUseId", "name", "input", "reasoningContent", "reasoningText",
          "stopReason",           "usage", "citationsContent", "citations", "location", "toolResult"]  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=5), max_size=4), ANYTHING)
def test_no_reply_whatever_raises_anything_but_our_errors(blocks: list[dict[str, Any]], usage: Any) -> None:
    document = {"output": {"message": {"content": blocks}}, "stopReason": "end_turn", "usage": usage}
    decoder = CODEC.decoder(ChatRequest(messages=[QUESTION]), HEAD)
    try:
        found = [*decoder.feed(json.dumps(document).encode()), *decoder.close()]
    except ParleyError:
        return
    assert found
