"""The tables, as the newest migration leaves them. Ids are uuid7 text, times milliseconds since 1970, structures JSON text."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, Text, text

ID_CHARACTERS = 36

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[str]:
    return Column("id", String(ID_CHARACTERS), primary_key=True)


def _owner() -> Column[str]:
    return Column("user_id", String(ID_CHARACTERS), ForeignKey("users.id", ondelete="CASCADE"), nullable=False)


def _time(name: str, *, optional: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=optional)


users = Table(
    "users",
    metadata,
    _id(),
    Column("username", Text, nullable=False),
    Column("username_folded", Text, nullable=False, unique=True),
    Column("email", Text, nullable=False),
    Column("email_folded", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("preferences", Text, nullable=False),
    _time("tokens_valid_from"),
    _time("created_at"),
    _time("updated_at"),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    _id(),
    _owner(),
    Column("family_id", String(ID_CHARACTERS), nullable=False, index=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    _time("created_at"),
    _time("expires_at"),
    _time("used_at", optional=True),
    _time("revoked_at", optional=True),
    Index(None, "user_id"),
)

revoked_tokens = Table(
    "revoked_tokens",
    metadata,
    Column("token_id", String(ID_CHARACTERS), primary_key=True),
    _owner(),
    _time("revoked_at"),
    _time("expires_at"),
)

api_keys = Table(
    "api_keys",
    metadata,
    _id(),
    _owner(),
    Column("name", Text, nullable=False),
    Column("key_hash", String(64), nullable=False, unique=True),
    Column("shown_prefix", String(32), nullable=False),
    Column("scopes", Text, nullable=False),
    _time("created_at"),
    _time("expires_at", optional=True),
    _time("last_used_at", optional=True),
    Index(None, "user_id"),
)

providers = Table(
    "providers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("provider", Text),
    Column("endpoint", Text),
    Column("sealed_key", Text),
    Column("model", Text),
    Column("enabled", Boolean, nullable=False),
    _time("created_at"),
    _time("updated_at"),
)

routes = Table(
    "routes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("strategy", String(16), nullable=False),
    Column("stream_guard", String(16), nullable=False),
    Column("targets", Text, nullable=False),
    _time("created_at"),
    _time("updated_at"),
)

audit_entries = Table(
    "audit_entries",
    metadata,
    _id(),
    # What changed the configuration counts up, so that of two who change the same state one is refused; everything else has none.
    Column("version", BigInteger, unique=True),
    Column("action", String(40), nullable=False),
    Column("subject", Text, nullable=False),
    # No foreign key: an entry outlives who caused it.
    Column("user_id", String(ID_CHARACTERS)),
    Column("username", Text),
    Column("api_key_id", String(ID_CHARACTERS)),
    Column("changes", Text, nullable=False),
    _time("created_at"),
)

attachments = Table(
    "attachments",
    metadata,
    _id(),
    _owner(),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("sha256", String(64), nullable=False),
    _time("created_at"),
    Column("data", LargeBinary, nullable=False),
    Index(None, "user_id"),
)

sessions = Table(
    "sessions",
    metadata,
    _id(),
    _owner(),
    Column("title", Text, nullable=False),
    Column("title_folded", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("system_prompt", Text),
    Column("settings", Text, nullable=False),
    Column("shown_leaf_id", String(ID_CHARACTERS)),
    Column("context_after_id", String(ID_CHARACTERS)),
    Column("context_summary", Text),
    _time("created_at"),
    _time("updated_at"),
    _time("active_at"),
    Index(None, "user_id", "active_at", "id"),
)

messages = Table(
    "messages",
    metadata,
    _id(),
    Column("session_id", String(ID_CHARACTERS), ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    # No foreign key: deleting a long conversation would cascade from message to message, deeper than SQLite goes.
    Column("parent_id", String(ID_CHARACTERS), index=True),
    Column("role", String(16), nullable=False),
    Column("content", Text, nullable=False),
    Column("folded", Text, nullable=False),
    _time("created_at"),
    Column("provider", Text),
    Column("model", Text),
    Column("finish_reason", String(16)),
    Column("details", Text),
    Column("prompt_tokens", Integer),
    Column("completion_tokens", Integer),
    Column("cost", Float),
    Index(None, "session_id", "id"),
)

generations = Table(
    "generations",
    metadata,
    Column("message_id", String(ID_CHARACTERS), ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True),
    Column("session_id", String(ID_CHARACTERS), ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    _owner(),
    Column("state", String(16), nullable=False),
    Column("idempotency_key", Text),
    Column("body_hash", String(64), nullable=False),
    Column("last_seq", Integer, nullable=False),
    _time("created_at"),
    _time("seen_at"),
    _time("finished_at", optional=True),
    _time("cancel_asked_at", optional=True),
    Index(None, "session_id", "message_id"),
    Index(
        "uq_generations_running",
        "session_id",
        unique=True,
        sqlite_where=text("state = 'running'"),
        postgresql_where=text("state = 'running'"),
    ),
    Index("uq_generations_idempotency", "session_id", "idempotency_key", unique=True),
    Index(None, "finished_at"),
)

generation_events = Table(
    "generation_events",
    metadata,
    Column("message_id", String(ID_CHARACTERS), ForeignKey("generations.message_id", ondelete="CASCADE"), primary_key=True),
    Column("first_seq", Integer, primary_key=True, autoincrement=False),
    Column("last_seq", Integer, nullable=False),
    Column("events", LargeBinary, nullable=False),
)
