"""Reads JSON bodies and query strings into structs, and says which field is wrong. Knows no route."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

from parley.contract.errors import ErrorCode, FieldProblem, InvalidRequestError, ParleyError

_PLACE = re.compile(r"^(?P<problem>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`")
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`")
# Legal in JSON, yet no text: databases refuse the one, encodings the other.
_NO_TEXT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_NUL_OR_SURROGATE = re.compile("[\x00\ud800-\udfff]")
NOT_TEXT: Final = "holds a character that is no text (NUL or half a surrogate pair)"


def read_json(body: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    """The body as the decoder's type. Raises `malformed_json` for what is no JSON, InvalidRequestError with the field else."""
    if not body:
        raise _malformed("the body is empty; send a JSON object")
    if _NO_TEXT.search(body):
        _refuse_characters_that_are_no_text(body)
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _malformed(f"the body is not valid JSON: {error}") from error
    except RecursionError as error:
        raise _malformed("the body is nested too deeply") from error


def read_query(values: Mapping[str, str], query_type: type[msgspec.Struct]) -> Any:
    """The query as a struct; values are text and become what the fields say. Unknown names are somebody's tracking, and ignored."""
    for name, value in values.items():
        if _NUL_OR_SURROGATE.search(value):
            raise _invalid_field(name, NOT_TEXT)
    try:
        return msgspec.convert(dict(values), query_type, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error


def _refuse_characters_that_are_no_text(body: bytes) -> None:
    """Python's own reader takes lone surrogates, so it can tell where they stand; what it cannot read is left to the decoder."""
    try:
        found = _place_of_no_text(json.loads(body), "")
    except (ValueError, RecursionError):
        return
    if found is not None:
        raise _invalid_field(found or "body", NOT_TEXT)


def _place_of_no_text(value: Any, path: str) -> str | None:
    if isinstance(value, str):
        return path if _NUL_OR_SURROGATE.search(value) else None
    if isinstance(value, dict):
        entries = cast("dict[str, Any]", value).items()
        places = [(key, f"{path}.{key}" if path else key, item) for key, item in entries]
        if any(_NUL_OR_SURROGATE.search(key) for key, _, _ in places):
            return path
        inner = [(place, item) for _, place, item in places]
    elif isinstance(value, list):
        inner = [(f"{path}[{index}]", item) for index, item in enumerate(cast("list[Any]", value))]
    else:
        return None
    return next((found for place, item in inner if (found := _place_of_no_text(item, place)) is not None), None)


def _invalid(message: str) -> InvalidRequestError:
    """msgspec's sentence taken apart: its path in our spelling, its problem as the field's message."""
    match = _PLACE.match(message)
    problem, path = (match["problem"], match["path"] or "") if match else (message, "")
    for pattern, wording in ((_UNKNOWN, "is not known here; leave it out"), (_MISSING, "is missing")):
        if named := pattern.fullmatch(problem):
            return _invalid_field(f"{path}.{named['name']}" if path else named["name"], wording)
    return _invalid_field(path or "body", problem[:1].lower() + problem[1:])


def _invalid_field(path: str, problem: str) -> InvalidRequestError:
    return InvalidRequestError(f"{path}: {problem}", fields=[FieldProblem(path=path, message=problem)])


def _malformed(message: str) -> ParleyError:
    return InvalidRequestError(message, code=ErrorCode.MALFORMED_JSON)
