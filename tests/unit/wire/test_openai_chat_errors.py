from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.errors import (
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    ModelNotFoundError,
    ProtocolError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    RequestRejectedError,
    ServerError,
)
from parley.contract.http import ResponseHead
from parley.wire.openai_chat_errors import decode_error_body


@pytest.mark.parametrize(
    ("status", "body", "expected", "code", "words"),
    [
        (401, {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}, AuthenticationError, "invalid_api_key", "Incorrect"),
        (429, {"error": {"message": "You exceeded", "type": "insufficient_quota"}}, QuotaExceededError, "insufficient_quota", "exceeded"),
        (429, {"object": "error", "message": "Too many", "type": "rate_limited", "code": "1300"}, RateLimitError, "1300", "Too many"),
        (422, {"detail": [{"loc": ["body", "n"], "msg": "too big", "type": "x"}]}, RequestRejectedError, None, "body.n: too big"),
        (422, {"object": "error", "message": {"detail": [{"loc": ["a"], "msg": "no"}]}, "code": None}, RequestRejectedError, None, "a: no"),
        (404, {"detail": "Not Found"}, RequestRejectedError, None, "Not Found"),
        (404, {"error": "model 'x' not found"}, ModelNotFoundError, None, "model 'x'"),
        (400, {"error": {"error": {"message": "wrapped", "code": "content_filter"}}}, ContentFilterError, "content_filter", "wrapped"),
        (500, {"error": '{"error": {"message": "told", "code": 1}}'}, ServerError, "1", "told"),
        (400, {"error": {"code": "1211", "message": "Unknown Model, please check"}}, ModelNotFoundError, "1211", "Unknown Model"),
        (
            400,
            [{"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT"}}],
            AuthenticationError,
            "INVALID_ARGUMENT",
            "API",
        ),
        (
            400,
            {"error": {"code": "content_filter", "message": "filtered", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
            ContentFilterError,
            "content_filter",
            "filtered",
        ),
        (
            400,
            {
                "error": {
                    "code": 400,
                    "message": "Provider returned error",
                    "metadata": {"raw": '{"error":{"message":"prompt is too long"}}'},
                }
            },
            ContextLengthError,
            "400",
            "Provider returned error: prompt is too long",
        ),
        (403, {"success": False, "errors": [{"code": 10000, "message": "Authentication error"}]}, ProviderError, "10000", "Authentication"),
        (500, {"error": {"message": "", "type": "server_error"}}, ServerError, "server_error", "no words"),
        (400, {"error": '{"error":{"message":"wrapped","code":"x"}}'}, RequestRejectedError, None, "wrapped"),
        (200, {"error": {"message": "busy", "code": 429}}, RateLimitError, "429", "busy"),
    ],
)
def test_every_shape_of_body_gives_class_code_and_sentence(
    status: int, body: Any, expected: type[ProviderError], code: str | None, words: str
) -> None:
    error = decode_error_body(ResponseHead(status=status, provider="acme"), json.dumps(body).encode())
    assert isinstance(error, expected)
    assert words in error.message
    if code is not None:
        assert error.provider_code == code


@pytest.mark.parametrize(
    ("status", "expected"), [(502, ServerError), (404, RequestRejectedError), (200, ProtocolError), (429, RateLimitError)]
)
@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"", b"oops", b"3", b"[]", b"\xff\xfe\x00"])
def test_a_body_that_is_no_json_object_still_means_its_status(status: int, expected: type[ProviderError], body: bytes) -> None:
    error = decode_error_body(ResponseHead(status=status, provider="acme"), body)
    assert type(error) is expected
    assert error.message.startswith("acme answered")


def test_the_request_id_is_taken_from_the_body_where_no_header_has_it() -> None:
    body = b'{"message":"no","request_id":"r1"}'
    assert decode_error_body(ResponseHead(status=400), body).request_id == "r1"
    assert decode_error_body(ResponseHead(status=400, headers={"x-request-id": "h1"}), body).request_id == "h1"


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=10)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["error", "errors", "message", "detail", "code", "type", "metadata", "raw", "innererror"]), inner, max_size=4
        ),
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from([200, 400, 401, 404, 429, 500]))
def test_no_json_crashes_the_reading_of_an_error(body: Any, status: int) -> None:
    error = decode_error_body(ResponseHead(status=status), json.dumps(body).encode())
    assert isinstance(error, ProviderError)
    assert error.message


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reading_of_an_error(body: bytes) -> None:
    assert decode_error_body(ResponseHead(status=500), body).message
