"""OpenAI's Responses wire and, by its options, the dialects of everyone who speaks it. Knows no client and no vendor's name.

https://platform.openai.com/docs/api-reference/responses; recordings of 2025 and 2026 from ten vendors. Stateless: each request carries
the whole conversation, and thought travels in it, encrypted where the vendor does so.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from parley.contract.capabilities import Capabilities, Model
from parley.contract.codec import Decoder
from parley.contract.errors import ParleyError
from parley.contract.http import AuthScheme, HttpRequest, ResponseHead, Target
from parley.contract.options import NamedToolChoice, SchemaFormat, Tool
from parley.contract.request import ChatRequest
from parley.wire.history import EncodingWarnings
from parley.wire.image_types import check_image_types
from parley.wire.model_rules import ModelRule, apply_model_rules
from parley.wire.openai_chat_errors import decode_error_body
from parley.wire.openai_embeddings import OpenAIEmbeddings
from parley.wire.openai_models import models_in, models_request, url_of
from parley.wire.openai_responses_decode import OpenAIResponsesDecoder
from parley.wire.openai_responses_history import InputWriter
from parley.wire.schema import SchemaSubset
from parley.wire.schema_report import FORMAT_PATH, SchemaReport, tool_path
from parley.wire.structured_output import TOOL_DESCRIPTION, json_instruction, structured_tool_name

WIRE_NAME = "openai_responses"
_PLAIN_OPTIONS = ("temperature", "top_p", "top_k", "stop", "seed", "frequency_penalty", "presence_penalty", "reasoning_effort")
_SAMPLING = ("temperature", "top_p")
_THINKING = ("minimal", "low", "medium", "high", "xhigh", "max")
# The same models as on the chat wire, by the same refusals; from gpt-5.1 on sampling is refused only while the model reasons.
RESPONSES_RULES: tuple[ModelRule, ...] = (
    *(ModelRule(match=match, unless=("gpt-5-chat*", "gpt-5.*"), drop=_SAMPLING) for match in ("gpt-5*", "o1*", "o3*", "o4*")),
    ModelRule(match="gpt-5.*", drop=_SAMPLING, when={"reasoning_effort": _THINKING}),
)


class OpenAIResponses(OpenAIEmbeddings, frozen=True, kw_only=True):
    """The codec; its fields are the dialect's options.

    `store` is what the vendor is told about keeping replies (None: nothing). `encrypted_thought` names the models (shell patterns)
    that are asked to send their thought encrypted, so that it can go back. `rules` say what models take, `schema_subset` what the
    vendor takes of JSON Schema and `image_types` which images (None: whatever comes).
    """

    store: bool | None = False
    encrypted_thought: Sequence[str] = ("gpt-5*", "gpt-6*", "o1*", "o3*", "o4*", "codex*")
    rules: Sequence[ModelRule] = RESPONSES_RULES
    schema_subset: SchemaSubset | None = None
    image_types: Sequence[str] | None = None

    name = WIRE_NAME
    capabilities = Capabilities(
        streaming=True,
        tools=True,
        tool_choice=True,
        parallel_tool_calls=True,
        response_format=True,
        structured_output="native",
        images=True,
        image_urls=True,
        files=True,
        stop=False,
        temperature=True,
        top_p=True,
        top_k=False,
        max_tokens=True,
        seed=False,
        frequency_penalty=False,
        presence_penalty=False,
        cache_markers=False,
        usage=True,
        list_models=True,
        count_tokens=False,
    )
    auth_scheme = AuthScheme()

    def finish_body(self, body: dict[str, Any], request: ChatRequest, *, target: Target) -> dict[str, Any]:
        """The last word on the body; `request` and `target` say what it came from."""
        return body

    def encode(self, request: ChatRequest, *, target: Target, stream: bool) -> HttpRequest:
        """See parley.contract.codec.Codec."""
        if self.image_types is not None:
            check_image_types(request, self.image_types, target=target)
        warnings = EncodingWarnings()
        body = self._body(request, target=target, stream=stream, warnings=warnings)
        apply_model_rules(self.rules, target.model, body=body, warnings=warnings, strict=request.strict_options)
        _write_extra(request.options.extra, body)
        return HttpRequest(
            method="POST",
            url=url_of(target.endpoint, "/responses"),
            headers={"Content-Type": "application/json", "Accept": "text/event-stream" if stream else "application/json"},
            body=msgspec.json.encode(self.finish_body(body, request, target=target)),
            warnings=warnings.warnings,
        )

    def decoder(self, request: ChatRequest, head: ResponseHead) -> Decoder:
        """See parley.contract.codec.Codec."""
        return OpenAIResponsesDecoder(request, head, wire=self.name)

    def decode_error(self, head: ResponseHead, body: bytes) -> ParleyError:
        """See parley.contract.codec.Codec."""
        return decode_error_body(head, body)

    def encode_list_models(self, *, target: Target) -> HttpRequest:
        """See parley.contract.codec.ListsModels."""
        return models_request(target)

    def decode_models(self, head: ResponseHead, body: bytes) -> Sequence[Model]:
        """See parley.contract.codec.ListsModels."""
        return models_in(head, body)

    def _body(self, request: ChatRequest, *, target: Target, stream: bool, warnings: EncodingWarnings) -> dict[str, Any]:
        options = request.options
        mode = target.capabilities.structured_output or "native"
        instructions = [request.system_prompt or "", json_instruction(request) if mode == "prompt" else ""]
        body: dict[str, Any] = {"model": target.model}
        if any(instructions):
            body["instructions"] = "\n\n".join(text for text in instructions if text)
        body["input"] = InputWriter(target, wire=self.name, warnings=warnings).write(request)
        for name in _PLAIN_OPTIONS:
            if getattr(options, name) is not None:
                body[name] = getattr(options, name)
        if options.max_tokens is not None:
            body["max_output_tokens"] = options.max_tokens
        report = SchemaReport(provider=target.provider, strict=request.strict_options, warnings=warnings)
        self._write_tools(request, body, report)
        self._write_format(request, body, mode=mode, report=report)
        if request.user_id:
            body["safety_identifier"] = request.user_id
        if self.store is not None:
            body["store"] = self.store
        name = target.model.rsplit("/", 1)[-1].lower()
        if any(fnmatchcase(name, pattern) for pattern in self.encrypted_thought) and not fnmatchcase(name, "gpt-5-chat*"):
            body["include"] = ["reasoning.encrypted_content"]
        if stream:
            body["stream"] = True
        return body

    def _write_tools(self, request: ChatRequest, body: dict[str, Any], report: SchemaReport) -> None:
        options = request.options
        if options.tools:
            body["tools"] = [self._declared(tool, number, report) for number, tool in enumerate(options.tools)]
            if options.parallel_tool_calls is not None:
                body["parallel_tool_calls"] = options.parallel_tool_calls
        choice = options.tool_choice
        if isinstance(choice, NamedToolChoice):
            body["tool_choice"] = {"type": "function", "name": choice.name}
        elif choice is not None and options.tools:
            body["tool_choice"] = choice

    def _declared(self, tool: Tool, number: int, report: SchemaReport) -> dict[str, Any]:
        parameters, strict = tool.parameters, tool.strict
        if strict:
            parameters, strict = report.enforce(parameters, self.schema_subset, where=tool_path(number), strict=strict)
        return _tool(name=tool.name, description=tool.description, parameters=parameters, strict=bool(strict))

    def _write_format(self, request: ChatRequest, body: dict[str, Any], *, mode: str, report: SchemaReport) -> None:
        wanted = request.options.response_format
        if wanted is None or wanted == "text" or mode == "prompt":
            return
        if not isinstance(wanted, SchemaFormat):
            body["text"] = {"format": {"type": "json_object"}}
        elif mode == "tool":
            name = structured_tool_name(request)
            tool = _tool(name=name, description=TOOL_DESCRIPTION, parameters=wanted.schema, strict=False)
            body["tools"] = [*body.get("tools", []), tool]
            body["tool_choice"] = "required" if request.options.tools else {"type": "function", "name": name}
        else:
            schema, strict = report.enforce(wanted.schema, self.schema_subset, where=FORMAT_PATH, strict=wanted.strict)
            body["text"] = {"format": {"type": "json_schema", "name": wanted.name, "schema": schema, "strict": strict}}


def _tool(*, name: str, description: str | None, parameters: dict[str, Any], strict: bool) -> dict[str, Any]:
    """`strict` is always said: this wire takes its absence for true, which forbids optional parameters."""
    described = {"description": description} if description is not None else {}
    return {"type": "function", "name": name, **described, "parameters": parameters, "strict": strict}


def _write_extra(extra: dict[str, Any], body: dict[str, Any]) -> None:
    """The provider's own options. Those that stand inside an object which other options fill too are put in their places."""
    rest = dict(extra)
    reasoning = {"effort": body.pop("reasoning_effort", None), "summary": rest.pop("reasoning_summary", None)}
    effort = rest.pop("reasoning_effort", None)
    reasoning["effort"] = effort if effort is not None else reasoning["effort"]
    reasoning = {name: value for name, value in reasoning.items() if value is not None}
    if reasoning:
        body["reasoning"] = reasoning
    if "verbosity" in rest:
        body["text"] = {**body.get("text", {}), "verbosity": rest.pop("verbosity")}
    if "hosted_tools" in rest:
        body["tools"] = [*body.get("tools", []), *rest.pop("hosted_tools")]
    if "include" in rest:
        body["include"] = list(dict.fromkeys([*body.get("include", []), *rest.pop("include")]))
    body.update(rest)
