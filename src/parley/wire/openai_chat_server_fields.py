"""What becomes of every field of a chat completions request that a client sends to us, as data. Reads no request.

https://platform.openai.com/docs/api-reference/chat/create (read 2026-11-22); the fields are those of the vendor's Python client 3.54.
The page docs/reference/chat-completions.md is this table; a test holds it against the client's types.
"""

from __future__ import annotations

from typing import Final

from parley.wire.server_fields import FieldPolicy, passed, refused, table_of, translated

FIELDS: Final[tuple[FieldPolicy, ...]] = (
    translated("messages", "messages", "participants' `name` is left out and named in a warning"),
    translated("model", "options.model", "`provider/model`, a model id that a provider lists, or a provider's name"),
    refused("audio", "answers are text"),
    translated("frequency_penalty", "options.frequency_penalty"),
    translated("function_call", "options.tool_choice", "the reply then has `function_call`, as the field wants it"),
    translated("functions", "options.tools"),
    passed("logit_bias"),
    refused("logprobs", "no provider-independent form", harmless=(False,)),
    translated("max_completion_tokens", "options.max_tokens", "wins over `max_tokens`"),
    translated("max_tokens", "options.max_tokens"),
    passed("metadata"),
    refused("modalities", "answers are text", harmless=(["text"],)),
    passed("moderation"),
    refused("n", "one answer a request", harmless=(1,)),
    translated("parallel_tool_calls", "options.parallel_tool_calls"),
    passed("prediction"),
    translated("presence_penalty", "options.presence_penalty"),
    passed("prompt_cache_key"),
    passed("prompt_cache_options"),
    passed("prompt_cache_retention"),
    translated("reasoning_effort", "options.reasoning_effort", "`xhigh` and `max` as `high` where the provider has no such level"),
    translated("response_format", "options.response_format"),
    passed("safety_identifier"),
    translated("seed", "options.seed"),
    passed("service_tier"),
    translated("stop", "options.stop"),
    passed("store"),
    translated("stream", "the kind of call"),
    translated("stream_options", "whether a usage chunk ends the stream", "`include_obfuscation` has no effect: nothing is padded"),
    translated("temperature", "options.temperature"),
    translated("tool_choice", "options.tool_choice", "`allowed_tools` by sending those tools alone"),
    translated("tools", "options.tools", "functions; a tool of type `custom` is refused"),
    refused("top_logprobs", "no provider-independent form", harmless=(0,)),
    translated("top_p", "options.top_p"),
    translated("user", "user_id", "and as an option, where the provider declares it"),
    passed("verbosity"),
    passed("web_search_options"),
)

# Not a field of this wire at its vendor, but of many servers that speak it, and an option of the contract.
EXTENSIONS: Final[tuple[FieldPolicy, ...]] = (translated("top_k", "options.top_k"),)

PASSED: Final[frozenset[str]] = frozenset(field.name for field in FIELDS if field.treatment == "passed")
REFUSED: Final[tuple[FieldPolicy, ...]] = tuple(field for field in FIELDS if field.treatment == "refused")
KNOWN: Final[frozenset[str]] = frozenset(field.name for field in (*FIELDS, *EXTENSIONS))


def fields_table() -> str:
    """The table as Markdown, for the documentation."""
    return table_of((*FIELDS, *EXTENSIONS))
