"""What a person would read out of a recorded reply, with the standard library alone: one short reader for each wire."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from parley.testing.recordings import Recording, read_index, recordings_directory

from .recordings_table import left_out, table


class Reading(msgspec.Struct):
    """A reply. Calls are name and arguments (as a JSON value); counts that the vendor did not report are None."""

    text: str = ""
    reasoning: str = ""
    calls: list[list[Any]] = []
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reason: str | None = None

    def count(self, prompt: int | None, completion: int | None) -> None:
        self.prompt_tokens = self.prompt_tokens if prompt is None else prompt
        self.completion_tokens = self.completion_tokens if completion is None else completion


def documents(recording: Recording) -> list[Any]:
    """The JSON values of the body: events, lines, or the one document."""
    text = recording.body.decode()
    if "data:" in text and text.lstrip()[:1] not in "{[":
        lines = [line.lstrip()[5:].strip() for line in text.splitlines() if line.lstrip().startswith("data:")]
        return [json.loads(line) for line in lines if line not in {"", "[DONE]"}]
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    return whole if isinstance(whole, list) else [whole]


def openai_chat(recording: Recording) -> Reading:
    found = Reading()
    calls: dict[Any, list[str]] = {}
    for chunk in documents(recording):
        usage = chunk.get("usage") or (chunk.get("x_groq") or {}).get("usage") or {}
        for choice in (chunk.get("choices") or [])[:1]:
            usage = usage or choice.get("usage") or {}
            found.reason = choice.get("finish_reason") or found.reason
            first, second = ("delta", "message") if recording.streaming else ("message", "delta")
            message = choice.get(first) or choice.get(second) or {}
            details = "".join(detail.get("text") or detail.get("summary") or "" for detail in message.get("reasoning_details") or [])
            found.reasoning += message.get("reasoning_content") or message.get("reasoning") or details
            content = message.get("content")
            for part in (
                content if isinstance(content, list) else [{"text": json.dumps(content) if isinstance(content, dict) else content or ""}]
            ):
                found.text += part.get("text", "")
                found.reasoning += "".join(thought["text"] for thought in part.get("thinking", []))
            for position, call in enumerate(message.get("tool_calls") or []):
                known = calls.setdefault(call.get("index", call.get("id") if recording.streaming else position), ["", ""])
                function = call.get("custom") or call["function"]
                known[0] = known[0] or function.get("name") or ""
                known[1] += function.get("arguments") or function.get("input") or ""
        # Where thought is not part of the completion, the total says so.
        prompt, completion, total = (usage.get(f"{kind}_tokens") for kind in ("prompt", "completion", "total"))
        audio = (usage.get("prompt_tokens_details") or {}).get("audio_tokens") or 0
        if None not in {prompt, completion, total} and prompt + completion < total and "prompt_audio_seconds" not in usage:
            completion = total - prompt
        found.count(prompt + audio if "prompt_audio_seconds" in usage else prompt, completion)
    found.calls = [[name, arguments] for name, arguments in calls.values()]
    return found


def openai_responses(recording: Recording) -> Reading:
    events = documents(recording)
    if "choices" in events[0]:  # one vendor answered for a model of others so
        return openai_chat(recording)
    final = next((event.get("response", event) for event in reversed(events) if event.get("response") or "output" in event), {})
    done = {event["output_index"]: event["item"] for event in events if event.get("type") == "response.output_item.done"}
    found = Reading()
    for item in final.get("output") or [done[index] for index in sorted(done)]:
        if item["type"] == "message":
            found.text += "".join(part.get("text", "") for part in item["content"] if part["type"] == "output_text")
        elif item["type"] == "reasoning":
            found.reasoning += "".join(part["text"] for part in [*item["summary"], *(item.get("content") or [])])
        elif item["type"] in {"function_call", "custom_tool_call"}:
            found.calls.append([item["name"], item.get("arguments", item.get("input"))])
    usage = final.get("usage") or {}
    found.count(usage.get("input_tokens"), usage.get("output_tokens"))
    found.reason = (final.get("incomplete_details") or {}).get("reason") or final.get("status")
    return found


def cohere_v2(recording: Recording) -> Reading:
    found = Reading()
    thought = ""
    for event in documents(recording):
        delta = event if "finish_reason" in event else event.get("delta", {})
        message = delta.get("message", {})
        content = message.get("content") or []
        for part in content if isinstance(content, list) else [content]:
            found.text += part.get("text", "")
            thought += part.get("thinking", "")
        found.reasoning += message.get("tool_plan", "")
        calls = message.get("tool_calls") or []
        for call in calls if isinstance(calls, list) else [calls]:
            if "name" in call["function"]:
                found.calls.append([call["function"]["name"], ""])
            found.calls[event.get("index", -1) if "type" in event else -1][1] += call["function"].get("arguments", "")
        if delta.get("finish_reason"):
            tokens = delta["usage"]["tokens"]
            found.count(tokens["input_tokens"] + tokens.get("image_tokens", 0), tokens["output_tokens"])
            found.reason = delta["finish_reason"]
    found.reasoning += thought
    return found


def ollama_chat(recording: Recording) -> Reading:
    found = Reading()
    for line in documents(recording):
        message = line["message"]
        found.text += message["content"]
        found.reasoning += message.get("thinking", "")
        found.calls += [[call["function"]["name"], call["function"]["arguments"]] for call in message.get("tool_calls", [])]
        found.count(line.get("prompt_eval_count"), line.get("eval_count"))
        found.reason = line.get("done_reason", found.reason)
    return found


def anthropic_messages(recording: Recording) -> Reading:
    found = Reading()
    inputs: dict[Any, list[Any]] = {}
    usage: dict[str, Any] = {}
    for event in documents(recording):
        message = event if event["type"] == "message" else event.get("message", {})
        usage.update(
            {name: value for carrier in (message, event) for name, value in (carrier.get("usage") or {}).items() if value is not None}
        )
        for carrier in (message, event.get("delta", {})):
            found.reason = carrier.get("stop_reason") or found.reason
        delta = event.get("delta", {})
        begun = [(event["index"], event["content_block"])] if "content_block" in event else []
        whole = [(f"whole {len(inputs) + index}", block) for index, block in enumerate(message.get("content", []))]
        for index, block in [*whole, *begun, ("", delta)]:
            found.text += block.get("text", "") if block.get("type") in {"text", "text_delta"} else ""
            found.reasoning += block.get("thinking", "")
            if block.get("type") == "tool_use":
                inputs[index] = [block["name"], block["input"]]
        if delta.get("partial_json") and event["index"] in inputs:
            call = inputs[event["index"]]
            call[1] = (call[1] if isinstance(call[1], str) else "") + delta["partial_json"]
    found.calls = list(inputs.values())
    cached = sum(usage.get(name) or 0 for name in ("cache_read_input_tokens", "cache_creation_input_tokens"))
    found.count(usage["input_tokens"] + cached if "input_tokens" in usage else None, usage.get("output_tokens"))
    return found


def gemini_generate(recording: Recording) -> Reading:
    found = Reading()
    usage: dict[str, Any] = {}
    for chunk in documents(recording):
        usage.update(chunk.get("usageMetadata", {}))
        for candidate in chunk.get("candidates", [])[:1]:
            found.reason = candidate.get("finishReason", found.reason)
            for part in candidate.get("content", {}).get("parts", []):
                if part.get("thought"):
                    found.reasoning += part.get("text", "")
                else:
                    found.text += part.get("text", "")
                call = part.get("functionCall", {})
                if "name" in call:
                    found.calls.append([call["name"], dict(call.get("args", {}))])
                for piece in call.get("partialArgs", []):
                    name, arguments = piece["jsonPath"].removeprefix("$."), found.calls[-1][1]
                    arguments[name] = arguments.get(name, "") + piece["stringValue"]
    prompt = (usage.get("promptTokenCount") or 0) + (usage.get("toolUsePromptTokenCount") or 0)
    completion = (usage.get("candidatesTokenCount") or 0) + (usage.get("thoughtsTokenCount") or 0)
    found.count(prompt if "promptTokenCount" in usage else None, completion or None)
    found.reason = None if found.reason is None else str(found.reason)
    return found


def frames(body: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Event type and payload of each of Amazon's frames, read without checks."""
    position = 0
    while position < len(body):
        total, header_bytes = struct.unpack_from(">II", body, position)
        headers = body[position + 12 : position + 12 + header_bytes]
        kinds = ("contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "messageStart")
        kind = next((kind for kind in kinds if kind.encode() in headers), "")
        yield kind, json.loads(body[position + 12 + header_bytes : position + total - 4] or b"{}")
        position += total


def bedrock_converse(recording: Recording) -> Reading:
    found = Reading()
    calls: dict[int, list[Any]] = {}
    if recording.streaming:
        parts = list(frames(recording.body))
    else:
        reply = json.loads(recording.body)
        parts = [
            ("block", {"contentBlockIndex": index, "delta": block}) for index, block in enumerate(reply["output"]["message"]["content"])
        ]
        parts += [("messageStop", reply), ("metadata", reply)]
    for kind, value in parts:
        index, block = value.get("contentBlockIndex", -1), value.get("delta") or value.get("start") or {}
        found.text += block.get("text", "") + "".join(part["text"] for part in block.get("citationsContent", {}).get("content", []))
        thought = block.get("reasoningContent", {})
        found.reasoning += thought.get("reasoningText", thought).get("text", "")
        used = block.get("toolUse", {})
        if "name" in used and used.get("type") != "server_tool_use":
            calls[index] = [used["name"], used.get("input", "")]
        elif "input" in used and index in calls:
            calls[index][1] += used["input"]
        if kind == "metadata":
            usage = value["usage"]
            cached = sum(usage.get(name) or 0 for name in ("cacheReadInputTokens", "cacheWriteInputTokens"))
            found.count(usage["inputTokens"] + cached, usage["outputTokens"])
        found.reason = value.get("stopReason", found.reason) if kind == "messageStop" else found.reason
    found.calls = list(calls.values())
    return found


READERS: dict[str, Callable[[Recording], Reading]] = {
    "openai_chat": openai_chat,
    "openai_responses": openai_responses,
    "cohere_v2": cohere_v2,
    "ollama_chat": ollama_chat,
    "anthropic_messages": anthropic_messages,
    "gemini_generate": gemini_generate,
    "bedrock_converse": bedrock_converse,
}


@pytest.fixture
def read_naively() -> Callable[[str, Recording], Reading]:
    """Reads a recording of this wire."""
    return lambda wire, recording: READERS[wire](recording)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of the recordings, where they were replayed."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    lines = list(table(reports))
    if not lines:
        return
    directory = recordings_directory()
    rows = list(read_index(directory)) if directory else []
    terminalreporter.section(f"{len(rows)} recordings")
    for line in (*lines, "not replayed there:", *left_out(rows)):
        terminalreporter.write_line(line)
