"""How Alembic runs a step: on the connection it is given, within that connection's transaction. Knows no table."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
context.run_migrations()
