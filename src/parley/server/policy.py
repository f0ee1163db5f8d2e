"""Who may call what: the one table row that router, OpenAPI document and test matrix are made from. Knows no handler's business."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from litestar import Request, Response
from msgspec import Struct

from parley.contract.errors import ParleyError
from parley.services.errors import ForbiddenError, UnauthenticatedError
from parley.services.principals import Principal, Scope

Audience: TypeAlias = Literal["anonymous", "user", "admin", "operator"]
Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
ErrorRenderer: TypeAlias = Callable[[Request[Any, Any, Any], ParleyError], Response[bytes]]

KIBIBYTE: Final = 1024
MEBIBYTE: Final = 1024 * KIBIBYTE
EVERYONE: Final[frozenset[Audience]] = frozenset({"anonymous", "user", "admin"})
SIGNED_IN: Final[frozenset[Audience]] = frozenset({"user", "admin"})
ADMINISTRATORS: Final[frozenset[Audience]] = frozenset({"admin"})
OPERATORS: Final[frozenset[Audience]] = frozenset({"operator"})


class Policy(Struct, frozen=True, kw_only=True):
    """Which principals may do `verb` to `resource`; what is not listed is denied.

    An API key needs one of `scopes`; with none listed, only a signed-in person may. `identified=False` ignores credentials: a stale
    token must not keep anyone from signing in. An "operator" is the machine itself or the bearer of METRICS_TOKEN.
    """

    resource: str
    verb: str
    principals: frozenset[Audience]
    scopes: frozenset[str] = frozenset()
    identified: bool = True


def public(resource: str, verb: str) -> Policy:
    """For everybody, whoever they say they are."""
    return Policy(resource=resource, verb=verb, principals=EVERYONE, identified=False)


def signed_in(resource: str, verb: str, *scopes: Scope) -> Policy:
    """For every user; for a user's API keys where they carry one of the scopes."""
    return Policy(resource=resource, verb=verb, principals=SIGNED_IN, scopes=frozenset(scopes))


def administrators(resource: str, verb: str) -> Policy:
    """For administrators, and for their API keys of scope admin."""
    return Policy(resource=resource, verb=verb, principals=ADMINISTRATORS, scopes=frozenset({"admin"}))


class Route(Struct, frozen=True, kw_only=True):
    """One row: `{name}` in `path` is a parameter of the handler, which declares its `body`, `query` and reply by its annotations.

    `errors` are the statuses beyond those that follow from policy and body; `media_types` and `reply` (a type, or a
    union of types) describe what a handler sends in a Response of its own.
    """

    method: Method
    path: str
    handler: Callable[..., Awaitable[Any]]
    policy: Policy
    summary: str
    status: int = 200
    errors: Sequence[int] = ()
    max_body_bytes: int = MEBIBYTE
    body_media_type: str = "application/json"
    media_types: Sequence[str] = ("application/json",)
    reply: Any = None
    body_schema: Mapping[str, Any] = {}
    documented: bool = True
    head: bool = False
    render_error: ErrorRenderer | None = None


class SocketRoute(Struct, frozen=True, kw_only=True):
    """A WebSocket: who may send which frame. A frame without a policy is for everybody: to sign in, or to ask who is there."""

    path: str
    handler: Callable[[Any], Awaitable[None]]
    policies: Mapping[str, Policy | None]
    summary: str


def authorise(policy: Policy, principal: Principal | None) -> None:
    """Raise unless this principal may. Nobody at all is told to sign in; somebody who may not, that they may not."""
    if principal is None:
        if "anonymous" not in policy.principals:
            raise UnauthenticatedError("sign in: this needs a token in the header Authorization: Bearer …")
        return
    if "anonymous" in policy.principals:
        return
    if policy.principals.isdisjoint({"user"} if principal.role == "user" else {"user", "admin"}):
        raise ForbiddenError("only an administrator may do this")
    if principal.kind == "key":
        _authorise_key(policy, principal)


def _authorise_key(policy: Policy, principal: Principal) -> None:
    if not policy.scopes:
        raise ForbiddenError("an API key may not do this; sign in with a password")
    if policy.scopes.isdisjoint(principal.scopes):
        wanted = " or ".join(f'"{scope}"' for scope in sorted(policy.scopes))
        raise ForbiddenError(f"this API key does not carry the scope {wanted}; make a key that does")
