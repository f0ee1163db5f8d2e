"""Signing up, in and out, and one's own account."""

from __future__ import annotations

from typing import Any, Final, Literal

from litestar import Request
from msgspec import Struct

from parley.contract.errors import FieldProblem, InvalidRequestError
from parley.server.boundary import client_address_of
from parley.server.policy import KIBIBYTE, MEBIBYTE, Policy, Route, public, signed_in
from parley.services.accounts import Accounts, SignedIn
from parley.services.principals import Principal
from parley.services.profiles import PreferenceChanges, Profile

# Whoever is not signed in yet sends names and passwords, nothing else.
MAX_CREDENTIALS_BYTES: Final = 16 * KIBIBYTE
_TOO_MANY: Final = (429,)


class NewAccount(Struct, frozen=True, kw_only=True):
    """The first account needs `setupCode`; later ones what the server's settings ask for."""

    username: str
    email: str
    password: str
    setup_code: str | None = None
    invite_code: str | None = None


class Registered(Struct, frozen=True, kw_only=True):
    """The new account, signed in."""

    message: str
    token: str
    refresh_token: str
    user: Profile


class Credentials(Struct, frozen=True, kw_only=True):
    """The user name or the e-mail address, and the password."""

    password: str
    username: str | None = None
    email: str | None = None


class Renewal(Struct, frozen=True, kw_only=True):
    """A refresh token, which counts once."""

    refresh_token: str


class SignOut(Struct, frozen=True, kw_only=True):
    """The refresh token is ended too where it is given."""

    refresh_token: str | None = None


class PasswordChange(Struct, frozen=True, kw_only=True):
    """Every sign-in of the account ends; the reply is a new one."""

    current_password: str
    new_password: str


class AuthRoutes:
    """Everything under `/auth`."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def routes(self) -> list[Route]:
        """The rows of the table."""
        return [
            self._entry("/auth/register", self.register, public("account", "register"), "Make an account", status=201),
            self._entry("/auth/login", self.login, public("account", "login"), "Sign in"),
            self._entry("/auth/refresh", self.refresh, public("account", "refresh"), "New tokens for a refresh token"),
            self._entry("/auth/logout", self.logout, signed_in("account", "logout"), "End this sign-in", status=204),
            self._entry("/auth/password", self.password, signed_in("account", "password"), "Change the password", method="PUT"),
            Route(
                method="GET",
                path="/api/v1/auth/profile",
                handler=self.profile,
                policy=signed_in("account", "read", "chat", "read", "v1"),
                summary="The signed-in account",
            ),
            self._entry("/auth/preferences", self.preferences, signed_in("account", "update"), "Change some preferences", method="PUT"),
        ]

    def _entry(
        self, path: str, handler: Any, policy: Policy, summary: str, *, status: int = 200, method: Literal["POST", "PUT"] = "POST"
    ) -> Route:
        return Route(
            method=method,
            path=f"/api/v1{path}",
            handler=handler,
            policy=policy,
            summary=summary,
            status=status,
            errors=(*_TOO_MANY, 401, 403),
            # A system prompt among the preferences may be long.
            max_body_bytes=MEBIBYTE if handler == self.preferences else MAX_CREDENTIALS_BYTES,
        )

    async def register(self, request: Request[Any, Any, Any], body: NewAccount) -> Registered:
        """Make an account and sign it in."""
        signed_in_as = await self._accounts.register(
            body.username,
            body.email,
            password=body.password,
            setup_code=body.setup_code,
            invite_code=body.invite_code,
            address=client_address_of(request.scope),
        )
        return Registered(
            message=f"Welcome, {signed_in_as.user.username}.",
            token=signed_in_as.token,
            refresh_token=signed_in_as.refresh_token,
            user=signed_in_as.user,
        )

    async def login(self, request: Request[Any, Any, Any], body: Credentials) -> SignedIn:
        """Sign in by name or address."""
        identifier = body.username or body.email
        if not identifier:
            message = "is missing; give the user name, or the email address as `email`"
            raise InvalidRequestError(f"username {message}", fields=[FieldProblem(path="username", message=message)])
        return await self._accounts.login(identifier, body.password, address=client_address_of(request.scope))

    async def refresh(self, body: Renewal) -> SignedIn:
        """Rotate the refresh token."""
        return await self._accounts.refresh(body.refresh_token)

    async def logout(self, principal: Principal, body: SignOut) -> None:
        """End the sign-in of this token."""
        await self._accounts.logout(principal, body.refresh_token)

    async def password(self, principal: Principal, body: PasswordChange) -> SignedIn:
        """Set another password."""
        return await self._accounts.change_password(principal, old=body.current_password, new=body.new_password)

    async def profile(self, principal: Principal) -> Profile:
        """The account as its owner sees it."""
        return await self._accounts.profile(principal)

    async def preferences(self, principal: Principal, body: PreferenceChanges) -> Profile:
        """Merge what is given."""
        return await self._accounts.update_preferences(principal, body)
