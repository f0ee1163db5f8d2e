from __future__ import annotations

import pytest
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError

from parley.contract.errors import InvalidRequestError
from parley.storage.errors import AlreadyExistsError, StorageUnavailableError
from parley.storage.faults import is_away, told


class DriverError(Exception):
    """As PostgreSQL's driver raises for whatever it has no class for; it repeats the value."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__("invalid input for query argument $1: 'what somebody wrote'")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (IntegrityError("INSERT", {}, DriverError("23505")), AlreadyExistsError),
        (DataError("INSERT", {}, DriverError("22021")), InvalidRequestError),
        (DBAPIError("INSERT", {}, DriverError("22021")), InvalidRequestError),
        (DBAPIError("INSERT", {}, DriverError("57P01")), StorageUnavailableError),
        (OperationalError("INSERT", {}, DriverError("53300")), StorageUnavailableError),
        (ConnectionRefusedError("refused"), StorageUnavailableError),
        (TimeoutError(), StorageUnavailableError),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "no"), InvalidRequestError),
        (OverflowError(), InvalidRequestError),
    ],
)
def test_each_error_is_told_for_what_it_is(error: Exception, kind: type[Exception]) -> None:
    assert type(told(error)) is kind
    assert "somebody wrote" not in told(error).message


def test_what_is_no_value_of_ours_is_logged_and_no_value_is(caplog: pytest.LogCaptureFixture) -> None:
    told(DBAPIError("INSERT", {}, DriverError("22021")))
    assert "somebody wrote" not in caplog.text


def test_a_network_that_is_down_is_away() -> None:
    assert is_away(ConnectionRefusedError())
    assert not is_away(IntegrityError("INSERT", {}, DriverError("23505")))
