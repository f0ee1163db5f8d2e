"""What dialects of OpenAI's chat wire differ in: a few options, and which fields a model takes. Knows no request and no reply.

https://platform.openai.com/docs/api-reference/chat/create; recordings of 2024 to 2026 from 27 vendors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from parley.contract.errors import ProviderError
from parley.wire.errors import NO_CODES
from parley.wire.history import ToolIds
from parley.wire.model_rules import ModelRule
from parley.wire.openai_embeddings import OpenAIEmbeddings
from parley.wire.schema import SchemaSubset

WIRE_NAME = "openai_chat"
_SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "top_k")
_THINKING = ("minimal", "low", "medium", "high", "xhigh")

# Reasoning models take no sampling options and call the limit otherwise: https://learn.microsoft.com/en-us/answers/questions/2277624
# (read 2026-11-22), and recorded refusals. From gpt-5.1 on, sampling is refused only while the model reasons:
# https://github.com/vercel/ai/issues/10932 (read 2026-11-22). Search models: https://github.com/ChatGPTNextWeb/NextChat/issues/6569.
OPENAI_RULES: tuple[ModelRule, ...] = (
    *(
        ModelRule(match=match, unless=("gpt-5-chat*", "gpt-5.*"), rename={"max_tokens": "max_completion_tokens"}, drop=_SAMPLING)
        for match in ("gpt-5*", "o1*", "o3*", "o4*")
    ),
    ModelRule(match="gpt-5.*", rename={"max_tokens": "max_completion_tokens"}),
    ModelRule(match="gpt-5.*", drop=_SAMPLING, when={"reasoning_effort": _THINKING}),
    ModelRule(match="gpt-*-search-preview*", drop=_SAMPLING),
)


class ChatDialect(OpenAIEmbeddings, frozen=True, kw_only=True):
    """The options of a dialect; each has users at two vendors.

    `stream_usage`: the vendor takes `stream_options` (some refuse it and report usage unasked). `reasoning_field`: where it takes its
    reasoning back ("" nowhere; "thinking": as typed chunks of the content); a vendor's `reasoning_details` always go back.
    `effort_field`: `reasoning_effort`, or an object `reasoning`. `rules`: what models take.
    `error_codes`: what this vendor alone means by its codes, over status and words. `schema_subset`: what it takes of JSON Schema, and
    `image_types`: which images (None: whatever comes).
    Those of embeddings are in OpenAIEmbeddings.
    """

    max_tokens_field: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    stream_usage: bool = True
    reasoning_field: Literal["", "reasoning_content", "reasoning", "thinking"] = ""
    effort_field: Literal["reasoning_effort", "reasoning"] = "reasoning_effort"
    rules: Sequence[ModelRule] = OPENAI_RULES
    error_codes: Mapping[str, type[ProviderError]] = NO_CODES
    schema_subset: SchemaSubset | None = None
    image_types: Sequence[str] | None = None

    def tool_ids(self) -> ToolIds:
        """Which tool ids the vendor takes; OpenAI's are at most 40 characters."""
        return ToolIds(r"[A-Za-z0-9_.:-]{1,40}")
