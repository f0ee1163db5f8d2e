"""Brings the tables up to date, step by step. Knows where the steps lie, not what they do."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, text

from parley.contract.errors import ConfigurationError, FieldProblem

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x7061726C6579


def migrate(connection: Connection) -> None:
    """Run every step that this database has not seen, in one transaction: all or none.

    Raises ConfigurationError for a database that has seen a step which this version does not know.
    """
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
