"""Every error Parley raises, in one tree, and the one table from HTTP status to class. Knows no vendor and no wire.

ParleyError                     code · domain · action · retryable · retry_after (s) · phase · provider · model · status
│                               provider_code · request_id · partial (the reply so far) · message (safe to show) · fields
├── ConfigurationError          at start-up; every problem at once
├── CallerError                 before any I/O
│   ├── InvalidRequestError     a field is wrong; `fields` names it
│   ├── UnknownProviderError · UnknownModelError
│   ├── UnsupportedFeatureError known not to be supported
│   └── MissingCredentialError  no key configured
├── TransportError              no answer
│   └── ConnectError · ProviderTimeoutError (its phase says which timer) · ConnectionLostError
├── ProviderError               an answer that we did not want
│   ├── AuthenticationError (401) · PermissionDeniedError (403) · QuotaExceededError (402, insufficient_quota)
│   ├── RateLimitError (429) · OverloadedError (503, 529) · ServerError (other 5xx)
│   ├── RequestRejectedError (other 4xx)
│   │   └── ContextLengthError · ContentFilterError · ModelNotFoundError (404 for a model)
│   └── ProtocolError           an answer that breaks the wire's rules
│       └── StreamTruncatedError
└── PolicyError                 our own limits
    └── LimitExceededError · QueueFullError · BudgetExceededError
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, TypedDict

from msgspec import Struct

if TYPE_CHECKING:
    from typing import Unpack

    from parley.contract.response import Attempt, ChatResponse

Domain: TypeAlias = Literal["caller", "policy", "provider", "platform"]
Action: TypeAlias = Literal["fix_request", "fix_credentials", "retry", "retry_later", "failover", "give_up"]
Phase: TypeAlias = Literal["validate", "queued", "connect", "first_token", "streaming", "complete"]


class ErrorCode(StrEnum):
    """The closed vocabulary of `code`: what programs branch on, the same in the library, `/api/v1` and `/v1`."""

    CONFIGURATION_INVALID = "configuration_invalid"
    MALFORMED_JSON = "malformed_json"
    INVALID_REQUEST = "invalid_request"
    UNKNOWN_MODEL = "unknown_model"
    UNKNOWN_PROVIDER = "unknown_provider"
    UNSUPPORTED_FEATURE = "unsupported_feature"
    MISSING_CREDENTIAL = "missing_credential"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    PROVIDER_CREDENTIALS = "provider_credentials"
    PROVIDER_PERMISSION = "provider_permission"
    PROVIDER_QUOTA = "provider_quota"
    PROVIDER_RATE_LIMITED = "provider_rate_limited"
    PROVIDER_OVERLOADED = "provider_overloaded"
    PROVIDER_ERROR = "provider_error"
    PROVIDER_PROTOCOL = "provider_protocol"
    STREAM_TRUNCATED = "stream_truncated"
    PROVIDER_UNREACHABLE = "provider_unreachable"
    PROVIDER_TIMEOUT = "provider_timeout"
    PROVIDER_REJECTED = "provider_rejected"
    CONTEXT_LENGTH = "context_length"
    CONTENT_FILTER = "content_filter"
    MODEL_NOT_FOUND = "model_not_found"
    RATE_LIMITED = "rate_limited"
    QUEUE_FULL = "queue_full"
    BUDGET_EXCEEDED = "budget_exceeded"
    GENERATION_RUNNING = "generation_running"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    BODY_TOO_LARGE = "body_too_large"
    STORAGE_UNAVAILABLE = "storage_unavailable"
    INTERNAL_ERROR = "internal_error"


class FieldProblem(Struct, frozen=True, kw_only=True):
    """One thing that is wrong, where (`messages[0].role`, `ACME_API_KEY`), and what to do."""

    path: str
    message: str


class ErrorDetails(TypedDict, total=False):
    """What an error may carry besides its message; see ParleyError."""

    code: ErrorCode
    action: Action
    retryable: bool
    retry_after: float | None
    phase: Phase | None
    provider: str | None
    model: str | None
    status: int | None
    provider_code: str | None
    request_id: str | None
    partial: ChatResponse | None
    fields: list[FieldProblem]


class ParleyError(Exception):
    """The root. `message` is safe to show to a person: no secret, no stack, at most a vendor's own words, scrubbed.

    `retry_after` is in seconds; `status` the vendor's HTTP status; `provider_code` the vendor's own word for the error;
    `partial` what had been delivered before the error; `retryable` whether the same request may succeed at the same target;
    `attempts` every try that failed for this request, where a Client made it.
    """

    code: ErrorCode = ErrorCode.PROVIDER_ERROR
    domain: ClassVar[Domain] = "platform"
    action: Action = "give_up"
    retryable: bool = False

    def __init__(self, message: str, **details: Unpack[ErrorDetails]) -> None:
        super().__init__(message)
        self.message = message
        self.code = details.get("code", type(self).code)
        self.action = details.get("action", type(self).action)
        self.retryable = details.get("retryable", type(self).retryable)
        self.retry_after = details.get("retry_after")
        self.phase: Phase | None = details.get("phase")
        self.provider = details.get("provider")
        self.model = details.get("model")
        self.status = details.get("status")
        self.provider_code = details.get("provider_code")
        self.request_id = details.get("request_id")
        self.partial = details.get("partial")
        self.fields: list[FieldProblem] = details.get("fields", [])
        self.attempts: list[Attempt] = []

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r})"

    def to_dict(self) -> dict[str, Any]:
        """What may be shown or sent: snake_case, without `partial`, without what is unknown."""
        shown: dict[str, Any] = {"error": type(self).__name__, "message": self.message, "code": str(self.code)}
        shown |= {"domain": self.domain, "action": self.action, "retryable": self.retryable}
        for name in ("retry_after", "phase", "provider", "model", "status", "provider_code", "request_id"):
            if getattr(self, name) is not None:
                shown[name] = getattr(self, name)
        if self.fields:
            shown["fields"] = [{"path": field.path, "message": field.message} for field in self.fields]
        return shown


class ConfigurationError(ParleyError):
    """The configuration cannot be used. `fields` lists every problem, not the first."""

    code = ErrorCode.CONFIGURATION_INVALID
    action = "fix_request"


class CallerError(ParleyError):
    """The request is at fault; nothing was sent."""

    code = ErrorCode.INVALID_REQUEST
    domain = "caller"
    action = "fix_request"

    def __init__(self, message: str, **details: Unpack[ErrorDetails]) -> None:
        details.setdefault("phase", "validate")
        super().__init__(message, **details)


class InvalidRequestError(CallerError):
    """A field is malformed; `fields` names it."""


class UnknownProviderError(CallerError):
    """No provider has this name."""

    code = ErrorCode.UNKNOWN_PROVIDER


class UnknownModelError(CallerError):
    """The name is neither a route nor provider/model nor a model that any provider lists."""

    code = ErrorCode.UNKNOWN_MODEL


class UnsupportedFeatureError(CallerError):
    """The provider is known not to support what was asked."""

    code = ErrorCode.UNSUPPORTED_FEATURE


class MissingCredentialError(CallerError):
    """No key is configured for this provider."""

    code = ErrorCode.MISSING_CREDENTIAL
    action = "fix_credentials"


class TransportError(ParleyError):
    """No (whole) answer came back."""

    code = ErrorCode.PROVIDER_UNREACHABLE
    domain = "provider"
    action = "failover"
    retryable = True


class ConnectError(TransportError):
    """No connection: name not found, refused, TLS failed, or too slow."""


class ProviderTimeoutError(TransportError):
    """A timer fired; `phase` says which. A silent target is not tried again, another one may be."""

    code = ErrorCode.PROVIDER_TIMEOUT
    retryable = False


class ConnectionLostError(TransportError):
    """The connection broke after it was made."""


class ProviderError(ParleyError):
    """The provider answered, but not with what was asked for."""

    code = ErrorCode.PROVIDER_ERROR
    domain = "provider"
    action = "failover"


class AuthenticationError(ProviderError):
    """The vendor does not accept the key (401)."""

    code = ErrorCode.PROVIDER_CREDENTIALS
    action = "fix_credentials"


class PermissionDeniedError(ProviderError):
    """The key is valid but may not do this (403)."""

    code = ErrorCode.PROVIDER_PERMISSION
    action = "fix_credentials"


class QuotaExceededError(ProviderError):
    """The account has no credit or quota left (402, insufficient_quota); waiting does not help."""

    code = ErrorCode.PROVIDER_QUOTA


class RateLimitError(ProviderError):
    """The vendor's rate limit (429); `retry_after` where it said so."""

    code = ErrorCode.PROVIDER_RATE_LIMITED
    action = "retry_later"
    retryable = True


class OverloadedError(ProviderError):
    """The vendor is over capacity (503, 529)."""

    code = ErrorCode.PROVIDER_OVERLOADED
    action = "retry_later"
    retryable = True


class ServerError(ProviderError):
    """The vendor failed (any other 5xx)."""

    action = "retry"
    retryable = True


class RequestRejectedError(ProviderError):
    """The vendor does not accept the request (any other 4xx); the same request will fail again."""

    code = ErrorCode.PROVIDER_REJECTED
    action = "fix_request"


class ContextLengthError(RequestRejectedError):
    """More tokens than the model takes; a model with a larger context may do."""

    code = ErrorCode.CONTEXT_LENGTH


class ContentFilterError(RequestRejectedError):
    """The vendor's content policy refused; neither retry nor failover."""

    code = ErrorCode.CONTENT_FILTER
    action = "give_up"


class ModelNotFoundError(RequestRejectedError):
    """The vendor knows no such model."""

    code = ErrorCode.MODEL_NOT_FOUND


class ProtocolError(ProviderError):
    """The answer breaks the rules of its wire (or of this contract)."""

    code = ErrorCode.PROVIDER_PROTOCOL


class StreamTruncatedError(ProtocolError):
    """The stream ended without its wire's own end; `partial` holds what came."""

    code = ErrorCode.STREAM_TRUNCATED
    retryable = True


class PolicyError(ParleyError):
    """One of our own limits; the vendor was not asked. `limit` is how much it allows, None where that cannot be said."""

    code = ErrorCode.RATE_LIMITED
    domain = "policy"
    action = "retry_later"

    def __init__(self, message: str, *, limit: int | None = None, **details: Unpack[ErrorDetails]) -> None:
        super().__init__(message, **details)
        self.limit = limit


class LimitExceededError(PolicyError):
    """Too many requests or tokens; `retry_after` is exact."""


class QueueFullError(PolicyError):
    """The queue is full."""

    code = ErrorCode.QUEUE_FULL


class BudgetExceededError(PolicyError):
    """The budget is spent."""

    code = ErrorCode.BUDGET_EXCEEDED
    action = "give_up"


STATUS_TABLE: dict[int, type[ProviderError]] = {
    401: AuthenticationError,
    402: QuotaExceededError,
    403: PermissionDeniedError,
    429: RateLimitError,
    503: OverloadedError,
    529: OverloadedError,
}


def error_class_for_status(status: int) -> type[ProviderError]:
    """The class a bare HTTP status means; what the body adds (context length, model, quota) is the codec's to say."""
    if status in STATUS_TABLE:
        return STATUS_TABLE[status]
    if status >= 500:
        return ServerError
    if status >= 400:
        return RequestRejectedError
    return ProtocolError
