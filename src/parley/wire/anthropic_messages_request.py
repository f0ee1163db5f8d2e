"""Writes a request's options as Anthropic's Messages wire wants them. Knows no URL, no header and no reply.

https://docs.claude.com/en/api/messages (read 2026-11-22).
"""

from __future__ import annotations

from typing import Any

from parley.contract.errors import FieldProblem, InvalidRequestError, UnsupportedFeatureError
from parley.contract.http import Target
from parley.contract.messages import ToolCall
from parley.contract.options import NamedToolChoice, ReasoningEffort, SchemaFormat, Tool
from parley.contract.request import ChatRequest
from parley.wire.anthropic_messages_models import ClaudeTraits
from parley.wire.history import EncodingWarnings
from parley.wire.json_values import list_of, object_of
from parley.wire.schema import downgrade
from parley.wire.schema_report import FORMAT_PATH, SchemaReport, tool_path
from parley.wire.schema_subsets import CLOSED_SCHEMA
from parley.wire.structured_output import TOOL_DESCRIPTION, json_instruction, structured_tool_name

_BUDGETS: dict[ReasoningEffort, int] = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16_384}
_EFFORTS: dict[ReasoningEffort, str] = {"none": "low", "minimal": "low", "low": "low", "medium": "medium", "high": "high"}
BINDING_BETA = "thinking-binding-controls-2026-08-01"
_MIN_BUDGET = 1024
_UNKNOWN_TO_WIRE = ("seed", "frequency_penalty", "presence_penalty")


class MessagesOptions:
    """Encodes one request's options into a body. `betas` holds the vendor's beta names that what was written needs."""

    def __init__(self, request: ChatRequest, target: Target, *, traits: ClaudeTraits, warnings: EncodingWarnings) -> None:
        self._options = request.options
        self._request = request
        self._target = target
        self._traits = traits
        self._warnings = warnings
        self._report = SchemaReport(provider=target.provider, strict=request.strict_options, warnings=warnings)
        self._structured = self._structured_by()
        self.betas: set[str] = set()

    @property
    def instruction(self) -> str:
        """What the system prompt must add for structured output: the wire has no field for JSON without a schema."""
        return json_instruction(self._request) if self._structured == "prompt" else ""

    def write(self, body: dict[str, Any]) -> None:
        """Add everything that the options ask for."""
        body["max_tokens"] = self._options.max_tokens if self._options.max_tokens is not None else self._traits.default_max_tokens
        self._write_thinking(body)
        self._write_sampling(body)
        if self._options.stop:
            body["stop_sequences"] = self._options.stop
        self._write_tools(body)
        self._write_format(body)
        if self._request.user_id:
            body["metadata"] = {"user_id": self._request.user_id}
        self._write_extra(dict(self._options.extra), body)

    def _write_extra(self, extra: dict[str, Any], body: dict[str, Any]) -> None:
        """The provider's own options. Those that stand inside an object which other options fill too are put in their places."""
        self.betas.update(list_of(extra.pop("betas", None)))
        if "thinking" in extra:
            thinking = object_of(extra.pop("thinking"))
            body["thinking"] = thinking if thinking.get("type") == "disabled" else {**body.get("thinking", {}), **thinking}
        if "output_config" in extra:
            body["output_config"] = {**body.get("output_config", {}), **object_of(extra.pop("output_config"))}
        if "tool_fields" in extra:
            more = object_of(extra.pop("tool_fields"))
            body["tools"] = [{**tool, **object_of(more.get(tool["name"]))} for tool in body.get("tools", [])]
        if "hosted_tools" in extra:
            body["tools"] = [*body.get("tools", []), *extra.pop("hosted_tools")]
        body.update(extra)

    def _structured_by(self) -> str:
        wanted = self._options.response_format
        if wanted is None or wanted == "text":
            return ""
        if wanted == "json":
            return "prompt"
        declared = self._target.capabilities.structured_output or "native"
        if declared != "native" or not isinstance(wanted, SchemaFormat):
            return declared
        if not self._traits.json_schema:
            return "tool"
        misshapen = downgrade(wanted.schema, CLOSED_SCHEMA, where=FORMAT_PATH).misshapen
        if misshapen:
            self._report.not_enforced(misshapen, where=FORMAT_PATH, instead="the arguments of a tool that must be called")
        return "tool" if misshapen else "native"

    def _write_thinking(self, body: dict[str, Any]) -> None:
        effort = self._options.reasoning_effort
        if effort is not None and self._traits.thinking == "adaptive":
            self._write_effort(body, effort)
        elif effort is not None and effort != "none":
            if self._traits.thinking == "none":
                problem = f"{self._target.model} does not reason; leave out options.reasoning_effort or choose a newer model"
                raise UnsupportedFeatureError(problem, provider=self._target.provider, model=self._target.model)
            self._write_budget(body, _BUDGETS[effort])
        if self._traits.binds_thought:
            self.betas.add(BINDING_BETA)
            body["thinking"] = {"type": "adaptive", **body.get("thinking", {}), "block_binding": {"prefix_mismatch_behavior": "drop_block"}}

    def _write_effort(self, body: dict[str, Any], effort: ReasoningEffort) -> None:
        if effort == "none" and not self._traits.always_thinks:
            body["thinking"] = {"type": "disabled"}
            return
        if effort == "none":
            self._warnings.add(
                "reasoning_not_off", f"{self._target.model} cannot stop reasoning; it was asked to reason as little as it can"
            )
        body["thinking"] = {"type": "adaptive"} if self._traits.shows_thinking else {"type": "adaptive", "display": "summarized"}
        body["output_config"] = {"effort": _EFFORTS[effort]}

    def _write_budget(self, body: dict[str, Any], budget: int) -> None:
        """The budget is part of `max_tokens` and must stay below it; where the request leaves that open, room for both is made."""
        if self._options.max_tokens is None:
            body["max_tokens"] += budget
        budget = min(budget, body["max_tokens"] - 1)
        if budget < _MIN_BUDGET:
            problem = f"options.max_tokens must be above {_MIN_BUDGET} for {self._target.model} to reason, since thought counts into it"
            raise InvalidRequestError(problem, fields=[FieldProblem(path="options.max_tokens", message=problem)])
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}

    def _write_sampling(self, body: dict[str, Any]) -> None:
        options = self._options
        for name in _UNKNOWN_TO_WIRE:
            if getattr(options, name) is not None:
                self._drop(name, "this wire has no such option")
        values: dict[str, float | None] = {"temperature": options.temperature, "top_p": options.top_p, "top_k": options.top_k}
        if options.temperature is not None and options.temperature > 1:
            self._warnings.add("temperature_reduced", f"{self._target.provider} takes a temperature of at most 1; 1 was sent")
            values["temperature"] = 1
        if body.get("thinking", {}).get("type") == "enabled":
            values = self._beside_thinking(values)
        if self._traits.one_sampling and values["temperature"] is not None and values["top_p"] is not None:
            self._drop("top_p", "the model takes temperature or top_p, not both")
            values["top_p"] = None
        body.update((name, value) for name, value in values.items() if value is not None)

    def _beside_thinking(self, values: dict[str, float | None]) -> dict[str, float | None]:
        """A thinking budget excludes top_k, any temperature but 1 and a top_p below 0.95."""
        top_p = values["top_p"]
        refused = {"temperature": values["temperature"] not in {None, 1}, "top_k": values["top_k"] is not None}
        refused["top_p"] = top_p is not None and top_p < 0.95
        for name, is_refused in refused.items():
            if is_refused:
                self._drop(name, "the model does not take it while it reasons")
        return {name: None if refused[name] else value for name, value in values.items()}

    def _drop(self, name: str, reason: str) -> None:
        self._warnings.add(f"{name}_dropped", f"{self._target.provider} was not sent {name}: {reason}")

    def _write_tools(self, body: dict[str, Any]) -> None:
        tools = [self._tool(tool, number) for number, tool in enumerate(self._options.tools or ())]
        choice = self._choice() if tools else None
        if self._structured == "tool" and isinstance(self._options.response_format, SchemaFormat):
            name = structured_tool_name(self._request)
            choice = {"type": "any"} if tools else {"type": "tool", "name": name}
            schema = _object_schema(self._options.response_format.schema)
            tools.append({"name": name, "description": TOOL_DESCRIPTION, "input_schema": schema})
        if not tools:
            # Calls in the history are refused where no tool is declared.
            tools, choice = self._tools_of_history(), {"type": "none"}
        if not tools:
            return
        body["tools"] = tools
        if choice is not None:
            self._check_choice(choice, body)
            body["tool_choice"] = choice

    def _tool(self, tool: Tool, number: int) -> dict[str, Any]:
        encoded: dict[str, Any] = {"name": tool.name}
        if tool.description is not None:
            encoded["description"] = tool.description
        schema = _object_schema(tool.parameters)
        if not tool.strict or not self._traits.json_schema:
            return {**encoded, "input_schema": schema}
        where = tool_path(number)
        misshapen = downgrade(schema, CLOSED_SCHEMA, where=where).misshapen
        if misshapen:
            self._report.not_enforced(misshapen, where=where, instead="a hint")
            return {**encoded, "input_schema": schema}
        return {**encoded, "input_schema": self._report.write(schema, CLOSED_SCHEMA, where=where), "strict": True}

    def _choice(self) -> dict[str, Any] | None:
        wanted = self._options.tool_choice
        choice: dict[str, Any] | None = None
        if isinstance(wanted, NamedToolChoice):
            choice = {"type": "tool", "name": wanted.name}
        elif wanted is not None:
            choice = {"type": "any" if wanted == "required" else wanted}
        if self._options.parallel_tool_calls is False and wanted != "none":
            choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
        return choice

    def _check_choice(self, choice: dict[str, Any], body: dict[str, Any]) -> None:
        what = "tool_choice" if self._structured != "tool" else "response_format"
        problem = ""
        if choice["type"] in {"any", "tool"} and not self._traits.forced_tools:
            problem = f"{self._target.model} cannot be made to call a tool, which options.{what} asks for"
        elif choice["type"] in {"any", "tool"} and body.get("thinking", {}).get("type") == "enabled":
            problem = f"{self._target.model} cannot be made to call a tool while it reasons: use options.{what} or options.reasoning_effort"
        if problem:
            raise UnsupportedFeatureError(problem, provider=self._target.provider, model=self._target.model)

    def _tools_of_history(self) -> list[dict[str, Any]]:
        names = {part.name: None for message in self._request.messages for part in message.parts if isinstance(part, ToolCall)}
        return [{"name": name, "input_schema": {"type": "object"}} for name in names]

    def _write_format(self, body: dict[str, Any]) -> None:
        wanted = self._options.response_format
        if self._structured == "native" and isinstance(wanted, SchemaFormat):
            schema = self._report.write(wanted.schema, CLOSED_SCHEMA, where=FORMAT_PATH)
            config = object_of(body.get("output_config"))
            body["output_config"] = {**config, "format": {"type": "json_schema", "schema": schema}}


def _object_schema(schema: dict[str, Any]) -> dict[str, Any]:
    return schema if schema.get("type") == "object" else {"type": "object", **schema}
