"""Reading what a caller asks for: dicts or structs in, one valid ChatRequest out, or an error that names the field. Knows no provider."""

from __future__ import annotations

import datetime
import decimal
import math
import re
import uuid
from collections.abc import Iterable
from typing import Any, NoReturn, get_args

import msgspec
from msgspec import Struct

from parley.contract.messages import CacheLifetime, FilePart, ImagePart, Message, ReasoningPart, Role, TextPart, ToolCall, ToolResult
from parley.contract.options import NamedToolChoice, Options, ReasoningEffort, SchemaFormat, Timeouts, Tool
from parley.contract.request import MAX_SESSION_ID_CHARACTERS, ChatRequest
from parley.guard.checks import check_json, check_number, check_text, invalid
from parley.guard.conversation import check_conversation
from parley.guard.suggestions import did_you_mean

_PARTS: dict[str, type[Struct]] = {
    "text": TextPart,
    "image": ImagePart,
    "file": FilePart,
    "reasoning": ReasoningPart,
    "tool_call": ToolCall,
    "tool_result": ToolResult,
}
_PART_FIELDS = {name: {"type", *struct.__struct_fields__} for name, struct in _PARTS.items()}
_CHOICES: dict[str, Iterable[str]] = {
    "role": get_args(Role),
    "type": _PARTS,
    "cache": get_args(CacheLifetime),
    "reasoning_effort": get_args(ReasoningEffort),
    "detail": ("auto", "low", "high"),
    "tool_choice": ("auto", "none", "required", '{"name": …}'),
    "response_format": ("text", "json", '{"name": …, "schema": …}'),
}
_KNOWN_FIELDS: dict[str, type[Struct]] = {
    "options": Options,
    "timeout": Timeouts,
    "tool_choice": NamedToolChoice,
    "response_format": SchemaFormat,
    "messages": Message,
    "tools": Tool,
}
# Least and greatest value of each number; None where vendors differ.
_RANGES: dict[str, tuple[float | None, float | None]] = {
    "temperature": (0, None),
    "top_p": (0, 1),
    "top_k": (0, None),
    "max_tokens": (1, None),
    "frequency_penalty": (None, None),
    "presence_penalty": (None, None),
}
_NOT_JSON = (bytes, bytearray, memoryview, datetime.datetime, datetime.date, datetime.time, datetime.timedelta, uuid.UUID, decimal.Decimal)
_AT = re.compile(r"^(?P<text>.*?)(?: - at (?:`key` in )?`\$\.?(?P<path>[^`]*)`)?$", re.DOTALL)
# Shapes that many programs already have, and how the same is written here.
_OF_MESSAGES = {
    "tool_calls": ' A tool call is a part: "content": [{"type": "tool_call", "id": …, "name": …, "arguments": "{…}"}].',
    "tool_call_id": ' A tool\'s result is a part: "content": [{"type": "tool_result", "tool_call_id": …, "content": …}].',
}
_OF_TOOLS = ' A tool is {"name": …, "description": …, "parameters": …}, with no "function" around it.'
_FIELD = re.compile(r"^Object (?P<problem>contains unknown|missing required) field `(?P<name>.*)`$", re.DOTALL)
_WORDS = {
    "`array`": "a list",
    "`object`": "a dict",
    "array`": "list`",
    "`str | list`": "text or a list",
    "`null`": "None",
    " | null`": "`",
    "`bytes`": "something that JSON does not know",
}


def read_request(messages: Any, *, system_prompt: Any = None, options: Any = None) -> ChatRequest:
    """The call's arguments as a valid request. Raises InvalidRequestError before anything is sent."""
    raw: dict[str, Any] = {"messages": messages, "system_prompt": system_prompt, "options": {} if options is None else options}
    return _convert(raw)


def check_request(request: Any) -> ChatRequest:
    """A request that a caller built, valid: a struct does not check itself when it is made."""
    if not isinstance(request, ChatRequest):
        invalid("request", f"expected a ChatRequest, got {type(request).__name__}")
    return _convert(request)


def _convert(raw: Any) -> ChatRequest:
    try:
        plain = msgspec.to_builtins(raw, builtin_types=_NOT_JSON, enc_hook=_opaque)
        request = msgspec.convert(plain, ChatRequest)
        _refuse_unknown_part_fields(plain["messages"])
    except msgspec.ValidationError as error:
        _explain(str(error))
    except RecursionError:
        invalid("request", "it is nested too deeply, or holds itself")
    if not request.messages:
        invalid("messages", "expected at least one message")
    check_conversation(request.messages)
    _check_envelope(request)
    _check_options(request.options)
    return request


def _opaque(value: Any) -> bytes:
    # Left in place so that the conversion refuses it and names where it stands.
    return type(value).__name__.encode()


def _explain(message: str) -> NoReturn:
    match = _AT.match(message)
    path, text = ((match["path"] or "") if match else ""), (match["text"] if match else message)
    field = _FIELD.match(text)
    if field is not None:
        path_of_field = f"{path}.{field['name']}".lstrip(".")
        if field["problem"] == "missing required":
            invalid(path_of_field, "is missing")
        _unknown(path_of_field, field["name"], _fields_at(path))
    for word, plain in _WORDS.items():
        text = text.replace(word, plain)
    text = text[:1].lower() + text[1:].replace("`", "")
    if path.endswith("].content") and text.endswith("got None"):
        text += f"; without text give a list of parts.{_OF_MESSAGES['tool_calls']}"
    choices = _CHOICES.get(path.rpartition(".")[2])
    if choices and text.startswith("invalid"):
        text = f"{text}; use one of {', '.join(choices)}"
    invalid(path or "request", text)


def _foreign_shape(path: str, name: str) -> str:
    """How Parley writes what another vendor's shape has there."""
    place = re.sub(r"\[[^]]*\]", "", path)
    if place.startswith("messages.") and place.count(".") == 1:
        return _OF_MESSAGES.get(name, "")
    return _OF_TOOLS if place in {"options.tools.type", "options.tools.function"} else ""


def _fields_at(path: str) -> Iterable[str]:
    name = re.sub(r"\[[^]]*\]", "", path).rpartition(".")[2]
    return _KNOWN_FIELDS.get(name, ChatRequest).__struct_fields__


def _unknown(path: str, name: str, known: Iterable[str]) -> NoReturn:
    known = list(known)
    suggestion = _foreign_shape(path, name) or did_you_mean(name, known) or f" Known are {', '.join(known)}."
    invalid(path, f"unknown field.{suggestion}")


def _refuse_unknown_part_fields(messages: list[Any]) -> None:
    """Parts are read leniently where they are stored; from a caller, a mistyped field would silently be lost."""
    for number, message in enumerate(messages):
        _check_part_fields(message["content"], f"messages[{number}].content")


def _check_part_fields(content: Any, path: str) -> None:
    if isinstance(content, str):
        return
    parts: list[dict[str, Any]] = content
    for number, part in enumerate(parts):
        known = _PART_FIELDS[part["type"]]
        for name in part.keys() - known:
            _unknown(f"{path}[{number}].{name}", name, sorted(known))
        _check_part_fields(part.get("content", ""), f"{path}[{number}].content")
        if part.get("provider_data"):
            check_json(part["provider_data"], f"{path}[{number}].provider_data")


def _check_envelope(request: ChatRequest) -> None:
    check_text(request.system_prompt, "system_prompt")
    for name in ("session_id", "user_id"):
        value = getattr(request, name)
        if value is not None:
            check_text(value, name)
            if not value:
                invalid(name, "is empty; leave it out instead")
    if request.session_id and len(request.session_id) > MAX_SESSION_ID_CHARACTERS:
        invalid("session_id", f"has {len(request.session_id)} characters; at most {MAX_SESSION_ID_CHARACTERS} are allowed")


def _check_options(options: Options) -> None:
    for name, (least, greatest) in _RANGES.items():
        value = getattr(options, name)
        if value is not None:
            check_number(value, f"options.{name}", least, greatest)
    check_text(options.model, "options.model")
    for number, stop in enumerate(options.stop or ()):
        check_text(stop, f"options.stop[{number}]")
        if not stop:
            invalid(f"options.stop[{number}]", "is empty")
    if options.timeout is not None:
        _check_timeouts(options)
    if options.extra:
        check_json(options.extra, "options.extra")
    if isinstance(options.response_format, SchemaFormat):
        _check_name(options.response_format.name, "options.response_format.name")
        check_json(options.response_format.schema, "options.response_format.schema")
    _check_tools(options)


def _check_timeouts(options: Options) -> None:
    asked, prefix = options.timeouts, "options.timeout"
    for name in Timeouts.__struct_fields__:
        value = getattr(asked, name)
        path = f"{prefix}.{name}" if isinstance(options.timeout, Timeouts) else prefix
        if value is not None and not (math.isfinite(value) and value > 0):
            invalid(path, f"is {value}; expected seconds above 0")


def _check_tools(options: Options) -> None:
    names: set[str] = set()
    for number, tool in enumerate(options.tools or ()):
        path = f"options.tools[{number}]"
        _check_name(tool.name, f"{path}.name")
        check_text(tool.description, f"{path}.description")
        if tool.name in names:
            invalid(f"{path}.name", f'there is already a tool "{tool.name}"')
        names.add(tool.name)
        check_json(tool.parameters, f"{path}.parameters")
    choice = options.tool_choice
    if isinstance(choice, NamedToolChoice) and choice.name not in names:
        invalid("options.tool_choice.name", f'there is no tool "{choice.name}" in options.tools.{did_you_mean(choice.name, names)}')
    if choice == "required" and not names:
        invalid("options.tool_choice", "a tool call is required, but options.tools is empty")


def _check_name(name: str, path: str) -> None:
    check_text(name, path)
    if not name:
        invalid(path, "is empty")
