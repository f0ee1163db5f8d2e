"""OpenAI's embeddings wire from its other end: a client's request in, its reply out. Knows no server and nobody behind it.

https://platform.openai.com/docs/api-reference/embeddings/create (read 2026-11-25); the fields are those of the vendor's Python client.
The page docs/reference/embeddings.md is this table; a test holds it against the client's types.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias, cast, get_args

import msgspec
from msgspec import Struct

from parley.contract.embeddings import EmbeddingOptions, EmbeddingPurpose, EmbeddingRequest, Embeddings
from parley.contract.errors import ParleyError
from parley.contract.response import ResponseWarning
from parley.wire.server_fields import FieldPolicy, table_of, translated
from parley.wire.server_values import Dropped, integer, invalid, name_at, optional_text, unsupported
from parley.wire.vectors import packed

Encoding: TypeAlias = Literal["float", "base64"]

MAX_INPUTS: Final = 2048
"""So many texts the vendor takes in one request, and so many are taken here."""

FIELDS: Final[tuple[FieldPolicy, ...]] = (
    translated("input", "texts", f"a string, or an array of at most {MAX_INPUTS}; token numbers are refused: they are one tokenizer's own"),
    translated("model", "options.model", "`provider/model`, an embedding model's id, or a provider's name for its own"),
    translated("dimensions", "options.dimensions"),
    translated("encoding_format", "how the vectors are written", "`float` or `base64` (float32), whatever the provider sends"),
    translated("user", "user_id"),
)
# Not a field of this wire at its vendor, but of many servers that speak it, and an option of the contract.
EXTENSIONS: Final[tuple[FieldPolicy, ...]] = (
    translated("input_type", "options.purpose", "`query`, `document` (`passage`), `similarity`, `classification`, `clustering`"),
)
KNOWN: Final[frozenset[str]] = frozenset(field.name for field in (*FIELDS, *EXTENSIONS))
_PURPOSES: Final[dict[str, EmbeddingPurpose]] = {
    **{purpose: purpose for purpose in get_args(EmbeddingPurpose)},
    "passage": "document",
    "search_document": "document",
    "search_query": "query",
}
_PATHS: Final = {"texts": "input", "options.purpose": "input_type", "options.extra.": "", "options.": "", "user_id": "user"}


class EmbeddingsCall(Struct, frozen=True, kw_only=True):
    """One call as it came, for the model that `model` means. `warnings` say what was left out."""

    model: str
    request: EmbeddingRequest
    encoding: Encoding = "float"
    warnings: list[ResponseWarning] = []


def read_embeddings_request(fields: Mapping[str, Any], *, model: str, same_wire: bool, strict: bool = False) -> EmbeddingsCall:
    """The call that a body stands for, for the provider's own name of its model ("": its default). Fields that are not known are passed
    on to a provider of the same wire and left out before any other, with a warning; `strict` refuses that.

    Raises InvalidRequestError or UnsupportedFeatureError, whose first field is the wire's `param`.
    """
    dropped = Dropped(strict=strict)
    extra: dict[str, Any] = {}
    for name in fields.keys() - KNOWN:
        if same_wire:
            extra[name] = fields[name]
            dropped.add(name, "is no field that is known here; it was passed on as it is", code="field_unknown")
        else:
            dropped.add(name, "is no field that is known here; it was left out")
    options = EmbeddingOptions(model=model or None, dimensions=integer(fields, "dimensions"), purpose=_purpose(fields), extra=extra)
    return EmbeddingsCall(
        model=name_at(fields.get("model"), "model"),
        request=EmbeddingRequest(
            texts=_texts(fields.get("input")),
            options=options,
            user_id=optional_text(fields, "user", "user") or None,
            strict_options=strict,
        ),
        encoding=_encoding(fields.get("encoding_format")),
        warnings=dropped.warnings,
    )


def encode_embeddings_reply(found: Embeddings, *, encoding: Encoding) -> bytes:
    """The reply, its vectors written as the client wants them."""
    counts: dict[str, Any] = {}
    if (usage := found.usage) is not None:
        told = {} if usage.source == "reported" else {"source": usage.source}
        counts["usage"] = {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.total_tokens, **told}
    data = [
        {"object": "embedding", "index": index, "embedding": packed(vector) if encoding == "base64" else vector}
        for index, vector in enumerate(found.vectors)
    ]
    return msgspec.json.encode({"object": "list", "data": data, "model": found.model, **counts})


def embeddings_error_param(error: ParleyError) -> tuple[str | None, str]:
    """The wire's `param` for an error, and its message in the wire's names."""
    if not error.fields:
        return None, error.message
    ours = error.fields[0].path
    for path, theirs in _PATHS.items():
        if ours.startswith(path):
            param = theirs + ours.removeprefix(path)
            return param, error.message.replace(ours, param, 1)
    return ours, error.message


def fields_table() -> str:
    """The table as Markdown, for the documentation."""
    return table_of((*FIELDS, *EXTENSIONS))


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        invalid("input", "is missing" if value is None else "expected a string or an array of strings")
    given = cast("Sequence[Any]", value)
    if not given:
        invalid("input", "is empty; give at least one text")
    if len(given) > MAX_INPUTS:
        invalid("input", f"holds {len(given)} texts; at most {MAX_INPUTS} are taken")
    for number, text in enumerate(given):
        if _is_token(text) or (isinstance(text, list) and all(map(_is_token, cast("list[Any]", text)))):
            words = "token numbers mean something to one tokenizer only; send the texts themselves"
            unsupported("input", f"{words} (LangChain: check_embedding_ctx_length=False)")
        if not isinstance(text, str):
            invalid(f"input[{number}]", "expected a string")
    return list(given)


def _is_token(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _encoding(value: Any) -> Encoding:
    if value not in (None, "float", "base64"):
        invalid("encoding_format", "expected float or base64")
    return "base64" if value == "base64" else "float"


def _purpose(fields: Mapping[str, Any]) -> EmbeddingPurpose | None:
    value = optional_text(fields, "input_type", "input_type")
    if value is not None and value not in _PURPOSES:
        invalid("input_type", f"expected one of {', '.join(_PURPOSES)}")
    return None if value is None else _PURPOSES[value]
