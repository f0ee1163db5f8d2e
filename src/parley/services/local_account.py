"""Who somebody is that can open the database itself: its first administrator. Knows no password, and gives no way around one over HTTP."""

from __future__ import annotations

import secrets
from typing import Final

from parley.services.authentication import scopes_of
from parley.services.passwords import Passwords
from parley.services.principals import Principal, Role
from parley.storage.database import Database
from parley.storage.errors import AlreadyExistsError
from parley.storage.ids import new_id, now_ms
from parley.storage.users import SERVICE_ROLE, UserRecord, Users

SERVICE_NAME: Final = "command-line"


async def local_principal(database: Database) -> Principal:
    """The first administrator; before there is one, a service account, so that programs can begin before a person has signed up.

    Nobody can sign in to the service account, and the first person to sign up becomes the administrator all the same.
    """
    users = Users(database)
    known = await users.list()
    administrator = next((user for user in known if user.role == "admin" and user.is_active), None)
    if administrator is not None:
        return _principal(administrator, "admin")
    service = next((user for user in known if user.role == SERVICE_ROLE), None)
    return _principal(service or await _add_service(users), "user")


async def _add_service(users: Users) -> UserRecord:
    passwords = Passwords()
    try:
        unknown_to_all = await passwords.hash(secrets.token_urlsafe(32))
    finally:
        passwords.close()
    service = UserRecord(
        id=new_id(),
        username=SERVICE_NAME,
        email=f"{SERVICE_NAME}@localhost",
        password_hash=unknown_to_all,
        role=SERVICE_ROLE,
        created_at=now_ms(),
    )
    try:
        await users.add(service)
    except AlreadyExistsError:
        return next(user for user in await users.list() if user.role == SERVICE_ROLE)
    return service


def _principal(user: UserRecord, role: Role) -> Principal:
    return Principal(user_id=user.id, role=role, scopes=scopes_of(role), kind="jwt", token_id="")
