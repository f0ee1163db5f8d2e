"""What a recorded reply says of itself: its parts, and the counts that its vendor gave. Reads whole and streamed bodies of seven wires."""

from __future__ import annotations

import json
from typing import Any

from msgspec import Struct

from parley.contract.messages import Part, ReasoningPart, TextPart, ToolCall
from parley.testing.recordings import Recording


class Counted(Struct, kw_only=True):
    """A reply as far as counting goes."""

    parts: list[Part] = []
    prompt: int | None = None
    output: int | None = None


class Unreadable(Exception):
    """Something in an exchange hides tokens; the sample is left out."""


def read_reply(recording: Recording) -> Counted:
    reader = {
        "openai-chat": _chat_reply,
        "anthropic": _messages_reply,
        "gemini": _gemini_reply,
        "openai-responses": _responses_reply,
        "cohere-v2": _cohere_reply,
        "bedrock-converse": _bedrock_reply,
        "ollama": _ollama_reply,
    }[recording.wire_family]
    return reader(_documents(recording))


def _documents(recording: Recording) -> list[dict[str, Any]]:
    """The JSON objects of a reply, whatever its framing."""
    text = recording.body.decode()
    if text.lstrip()[:1] == "[":
        return json.loads(text)
    if not recording.streaming:
        return [json.loads(text)]
    lines = (line.removeprefix("data:").strip() for line in text.splitlines())
    return [json.loads(line) for line in lines if line.startswith("{")]


def _chat_reply(documents: list[dict[str, Any]]) -> Counted:
    text = reasoning = ""
    calls: dict[int, list[str]] = {}
    usage: dict[str, Any] = {}
    for document in documents:
        usage = document.get("usage") or (document.get("x_groq") or {}).get("usage") or usage
        for choice in document.get("choices") or []:
            if choice.get("index"):
                raise Unreadable("several answers")
            delta = choice.get("delta") or choice.get("message") or {}
            content = delta.get("content")
            if isinstance(content, list):
                raise Unreadable("parts")
            text += content or delta.get("refusal") or ""
            reasoning += delta.get("reasoning_content") or delta.get("reasoning") or ""
            for position, call in enumerate(delta.get("tool_calls") or []):
                held = calls.setdefault(call.get("index", position), ["", ""])
                function = call.get("function") or {}
                held[0] = held[0] or function.get("name") or ""
                held[1] += function.get("arguments") or ""
    output = usage.get("completion_tokens")
    hidden = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or usage.get("reasoning_tokens") or 0
    if output is not None and not reasoning and hidden:
        output = output - hidden if output > hidden else None
    return Counted(parts=_parts(text, reasoning, list(calls.values())), prompt=usage.get("prompt_tokens"), output=output)


def _parts(text: str, reasoning: str, calls: list[list[str]]) -> list[Part]:
    thought: list[Part] = [ReasoningPart(text=reasoning)] if reasoning else []
    said: list[Part] = [TextPart(text=text)] if text else []
    return [*thought, *said, *(ToolCall(id=str(index), name=name, arguments=arguments) for index, (name, arguments) in enumerate(calls))]


def _messages_reply(documents: list[dict[str, Any]]) -> Counted:
    text = ""
    calls: list[list[str]] = []
    usage: dict[str, Any] = {}
    for document in documents:
        message = document.get("message") or document
        usage |= {name: value for name, value in (message.get("usage") or document.get("usage") or {}).items() if value is not None}
        for block in [*(message.get("content") or []), document.get("content_block") or {}]:
            match block.get("type"):
                case None | "text":
                    text += block.get("text") or ""
                case "tool_use":
                    calls.append([block["name"], json.dumps(block["input"]) if block["input"] else ""])
                case other:
                    raise Unreadable(other)
        delta = document.get("delta") or {}
        text += delta.get("text") or ""
        if delta.get("partial_json"):
            calls[-1][1] += delta["partial_json"]
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return Counted(
        parts=_parts(text, "", calls), prompt=sum(usage.get(name) or 0 for name in names) or None, output=usage.get("output_tokens")
    )


def _gemini_reply(documents: list[dict[str, Any]]) -> Counted:
    text = thought = ""
    calls: list[list[str]] = []
    usage: dict[str, Any] = {}
    for document in documents:
        usage = document.get("usageMetadata") or usage
        for candidate in document.get("candidates") or []:
            for part in (candidate.get("content") or {}).get("parts") or []:
                if call := part.get("functionCall"):
                    calls.append([call["name"], json.dumps(call.get("args") or {})])
                elif part.get("thought"):
                    thought += part.get("text") or ""
                elif part.keys() - {"text", "thoughtSignature"}:
                    raise Unreadable("a hosted tool")
                else:
                    text += part.get("text") or ""
    return Counted(parts=_parts(text, "", calls), prompt=usage.get("promptTokenCount"), output=usage.get("candidatesTokenCount"))


def _responses_reply(documents: list[dict[str, Any]]) -> Counted:
    final = documents[-1].get("response") or documents[-1]
    text = ""
    calls: list[list[str]] = []
    for item in final["output"]:
        match item["type"]:
            case "message":
                text += "".join(piece.get("text") or piece.get("refusal") or "" for piece in item["content"])
            case "function_call":
                calls.append([item["name"], item["arguments"]])
            case "reasoning":
                continue
            case other:
                raise Unreadable(other)
    usage = final["usage"]
    hidden = (usage.get("output_tokens_details") or {}).get("reasoning_tokens") or 0
    output = usage["output_tokens"] - hidden
    return Counted(parts=_parts(text, "", calls), prompt=usage["input_tokens"], output=output if output > 0 else None)


def _cohere_reply(documents: list[dict[str, Any]]) -> Counted:
    text = ""
    calls: list[list[str]] = []
    usage: dict[str, Any] = {}
    for document in documents:
        delta = document.get("delta") or {}
        message = document.get("message") or delta.get("message") or {}
        usage = document.get("usage") or delta.get("usage") or usage
        content = message.get("content") or []
        for piece in content if isinstance(content, list) else [content]:
            text += piece.get("text") or ""
            if piece.get("thinking"):
                raise Unreadable("thinking")
        text += message.get("tool_plan") or ""
        given = message.get("tool_calls") or []
        for call in given if isinstance(given, list) else [given]:
            function = call["function"]
            if "name" in function:
                calls.append([function["name"], function.get("arguments") or ""])
            else:
                calls[-1][1] += function["arguments"]
    tokens = usage.get("tokens") or {}
    return Counted(parts=_parts(text, "", calls), prompt=_whole(tokens.get("input_tokens")), output=_whole(tokens.get("output_tokens")))


def _whole(count: float | None) -> int | None:
    return None if count is None else int(count)


def _bedrock_reply(documents: list[dict[str, Any]]) -> Counted:
    text = ""
    calls: list[list[str]] = []
    for block in documents[0]["output"]["message"]["content"]:
        if "text" in block:
            text += block["text"]
        elif use := block.get("toolUse"):
            calls.append([use["name"], json.dumps(use["input"])])
        else:
            raise Unreadable(str(block.keys()))
    usage = documents[0]["usage"]
    cached = (usage.get("cacheReadInputTokens") or 0) + (usage.get("cacheWriteInputTokens") or 0)
    return Counted(parts=_parts(text, "", calls), prompt=usage["inputTokens"] + cached, output=usage["outputTokens"])


def _ollama_reply(documents: list[dict[str, Any]]) -> Counted:
    text = "".join((document.get("message") or {}).get("content") or "" for document in documents)
    thought = "".join((document.get("message") or {}).get("thinking") or "" for document in documents)
    calls = [
        [call["function"]["name"], json.dumps(call["function"]["arguments"])]
        for document in documents
        for call in (document.get("message") or {}).get("tool_calls") or []
    ]
    return Counted(
        parts=_parts(text, thought, calls), prompt=documents[-1].get("prompt_eval_count"), output=documents[-1].get("eval_count")
    )
