from __future__ import annotations

from parley.storage.database import Database
from parley.storage.providers import ProviderRecord, Providers, removing


async def test_settings_replace_earlier_ones(database: Database) -> None:
    providers = Providers(database)
    await providers.put(ProviderRecord(name="b", sealed_key="sealed", created_at=1, updated_at=1))
    await providers.put(ProviderRecord(name="a", enabled=False, created_at=1, updated_at=1))
    newer = ProviderRecord(name="b", model="m", created_at=1, updated_at=2)
    await providers.put(newer)
    assert [found.name for found in await providers.list()] == ["a", "b"]
    assert await providers.find("b") == newer
    await database.writer.submit_all(removing("b"))
    assert await providers.find("b") is None
