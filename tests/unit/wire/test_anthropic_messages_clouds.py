from __future__ import annotations

import base64
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from parley.contract.errors import AuthenticationError, ProtocolError, RateLimitError, RequestRejectedError, UnsupportedFeatureError
from parley.contract.http import ResponseHead, Target
from parley.contract.messages import Message
from parley.contract.options import Options
from parley.contract.request import ChatRequest
from parley.providers.bedrock import provider as bedrock
from parley.providers.vertex import VertexWire
from parley.testing.made_up import made_up_config
from parley.testing.recordings import Recording, find_recordings, load_recording, recordings_directory
from parley.testing.samples import sample_of
from parley.wire.anthropic_messages_clouds import AnthropicOnBedrock, AnthropicOnVertex

REQUEST = ChatRequest(messages=[Message(role="user", content="Hi")], options=Options(max_tokens=9))
BEDROCK, VERTEX = AnthropicOnBedrock(), AnthropicOnVertex()
HEAD = ResponseHead(status=200, provider="bedrock", model="m")
INVOCATIONS = [
    path
    for path in find_recordings("bedrock-invoke")
    if any(word in path.name for word in ("anthropic", "claude", "testinvokemodelwithstreamresponse", "data-extraction"))
]


def frame(payload: bytes, kind: str = "event", name: str = "chunk") -> bytes:
    headers = b"".join(
        bytes([len(key)]) + key + b"\x07" + struct.pack(">H", len(value)) + value
        for key, value in ((b":message-type", kind.encode()), (b":event-type" if kind == "event" else b":exception-type", name.encode()))
    )
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return body + struct.pack(">I", zlib.crc32(body))


def framed() -> list[bytes]:
    """The sample's stream of events, each inside one of Amazon's."""
    sample = sample_of("anthropic_messages")
    assert sample is not None
    events = [event.partition(b"data: ")[2].strip() for event in sample.text_events]
    return [frame(json.dumps({"bytes": base64.b64encode(event).decode(), "p": "abc"}).encode()) for event in events]


def test_the_model_stands_in_the_address_and_the_version_in_the_body() -> None:
    target = Target(provider="bedrock", model="us.anthropic.claude-haiku-4-5-20251001-v1:0", endpoint="https://b.example")
    sent = BEDROCK.encode(REQUEST, target=target, stream=True)
    assert sent.url == "https://b.example/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke-with-response-stream"
    body = json.loads(sent.body)
    assert (body["anthropic_version"], body["max_tokens"], "model" in body, "stream" in body) == ("bedrock-2023-05-31", 9, False, False)
    target = Target(provider="vertex", model="claude-haiku-4-5@20251001", endpoint="https://v.example/v1/projects/p/locations/l")
    sent = VERTEX.encode(REQUEST, target=target, stream=True)
    assert sent.url == "https://v.example/v1/projects/p/locations/l/publishers/anthropic/models/claude-haiku-4-5@20251001:streamRawPredict"
    body = json.loads(sent.body)
    assert (body["anthropic_version"], body["stream"], "model" in body) == ("vertex-2023-10-16", True, False)
    assert VERTEX.encode(REQUEST, target=target, stream=False).url.endswith(":rawPredict")


def test_betas_travel_in_the_body_and_claudes_own_options_are_taken_where_claude_answers() -> None:
    extra = {"betas": ["context-1m-2025-08-07"], "thinking": {"type": "enabled", "budget_tokens": 1024}}
    request = ChatRequest(messages=REQUEST.messages, options=Options(max_tokens=2000, extra=extra))
    target = Target(provider="vertex", model="claude-haiku-4-5@20251001", endpoint="https://v.example")
    for codec in (BEDROCK, VERTEX, VertexWire()):
        sent = codec.encode(request, target=target, stream=False)
        body = json.loads(sent.body)
        assert (body["anthropic_beta"], body["thinking"]["budget_tokens"]) == (["context-1m-2025-08-07"], 1024)
        assert "anthropic-beta" not in sent.headers
    for model, name in (("gemini-3.5-flash", "thinking"), ("claude-haiku-4-5@20251001", "safetySettings")):
        request = ChatRequest(messages=REQUEST.messages, options=Options(extra={name: {}}))
        with pytest.raises(UnsupportedFeatureError, match=rf"options\.extra\.{name}.*{model} is none"):
            VertexWire().encode(request, target=Target(provider="vertex", model=model, endpoint="https://v.example"), stream=False)
    invoke = {
        option.name
        for option in bedrock.extra_options_for(made_up_config(bedrock.config, endpoint="", key="", model="m", api="invoke")) or ()
    }
    converse = {
        option.name
        for option in bedrock.extra_options_for(made_up_config(bedrock.config, endpoint="", key="", model="m", api="converse")) or ()
    }
    assert "thinking" in invoke
    assert "thinking" not in converse
    assert "guardrailConfig" in converse - invoke


def test_a_stream_inside_a_stream_is_read(decode: Any, fold: Any, splits: Any) -> None:
    body = b"".join(framed())
    whole = decode(BEDROCK, HEAD, [body])
    folded = fold(whole[0])
    assert folded.reply.text.startswith("Grüße")
    assert (folded.usage.prompt_tokens, folded.usage.completion_tokens) == (11, 7)
    for pieces in splits(body, "clouds"):
        assert decode(BEDROCK, HEAD, pieces) == whole


def test_an_exception_in_mid_stream_is_raised_after_what_came(decode: Any, fold: Any) -> None:
    body = b"".join(framed()[:5]) + frame(b'{"message":"Too many tokens"}', "exception", "throttlingException")
    events, error = decode(BEDROCK, HEAD, [body])
    assert type(error) is RateLimitError
    assert fold(events).reply.text


def test_an_event_that_is_no_base64_is_told(decode: Any) -> None:
    assert type(decode(BEDROCK, HEAD, [frame(b'{"bytes":"%%%"}')])[1]) is ProtocolError


def test_there_is_no_list_of_models() -> None:
    with pytest.raises(UnsupportedFeatureError):
        VERTEX.encode_list_models(target=Target(provider="vertex", model="", endpoint=""))


@pytest.mark.skipif(recordings_directory() is None, reason="no recordings (PARLEY_RECORDINGS)")
@pytest.mark.parametrize("path", INVOCATIONS, ids=lambda path: "/".join(path.parts[-2:]))
def test_recorded_invocations_are_read_in_every_split(path: Path, decode: Any, fold: Any, splits: Any) -> None:
    recording: Recording = load_recording(path)
    head = ResponseHead(status=recording.status, headers=recording.headers, provider="bedrock", model=recording.model)
    if recording.status >= 400:
        error = BEDROCK.decode_error(head, recording.body)
        assert type(error) in {RequestRejectedError, AuthenticationError}
        assert json.loads(recording.body)["message"] in error.message
        return
    whole = decode(BEDROCK, head, [recording.body])
    assert whole[1] is None
    folded = fold(whole[0])
    assert folded.reply.text or folded.reply.tool_calls
    assert folded.usage.prompt_tokens and folded.usage.completion_tokens  # noqa: PT018 - one claim: both counts are there
    for pieces in splits(recording.body, recording.file):
        assert decode(BEDROCK, head, pieces) == whole
