"""What becomes of every field of a Responses request that a client sends to us, as data. Reads no request.

https://platform.openai.com/docs/api-reference/responses/create (read 2026-11-25); the fields are those of the vendor's Python client 3.54.
The page docs/reference/responses.md is this table; a test holds it against the client's types.
"""

from __future__ import annotations

from typing import Final

from parley.wire.server_fields import FieldPolicy, needed, passed, refused, table_of, translated

_STATELESS = "nothing is kept between requests; send the whole conversation as `input`"

FIELDS: Final[tuple[FieldPolicy, ...]] = (
    translated("model", "options.model", "`provider/model`, a model id that a provider lists, or a provider's name"),
    translated("input", "messages", "items without a common form go to who speaks this wire, and are else left out and named"),
    passed("access_programs"),
    refused("background", "an answer is made while its request waits", harmless=(False,)),
    refused("background_options", "an answer is made while its request waits"),
    passed("context_management"),
    refused("conversation", _STATELESS),
    passed("image"),
    translated("include", "options.extra.include", "for who speaks this wire; encrypted thought is given without being asked for"),
    translated("instructions", "system_prompt"),
    translated("max_output_tokens", "options.max_tokens"),
    passed("max_tool_calls"),
    passed("metadata"),
    passed("moderation"),
    translated("parallel_tool_calls", "options.parallel_tool_calls"),
    refused("previous_response_id", _STATELESS),
    needed("prompt", "a template at the vendor"),
    passed("prompt_cache_key"),
    passed("prompt_cache_options"),
    passed("prompt_cache_retention"),
    translated("reasoning", "options.reasoning_effort", "`summary` for who speaks this wire; `xhigh` and `max` as `high` where unknown"),
    translated("safety_identifier", "user_id"),
    passed("service_tier"),
    refused("store", "nothing is kept between requests; leave it out or send false", harmless=(False,)),
    translated("stream", "the kind of call"),
    translated("stream_options", "nothing", "`include_obfuscation` has no effect: nothing is padded"),
    translated("temperature", "options.temperature"),
    translated("text", "options.response_format", "`verbosity` where the provider takes it"),
    translated("tool_choice", "options.tool_choice", "`allowed_tools` by sending those tools alone"),
    translated("tools", "options.tools", "the vendor's own tools go to who speaks this wire, and are else refused"),
    refused("top_logprobs", "no provider-independent form", harmless=(0,)),
    translated("top_p", "options.top_p"),
    passed("truncation"),
    translated("user", "user_id", "where there is no `safety_identifier`"),
)

PASSED: Final[frozenset[str]] = frozenset(field.name for field in FIELDS if field.treatment in {"passed", "needed"})
NEEDED: Final[frozenset[str]] = frozenset(field.name for field in FIELDS if field.treatment == "needed")
REFUSED: Final[tuple[FieldPolicy, ...]] = tuple(field for field in FIELDS if field.treatment == "refused")
KNOWN: Final[frozenset[str]] = frozenset(field.name for field in FIELDS)


def fields_table() -> str:
    """The table as Markdown, for the documentation."""
    return table_of(FIELDS)
