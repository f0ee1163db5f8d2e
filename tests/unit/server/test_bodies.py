from __future__ import annotations

from typing import Annotated

import msgspec
import pytest
from msgspec import Meta, Struct

from parley.contract.errors import InvalidRequestError
from parley.server.bodies import read_json, read_query


class Inner(Struct, forbid_unknown_fields=True):
    count: int


class Body(Struct, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    user_name: str
    temperature: float | None = None
    parts: list[Inner] = []


class Query(Struct, kw_only=True):
    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    q: str = ""


DECODER = msgspec.json.Decoder(Body)


def refused(body: bytes) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        read_json(body, DECODER)
    return caught.value


def test_reads_a_body() -> None:
    assert read_json(b'{"userName":"ada","temperature":0}', DECODER) == Body(user_name="ada", temperature=0.0)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"not json", b'{"userName":"a"} x', b'{"userName":"\xff"}', b'{"userName":NaN}', b'{"parts":['],
)
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    assert refused(body).code == "malformed_json"


@pytest.mark.parametrize(
    ("body", "path", "problem"),
    [
        (b'{"userName":1}', "userName", "expected `str`, got `int`"),
        (b'{"userName":"a","role":"admin"}', "role", "is not known here; leave it out"),
        (b'{"userName":"a","parts":[{"count":1},{"count":"x"}]}', "parts[1].count", "expected `int`, got `str`"),
        (b'{"userName":"a","parts":[{"count":1,"extra":2}]}', "parts[0].extra", "is not known here; leave it out"),
        (b"{}", "userName", "is missing"),
        (b"[]", "body", "expected `object`, got `array`"),
        (b'{"userName":"a","temperature":"0.5"}', "temperature", "expected `float | null`, got `str`"),
    ],
)
def test_a_wrong_field_is_named(body: bytes, path: str, problem: str) -> None:
    error = refused(body)
    assert error.code == "invalid_request"
    assert [(field.path, field.message) for field in error.fields] == [(path, problem)]


@pytest.mark.parametrize("text", [rb"\u0000", rb"\ud800", rb"a\udc00b"])
def test_characters_that_are_no_text_are_refused_with_their_place(text: bytes) -> None:
    error = refused(b'{"userName":"' + text + b'"}')
    assert (error.code, error.fields[0].path) == ("invalid_request", "userName")


def test_text_that_only_looks_like_an_escape_passes() -> None:
    assert read_json(rb'{"userName":"\\u0000 \ud83d\ude00"}', DECODER).user_name == "\\u0000 😀"


def test_json_deeper_than_any_stack_is_malformed() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_json(b'{"a":' * 100_000, msgspec.json.Decoder(dict))
    assert caught.value.code == "malformed_json"


def test_a_query_is_converted_and_checked() -> None:
    assert read_query({"limit": "7", "utm_source": "x"}, Query) == Query(limit=7)
    for values, path in (({"limit": "0"}, "limit"), ({"limit": "many"}, "limit"), ({"q": "a\0"}, "q")):
        with pytest.raises(InvalidRequestError) as caught:
            read_query(values, Query)
        assert caught.value.fields[0].path == path
