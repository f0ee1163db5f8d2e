"""What services raise beyond the contract's errors: who asks, what is not theirs, what stands in the way. Knows no HTTP.

ParleyError
├── UnauthenticatedError        no token, or one that does not count (any more)
├── ForbiddenError              known, but not allowed to
├── NotFoundError               nothing there, or another user's (storage raises it too)
├── ConflictError               a generation runs, or an idempotency key was used for something else
├── BodyTooLargeError           more bytes than are taken
└── StorageUnavailableError     the database does not answer (storage raises it)
"""

from __future__ import annotations

from parley.contract.errors import ErrorCode, ParleyError
from parley.storage.errors import NotFoundError, StorageUnavailableError

__all__ = ["BodyTooLargeError", "ConflictError", "ForbiddenError", "NotFoundError", "StorageUnavailableError", "UnauthenticatedError"]


class UnauthenticatedError(ParleyError):
    """Nobody is signed in: the token is missing, expired, revoked or not ours; or the password is wrong."""

    code = ErrorCode.UNAUTHENTICATED
    domain = "caller"
    action = "fix_credentials"


class ForbiddenError(ParleyError):
    """Signed in, but the role, the scopes or the server's settings do not allow it."""

    code = ErrorCode.FORBIDDEN
    domain = "caller"


class ConflictError(ParleyError):
    """It cannot be done now: a generation of the session runs (default), or `code=IDEMPOTENCY_CONFLICT`."""

    code = ErrorCode.GENERATION_RUNNING
    domain = "caller"


class BodyTooLargeError(ParleyError):
    """More bytes than this place takes; the message says how many it takes."""

    code = ErrorCode.BODY_TOO_LARGE
    domain = "caller"
    action = "fix_request"
