"""The Messages wire from its other end: what a client sends us becomes a request of the contract. Knows no HTTP and opens nothing.

https://docs.claude.com/en/api/messages (read 2026-11-22); replies are written by `anthropic_messages_server_reply`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from parley.contract.messages import Message, Part, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.options import NamedToolChoice, Options, ReasoningEffort, SchemaFormat, Tool
from parley.contract.request import ChatRequest
from parley.contract.response import ResponseWarning
from parley.wire.anthropic_messages_server_blocks import WIRE, BlockReader
from parley.wire.anthropic_messages_server_fields import KNOWN, NEEDED, PASSED, REFUSED
from parley.wire.openai_chat_server_messages import Recall
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

# Up to so many tokens of thought are asked for by this effort, where the model behind knows efforts only.
_BUDGETS: tuple[tuple[int, ReasoningEffort], ...] = ((1024, "minimal"), (4096, "low"), (16_384, "medium"))
_EFFORTS: dict[str, ReasoningEffort] = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
_TOOL_FIELDS = frozenset({"type", "name", "description", "input_schema", "strict"})
_SCHEMA_NAME = "response"
_POSITION = re.compile(r"^messages\[(\d+)\]")
_PATHS = {
    "options.response_format.schema": "output_config.format.schema",
    "options.stop": "stop_sequences",
    "options.reasoning_effort": "thinking",
    "options.tool_choice.name": "tool_choice.name",
    "options.extra.": "",
    "options.": "",
    "system_prompt": "system",
    "user_id": "metadata.user_id",
}
_SYSTEM = -1


class MessagesCall(Struct, frozen=True, kw_only=True):
    """One call as it came, for the provider behind. `positions` says of each message which one of the client's it is (-1: `system`)."""

    request: ChatRequest
    stream: bool = False
    warnings: list[ResponseWarning] = []
    positions: list[int] = []

    def param(self, path: str) -> str:
        """A place in the contract's request as the client calls it."""
        match = _POSITION.match(path)
        if match is not None and int(match[1]) < len(self.positions):
            position, rest = self.positions[int(match[1])], path[match.end() :]
            return f"system{rest.removeprefix('.content')}" if position == _SYSTEM else f"messages[{position}]{rest}"
        for ours, theirs in _PATHS.items():
            if path.startswith(ours):
                return theirs + path.removeprefix(ours)
        return path


def read_messages_request(
    fields: Mapping[str, Any],
    *,
    model: str,
    behind: Behind,
    strict: bool = False,
    recall: Recall | None = None,
    betas: Sequence[str] = (),
) -> MessagesCall:
    """The call that a body stands for. `model` is the provider's own name for it; `betas` are those of the header.

    Raises InvalidRequestError or UnsupportedFeatureError, whose first field is named as the wire does; values are checked by the guard.
    """
    dropped = Dropped(strict=strict)
    for policy in REFUSED:
        if fields.get(policy.name) is not None:
            unsupported(policy.name, f"is not supported: {policy.note}")
    reader = _ConversationReader(BlockReader(behind=behind, dropped=dropped), dropped=dropped, recall=recall)
    system_prompt = reader.read_system(fields.get("system"))
    reader.read(fields.get("messages"))
    options, own = _Options(fields, same_wire=behind.wire == WIRE), _own_options(fields, betas)
    given = options.read()
    extra = _fit({**own, **options.passed}, fields=fields, behind=behind, dropped=dropped)
    if "thinking" in extra or "output_config" in extra:
        given.pop("reasoning_effort", None)
    return MessagesCall(
        request=ChatRequest(
            messages=reader.messages,
            system_prompt=system_prompt,
            options=Options(model=model or None, **given, extra=extra),
            user_id=_user_id(fields),
            strict_options=strict,
        ),
        stream=boolean(fields, "stream") is True,
        warnings=dropped.warnings,
        positions=reader.positions,
    )


class _ConversationReader:
    """Reads the system prompt and the messages, in order. Tool results leave the user's message for one of their own, before it."""

    def __init__(self, blocks: BlockReader, *, dropped: Dropped, recall: Recall | None) -> None:
        self._blocks = blocks
        self._dropped = dropped
        self._recall = recall
        self.messages: list[Message] = []
        self.positions: list[int] = []

    def read_system(self, value: Any) -> str | None:
        """A text is the system prompt; blocks, which may be marked for the cache, become a system message."""
        if value is None or isinstance(value, str):
            return value or None
        parts: list[Part] = []
        for position, item in enumerate(list_at(value, "system")):
            path = f"system[{position}]"
            if object_at(item, path).get("type") != "text":
                invalid(f"{path}.type", "expected text")
            parts += [part for part in self._blocks.read(item, path) if isinstance(part, TextPart) and part.text]
        if parts:
            self._add("system", parts, _SYSTEM)
        return None

    def read(self, value: Any) -> None:
        """All messages. Raises InvalidRequestError naming the place in the wire's terms."""
        messages = list_at(value, "messages")
        if not messages:
            invalid("messages", "expected at least one message")
        for position, item in enumerate(messages):
            path = f"messages[{position}]"
            fields = object_at(item, path)
            for name in sorted(fields.keys() - {"role", "content"}):
                self._dropped.add(f"messages.{name}")
            self._message(fields, position, path)

    def _message(self, fields: dict[str, Any], position: int, path: str) -> None:
        role, content = fields.get("role"), fields.get("content")
        if role not in ("user", "assistant", "system"):
            invalid(f"{path}.role", f"is {role!r}; use user or assistant")
        if isinstance(content, str):
            if content or role != "system":
                self.messages.append(Message(role=role, content=content))
                self.positions.append(position)
            return
        blocks = list_at(content, f"{path}.content")
        parts = [part for number, block in enumerate(blocks) for part in self._blocks.read(block, f"{path}.content[{number}]")]
        if role == "assistant":
            self._add(role, self._recalled(parts), position)
            return
        results: list[Part] = [part for part in parts if isinstance(part, ToolResult)]
        if results:
            self._add("tool", results, position)
        rest: list[Part] = [part for part in parts if not isinstance(part, ToolResult)]
        if rest or not results:
            self._add(role, rest, position)

    def _add(self, role: Any, parts: list[Part], position: int) -> None:
        self.messages.append(Message(role=role, content=parts))
        self.positions.append(position)

    def _recalled(self, parts: list[Part]) -> list[Part]:
        """What a client cannot bring back with a call: the data of a vendor on another wire, and thought that it dropped."""
        if self._recall is None:
            return parts
        thought = any(isinstance(part, ReasoningPart) for part in parts)
        found: list[Part] = []
        for part in parts:
            state = self._recall(part.id) if isinstance(part, ToolCall) else None
            if isinstance(part, ToolCall) and state is not None:
                found += [] if thought else state.reasoning
                data = part.provider_data or state.provider_data
                found.append(ToolCall(id=part.id, name=part.name, arguments=part.arguments, cache=part.cache, provider_data=data))
            else:
                found.append(part)
        return found


class _Options:
    """Reads the options. `passed` collects what only who speaks this wire can be told."""

    def __init__(self, fields: Mapping[str, Any], *, same_wire: bool) -> None:
        self._fields = fields
        self._same_wire = same_wire
        self.passed: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        """The contract's options by their names."""
        fields = self._fields
        given: dict[str, Any] = {name: number(fields, name) for name in ("temperature", "top_p") if name in fields}
        given |= {name: integer(fields, name) for name in ("top_k", "max_tokens") if name in fields}
        stops = fields.get("stop_sequences")
        if stops is not None:
            given["stop"] = [text_at(stop, f"stop_sequences[{i}]") for i, stop in enumerate(list_at(stops, "stop_sequences"))] or None
        given["reasoning_effort"] = self._effort()
        given["response_format"] = self._format()
        tools = self._tools()
        given["tools"] = tools or None
        self._read_choice(given, tools)
        return given

    def _effort(self) -> ReasoningEffort | None:
        """The budget, or the effort, as one of the contract's words; `disabled` is what every vendor does unless it is asked."""
        config = object_at(self._fields.get("output_config") or {}, "output_config")
        effort = optional_text(config, "effort", "output_config.effort")
        if effort is not None and effort not in _EFFORTS:
            invalid("output_config.effort", f"is {effort!r}; use one of {', '.join(_EFFORTS)}")
        thinking = self._fields.get("thinking")
        if thinking is None:
            return _EFFORTS[effort] if effort else None
        given = object_at(thinking, "thinking")
        kind = given.get("type")
        if kind not in ("enabled", "adaptive", "disabled"):
            invalid("thinking.type", f"is {kind!r}; use enabled, adaptive or disabled")
        if kind == "disabled":
            return None
        if effort is not None or kind == "adaptive":
            return _EFFORTS[effort or "high"]
        budget = integer(given, "budget_tokens")
        if budget is None:
            invalid("thinking.budget_tokens", "is missing")
        for limit, word in _BUDGETS:
            if budget <= limit:
                return word
        return "high"

    def _format(self) -> SchemaFormat | None:
        config = object_at(self._fields.get("output_config") or {}, "output_config")
        path, value = "output_config.format", config.get("format")
        if value is None:
            path, value = "output_format", self._fields.get("output_format")
        if value is None:
            return None
        given = object_at(value, path)
        if given.get("type") != "json_schema":
            invalid(f"{path}.type", f"is {given.get('type')!r}; use json_schema")
        return SchemaFormat(name=_SCHEMA_NAME, schema=object_at(given.get("schema"), f"{path}.schema"))

    def _tools(self) -> list[Tool]:
        tools: list[Tool] = []
        own: list[dict[str, Any]] = []
        more: dict[str, dict[str, Any]] = {}
        for position, item in enumerate(list_at(self._fields.get("tools") or [], "tools")):
            path = f"tools[{position}]"
            given = object_at(item, path)
            if given.get("type") not in (None, "custom"):
                if not self._same_wire:
                    unsupported(f"{path}.type", f"is {given['type']!r}, which only its vendor runs; functions are the only tools here")
                own.append(given)
                continue
            tools.append(_tool(given, path))
            if rest := {name: value for name, value in given.items() if name not in _TOOL_FIELDS and value is not None}:
                more[tools[-1].name] = rest
        if own:
            self.passed["hosted_tools"] = own
        if more:
            self.passed["tool_fields"] = more
        return tools

    def _read_choice(self, given: dict[str, Any], tools: list[Tool]) -> None:
        value = self._fields.get("tool_choice")
        if value is None:
            return
        choice = object_at(value, "tool_choice")
        kind = choice.get("type")
        if kind not in ("auto", "any", "tool", "none"):
            invalid("tool_choice.type", f"is {kind!r}; use auto, any, tool or none")
        name = name_at(choice.get("name"), "tool_choice.name") if kind == "tool" else ""
        own_tools = self.passed.get("hosted_tools")
        if own_tools and (not tools or (name and name not in {tool.name for tool in tools})):
            self.passed["tool_choice"] = choice
            return
        if boolean(choice, "disable_parallel_tool_use", "tool_choice.disable_parallel_tool_use") is True and tools:
            given["parallel_tool_calls"] = False
        if kind == "tool":
            given["tool_choice"] = NamedToolChoice(name=name)
        elif kind == "any" or tools:
            given["tool_choice"] = "required" if kind == "any" else kind


def _tool(given: dict[str, Any], path: str) -> Tool:
    name = name_at(given.get("name"), f"{path}.name")
    description = optional_text(given, "description", f"{path}.description")
    strict = boolean(given, "strict", f"{path}.strict")
    schema = object_at(given.get("input_schema"), f"{path}.input_schema")
    return Tool(name=name, description=description, parameters=schema, strict=strict)


def _own_options(fields: Mapping[str, Any], betas: Sequence[str]) -> dict[str, Any]:
    """What the vendor's own models are told in the wire's own words."""
    own: dict[str, Any] = {name: fields[name] for name in PASSED & fields.keys() if fields[name] is not None}
    if fields.get("thinking") is not None:
        own["thinking"] = fields["thinking"]
    config = object_at(fields.get("output_config") or {}, "output_config")
    if rest := {name: value for name, value in config.items() if name != "format" and value is not None}:
        own["output_config"] = rest
    named = [text_at(beta, "betas") for beta in list_at(fields.get("betas") or [], "betas")]
    if named or betas:
        own["betas"] = list(dict.fromkeys([*betas, *named]))
    return own


def _fit(own: dict[str, Any], *, fields: Mapping[str, Any], behind: Behind, dropped: Dropped) -> dict[str, Any]:
    """The provider's own options: those of the wire where it speaks this wire, and unknown ones where it takes any."""
    declared = behind.options
    if behind.wire != WIRE:
        candidates = {name: value for name, value in own.items() if name in PASSED and name not in NEEDED}
        extra = accepted_options(candidates, declared or ())
    else:
        extra = accepted_options(own, declared)
    for name in sorted(own.keys() - extra.keys()):
        if name in NEEDED or name == "hosted_tools":
            unsupported("tools" if name == "hosted_tools" else name, f"{behind.provider} has nothing of the kind")
        if name in PASSED:
            dropped.add(name)
        elif name == "tool_fields":
            for field in sorted({field for more in own[name].values() for field in more}):
                dropped.add(f"tools.{field}")
    unknown = {name: fields[name] for name in fields.keys() - KNOWN if fields[name] is not None}
    known = accepted_options(unknown, declared)
    for name in sorted(unknown):
        if name not in known:
            dropped.add(name, "is no field that is known here; it was left out")
        elif declared is None:
            dropped.add(name, "is no field that is known here; it was passed on as it is", code="field_unknown")
    return {**extra, **known}


def _user_id(fields: Mapping[str, Any]) -> str | None:
    metadata = fields.get("metadata")
    return None if metadata is None else optional_text(object_at(metadata, "metadata"), "user_id", "metadata.user_id") or None
