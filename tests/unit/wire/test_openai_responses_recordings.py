"""Every recording of the Responses wire: whole, a byte at a time and in random pieces, against a naive reading of the same bytes."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from parley.contract.errors import AuthenticationError, ModelNotFoundError, ParleyError, QuotaExceededError, StreamTruncatedError
from parley.contract.events import CitationAdded, Event, ReasoningDelta, ResponseFinished, ResponseStarted, ToolCallEnded, WarningRaised
from parley.contract.http import ResponseHead, Target
from parley.contract.messages import Message, ToolResult
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse
from parley.guard.fold import Fold
from parley.testing.recordings import Recording, find_recordings, load_recording
from parley.wire.openai_responses import OpenAIResponses

REQUEST = ChatRequest(messages=[Message(role="user", content="Hi")])
WIRE = OpenAIResponses()
RANDOM_SPLITS = 20
RANDOM_ONLY_ABOVE_BYTES = 256 * 1024


def _recordings() -> list[Any]:
    found: list[Any] = []
    for path in find_recordings():
        recording = load_recording(path)
        if recording.wire_family == "openai-responses":
            found.append(pytest.param(recording, id=recording.file))
    return found or [pytest.param(None, marks=pytest.mark.skip(reason="the recordings are not here (PARLEY_RECORDINGS)"))]


RECORDINGS = _recordings()
REPLIES = [param for param in RECORDINGS if not param.values[0] or param.values[0].status < 400]
WHOLE = [param for param in REPLIES if not param.values[0] or param.values[0].kind != "error-stream"]


class Outcome:
    """What a decoder gave: its events, the reply they fold to, and the error that ended it."""

    def __init__(self, recording: Recording, pieces: list[bytes]) -> None:
        head = ResponseHead(status=recording.status, headers=recording.headers, provider="acme", model=recording.model)
        decoder = WIRE.decoder(REQUEST, head)
        self.events: list[Event] = []
        self.error: ParleyError | None = None
        try:
            for piece in pieces:
                self.events += decoder.feed(piece)
            self.events += decoder.close()
        except ParleyError as error:
            self.error = error
        self.fold = Fold()
        self.fold.add([event for event in self.events if not isinstance(event, ResponseFinished)])
        self.reply = ChatResponse(parts=self.fold.parts(aborted=self.error is not None))


def final_response(recording: Recording) -> dict[str, Any]:
    """The last whole response that the vendor wrote, which repeats all that was streamed."""
    body = recording.body.decode()
    if not recording.streaming:
        return json.loads(body)
    events = [json.loads(line[5:]) for line in body.splitlines() if line.startswith("data:") and line[5:].strip() != "[DONE]"]
    response = next(event["response"] for event in reversed(events) if "response" in event)
    done = {event["output_index"]: event["item"] for event in events if event["type"] == "response.output_item.done"}
    return response if response.get("output") else {**response, "output": [done[index] for index in sorted(done)]}


def texts_of(response: dict[str, Any], kind: str) -> str:
    messages = [item for item in response["output"] if item["type"] == "message"]
    return "".join(content.get("text", "") for message in messages for content in message["content"] if content["type"] == kind)


def _pieces(body: bytes, seed: int) -> list[bytes]:
    generator = random.Random(seed)
    cuts = sorted(generator.randrange(len(body) + 1) for _ in range(generator.choice((1, 3, 10, 60))))
    return [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]


@pytest.mark.parametrize("recording", REPLIES)
def test_any_split_of_a_reply_gives_the_same_events(recording: Recording) -> None:
    whole = Outcome(recording, [recording.body])
    splits = [_pieces(recording.body, seed) for seed in range(RANDOM_SPLITS)]
    if len(recording.body) <= RANDOM_ONLY_ABOVE_BYTES:
        splits.append([recording.body[position : position + 1] for position in range(len(recording.body))])
    for pieces in splits:
        split = Outcome(recording, pieces)
        assert split.events == whole.events
        assert repr(split.error) == repr(whole.error)


@pytest.mark.parametrize("recording", [param for param in WHOLE if not param.values[0] or b'"choices"' not in param.values[0].body])
def test_a_reply_is_what_the_vendors_final_response_says(recording: Recording) -> None:
    outcome, final = Outcome(recording, [recording.body]), final_response(recording)
    assert outcome.error is None
    assert not [event for event in outcome.events if isinstance(event, WarningRaised)]
    reply = outcome.reply
    assert reply.text == texts_of(final, "output_text")
    thoughts = [item for item in final["output"] if item["type"] == "reasoning"]
    read = "".join(thought["text"] for item in thoughts for thought in [*item["summary"], *(item.get("content") or [])])
    assert "".join(event.text for event in outcome.events if isinstance(event, ReasoningDelta)) == read == reply.reasoning
    calls = [item for item in final["output"] if item["type"] in {"function_call", "custom_tool_call"}]
    assert [(call.id, call.name, call.arguments) for call in reply.tool_calls] == [
        (call["call_id"], call["name"], call.get("arguments", call.get("input")) or "{}") for call in calls
    ]
    assert outcome.fold.started.model == final["model"]
    if "github-copilot" not in recording.provider:  # each of its events has another id for the same reply
        assert outcome.fold.started.id == final["id"]
    self_made = [item for item in final["output"] if item["type"] not in {"message", "reasoning", "function_call", "custom_tool_call"}]
    kept = [part.provider_data.data["item"] for part in reply.parts if part.provider_data and "item" in part.provider_data.data]
    assert [item["type"] for item in kept if item["type"] != "reasoning"] == [item["type"] for item in self_made]
    finished = outcome.events[-1]
    assert isinstance(finished, ResponseFinished)
    reason = (final.get("incomplete_details") or {}).get("reason")
    assert finished.response.raw_finish_reason == (reason or final["status"])
    assert finished.response.finish_reason == ("length" if reason == "max_output_tokens" else "tool_calls" if calls else "stop")


@pytest.mark.parametrize("recording", [param for param in WHOLE if not param.values[0] or b'"choices"' not in param.values[0].body])
def test_the_counts_are_the_vendors(recording: Recording) -> None:
    report, final = Outcome(recording, [recording.body]).fold.report, final_response(recording)
    usage = final.get("usage") or {}
    assert (report.prompt_tokens, report.completion_tokens, report.total_tokens) == tuple(
        usage.get(name) for name in ("input_tokens", "output_tokens", "total_tokens")
    )
    assert report.cached_tokens == (usage.get("input_tokens_details") or {}).get("cached_tokens")
    assert report.reasoning_tokens == (usage.get("output_tokens_details") or {}).get("reasoning_tokens")


@pytest.mark.parametrize("recording", [param for param in WHOLE if not param.values[0] or b'"choices"' not in param.values[0].body])
def test_each_source_is_cited_once_at_its_place_in_the_text(recording: Recording) -> None:
    outcome, final = Outcome(recording, [recording.body]), final_response(recording)
    expected, base = [], 0
    for message in (item for item in final["output"] if item["type"] == "message"):
        for content in message["content"]:
            for annotation in content.get("annotations") or []:
                if annotation.get("url") or annotation.get("title") or annotation.get("filename"):
                    start = annotation.get("start_index")
                    expected.append((annotation.get("url"), None if start is None else base + start))
            base += len(content.get("text", ""))
    found = [event.citation for event in outcome.events if isinstance(event, CitationAdded)]
    assert [(citation.url, citation.start_index) for citation in found] == expected
    for citation in found:
        if citation.end_index is not None:
            assert citation.end_index <= len(outcome.reply.text)


@pytest.mark.parametrize("recording", WHOLE)
def test_a_reply_can_be_sent_back_to_its_vendor_and_to_another(recording: Recording) -> None:
    reply = Outcome(recording, [recording.body]).reply
    results = [ToolResult(tool_call_id=call.id, content="42") for call in reply.tool_calls]
    messages = [*REQUEST.messages, reply.to_message(), *([Message(role="tool", content=list(results))] if results else [])]
    for provider in ("acme", "another"):
        target = Target(provider=provider, model="gpt-5-mini", endpoint="https://acme.example/v1")
        items = json.loads(WIRE.encode(ChatRequest(messages=messages), target=target, stream=False).body)["input"]
        calls = [item["call_id"] for item in items if item.get("type") in {"function_call", "custom_tool_call"}]
        answered = [item["call_id"] for item in items if item.get("output") == "42"]
        assert calls == answered
        assert len(calls) == len(reply.tool_calls)
        said = [item["content"] for item in items if item.get("role") == "assistant"]
        assert "".join(text if isinstance(text, str) else "".join(part["text"] for part in text) for text in said) == reply.text
        if provider == "another":
            assert not [item for item in items if "id" in item], "another vendor's ids mean nothing here"
        for position, item in enumerate(items):
            if item.get("type") == "reasoning":
                assert items[position + 1].get("id"), "a thought without the item that it belongs to is refused"


@pytest.mark.parametrize("recording", [param for param in RECORDINGS if not param.values[0] or param.values[0].kind == "error-stream"])
def test_a_stream_without_its_final_event_is_cut(recording: Recording) -> None:
    outcome = Outcome(recording, [recording.body])
    assert isinstance(outcome.error, StreamTruncatedError)
    assert outcome.reply.text


@pytest.mark.parametrize("recording", [param for param in RECORDINGS if not param.values[0] or param.values[0].status >= 400])
def test_an_error_reply_becomes_the_error_its_status_and_words_mean(recording: Recording) -> None:
    head = ResponseHead(status=recording.status, headers=recording.headers, provider="acme", model=recording.model)
    error = WIRE.decode_error(head, recording.body)
    document = json.loads(recording.body)
    told = document["error"] if isinstance(document["error"], dict) else {"message": document["error"], "code": document["code"]}
    expected: dict[str | None, type[ParleyError]] = {
        "model_not_found": ModelNotFoundError,
        "invalid_api_key": AuthenticationError,
        "insufficient_quota": QuotaExceededError,
    }
    if told["code"] in expected:
        assert type(error) is expected[told["code"]]
    assert error.status == recording.status
    assert told["message"] in error.message


@pytest.mark.parametrize("recording", [param for param in WHOLE if not param.values[0] or b'"choices"' in param.values[0].body])
def test_a_reply_in_the_shape_of_chat_completions_is_read_all_the_same(recording: Recording) -> None:
    outcome = Outcome(recording, [recording.body])
    message = json.loads(recording.body)["choices"][0]["message"]
    assert outcome.error is None
    assert (outcome.reply.text, outcome.reply.reasoning) == (message["content"], message.get("reasoning_content") or "")
    assert outcome.fold.report.prompt_tokens == json.loads(recording.body)["usage"]["prompt_tokens"]


def test_the_recordings_are_found_whole() -> None:
    if RECORDINGS[0].values[0] is None:
        pytest.skip("the recordings are not here (PARLEY_RECORDINGS)")
    assert len(RECORDINGS) > 100
    starts = [event for param in WHOLE for event in Outcome(param.values[0], [param.values[0].body]).events[:1]]
    assert all(isinstance(event, ResponseStarted) for event in starts)
    assert any(isinstance(event, ToolCallEnded) for param in WHOLE for event in Outcome(param.values[0], [param.values[0].body]).events)
