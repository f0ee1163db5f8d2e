"""What can go wrong with stored things: no such row, one too many, or no database. Knows no HTTP status."""

from __future__ import annotations

from parley.contract.errors import CallerError, ErrorCode, ParleyError


class NotFoundError(CallerError):
    """Nothing of this id is there, or it is somebody else's: the two are told alike."""

    code = ErrorCode.NOT_FOUND


class AlreadyExistsError(CallerError):
    """A value that must be unique is taken. Whoever writes knows which, and says it in words."""


class StorageUnavailableError(ParleyError):
    """The database cannot be reached or does not take the write; what was asked has not been stored."""

    code = ErrorCode.STORAGE_UNAVAILABLE
    action = "retry_later"
    retryable = True
