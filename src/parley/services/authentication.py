"""Who stands behind a bearer token, JWT or API key, and whether that still counts. Knows no password and no header."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Final

from parley.services.errors import StorageUnavailableError, UnauthenticatedError
from parley.services.principals import SCOPES, Principal, Role
from parley.services.recent import FRESH_SECONDS, Recent
from parley.services.tokens import Claims, Tokens
from parley.storage.ids import now_ms
from parley.storage.keys import ApiKeyRecord, ApiKeys
from parley.storage.tokens import RevokedTokenRecord, RevokedTokens
from parley.storage.users import UserRecord, Users
from parley.telemetry import get_logger

KEY_PREFIX: Final = "pk-"
REMEMBER_USE_SECONDS: Final = 60.0
# Rows written by another process just before the last reading may have become visible after it.
_OVERLAP_MS: Final = 30_000
_MAX_READ_TOKENS: Final = 10_000
_MAX_BEARER_CHARACTERS: Final = 4096
_USER_SCOPES: Final[frozenset[str]] = SCOPES - {"admin"}

_logger = get_logger(__name__)


def hashed(token: str) -> str:
    """How an opaque token is stored. One round is enough: it is 256 random bits, not a word that a person chose."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def scopes_of(role: Role) -> frozenset[str]:
    """Everything that this role may do, which is what a person who signs in may do."""
    return SCOPES if role == "admin" else _USER_SCOPES


class Authentication:
    """Proves bearers. What is revoked here counts at once, what another process revokes within FRESH_SECONDS."""

    def __init__(
        self, users: Users, keys: ApiKeys, *, revoked: RevokedTokens, tokens: Tokens, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._tokens = tokens
        self._keys_table = keys
        self._revoked_table = revoked
        self._now = now
        self._users: Recent[UserRecord] = Recent(users.find, now=now)
        self._keys: Recent[ApiKeyRecord] = Recent(keys.find_by_hash, now=now)
        self._keys_of_user: Recent[Sequence[ApiKeyRecord]] = Recent(keys.list, now=now)
        self._read_tokens: dict[str, Claims] = {}
        self._revoked: dict[str, int] = {}
        self._revoked_read_at: float | None = None
        self._revoked_since_ms = 0
        self._noted_use: dict[str, float] = {}
        self._notes: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Read which sign-ins have ended, before the first request."""
        self._revoked_read_at = self._now()
        await self._read_revoked(first=True)

    async def authenticate(self, bearer: str) -> Principal:
        """Who this is. Raises UnauthenticatedError, or StorageUnavailableError where nobody can say."""
        if not bearer or len(bearer) > _MAX_BEARER_CHARACTERS or not bearer.isascii():
            raise UnauthenticatedError("the token is not valid here; sign in again")
        if bearer.startswith(KEY_PREFIX):
            return await self._by_key(bearer)
        claims = self._claims(bearer)
        user = await self._user(claims.user_id)
        if claims.issued_at_ms < user.tokens_valid_from or await self.is_revoked(claims.family):
            raise UnauthenticatedError("this sign-in has ended; sign in again")
        return _principal(user, scopes_of(_role(user)), kind="jwt", token_id=claims.family)

    async def confirm(self, principal: Principal, *, since_ms: int) -> None:
        """Raise UnauthenticatedError where what was proven at that time counts no longer: for streams and sockets, every few seconds."""
        user = await self._user(principal.user_id)
        if _role(user) != principal.role:
            raise UnauthenticatedError("the role of this account has changed; sign in again")
        if principal.kind == "jwt":
            if since_ms < user.tokens_valid_from or await self.is_revoked(principal.token_id):
                raise UnauthenticatedError("this sign-in has ended; sign in again")
            return
        keys = await self._keys_of_user.find(principal.user_id) or ()
        if all(key.id != principal.token_id or _has_expired(key) for key in keys):
            raise UnauthenticatedError("this API key has expired or was removed")

    async def is_revoked(self, family: str) -> bool:
        """Whether this sign-in was ended, here or by another process."""
        now = self._now()
        if self._revoked_read_at is None or now - self._revoked_read_at >= FRESH_SECONDS:
            first, self._revoked_read_at = self._revoked_read_at is None, now
            await self._read_revoked(first=first)
        return family in self._revoked

    async def revoke(self, user_id: str, family: str, *, until_ms: int) -> None:
        """End this sign-in: no token of it counts any more. `until_ms` is when the last of them would expire."""
        self._revoked[family] = until_ms
        await self._revoked_table.add(RevokedTokenRecord(token_id=family, user_id=user_id, revoked_at=now_ms(), expires_at=until_ms))

    def forget_user(self, user_id: str) -> None:
        """The account has changed; what is remembered of it is not to be used."""
        self._users.forget(user_id)

    def forget_key(self, key: ApiKeyRecord) -> None:
        """The key was made or removed."""
        self._keys.forget(key.key_hash)
        self._keys_of_user.forget(key.user_id)

    async def aclose(self) -> None:
        """Wait for the last notes of use."""
        await asyncio.gather(*self._notes)

    async def _by_key(self, bearer: str) -> Principal:
        key = await self._keys.find(hashed(bearer))
        if key is None:
            raise UnauthenticatedError("this API key is not known; it may have been removed")
        if _has_expired(key):
            raise UnauthenticatedError("this API key has expired; make a new one")
        user = await self._user(key.user_id)
        self._note_use(key)
        # Scopes that the role no longer has are gone from the key as well.
        return _principal(user, frozenset(key.scopes) & scopes_of(_role(user)), kind="key", token_id=key.id)

    async def _user(self, user_id: str) -> UserRecord:
        user = await self._users.find(user_id)
        if user is None or not user.is_active:
            raise UnauthenticatedError("this account is no longer active")
        return user

    def _claims(self, token: str) -> Claims:
        claims = self._read_tokens.get(token)
        if claims is None or self._tokens.has_expired(claims):
            self._read_tokens.pop(token, None)
            claims = self._tokens.read(token)
            if len(self._read_tokens) >= _MAX_READ_TOKENS:
                self._read_tokens.clear()
            self._read_tokens[token] = claims
        return claims

    async def _read_revoked(self, *, first: bool) -> None:
        started_ms = now_ms()
        try:
            rows = await self._revoked_table.list(since=self._revoked_since_ms)
        except StorageUnavailableError:
            if first:
                self._revoked_read_at = None
                raise
            return
        self._revoked_since_ms = started_ms - _OVERLAP_MS
        self._revoked |= {row.token_id: row.expires_at for row in rows}
        if expired := [family for family, until_ms in self._revoked.items() if until_ms < started_ms]:
            for family in expired:
                del self._revoked[family]

    def _note_use(self, key: ApiKeyRecord) -> None:
        """Note that the key was used, at most once a minute and without making the request wait."""
        now = self._now()
        if now - self._noted_use.get(key.id, float("-inf")) < REMEMBER_USE_SECONDS:
            return
        if len(self._noted_use) >= _MAX_READ_TOKENS:
            self._noted_use.clear()
        self._noted_use[key.id] = now
        task = asyncio.get_running_loop().create_task(self._write_use(key.id))
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    async def _write_use(self, key_id: str) -> None:
        try:
            await self._keys_table.touch(key_id, at=now_ms())
        except StorageUnavailableError as error:
            _logger.warning("the use of a key was not noted", key=key_id, error=error)


def _role(user: UserRecord) -> Role:
    return "admin" if user.role == "admin" else "user"


def _has_expired(key: ApiKeyRecord) -> bool:
    return key.expires_at is not None and key.expires_at <= now_ms()


def _principal(user: UserRecord, scopes: frozenset[str], *, kind: str, token_id: str) -> Principal:
    return Principal(user_id=user.id, role=_role(user), scopes=scopes, kind="key" if kind == "key" else "jwt", token_id=token_id)
