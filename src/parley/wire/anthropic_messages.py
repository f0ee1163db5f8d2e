"""Anthropic's Messages wire, whole: requests, replies, errors and the list of models. Knows no key and opens nothing.

https://docs.claude.com/en/api/messages (read 2026-11-22); recordings of 2024 to 2026.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from parley.contract.capabilities import Capabilities, Model
from parley.contract.codec import Decoder
from parley.contract.errors import ParleyError, ProtocolError
from parley.contract.http import AuthScheme, HttpRequest, ResponseHead, Target
from parley.contract.request import ChatRequest
from parley.wire.anthropic_messages_history import MessagesHistory, limit_cache_markers
from parley.wire.anthropic_messages_models import CLAUDE_RULES, CLAUDE_TRAITS, ClaudeTraits, traits_of
from parley.wire.anthropic_messages_reply import MessagesDecoder, decode_messages_error
from parley.wire.anthropic_messages_request import MessagesOptions
from parley.wire.errors import plain_words
from parley.wire.history import EncodingWarnings
from parley.wire.image_types import USUAL_TYPES, check_image_types
from parley.wire.json_events import decode_object
from parley.wire.json_values import count_of, list_of, object_of, text_of
from parley.wire.model_rules import ModelRule, apply_model_rules

VERSION = "2023-06-01"
# https://docs.claude.com/en/api/messages-count-tokens (read 2026-11-25)
_COUNTED = frozenset({"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control", "speed"}) | {
    "mcp_servers",
    "context_management",
}


class AnthropicMessages:
    """The codec. `traits` and `rules` say what models take (vendors that borrow this wire have their own); a cloud that hosts it under
    another address derives from this class and overrides `url`, `headers` or `body`.
    """

    name = "anthropic_messages"
    auth_scheme = AuthScheme(header="x-api-key", prefix="")
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
        stop=True,
        temperature=True,
        top_p=True,
        top_k=True,
        max_tokens=True,
        seed=False,
        frequency_penalty=False,
        presence_penalty=False,
        cache_markers=True,
        citations=True,
        usage=True,
        list_models=True,
        embeddings=False,
        count_tokens=True,
    )

    def __init__(self, *, traits: Sequence[ClaudeTraits] = CLAUDE_TRAITS, rules: Sequence[ModelRule] = CLAUDE_RULES) -> None:
        self._traits = traits
        self._rules = rules

    def url(self, target: Target, *, stream: bool) -> str:
        """Where a message is asked for."""
        return f"{target.endpoint.rstrip('/')}/messages"

    def headers(self, betas: Sequence[str]) -> Mapping[str, str]:
        """The headers besides the key."""
        headers = {"content-type": "application/json", "anthropic-version": VERSION}
        return {**headers, "anthropic-beta": ",".join(betas)} if betas else headers

    def body(self, fields: dict[str, Any], *, stream: bool, betas: Sequence[str]) -> dict[str, Any]:
        """The body from its fields. `betas` are named where the version is: in a header here."""
        return {**fields, "stream": True} if stream else fields

    def encode(self, request: ChatRequest, *, target: Target, stream: bool) -> HttpRequest:
        """See parley.contract.codec.Codec."""
        check_image_types(request, USUAL_TYPES, target=target)
        warnings = EncodingWarnings()
        options = MessagesOptions(request, target, traits=traits_of(target.model, self._traits), warnings=warnings)
        history = MessagesHistory(request, target, wire=self.name, warnings=warnings)
        fields: dict[str, Any] = {"model": target.model, "messages": history.messages()}
        system = history.system(options.instruction)
        if system:
            fields["system"] = system
        options.write(fields)
        apply_model_rules(self._rules, target.model, body=fields, warnings=warnings, strict=request.strict_options)
        limit_cache_markers(fields, warnings)
        betas = sorted(history.betas | options.betas)
        return HttpRequest(
            method="POST",
            url=self.url(target, stream=stream),
            headers=self.headers(betas),
            body=msgspec.json.encode(self.body(fields, stream=stream, betas=betas)),
            warnings=warnings.warnings,
        )

    def encode_count_tokens(self, request: ChatRequest, *, target: Target) -> HttpRequest:
        """See parley.contract.codec.CountsTokens. The vendor takes the fields that are read, and no others."""
        asked = self.encode(request, target=target, stream=False)
        fields = decode_object(asked.body) or {}
        body = msgspec.json.encode({name: value for name, value in fields.items() if name in _COUNTED})
        url = f"{target.endpoint.rstrip('/')}/messages/count_tokens"
        return HttpRequest(method="POST", url=url, headers=asked.headers, body=body, warnings=asked.warnings)

    def decode_token_count(self, head: ResponseHead, body: bytes) -> int:
        """See parley.contract.codec.CountsTokens."""
        count = count_of((decode_object(body) or {}).get("input_tokens"))
        if count is None:
            raise ProtocolError("the provider's count of tokens has no input_tokens")
        return count

    def decoder(self, request: ChatRequest, head: ResponseHead) -> Decoder:
        """See parley.contract.codec.Codec."""
        return MessagesDecoder(request, head, wire=self.name)

    def decode_error(self, head: ResponseHead, body: bytes) -> ParleyError:
        """See parley.contract.codec.Codec."""
        return decode_messages_error(head, body)

    def encode_list_models(self, *, target: Target) -> HttpRequest:
        """See parley.contract.codec.ListsModels. A thousand is the vendor's longest page, and more than it has models."""
        return HttpRequest(method="GET", url=f"{target.endpoint.rstrip('/')}/models?limit=1000", headers={"anthropic-version": VERSION})

    def decode_models(self, head: ResponseHead, body: bytes) -> Sequence[Model]:
        """See parley.contract.codec.ListsModels."""
        value = decode_object(body)
        if value is None or not isinstance(value.get("data"), list):
            raise ProtocolError(plain_words(head, body) if value is None else "the provider's list of models has no data")
        entries = [object_of(entry) for entry in list_of(value["data"])]
        return [Model(text_of(entry.get("id")), label=text_of(entry.get("display_name"))) for entry in entries if text_of(entry.get("id"))]
