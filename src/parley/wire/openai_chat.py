"""OpenAI's chat completions wire and, by its options, the dialects of everyone who speaks it. Knows no client and no vendor's name.

https://platform.openai.com/docs/api-reference/chat; recordings of 2024 to 2026 from 27 vendors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from parley.contract.capabilities import Capabilities, Model
from parley.contract.codec import Decoder
from parley.contract.errors import ParleyError
from parley.contract.http import AuthScheme, HttpRequest, ResponseHead, Target
from parley.contract.request import ChatRequest
from parley.wire.history import EncodingWarnings
from parley.wire.image_types import check_image_types
from parley.wire.model_rules import apply_model_rules
from parley.wire.openai_chat_decode import OpenAIChatDecoder
from parley.wire.openai_chat_dialect import WIRE_NAME, ChatDialect
from parley.wire.openai_chat_encode import write_body
from parley.wire.openai_chat_errors import decode_error_body
from parley.wire.openai_models import models_in, models_request, url_of


class OpenAIChat(ChatDialect, frozen=True, kw_only=True):
    """The codec; its fields are the dialect's options. A provider with a quirk of its own derives from it and overrides a method."""

    name = WIRE_NAME
    capabilities = Capabilities(streaming=True, cache_markers=False, list_models=True, count_tokens=False)
    auth_scheme = AuthScheme()

    def chat_url(self, target: Target) -> str:
        """Where an answer is asked for."""
        return url_of(target.endpoint, "/chat/completions")

    def finish_body(self, body: dict[str, Any], request: ChatRequest, *, target: Target) -> dict[str, Any]:
        """The last word on the body; `request` and `target` say what it came from."""
        return body

    def encode(self, request: ChatRequest, *, target: Target, stream: bool) -> HttpRequest:
        """See parley.contract.codec.Codec."""
        if self.image_types is not None:
            check_image_types(request, self.image_types, target=target)
        warnings = EncodingWarnings()
        body = write_body(self, request, target=target, stream=stream, warnings=warnings)
        apply_model_rules(self.rules, target.model, body=body, warnings=warnings, strict=request.strict_options)
        body = self.finish_body(body, request, target=target)
        accept = "text/event-stream" if stream else "application/json"
        return HttpRequest(
            method="POST",
            url=self.chat_url(target),
            headers={"Content-Type": "application/json", "Accept": accept},
            body=msgspec.json.encode(body),
            warnings=warnings.warnings,
        )

    def decoder(self, request: ChatRequest, head: ResponseHead) -> Decoder:
        """See parley.contract.codec.Codec."""
        return OpenAIChatDecoder(request, head, wire=self.name, own_codes=self.error_codes)

    def decode_error(self, head: ResponseHead, body: bytes) -> ParleyError:
        """See parley.contract.codec.Codec."""
        return decode_error_body(head, body, own_codes=self.error_codes)

    def encode_list_models(self, *, target: Target) -> HttpRequest:
        """See parley.contract.codec.ListsModels."""
        return models_request(target)

    def decode_models(self, head: ResponseHead, body: bytes) -> Sequence[Model]:
        """See parley.contract.codec.ListsModels."""
        return models_in(head, body, decode_error=self.decode_error)
