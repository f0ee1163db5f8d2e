"""What every repository does with rows: named values in, records out. Knows no table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct
from sqlalchemy import BindParameter, Insert, Row, Table, Update, bindparam, insert, update

_Record = TypeVar("_Record", bound=Struct)


def insertion(table: Table) -> Insert:
    """INSERT with a named value for every column; made once, so that its text is prepared once."""
    return insert(table).values({column.name: bindparam(column.name) for column in table.columns})


def change(table: Table, columns: Iterable[str]) -> Update:
    """UPDATE of these columns; the caller adds which rows."""
    return update(table).values({name: bindparam(name) for name in columns})


def value(name: str) -> BindParameter[Any]:
    """A named value in a condition; `b_` keeps it apart from a column's new value of the same name."""
    return bindparam(f"b_{name}")


def record(kind: type[_Record], row: Row[Any]) -> _Record:
    """A row as its record, field by field of the same name."""
    return kind(**row._mapping)  # pyright: ignore[reportPrivateUsage]


def records(kind: type[_Record], rows: Sequence[Row[Any]]) -> list[_Record]:
    """Rows as their records."""
    return [record(kind, row) for row in rows]


def values(given: Struct) -> Mapping[str, Any]:
    """A record's fields as named values."""
    return {name: getattr(given, name) for name in given.__struct_fields__}
