"""What a database's error means to whoever asked. Knows no statement; shows no value that was to be stored."""

from __future__ import annotations

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, SQLAlchemyError, StatementError

from parley.contract.errors import InvalidRequestError, ParleyError
from parley.storage.errors import AlreadyExistsError, StorageUnavailableError
from parley.telemetry import get_logger

DATABASE_ERRORS = (SQLAlchemyError, OSError, ValueError, OverflowError)
"""What running a statement may raise: the library's errors, the network's, and Python's own for values that no column can hold."""

_logger = get_logger(__name__)


def told(error: Exception) -> ParleyError:
    """The error for the caller; what it says beyond that goes to the log, where it is scrubbed."""
    if isinstance(error, IntegrityError):
        return AlreadyExistsError("this exists already, or what it belongs to is gone")
    if isinstance(error, (DataError, InterfaceError, ValueError, OverflowError)) or _is_unusable_value(error):
        return InvalidRequestError("a value cannot be stored; it holds a character or a number that no database takes")
    _logger.error("the database failed", error=error.orig if isinstance(error, DBAPIError) else error)
    return StorageUnavailableError("the database does not answer; nothing was stored, try again in a moment", retry_after=1.0)


def is_away(error: Exception) -> bool:
    """Whether trying the next statement is useless."""
    return isinstance(error, OSError) or (isinstance(error, DBAPIError) and error.connection_invalidated)


def _is_unusable_value(error: Exception) -> bool:
    """PostgreSQL's driver has no class of its own for it, but the standard's code: class 22, data exception."""
    if not isinstance(error, StatementError):
        return False
    code = getattr(error.orig, "sqlstate", None)
    return isinstance(error.orig, (ValueError, OverflowError)) or (isinstance(code, str) and code.startswith("22"))
