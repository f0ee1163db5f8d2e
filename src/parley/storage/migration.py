"""Brings the tables up to date, step by step. Knows where the steps lie, not what they do."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from parley.contract.errors import ConfigurationError, FieldProblem

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x7061726C6579


def migrate(connection: Connection) -> None:
    """Run every step that this database has not seen, in one transaction: all or none.

    Raises ConfigurationError for a database that has seen a step which this version does not know.
    """
    with connection.begin():
        if _is_current(connection):
            return
    # Alembic takes longer to import than all the rest of a usual start, which has nothing for it to do.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    with connection.begin():
        if connection.dialect.name == "postgresql":
            # Replicas that start together migrate one after the other.
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            message = f"the database was made by another version of Parley ({error}); use that version, or another database"
            raise ConfigurationError(message, fields=[FieldProblem(path="DATABASE_URL", message=message)]) from error


def _is_current(connection: Connection) -> bool:
    """Whether the newest step has been run. The files of the steps are named after their numbers."""
    if not inspect(connection).has_table("alembic_version"):
        return False
    newest = max(path.stem.partition("_")[0].removeprefix("v") for path in (MIGRATIONS / "versions").glob("v*.py"))
    return [*connection.execute(text("SELECT version_num FROM alembic_version")).scalars()] == [newest]
