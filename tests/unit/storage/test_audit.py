from __future__ import annotations

import asyncio

import pytest

from parley.storage.audit import AuditEntries, AuditRecord, FieldChange
from parley.storage.database import Database
from parley.storage.errors import AlreadyExistsError
from parley.storage.ids import new_id
from parley.storage.model_routes import ModelRoutes, RouteRecord, StoredTarget, putting, removing


def entry(version: int | None, action: str = "route.set") -> AuditRecord:
    return AuditRecord(
        id=new_id(),
        version=version,
        action=action,
        subject="fast",
        user_id=None,
        username=None,
        api_key_id=None,
        changes=[FieldChange(field="targets", new=[{"model": "a/b", "weight": 1.5}])],
        created_at=1,
    )


def route(name: str, model: str = "a/b") -> RouteRecord:
    targets = [StoredTarget(model=model, weight=1.5), StoredTarget(model="c/d", weight=1)]
    return RouteRecord(name=name, strategy="weighted", stream_guard="hold", targets=targets, created_at=1, updated_at=2)


async def test_of_all_who_make_the_same_version_one_succeeds_and_only_its_change_is_stored(database: Database) -> None:
    entries, routes = AuditEntries(database), ModelRoutes(database)
    assert await entries.version() == 0
    attempts = [entries.add(entry(1), putting(route(f"r{number}"))) for number in range(8)]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    assert [type(result) for result in results].count(AlreadyExistsError) == 7
    assert len(await routes.list()) == 1
    assert await entries.version() == 1


async def test_what_was_done_since_a_version_is_told_in_order_and_what_changed_nothing_is_not(database: Database) -> None:
    entries = AuditEntries(database)
    for version, action in ((1, "route.set"), (None, "configuration.refused"), (None, "configuration.reloaded"), (2, "route.removed")):
        await entries.add(entry(version, action))
    assert await entries.actions_since(0) == ["route.set", "route.removed"]
    assert await entries.actions_since(1) == ["route.removed"]
    newest, *older = await entries.list(limit=10)
    assert (newest.version, newest.changes) == (2, entry(2).changes)
    assert [found.action for found in await entries.list(limit=2, before=newest.id)] == [found.action for found in older[:2]]


async def test_a_route_replaces_an_earlier_one_and_is_forgotten(database: Database) -> None:
    entries, routes = AuditEntries(database), ModelRoutes(database)
    for version, model in ((1, "a/b"), (2, "x/y")):
        await entries.add(entry(version), putting(route("fast", model)))
    assert await routes.list() == [route("fast", "x/y")]
    await entries.add(entry(3), removing("fast"))
    assert await routes.list() == []
    with pytest.raises(AlreadyExistsError):
        await entries.add(entry(3), putting(route("fast")))
    assert await routes.list() == []
