"""Users as rows. Knows hashes, not passwords, and not who may do what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, json
from sqlalchemy import Row, bindparam, func, insert, literal, or_, select, text

from parley.storage.database import Database
from parley.storage.errors import NotFoundError
from parley.storage.ids import now_ms
from parley.storage.statements import change, insertion, value
from parley.storage.tables import users
from parley.storage.writer import Change


class UserRecord(Struct, frozen=True, kw_only=True):
    """One user. A token made before `tokens_valid_from` (milliseconds) does not count; `preferences` is any JSON object."""

    id: str
    username: str
    email: str
    password_hash: str
    role: str
    is_active: bool = True
    preferences: dict[str, Any] = {}
    tokens_valid_from: int = 0
    created_at: int = 0
    updated_at: int = 0


SERVICE_ROLE = "service"
"""Of accounts that no person signs in to. They do not count where the first account is looked for."""

CHANGEABLE = ("username", "email", "password_hash", "role", "is_active", "preferences", "tokens_valid_from")

_ADD = insertion(users)
_ADD_FIRST = insert(users).from_select(
    [column.name for column in users.columns],
    select(*(bindparam(column.name, type_=column.type) for column in users.columns)).where(
        ~select(literal(1)).select_from(users).where(users.c.role != SERVICE_ROLE).exists()
    ),
)
_ONE_AT_A_TIME = text("LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE")
_BY_ID = select(users).where(users.c.id == value("id"))
_BY_IDENTIFIER = select(users).where(or_(users.c.username_folded == value("folded"), users.c.email_folded == value("folded")))
_ALL = select(users).order_by(users.c.id)
_COUNT = select(func.count()).select_from(users).where(users.c.role != SERVICE_ROLE)


class Users:
    """User names and addresses are unique whatever their case."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, user_id: str) -> UserRecord:
        """The user. Raises NotFoundError."""
        if (found := await self.find(user_id)) is None:
            raise NotFoundError("there is no such user")
        return found

    async def find(self, user_id: str) -> UserRecord | None:
        """The user, or None."""
        return _read(await self._database.fetch_one(_BY_ID, {"b_id": user_id}))

    async def find_by_identifier(self, identifier: str) -> UserRecord | None:
        """Who has this user name or address, in any case, or None."""
        return _read(await self._database.fetch_one(_BY_IDENTIFIER, {"b_folded": identifier.casefold()}))

    async def list(self) -> list[UserRecord]:
        """Every user, in the order in which they came."""
        return [user for row in await self._database.fetch(_ALL) if (user := _read(row)) is not None]

    async def count(self) -> int:
        """How many people have an account."""
        row = await self._database.fetch_one(_COUNT)
        return row[0] if row else 0

    async def add(self, user: UserRecord) -> None:
        """Store a new user. Raises AlreadyExistsError where the name or the address is taken."""
        await self._database.writer.submit(_ADD, _written(user))

    async def add_first(self, user: UserRecord) -> bool:
        """Store the user if nobody has an account; False where somebody was faster."""
        changes = [Change(_ADD_FIRST, _written(user))]
        if self._database.shared:
            # SQLite has one writer anyway. Here another replica might look while this row is not committed yet.
            changes.insert(0, Change(_ONE_AT_A_TIME))
        return (await self._database.writer.submit_all(changes))[-1] == 1

    async def update(self, user_id: str, changes: Mapping[str, Any]) -> None:
        """Change some of the fields in CHANGEABLE. Raises NotFoundError, or AlreadyExistsError where a name is taken."""
        written: dict[str, Any] = {name: changes[name] for name in CHANGEABLE if name in changes}
        written["updated_at"] = now_ms()
        for name in ("username", "email"):
            if name in written:
                written[f"{name}_folded"] = written[name].casefold()
        if "preferences" in written:
            written["preferences"] = json.encode(written["preferences"]).decode()
        statement = change(users, written).where(users.c.id == value("id"))
        if not await self._database.writer.submit(statement, {**written, "b_id": user_id}):
            raise NotFoundError("there is no such user")


def _read(row: Row[Any] | None) -> UserRecord | None:
    if row is None:
        return None
    fields = {name: getattr(row, name) for name in UserRecord.__struct_fields__}
    return UserRecord(**fields | {"preferences": json.decode(row.preferences)})


def _written(user: UserRecord) -> dict[str, Any]:
    fields = {name: getattr(user, name) for name in UserRecord.__struct_fields__}
    folded = {"username_folded": user.username.casefold(), "email_folded": user.email.casefold()}
    created_at = user.created_at or now_ms()
    times = {"created_at": created_at, "updated_at": user.updated_at or created_at}
    return fields | folded | times | {"preferences": json.encode(user.preferences).decode()}
