"""What administrators set about providers, as rows; keys only as sealed text. Knows no vendor and opens no seal."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import delete, select

from parley.storage.database import Database
from parley.storage.statements import insertion, record, records, value, values
from parley.storage.tables import providers
from parley.storage.writer import Change


class ProviderRecord(Struct, frozen=True, kw_only=True):
    """Settings over those of the environment and the file; None leaves theirs in force. `provider` is what it is an instance of."""

    name: str
    provider: str | None = None
    endpoint: str | None = None
    sealed_key: str | None = None
    model: str | None = None
    enabled: bool = True
    created_at: int
    updated_at: int


_ADD = insertion(providers)
_ALL = select(providers).order_by(providers.c.name)
_BY_NAME = select(providers).where(providers.c.name == value("name"))
_REMOVE = delete(providers).where(providers.c.name == value("name"))


class Providers:
    """At most one row for each name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, name: str) -> ProviderRecord | None:
        """The settings, or None."""
        row = await self._database.fetch_one(_BY_NAME, {"b_name": name})
        return None if row is None else record(ProviderRecord, row)

    async def list(self) -> list[ProviderRecord]:
        """All settings, by name."""
        return records(ProviderRecord, await self._database.fetch(_ALL))

    async def put(self, provider: ProviderRecord) -> None:
        """Store the settings in the place of any earlier ones."""
        await self._database.writer.submit_all(putting(provider))


def putting(provider: ProviderRecord) -> Sequence[Change]:
    """What stores settings in the place of earlier ones, to be written together with its entry in the audit."""
    return [*removing(provider.name), Change(_ADD, values(provider))]


def removing(name: str) -> Sequence[Change]:
    """What forgets settings, in the same way."""
    return [Change(_REMOVE, {"b_name": name})]
