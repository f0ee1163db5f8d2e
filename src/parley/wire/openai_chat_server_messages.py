"""Reads the messages of a chat completions request into the contract's. Knows no options and fetches no URL.

https://platform.openai.com/docs/api-reference/chat/create (read 2026-11-22); `cache_control` as OpenRouter takes it, reasoning as
DeepSeek and OpenRouter give it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, cast

import msgspec

from parley.contract.messages import CacheLifetime, FilePart, ImagePart, Message, Part, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.wire.openai_chat_server_state import CallState, read_extra_content
from parley.wire.server_values import Dropped, invalid, list_at, name_at, object_at, optional_text, text_at, unsupported

Recall: TypeAlias = Callable[[str], CallState | None]
"""What is remembered of a tool call, by its id, for clients that do not bring it back."""

# Replies hold these too; clients send whole replies back, and nothing of a request depends on them.
_ECHOED = frozenset({"annotations", "images", "reasoning_details"})
_FIELDS = {
    "system": frozenset({"role", "content"}),
    "developer": frozenset({"role", "content"}),
    "user": frozenset({"role", "content"}),
    "tool": frozenset({"role", "content", "tool_call_id"}),
    "function": frozenset({"role", "content", "name"}),
    "assistant": frozenset({"role", "content", "refusal", "tool_calls", "function_call", "audio", "reasoning_content", "reasoning"})
    | _ECHOED,
}
_AUDIO_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac", "ogg": "audio/ogg", "aac": "audio/aac", "m4a": "audio/mp4"}


class MessagesReader:
    """Reads one request's messages, in order. `positions` says of each message read which one of the request it is."""

    def __init__(self, *, dropped: Dropped, recall: Recall | None) -> None:
        self._dropped = dropped
        self._recall = recall
        self._function_ids: dict[str, str] = {}
        self.messages: list[Message] = []
        self.positions: list[int] = []

    def read(self, value: Any) -> None:
        """All of them. Raises InvalidRequestError naming the place in the wire's terms."""
        for number, item in enumerate(list_at(value, "messages")):
            path = f"messages[{number}]"
            fields = object_at(item, path)
            role = fields.get("role")
            known = _FIELDS.get(role) if isinstance(role, str) else None
            if known is None:
                invalid(f"{path}.role", f"is {role!r}; use one of {', '.join(_FIELDS)}")
            if not known.issuperset(fields):
                self._name_dropped(fields, known)
            message = self._message(cast("str", role), fields, path)
            if message is not None:
                self.messages.append(message)
                self.positions.append(number)
        if not self.messages:
            invalid("messages", "expected at least one message")

    def _name_dropped(self, fields: dict[str, Any], known: frozenset[str]) -> None:
        for name in sorted(fields.keys() - known):
            if fields[name] is not None:
                self._dropped.add(f"messages.{name}")

    def _message(self, role: str, fields: dict[str, Any], path: str) -> Message | None:
        content = fields.get("content")
        if role == "user":
            return Message(role="user", content=content if isinstance(content, str) else self._parts(content, f"{path}.content"))
        if role == "assistant":
            return self._assistant(fields, path)
        if role in {"system", "developer"}:
            return self._system(content, f"{path}.content")
        return self._result(role, fields, path)

    def _system(self, content: Any, path: str) -> Message | None:
        """Clients with an empty system prompt send it all the same; no vendor takes one."""
        if isinstance(content, str):
            return Message(role="system", content=content) if content else None
        parts = self._parts(content, path)
        for number, part in enumerate(parts):
            if not isinstance(part, TextPart):
                invalid(f"{path}[{number}].type", "expected text")
        return Message(role="system", content=parts) if parts else None

    def _result(self, role: str, fields: dict[str, Any], path: str) -> Message:
        if role == "function":
            name = name_at(fields.get("name"), f"{path}.name")
            call_id = self._function_ids.get(name)
            if call_id is None:
                invalid(f"{path}.name", f'no earlier assistant message calls "{name}"')
        else:
            call_id = name_at(fields.get("tool_call_id"), f"{path}.tool_call_id")
        content = fields.get("content")
        if content is None:
            content = ""
        elif not isinstance(content, str):
            content = self._parts(content, f"{path}.content")
        result = ToolResult(tool_call_id=call_id, content=cast("str | list[TextPart | ImagePart | FilePart]", content))
        return Message(role="tool", content=[result])

    def _assistant(self, fields: dict[str, Any], path: str) -> Message:
        if fields.get("audio") is not None:
            unsupported(f"{path}.audio", "spoken answers are not kept; send its transcript as content")
        calls = self._calls(fields, path)
        content, refusal = fields.get("content"), optional_text(fields, "refusal", f"{path}.refusal")
        thought = fields.get("reasoning_content") or fields.get("reasoning")
        if (content is None or isinstance(content, str)) and not calls and not thought:
            return Message(role="assistant", content=content or refusal or "")
        parts: list[Part] = []
        # Signed thought that comes with a tool call stands before it; the readable copy of it would be said twice.
        if isinstance(thought, str) and not any(isinstance(part, ReasoningPart) for part in calls):
            parts.append(ReasoningPart(text=thought))
        if isinstance(content, str):
            parts += [TextPart(text=content)] if content else []
        elif content is not None:
            parts += self._parts(content, f"{path}.content")
        if refusal and not parts:
            parts.append(TextPart(text=refusal))
        first = next((number for number, part in enumerate(calls) if not isinstance(part, ReasoningPart)), 0)
        return Message(role="assistant", content=[*calls[:first], *parts, *calls[first:]])

    def _calls(self, fields: dict[str, Any], path: str) -> list[Part]:
        """The tool calls, each after the thought that it brought back."""
        parts: list[Part] = []
        legacy = fields.get("function_call")
        if legacy is not None:
            call = self._call({"function": legacy, "id": f"call_{path}"}, f"{path}.function_call")
            self._function_ids[call.name] = call.id
            parts.append(call)
        for number, item in enumerate(list_at(fields.get("tool_calls") or [], f"{path}.tool_calls")):
            here = f"{path}.tool_calls[{number}]"
            given = object_at(item, here)
            call = self._call(given, here)
            state = self._state(given, call.id, here)
            if state is not None:
                parts += state.reasoning
                call = msgspec.structs.replace(call, provider_data=state.provider_data)
            parts.append(call)
        return parts

    def _call(self, fields: dict[str, Any], path: str) -> ToolCall:
        if fields.get("type") == "custom":
            unsupported(f"{path}.type", "custom tools are not supported; use functions")
        function = object_at(fields.get("function"), f"{path}.function")
        arguments = function.get("arguments")
        if arguments is None:
            arguments = "{}"
        elif isinstance(arguments, dict):
            arguments = msgspec.json.encode(arguments).decode()
        return ToolCall(
            id=name_at(fields.get("id"), f"{path}.id"),
            name=name_at(function.get("name"), f"{path}.function.name"),
            arguments=text_at(arguments, f"{path}.function.arguments") or "{}",
        )

    def _state(self, fields: dict[str, Any], call_id: str, path: str) -> CallState | None:
        given = fields.get("extra_content")
        if given is None:
            return self._recall(call_id) if self._recall is not None else None
        try:
            state = read_extra_content(given)
        except msgspec.ValidationError:
            invalid(f"{path}.extra_content", "is not as it was given; send it back unchanged or leave it out")
        if state is None:
            self._dropped.add("messages.tool_calls.extra_content", "of another service means nothing here and was left out")
        return state

    def _parts(self, value: Any, path: str) -> list[Part]:
        return [self._part(item, f"{path}[{number}]") for number, item in enumerate(list_at(value, path))]

    def _part(self, value: Any, path: str) -> Part:
        if isinstance(value, str):
            return TextPart(text=value)
        fields = object_at(value, path)
        kind = fields.get("type")
        cache = _cache(fields, path)
        if kind in ("text", "refusal"):
            return TextPart(text=text_at(fields.get(kind), f"{path}.{kind}"), cache=cache)
        if kind == "image_url":
            return self._image(fields.get("image_url"), f"{path}.image_url", cache)
        if kind == "input_audio":
            audio = object_at(fields.get("input_audio"), f"{path}.input_audio")
            media_type = _AUDIO_TYPES.get(name_at(audio.get("format"), f"{path}.input_audio.format")) or f"audio/{audio['format']}"
            return FilePart(media_type=media_type, data=name_at(audio.get("data"), f"{path}.input_audio.data"), cache=cache)
        if kind == "file":
            return _file(object_at(fields.get("file"), f"{path}.file"), f"{path}.file", cache)
        if kind == "video_url":
            video = object_at(fields.get("video_url"), f"{path}.video_url")
            media_type, data, url = source_of(name_at(video.get("url"), f"{path}.video_url.url"), f"{path}.video_url.url")
            return FilePart(media_type=media_type or "video/mp4", data=data, url=url, cache=cache)
        return invalid(f"{path}.type", f"is {kind!r}; use one of text, image_url, input_audio, file, video_url, refusal")

    def _image(self, value: Any, path: str, cache: CacheLifetime | None) -> ImagePart:
        image = {"url": value} if isinstance(value, str) else object_at(value, path)
        media_type, data, url = source_of(name_at(image.get("url"), f"{path}.url"), f"{path}.url")
        detail = image.get("detail")
        if detail is not None and detail not in ("auto", "low", "high"):
            self._dropped.add("image_url.detail", f"{detail!r} became high", code="field_changed")
            detail = "high"
        return ImagePart(media_type=media_type, data=data, url=url, detail=detail, cache=cache)


def source_of(url: str, path: str) -> tuple[str, str | None, str | None]:
    """Media type, data and URL of a URL, which may be a data URL."""
    if not url.startswith("data:"):
        return "", None, url
    head, comma, data = url[5:].partition(",")
    media_type, *parameters = head.split(";")
    if not comma or "base64" not in parameters:
        invalid(path, "a data URL must be base64: data:<media type>;base64,<data>")
    if not media_type or not data:
        invalid(path, "a data URL needs a media type and data: data:<media type>;base64,<data>")
    return media_type, data, None


def _file(fields: dict[str, Any], path: str, cache: CacheLifetime | None) -> FilePart:
    name = optional_text(fields, "filename", f"{path}.filename") or ""
    file_id = optional_text(fields, "file_id", f"{path}.file_id")
    if file_id:
        return FilePart(name=name, id=file_id, cache=cache)
    given = name_at(fields.get("file_data"), f"{path}.file_data")
    if given.startswith(("data:", "http://", "https://")):
        media_type, data, url = source_of(given, f"{path}.file_data")
        return FilePart(media_type=media_type, name=name, data=data, url=url, cache=cache)
    media_type = "application/pdf" if name.lower().endswith(".pdf") else "application/octet-stream"
    return FilePart(media_type=media_type, name=name, data=given, cache=cache)


def _cache(fields: dict[str, Any], path: str) -> CacheLifetime | None:
    """Both spellings of "all up to here is worth keeping"; a lifetime of more than five minutes becomes an hour."""
    marker = fields.get("cache_control") or fields.get("prompt_cache_breakpoint")
    if marker is None:
        return None
    lifetime = object_at(marker, f"{path}.cache_control").get("ttl")
    return "5m" if lifetime in (None, "5m") else "1h"
