"""What becomes of every field of a chat completions request that a client sends to us, as data. Reads no request.

https://platform.openai.com/docs/api-reference/chat/create (read 2026-11-22); the fields are those of the vendor's Python client 3.54.
The page docs/reference/chat-completions.md is this table; a test holds it against the client's types.
"""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

Treatment: TypeAlias = Literal["translated", "passed", "refused"]


class FieldPolicy(Struct, frozen=True, kw_only=True):
    """One field. `becomes` is its place in the contract; `harmless` are the values that ask for nothing (null always is one).

    `translated` fields mean the same behind every provider. `passed` fields go to a provider that declares an option of that name, or
    that takes any, and are else left out and named in a warning. `refused` fields would change the answer's form.
    """

    name: str
    treatment: Treatment
    becomes: str = ""
    note: str = ""
    harmless: tuple[Any, ...] = ()


def _translated(name: str, becomes: str, note: str = "") -> FieldPolicy:
    return FieldPolicy(name=name, treatment="translated", becomes=becomes, note=note)


def _passed(name: str, note: str = "") -> FieldPolicy:
    return FieldPolicy(name=name, treatment="passed", becomes=f"options.extra.{name}", note=note)


def _refused(name: str, note: str, *, harmless: tuple[Any, ...] = ()) -> FieldPolicy:
    return FieldPolicy(name=name, treatment="refused", note=note, harmless=harmless)


FIELDS: Final[tuple[FieldPolicy, ...]] = (
    _translated("messages", "messages", "participants' `name` is left out and named in a warning"),
    _translated("model", "options.model", "`provider/model`, a model id that a provider lists, or a provider's name"),
    _refused("audio", "answers are text"),
    _translated("frequency_penalty", "options.frequency_penalty"),
    _translated("function_call", "options.tool_choice", "the reply then has `function_call`, as the field wants it"),
    _translated("functions", "options.tools"),
    _passed("logit_bias"),
    _refused("logprobs", "no provider-independent form", harmless=(False,)),
    _translated("max_completion_tokens", "options.max_tokens", "wins over `max_tokens`"),
    _translated("max_tokens", "options.max_tokens"),
    _passed("metadata"),
    _refused("modalities", "answers are text", harmless=(["text"],)),
    _passed("moderation"),
    _refused("n", "one answer a request", harmless=(1,)),
    _translated("parallel_tool_calls", "options.parallel_tool_calls"),
    _passed("prediction"),
    _translated("presence_penalty", "options.presence_penalty"),
    _passed("prompt_cache_key"),
    _passed("prompt_cache_options"),
    _passed("prompt_cache_retention"),
    _translated("reasoning_effort", "options.reasoning_effort", "`xhigh` and `max` as `high` where the provider has no such level"),
    _translated("response_format", "options.response_format"),
    _passed("safety_identifier"),
    _translated("seed", "options.seed"),
    _passed("service_tier"),
    _translated("stop", "options.stop"),
    _passed("store"),
    _translated("stream", "the kind of call"),
    _translated("stream_options", "whether a usage chunk ends the stream", "`include_obfuscation` has no effect: nothing is padded"),
    _translated("temperature", "options.temperature"),
    _translated("tool_choice", "options.tool_choice", "`allowed_tools` by sending those tools alone"),
    _translated("tools", "options.tools", "functions; a tool of type `custom` is refused"),
    _refused("top_logprobs", "no provider-independent form", harmless=(0,)),
    _translated("top_p", "options.top_p"),
    _translated("user", "user_id", "and as an option, where the provider declares it"),
    _passed("verbosity"),
    _passed("web_search_options"),
)

# Not a field of this wire at its vendor, but of many servers that speak it, and an option of the contract.
EXTENSIONS: Final[tuple[FieldPolicy, ...]] = (_translated("top_k", "options.top_k"),)

PASSED: Final[frozenset[str]] = frozenset(field.name for field in FIELDS if field.treatment == "passed")
REFUSED: Final[tuple[FieldPolicy, ...]] = tuple(field for field in FIELDS if field.treatment == "refused")
KNOWN: Final[frozenset[str]] = frozenset(field.name for field in (*FIELDS, *EXTENSIONS))

_WORDS: dict[Treatment, str] = {
    "translated": "translated",
    "passed": "passed on where the provider takes it, else left out and named in `x-parley-warnings`",
    "refused": "refused with 400",
}


def fields_table() -> str:
    """The table as Markdown, for the documentation."""
    rows = ["| Field | What becomes of it | Place in the contract | Note |", "|---|---|---|---|"]
    for field in (*FIELDS, *EXTENSIONS):
        place = f"`{field.becomes}`" if "." in field.becomes or field.becomes in {"messages", "user_id"} else field.becomes
        notes = [field.note] if field.note else []
        if field.harmless:
            notes.append("accepted as " + ", ".join(f"`{_json(value)}`" for value in field.harmless))
        rows.append(f"| `{field.name}` | {_WORDS[field.treatment]} | {place} | {'; '.join(notes)} |")
    return "\n".join(rows) + "\n"


def _json(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value).replace("'", '"')
