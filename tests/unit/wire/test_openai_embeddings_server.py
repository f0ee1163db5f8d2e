"""A client's request for vectors, and the reply it gets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.contract.embeddings import EmbeddingRequest, Embeddings
from parley.contract.errors import CallerError, FieldProblem, InvalidRequestError, UnsupportedFeatureError
from parley.contract.http import ResponseHead
from parley.contract.usage import Usage
from parley.wire.openai_embeddings import OpenAIEmbeddings
from parley.wire.openai_embeddings_server import (
    EXTENSIONS,
    FIELDS,
    EmbeddingsCall,
    embeddings_error_param,
    encode_embeddings_reply,
    fields_table,
    read_embeddings_request,
)


def read(same_wire: bool = True, strict: bool = False, **fields: Any) -> EmbeddingsCall:
    return read_embeddings_request({"model": "openai/e1", "input": "one", **fields}, model="e1", same_wire=same_wire, strict=strict)


def test_one_string_and_a_list() -> None:
    assert read().request.texts == ["one"]
    assert read(input=["one", "two"]).request.texts == ["one", "two"]


def test_every_field_finds_its_place() -> None:
    call = read(dimensions=64, encoding_format="base64", user="u1", input_type="passage")
    assert (call.request.options.model, call.request.options.dimensions, call.request.options.purpose) == ("e1", 64, "document")
    assert (call.request.user_id, call.encoding, call.warnings) == ("u1", "base64", [])


def test_null_asks_for_nothing() -> None:
    call = read(dimensions=None, encoding_format=None, user=None, input_type=None)
    assert (call.request.options.dimensions, call.encoding, call.request.user_id) == (None, "float", None)


def test_an_unknown_field_is_passed_on_to_the_same_wire_and_left_out_before_another() -> None:
    same, other = read(truncate_prompt_tokens=8), read(same_wire=False, truncate_prompt_tokens=8)
    assert same.request.options.extra == {"truncate_prompt_tokens": 8}
    assert [warning.code for warning in same.warnings] == ["field_unknown"]
    assert other.request.options.extra == {}
    assert [warning.code for warning in other.warnings] == ["field_dropped"]
    with pytest.raises(UnsupportedFeatureError, match="x-parley-strict"):
        read(same_wire=False, strict=True, truncate_prompt_tokens=8)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 7}, "input"),
        ({"input": {"a": 1}}, "input"),
        ({"input": ["a", None]}, "input[1]"),
        ({"input": ["a", True]}, "input[1]"),
        ({"input": ["a"] * 2049}, "input"),
        ({"model": ""}, "model"),
        ({"model": 3}, "model"),
        ({"dimensions": "x"}, "dimensions"),
        ({"dimensions": 1.5}, "dimensions"),
        ({"encoding_format": "int8"}, "encoding_format"),
        ({"encoding_format": 1}, "encoding_format"),
        ({"user": 3}, "user"),
        ({"input_type": "fun"}, "input_type"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read(**fields)
    assert caught.value.fields[0].path == param


@pytest.mark.parametrize("tokens", [[1, 2, 3], [[1, 2], [3]], [[]], ["text", [1]]])
def test_token_numbers_are_refused_in_words(tokens: Any) -> None:
    with pytest.raises(UnsupportedFeatureError, match="send the texts themselves") as caught:
        read(input=tokens)
    assert caught.value.fields[0].path == "input"


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_what_is_written_is_read_back_by_the_other_side_of_this_wire(encoding: Any) -> None:
    found = Embeddings(
        vectors=[[0.25, -1.5], [3.0, 0.125]], usage=Usage(prompt_tokens=4, completion_tokens=0, total_tokens=4), model="e1", provider="acme"
    )
    body = encode_embeddings_reply(found, encoding=encoding)
    read_back = OpenAIEmbeddings().decode_embeddings(EmbeddingRequest(texts=["a", "b"]), ResponseHead(status=200), body)
    assert (read_back.vectors, read_back.usage, read_back.model) == (found.vectors, found.usage, "e1")
    assert type(json.loads(body)["data"][0]["embedding"]) is (str if encoding == "base64" else list)


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("texts[3]", "input[3]"),
        ("options.dimensions", "dimensions"),
        ("options.purpose", "input_type"),
        ("options.extra.truncate", "truncate"),
        ("options.model", "model"),
        ("model", "model"),
    ],
)
def test_errors_name_the_wires_own_fields(path: str, param: str) -> None:
    error = InvalidRequestError(f"{path}: is wrong", fields=[FieldProblem(path=path, message="is wrong")])
    assert embeddings_error_param(error) == (param, f"{param}: is wrong")


def test_the_table_has_every_field_of_the_official_client() -> None:
    types = pytest.importorskip("openai.types.embedding_create_params", reason="needs the package openai")
    assert {field.name for field in FIELDS} == types.EmbeddingCreateParams.__annotations__.keys()
    assert all(f"`{field.name}`" in fields_table() for field in (*FIELDS, *EXTENSIONS))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(
    fields=st.dictionaries(
        st.sampled_from(["model", "input", "dimensions", "encoding_format", "user", "input_type", "more"]), VALUES, max_size=7
    )
)
def test_any_body_is_a_call_or_a_callers_error(fields: dict[str, Any]) -> None:
    try:
        call = read_embeddings_request(fields, model="m", same_wire=True)
    except CallerError:
        return
    assert call.request.texts
