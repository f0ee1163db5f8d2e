"""Access tokens: JWTs of one algorithm, one issuer and one audience. Knows no user beyond an id, and nothing of revocation."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any, Final, TypeGuard

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from msgspec import Struct

from parley.services.errors import UnauthenticatedError

ALGORITHM: Final = "HS256"
ISSUER: Final = "parley"
AUDIENCE: Final = "parley-api"
LIFETIME_SECONDS: Final = 30 * 60
LEEWAY_SECONDS: Final = 30
MAX_TOKEN_CHARACTERS: Final = 2048

_TEXT_CLAIMS = ("sub", "sid", "jti")


class Claims(Struct, frozen=True, kw_only=True):
    """What a valid token says: whose it is, of which sign-in (`family`), since when (ms) and until when (seconds)."""

    user_id: str
    family: str
    issued_at_ms: int
    expires_at: float


class Tokens:
    """Issues access tokens and reads its own. The role is not in them: it may change while a token lives."""

    def __init__(self, secret: str, *, lifetime_seconds: float = LIFETIME_SECONDS, now: Callable[[], float] = time.time) -> None:
        self._key = OctKey.import_key(secret.encode())
        self._lifetime_seconds = lifetime_seconds
        self._now = now

    def __repr__(self) -> str:
        return "Tokens()"

    def issue(self, user_id: str, *, family: str) -> str:
        """A token for this user and sign-in."""
        now = int(self._now() * 1000) / 1000
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": user_id,
            "sid": family,
            "jti": secrets.token_urlsafe(12),
            "iat": now,
            "exp": int(now + self._lifetime_seconds),
        }
        return jwt.encode({"alg": ALGORITHM, "typ": "JWT"}, claims, self._key, algorithms=[ALGORITHM])

    def read(self, token: str) -> Claims:
        """What the token says. Raises UnauthenticatedError, alike for every token that was not issued here; apart where it expired."""
        if len(token) > MAX_TOKEN_CHARACTERS or not token.isascii():
            raise _not_ours()
        try:
            # Neither "none" nor a key of another kind: what the token's own header asks for has no say.
            claims = jwt.decode(token, self._key, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise _not_ours() from error
        if not _is_ours(claims, self._now()):
            raise _not_ours()
        read = Claims(
            user_id=claims["sub"],
            family=claims["sid"],
            issued_at_ms=round(claims["iat"] * 1000),
            expires_at=claims["exp"] + LEEWAY_SECONDS,
        )
        if self.has_expired(read):
            raise UnauthenticatedError("the access token has expired; refresh it or sign in again")
        return read

    def has_expired(self, claims: Claims) -> bool:
        """Whether the token's time is over."""
        return claims.expires_at <= self._now()


def _is_ours(claims: dict[str, Any], now: float) -> bool:
    """Whether every claim is there, of the right kind, and meant for this server."""
    issued_at = claims.get("iat")
    return (
        claims.get("iss") == ISSUER
        and claims.get("aud") == AUDIENCE
        and all(isinstance(claims.get(name), str) for name in _TEXT_CLAIMS)
        and _is_time(claims.get("exp"))
        and _is_time(issued_at)
        and issued_at <= now + LEEWAY_SECONDS
    )


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _not_ours() -> UnauthenticatedError:
    return UnauthenticatedError("the access token or key is not valid here; sign in again, or make a key (`parley key new NAME`)")
