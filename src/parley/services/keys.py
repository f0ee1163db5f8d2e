"""API keys: made once, shown once, stored as a hash. Knows no header and no limit of use."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from parley.contract.errors import InvalidRequestError
from parley.services.authentication import KEY_PREFIX, Authentication, hashed, scopes_of
from parley.services.errors import ForbiddenError
from parley.services.principals import SCOPES, Principal
from parley.services.profiles import MAX_API_KEYS
from parley.services.times import milliseconds_of
from parley.services.validation import Problems
from parley.storage.database import Database
from parley.storage.ids import new_id, now_ms
from parley.storage.keys import ApiKeyRecord
from parley.storage.keys import ApiKeys as StoredKeys
from parley.telemetry import get_logger

DEFAULT_SCOPES: Final = ("chat", "v1", "read")
_SHOWN_CHARACTERS = 4
_LATEST_EXPIRY_MS = 253_402_300_799_000

_logger = get_logger(__name__)


class ApiKeys:
    """The keys of each user. A key never makes another: what leaks must not be able to renew itself."""

    def __init__(self, database: Database, *, authentication: Authentication) -> None:
        self._stored = StoredKeys(database)
        self._authentication = authentication

    async def create(
        self, principal: Principal, name: str, scopes: Sequence[str] | None = None, *, expires_at: datetime | None = None
    ) -> tuple[ApiKeyRecord, str]:
        """A new key and its secret, which nobody can read again. Without scopes it gets DEFAULT_SCOPES.

        Raises InvalidRequestError with every field that is wrong, ForbiddenError for scopes beyond the role's.
        """
        if principal.kind == "key":
            raise ForbiddenError("an API key cannot make another; sign in with a password")
        wanted = DEFAULT_SCOPES if scopes is None else tuple(dict.fromkeys(scopes))
        expires_at_ms = _check(name, wanted, expires_at)
        if beyond := sorted(set(wanted) - scopes_of(principal.role)):
            raise ForbiddenError(f'your role does not have the scope "{beyond[0]}"; leave it out')
        if len(await self._stored.list(principal.user_id)) >= MAX_API_KEYS:
            raise InvalidRequestError(f"an account has at most {MAX_API_KEYS} keys; remove one that is not used")
        secret = KEY_PREFIX + secrets.token_urlsafe(32)
        record = ApiKeyRecord(
            id=new_id(),
            user_id=principal.user_id,
            name=name.strip(),
            key_hash=hashed(secret),
            shown_prefix=secret[: len(KEY_PREFIX) + _SHOWN_CHARACTERS],
            scopes=list(wanted),
            created_at=now_ms(),
            expires_at=expires_at_ms,
        )
        await self._stored.add(record)
        self._authentication.forget_key(record)
        _logger.info("api key made", user=principal.user_id, key=record.id, scopes=",".join(wanted))
        return record, secret

    async def list(self, principal: Principal) -> list[ApiKeyRecord]:
        """The user's keys, newest first."""
        return await self._stored.list(principal.user_id)

    async def remove(self, principal: Principal, key_id: str) -> None:
        """Take a key back, at once. Raises NotFoundError."""
        found = next((key for key in await self._stored.list(principal.user_id) if key.id == key_id), None)
        await self._stored.remove(principal.user_id, key_id)
        if found is not None:
            self._authentication.forget_key(found)
        _logger.info("api key removed", user=principal.user_id, key=key_id)


def _check(name: str, scopes: Sequence[str], expires_at: datetime | None) -> int | None:
    problems = Problems()
    problems.line("name", name, max_characters=100)
    if not scopes:
        problems.add("scopes", "is empty; leave it out for the usual ones")
    for index, scope in enumerate(scopes):
        if scope not in SCOPES:
            problems.add(f"scopes[{index}]", f"must be one of {', '.join(sorted(SCOPES))}")
    expires_at_ms = None
    if expires_at is not None:
        expires_at_ms = milliseconds_of(expires_at)
        if not now_ms() < expires_at_ms <= _LATEST_EXPIRY_MS:
            problems.add("expiresAt", "is in the past; give a later time, or none")
    problems.refuse()
    return expires_at_ms
