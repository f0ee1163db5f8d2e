"""What becomes of every field of a Messages request that a client sends to us, as data. Reads no request.

https://docs.claude.com/en/api/messages (read 2026-11-22); the fields are those of the vendor's Python client 2.14, its beta ones included.
The page docs/reference/messages.md is this table; a test holds it against the client's types.
"""

from __future__ import annotations

from typing import Final

from parley.wire.server_fields import FieldPolicy, needed, passed, refused, table_of, translated

FIELDS: Final[tuple[FieldPolicy, ...]] = (
    translated("model", "options.model", "`provider/model`, a model id that a provider lists, or a provider's name"),
    translated("messages", "messages", "blocks without a common form go to who speaks this wire, and are else left out and named"),
    translated("max_tokens", "options.max_tokens", "required, as at the vendor"),
    translated("metadata", "user_id", "its `user_id`"),
    translated("output_config", "options.response_format", "`effort` becomes `options.reasoning_effort`; on the same wire as it is"),
    translated("stop_sequences", "options.stop"),
    translated("stream", "the kind of call"),
    translated("system", "system_prompt", "blocks become system messages, with their cache markers"),
    translated("thinking", "options.reasoning_effort", "on the same wire as it is; else by its budget; `disabled` asks for nothing"),
    translated("tool_choice", "options.tool_choice", "`disable_parallel_tool_use` becomes `options.parallel_tool_calls`"),
    translated("tools", "options.tools", "the vendor's own tools go to who speaks this wire, and are else refused"),
    passed("cache_control"),
    passed("context_management"),
    passed("diagnostics"),
    passed("inference_geo"),
    passed("service_tier"),
    passed("speed"),
    passed("user_profile_id"),
    passed("workspace_id"),
    passed("billing_policy"),
    passed("fallback_credit_token"),
    passed("fallbacks"),
    needed("compaction"),
    needed("container"),
    needed("mcp_servers"),
    refused("thread", "nothing is kept between requests; send the whole conversation"),
)

# Not in the types of that client: what clients of other versions send, and models of other makers take.
EXTENSIONS: Final[tuple[FieldPolicy, ...]] = (
    translated("temperature", "options.temperature"),
    translated("top_k", "options.top_k"),
    translated("top_p", "options.top_p"),
    translated("output_format", "options.response_format", "the older name of `output_config.format`"),
    translated("betas", "the header `anthropic-beta`", "the header goes to who speaks this wire"),
)

PASSED: Final[frozenset[str]] = frozenset(field.name for field in FIELDS if field.treatment in {"passed", "needed"})
NEEDED: Final[frozenset[str]] = frozenset(field.name for field in FIELDS if field.treatment == "needed")
REFUSED: Final[tuple[FieldPolicy, ...]] = tuple(field for field in FIELDS if field.treatment == "refused")
KNOWN: Final[frozenset[str]] = frozenset(field.name for field in (*FIELDS, *EXTENSIONS))


def fields_table() -> str:
    """The table as Markdown, for the documentation."""
    return table_of((*FIELDS, *EXTENSIONS))
