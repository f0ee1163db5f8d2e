"""Every error as the API answers it: one table from code to status, one document. Knows no service and no vendor."""

from __future__ import annotations

from http import HTTPStatus
from math import ceil
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException, ValidationException
from msgspec import Struct

from parley.contract.errors import ErrorCode, FieldProblem, InvalidRequestError, ParleyError, PolicyError
from parley.server.boundary import log_unexpected, request_id_of
from parley.services.errors import BodyTooLargeError, NotFoundError
from parley.telemetry import scrub

STATUSES: Final[dict[ErrorCode, int]] = {
    ErrorCode.MALFORMED_JSON: 400,
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.GENERATION_RUNNING: 409,
    ErrorCode.IDEMPOTENCY_CONFLICT: 409,
    ErrorCode.BODY_TOO_LARGE: 413,
    ErrorCode.INVALID_REQUEST: 422,
    ErrorCode.UNKNOWN_MODEL: 422,
    ErrorCode.UNKNOWN_PROVIDER: 422,
    ErrorCode.UNSUPPORTED_FEATURE: 422,
    ErrorCode.MISSING_CREDENTIAL: 422,
    ErrorCode.CONFIGURATION_INVALID: 422,
    ErrorCode.MODEL_NOT_FOUND: 422,
    ErrorCode.PROVIDER_REJECTED: 422,
    ErrorCode.CONTEXT_LENGTH: 422,
    ErrorCode.CONTENT_FILTER: 422,
    ErrorCode.PROVIDER_RATE_LIMITED: 429,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.QUEUE_FULL: 429,
    ErrorCode.BUDGET_EXCEEDED: 429,
    ErrorCode.INTERNAL_ERROR: 500,
    ErrorCode.PROVIDER_CREDENTIALS: 502,
    ErrorCode.PROVIDER_PERMISSION: 502,
    ErrorCode.PROVIDER_QUOTA: 502,
    ErrorCode.PROVIDER_ERROR: 502,
    ErrorCode.PROVIDER_PROTOCOL: 502,
    ErrorCode.STREAM_TRUNCATED: 502,
    ErrorCode.PROVIDER_UNREACHABLE: 502,
    ErrorCode.PROVIDER_OVERLOADED: 503,
    ErrorCode.STORAGE_UNAVAILABLE: 503,
    ErrorCode.PROVIDER_TIMEOUT: 504,
}
# A 429 must say when to come back; a vendor that does not say so has limits by the minute.
UNKNOWN_RETRY_AFTER_SECONDS: Final = 10
_OUR_LIMITS: Final = frozenset({ErrorCode.RATE_LIMITED, ErrorCode.QUEUE_FULL, ErrorCode.BUDGET_EXCEEDED})


class InternalError(ParleyError):
    """A fault of Parley itself. What it was stands in the log, under the same request id."""

    code = ErrorCode.INTERNAL_ERROR
    action = "give_up"


class MethodNotAllowedError(InvalidRequestError):
    """The path exists, but not with this method."""


class ErrorField(Struct, frozen=True, kw_only=True):
    """What is wrong with one field: `path` as in `messages[0].role`."""

    path: str
    message: str


class ErrorDocument(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """An error as every route answers it. `message` is for a person, `code` for a program; `retryAfter` is in seconds."""

    error: str
    message: str
    code: ErrorCode
    request_id: str
    retryable: bool
    retry_after: float | None = None
    fields: list[ErrorField] | None = None
    provider: str | None = None
    provider_request_id: str | None = None


def status_of(error: ParleyError) -> int:
    """The HTTP status that an error means on `/api/v1`."""
    return 405 if isinstance(error, MethodNotAllowedError) else STATUSES[error.code]


def error_document(error: ParleyError, request_id: str) -> ErrorDocument:
    """The error's document. Texts pass the scrubber once more: whatever a vendor or a driver said, no secret leaves here."""
    return ErrorDocument(
        error=str(error.code).replace("_", " ").capitalize().replace(" json", " JSON"),
        message=scrub(error.message),
        code=error.code,
        request_id=request_id,
        retryable=error.retryable,
        retry_after=retry_after_seconds(error),
        fields=[ErrorField(path=field.path, message=scrub(field.message)) for field in error.fields] or None,
        provider=error.provider,
        provider_request_id=error.request_id,
    )


def retry_after_seconds(error: ParleyError) -> float | None:
    """When to come back; always known for a 429."""
    if error.retry_after is None and status_of(error) == 429:
        return UNKNOWN_RETRY_AFTER_SECONDS
    return error.retry_after


def error_headers(error: ParleyError) -> dict[str, str]:
    """What stands in the headers of an error as well."""
    headers: dict[str, str] = {}
    if (seconds := retry_after_seconds(error)) is not None:
        headers["Retry-After"] = str(max(1, ceil(seconds)))
        if error.code in _OUR_LIMITS:
            headers |= {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": headers["Retry-After"]}
            if isinstance(error, PolicyError) and error.limit is not None:
                headers["X-RateLimit-Limit"] = str(error.limit)
    if error.code == ErrorCode.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = 'Bearer realm="parley"'
    return headers


def render_error(request: Request[Any, Any, Any], error: ParleyError) -> Response[bytes]:
    """The error as `/api/v1` answers it."""
    body = msgspec.json.encode(error_document(error, request_id_of(request.scope)))
    return Response(body, status_code=status_of(error), media_type="application/json", headers=error_headers(error))


def handle_exception(request: Request[Any, Any, Any], exception: Exception) -> Response[bytes]:
    """Whatever was raised, as its document. Only what nobody foresaw is logged with its traceback."""
    error = as_parley_error(exception)
    if isinstance(error, InternalError):
        log_unexpected(exception, request_id_of(request.scope))
    response = render_error(request, error)
    if isinstance(exception, MethodNotAllowedException):
        response.headers.update(exception.headers or {})
    return response


def as_parley_error(exception: Exception) -> ParleyError:
    """The exception in our own tree: ours as it is, the router's by its status, everything else as an internal error."""
    match exception:
        case ParleyError():
            return exception
        case NotFoundException():
            return NotFoundError("there is nothing at this address")
        case MethodNotAllowedException():
            return MethodNotAllowedError("this address does not take this method")
        case ValidationException():
            return InvalidRequestError("the request is not valid", fields=[FieldProblem(path="request", message=exception.detail)])
        case HTTPException(status_code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE):
            return BodyTooLargeError("the body is larger than this address takes")
        case HTTPException(status_code=status) if 400 <= status < 500:
            return InvalidRequestError(exception.detail)
        case _:
            return InternalError("Parley failed at this request; the log of the server says more under the request id")
