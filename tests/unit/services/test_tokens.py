from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from parley.services.errors import UnauthenticatedError
from parley.services.tokens import AUDIENCE, ISSUER, LEEWAY_SECONDS, LIFETIME_SECONDS, Tokens

SECRET = "a-secret-of-the-tests-0123456789-abcdef"
NOW = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def signed(header: dict[str, Any] | None = None, *, secret: str = SECRET, **changes: Any) -> str:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u", "sid": "f", "jti": "j", "iat": NOW, "exp": NOW + 60, **changes}
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(header or {"alg": "HS256"}, kept, OctKey.import_key(secret.encode()))


def unsigned(header: dict[str, Any], token: str) -> str:
    """The token with another header and no signature."""
    encoded = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    return f"{encoded}.{token.split('.')[1]}."


def test_a_token_says_whose_it_is_and_of_which_sign_in() -> None:
    tokens = Tokens(SECRET)
    claims = tokens.read(tokens.issue("user-1", family="sign-in-1"))
    assert (claims.user_id, claims.family) == ("user-1", "sign-in-1")


def test_two_tokens_of_one_moment_differ() -> None:
    tokens = Tokens(SECRET, now=Clock())
    assert tokens.issue("u", family="f") != tokens.issue("u", family="f")


def test_a_token_expires_after_its_lifetime_and_the_leeway() -> None:
    clock = Clock()
    tokens = Tokens(SECRET, now=clock)
    token = tokens.issue("u", family="f")
    clock.now = NOW + LIFETIME_SECONDS + LEEWAY_SECONDS - 1
    tokens.read(token)
    clock.now = NOW + LIFETIME_SECONDS + LEEWAY_SECONDS
    with pytest.raises(UnauthenticatedError, match="expired"):
        tokens.read(token)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "somebody"},
        {"iss": None},
        {"aud": "another-api"},
        {"aud": None},
        {"aud": [AUDIENCE, "another"]},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"iat": None},
        {"iat": NOW + LEEWAY_SECONDS + 1},
        {"jti": None},
        {"sub": None},
        {"sub": 7},
        {"sid": ["f"]},
    ],
)
def test_claims_that_are_missing_or_meant_for_others_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UnauthenticatedError):
        Tokens(SECRET, now=Clock()).read(signed(**changes))


def test_a_clock_that_is_a_little_ahead_is_forgiven() -> None:
    assert Tokens(SECRET, now=Clock()).read(signed(iat=NOW + LEEWAY_SECONDS - 1)).user_id == "u"


def test_another_secret_is_refused() -> None:
    with pytest.raises(UnauthenticatedError):
        Tokens(SECRET, now=Clock()).read(signed(secret="another-secret-0123456789-0123456789"))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", None, "HS384", "RS256", ["HS256"]])
def test_the_header_of_a_token_does_not_choose_how_it_is_checked(algorithm: Any) -> None:
    with pytest.raises(UnauthenticatedError):
        Tokens(SECRET, now=Clock()).read(unsigned({"alg": algorithm}, signed()))


def test_a_stronger_relative_of_the_algorithm_is_refused_too() -> None:
    key = OctKey.import_key((SECRET * 2).encode())
    token = jwt.encode({"alg": "HS512"}, {"sub": "u"}, key, algorithms=["HS512"])
    with pytest.raises(UnauthenticatedError):
        Tokens(SECRET * 2, now=Clock()).read(token)


def test_a_token_signed_with_a_private_key_is_refused() -> None:
    key = RSAKey.generate_key(2048)
    token = jwt.encode({"alg": "RS256"}, {"sub": "u"}, key, algorithms=["RS256"])
    with pytest.raises(UnauthenticatedError):
        Tokens(SECRET, now=Clock()).read(token)


HOSTILE: list[Callable[[str], str]] = [
    lambda _: "",
    lambda _: "..",
    lambda _: "a.b.c",
    lambda token: token + "x",
    lambda token: token[:-4],
    lambda token: token.replace(".", "\x00", 1),
    lambda token: token.split(".")[1],
    lambda token: f"{token}.{token}",
    lambda _: "\ud800.\ud800.\ud800",
    lambda _: "é.é.é",
    lambda _: "A" * 10_000_000,
    lambda _: "' OR 1=1 --",
    lambda _: unsigned({"alg": "HS256", "crit": ["b64"], "b64": False}, signed()),
    lambda _: base64.urlsafe_b64encode(b"[" * 1000).decode().rstrip("=") + ".e30.e30",
]


@pytest.mark.parametrize("spoil", HOSTILE)
def test_what_is_no_token_is_refused_alike(spoil: Callable[[str], str]) -> None:
    with pytest.raises(UnauthenticatedError, match=r"not valid here; sign in again, or make a key \(`parley key new"):
        Tokens(SECRET, now=Clock()).read(spoil(signed()))


def test_nothing_shows_the_secret() -> None:
    assert SECRET not in repr(Tokens(SECRET)) + str(vars(Tokens(SECRET))["_lifetime_seconds"])
