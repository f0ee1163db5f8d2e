from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from parley.contract.errors import QueueFullError
from parley.services.passwords import MAX_WAITING, Passwords, password_problem


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    passwords = Passwords(threads=1)
    yield passwords
    passwords.close()


async def test_a_hash_is_argon2id_and_fits_its_password_alone(passwords: Passwords) -> None:
    stored = await passwords.hash("correct horse")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify(stored, "correct horse")
    assert not await passwords.verify(stored, "Correct horse")
    assert not passwords.needs_rehash(stored)


async def test_keyboards_that_compose_letters_otherwise_type_the_same_password(passwords: Passwords) -> None:
    assert await passwords.verify(await passwords.hash("caf\u00e9 horse"), "cafe\u0301 horse")


@pytest.mark.parametrize("stored", [None, "", "plain", "!", "$argon2id$broken", "$2b$12$abcdefghijklmnopqrstuu"])
async def test_what_is_no_hash_fits_nothing(passwords: Passwords, stored: str | None) -> None:
    assert not await passwords.verify(stored, "correct horse")
    assert not await passwords.verify(stored, stored or "")


def test_older_costs_are_renewed(passwords: Passwords) -> None:
    assert passwords.needs_rehash("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA")


async def test_who_comes_when_too_many_wait_is_told_to_come_back(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr(Passwords, "_hash", lambda _self, _password: str(gate.wait(10)))
    waiting = [asyncio.ensure_future(passwords.hash("x")) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(QueueFullError) as caught:
        await passwords.hash("x")
    assert caught.value.retry_after is not None
    gate.set()
    assert await asyncio.gather(*waiting) == ["True"] * MAX_WAITING


@pytest.mark.parametrize("password", [None, 12345678, ["a"] * 8, "short", "x" * 1025, "nul\x00nul-nul", "half \ud83d of a pair"])
def test_what_cannot_be_a_password_is_told_without_being_repeated(password: object) -> None:
    problem = password_problem(password)
    assert problem is not None
    assert str(password) not in problem


def test_any_word_of_eight_characters_can_be() -> None:
    assert password_problem("пароль 🔑") is None
