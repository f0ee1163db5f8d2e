"""`[limits]` and `[cache]` of `parley.toml`: what users and keys may ask for, how many may wait, what is remembered. Counts nothing."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

from msgspec import Struct

from parley.contract.capabilities import Limits
from parley.contract.errors import FieldProblem
from parley.registry.conversion import INVALID, convert_struct


class QueueTable(Struct, frozen=True, kw_only=True):
    """How many may wait for room, and for how many seconds. A size or a timeout of 0: nobody waits."""

    size: int = 1000
    timeout: float = 30


class LimitTable(Struct, frozen=True, kw_only=True):
    """`user` holds for each user over all keys, `key` for each API key; 0 = none."""

    user: Limits = Limits()
    key: Limits = Limits()
    queue: QueueTable = QueueTable()


class CacheTable(Struct, frozen=True, kw_only=True):
    """Whether answers are remembered, for how long, and how much of them together."""

    enabled: bool = False
    ttl_seconds: float = 3600
    max_bytes: int = 64 * 1024 * 1024


def read_limit_table(value: Any, *, path: str, problems: list[FieldProblem]) -> LimitTable:
    """The `[limits]` table; its defaults where something is wrong, which is added to the problems."""
    table = convert_struct(value, LimitTable, path=path, problems=problems)
    if table is INVALID:
        return LimitTable()
    for name in ("user", "key"):
        problems += limit_problems(getattr(table, name), f"{path}.{name}")
    if table.queue.size < 0:
        problems.append(FieldProblem(path=f"{path}.queue.size", message=f"is {table.queue.size}; give a count, or 0 if nobody is to wait"))
    if not (table.queue.timeout >= 0 and isfinite(table.queue.timeout)):
        message = f"is {table.queue.timeout:g}; give seconds, or 0 if nobody is to wait"
        problems.append(FieldProblem(path=f"{path}.queue.timeout", message=message))
    return table


def read_cache_table(value: Any, *, path: str, problems: list[FieldProblem]) -> CacheTable:
    """The `[cache]` table; its defaults where something is wrong, which is added to the problems."""
    table = convert_struct(value, CacheTable, path=path, problems=problems)
    if table is INVALID:
        return CacheTable()
    if not (table.ttl_seconds > 0 and isfinite(table.ttl_seconds)):
        problems.append(FieldProblem(path=f"{path}.ttl_seconds", message=f"is {table.ttl_seconds:g}; give seconds above 0"))
    if table.max_bytes <= 0:
        problems.append(FieldProblem(path=f"{path}.max_bytes", message=f"is {table.max_bytes}; give a number of bytes above 0"))
    return table


def limit_problems(limits: Limits, path: str) -> Iterator[FieldProblem]:
    """Each limit that is none."""
    for name in Limits.__struct_fields__:
        count = getattr(limits, name)
        if count < 0:
            yield FieldProblem(path=f"{path}.{name}", message=f"is {count}; give a count, or 0 for none")
