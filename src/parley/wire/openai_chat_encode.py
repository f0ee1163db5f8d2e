"""Writes a request down as the body of OpenAI's chat wire. Knows the dialect's options, and nothing of replies.

https://platform.openai.com/docs/api-reference/chat/create; request bodies in recordings of 2024 to 2026.
"""

from __future__ import annotations

from typing import Any

from parley.contract.errors import FieldProblem, InvalidRequestError
from parley.contract.http import Target
from parley.contract.messages import CacheLifetime, FilePart, ImagePart, Message, Part, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.options import NamedToolChoice, SchemaFormat, Tool
from parley.contract.request import ChatRequest
from parley.wire.history import EncodingWarnings, data_url, own_data, result_media, result_text
from parley.wire.json_events import decode_object
from parley.wire.json_values import json_text, object_of
from parley.wire.openai_chat_dialect import WIRE_NAME, ChatDialect
from parley.wire.schema import SchemaSubset
from parley.wire.schema_report import FORMAT_PATH, SchemaReport, tool_path
from parley.wire.structured_output import TOOL_DESCRIPTION, json_instruction, structured_tool_name

_AUDIO_FORMATS = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/aac": "aac",
    "audio/mp4": "m4a",
    "audio/x-m4a": "m4a",
}
_PLAIN_OPTIONS = ("temperature", "top_p", "top_k", "stop", "seed", "frequency_penalty", "presence_penalty")


class ConversationWriter:
    """Writes the messages of one request, in order. Tool ids, warnings and media of tool results live as long as it does."""

    def __init__(self, dialect: ChatDialect, *, target: Target, warnings: EncodingWarnings) -> None:
        self._dialect = dialect
        self._provider = target.provider
        self._warnings = warnings
        self._cache_markers = target.capabilities.cache_markers is True
        self._ids = dialect.tool_ids()
        self._written: list[dict[str, Any]] = []
        self._media: list[Part] = []

    def write(self, request: ChatRequest, *, system_prompt: str) -> list[dict[str, Any]]:
        """The wire's `messages`. Raises InvalidRequestError where a part stands in a message that cannot hold it."""
        if system_prompt:
            self._written.append({"role": "system", "content": system_prompt})
        for position, message in enumerate(request.messages):
            if message.role in {"user", "tool"}:
                self._write_user(message, position)
            elif message.role == "assistant":
                self._flush_media()
                self._write_assistant(message, position)
            else:
                self._flush_media()
                self._written.append({"role": "system", "content": self._texts(message, position)})
        self._flush_media()
        return self._written

    def _write_user(self, message: Message, position: int) -> None:
        """Tool results first, each a message of its own: this wire wants them right after their calls."""
        rest: list[Part] = []
        for part in message.parts:
            if isinstance(part, ToolResult):
                self._write_result(part)
            elif message.role == "tool" or isinstance(part, (ToolCall, ReasoningPart)):
                raise misplaced(part, message, position)
            else:
                rest.append(part)
        if not rest and message.role == "tool":
            return
        self._flush_media()
        if rest:
            self._written.append({"role": "user", "content": self._content(rest)})
        elif not message.parts:
            self._written.append({"role": "user", "content": ""})

    def _write_result(self, result: ToolResult) -> None:
        content: Any = result_text(result)
        if result.cache and self._cache_markers:
            content = [{"type": "text", "text": content, "cache_control": cache_control(result.cache)}]
        self._written.append({"role": "tool", "tool_call_id": self._ids.result(result.tool_call_id), "content": content})
        self._media += result_media(result)

    def _flush_media(self) -> None:
        """Tool messages hold text alone: the images and files of a run of results follow it as a user's message."""
        if self._media:
            media, self._media = self._media, []
            self._written.append({"role": "user", "content": self._content([TextPart(text="Attached to the tool results:"), *media])})

    def _write_assistant(self, message: Message, position: int) -> None:
        written: dict[str, Any] = {"role": "assistant"}
        content: list[dict[str, Any]] = []
        calls: list[dict[str, Any]] = []
        for part in message.parts:
            if isinstance(part, TextPart):
                self._own(part)
                if part.text:
                    content.append(self._text(part))
            elif isinstance(part, ToolCall):
                calls.append(self._call(part))
            elif isinstance(part, ReasoningPart):
                self._write_reasoning(part, written, content)
            elif isinstance(part, (ImagePart, FilePart)):
                self._write_generated(part, written)
            else:
                raise misplaced(part, message, position)
        if all(chunk.keys() == {"type", "text"} for chunk in content):
            written["content"] = "".join(chunk["text"] for chunk in content) or (None if calls else "")
        else:
            written["content"] = content
        if calls:
            written["tool_calls"] = calls
        self._written.append(written)

    def _write_reasoning(self, part: ReasoningPart, written: dict[str, Any], content: list[dict[str, Any]]) -> None:
        """Back to whom it came from, in the form it had; another vendor's thought is left out."""
        own = object_of(self._own(part))
        field = self._dialect.reasoning_field
        written.update(object_of(own.get("message")))
        if own.get("details"):
            written.setdefault("reasoning_details", []).extend(own["details"])
        elif not field or not part.text or (part.provider_data is not None and not own) or part.signature:
            return
        elif field == "thinking":
            content.append({"type": "thinking", "thinking": [{"type": "text", "text": part.text}]})
        else:
            written[field] = written.get(field, "") + part.text

    def _write_generated(self, part: ImagePart | FilePart, written: dict[str, Any]) -> None:
        own = object_of(self._own(part))
        if object_of(own.get("audio")).get("id"):
            written["audio"] = {"id": own["audio"]["id"]}
        elif own.get("image"):
            written.setdefault("images", []).append(own["image"])
        else:
            self._warnings.add(
                "assistant_media_dropped", f"{self._provider} takes no images or files in an assistant's message; they were left out"
            )

    def _call(self, call: ToolCall) -> dict[str, Any]:
        own = object_of(self._own(call))
        written: dict[str, Any] = {"id": self._ids.call(call.id)}
        if own.get("custom"):
            return {**written, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
        # What is no JSON object (a vendor's free-form call, a model's slip) would be refused as history for ever.
        arguments = (
            call.arguments if decode_object(call.arguments.encode("utf-8", "replace")) is not None else json_text({"input": call.arguments})
        )
        written |= {"type": "function", "function": {"name": call.name, "arguments": arguments}}
        if own.get("extra_content"):
            written["extra_content"] = own["extra_content"]
        return written

    def _own(self, part: Part) -> Any:
        return own_data(part, WIRE_NAME, provider=self._provider, warnings=self._warnings)

    def _texts(self, message: Message, position: int) -> Any:
        for part in message.parts:
            if not isinstance(part, TextPart):
                raise misplaced(part, message, position)
        texts = [part for part in message.parts if isinstance(part, TextPart)]
        if self._cache_markers and any(part.cache for part in texts):
            return [self._text(part) for part in texts]
        return "\n\n".join(part.text for part in texts)

    def _content(self, parts: list[Part]) -> Any:
        if len(parts) == 1 and isinstance(parts[0], TextPart) and not (parts[0].cache and self._cache_markers):
            self._own(parts[0])
            return parts[0].text
        return [self._part(part) for part in parts]

    def _part(self, part: Part) -> dict[str, Any]:
        self._own(part)
        if isinstance(part, TextPart):
            return self._text(part)
        written = self._image(part) if isinstance(part, ImagePart) else file_part(part) if isinstance(part, FilePart) else {}
        if part.cache and self._cache_markers:
            written["cache_control"] = cache_control(part.cache)
        return written

    def _text(self, part: TextPart) -> dict[str, Any]:
        written: dict[str, Any] = {"type": "text", "text": part.text}
        if part.cache and self._cache_markers:
            written["cache_control"] = cache_control(part.cache)
        return written

    def _image(self, part: ImagePart) -> dict[str, Any]:
        image: dict[str, Any] = {"url": data_url(part)}
        if part.detail:
            image["detail"] = part.detail
        return {"type": "image_url", "image_url": image}


def file_part(part: FilePart) -> dict[str, Any]:
    """Audio and video have types of their own on this wire; anything else is a file, by its data, its URL (OpenRouter) or its id."""
    audio_format = _AUDIO_FORMATS.get(part.media_type)
    if audio_format and part.data is not None:
        return {"type": "input_audio", "input_audio": {"data": part.data, "format": audio_format}}
    if part.media_type.startswith("video/") and part.id is None:
        return {"type": "video_url", "video_url": {"url": data_url(part)}}
    if part.id is not None:
        return {"type": "file", "file": {"file_id": part.id}}
    return {"type": "file", "file": {"filename": part.name or "file", "file_data": data_url(part)}}


def cache_control(lifetime: CacheLifetime) -> dict[str, str]:
    """Anthropic's cache marker, which OpenRouter and others pass through; five minutes is its default."""
    return {"type": "ephemeral"} if lifetime == "5m" else {"type": "ephemeral", "ttl": lifetime}


def misplaced(part: Part, message: Message, position: int) -> InvalidRequestError:
    """A part in a message that cannot hold it."""
    kind = type(part).__struct_config__.tag
    problem = f"messages[{position}]: a part of type {kind} cannot stand in a message of role {message.role}"
    return InvalidRequestError(problem, fields=[FieldProblem(path=f"messages[{position}].content", message=problem)])


def write_body(dialect: ChatDialect, request: ChatRequest, *, target: Target, stream: bool, warnings: EncodingWarnings) -> dict[str, Any]:
    """The whole body, before the model's rules."""
    options = request.options
    mode = target.capabilities.structured_output or "native"
    system_prompt = request.system_prompt or ""
    if mode == "prompt":
        system_prompt = "\n\n".join(text for text in (system_prompt, json_instruction(request)) if text)
    writer = ConversationWriter(dialect, target=target, warnings=warnings)
    body: dict[str, Any] = {"model": target.model, "messages": writer.write(request, system_prompt=system_prompt)}
    for name in _PLAIN_OPTIONS:
        if getattr(options, name) is not None:
            body[name] = getattr(options, name)
    if options.max_tokens is not None:
        body[dialect.max_tokens_field] = options.max_tokens
    if options.reasoning_effort is not None:
        _write_effort(dialect, options.reasoning_effort, body)
    report = SchemaReport(provider=target.provider, strict=request.strict_options, warnings=warnings)
    _write_tools(request, body, subset=dialect.schema_subset, report=report)
    if mode == "native" and isinstance(options.response_format, SchemaFormat):
        _write_schema(options.response_format, body, subset=dialect.schema_subset, report=report)
    else:
        _write_response_format(request, mode=mode, takes_json=target.capabilities.response_format is True, body=body)
    if stream:
        body["stream"] = True
        if dialect.stream_usage:
            body["stream_options"] = {"include_usage": True}
    body.update(options.extra)
    return body


def _write_effort(dialect: ChatDialect, effort: str, body: dict[str, Any]) -> None:
    if dialect.effort_field == "reasoning":
        body["reasoning"] = {"effort": effort}
    else:
        body["reasoning_effort"] = effort


def _write_tools(request: ChatRequest, body: dict[str, Any], *, subset: SchemaSubset | None, report: SchemaReport) -> None:
    options = request.options
    if options.tools:
        body["tools"] = [_declared(tool, number, subset=subset, report=report) for number, tool in enumerate(options.tools)]
        if options.parallel_tool_calls is not None:
            body["parallel_tool_calls"] = options.parallel_tool_calls
    choice = options.tool_choice
    if isinstance(choice, NamedToolChoice):
        body["tool_choice"] = _named(choice.name)
    elif choice is not None and options.tools:
        body["tool_choice"] = choice


def _declared(tool: Tool, number: int, *, subset: SchemaSubset | None, report: SchemaReport) -> dict[str, Any]:
    """A tool whose arguments are not to be enforced goes as it is."""
    parameters, strict = tool.parameters, tool.strict
    if strict:
        parameters, strict = report.enforce(parameters, subset, where=tool_path(number), strict=strict)
    return _tool(name=tool.name, description=tool.description, parameters=parameters, strict=strict)


def _write_schema(wanted: SchemaFormat, body: dict[str, Any], *, subset: SchemaSubset | None, report: SchemaReport) -> None:
    schema, strict = report.enforce(wanted.schema, subset, where=FORMAT_PATH, strict=wanted.strict)
    body["response_format"] = {"type": "json_schema", "json_schema": {"name": wanted.name, "schema": schema, "strict": strict}}


def _write_response_format(request: ChatRequest, *, mode: str, takes_json: bool, body: dict[str, Any]) -> None:
    """By the prompt, `json_object` is asked for too where the vendor is known to take the field."""
    wanted = request.options.response_format
    if wanted is None or wanted == "text":
        return
    if mode == "tool" and isinstance(wanted, SchemaFormat):
        name = structured_tool_name(request)
        tool = _tool(name=name, description=TOOL_DESCRIPTION, parameters=wanted.schema, strict=None)
        body["tools"] = [*body.get("tools", []), tool]
        body["tool_choice"] = "required" if request.options.tools else _named(name)
    elif mode != "prompt" or takes_json:
        body["response_format"] = {"type": "json_object"}


def _tool(*, name: str, description: str | None, parameters: dict[str, Any], strict: bool | None) -> dict[str, Any]:
    function: dict[str, Any] = {"name": name}
    if description is not None:
        function["description"] = description
    function["parameters"] = parameters
    if strict is not None:
        function["strict"] = strict
    return {"type": "function", "function": function}


def _named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}
