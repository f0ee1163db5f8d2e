from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from parley.contract.errors import InvalidRequestError
from parley.services.accounts import Accounts
from parley.services.errors import ForbiddenError, NotFoundError, UnauthenticatedError
from parley.services.keys import DEFAULT_SCOPES, ApiKeys
from parley.services.principals import Principal
from parley.storage.database import Database
from parley.storage.keys import ApiKeys as StoredKeys
from parley.storage.users import Users

from .test_accounts import advance


@pytest.fixture
def keys(database: Database, accounts: Accounts) -> ApiKeys:
    return ApiKeys(database, authentication=accounts.authentication)


async def test_a_key_stands_for_its_user_with_its_scopes(keys: ApiKeys, accounts: Accounts, user: Principal) -> None:
    record, secret = await keys.create(user, "laptop", ["v1"])
    principal = await accounts.authenticate(secret)
    assert (principal.user_id, principal.kind, principal.scopes, principal.token_id) == (user.user_id, "key", {"v1"}, record.id)
    assert secret.startswith("pk-")
    assert "admin" not in principal.scopes


async def test_without_scopes_it_gets_the_usual_ones(keys: ApiKeys, accounts: Accounts, user: Principal) -> None:
    _, secret = await keys.create(user, "laptop")
    assert (await accounts.authenticate(secret)).scopes == set(DEFAULT_SCOPES)


async def test_the_key_is_stored_as_a_hash_and_shown_by_its_beginning(
    keys: ApiKeys, user: Principal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="parley")
    record, secret = await keys.create(user, "laptop")
    assert secret not in repr(await keys.list(user))
    assert secret.startswith(record.shown_prefix)
    assert len(record.shown_prefix) < 12
    assert secret not in caplog.text
    assert secret.encode() not in (tmp_path / "parley.db").read_bytes() + (tmp_path / "parley.db-wal").read_bytes()


async def test_a_removed_key_counts_no_longer_at_once(keys: ApiKeys, accounts: Accounts, user: Principal) -> None:
    record, secret = await keys.create(user, "laptop")
    principal = await accounts.authenticate(secret)
    await keys.remove(user, record.id)
    with pytest.raises(UnauthenticatedError):
        await accounts.authenticate(secret)
    with pytest.raises(UnauthenticatedError):
        await accounts.authentication.confirm(principal, since_ms=0)
    assert await keys.list(user) == []


async def test_an_expired_key_says_so(keys: ApiKeys, accounts: Accounts, user: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    _, secret = await keys.create(user, "laptop", expires_at=datetime.now(UTC) + timedelta(hours=1))
    await accounts.authenticate(secret)
    monkeypatch.setattr("parley.services.authentication.now_ms", lambda: int(datetime.now(UTC).timestamp() * 1000) + 3_600_001)
    with pytest.raises(UnauthenticatedError, match="expired"):
        await accounts.authenticate(secret)


async def test_another_users_key_is_not_there(keys: ApiKeys, admin: Principal, user: Principal) -> None:
    record, _ = await keys.create(user, "laptop")
    with pytest.raises(NotFoundError):
        await keys.remove(admin, record.id)
    assert await keys.list(admin) == []
    assert len(await keys.list(user)) == 1


async def test_a_key_makes_no_other_key(keys: ApiKeys, accounts: Accounts, admin: Principal) -> None:
    _, secret = await keys.create(admin, "robot", ["admin", "chat"])
    with pytest.raises(ForbiddenError, match="cannot make another"):
        await keys.create(await accounts.authenticate(secret), "second")


async def test_a_user_gets_no_scope_of_administrators(keys: ApiKeys, user: Principal) -> None:
    with pytest.raises(ForbiddenError, match="admin"):
        await keys.create(user, "root", ["chat", "admin"])


async def test_a_key_loses_what_its_user_loses(keys: ApiKeys, accounts: Accounts, admin: Principal, database: Database) -> None:
    _, secret = await keys.create(admin, "robot", ["admin", "chat"])
    assert "admin" in (await accounts.authenticate(secret)).scopes
    await Users(database).update(admin.user_id, {"role": "user"})
    advance(accounts, 2.0)
    assert (await accounts.authenticate(secret)).scopes == {"chat"}
    await Users(database).update(admin.user_id, {"is_active": False})
    advance(accounts, 2.0)
    with pytest.raises(UnauthenticatedError):
        await accounts.authenticate(secret)


@pytest.mark.parametrize(
    ("arguments", "paths"),
    [
        ({"name": ""}, ["name"]),
        ({"name": "a\nb"}, ["name"]),
        ({"name": "x" * 101}, ["name"]),
        ({"name": None}, ["name"]),
        ({"name": "k", "scopes": []}, ["scopes"]),
        ({"name": "k", "scopes": ["chat", "root"]}, ["scopes[1]"]),
        ({"name": "k", "expires_at": datetime(2001, 1, 1, tzinfo=UTC)}, ["expiresAt"]),
    ],
)
async def test_what_makes_no_key_is_refused_by_its_field(
    keys: ApiKeys, user: Principal, arguments: dict[str, Any], paths: list[str]
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        await keys.create(user, **arguments)
    assert [field.path for field in caught.value.fields] == paths


@pytest.mark.parametrize("bearer", ["pk-", "pk-unknown", "pk-' OR 1=1 --", "pk-\ud800", "pk-\x00", "pk-" + "x" * 10_000_000, ""])
async def test_what_is_no_key_is_refused(accounts: Accounts, user: Principal, bearer: str) -> None:
    with pytest.raises(UnauthenticatedError):
        await accounts.authenticate(bearer)


async def test_its_last_use_is_noted(keys: ApiKeys, accounts: Accounts, user: Principal, database: Database) -> None:
    _, secret = await keys.create(user, "laptop")
    await accounts.authenticate(secret)
    await accounts.authentication.aclose()
    (stored,) = await StoredKeys(database).list(user.user_id)
    assert stored.last_used_at is not None
