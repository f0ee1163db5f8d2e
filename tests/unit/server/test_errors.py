from __future__ import annotations

from typing import Any

import pytest
from litestar.exceptions import ClientException, HTTPException, MethodNotAllowedException, NotFoundException, ValidationException
from msgspec import json

from parley.contract.errors import (
    AuthenticationError,
    ErrorCode,
    FieldProblem,
    InvalidRequestError,
    LimitExceededError,
    ParleyError,
    RateLimitError,
)
from parley.server.errors import STATUSES, as_parley_error, error_document, error_headers, status_of
from parley.services.errors import UnauthenticatedError


def test_every_code_has_a_status() -> None:
    assert set(STATUSES) == set(ErrorCode)


def test_the_vendors_key_is_never_a_401() -> None:
    assert status_of(AuthenticationError("the key is wrong")) == 502
    assert status_of(UnauthenticatedError("sign in")) == 401
    assert error_headers(UnauthenticatedError("sign in"))["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("given", "header"), [(None, "10"), (0.2, "1"), (29.4, "30")])
def test_a_429_always_says_when_to_come_back(given: float | None, header: str) -> None:
    error = RateLimitError("slow down", retry_after=given)
    assert error_headers(error) == {"Retry-After": header}
    assert error_document(error, "id").retry_after == (10 if given is None else given)


def test_a_limit_of_ours_is_told_in_its_headers_and_a_vendors_is_not_taken_for_one() -> None:
    ours = error_headers(LimitExceededError("too many", retry_after=29.4))
    assert ours == {"Retry-After": "30", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "30"}
    assert "X-RateLimit-Remaining" not in error_headers(RateLimitError("slow down", retry_after=1))


def test_a_document_is_in_camel_case_and_holds_no_secret() -> None:
    error = InvalidRequestError("key=sk-abcdefgh12345678", fields=[FieldProblem(path="message", message="Bearer abcdefgh123")])
    document: dict[str, Any] = json.decode(json.encode(error_document(error, "r1")))
    assert document == {
        "error": "Invalid request",
        "message": "key=***",
        "code": "invalid_request",
        "requestId": "r1",
        "retryable": False,
        "fields": [{"path": "message", "message": "Bearer ***"}],
    }


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (NotFoundException(), 404, "not_found"),
        (MethodNotAllowedException(), 405, "invalid_request"),
        (ValidationException("limit"), 422, "invalid_request"),
        (HTTPException(status_code=413), 413, "body_too_large"),
        (ClientException("Invalid multipart/form-data"), 422, "invalid_request"),
        (RuntimeError("ours"), 500, "internal_error"),
    ],
)
def test_whatever_is_raised_becomes_one_of_ours(raised: Exception, status: int, code: str) -> None:
    error = as_parley_error(raised)
    assert (status_of(error), error.code) == (status, code)
    assert "ours" not in error.message


def test_one_of_ours_stays_itself() -> None:
    error = ParleyError("x")
    assert as_parley_error(error) is error
