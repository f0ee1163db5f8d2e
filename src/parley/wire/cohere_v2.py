"""Cohere's chat wire of its second version, whole: requests, errors and the list of models. Knows no key and opens nothing.

https://docs.cohere.com/reference/chat (read 2026-11-25); recordings of 2025 and 2026.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from parley.contract.capabilities import Capabilities, Model
from parley.contract.codec import Decoder
from parley.contract.errors import ParleyError, ProtocolError
from parley.contract.http import AuthScheme, HttpRequest, ResponseHead, Target
from parley.contract.messages import FilePart, ImagePart, Message, Part, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.options import NamedToolChoice, ReasoningEffort, SchemaFormat
from parley.contract.request import ChatRequest
from parley.wire.cohere_embeddings import CohereEmbeddings
from parley.wire.cohere_v2_reply import CohereDecoder
from parley.wire.errors import plain_words
from parley.wire.history import EncodingWarnings, ToolIds, data_url, own_data, result_media, result_text
from parley.wire.image_types import USUAL_TYPES, check_image_types
from parley.wire.json_events import decode_object
from parley.wire.json_values import count_of, json_text, list_of, object_of, text_of
from parley.wire.openai_chat_encode import misplaced
from parley.wire.openai_chat_errors import decode_error_body
from parley.wire.schema_report import FORMAT_PATH, SchemaReport
from parley.wire.schema_subsets import COHERE_SCHEMA
from parley.wire.structured_output import json_instruction

WIRE_NAME = "cohere_v2"
_BUDGETS: dict[ReasoningEffort, int] = {"minimal": 512, "low": 2048, "medium": 8192, "high": 31_000}
_OPTIONS = {
    "temperature": "temperature",
    "top_p": "p",
    "top_k": "k",
    "max_tokens": "max_tokens",
    "stop": "stop_sequences",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
}


class CohereV2(CohereEmbeddings):
    """The codec."""

    name = WIRE_NAME
    auth_scheme = AuthScheme()
    capabilities = Capabilities(
        streaming=True,
        tools=True,
        tool_choice=True,
        parallel_tool_calls=False,
        response_format=True,
        structured_output="native",
        files=False,
        stop=True,
        temperature=True,
        top_p=True,
        top_k=True,
        max_tokens=True,
        seed=True,
        frequency_penalty=True,
        presence_penalty=True,
        cache_markers=False,
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
        return HttpRequest(
            method="POST",
            url=f"{target.endpoint.rstrip('/')}/chat",
            headers={"Content-Type": "application/json", "Accept": "text/event-stream" if stream else "application/json"},
            body=msgspec.json.encode(_body(request, target=target, stream=stream, warnings=warnings)),
            warnings=warnings.warnings,
        )

    def decoder(self, request: ChatRequest, head: ResponseHead) -> Decoder:
        """See parley.contract.codec.Codec."""
        return CohereDecoder(request, head, wire=self.name)

    def decode_error(self, head: ResponseHead, body: bytes) -> ParleyError:
        """See parley.contract.codec.Codec."""
        return decode_error_body(head, body)

    def encode_list_models(self, *, target: Target) -> HttpRequest:
        """See parley.contract.codec.ListsModels. The list has stayed with the first version."""
        base = target.endpoint.rstrip("/").removesuffix("/v2")
        return HttpRequest(method="GET", url=f"{base}/v1/models?endpoint=chat&page_size=1000")

    def decode_models(self, head: ResponseHead, body: bytes) -> Sequence[Model]:
        """See parley.contract.codec.ListsModels."""
        document = decode_object(body)
        if document is None or not isinstance(document.get("models"), list):
            raise ProtocolError(plain_words(head, body) if document is None else "the provider's list of models is no list")
        listed = [object_of(item) for item in list_of(document["models"])]
        return [
            Model(text_of(item.get("name")), context_tokens=count_of(item.get("context_length")) or 0)
            for item in listed
            if text_of(item.get("name"))
        ]


def _body(request: ChatRequest, *, target: Target, stream: bool, warnings: EncodingWarnings) -> dict[str, Any]:
    options = request.options
    mode = target.capabilities.structured_output or "native"
    system = [request.system_prompt or "", json_instruction(request) if mode == "prompt" else ""]
    messages = _Conversation(target, warnings).write(request)
    if any(system):
        messages.insert(0, {"role": "system", "content": "\n\n".join(text for text in system if text)})
    body: dict[str, Any] = {"model": target.model, "messages": messages, "stream": stream}
    for name, wire_name in _OPTIONS.items():
        if getattr(options, name) is not None:
            body[wire_name] = getattr(options, name)
    _write_tools(request, body)
    if options.response_format == "json" and mode == "native":
        body["response_format"] = {"type": "json_object"}
    elif isinstance(options.response_format, SchemaFormat) and mode == "native":
        report = SchemaReport(provider=target.provider, strict=request.strict_options, warnings=warnings)
        schema = report.write(options.response_format.schema, COHERE_SCHEMA, where=FORMAT_PATH)
        body["response_format"] = {"type": "json_object", "json_schema": schema}
    effort = options.reasoning_effort
    if effort is not None:
        body["thinking"] = {"type": "disabled"} if effort == "none" else {"type": "enabled", "token_budget": _BUDGETS[effort]}
    body.update(options.extra)
    return body


def _write_tools(request: ChatRequest, body: dict[str, Any]) -> None:
    """The wire knows "some tool" and "none" only: for one certain tool, it is the only one offered."""
    tools, choice = request.options.tools, request.options.tool_choice
    if not tools:
        return
    if isinstance(choice, NamedToolChoice):
        tools = [tool for tool in tools if tool.name == choice.name] or tools
    body["tools"] = [
        {"type": "function", "function": {"name": tool.name, "description": tool.description or "", "parameters": tool.parameters}}
        for tool in tools
    ]
    if any(tool.strict for tool in tools):
        body["strict_tools"] = True
    if choice == "none":
        body["tool_choice"] = "NONE"
    elif choice is not None and choice != "auto":
        body["tool_choice"] = "REQUIRED"


class _Conversation:
    """Writes the messages of one request."""

    def __init__(self, target: Target, warnings: EncodingWarnings) -> None:
        self._provider = target.provider
        self._warnings = warnings
        self._ids = ToolIds()

    def write(self, request: ChatRequest) -> list[dict[str, Any]]:
        written: list[dict[str, Any]] = []
        for position, message in enumerate(request.messages):
            if message.role == "assistant":
                written.append(self._assistant(message, position))
            else:
                written += self._others(message, position)
        return written

    def _others(self, message: Message, position: int) -> list[dict[str, Any]]:
        written: list[dict[str, Any]] = []
        content: list[dict[str, Any]] = []
        for part in message.parts:
            if isinstance(part, ToolResult):
                sent = self._ids.result(part.tool_call_id)
                written.append({"role": "tool", "tool_call_id": sent, "content": result_text(part)})
                if result_media(part):
                    self._warnings.add("tool_media_dropped", f"{self._provider} takes text alone as a tool's result; images were left out")
            elif message.role == "tool" or not isinstance(part, (TextPart, ImagePart)):
                raise misplaced(part, message, position)
            else:
                content.append(self._content(part))
        if content or not written:
            role = "system" if message.role == "system" else "user"
            only = content[0]["text"] if len(content) == 1 and content[0]["type"] == "text" else content or ""
            written.append({"role": role, "content": only})
        return written

    def _content(self, part: TextPart | ImagePart) -> dict[str, Any]:
        self._own(part)
        if isinstance(part, TextPart):
            return {"type": "text", "text": part.text}
        image = {"url": data_url(part), **({"detail": part.detail} if part.detail else {})}
        return {"type": "image_url", "image_url": image}

    def _assistant(self, message: Message, position: int) -> dict[str, Any]:
        written: dict[str, Any] = {"role": "assistant"}
        content: list[dict[str, Any]] = []
        calls: list[dict[str, Any]] = []
        for part in message.parts:
            own = object_of(self._own(part))
            if isinstance(part, TextPart):
                content += [{"type": "text", "text": part.text}] if part.text else []
            elif isinstance(part, ToolCall):
                calls.append(self._call(part))
            elif isinstance(part, ReasoningPart):
                _write_thought(part, own.get("kind"), written=written, content=content)
            elif isinstance(part, (ImagePart, FilePart)):
                self._warnings.add(
                    "assistant_media_dropped", f"{self._provider} takes no images or files in an assistant's message; they were left out"
                )
            else:
                raise misplaced(part, message, position)
        if content or not calls:
            written["content"] = content or ""
        if calls:
            written["tool_calls"] = calls
        return written

    def _call(self, call: ToolCall) -> dict[str, Any]:
        is_object = decode_object(call.arguments.encode("utf-8", "replace")) is not None
        arguments = call.arguments if is_object else json_text({"input": call.arguments})
        return {"id": self._ids.call(call.id), "type": "function", "function": {"name": call.name, "arguments": arguments}}

    def _own(self, part: Part) -> Any:
        return own_data(part, WIRE_NAME, provider=self._provider, warnings=self._warnings)


def _write_thought(part: ReasoningPart, kind: Any, *, written: dict[str, Any], content: list[dict[str, Any]]) -> None:
    """Back where it came from; another vendor's thought is left out."""
    if kind == "plan":
        written["tool_plan"] = written.get("tool_plan", "") + part.text
    elif kind:
        content.append({"type": "thinking", "thinking": part.text})
