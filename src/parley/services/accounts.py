"""Accounts: signing up, in and out, passwords and preferences. Knows no HTTP and no SQL."""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import Final

from msgspec import Struct, structs

from parley.contract.errors import FieldProblem, InvalidRequestError
from parley.services.admission import Admission
from parley.services.attempts import Attempts, network_of
from parley.services.authentication import Authentication, hashed
from parley.services.errors import ForbiddenError, UnauthenticatedError
from parley.services.passwords import MAX_CHARACTERS, Passwords, password_problem
from parley.services.principals import Principal
from parley.services.profiles import AccountUsage, PreferenceChanges, Profile, merged, profile_of
from parley.services.tokens import Tokens
from parley.services.validation import Problems
from parley.storage.attachments import Attachments
from parley.storage.database import Database
from parley.storage.errors import AlreadyExistsError
from parley.storage.ids import new_id, now_ms
from parley.storage.keys import ApiKeys
from parley.storage.tokens import RefreshTokenRecord, RefreshTokens, RevokedTokens
from parley.storage.users import UserRecord, Users
from parley.telemetry import get_logger

REFRESH_LIFETIME_MS: Final = 30 * 24 * 3600 * 1000
REFRESH_PREFIX: Final = "rk-"
TIDY_MS: Final = 3600 * 1000
WINDOW_SECONDS: Final = 300.0
GUESSES_FROM_ONE_PLACE: Final = 10
GUESSES_AT_ONE_ACCOUNT: Final = 100
SIGN_INS_FROM_ONE_PLACE: Final = 200
SIGN_UPS_FROM_ONE_PLACE: Final = 200

_USERNAME = re.compile(r"[^\W_][\w.-]{2,39}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(?:\.[^@\s.]+)*")

_logger = get_logger(__name__)


class SignedIn(Struct, frozen=True, kw_only=True):
    """What a sign-in gives: a short-lived access token, the token that renews it once, and whose they are."""

    token: str
    refresh_token: str
    user: Profile

    def __repr__(self) -> str:
        return f"SignedIn(user={self.user.username!r})"


class Accounts:
    """Everything about accounts. `prepare` before the first request, `aclose` after the last."""

    def __init__(self, database: Database, *, tokens: Tokens, admission: Admission, passwords: Passwords | None = None) -> None:
        self._users = Users(database)
        self._refresh_tokens = RefreshTokens(database)
        self._revoked = RevokedTokens(database)
        self._keys = ApiKeys(database)
        self._attachments = Attachments(database)
        self._tokens = tokens
        self._admission = admission
        self._passwords = passwords or Passwords()
        self._has_account = False
        self._tidied_at = 0
        self._preferences_lock = asyncio.Lock()
        self._guesses_from_place = Attempts(GUESSES_FROM_ONE_PLACE, seconds=WINDOW_SECONDS)
        self._guesses_at_account = Attempts(GUESSES_AT_ONE_ACCOUNT, seconds=WINDOW_SECONDS)
        self._sign_ins = Attempts(SIGN_INS_FROM_ONE_PLACE, seconds=WINDOW_SECONDS)
        self._sign_ups = Attempts(SIGN_UPS_FROM_ONE_PLACE, seconds=WINDOW_SECONDS)
        self.authentication = Authentication(self._users, self._keys, revoked=self._revoked, tokens=tokens)

    async def prepare(self) -> None:
        """Learn whether there is an account; where there is none, make the set-up code."""
        await self.authentication.start()
        self._has_account = await self._users.count() > 0
        if self._has_account:
            self._admission.close_setup()
        else:
            self._admission.open_setup()
        await self._tidy()

    async def aclose(self) -> None:
        """End the threads and the notes that are still being written."""
        self._passwords.close()
        await self.authentication.aclose()

    def setup_link(self) -> str | None:
        """Where the first account is made; None once there is one."""
        return None if self._has_account else self._admission.setup_link()

    async def is_set_up(self) -> bool:
        """Whether there is an account; another replica may have made it."""
        if not self._has_account:
            self._has_account = await self._users.count() > 0
        return self._has_account

    async def authenticate(self, bearer: str) -> Principal:
        """Who a bearer token stands for. Raises UnauthenticatedError."""
        return await self.authentication.authenticate(bearer)

    async def register(
        self, username: str, email: str, *, password: str, setup_code: str | None = None, invite_code: str | None = None, address: str
    ) -> SignedIn:
        """Make an account and sign it in. The first one is the administrator.

        Raises InvalidRequestError with every field that is wrong or taken, ForbiddenError, LimitExceededError.
        """
        _check_new_account(username, email, password)
        self._sign_ups.begin(network_of(address))
        first = not await self.is_set_up()
        if first:
            self._admission.admit_first(setup_code)
        else:
            self._admission.admit(setup_code, invite_code)
        user = _new_user(username, email, await self._passwords.hash(password))
        if first and await self._add_first(user):
            return await self._sign_in(await self._users.get(user.id))
        if first:
            self._admission.admit(setup_code, invite_code)
        await self._add(user)
        _logger.info("account made", user=user.id, role=user.role)
        return await self._sign_in(user)

    async def login(self, identifier: str, password: str, *, address: str) -> SignedIn:
        """Sign in with the user name or the address. Unknown names take as long as wrong passwords, and are told alike.

        Raises UnauthenticatedError, ForbiddenError (deactivated), LimitExceededError with the time to wait.
        """
        problems = Problems()
        problems.line("username", identifier, max_characters=320)
        problems.text("password", password, max_characters=MAX_CHARACTERS, min_characters=1)
        problems.refuse()
        place, account = network_of(address), identifier.casefold()
        self._sign_ins.begin(place)
        self._guesses_from_place.begin(f"{place} {account}")
        self._guesses_at_account.begin(account)
        user = await self._users.find_by_identifier(identifier)
        matches = await self._passwords.verify(user.password_hash if user else None, password)
        if user is None or not matches:
            _logger.info("sign-in refused", address=address)
            raise UnauthenticatedError("the user name or the password is wrong")
        self._sign_ins.give_back(place)
        self._guesses_from_place.forgive(f"{place} {account}")
        self._guesses_at_account.give_back(account)
        if not user.is_active:
            raise ForbiddenError("this account was deactivated; ask the administrator")
        if self._passwords.needs_rehash(user.password_hash):
            await self._users.update(user.id, {"password_hash": await self._passwords.hash(password)})
        return await self._sign_in(user)

    async def refresh(self, refresh_token: str) -> SignedIn:
        """New tokens for a refresh token, which counts once: a second use ends the whole sign-in, for one of the two stole it.

        Raises UnauthenticatedError.
        """
        problems = Problems()
        problems.line("refreshToken", refresh_token, max_characters=200)
        problems.refuse()
        found = await self._refresh_tokens.find_by_hash(hashed(refresh_token))
        now = now_ms()
        if found is None or found.expires_at <= now:
            raise UnauthenticatedError("the refresh token is not valid (any more); sign in again")
        user = await self._users.find(found.user_id)
        if user is None or not user.is_active or found.revoked_at is not None or await self.authentication.is_revoked(found.family_id):
            raise UnauthenticatedError("this sign-in has ended; sign in again")
        if found.used_at is not None or not await self._refresh_tokens.use(found.id, at=now):
            await self._end(found.user_id, found.family_id)
            _logger.warning("a refresh token was used twice; its sign-in is ended", user=found.user_id)
            raise UnauthenticatedError("the refresh token was used before; sign in again")
        signed_in = await self._sign_in(user, family=found.family_id)
        # The password may have changed, or the sign-in ended, while the new token was written.
        current = await self._users.find(user.id)
        if current is None or current.tokens_valid_from != user.tokens_valid_from or await self.authentication.is_revoked(found.family_id):
            await self._end(found.user_id, found.family_id)
            raise UnauthenticatedError("this sign-in has ended; sign in again")
        return signed_in

    async def logout(self, principal: Principal, refresh_token: str | None = None) -> None:
        """End this sign-in, and that of the refresh token where it is the user's own. An API key is removed, not signed out."""
        if principal.kind == "jwt":
            await self._end(principal.user_id, principal.token_id)
        if refresh_token:
            found = await self._refresh_tokens.find_by_hash(hashed(refresh_token))
            if found is not None and found.user_id == principal.user_id:
                await self._end(found.user_id, found.family_id)

    async def change_password(self, principal: Principal, *, old: str, new: str) -> SignedIn:
        """Set another password. Every sign-in of the account ends; the reply is a new one.

        Raises InvalidRequestError for a new password that cannot be, and where the old one is wrong (not a sign-out); LimitExceededError.
        """
        problems = Problems()
        problems.text("currentPassword", old, max_characters=MAX_CHARACTERS, min_characters=1)
        if problem := password_problem(new):
            problems.add("newPassword", problem)
        problems.refuse()
        self._guesses_at_account.begin(principal.user_id)
        user = await self._users.get(principal.user_id)
        if not await self._passwords.verify(user.password_hash, old):
            message = "is not the password of this account"
            raise InvalidRequestError(f"currentPassword {message}", fields=[FieldProblem(path="currentPassword", message=message)])
        self._guesses_at_account.forgive(principal.user_id)
        now = now_ms()
        await self._users.update(user.id, {"password_hash": await self._passwords.hash(new), "tokens_valid_from": now})
        await self._refresh_tokens.revoke_user(user.id, at=now)
        self.authentication.forget_user(user.id)
        _logger.info("password changed", user=user.id)
        return await self._sign_in(await self._users.get(user.id))

    async def profile(self, principal: Principal) -> Profile:
        """The account as its owner sees it."""
        return await self._profile(await self._users.get(principal.user_id))

    async def update_preferences(self, principal: Principal, changes: PreferenceChanges) -> Profile:
        """Change some of the preferences. Raises InvalidRequestError with every field that cannot be."""
        async with self._preferences_lock:
            user = await self._users.get(principal.user_id)
            await self._users.update(user.id, {"preferences": merged(user.preferences, changes)})
        return await self.profile(principal)

    async def _add_first(self, user: UserRecord) -> bool:
        """Whether this became the first account, out of however many that try at the same time."""
        if not await self._users.add_first(structs.replace(user, role="admin")):
            self._has_account = True
            return False
        self._has_account = True
        self._admission.close_setup()
        _logger.info("account made", user=user.id, role="admin")
        return True

    async def _add(self, user: UserRecord) -> None:
        try:
            await self._users.add(user)
        except AlreadyExistsError as error:
            problems = Problems()
            for path, value in (("username", user.username), ("email", user.email)):
                if await self._users.find_by_identifier(value) is not None:
                    problems.add(path, "is taken; choose another")
            problems.refuse()
            raise InvalidRequestError("this account exists already") from error

    async def _sign_in(self, user: UserRecord, *, family: str | None = None) -> SignedIn:
        family = family or new_id()
        refresh_token = REFRESH_PREFIX + secrets.token_urlsafe(32)
        now = now_ms()
        await self._refresh_tokens.add(
            RefreshTokenRecord(
                id=new_id(),
                user_id=user.id,
                family_id=family,
                token_hash=hashed(refresh_token),
                created_at=now,
                expires_at=now + REFRESH_LIFETIME_MS,
            )
        )
        if now - self._tidied_at > TIDY_MS:
            await self._tidy()
        token = self._tokens.issue(user.id, family=family)
        return SignedIn(token=token, refresh_token=refresh_token, user=await self._profile(user))

    async def _end(self, user_id: str, family: str) -> None:
        """No token of this sign-in counts any more, of either kind."""
        now = now_ms()
        await self.authentication.revoke(user_id, family, until_ms=now + REFRESH_LIFETIME_MS)
        await self._refresh_tokens.revoke_family(family, at=now)

    async def _profile(self, user: UserRecord) -> Profile:
        keys, attachment_bytes = await asyncio.gather(self._keys.list(user.id), self._attachments.total_size(user.id))
        return profile_of(user, AccountUsage(api_keys=len(keys), attachment_bytes=attachment_bytes))

    async def _tidy(self) -> None:
        """Forget tokens that expired by themselves."""
        self._tidied_at = now_ms()
        await self._refresh_tokens.remove_expired(before=self._tidied_at)
        await self._revoked.remove_expired(before=self._tidied_at)


def _check_new_account(username: str, email: str, password: str) -> None:
    problems = Problems()
    if problems.line("username", username, max_characters=40, min_characters=3) and not _USERNAME.fullmatch(username):
        problems.add("username", "must be 3 to 40 letters, digits, dots, hyphens or underscores, and begin with a letter or digit")
    if problems.line("email", email, max_characters=254) and not _EMAIL.fullmatch(email):
        problems.add("email", "is no e-mail address")
    if problem := password_problem(password):
        problems.add("password", problem)
    problems.refuse()


def _new_user(username: str, email: str, password_hash: str) -> UserRecord:
    return UserRecord(id=new_id(), username=username, email=email, password_hash=password_hash, role="user", created_at=now_ms())
