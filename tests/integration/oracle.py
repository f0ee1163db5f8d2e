"""What a recorded exchange says, read as plainly as can be: a second opinion on the codecs that shares no code with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from parley.testing.recordings import Recording


@dataclass
class Expected:
    """Text, tool calls as (name, arguments), reported counts (None = not reported) and the vendor's finish word."""

    text: str = ""
    tool_calls: list[tuple[str, Any]] = field(default_factory=list)
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    finish: str | None = None
    ended: bool = False


def documents(recording: Recording) -> Iterator[dict[str, Any]]:
    """Every JSON object of the reply in order: SSE data lines, a JSON array, or the one document."""
    body = recording.body.decode()
    if recording.streaming and "data:" in body:
        for line in body.replace("\r", "\n").split("\n"):
            data = line.strip().removeprefix("data:").strip()
            if line.strip().startswith("data:") and data and data != "[DONE]":
                yield json.loads(data)
        return
    whole = json.loads(body)
    yield from whole if isinstance(whole, list) else [whole]


def parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


def chat_text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content if part.get("type") == "text")
    return json.dumps(content, separators=(",", ":")) if content is not None else ""


def openai_chat(recording: Recording) -> Expected:
    expected, calls = Expected(), {}
    for document in documents(recording):
        usage = document.get("usage") or (document.get("x_groq") or {}).get("usage")
        choices = [choice for choice in document.get("choices") or [] if choice.get("index", 0) == 0]
        for choice in choices:
            message = (choice.get("delta") if recording.streaming else choice.get("message")) or choice.get("message") or {}
            expected.text += chat_text(message.get("content"))
            for position, call in enumerate(message.get("tool_calls") or []):
                function = call.get("function") or {"name": call["custom"]["name"], "arguments": call["custom"]["input"]}
                known = calls.setdefault(call.get("index", position), ["", ""])
                known[0] = function.get("name") or known[0]
                known[1] += function.get("arguments") or ""
            if (legacy := message.get("function_call")) and any(legacy.values()):
                known = calls.setdefault(0, ["", ""])
                known[0] = legacy.get("name") or known[0]
                known[1] += legacy.get("arguments") or ""
            expected.finish = choice.get("finish_reason") or expected.finish
            usage = usage or choice.get("usage")
        if usage:
            prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
            hidden = max(0, (usage.get("total_tokens") or 0) - prompt - completion) if None not in {prompt, completion} else 0
            if hidden and hidden == (usage.get("prompt_tokens_details") or {}).get("audio_tokens"):
                prompt += hidden  # audio that is counted beside the text of the prompt
            elif hidden:
                completion += hidden  # reasoning that is counted beside the completion, or in the total alone
            expected.prompt_tokens, expected.completion_tokens = prompt, completion
    expected.tool_calls = [(name, parsed(arguments)) for name, arguments in calls.values()]
    return expected


def anthropic_messages(recording: Recording) -> Expected:
    expected, blocks, usage, current = Expected(), {}, {}, [{}, ""]
    for number, document in enumerate(documents(recording)):
        kind = document.get("type")
        message = document if kind == "message" else document.get("message") or {}
        for index, block in enumerate(message.get("content") or []):
            blocks[number, index] = [block, ""]
        if kind == "content_block_start":
            current = blocks[number, document["index"]] = [document["content_block"], ""]
        delta = document.get("delta") or {}
        if kind == "content_block_delta":
            current[1] += delta.get("text") or delta.get("partial_json") or ""
        expected.finish = delta.get("stop_reason") or message.get("stop_reason") or expected.finish
        for counts in (message.get("usage"), document.get("usage")):
            usage |= {name: value for name, value in (counts or {}).items() if value is not None}
    for block, more in blocks.values():
        if block["type"] == "text":
            expected.text += block["text"] + more
        elif block["type"] == "tool_use":
            expected.tool_calls.append((block["name"], parsed(more) if more else block["input"]))
    if usage:
        expected.prompt_tokens = sum(usage.get(f"{name}input_tokens", 0) for name in ("", "cache_read_", "cache_creation_"))
        expected.completion_tokens = usage["output_tokens"]
    return expected


def gemini_generate(recording: Recording) -> Expected:
    expected, usage = Expected(), {}
    for document in documents(recording):
        usage |= document.get("usageMetadata") or {}
        for candidate in (document.get("candidates") or [])[:1]:
            for part in (candidate.get("content") or {}).get("parts") or []:
                if "text" in part and not part.get("thought"):
                    expected.text += part["text"]
                call = part.get("functionCall")
                if call and call.get("name") and not call.get("willContinue"):
                    expected.tool_calls.append((call["name"], call.get("args", {})))
                elif call and call.get("name"):
                    expected.tool_calls.append((call["name"], ...))  # arguments follow in pieces
            reason = candidate.get("finishReason")
            expected.finish = str(reason) if reason is not None else expected.finish
    if "promptTokenCount" in usage:
        expected.prompt_tokens = usage["promptTokenCount"] + usage.get("toolUsePromptTokenCount", 0)
    if usage:
        written = [usage[name] for name in ("candidatesTokenCount", "thoughtsTokenCount") if name in usage]
        expected.completion_tokens = sum(written) if written else None
    return expected


def openai_responses(recording: Recording) -> Expected:
    expected, final, done = Expected(), {}, {}
    for document in documents(recording):
        final = document if document.get("object") == "response" else document.get("response") or final
        if document.get("type") == "response.output_item.done":
            done[document["output_index"]] = document["item"]
    for item in final.get("output") or [done[index] for index in sorted(done)]:
        if item["type"] == "message":
            expected.text += "".join(content.get("text", "") for content in item["content"])
        elif item["type"] == "function_call":
            expected.tool_calls.append((item["name"], parsed(item["arguments"])))
        elif item["type"] == "custom_tool_call":
            expected.tool_calls.append((item["name"], item["input"]))
    usage = final.get("usage") or {}
    expected.prompt_tokens, expected.completion_tokens = usage.get("input_tokens"), usage.get("output_tokens")
    expected.finish = (final.get("incomplete_details") or {}).get("reason") or final.get("status")
    return expected
