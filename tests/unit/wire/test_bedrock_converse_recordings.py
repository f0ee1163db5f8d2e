"""Every recorded exchange of the Converse wire, in every split, against a naive reader of what was recorded."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parley.contract.errors import AuthenticationError, ContextLengthError, RateLimitError, RequestRejectedError
from parley.contract.http import ResponseHead, Target
from parley.contract.messages import Message, ToolResult
from parley.contract.request import ChatRequest
from parley.testing.recordings import Recording, find_recordings, load_recording, recordings_directory
from parley.wire.bedrock_converse import BedrockConverse

pytestmark = pytest.mark.skipif(recordings_directory() is None, reason="no recordings (PARLEY_RECORDINGS)")

CODEC = BedrockConverse()
TARGET = Target(provider="bedrock", model="us.amazon.nova-2-lite-v1:0", endpoint="https://bedrock-runtime.us-east-1.amazonaws.com")
REPLIES = [path for path in find_recordings("bedrock-converse") if not path.parent.name.startswith("error")]
CUT = [path for path in find_recordings("bedrock-converse") if path.parent.name == "error-stream"]
ERRORS = [path for path in find_recordings("bedrock-converse") if path.parent.name == "error"]
FINISH = {"end_turn": "stop", "max_tokens": "length", "tool_use": "tool_calls", "guardrail_intervened": "content_filter"}
every_reply = pytest.mark.parametrize("path", REPLIES, ids=lambda path: "/".join(path.parts[-2:]))


def head_of(recording: Recording) -> ResponseHead:
    return ResponseHead(status=recording.status, headers=recording.headers, provider="bedrock", model=recording.model)


def frames(body: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Event type and payload of each frame, read without checks."""
    position = 0
    while position < len(body):
        total, header_bytes = struct.unpack_from(">II", body, position)
        headers = body[position + 12 : position + 12 + header_bytes]
        kind = next(kind for kind in ("contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "messageStart", "throttlingException") if kind.encode() in headers)  # fmt: skip  # noqa: E501
        yield kind, json.loads(body[position + 12 + header_bytes : position + total - 4] or b"{}")
        position += total


class Oracle:
    """What a person would read out of the recorded JSON."""

    def __init__(self, recording: Recording) -> None:
        self.text = self.thinking = self.signature = ""
        self.calls: dict[int, list[Any]] = {}
        self.servers = self.citations = 0
        if recording.streaming:
            for kind, value in frames(recording.body):
                self._frame(kind, value)
        else:
            self._document(json.loads(recording.body))

    def _document(self, reply: dict[str, Any]) -> None:
        self.usage, self.reason = reply["usage"], reply["stopReason"]
        for index, block in enumerate(reply["output"]["message"]["content"]):
            self.text += block.get("text", "")
            cited = block.get("citationsContent", {})
            self.text += "".join(content["text"] for content in cited.get("content", []))
            self.citations += len(cited.get("citations", []))
            thought = block.get("reasoningContent", {}).get("reasoningText", {})
            self.thinking += thought.get("text", "")
            self.signature += thought.get("signature", "")
            used = block.get("toolUse")
            if used and used.get("type") != "server_tool_use":
                self.calls[index] = [used["toolUseId"], used["name"], used["input"]]
            self.servers += bool("toolResult" in block or (used and used.get("type") == "server_tool_use"))

    def _frame(self, kind: str, value: dict[str, Any]) -> None:
        index = value.get("contentBlockIndex", -1)
        if kind == "metadata":
            self.usage = value["usage"]
        elif kind == "messageStop":
            self.reason = value["stopReason"]
        elif kind == "contentBlockStart":
            used = value["start"].get("toolUse")
            if used and used.get("type") != "server_tool_use":
                self.calls[index] = [used["toolUseId"], used["name"], ""]
            else:
                self.servers += 1
        elif kind == "contentBlockDelta":
            delta = value["delta"]
            self.text += delta.get("text", "")
            thought = delta.get("reasoningContent", {})
            self.thinking += thought.get("text", "")
            self.signature += thought.get("signature", "")
            self.citations += "citation" in delta
            if index in self.calls:
                self.calls[index][2] += delta["toolUse"]["input"]


@every_reply
def test_any_split_of_a_reply_gives_the_same_events(path: Path, decode: Any, splits: Any) -> None:
    recording = load_recording(path)
    whole = decode(CODEC, head_of(recording), [recording.body])
    assert whole[1] is None
    for pieces in splits(recording.body, recording.file):
        assert decode(CODEC, head_of(recording), pieces) == whole


@every_reply
def test_a_reply_is_read_as_a_naive_reader_reads_it(path: Path, decode: Any, fold: Any) -> None:
    recording = load_recording(path)
    oracle, folded = Oracle(recording), fold(decode(CODEC, head_of(recording), [recording.body])[0])
    reply = folded.reply
    assert (reply.text, reply.reasoning) == (oracle.text, oracle.thinking)
    calls = [(call.id, call.name, json.loads(call.arguments)) for call in reply.tool_calls]
    expected = [
        (call_id, name, given if isinstance(given, dict) else json.loads(given or "{}")) for call_id, name, given in oracle.calls.values()
    ]
    assert calls == expected
    usage = oracle.usage
    assert folded.usage.total_tokens == usage["totalTokens"]
    assert folded.usage.prompt_tokens + folded.usage.completion_tokens == usage["totalTokens"]
    assert folded.usage.completion_tokens == usage["outputTokens"]
    assert (folded.usage.cached_tokens, folded.usage.cache_write_tokens) == (
        usage.get("cacheReadInputTokens"), usage.get("cacheWriteInputTokens"),
    )  # fmt: skip
    assert folded.finished is not None
    assert folded.finished.raw_finish_reason == oracle.reason
    only_server_tools = oracle.reason == "tool_use" and not oracle.calls
    assert folded.finished.finish_reason == ("stop" if only_server_tools else FINISH[oracle.reason])
    assert len(folded.citations) == oracle.citations
    kept = [part for part in reply.parts if part.provider_data and "block" in part.provider_data.data]
    assert len(kept) == oracle.servers
    assert not folded.warnings


@every_reply
def test_a_reply_can_be_sent_back(path: Path, decode: Any, fold: Any) -> None:
    recording = load_recording(path)
    oracle, reply = Oracle(recording), fold(decode(CODEC, head_of(recording), [recording.body])[0]).reply
    results = [ToolResult(tool_call_id=call.id, content="42") for call in reply.tool_calls]
    messages = [Message(role="user", content="Hi"), reply.to_message(), *([Message(role="tool", content=list(results))] if results else [])]
    sent = CODEC.encode(ChatRequest(messages=messages), target=TARGET, stream=False)
    assert not sent.warnings
    _, assistant, *answers = json.loads(sent.body)["messages"]
    blocks = assistant["content"]
    assert "".join(block.get("text", "") for block in blocks) == oracle.text
    thoughts = [block["reasoningContent"].get("reasoningText", {}) for block in blocks if "reasoningContent" in block]
    assert "".join(thought.get("text", "") for thought in thoughts) == oracle.thinking
    assert "".join(thought.get("signature", "") for thought in thoughts) == oracle.signature
    called = [block["toolUse"]["toolUseId"] for block in blocks if "toolUse" in block and block["toolUse"].get("type") != "server_tool_use"]
    answered = [block["toolResult"]["toolUseId"] for answer in answers for block in answer["content"]]
    assert called == answered
    assert len(called) == len(oracle.calls)


@pytest.mark.parametrize("path", CUT, ids=lambda path: path.name)
def test_a_fault_in_mid_stream_is_the_typed_error_after_what_came(path: Path, decode: Any, fold: Any) -> None:
    recording = load_recording(path)
    events, error = decode(CODEC, head_of(recording), [recording.body])
    assert type(error) is RateLimitError
    assert error.provider_code == "throttlingException"
    assert fold(events).reply.text


@pytest.mark.parametrize("path", ERRORS, ids=lambda path: path.name)
def test_an_error_is_what_its_name_and_words_mean(path: Path) -> None:
    recording = load_recording(path)
    error = CODEC.decode_error(head_of(recording), recording.body)
    by_status = {429: RateLimitError, 403: AuthenticationError}
    too_long = b"maximum length" in recording.body
    assert type(error) is by_status.get(recording.status, ContextLengthError if too_long else RequestRejectedError)
    assert json.loads(recording.body)["message"] in error.message
    assert error.status == recording.status
