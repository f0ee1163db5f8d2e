"""Routes that administrators set, as rows. Knows no provider, and not what a strategy does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, json
from sqlalchemy import Row, delete, select

from parley.storage.database import Database
from parley.storage.statements import insertion, value
from parley.storage.tables import routes
from parley.storage.writer import Change


class StoredTarget(Struct, frozen=True, kw_only=True):
    """One place where a route may find its answer: `provider/model`, and its share."""

    model: str
    weight: float


class RouteRecord(Struct, frozen=True, kw_only=True):
    """One route; it stands in the place of one of the same name in the operator's file."""

    name: str
    strategy: str
    stream_guard: str
    targets: list[StoredTarget]
    created_at: int
    updated_at: int


_ADD = insertion(routes)
_ALL = select(routes).order_by(routes.c.name)
_REMOVE = delete(routes).where(routes.c.name == value("name"))


class ModelRoutes:
    """At most one row for each name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> list[RouteRecord]:
        """All routes, by name."""
        return [_read(row) for row in await self._database.fetch(_ALL)]


def putting(route: RouteRecord) -> Sequence[Change]:
    """What stores a route in the place of an earlier one, to be written together with its entry in the audit."""
    fields = {name: getattr(route, name) for name in RouteRecord.__struct_fields__}
    return [*removing(route.name), Change(_ADD, fields | {"targets": json.encode(route.targets).decode()})]


def removing(name: str) -> Sequence[Change]:
    """What forgets a route, in the same way."""
    return [Change(_REMOVE, {"b_name": name})]


def _read(row: Row[Any]) -> RouteRecord:
    fields: dict[str, Any] = {name: getattr(row, name) for name in RouteRecord.__struct_fields__}
    fields["targets"] = json.decode(row.targets, type=list[StoredTarget])
    return RouteRecord(**fields)
