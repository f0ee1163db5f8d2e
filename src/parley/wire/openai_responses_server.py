"""The Responses wire from its other end: what a client sends us becomes a request of the contract. Knows no HTTP and keeps nothing.

https://platform.openai.com/docs/api-reference/responses/create (read 2026-11-25); replies are written by `openai_responses_server_reply`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, cast, get_args

from msgspec import Struct

from parley.contract.options import NamedToolChoice, Options, ReasoningEffort, SchemaFormat, Tool
from parley.contract.request import ChatRequest
from parley.contract.response import ResponseWarning
from parley.wire.openai_chat_server_messages import Recall
from parley.wire.openai_responses_server_fields import KNOWN, NEEDED, PASSED, REFUSED
from parley.wire.openai_responses_server_items import WIRE, ItemReader
from parley.wire.server_fields import Behind, accepted_options
from parley.wire.server_values import (
    Dropped,
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

CHAT_WIRE = "openai_chat"
_EFFORTS = frozenset(get_args(ReasoningEffort))
_MORE_EFFORTS = frozenset({"xhigh", "max"})
_CHOICES = frozenset({"auto", "none", "required"})
_ALWAYS_GIVEN = frozenset({"reasoning.encrypted_content"})
_LOGPROBS = "message.output_text.logprobs"
_POSITION = re.compile(r"^messages\[(\d+)\]")
_CALL = re.compile(r"\.content\[\d+\]\.(tool_call_id|id)$")
_PATHS = {
    "options.response_format.": "text.format.",
    "options.response_format": "text.format",
    "options.max_tokens": "max_output_tokens",
    "options.reasoning_effort": "reasoning.effort",
    "options.extra.": "",
    "options.": "",
    "system_prompt": "instructions",
    "user_id": "safety_identifier",
}
# What a response repeats of its request, with the values that the vendor takes where nothing was asked.
_ECHOED: dict[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "service_tier": "auto",
    "store": False,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
}
Choice = Literal["auto", "none", "required"] | NamedToolChoice | None


class ResponsesCall(Struct, frozen=True, kw_only=True):
    """One call as it came, for the provider behind. `echo` is what the response repeats of it; `positions` says of each message at
    which item it began.
    """

    request: ChatRequest
    echo: dict[str, Any]
    stream: bool = False
    warnings: list[ResponseWarning] = []
    positions: list[int] = []

    def param(self, path: str) -> str:
        """A place in the contract's request as the client calls it."""
        match = _POSITION.match(path)
        if match is not None and int(match[1]) < len(self.positions):
            return f"input[{self.positions[int(match[1])]}]{_CALL.sub('.call_id', path[match.end() :])}"
        for ours, theirs in _PATHS.items():
            if path.startswith(ours):
                return theirs + path.removeprefix(ours)
        return path


def read_responses_request(
    fields: Mapping[str, Any], *, model: str, behind: Behind, strict: bool = False, recall: Recall | None = None
) -> ResponsesCall:
    """The call that a body stands for. `model` is the provider's own name for it.

    Raises InvalidRequestError or UnsupportedFeatureError, whose first field is the wire's `param`; values are checked by the guard.
    """
    dropped = Dropped(strict=strict)
    for policy in REFUSED:
        value = fields.get(policy.name)
        if value is not None and value not in policy.harmless:
            unsupported(policy.name, f"is not supported: {policy.note}")
    reader = ItemReader(behind=behind, dropped=dropped, recall=recall)
    reader.read(fields.get("input"))
    options = _Options(fields, same_wire=behind.wire == WIRE)
    given = options.read()
    own = {name: fields[name] for name in PASSED & fields.keys() if fields[name] is not None}
    extra = _fit({**own, **options.passed}, fields=fields, behind=behind, dropped=dropped)
    if "reasoning_effort" in options.passed and "reasoning_effort" not in extra:
        given["reasoning_effort"] = "high"
    user = optional_text(fields, "safety_identifier", "safety_identifier") or optional_text(fields, "user", "user")
    return ResponsesCall(
        request=ChatRequest(
            messages=reader.messages,
            system_prompt=optional_text(fields, "instructions", "instructions") or None,
            options=Options(model=model or None, **given, extra=extra),
            user_id=user or None,
            strict_options=strict,
        ),
        echo={name: default if fields.get(name) is None else fields[name] for name, default in _ECHOED.items()},
        stream=boolean(fields, "stream") is True,
        warnings=dropped.warnings,
        positions=reader.positions,
    )


class _Options:
    """Reads the options. `passed` collects what only some providers can be told."""

    def __init__(self, fields: Mapping[str, Any], *, same_wire: bool) -> None:
        self._fields = fields
        self._same_wire = same_wire
        self.passed: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        """The contract's options by their names."""
        fields = self._fields
        given: dict[str, Any] = {name: number(fields, name) for name in ("temperature", "top_p") if name in fields}
        given["max_tokens"] = integer(fields, "max_output_tokens")
        given["reasoning_effort"] = self._effort()
        given["response_format"] = self._format()
        tools = self._tools()
        given["tool_choice"], tools = self._choice(tools)
        given["tools"] = tools or None
        if tools:
            given["parallel_tool_calls"] = boolean(fields, "parallel_tool_calls")
        self._read_include()
        return given

    def _effort(self) -> ReasoningEffort | None:
        reasoning = object_at(self._fields.get("reasoning") or {}, "reasoning")
        summary = optional_text(reasoning, "summary", "reasoning.summary")
        summary = summary or optional_text(reasoning, "generate_summary", "reasoning.generate_summary")
        if summary and self._same_wire:
            self.passed["reasoning_summary"] = summary
        value = optional_text(reasoning, "effort", "reasoning.effort")
        if value in _MORE_EFFORTS:
            self.passed["reasoning_effort"] = value
            return None
        if value is not None and value not in _EFFORTS:
            known = (*get_args(ReasoningEffort), *sorted(_MORE_EFFORTS))
            invalid("reasoning.effort", f"is {value!r}; use one of {', '.join(known)}")
        return cast("ReasoningEffort | None", value)

    def _format(self) -> Literal["json"] | SchemaFormat | None:
        text = object_at(self._fields.get("text") or {}, "text")
        verbosity = optional_text(text, "verbosity", "text.verbosity")
        if verbosity:
            self.passed["verbosity"] = verbosity
        given = object_at(text.get("format") or {"type": "text"}, "text.format")
        kind = given.get("type")
        if kind == "text":
            return None
        if kind == "json_object":
            return "json"
        if kind != "json_schema":
            return invalid("text.format.type", f"is {kind!r}; use text, json_object or json_schema")
        return SchemaFormat(
            name=name_at(given.get("name"), "text.format.name"),
            schema=object_at(given.get("schema"), "text.format.schema"),
            strict=boolean(given, "strict", "text.format.strict") is True,
        )

    def _tools(self) -> list[Tool]:
        tools: list[Tool] = []
        own: list[dict[str, Any]] = []
        for position, item in enumerate(list_at(self._fields.get("tools") or [], "tools")):
            path = f"tools[{position}]"
            given = object_at(item, path)
            if given.get("type") == "function":
                tools.append(_tool(given, path))
            elif self._same_wire:
                own.append(given)
            else:
                unsupported(f"{path}.type", f"is {given.get('type')!r}; functions are the only tools here")
        if own:
            self.passed["hosted_tools"] = own
        return tools

    def _choice(self, tools: list[Tool]) -> tuple[Choice, list[Tool]]:
        """The choice, and the tools that it leaves. Without tools only a choice that asks for one means anything."""
        value = self._fields.get("tool_choice")
        if value is None:
            return None, tools
        own_tools = self.passed.get("hosted_tools")
        if isinstance(value, str):
            if value not in _CHOICES:
                invalid("tool_choice", f"is {value!r}; use auto, none, required or a tool")
            if own_tools and not tools:
                self.passed["tool_choice"] = value
                return None, tools
            return (None if value != "required" and not tools else cast("Literal['auto', 'none', 'required']", value)), tools
        choice = object_at(value, "tool_choice")
        kind = choice.get("type")
        if kind == "function":
            return NamedToolChoice(name=name_at(choice.get("name"), "tool_choice.name")), tools
        if own_tools:
            self.passed["tool_choice"] = choice
            return None, tools
        if kind == "allowed_tools":
            return _allowed(choice, tools)
        return unsupported("tool_choice.type", f"is {kind!r}; use function or allowed_tools")

    def _read_include(self) -> None:
        """What more the answer shall hold. Thought that can be sent back is always in it."""
        value = self._fields.get("include")
        wanted = [text_at(name, f"include[{position}]") for position, name in enumerate(list_at(value or [], "include"))]
        if _LOGPROBS in wanted:
            unsupported(f"include[{wanted.index(_LOGPROBS)}]", "log probabilities have no provider-independent form")
        if wanted and self._same_wire:
            self.passed["include"] = wanted


def _tool(given: Mapping[str, Any], path: str) -> Tool:
    name = name_at(given.get("name"), f"{path}.name")
    description = optional_text(given, "description", f"{path}.description")
    strict = boolean(given, "strict", f"{path}.strict")
    if given.get("parameters") is None:
        return Tool(name=name, description=description, strict=strict)
    return Tool(name=name, description=description, parameters=object_at(given["parameters"], f"{path}.parameters"), strict=strict)


def _allowed(choice: Mapping[str, Any], tools: list[Tool]) -> tuple[Choice, list[Tool]]:
    mode = choice.get("mode", "auto")
    if mode not in ("auto", "required"):
        invalid("tool_choice.mode", f"is {mode!r}; use auto or required")
    names: set[str] = set()
    for position, item in enumerate(list_at(choice.get("tools"), "tool_choice.tools")):
        here = f"tool_choice.tools[{position}]"
        names.add(name_at(object_at(item, here).get("name"), f"{here}.name"))
    unknown = names - {tool.name for tool in tools}
    if unknown:
        invalid("tool_choice.tools", f"there is no tool {min(unknown)!r} in tools")
    return mode, [tool for tool in tools if tool.name in names]


def _fit(own: dict[str, Any], *, fields: Mapping[str, Any], behind: Behind, dropped: Dropped) -> dict[str, Any]:
    """The provider's own options, and unknown fields where it takes any."""
    speaks_alike = behind.wire in {WIRE, CHAT_WIRE}
    extra = accepted_options(own, behind.options if behind.options is not None or speaks_alike else ())
    for name in sorted(own.keys() - extra.keys()):
        if name == "include" and set(own[name]) <= _ALWAYS_GIVEN:
            continue
        if name == "hosted_tools":
            unsupported("tools", f"{behind.provider} takes functions alone")
        if name in NEEDED:
            unsupported(name, f"{behind.provider} has nothing of the kind")
        if name == "reasoning_effort":
            dropped.add("reasoning.effort", "became high, the most that this provider is known to take", code="field_changed")
        else:
            dropped.add({"verbosity": "text.verbosity", "reasoning_summary": "reasoning.summary"}.get(name, name))
    unknown = {name: fields[name] for name in fields.keys() - KNOWN if fields[name] is not None}
    known = accepted_options(unknown, behind.options)
    for name in sorted(unknown):
        if name not in known:
            dropped.add(name, "is no field that is known here; it was left out")
        elif behind.options is None:
            dropped.add(name, "is no field that is known here; it was passed on as it is", code="field_unknown")
    return {**extra, **known}
