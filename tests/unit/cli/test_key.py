from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("litestar", reason="needs the extra parley-ai[server]")

from typer.testing import CliRunner

from parley.cli.main import application
from parley.config import load_settings
from parley.services.accounts import Accounts
from parley.services.admission import Admission
from parley.services.tokens import Tokens
from parley.storage.database import Database


def made() -> str:
    """The key that the command prints."""
    result = CliRunner().invoke(application(), ["key", "new", "my laptop"])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == f"export OPENAI_BASE_URL={load_settings().url}/v1"
    assert all(line.startswith(("export ", "#")) for line in lines), "a shell can take it as it is"
    return lines[1].removeprefix("export OPENAI_API_KEY=")


async def with_accounts(work: Any) -> Any:
    settings = load_settings()
    database = await Database.open(settings.database_url)
    accounts = Accounts(database, tokens=Tokens(settings.jwt_secret), admission=Admission("closed", directory=None))
    try:
        await accounts.prepare()
        return await work(accounts)
    finally:
        await accounts.aclose()
        await database.aclose()


def test_a_key_works_before_anybody_has_signed_up() -> None:
    first, second = made(), made()

    async def use(accounts: Accounts) -> None:
        one, other = await accounts.authenticate(first), await accounts.authenticate(second)
        assert one.user_id == other.user_id
        assert (one.role, one.kind) == ("user", "key")
        assert "v1" in one.scopes
        assert accounts.setup_link() is not None, "the first person can still sign up"
        signed_in = await accounts.register("ann", "ann@example.com", password="correct horse battery staple", address="127.0.0.1")
        assert signed_in.user.role == "admin"

    asyncio.run(with_accounts(use))


def test_a_key_is_the_administrators_once_there_is_one() -> None:
    async def sign_up(accounts: Accounts) -> str:
        return (await accounts.register("ann", "ann@example.com", password="correct horse battery staple", address="127.0.0.1")).user.id

    administrator = asyncio.run(with_accounts(sign_up))
    key = made()

    async def use(accounts: Accounts) -> None:
        principal = await accounts.authenticate(key)
        assert principal.user_id == administrator
        assert "admin" not in principal.scopes

    asyncio.run(with_accounts(use))


def test_the_key_itself_is_not_stored(tmp_path: Path) -> None:
    key = made()
    (database,) = (tmp_path / "data").glob("*.db")
    with sqlite3.connect(database) as connection:
        dump = "\n".join(connection.iterdump())
    connection.close()
    assert "my laptop" in dump
    assert key not in dump


def test_a_key_needs_a_name() -> None:
    result = CliRunner().invoke(application(), ["key", "new", " "])
    assert result.exit_code == 2
    assert "name" in result.output
