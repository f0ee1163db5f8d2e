"""Writes a request's options as Gemini's generateContent wire wants them. Knows no URL, no header and no reply.

https://ai.google.dev/api/generate-content#GenerationConfig (read 2026-11-22).
"""

from __future__ import annotations

from typing import Any

from parley.contract.errors import UnsupportedFeatureError
from parley.contract.http import Target
from parley.contract.options import NamedToolChoice, ReasoningEffort, SchemaFormat, Tool
from parley.contract.request import ChatRequest
from parley.wire.gemini_generate_models import GeminiTraits
from parley.wire.history import EncodingWarnings
from parley.wire.json_values import object_of
from parley.wire.schema_report import FORMAT_PATH, SchemaReport, tool_path
from parley.wire.schema_subsets import GEMINI_SCHEMA, OPENAPI_SCHEMA
from parley.wire.structured_output import TOOL_DESCRIPTION, json_instruction, structured_tool_name

_BUDGETS: dict[ReasoningEffort, int] = {"none": 0, "minimal": 512, "low": 2048, "medium": 8192, "high": 24_576}
_GENERATION_FIELDS = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "max_tokens": "maxOutputTokens",
    "stop": "stopSequences",
    "seed": "seed",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
}


class GenerateOptions:
    """Encodes one request's options into `body`, which already holds the conversation."""

    def __init__(self, request: ChatRequest, target: Target, *, traits: GeminiTraits, warnings: EncodingWarnings) -> None:
        self._options = request.options
        self._request = request
        self._target = target
        self._traits = traits
        self._warnings = warnings
        self._report = SchemaReport(provider=target.provider, strict=request.strict_options, warnings=warnings)
        self._structured = self._structured_by()

    @property
    def instruction(self) -> str:
        """What the system instruction must add for structured output that neither the vendor nor a tool enforces."""
        return json_instruction(self._request) if self._structured == "prompt" else ""

    def write(self, body: dict[str, Any]) -> None:
        """Add everything that the options ask for."""
        config = {
            written: getattr(self._options, name)
            for name, written in _GENERATION_FIELDS.items()
            if getattr(self._options, name) is not None
        }
        self._write_format(config)
        thinking = self._thinking()
        if thinking:
            config["thinkingConfig"] = thinking
        if config:
            body["generationConfig"] = config
        self._write_tools(body)
        for name, value in self._options.extra.items():
            known = body.get(name)
            body[name] = {**object_of(known), **object_of(value)} if isinstance(known, dict) and isinstance(value, dict) else value

    def _structured_by(self) -> str:
        """As declared; but older models refuse JSON beside functions, where a schema goes by a function and plain JSON by words."""
        wanted = self._options.response_format
        if wanted is None or wanted == "text":
            return ""
        declared = self._target.capabilities.structured_output or "native"
        if declared == "native" and self._options.tools and not self._traits.json_with_tools:
            declared = "tool"
        return "prompt" if declared == "tool" and wanted == "json" else declared

    def _write_format(self, config: dict[str, Any]) -> None:
        wanted = self._options.response_format
        if self._structured != "native":
            return
        config["responseMimeType"] = "application/json"
        if isinstance(wanted, SchemaFormat):
            config["responseJsonSchema" if self._traits.json_schema else "responseSchema"] = self._schema(wanted.schema, FORMAT_PATH)

    def _schema(self, schema: dict[str, Any], where: str) -> dict[str, Any]:
        return self._report.write(schema, GEMINI_SCHEMA if self._traits.json_schema else OPENAPI_SCHEMA, where=where)

    def _thinking(self) -> dict[str, Any]:
        effort = self._options.reasoning_effort
        if effort is None or (effort == "none" and self._traits.thinking == "none"):
            return {}
        if self._traits.thinking == "none":
            problem = f"{self._target.model} does not reason; leave out options.reasoning_effort or choose a newer model"
            raise UnsupportedFeatureError(problem, provider=self._target.provider, model=self._target.model)
        shown = {} if effort == "none" else {"includeThoughts": True}
        if self._traits.thinking == "budget":
            budget = max(_BUDGETS[effort], self._traits.least_budget)
            self._warn_of_least(effort, is_off=budget == 0)
            return {**shown, "thinkingBudget": budget}
        level = self._traits.least_level if effort in {"none", "minimal"} else effort
        self._warn_of_least(effort, is_off=False)
        return {**shown, "thinkingLevel": level}

    def _warn_of_least(self, effort: ReasoningEffort, *, is_off: bool) -> None:
        if effort == "none" and not is_off:
            self._warnings.add(
                "reasoning_not_off", f"{self._target.model} cannot stop reasoning; it was asked to reason as little as it can"
            )

    def _write_tools(self, body: dict[str, Any]) -> None:
        if self._options.parallel_tool_calls is not None:
            self._warnings.add("parallel_tool_calls_dropped", "this wire has no such option as parallel_tool_calls; it was left out")
        tools = [self._tool(tool, tool_path(number)) for number, tool in enumerate(self._options.tools or ())]
        calling = self._calling() if tools else None
        wanted = self._options.response_format
        if self._structured == "tool" and isinstance(wanted, SchemaFormat):
            name = structured_tool_name(self._request)
            tools.append(self._tool(Tool(name=name, description=TOOL_DESCRIPTION, parameters=wanted.schema), FORMAT_PATH))
            calling = {"mode": "ANY"}
        if tools:
            body["tools"] = [{"functionDeclarations": tools}]
        if calling:
            body["toolConfig"] = {"functionCallingConfig": calling}

    def _calling(self) -> dict[str, Any] | None:
        choice = self._options.tool_choice
        if isinstance(choice, NamedToolChoice):
            return {"mode": "ANY", "allowedFunctionNames": [choice.name]}
        if choice in {"required", "none"}:
            return {"mode": "ANY" if choice == "required" else "NONE"}
        if self._traits.json_schema and all(tool.strict for tool in self._options.tools or ()):
            return {"mode": "VALIDATED"}
        return {"mode": "AUTO"} if choice == "auto" else None

    def _tool(self, tool: Tool, where: str) -> dict[str, Any]:
        """A function without parameters is declared without a schema: an object without properties is refused."""
        encoded: dict[str, Any] = {"name": tool.name, **({"description": tool.description} if tool.description is not None else {})}
        if tool.parameters.get("properties"):
            encoded["parametersJsonSchema" if self._traits.json_schema else "parameters"] = self._schema(tool.parameters, where)
        return encoded
