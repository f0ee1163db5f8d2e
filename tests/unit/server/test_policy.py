from __future__ import annotations

from typing import Literal

import pytest

from parley.contract.errors import ParleyError
from parley.server.policy import EVERYONE, Policy, administrators, authorise, signed_in
from parley.services.principals import SCOPES, Principal


def principal(
    role: Literal["user", "admin"] = "user", *, kind: Literal["jwt", "key"] = "jwt", scopes: frozenset[str] = SCOPES
) -> Principal:
    return Principal(user_id="u", role=role, scopes=scopes, kind=kind, token_id="t")


def outcome(policy: Policy, who: Principal | None) -> str:
    try:
        authorise(policy, who)
    except ParleyError as error:
        return str(error.code)
    return "allowed"


CHAT = signed_in("chat", "send", "chat")
KEYS = signed_in("keys", "create")
ADMIN = administrators("providers", "configure")
OPEN = Policy(resource="providers", verb="list", principals=EVERYONE)


@pytest.mark.parametrize(
    ("policy", "who", "expected"),
    [
        (CHAT, None, "unauthenticated"),
        (CHAT, principal(), "allowed"),
        (CHAT, principal("admin"), "allowed"),
        (CHAT, principal(kind="key", scopes=frozenset({"chat"})), "allowed"),
        (CHAT, principal(kind="key", scopes=frozenset({"v1", "read"})), "forbidden"),
        (KEYS, principal(), "allowed"),
        (KEYS, principal("admin", kind="key"), "forbidden"),
        (ADMIN, None, "unauthenticated"),
        (ADMIN, principal(), "forbidden"),
        (ADMIN, principal("admin"), "allowed"),
        (ADMIN, principal("admin", kind="key", scopes=frozenset({"chat"})), "forbidden"),
        (ADMIN, principal("admin", kind="key", scopes=frozenset({"admin"})), "allowed"),
        (ADMIN, principal(kind="key", scopes=frozenset({"admin"})), "forbidden"),
        (OPEN, None, "allowed"),
        (OPEN, principal(kind="key", scopes=frozenset()), "allowed"),
        (Policy(resource="x", verb="y", principals=frozenset()), principal("admin"), "forbidden"),
    ],
)
def test_the_policy_decides(policy: Policy, who: Principal | None, expected: str) -> None:
    assert outcome(policy, who) == expected
