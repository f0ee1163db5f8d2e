"""Where an answer is noted as to be ended: another replica may be making it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """A column that an older process neither writes nor misses."""
    op.add_column("generations", sa.Column("cancel_asked_at", sa.BigInteger(), nullable=True))
