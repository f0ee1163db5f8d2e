"""Amazon Bedrock's Converse wire, whole: requests, errors and the list of models. Knows no signature and opens nothing.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html (read 2026-11-25); recordings of 2025 and 2026.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from parley.contract.capabilities import Capabilities, Model
from parley.contract.codec import Decoder
from parley.contract.errors import ParleyError, ProtocolError
from parley.contract.http import AuthScheme, HttpRequest, ResponseHead, Target
from parley.contract.messages import ToolCall
from parley.contract.options import NamedToolChoice, SchemaFormat
from parley.contract.request import ChatRequest
from parley.wire.bedrock_converse_history import ConverseHistory
from parley.wire.bedrock_converse_reply import ConverseDecoder, decode_converse_error
from parley.wire.bedrock_embeddings import BedrockEmbeddings
from parley.wire.errors import plain_words
from parley.wire.history import EncodingWarnings
from parley.wire.image_types import USUAL_TYPES, check_image_types
from parley.wire.json_events import decode_object
from parley.wire.json_values import json_text, list_of, object_of, text_of
from parley.wire.schema_report import FORMAT_PATH, SchemaReport
from parley.wire.schema_subsets import CLOSED_SCHEMA
from parley.wire.structured_output import TOOL_DESCRIPTION, json_instruction, structured_tool_name

WIRE_NAME = "bedrock_converse"
_INFERENCE = {"max_tokens": "maxTokens", "temperature": "temperature", "top_p": "topP", "stop": "stopSequences"}
_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16_384}
# What belongs beside the model's own fields; every other extra option is a field of the model.
_TOP_LEVEL = frozenset({"guardrailConfig", "performanceConfig", "serviceTier", "requestMetadata", "additionalModelResponseFieldPaths"})


class BedrockConverse(BedrockEmbeddings):
    """The codec. Options that models differ in travel in `additionalModelRequestFields`."""

    name = WIRE_NAME
    auth_scheme = AuthScheme()
    capabilities = Capabilities(
        streaming=True,
        tool_choice=True,
        parallel_tool_calls=False,
        response_format=True,
        structured_output="tool",
        image_urls=False,
        stop=True,
        temperature=True,
        top_p=True,
        max_tokens=True,
        seed=False,
        frequency_penalty=False,
        presence_penalty=False,
        citations=True,
        usage=True,
        list_models=True,
        embeddings=True,
        count_tokens=False,
    )

    def encode(self, request: ChatRequest, *, target: Target, stream: bool) -> HttpRequest:
        """See parley.contract.codec.Codec."""
        check_image_types(request, USUAL_TYPES, target=target)
        warnings = EncodingWarnings()
        # An address of the service holds a colon ("…-v1:0") and, as an ARN, slashes: all of it is one segment of the path.
        path = f"/model/{quote(target.model, safe='')}/converse{'-stream' if stream else ''}"
        return HttpRequest(
            method="POST",
            url=f"{target.endpoint.rstrip('/')}{path}",
            headers={
                "Content-Type": "application/json",
                "Accept": "application/vnd.amazon.eventstream" if stream else "application/json",
            },
            body=msgspec.json.encode(_body(request, target=target, warnings=warnings)),
            warnings=warnings.warnings,
        )

    def decoder(self, request: ChatRequest, head: ResponseHead) -> Decoder:
        """See parley.contract.codec.Codec."""
        return ConverseDecoder(request, head, wire=self.name)

    def decode_error(self, head: ResponseHead, body: bytes) -> ParleyError:
        """See parley.contract.codec.Codec."""
        return decode_converse_error(head, body)

    def encode_list_models(self, *, target: Target) -> HttpRequest:
        """See parley.contract.codec.ListsModels. The list is kept by the service's control plane, beside its runtime."""
        base = target.endpoint.rstrip("/").replace("//bedrock-runtime", "//bedrock", 1)
        return HttpRequest(method="GET", url=f"{base}/foundation-models?byOutputModality=TEXT")

    def decode_models(self, head: ResponseHead, body: bytes) -> Sequence[Model]:
        """See parley.contract.codec.ListsModels."""
        document = decode_object(body)
        if document is None or not isinstance(document.get("modelSummaries"), list):
            raise ProtocolError(plain_words(head, body) if document is None else "the provider's list of models is no list")
        listed = [object_of(item) for item in list_of(document["modelSummaries"])]
        return [
            Model(text_of(item.get("modelId")), label=text_of(item.get("modelName"))) for item in listed if text_of(item.get("modelId"))
        ]


def _body(request: ChatRequest, *, target: Target, warnings: EncodingWarnings) -> dict[str, Any]:
    options = request.options
    mode = target.capabilities.structured_output or "tool"
    by_prompt = mode == "prompt" or options.response_format == "json"
    history = ConverseHistory(target, wire=WIRE_NAME, warnings=warnings)
    body: dict[str, Any] = {"messages": history.messages(request)}
    system = history.system(request, json_instruction(request) if by_prompt else "")
    if system:
        body["system"] = system
    body["inferenceConfig"] = {wire: getattr(options, name) for name, wire in _INFERENCE.items() if getattr(options, name) is not None}
    _write_tools(request, mode=mode, has_calls=history.has_calls, body=body)
    if isinstance(options.response_format, SchemaFormat) and mode == "native":
        wanted = options.response_format
        report = SchemaReport(provider=target.provider, strict=request.strict_options, warnings=warnings)
        schema = {"schema": json_text(report.write(wanted.schema, CLOSED_SCHEMA, where=FORMAT_PATH)), "name": wanted.name}
        body["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}
    _write_model_fields(request, target=target, body=body)
    return body


def _write_model_fields(request: ChatRequest, *, target: Target, body: dict[str, Any]) -> None:
    options = request.options
    fields: dict[str, Any] = {}
    if options.top_k is not None:
        fields["top_k"] = options.top_k
    if options.reasoning_effort is not None:
        _write_effort(options.reasoning_effort, model=target.model, fields=fields, inference=body["inferenceConfig"])
    for name, value in options.extra.items():
        (body if name in _TOP_LEVEL else fields)[name] = value
    if fields:
        body["additionalModelRequestFields"] = fields


def _write_effort(effort: str, *, model: str, fields: dict[str, Any], inference: dict[str, Any]) -> None:
    """Each maker's models ask for it otherwise: https://docs.aws.amazon.com/bedrock/latest/userguide/inference-reasoning.html."""
    if "anthropic." in model and effort == "none":
        fields["thinking"] = {"type": "disabled"}
    elif "anthropic." in model:
        budget = _BUDGETS[effort]
        # The budget is part of the limit, which must be above it.
        inference["maxTokens"] = max(inference.get("maxTokens", 0), budget + 1024)
        fields["thinking"] = {"type": "enabled", "budget_tokens": budget}
    elif "amazon.nova" in model:
        enabled = {"type": "enabled", "maxReasoningEffort": "low" if effort == "minimal" else effort}
        fields["reasoningConfig"] = {"type": "disabled"} if effort == "none" else enabled
    elif effort != "none":
        fields["reasoning_effort"] = "low" if effort == "minimal" else effort


def _write_tools(request: ChatRequest, *, mode: str, has_calls: bool, body: dict[str, Any]) -> None:
    options = request.options
    tools = [
        _tool(tool.name, tool.description, parameters=tool.parameters, strict=tool.strict)
        for tool in options.tools or ()
        if options.tool_choice != "none" or has_calls
    ]
    choice: dict[str, Any] | None = None
    if isinstance(options.tool_choice, NamedToolChoice):
        choice = {"tool": {"name": options.tool_choice.name}}
    elif options.tool_choice == "required":
        choice = {"any": {}}
    elif options.tool_choice == "auto":
        choice = {"auto": {}}
    if mode == "tool" and isinstance(options.response_format, SchemaFormat):
        name = structured_tool_name(request)
        choice = {"any": {}} if tools else {"tool": {"name": name}}
        tools.append(_tool(name, TOOL_DESCRIPTION, parameters=options.response_format.schema, strict=None))
    if not tools and has_calls:
        # Calls in the history are refused where no tool is declared.
        tools = [_tool(name, None, parameters={"type": "object"}, strict=None) for name in _called_tools(request)]
    if not tools:
        return
    body["toolConfig"] = {"tools": tools} if choice is None else {"tools": tools, "toolChoice": choice}


def _called_tools(request: ChatRequest) -> list[str]:
    """The names of the tools that were called in this conversation, each once."""
    return list(dict.fromkeys(part.name for message in request.messages for part in message.parts if isinstance(part, ToolCall)))


def _tool(name: str, description: str | None, *, parameters: dict[str, Any], strict: bool | None) -> dict[str, Any]:
    specification: dict[str, Any] = {"name": name}
    if description:
        specification["description"] = description
    if strict:
        specification["strict"] = True
    return {"toolSpec": {**specification, "inputSchema": {"json": parameters}}}
