from __future__ import annotations

import ast
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from parley.storage.database import Database
from parley.storage.migration import MIGRATIONS
from parley.storage.tables import metadata

# The first made everything, and had nobody before it.
STEPS = sorted((MIGRATIONS / "versions").glob("v*.py"))[1:]
# What servers of the version before neither write nor miss.
EXPANDING = {"create_table", "add_column", "create_index", "f"}


async def test_the_migrations_make_exactly_the_tables_that_the_code_knows(database: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)

    assert await database.read(differences) == []


def narrowing(source: str) -> list[str]:
    """What of a step an older server would stumble over."""
    found: list[str] = []
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        words = ast.unparse(call)
        if isinstance(call.func.value, ast.Name) and call.func.value.id == "op":
            name = call.func.attr
            demanding = name == "add_column" and "nullable=True" not in words and "server_default" not in words
            if demanding or name not in EXPANDING or (name == "create_index" and "unique=True" in words):
                found.append(words)
    return found


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.stem)
def test_a_step_only_adds_what_older_servers_do_not_miss(step: Path) -> None:
    """While a new version is rolled out, the old one works on the tables of the new."""
    assert narrowing(step.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        'op.drop_column("users", "email")',
        'op.add_column("users", sa.Column("x", sa.Text(), nullable=False))',
        'op.execute("UPDATE users SET x = 1")',
        'op.create_index("i", "users", ["x"], unique=True)',
        'op.alter_column("users", "email", new_column_name="mail")',
    ],
)
def test_what_older_servers_would_miss_is_found(line: str) -> None:
    assert narrowing(line) == [line.replace('"', "'")]
