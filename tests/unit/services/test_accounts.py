from __future__ import annotations

import asyncio
import logging
import stat
from pathlib import Path
from typing import Any

import pytest

from parley.contract.errors import InvalidRequestError, LimitExceededError
from parley.services.accounts import GUESSES_FROM_ONE_PLACE, Accounts, SignedIn
from parley.services.errors import ForbiddenError, UnauthenticatedError
from parley.services.passwords import Passwords
from parley.services.principals import Principal
from parley.services.profiles import PreferenceChanges
from parley.services.recent import FRESH_SECONDS
from parley.storage.database import Database
from parley.storage.ids import now_ms
from parley.storage.users import Users

from .conftest import ADDRESS, PASSWORD, MakeAccounts, sign_up

HOSTILE_TEXTS: list[Any] = [None, 7, True, {"$ne": ""}, ["admin"], "", "   ", "a\x00b", "a\ud800b", "x" * 10_000_000, b"bytes"]


async def login(accounts: Accounts, name: str = "user", password: str = PASSWORD, *, address: str = ADDRESS) -> SignedIn:
    return await accounts.login(name, password, address=address)


def paths(error: InvalidRequestError) -> list[str]:
    return [field.path for field in error.fields]


class TestFirstAccount:
    async def test_it_is_the_administrator_and_needs_the_code_of_the_printed_link(
        self, make_accounts: MakeAccounts, tmp_path: Path
    ) -> None:
        accounts = await make_accounts("closed", directory=tmp_path / "data")
        link = accounts.setup_link()
        assert link is not None
        assert link.startswith("http://localhost:4000/setup#")
        for wrong in (None, "", "wrong", "\ud800", link):
            with pytest.raises(ForbiddenError, match="set-up code"):
                await sign_up(accounts, "admin", setup_code=wrong)
        admin = await sign_up(accounts, "admin", setup_code=link.partition("#")[2])
        assert admin.role == "admin"

    async def test_the_code_is_kept_for_its_owner_alone_until_it_was_used(self, make_accounts: MakeAccounts, tmp_path: Path) -> None:
        accounts = await make_accounts("closed", directory=tmp_path / "data")
        file = tmp_path / "data" / "setup-code"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        again = await make_accounts("closed", directory=tmp_path / "data")
        link = accounts.setup_link()
        assert link == again.setup_link()
        await sign_up(accounts, "admin", setup_code=str(link).partition("#")[2])
        assert not file.exists()
        assert accounts.setup_link() is None
        assert (await make_accounts("closed", directory=tmp_path / "data")).setup_link() is None

    async def test_the_code_opens_nothing_twice(self, make_accounts: MakeAccounts, tmp_path: Path) -> None:
        accounts = await make_accounts("open", directory=tmp_path)
        code = str(accounts.setup_link()).partition("#")[2]
        await sign_up(accounts, "admin", setup_code=code)
        with pytest.raises(ForbiddenError, match="has been used"):
            await sign_up(accounts, "second", setup_code=code)

    async def test_a_hundred_at_once_make_one_administrator(self, make_accounts: MakeAccounts, database: Database, tmp_path: Path) -> None:
        accounts = await make_accounts("closed", directory=tmp_path)
        code = str(accounts.setup_link()).partition("#")[2]
        results = await asyncio.gather(
            *(sign_up(accounts, f"user{number}", setup_code=code) for number in range(100)), return_exceptions=True
        )
        assert [result.role for result in results if isinstance(result, Principal)] == ["admin"]
        assert sum(isinstance(result, ForbiddenError) for result in results) == 99
        assert [user.role for user in await Users(database).list()] == ["admin"]

    async def test_in_development_a_hundred_at_once_make_one_administrator_and_users(self, accounts: Accounts, database: Database) -> None:
        await asyncio.gather(*(sign_up(accounts, f"user{number}") for number in range(100)))
        assert sorted(user.role for user in await Users(database).list()) == ["admin", *["user"] * 99]


class TestSigningUp:
    async def test_a_closed_server_takes_nobody_after_the_first(self, make_accounts: MakeAccounts) -> None:
        accounts = await make_accounts("closed")
        await sign_up(accounts, "admin")
        with pytest.raises(ForbiddenError, match="ask the administrator"):
            await sign_up(accounts, "second")

    async def test_an_invite_is_asked_for(self, make_accounts: MakeAccounts) -> None:
        accounts = await make_accounts("invite", invite_code="friends-only-7")
        await sign_up(accounts, "admin")
        for wrong in (None, "", "friends-only-8"):
            with pytest.raises(ForbiddenError, match="invite"):
                await sign_up(accounts, "second", invite_code=wrong)
        assert (await sign_up(accounts, "second", invite_code="friends-only-7")).role == "user"

    @pytest.mark.parametrize(("name", "email", "taken"), [("ADMIN", "new@example.org", "username"), ("new", "Admin@Example.org", "email")])
    async def test_a_name_or_address_is_taken_whatever_its_case(
        self, accounts: Accounts, admin: Principal, name: str, email: str, taken: str
    ) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            await accounts.register(name, email, password=PASSWORD, address=ADDRESS)
        assert paths(caught.value) == [taken]

    async def test_every_problem_is_told_at_once(self, accounts: Accounts) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            await accounts.register("a b", "nobody", password="short", address=ADDRESS)
        assert paths(caught.value) == ["username", "email", "password"]

    @pytest.mark.parametrize("value", HOSTILE_TEXTS)
    async def test_hostile_credentials_are_refused_in_words(self, accounts: Accounts, value: Any) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            await accounts.register(value, value, password=value, address=ADDRESS)
        assert set(paths(caught.value)) == {"username", "email", "password"}
        assert len(caught.value.message) < 1000

    @pytest.mark.parametrize("name", ["../etc", "<b>x</b>", "a@b", "admin\u202e", "-abc", "a'; DROP TABLE users"])
    async def test_a_name_that_could_mean_something_else_is_refused(self, accounts: Accounts, name: str) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            await accounts.register(name, "new@example.org", password=PASSWORD, address=ADDRESS)
        assert paths(caught.value) == ["username"]


class TestSigningIn:
    @pytest.mark.parametrize("identifier", ["user", "USER", "user@example.org", "User@Example.Org"])
    async def test_by_name_or_address_in_any_case(self, accounts: Accounts, user: Principal, identifier: str) -> None:
        signed_in = await login(accounts, identifier)
        assert signed_in.user.username == "user"
        assert (await accounts.authenticate(signed_in.token)).user_id == user.user_id

    async def test_a_wrong_password_and_an_unknown_name_are_told_alike(self, accounts: Accounts, user: Principal) -> None:
        messages = set[str]()
        for name, password in (("user", "wrong"), ("nobody", PASSWORD), ("' OR 1=1 --", "x"), ("user", PASSWORD.upper())):
            with pytest.raises(UnauthenticatedError) as caught:
                await login(accounts, name, password)
            messages.add(caught.value.message)
        assert len(messages) == 1

    async def test_an_unknown_name_costs_the_same_work(self, make_accounts: MakeAccounts, monkeypatch: pytest.MonkeyPatch) -> None:
        accounts = await make_accounts()
        await sign_up(accounts, "user")
        checked: list[str] = []
        verify = Passwords._verify  # pyright: ignore[reportPrivateUsage]
        monkeypatch.setattr(Passwords, "_verify", lambda self, password, stored: checked.append(stored) or verify(self, password, stored))
        for name in ("user", "nobody"):
            with pytest.raises(UnauthenticatedError):
                await login(accounts, name, "wrong")
        known, unknown = (stored.split("$") for stored in checked)
        assert known[1:4] == unknown[1:4]
        assert [len(part) for part in known] == [len(part) for part in unknown]

    @pytest.mark.parametrize("value", HOSTILE_TEXTS)
    async def test_hostile_credentials_are_refused_in_words(self, accounts: Accounts, user: Principal, value: Any) -> None:
        for name, password in ((value, PASSWORD), ("user", value)):
            with pytest.raises((InvalidRequestError, UnauthenticatedError)) as caught:
                await login(accounts, name, password)
            assert len(caught.value.message) < 1000

    async def test_guessing_is_stopped_even_with_the_right_password_and_only_there(self, accounts: Accounts, user: Principal) -> None:
        for _ in range(GUESSES_FROM_ONE_PLACE):
            with pytest.raises(UnauthenticatedError):
                await login(accounts, "user", "wrong")
        with pytest.raises(LimitExceededError) as caught:
            await login(accounts, "user")
        assert caught.value.retry_after is not None
        assert 0 < caught.value.retry_after <= 300
        with pytest.raises(LimitExceededError):
            await login(accounts, "USER")
        assert (await login(accounts, "user", address="198.51.100.1")).user.username == "user"

    async def test_a_thousand_guesses_at_once_are_no_way_around(self, accounts: Accounts, user: Principal) -> None:
        results = await asyncio.gather(*(login(accounts, "user", f"guess{n}") for n in range(1000)), return_exceptions=True)
        assert sum(isinstance(result, UnauthenticatedError) for result in results) == GUESSES_FROM_ONE_PLACE
        assert sum(isinstance(result, LimitExceededError) for result in results) == 1000 - GUESSES_FROM_ONE_PLACE

    async def test_signing_in_rightly_is_never_limited(self, accounts: Accounts, user: Principal) -> None:
        for _ in range(2 * GUESSES_FROM_ONE_PLACE):
            await login(accounts)

    async def test_a_deactivated_account_is_told_only_to_who_knows_its_password(
        self, accounts: Accounts, user: Principal, database: Database
    ) -> None:
        await Users(database).update(user.user_id, {"is_active": False})
        with pytest.raises(UnauthenticatedError):
            await login(accounts, "user", "wrong")
        with pytest.raises(ForbiddenError, match="deactivated"):
            await login(accounts)


class TestRefreshing:
    async def test_it_gives_new_tokens_and_counts_once(self, accounts: Accounts, user: Principal) -> None:
        first = await login(accounts)
        second = await accounts.refresh(first.refresh_token)
        assert second.refresh_token != first.refresh_token
        assert (await accounts.authenticate(second.token)).user_id == user.user_id

    async def test_a_second_use_ends_the_whole_sign_in_and_no_other(self, accounts: Accounts, user: Principal) -> None:
        stolen, other = await login(accounts), await login(accounts)
        renewed = await accounts.refresh(stolen.refresh_token)
        with pytest.raises(UnauthenticatedError, match="used before"):
            await accounts.refresh(stolen.refresh_token)
        with pytest.raises(UnauthenticatedError):
            await accounts.refresh(renewed.refresh_token)
        for token in (stolen.token, renewed.token):
            with pytest.raises(UnauthenticatedError):
                await accounts.authenticate(token)
        assert (await accounts.refresh(other.refresh_token)).user.username == "user"

    async def test_of_many_at_once_one_counts_and_then_none(self, accounts: Accounts, user: Principal) -> None:
        token = (await login(accounts)).refresh_token
        results = await asyncio.gather(*(accounts.refresh(token) for _ in range(20)), return_exceptions=True)
        winners = [result for result in results if isinstance(result, SignedIn)]
        assert len(winners) <= 1
        assert all(isinstance(result, (SignedIn, UnauthenticatedError)) for result in results)
        for winner in winners:
            with pytest.raises(UnauthenticatedError):
                await accounts.refresh(winner.refresh_token)

    @pytest.mark.parametrize("token", ["rk-unknown", "x" * 10_000, "a\x00", "\ud800", "", None, {}, "' OR 1=1 --"])
    async def test_what_is_no_refresh_token_is_refused(self, accounts: Accounts, token: Any) -> None:
        with pytest.raises((UnauthenticatedError, InvalidRequestError)):
            await accounts.refresh(token)

    async def test_an_access_token_renews_nothing_and_a_refresh_token_opens_nothing(self, accounts: Accounts, user: Principal) -> None:
        signed_in = await login(accounts)
        with pytest.raises((UnauthenticatedError, InvalidRequestError)):
            await accounts.refresh(signed_in.token)
        with pytest.raises(UnauthenticatedError):
            await accounts.authenticate(signed_in.refresh_token)


class TestEnding:
    async def test_signing_out_ends_both_tokens_of_this_sign_in_alone(self, accounts: Accounts, user: Principal) -> None:
        here, there = await login(accounts), await login(accounts)
        await accounts.logout(await accounts.authenticate(here.token))
        with pytest.raises(UnauthenticatedError):
            await accounts.authenticate(here.token)
        with pytest.raises(UnauthenticatedError):
            await accounts.refresh(here.refresh_token)
        assert (await accounts.authenticate(there.token)).user_id == user.user_id

    async def test_nobody_signs_another_user_out(self, accounts: Accounts, admin: Principal, user: Principal) -> None:
        users = await login(accounts)
        await accounts.logout(admin, users.refresh_token)
        assert (await accounts.refresh(users.refresh_token)).user.username == "user"

    async def test_another_process_knows_within_seconds(self, make_accounts: MakeAccounts, monkeypatch: pytest.MonkeyPatch) -> None:
        here, there = await make_accounts(), await make_accounts()
        await sign_up(here, "user")
        signed_in = await login(here)
        await there.authenticate(signed_in.token)
        await here.logout(await here.authenticate(signed_in.token))
        advance(there, FRESH_SECONDS)
        with pytest.raises(UnauthenticatedError):
            await there.authenticate(signed_in.token)

    async def test_another_password_ends_every_sign_in_but_the_new_one(self, accounts: Accounts, user: Principal) -> None:
        here, there = await login(accounts), await login(accounts)
        principal = await accounts.authenticate(here.token)
        since = now_ms()
        await asyncio.sleep(0.002)
        new = await accounts.change_password(principal, old=PASSWORD, new="another good password")
        for old in (here, there):
            with pytest.raises(UnauthenticatedError):
                await accounts.authenticate(old.token)
            with pytest.raises(UnauthenticatedError):
                await accounts.refresh(old.refresh_token)
        assert (await accounts.authenticate(new.token)).user_id == user.user_id
        assert (await accounts.refresh(new.refresh_token)).user.username == "user"
        with pytest.raises(UnauthenticatedError):
            await accounts.authentication.confirm(principal, since_ms=since)
        with pytest.raises(UnauthenticatedError):
            await login(accounts)
        await login(accounts, password="another good password")

    async def test_the_old_password_must_be_right_and_may_not_be_guessed(self, accounts: Accounts, user: Principal) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            await accounts.change_password(user, old="wrong", new="another good password")
        assert paths(caught.value) == ["currentPassword"]
        with pytest.raises(InvalidRequestError) as caught:
            await accounts.change_password(user, old=PASSWORD, new="short")
        assert paths(caught.value) == ["newPassword"]

    @pytest.mark.parametrize("change", [{"is_active": False}, {"role": "user"}])
    async def test_deactivation_and_demotion_end_what_was_granted_within_seconds(
        self, accounts: Accounts, admin: Principal, database: Database, change: dict[str, Any]
    ) -> None:
        signed_in = await login(accounts, "admin")
        await Users(database).update(admin.user_id, change)
        advance(accounts, FRESH_SECONDS)
        with pytest.raises(UnauthenticatedError):
            await accounts.authentication.confirm(admin, since_ms=now_ms())
        if "role" in change:
            assert (await accounts.authenticate(signed_in.token)).role == "user"
        else:
            with pytest.raises(UnauthenticatedError):
                await accounts.authenticate(signed_in.token)


class TestProfile:
    async def test_it_holds_what_the_page_shows_and_no_hash(self, accounts: Accounts, user: Principal) -> None:
        profile = await accounts.profile(user)
        assert (profile.id, profile.username, profile.email, profile.role) == (user.user_id, "user", "user@example.org", "user")
        assert profile.created_at.endswith("Z")
        assert "argon2" not in repr(profile)

    async def test_preferences_merge_and_null_takes_one_back(self, accounts: Accounts, user: Principal) -> None:
        await accounts.update_preferences(user, PreferenceChanges(default_provider="acme", default_temperature=0))
        profile = await accounts.update_preferences(user, PreferenceChanges(default_provider=None, system_prompt="Be brief."))
        preferences = profile.preferences
        assert (preferences.default_provider, preferences.default_temperature, preferences.system_prompt) == (None, 0, "Be brief.")

    async def test_changes_at_the_same_time_lose_nothing(self, accounts: Accounts, user: Principal) -> None:
        changes = [PreferenceChanges(default_model="m"), PreferenceChanges(default_provider="p"), PreferenceChanges(system_prompt="s")]
        await asyncio.gather(*(accounts.update_preferences(user, change) for change in changes))
        preferences = (await accounts.profile(user)).preferences
        assert (preferences.default_model, preferences.default_provider, preferences.system_prompt) == ("m", "p", "s")

    @pytest.mark.parametrize("temperature", [-0.1, 2.1, float("nan"), float("inf")])
    async def test_a_temperature_outside_its_range_is_refused(self, accounts: Accounts, user: Principal, temperature: float) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            await accounts.update_preferences(user, PreferenceChanges(default_temperature=temperature))
        assert paths(caught.value) == ["defaultTemperature"]

    async def test_text_that_no_database_holds_is_refused(self, accounts: Accounts, user: Principal) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            await accounts.update_preferences(user, PreferenceChanges(system_prompt="a\x00", default_model="\ud800"))
        assert set(paths(caught.value)) == {"systemPrompt", "defaultModel"}


async def test_no_password_token_or_code_is_logged(
    make_accounts: MakeAccounts, tmp_path: Path, caplog: pytest.LogCaptureFixture, database: Database
) -> None:
    caplog.set_level(logging.DEBUG, logger="parley")
    accounts = await make_accounts("open", directory=tmp_path)
    code = str(accounts.setup_link()).partition("#")[2]
    signed_in = await accounts.register("admin", "a@example.org", password="canary-password-1", setup_code=code, address=ADDRESS)
    renewed = await accounts.refresh(signed_in.refresh_token)
    for wrong in (accounts.refresh(signed_in.refresh_token), login(accounts, "admin", "canary-password-2")):
        with pytest.raises(UnauthenticatedError) as caught:
            await wrong
        assert "canary" not in str(caught.value)
    stored = (tmp_path / "parley.db").read_bytes() + (tmp_path / "parley.db-wal").read_bytes()
    for secret in ("canary-password", code, signed_in.token, renewed.token, signed_in.refresh_token, renewed.refresh_token):
        assert secret not in caplog.text
        assert secret not in repr(signed_in) + repr(accounts)
        assert secret.encode() not in stored


def advance(accounts: Accounts, seconds: float) -> None:
    """Let what is remembered grow old."""
    authentication: Any = accounts.authentication
    for remembered in (authentication._users, authentication._keys):
        for entry in remembered._entries.values():
            entry.asked_at -= seconds
    authentication._revoked_read_at -= seconds


async def test_replicas_know_each_others_set_up_code(make_accounts: MakeAccounts, tmp_path: Path) -> None:
    here, there = [await make_accounts("closed", directory=tmp_path / name, common_secret="s" * 32) for name in ("here", "there")]
    link = here.setup_link()
    assert link == there.setup_link()
    assert not (tmp_path / "here").exists()
    await sign_up(there, "admin", setup_code=str(link).partition("#")[2])
    with pytest.raises(ForbiddenError):
        await sign_up(here, "second", setup_code=str(link).partition("#")[2])
