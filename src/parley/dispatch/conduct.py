"""What an error means for what is tried next: the same target, another of its keys, another target, or nothing. Knows no target."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from parley.contract.errors import (
    AuthenticationError,
    CallerError,
    ContentFilterError,
    ContextLengthError,
    LimitExceededError,
    ModelNotFoundError,
    ParleyError,
    PermissionDeniedError,
    PolicyError,
    ProviderError,
    ProviderTimeoutError,
    QueueFullError,
    QuotaExceededError,
    RateLimitError,
    RequestRejectedError,
    TransportError,
)

Elsewhere: TypeAlias = Literal["yes", "no", "larger"]

CREDENTIAL_REST_SECONDS = 60.0
"""So long a key that was refused, or is spent, is not tried again."""
_SAME_EVERYWHERE = frozenset({400, 422})


class Conduct(Struct, frozen=True, kw_only=True):
    """`again`: the same target may do it. `other_key`: another key of it may, at once. `elsewhere`: another target may, or only one
    that reads more. `sick`: it is held against the target. `tried`: the target was really asked.
    """

    again: bool = False
    other_key: bool = False
    elsewhere: Elsewhere = "yes"
    sick: bool = True
    tried: bool = True


_UNSENT = Conduct(sick=False, tried=False)
_FINAL = Conduct(elsewhere="no", sick=False)
_LARGER = Conduct(elsewhere="larger", sick=False)
_REJECTED_HERE = Conduct(sick=False)
_OTHER_KEY = Conduct(other_key=True)
_LIMITED = Conduct(again=True, other_key=True)
_AGAIN = Conduct(again=True)
_ELSEWHERE = Conduct()
_OURS = Conduct(elsewhere="no", sick=False, tried=False)


def conduct_after(error: ParleyError) -> Conduct:
    """What to do. The errors of the provider's own answer decide by their class, all others by whose fault they are."""
    if isinstance(error, CallerError):
        return _UNSENT
    if isinstance(error, PolicyError):
        return _UNSENT if isinstance(error, LimitExceededError | QueueFullError) and error.provider else _OURS
    if isinstance(error, RequestRejectedError):
        return _after_rejection(error)
    if isinstance(error, RateLimitError):
        return _LIMITED
    if isinstance(error, AuthenticationError | PermissionDeniedError | QuotaExceededError):
        return _OTHER_KEY
    if error.retryable or (isinstance(error, ProviderTimeoutError) and error.phase == "connect"):
        return _AGAIN
    return _ELSEWHERE if isinstance(error, ProviderError | TransportError) else _OURS


def _after_rejection(error: RequestRejectedError) -> Conduct:
    if isinstance(error, ContentFilterError):
        return _FINAL
    if isinstance(error, ContextLengthError):
        return _LARGER
    if isinstance(error, ModelNotFoundError):
        return _ELSEWHERE
    return _FINAL if error.status in _SAME_EVERYWHERE or error.status is None else _REJECTED_HERE


def rest_after(error: ParleyError) -> float | None:
    """How long it is known to be no use to ask with this key again; None where nobody knows."""
    if isinstance(error, AuthenticationError | PermissionDeniedError | QuotaExceededError):
        return max(CREDENTIAL_REST_SECONDS, error.retry_after or 0.0)
    return error.retry_after
