"""Takes apart the error bodies of OpenAI's chat wire and its dialects: nested, flat, lists, plain strings. Knows no client.

https://platform.openai.com/docs/guides/error-codes, https://openrouter.ai/docs/api-reference/errors; recordings of
2024 to 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parley.contract.errors import (
    ParleyError,
    ProviderError,
)
from parley.contract.http import ResponseHead
from parley.wire.error_codes import BASE_RESP_CODES, BY_CODE, plain
from parley.wire.errors import NO_CODES, classify, no_reply, provider_error
from parley.wire.json_events import decode_json, decode_object
from parley.wire.json_values import first_text, json_text, list_of, object_of

_ERROR_KEYS = ("error", "errors", "detail", "message", "msg", "error_msg", "error_message", "status_msg")
_ERROR_ONLY_KEYS = ("detail", "errors", "error_msg", "error_message")
_CODE_KEYS = ("code", "type", "status", "error_type", "status_code", "statusCode", "error_code")


def is_error(value: dict[str, Any]) -> bool:
    """Whether an object without `error` and without choices is an error all the same: FastAPI's `detail`, Cloudflare's `errors`, a bare
    message, MiniMax's `base_resp`.
    """
    if value.get("type") == "error" or _failed(value):
        return True
    if "usage" in value:
        return False
    return any(value.get(key) for key in _ERROR_ONLY_KEYS) or ("id" not in value and bool(value.get("message") or value.get("msg")))


def _failed(document: dict[str, Any]) -> dict[str, Any]:
    """MiniMax's own word on a request, where it is not "0: success" (https://platform.minimax.io/docs/api-reference/errorcode)."""
    answer = object_of(document.get("base_resp"))
    return answer if answer.get("status_code") else {}


def decode_error_body(head: ResponseHead, body: bytes, *, own_codes: Mapping[str, type[ProviderError]] = NO_CODES) -> ParleyError:
    """The error that a whole reply stands for, JSON of any shape or not. `own_codes`: see parley.wire.errors.classify."""
    value = decode_json(body)
    if isinstance(value, list):
        value = next(iter(list_of(value)), None)
    document = object_of(value)
    return error_in(head, document, own_codes=own_codes) if document else no_reply(head, body)


def error_in(head: ResponseHead, document: dict[str, Any], *, own_codes: Mapping[str, type[ProviderError]] = NO_CODES) -> ParleyError:
    """The error that an object stands for, as a body or as an event inside a stream."""
    error = _innermost(document)
    codes = tuple(dict.fromkeys(_codes(error) + _codes(document)))
    raw = _upstream_words(error)
    message = (
        _message(error)
        or _message(document)
        or f"{head.provider or 'the provider'} answered with an error and no words: {_shown(document)}"
    )
    if raw and raw not in message:
        message = f"{message}: {raw}"
    words = " ".join([message, *codes])
    if _failed(document):
        own_codes = {**BASE_RESP_CODES, **own_codes}
    error_class = classify(head.status, words, codes=codes, own_codes=own_codes)
    made = provider_error(head, message=message, provider_code=_most_telling(codes), error_class=error_class)
    # Cohere's flat errors have an id of their own, which is what its support asks for.
    own_id = document.get("id") if error is document else None
    made.request_id = made.request_id or first_text(document.get("request_id"), error.get("request_id"), own_id) or None
    return made


def _most_telling(codes: tuple[str, ...]) -> str | None:
    """A vendor's own code; one that says little (DeepSeek puts `invalid_request_error` beside `authentication_error`), or a bare HTTP
    status (OpenRouter, Perplexity), only where there is no better word.
    """
    words = [code for code in codes if not (len(code) == 3 and code.isdigit())]
    first = next(iter(words or codes), None)
    if first is not None and _says_little(first):
        return next((code for code in words if (row := BY_CODE.get(plain(code))) is not None and not row.general), first)
    return first


def _says_little(code: str) -> bool:
    row = BY_CODE.get(plain(code))
    return row is not None and row.general


def _innermost(document: dict[str, Any]) -> dict[str, Any]:
    """The object that holds code and message: `error`, the first of `errors`, or the document itself."""
    error = document.get("error")
    if isinstance(error, list):
        error = next(iter(list_of(error)), None)
    if isinstance(error, str):
        # Some proxies put the vendor's JSON into a string.
        told = decode_object(error.encode("utf-8", "replace"))
        return {"message": error} if told is None else _within(told)
    listed = object_of(next(iter(list_of(document.get("errors"))), None))
    return _within(object_of(error)) or listed or _failed(document) or document


def _within(error: dict[str, Any]) -> dict[str, Any]:
    """The error, or the one that a proxy wrapped into it."""
    return object_of(error.get("error")) or error


def _codes(error: dict[str, Any]) -> tuple[str, ...]:
    inner = object_of(error.get("innererror") or error.get("inner_error"))
    metadata = object_of(error.get("metadata"))
    found = [error.get(key) for key in _CODE_KEYS] + [inner.get("code"), metadata.get("error_type")]
    return tuple(str(code) for code in found if isinstance(code, (str, int)) and not isinstance(code, bool) and str(code))


def _message(error: dict[str, Any]) -> str:
    """The vendor's sentence, wherever it stands; validation lists (`detail: [{loc, msg}]`) become "where: what"."""
    for key in _ERROR_KEYS:
        value = error.get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
        if isinstance(value, list) and value:
            return "; ".join(_problem(item) for item in list_of(value)[:5])
        if isinstance(value, dict) and key != "error":
            inner = _message(object_of(value)) if len(object_of(value)) < 50 else ""
            return inner or _shown(object_of(value))
    return ""


def _problem(item: Any) -> str:
    problem = object_of(item)
    if not problem:
        return str(item)[:200]
    where = ".".join(str(step) for step in list_of(problem.get("loc")))
    what = first_text(problem.get("msg"), problem.get("message")) or _shown(problem)
    return f"{where}: {what}" if where else what


def _upstream_words(error: dict[str, Any]) -> str:
    """What the vendor behind OpenRouter said: `metadata.raw`, itself often JSON in a string."""
    raw = object_of(error.get("metadata")).get("raw")
    if not isinstance(raw, str):
        return ""
    upstream = decode_object(raw.encode("utf-8", "replace"))
    return (_message(_innermost(upstream)) if upstream else "") or raw[:500]


def _shown(value: dict[str, Any]) -> str:
    return json_text(value)[:300]
