"""Every recorded exchange of Cohere's second chat wire, in every split, against a naive reader of what was recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parley.contract.errors import ContextLengthError
from parley.contract.http import ResponseHead, Target
from parley.contract.messages import Message, ToolResult
from parley.contract.request import ChatRequest
from parley.testing.recordings import Recording, find_recordings, load_recording, recordings_directory
from parley.wire.cohere_v2 import CohereV2

pytestmark = pytest.mark.skipif(recordings_directory() is None, reason="no recordings (PARLEY_RECORDINGS)")

CODEC = CohereV2()
TARGET = Target(provider="cohere", model="command-a-03-2025", endpoint="https://api.cohere.com/v2")
REPLIES = [path for path in find_recordings("cohere-v2-chat") if path.parent.name != "error"]
ERRORS = [path for path in find_recordings("cohere-v2-chat") if path.parent.name == "error"]
FINISH = {"COMPLETE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls"}
every_reply = pytest.mark.parametrize("path", REPLIES, ids=lambda path: "/".join(path.parts[-2:]))


def head_of(recording: Recording) -> ResponseHead:
    return ResponseHead(status=recording.status, headers=recording.headers, provider="cohere", model=recording.model)


class Oracle:
    """What a person would read out of the recorded JSON."""

    def __init__(self, recording: Recording) -> None:
        self.text = self.thinking = self.plan = ""
        self.calls: list[list[str]] = []
        self.citations: list[dict[str, Any]] = []
        body = recording.body.decode()
        if not recording.streaming:
            self._document(json.loads(body))
            return
        for line in body.splitlines():
            if line.startswith("data:") and line[5:].strip() != "[DONE]":
                self._event(json.loads(line[5:]))

    def _document(self, reply: dict[str, Any]) -> None:
        self.end, message = reply, reply["message"]
        self.plan = message.get("tool_plan", "")
        self.text = "".join(content.get("text", "") for content in message.get("content", []))
        self.thinking = "".join(content.get("thinking", "") for content in message.get("content", []))
        self.calls = [[call["id"], call["function"]["name"], call["function"]["arguments"]] for call in message.get("tool_calls", [])]
        self.citations = message.get("citations", [])

    def _event(self, event: dict[str, Any]) -> None:
        message = event.get("delta", {}).get("message", {})
        if event["type"] == "message-end":
            self.end = event["delta"]
        elif event["type"].startswith("content-"):
            self.text += message.get("content", {}).get("text", "")
            self.thinking += message.get("content", {}).get("thinking", "")
        elif event["type"] == "tool-plan-delta":
            self.plan += message["tool_plan"]
        elif event["type"] == "tool-call-start":
            call = message["tool_calls"]
            self.calls.append([call["id"], call["function"]["name"], call["function"]["arguments"]])
        elif event["type"] == "tool-call-delta":
            self.calls[event["index"]][2] += message["tool_calls"]["function"]["arguments"]
        elif event["type"] == "citation-start":
            self.citations.append(message["citations"])


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
    assert reply.text == oracle.text
    assert reply.reasoning == oracle.plan + oracle.thinking
    calls = [(call.id, call.name, json.loads(call.arguments)) for call in reply.tool_calls]
    assert calls == [(call_id, name, json.loads(arguments or "{}") or {}) for call_id, name, arguments in oracle.calls]
    tokens = oracle.end["usage"]["tokens"]
    assert folded.usage.prompt_tokens == tokens["input_tokens"] + tokens.get("image_tokens", 0)
    assert folded.usage.completion_tokens == tokens["output_tokens"]
    assert (folded.usage.reasoning_tokens, folded.usage.cached_tokens) == (
        tokens.get("reasoning_tokens"), oracle.end["usage"].get("cached_tokens"),
    )  # fmt: skip
    assert folded.finished is not None
    assert folded.finished.raw_finish_reason == oracle.end["finish_reason"]
    assert folded.finished.finish_reason == FINISH[oracle.end["finish_reason"]]
    expected = [citation["text"] for citation in oracle.citations for _ in citation["sources"]]
    assert [reply.text[citation.start_index : citation.end_index] for citation in folded.citations] == expected
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
    assert assistant.get("tool_plan", "") == oracle.plan
    content = assistant.get("content") or []
    assert "".join(part.get("text", "") for part in content) == oracle.text
    assert "".join(part.get("thinking", "") for part in content) == oracle.thinking
    assert [call["id"] for call in assistant.get("tool_calls", [])] == [answer["tool_call_id"] for answer in answers]
    assert len(answers) == len(oracle.calls)


@pytest.mark.parametrize("path", ERRORS, ids=lambda path: path.name)
def test_an_error_is_what_its_words_mean(path: Path) -> None:
    recording = load_recording(path)
    error = CODEC.decode_error(head_of(recording), recording.body)
    assert type(error) is ContextLengthError
    assert error.provider_code == "TOO_MANY_TOKENS"
    assert json.loads(recording.body)["message"] in error.message
