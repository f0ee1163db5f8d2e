"""Every recording of the OpenAI chat wire: whole, a byte at a time and in random pieces, against a naive reading of the same bytes."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from parley.contract.errors import ContextLengthError, ParleyError, RequestRejectedError, ServerError, StreamTruncatedError
from parley.contract.events import (
    Event,
    ReasoningDelta,
    ResponseFinished,
    ResponseStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallEnded,
    UsageReported,
    WarningRaised,
)
from parley.contract.http import ResponseHead, Target
from parley.contract.messages import Message, ToolCall, ToolResult
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse
from parley.contract.usage import UsageReport
from parley.testing.recordings import Recording, find_recordings, load_recording
from parley.wire.openai_chat import OpenAIChat

REQUEST = ChatRequest(messages=[Message(role="user", content="Hi")])
RANDOM_SPLITS = 20
RANDOM_ONLY_ABOVE_BYTES = 256 * 1024


def _recordings() -> list[Any]:
    found: list[Any] = []
    for path in find_recordings():
        recording = load_recording(path)
        if recording.wire_family == "openai-chat":
            found.append(pytest.param(recording, id=recording.file))
    return found or [pytest.param(None, marks=pytest.mark.skip(reason="the recordings are not here (PARLEY_RECORDINGS)"))]


RECORDINGS = _recordings()


class Outcome:
    """What a decoder gave: its events, and the error that ended it."""

    def __init__(self, recording: Recording, pieces: list[bytes]) -> None:
        head = ResponseHead(status=recording.status, headers=recording.headers, provider=recording.provider, model=recording.model)
        decoder = OpenAIChat().decoder(REQUEST, head)
        self.events: list[Event] = []
        self.error: ParleyError | None = None
        try:
            for piece in pieces:
                self.events += decoder.feed(piece)
            self.events += decoder.close()
        except ParleyError as error:
            self.error = error

    def joined(self, kind: type[TextDelta] | type[ReasoningDelta]) -> str:
        return "".join(event.text for event in self.events if isinstance(event, kind))

    @property
    def usage(self) -> UsageReport:
        usage = UsageReport()
        for event in self.events:
            if isinstance(event, UsageReported):
                usage = usage.merge(event.usage)
        return usage

    @property
    def calls(self) -> list[ToolCall]:
        return [event.call for event in self.events if isinstance(event, ToolCallEnded)]

    def first(self, field: str) -> str:
        values = [getattr(event, field) for event in self.events if isinstance(event, ResponseStarted)]
        return next((value for value in values if value), "")


class NaiveReading:
    """The same reply read line by line with the standard library, without our parsers."""

    def __init__(self, recording: Recording) -> None:
        self.text = self.reasoning = self.id = self.model = ""
        self.raw_finish_reason: str | None = None
        self.usage: dict[str, Any] = {}
        self.calls: dict[Any, dict[str, str]] = {}
        self.structured: Any = None
        body = recording.body.decode()
        if recording.streaming:
            for line in re.split(r"\r\n|\r|\n", body):
                if line.lstrip().startswith("data:") and line.split(":", 1)[1].strip() not in {"[DONE]", ""}:
                    self._chunk(json.loads(line.split(":", 1)[1]), "delta", "message")
        else:
            self._chunk(json.loads(body), "message", "delta")

    def _chunk(self, chunk: dict[str, Any], first: str, second: str) -> None:
        self.id = self.id or chunk.get("id") or ""
        self.model = self.model or chunk.get("model") or ""
        usage = chunk.get("usage") or (chunk.get("x_groq") or {}).get("usage") or {}
        for choice in (chunk.get("choices") or [])[:1]:
            usage = usage or choice.get("usage") or {}
            self.raw_finish_reason = choice.get("finish_reason") or self.raw_finish_reason
            self._delta(choice.get(first) or choice.get(second) or {}, whole=first == "message")
        self.usage.update({name: value for name, value in usage.items() if value is not None})

    def _delta(self, delta: dict[str, Any], *, whole: bool) -> None:
        details = "".join(detail.get("text") or detail.get("summary") or "" for detail in delta.get("reasoning_details") or [])
        self.reasoning += delta.get("reasoning_content") or delta.get("reasoning") or details
        content = delta.get("content")
        if isinstance(content, list):
            for chunk in content:
                self.text += chunk.get("text", "")
                self.reasoning += "".join(thought["text"] for thought in chunk.get("thinking", []))
        elif isinstance(content, dict):
            self.structured = content
        else:
            self.text += content or ""
        for position, call in enumerate(delta.get("tool_calls") or []):
            known = self.calls.setdefault(position if whole else call.get("index", call.get("id")), {"id": "", "name": "", "arguments": ""})
            function = call.get("custom") or call["function"]
            known["id"] = known["id"] or call.get("id") or ""
            known["name"] = known["name"] or function.get("name") or ""
            known["arguments"] += function.get("arguments") or function.get("input") or ""

    def expected_usage(self, provider: str) -> tuple[int | None, int | None, int | None]:
        prompt, completion, total = (self.usage.get(f"{kind}_tokens") for kind in ("prompt", "completion", "total"))
        details = self.usage.get("prompt_tokens_details") or {}
        if provider == "xai":
            completion += self.usage["completion_tokens_details"]["reasoning_tokens"]
        elif provider == "gemini-openai-compat":
            completion = total - prompt
        elif "prompt_audio_seconds" in self.usage:
            prompt += details["audio_tokens"]
        return prompt, completion, total


def _pieces(body: bytes, seed: int) -> list[bytes]:
    generator = random.Random(seed)
    cuts = sorted(generator.randrange(len(body) + 1) for _ in range(generator.choice((1, 3, 10, 60))))
    return [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]


@pytest.mark.parametrize("recording", [param for param in RECORDINGS if not param.values[0] or param.values[0].status < 400])
def test_any_split_of_a_reply_gives_the_same_events(recording: Recording) -> None:
    whole = Outcome(recording, [recording.body])
    splits = [_pieces(recording.body, seed) for seed in range(RANDOM_SPLITS)]
    if len(recording.body) <= RANDOM_ONLY_ABOVE_BYTES:
        splits.append([recording.body[position : position + 1] for position in range(len(recording.body))])
    for pieces in splits:
        split = Outcome(recording, pieces)
        assert split.events == whole.events
        assert repr(split.error) == repr(whole.error)


@pytest.mark.parametrize(
    "recording",
    [param for param in RECORDINGS if not param.values[0] or (param.values[0].status < 400 and param.values[0].kind != "error-stream")],
)
def test_a_reply_is_read_as_a_naive_reader_reads_it(recording: Recording) -> None:
    outcome, naive = Outcome(recording, [recording.body]), NaiveReading(recording)
    assert outcome.error is None
    assert not [event for event in outcome.events if isinstance(event, WarningRaised)]
    if naive.structured is None:
        assert outcome.joined(TextDelta) == naive.text
    else:
        assert json.loads(outcome.joined(TextDelta)) == naive.structured
    assert outcome.joined(ReasoningDelta) == naive.reasoning
    assert [(call.name, call.arguments) for call in outcome.calls] == [
        (call["name"], call["arguments"] or "{}") for call in naive.calls.values()
    ]
    assert all(call.id == known["id"] or not known["id"] for call, known in zip(outcome.calls, naive.calls.values(), strict=True))
    assert all(call.id for call in outcome.calls)
    assert (outcome.first("id"), outcome.first("model")) == (naive.id, naive.model)
    usage = outcome.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == naive.expected_usage(recording.provider)
    assert usage.reasoning_tokens == (naive.usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
    cached = [(naive.usage.get("prompt_tokens_details") or {}).get("cached_tokens")]
    cached += [naive.usage.get(name) for name in ("prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens")]
    assert usage.cached_tokens == next((count for count in cached if count is not None), None)
    finished = outcome.events[-1]
    assert isinstance(finished, ResponseFinished)
    assert finished.response.raw_finish_reason == naive.raw_finish_reason
    expected = "tool_calls" if naive.calls else naive.raw_finish_reason or "unknown"
    assert finished.response.finish_reason == expected


@pytest.mark.parametrize("recording", [param for param in RECORDINGS if not param.values[0] or param.values[0].status < 400])
def test_deltas_and_the_whole_call_agree(recording: Recording) -> None:
    outcome = Outcome(recording, [recording.body])
    for event in outcome.events:
        if isinstance(event, ToolCallEnded):
            deltas = [delta.arguments for delta in outcome.events if isinstance(delta, ToolCallDelta) and delta.index == event.index]
            assert event.call.arguments == ("".join(deltas) or "{}")


@pytest.mark.parametrize(
    "recording",
    [param for param in RECORDINGS if not param.values[0] or (param.values[0].status < 400 and param.values[0].kind != "error-stream")],
)
def test_a_reply_can_be_sent_back_to_its_vendor(recording: Recording, fold: Any) -> None:
    outcome, naive = Outcome(recording, [recording.body]), NaiveReading(recording)
    reply: ChatResponse = fold(outcome.events).reply
    results = [ToolResult(tool_call_id=call.id, content="42") for call in reply.tool_calls]
    messages = [*REQUEST.messages, reply.to_message(), *([Message(role="tool", content=list(results))] if results else [])]
    target = Target(provider=recording.provider, model="m", endpoint="https://acme.example/v1")
    field: Any = {"mistral-chat": "thinking", "deepseek": "reasoning_content", "ollama-openai": "reasoning"}.get(recording.provider, "")
    sent = OpenAIChat(reasoning_field=field).encode(ChatRequest(messages=messages), target=target, stream=False)
    _, assistant, *answers = json.loads(sent.body)["messages"]
    assert [warning.code for warning in sent.warnings] in ([], ["assistant_media_dropped"])
    content = assistant["content"] or ""
    if isinstance(content, list):
        content = "".join(chunk.get("text", "") for chunk in content)
    assert naive.structured is not None or content == naive.text
    calls = assistant.get("tool_calls", [])
    assert [call["id"] for call in calls] == [answer["tool_call_id"] for answer in answers]
    assert len(calls) == len(naive.calls)
    for call, known in zip(calls, naive.calls.values(), strict=True):
        assert call.get("custom", call.get("function", {})).get("name") == known["name"]
    for secret in re.findall(rb'"(?:signature|thought_signature)":\s*"([^"]{20,})"', recording.body):
        assert secret in sent.body


@pytest.mark.parametrize("recording", [param for param in RECORDINGS if not param.values[0] or param.values[0].kind == "error-stream"])
def test_an_error_inside_a_stream_is_raised_after_what_came_before_it(recording: Recording) -> None:
    outcome = Outcome(recording, [recording.body])
    expected: type[ParleyError] = {"groq": RequestRejectedError, "gpustack": ServerError}.get(recording.provider, StreamTruncatedError)
    assert type(outcome.error) is expected
    assert outcome.joined(TextDelta) + outcome.joined(ReasoningDelta)
    if expected is RequestRejectedError:
        assert outcome.error is not None
        assert outcome.error.provider_code == "tool_use_failed"


@pytest.mark.parametrize("recording", [param for param in RECORDINGS if not param.values[0] or param.values[0].status >= 400])
def test_an_error_reply_becomes_the_error_its_status_and_words_mean(recording: Recording) -> None:
    head = ResponseHead(status=recording.status, headers=recording.headers, provider=recording.provider, model=recording.model)
    error = OpenAIChat().decode_error(head, recording.body)
    by_status = {401: "AuthenticationError", 404: "ModelNotFoundError", 429: "RateLimitError", 500: "ServerError", 502: "ServerError"}
    rejected = "ContextLengthError" if b"maximum context length" in recording.body else "RequestRejectedError"
    assert type(error).__name__ == by_status.get(recording.status, rejected)
    assert error.status == recording.status
    assert error.request_id == (recording.headers.get("x-request-id") or recording.headers.get("apim-request-id") or error.request_id)
    if b"<html" not in recording.body:
        document = json.loads(recording.body)
        assert (document.get("error") or document)["message"] in error.message or isinstance(error, ContextLengthError)


def test_the_recordings_are_found_whole() -> None:
    if RECORDINGS[0].values[0] is None:
        pytest.skip("the recordings are not here (PARLEY_RECORDINGS)")
    assert len(RECORDINGS) > 200
    assert all(isinstance(param.values[0], Recording) for param in RECORDINGS)
    assert Path(RECORDINGS[0].values[0].file).suffix == ".json"
