"""Who asks: a signed-in user or one of a user's API keys. Knows neither how that was proven nor what is asked for."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from msgspec import Struct

Role: TypeAlias = Literal["user", "admin"]
Scope: TypeAlias = Literal["chat", "v1", "read", "admin"]

SCOPES: Final[frozenset[Scope]] = frozenset({"chat", "v1", "read", "admin"})


class Principal(Struct, frozen=True, kw_only=True):
    """A user as proven by one token; a JWT has every scope of its role.

    `token_id` is the API key's id, or the sign-in that a JWT belongs to, together with all it is refreshed into.
    """

    user_id: str
    role: Role
    scopes: frozenset[str]
    kind: Literal["jwt", "key"]
    token_id: str
