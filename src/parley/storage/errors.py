"""What a repository raises: there is no such row, or the database does not answer. Knows no service and no HTTP."""

from __future__ import annotations

from parley.contract.errors import ErrorCode, ParleyError


class NotFoundError(ParleyError):
    """There is nothing of this id for this user; another user's object is told no differently."""

    code = ErrorCode.NOT_FOUND
    domain = "caller"
    action = "fix_request"


class StorageUnavailableError(ParleyError):
    """The database cannot be read or written now; nothing was lost that had been acknowledged."""

    code = ErrorCode.STORAGE_UNAVAILABLE
    action = "retry_later"
    retryable = True
