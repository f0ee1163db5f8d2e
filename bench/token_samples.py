"""What the recordings tell of token counts: a request, what the vendor counted for it, an answer, and its count. Knows no tokenizer.

Requests are read from each wire's body into the contract's form; what hides tokens from the reader (hosted tools, files by id,
thinking that is only summarised, state kept by the vendor) leaves that count out instead of blaming the counter for it.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from token_replies import Unreadable, read_reply

from parley.contract.messages import ImagePart, Message, Part, ReasoningPart, Role, TextPart, ToolCall, ToolResult
from parley.contract.options import Options, SchemaFormat, Tool
from parley.contract.request import ChatRequest
from parley.testing.recordings import Recording, find_recordings, load_recording

WIRES = {"openai-chat", "anthropic", "gemini", "openai-responses", "cohere-v2", "bedrock-converse", "ollama"}
# Their prompt is not the one that was sent: they search first, or fill it in.
FOREIGN_PROMPTS = {"perplexity", "github-copilot-responses", "heroku"}


class Sample(Struct, frozen=True, kw_only=True):
    """One exchange. `prompt_tokens` and `output_tokens` as the vendor counted, None where they cannot be held against the text."""

    file: str
    provider: str
    model: str
    request: ChatRequest
    output: list[Part]
    prompt_tokens: int | None
    output_tokens: int | None
    streamed: bool

    @property
    def kind(self) -> str:
        """What the prompt holds beside text: "images", "tools", "schema" or "plain"."""
        parts = [part for message in self.request.messages for part in message.parts]
        if any(isinstance(part, ImagePart) for part in parts):
            return "images"
        if self.request.options.tools or any(isinstance(part, ToolCall | ToolResult) for part in parts):
            return "tools"
        return "schema" if isinstance(self.request.options.response_format, SchemaFormat) else "plain"

    @property
    def output_kind(self) -> str:
        """What was written: "tools", "reasoning" or "plain"."""
        if any(isinstance(part, ToolCall) for part in self.output):
            return "tools"
        return "reasoning" if any(isinstance(part, ReasoningPart) and part.text for part in self.output) else "plain"


def samples() -> Iterator[Sample]:
    """Every recorded exchange whose request and usage can be held against each other."""
    for path in find_recordings():
        recording = load_recording(path)
        if recording.wire_family not in WIRES or recording.status != 200 or recording.request is None:
            continue
        body = recording.request.body
        if not isinstance(body, dict) or "error" in recording.kind:
            continue
        try:
            request, reply = _request(recording, body), read_reply(recording)
        except (Unreadable, KeyError, TypeError, ValueError, AttributeError, IndexError):
            continue
        hidden = recording.provider in FOREIGN_PROMPTS or "REDACTED" in json.dumps(body) or _is_asked_twice(recording, body, reply.parts)
        yield Sample(
            file=recording.file,
            provider=recording.provider,
            model=_model(recording, body),
            request=request,
            output=reply.parts,
            prompt_tokens=None if hidden or _hides_prompt(body) else reply.prompt,
            output_tokens=reply.output if reply.parts and "REDACTED" not in recording.body.decode(errors="replace") else None,
            streamed=recording.streaming,
        )


def _model(recording: Recording, body: dict[str, Any]) -> str:
    path = urllib.parse.unquote(recording.request.path) if recording.request else ""
    if "/model/" in path:
        return path.split("/model/")[1].split("/")[0]
    if "/models/" in path and ":" in path:
        return path.split("/models/")[1].split(":")[0]
    return str(body.get("model") or recording.model or "")


def _is_asked_twice(recording: Recording, body: dict[str, Any], written: list[Part]) -> bool:
    """Ollama holds a model to a form once it has thought: it is asked again, with its thought, and that is what is counted."""
    is_held = bool(body.get("format") or body.get("response_format"))
    return recording.provider.startswith("ollama") and is_held and any(isinstance(part, ReasoningPart) for part in written)


def _hides_prompt(body: dict[str, Any]) -> bool:
    hosted = any(
        isinstance(tool, dict)
        and (
            tool.get("type") not in {None, "function", "custom"}
            or {"googleSearch", "google_search", "codeExecution", "urlContext", "code_execution"} & tool.keys()
        )
        for tool in body.get("tools") or []
    )
    state = any(
        body.get(name)
        for name in (
            "previous_response_id",
            "conversation",
            "documents",
            "web_search_options",
            "mcp_servers",
            "container",
            "context_management",
            "prompt",
            "cachedContent",
            "plugins",
        )
    )
    return (
        hosted
        or state
        or (
            isinstance(body.get("model"), str)
            and ("search" in body["model"] or ":online" in body["model"] or body["model"].startswith("groq/"))
        )
    )


def _request(recording: Recording, body: dict[str, Any]) -> ChatRequest:
    reader = {"gemini": _gemini_request, "openai-responses": _responses_request, "bedrock-converse": _bedrock_request}.get(
        recording.wire_family, _chat_request
    )
    return reader(body)


def _chat_request(body: dict[str, Any]) -> ChatRequest:
    """Chat completions, Messages, Cohere and Ollama have the same outline."""
    messages = [message for entry in body["messages"] for message in _chat_messages(entry)]
    system = body.get("system")
    return ChatRequest(
        messages=messages,
        system_prompt=system if isinstance(system, str) else "\n\n".join(part["text"] for part in system or []) or None,
        options=Options(
            model=body.get("model"),
            tools=[_tool(tool) for tool in body.get("tools") or []] or None,
            response_format=_schema(
                body.get("response_format")
                or (body.get("output_config") or {}).get("format")
                or body.get("output_format")
                or body.get("format")
            ),
            reasoning_effort="high" if _reasons(body) else None,
        ),
    )


def _reasons(body: dict[str, Any]) -> bool:
    """Whether reasoning was asked for, in whatever words."""
    thinking = body.get("thinking")
    asked = thinking.get("type") not in {None, "disabled"} if isinstance(thinking, dict) else bool(thinking)
    reasoning = body.get("reasoning") or {}
    effort = body.get("reasoning_effort") or (reasoning.get("effort") if isinstance(reasoning, dict) else None)
    return (
        asked
        or effort not in {None, "none"}
        or (isinstance(reasoning, dict) and bool(reasoning.get("enabled") or reasoning.get("max_tokens")))
    )


def _schema(given: Any) -> SchemaFormat | None:
    if not isinstance(given, dict):
        return None
    if given.get("type") == "json_object":
        return SchemaFormat(name="", schema=given["schema"]) if given.get("schema") else None
    inner = given.get("json_schema") or given
    schema = inner.get("schema") or (given if "properties" in given else None)
    return SchemaFormat(name=inner.get("name") or "", schema=schema) if schema else None


def _tool(given: dict[str, Any]) -> Tool:
    inner = given.get("function") or given.get("toolSpec") or given
    schema = inner.get("parameters") or inner.get("input_schema") or (inner.get("inputSchema") or {}).get("json") or {}
    return Tool(name=inner["name"], description=inner.get("description"), parameters=schema, strict=inner.get("strict"))


def _chat_messages(entry: dict[str, Any]) -> Iterator[Message]:
    role: Role = {"developer": "system", "function": "tool"}.get(entry["role"], entry["role"])
    content = entry.get("content")
    if role == "tool":
        text = (
            content
            if isinstance(content, str)
            else "".join(block.get("text") or json.dumps(block.get("document") or "") for block in content or [])
        )
        yield Message(role="tool", content=[ToolResult(tool_call_id=entry.get("tool_call_id") or "", content=text)])
        return
    parts: list[Part] = []
    if entry.get("reasoning_content"):
        parts.append(ReasoningPart(text=entry["reasoning_content"]))
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    for block in blocks:
        parts += _block(block)
    parts += [ImagePart(data=image) for image in entry.get("images") or []]
    if isinstance(entry.get("tool_plan"), str):
        parts.append(TextPart(text=entry["tool_plan"]))
    for call in entry.get("tool_calls") or []:
        arguments = call["function"]["arguments"]
        parts.append(
            ToolCall(
                id=call.get("id") or "",
                name=call["function"]["name"],
                arguments=arguments if isinstance(arguments, str) else json.dumps(arguments),
            )
        )
    results = [part for part in parts if isinstance(part, ToolResult)]
    rest = [part for part in parts if not isinstance(part, ToolResult)]
    if results:
        yield Message(role="tool", content=list(results))
    if rest:
        yield Message(role=role, content=rest)


def _block(block: dict[str, Any]) -> list[Part]:
    match block.get("type"):
        case "text" | "input_text" | "output_text":
            return [TextPart(text=block["text"])]
        case "image_url" | "input_image":
            given = block.get("image_url")
            url = given if isinstance(given, str) else (given or {}).get("url")
            if not url or not url.startswith("data:"):
                raise Unreadable("an image whose size nobody here knows")
            detail = block.get("detail") or (given.get("detail") if isinstance(given, dict) else None)
            return [ImagePart(data=url.split(",", 1)[1], media_type=url[5:].split(";")[0], detail=detail)]
        case "image" if block["source"].get("data"):
            return [ImagePart(data=block["source"]["data"], media_type=block["source"]["media_type"])]
        case "tool_use":
            return [ToolCall(id=block["id"], name=block["name"], arguments=json.dumps(block["input"]))]
        case "tool_result":
            inner = block.get("content") or ""
            text = inner if isinstance(inner, str) else "".join(piece["text"] for piece in inner)
            return [ToolResult(tool_call_id=block["tool_use_id"], content=text)]
        case "thinking":
            return [ReasoningPart(text=block["thinking"])]
        case other:
            raise Unreadable(str(other))


def _gemini_request(body: dict[str, Any]) -> ChatRequest:
    system = body.get("systemInstruction") or body.get("system_instruction") or {}
    tools = [
        declaration
        for tool in body.get("tools") or []
        for declaration in tool.get("functionDeclarations") or tool.get("function_declarations") or []
    ]
    settings = body.get("generationConfig") or {}
    schema = settings.get("responseSchema") or settings.get("responseJsonSchema") or settings.get("response_schema")
    messages: list[Message] = []
    for content in body["contents"]:
        parts = [_gemini_part(part) for part in content["parts"]]
        role: Role = "assistant" if content.get("role") == "model" else "tool" if isinstance(parts[0], ToolResult) else "user"
        messages.append(Message(role=role, content=parts))
    return ChatRequest(
        messages=messages,
        system_prompt="".join(part["text"] for part in system.get("parts") or []) or None,
        options=Options(
            tools=[
                Tool(
                    name=tool["name"],
                    description=tool.get("description"),
                    parameters=tool.get("parameters") or tool.get("parametersJsonSchema") or {},
                )
                for tool in tools
            ]
            or None,
            response_format=SchemaFormat(name="", schema=schema) if schema else None,
        ),
    )


def _gemini_part(part: dict[str, Any]) -> Part:
    if "text" in part:
        return TextPart(text=part["text"])
    if call := part.get("functionCall"):
        return ToolCall(id="", name=call["name"], arguments=json.dumps(call.get("args") or {}))
    if result := part.get("functionResponse"):
        return ToolResult(tool_call_id="", content=json.dumps(result["response"]))
    data = part.get("inlineData") or part.get("inline_data") or {}
    kind = data.get("mimeType") or data.get("mime_type") or ""
    if kind.startswith("image/"):
        return ImagePart(data=data["data"], media_type=kind)
    raise Unreadable(f"{part.keys()}")


def _responses_request(body: dict[str, Any]) -> ChatRequest:
    given = body["input"]
    messages = (
        [Message(role="user", content=given)]
        if isinstance(given, str)
        else [_responses_item(item) for item in given if item.get("type") != "reasoning"]
    )
    if isinstance(given, list) and any(item.get("type") == "reasoning" for item in given):
        raise Unreadable("reasoning that only its vendor can read")
    text_format = (body.get("text") or {}).get("format")
    return ChatRequest(
        messages=messages,
        system_prompt=body.get("instructions"),
        options=Options(
            model=body.get("model"),
            tools=[_tool(tool) for tool in body.get("tools") or [] if tool.get("type") == "function"] or None,
            response_format=_schema(text_format),
            reasoning_effort="high" if _reasons(body) else None,
        ),
    )


def _responses_item(item: dict[str, Any]) -> Message:
    match item.get("type") or "message":
        case "message":
            content = item["content"]
            role: Role = {"developer": "system"}.get(item["role"], item["role"])
            return Message(
                role=role, content=content if isinstance(content, str) else [part for block in content for part in _block(block)]
            )
        case "function_call":
            return Message(role="assistant", content=[ToolCall(id=item["call_id"], name=item["name"], arguments=item["arguments"])])
        case "function_call_output":
            return Message(role="tool", content=[ToolResult(tool_call_id=item["call_id"], content=str(item["output"]))])
        case other:
            raise Unreadable(other)


def _bedrock_request(body: dict[str, Any]) -> ChatRequest:
    def part(block: dict[str, Any]) -> list[Part]:
        if "text" in block:
            return [TextPart(text=block["text"])]
        if use := block.get("toolUse"):
            return [ToolCall(id=use["toolUseId"], name=use["name"], arguments=json.dumps(use["input"]))]
        if result := block.get("toolResult"):
            return [
                ToolResult(
                    tool_call_id=result["toolUseId"],
                    content="".join(piece.get("text") or json.dumps(piece.get("json")) for piece in result["content"]),
                )
            ]
        if "cachePoint" in block:
            return []
        raise Unreadable(f"{block.keys()}")

    messages: list[Message] = []
    for entry in body["messages"]:
        parts = [piece for block in entry["content"] for piece in part(block)]
        messages.append(Message(role="tool" if isinstance(parts[0], ToolResult) else entry["role"], content=parts))
    tools = [_tool(tool) for tool in (body.get("toolConfig") or {}).get("tools") or [] if "toolSpec" in tool]
    return ChatRequest(
        messages=messages,
        system_prompt="\n".join(block["text"] for block in body.get("system") or [] if "text" in block) or None,
        options=Options(tools=tools or None),
    )
