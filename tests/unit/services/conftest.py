"""A real database in a temporary directory, and accounts on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from parley.services.accounts import Accounts
from parley.services.admission import Admission
from parley.services.passwords import Passwords
from parley.services.principals import Principal
from parley.services.tokens import Tokens
from parley.storage.database import Database

JWT_SECRET = "a-secret-of-the-tests-0123456789-abcdef"
PASSWORD = "correct horse battery"
ADDRESS = "203.0.113.7"

MakeAccounts = Callable[..., Awaitable[Accounts]]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite:///{tmp_path / 'parley.db'}")
    yield database
    await database.aclose()


@pytest.fixture
async def make_accounts(database: Database) -> AsyncIterator[MakeAccounts]:
    """Accounts as the server would build them; several on one database stand for several processes."""
    async with AsyncExitStack() as stack:

        async def make(registration: Any = "open", *, directory: Path | None = None, **options: str) -> Accounts:
            admission = Admission(registration, directory=directory, url="http://localhost:4000", **options)
            accounts = Accounts(database, tokens=Tokens(JWT_SECRET), admission=admission, passwords=Passwords(threads=2))
            stack.push_async_callback(accounts.aclose)
            await accounts.prepare()
            return accounts

        yield make


@pytest.fixture
async def accounts(make_accounts: MakeAccounts) -> Accounts:
    return await make_accounts()


async def sign_up(accounts: Accounts, name: str, **more: Any) -> Principal:
    signed_in = await accounts.register(name, f"{name}@example.org", password=PASSWORD, address=ADDRESS, **more)
    return await accounts.authenticate(signed_in.token)


@pytest.fixture
async def admin(accounts: Accounts) -> Principal:
    return await sign_up(accounts, "admin")


@pytest.fixture
async def user(accounts: Accounts, admin: Principal) -> Principal:
    return await sign_up(accounts, "user")
