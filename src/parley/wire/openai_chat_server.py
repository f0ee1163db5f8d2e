"""The chat completions wire from its other end: what a client sends us becomes a request of the contract. Knows no HTTP and no provider.

https://platform.openai.com/docs/api-reference/chat/create (read 2026-11-22); replies are written by `openai_chat_server_reply`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, cast, get_args

from msgspec import Struct, structs

from parley.contract.capabilities import ExtraOption
from parley.contract.errors import CallerError, MissingCredentialError, ParleyError
from parley.contract.options import NamedToolChoice, Options, ReasoningEffort, SchemaFormat, Tool
from parley.contract.request import ChatRequest
from parley.contract.response import ResponseWarning
from parley.wire.openai_chat_server_fields import KNOWN, PASSED, REFUSED
from parley.wire.openai_chat_server_messages import MessagesReader, Recall
from parley.wire.server_fields import accepted_options
from parley.wire.server_values import (
    Dropped,
    body_object,
    boolean,
    integer,
    invalid,
    list_at,
    name_at,
    number,
    object_at,
    optional_text,
    text_at,
    unsupported,
)

_EFFORTS = frozenset(get_args(ReasoningEffort))
_MORE_EFFORTS = frozenset({"xhigh", "max"})
_CHOICES = frozenset({"auto", "none", "required"})
_POSITION = re.compile(r"^messages\[(\d+)\]")
_PATHS = {
    "options.response_format.schema": "response_format.json_schema.schema",
    "options.response_format.name": "response_format.json_schema.name",
    "options.tool_choice.name": "tool_choice.function.name",
    "options.extra.": "",
    "options.": "",
    "user_id": "user",
}
_TOOL_PATH = re.compile(r"^tools\[(\d+)\]\.")

_PLAIN_OPTIONS: dict[str, Callable[[Mapping[str, Any], str], float | None]] = {
    "temperature": number,
    "top_p": number,
    "top_k": integer,
    "max_tokens": integer,
    "seed": integer,
    "frequency_penalty": number,
    "presence_penalty": number,
}


class ChatCall(Struct, frozen=True, kw_only=True):
    """One call as it came. `request` has no model yet: `model` is the client's name for it.

    `passed` are fields of the wire without a place in the contract, `unknown` those that the wire does not have. `positions` says of
    each message of the request which one of the client's it is.
    """

    model: str
    request: ChatRequest
    stream: bool = False
    include_usage: bool = False
    legacy_functions: bool = False
    passed: dict[str, Any] = {}
    unknown: dict[str, Any] = {}
    warnings: list[ResponseWarning] = []
    positions: list[int] = []
    strict: bool = False

    def fit(self, model: str, accepted: Sequence[ExtraOption] | None) -> tuple[ChatRequest, list[ResponseWarning]]:
        """The request for a provider that declares these options of its own (None: any), and what had to be left out for it.

        Raises UnsupportedFeatureError where a strict call would lose something.
        """
        request = self.request
        if not self.passed and not self.unknown:
            return structs.replace(request, options=structs.replace(request.options, model=model or None)), self.warnings
        dropped = Dropped(strict=self.strict)
        extra = accepted_options({**self.passed, **self.unknown}, accepted)
        changes: dict[str, Any] = {"model": model or None, "extra": extra}
        for name in self.passed.keys() - extra.keys():
            if name == "reasoning_effort":
                dropped.add(name, "became high, the most that this provider is known to take", code="field_changed")
                changes[name] = "high"
            elif name != "user":
                dropped.add(name)
        for name in self.unknown:
            if name not in extra:
                dropped.add(name, "is no field that is known here; it was left out")
            elif accepted is None:
                dropped.add(name, "is no field that is known here; it was passed on as it is", code="field_unknown")
        options = structs.replace(request.options, **changes)
        return structs.replace(request, options=options), [*self.warnings, *dropped.warnings]

    def param(self, path: str) -> str:
        """A place in the contract's request as the client calls it."""
        match = _POSITION.match(path)
        if match is not None and int(match[1]) < len(self.positions):
            return f"messages[{self.positions[int(match[1])]}]{path[match.end() :]}"
        for ours, theirs in _PATHS.items():
            if path.startswith(ours):
                path = theirs + path.removeprefix(ours)
                break
        return _TOOL_PATH.sub(r"tools[\1].function.", path)


def decode_request(body: bytes, *, strict: bool = False, recall: Recall | None = None) -> ChatCall:
    """The call that a body stands for. `strict` refuses what would else be left out; `recall` knows what clients do not bring back.

    Raises InvalidRequestError or UnsupportedFeatureError, whose first field is the wire's `param`; values are checked by the guard.
    """
    fields = body_object(body)
    dropped = Dropped(strict=strict)
    for policy in REFUSED:
        value = fields.get(policy.name)
        if value is not None and value not in policy.harmless:
            unsupported(policy.name, f"is not supported: {policy.note}")
    reader = MessagesReader(dropped=dropped, recall=recall)
    model = name_at(fields.get("model"), "model")
    reader.read(fields.get("messages"))
    passed = {name: fields[name] for name in PASSED & fields.keys() if fields[name] is not None}
    options = _options(fields, passed)
    user = optional_text(fields, "user", "user") or None
    if user is not None:
        passed["user"] = user
    streams = boolean(fields, "stream") is True
    return ChatCall(
        model=model,
        request=ChatRequest(messages=reader.messages, options=options, user_id=user, strict_options=strict),
        stream=streams,
        include_usage=streams and _include_usage(fields),
        legacy_functions=fields.get("functions") is not None,
        passed=passed,
        unknown={name: fields[name] for name in fields.keys() - KNOWN if fields[name] is not None},
        warnings=dropped.warnings,
        positions=reader.positions,
        strict=strict,
    )


def error_param(error: ParleyError, call: ChatCall | None) -> tuple[str | None, str]:
    """The `param` that an error is about, and its message in the client's own names. A variable of the operator's is no param."""
    if not error.fields or not isinstance(error, CallerError) or isinstance(error, MissingCredentialError):
        return None, error.message
    path = error.fields[0].path
    param = path if call is None else call.param(path)
    return param, error.message.replace(path, param, 1) if error.message.startswith(path) else error.message


def _include_usage(fields: Mapping[str, Any]) -> bool:
    options = fields.get("stream_options")
    return options is not None and boolean(object_at(options, "stream_options"), "include_usage", "stream_options.include_usage") is True


def _options(fields: Mapping[str, Any], passed: dict[str, Any]) -> Options:
    """The contract's options; an effort that the contract does not know joins the passed fields."""
    given: dict[str, Any] = {name: read(fields, name) for name, read in _PLAIN_OPTIONS.items() if name in fields}
    if "max_completion_tokens" in fields:
        max_tokens = integer(fields, "max_completion_tokens")
        given["max_tokens"] = given.get("max_tokens") if max_tokens is None else max_tokens
    if "stop" in fields:
        given["stop"] = _stop(fields["stop"])
    if "response_format" in fields:
        given["response_format"] = _response_format(fields["response_format"])
    if "reasoning_effort" in fields:
        given["reasoning_effort"] = _effort(fields, passed)
    choice, tools = _tool_choice(fields, _tools(fields))
    if tools and "parallel_tool_calls" in fields:
        given["parallel_tool_calls"] = boolean(fields, "parallel_tool_calls")
    return Options(**given, tools=tools or None, tool_choice=choice)


def _stop(value: Any) -> list[str] | None:
    if value is None:
        return None
    if isinstance(value, str):
        return [value]
    return [text_at(item, f"stop[{position}]") for position, item in enumerate(list_at(value, "stop"))] or None


def _effort(fields: Mapping[str, Any], passed: dict[str, Any]) -> ReasoningEffort | None:
    value = optional_text(fields, "reasoning_effort", "reasoning_effort")
    if value in _MORE_EFFORTS:
        passed["reasoning_effort"] = value
        return None
    if value is not None and value not in _EFFORTS:
        invalid("reasoning_effort", f"is {value!r}; use one of {', '.join((*get_args(ReasoningEffort), *sorted(_MORE_EFFORTS)))}")
    return cast("ReasoningEffort | None", value)


def _tools(fields: Mapping[str, Any]) -> list[Tool]:
    tools: list[Tool] = []
    for position, item in enumerate(list_at(fields.get("tools") or [], "tools")):
        path = f"tools[{position}]"
        given = object_at(item, path)
        if given.get("type", "function") != "function":
            unsupported(f"{path}.type", f"is {given['type']!r}; functions are the only tools here")
        tools.append(_tool(object_at(given.get("function"), f"{path}.function"), f"{path}.function"))
    for position, item in enumerate(list_at(fields.get("functions") or [], "functions")):
        tools.append(_tool(object_at(item, f"functions[{position}]"), f"functions[{position}]"))
    return tools


def _tool(given: Mapping[str, Any], path: str) -> Tool:
    name = name_at(given.get("name"), f"{path}.name")
    description = optional_text(given, "description", f"{path}.description")
    strict = boolean(given, "strict", f"{path}.strict")
    if given.get("parameters") is None:
        return Tool(name=name, description=description, strict=strict)
    return Tool(name=name, description=description, parameters=object_at(given["parameters"], f"{path}.parameters"), strict=strict)


Choice = Literal["auto", "none", "required"] | NamedToolChoice | None


def _tool_choice(fields: Mapping[str, Any], tools: list[Tool]) -> tuple[Choice, list[Tool]]:
    """The choice, and the tools that it leaves. Without tools only a choice that asks for one means anything."""
    legacy = fields.get("function_call")
    if isinstance(legacy, dict):
        return NamedToolChoice(name=name_at(cast("dict[str, Any]", legacy).get("name"), "function_call.name")), tools
    path, value = ("function_call", legacy) if legacy is not None else ("tool_choice", fields.get("tool_choice"))
    if value is None or (value in ("auto", "none") and not tools):
        return None, tools
    if isinstance(value, str):
        if value not in _CHOICES:
            invalid(path, f"is {value!r}; use auto, none, required or a function")
        return cast("Literal['auto', 'none', 'required']", value), tools
    given = object_at(value, path)
    kind = given.get("type")
    if kind == "allowed_tools":
        return _allowed(object_at(given.get("allowed_tools"), f"{path}.allowed_tools"), tools)
    if kind != "function":
        unsupported(f"{path}.type", f"is {kind!r}; use function or allowed_tools")
    return NamedToolChoice(name=name_at(object_at(given.get("function"), f"{path}.function").get("name"), f"{path}.function.name")), tools


def _allowed(given: Mapping[str, Any], tools: list[Tool]) -> tuple[Choice, list[Tool]]:
    path = "tool_choice.allowed_tools"
    mode = given.get("mode", "auto")
    if mode not in ("auto", "required"):
        invalid(f"{path}.mode", f"is {mode!r}; use auto or required")
    names: set[str] = set()
    for position, item in enumerate(list_at(given.get("tools"), f"{path}.tools")):
        here = f"{path}.tools[{position}]"
        names.add(name_at(object_at(object_at(item, here).get("function"), f"{here}.function").get("name"), f"{here}.function.name"))
    unknown = names - {tool.name for tool in tools}
    if unknown:
        invalid(f"{path}.tools", f"there is no tool {min(unknown)!r} in tools")
    return mode, [tool for tool in tools if tool.name in names]


def _response_format(value: Any) -> Literal["json"] | SchemaFormat | None:
    if value is None:
        return None
    given = object_at(value, "response_format")
    kind = given.get("type")
    if kind == "text":
        return None
    if kind == "json_object":
        return "json"
    if kind != "json_schema":
        return invalid("response_format.type", f"is {kind!r}; use text, json_object or json_schema")
    wanted = object_at(given.get("json_schema"), "response_format.json_schema")
    return SchemaFormat(
        name=name_at(wanted.get("name"), "response_format.json_schema.name"),
        schema=object_at(wanted.get("schema", {"type": "object"}), "response_format.json_schema.schema"),
        strict=boolean(wanted, "strict", "response_format.json_schema.strict") is True,
    )
