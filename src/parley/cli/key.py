"""`parley key …`: keys for programs, made on the machine that keeps the data. Knows the services, no HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from parley.config import Settings


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the key is for; lists show it.")],
) -> None:
    """Make an API key and show it, once.

    It belongs to the first administrator; before there is one, to an account of its own. A running server takes it at once.
    """
    import asyncio

    from parley.cli.problems import problems_shown
    from parley.config import load_settings

    with problems_shown():
        settings = load_settings()
        typer.echo(_told(settings, asyncio.run(_made(settings, name))))


async def _made(settings: Settings, name: str) -> str:
    from parley.services.accounts import Accounts
    from parley.services.admission import Admission
    from parley.services.keys import ApiKeys
    from parley.services.local_account import local_principal
    from parley.services.tokens import Tokens
    from parley.storage.database import Database

    database = await Database.open(settings.database_url)
    accounts = Accounts(database, tokens=Tokens(settings.jwt_secret), admission=Admission("closed", directory=None))
    try:
        keys = ApiKeys(database, authentication=accounts.authentication)
        _, secret = await keys.create(await local_principal(database), name)
    finally:
        await accounts.aclose()
        await database.aclose()
    return secret


def _told(settings: Settings, secret: str) -> str:
    """Two lines that a shell takes; the official clients read them."""
    return f"export OPENAI_BASE_URL={settings.url}/v1\nexport OPENAI_API_KEY={secret}\n# The key is not shown again."
