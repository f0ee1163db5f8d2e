"""Takes out of an exchange what is nobody else's business: keys, accounts, e-mail and network addresses. Keeps every other byte."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import Any, Literal, TypeAlias, cast

import msgspec

from parley.telemetry import REPLACEMENT, Scrubber
from parley.testing.json_pieces import Piece, pieces_of

Found: TypeAlias = Literal["key", "account", "e-mail address", "network address"]

# What a reader of the exchange needs: how the body is written, what the limits are, and the id to ask the vendor about.
_KEPT_HEADER = re.compile(
    r"accept|content-type|retry-after(?:-ms)?|(?:.*-)?ratelimit[a-z]*-(?!key).*"
    r"|(?:.*-)?(?:request|correlation|generation|trace)-?id|[a-z]+-version|[a-z]+-beta|x-should-retry|[a-z-]*processing-ms|.*-errortype"
)
_KEYS = re.compile(
    r"(?<![A-Za-z0-9])(?:sk|pk|rk|gsk|csk|nvapi|ghp|glpat)[-_](?=[A-Za-z0-9_*-]*[0-9*])[A-Za-z0-9_*-]{12,}"
    r"|(?<![A-Za-z0-9])AIza[A-Za-z0-9_*-]{24,}"
    r"|(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
)
_CREDENTIAL_QUERY = re.compile(
    r"(?i)(?P<before>[?&](?:[a-z_-]*key|[a-z_-]*token|sig|signature|x-amz-(?:signature|security-token|credential))=)[^&#]*"
)
_ID = r"(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,}|\d{9,}|[a-z]+[-_](?=[a-z0-9]*\d)[a-z0-9]{8,})"
_ACCOUNTS = re.compile(
    r"(?i)(?<![a-z0-9])(?P<before>(?:organi[sz]ation|org|account|project|tenant|workspace|subscription|customer)"
    rf"(?:[ _-]?(?:id|number))?[\"'`: =(]{{1,4}}){_ID}"
    r"|(?P<path>(?<![a-z0-9])(?:projects|accounts|organizations|tenants|subscriptions|workspaces)/)[\w.-]*\d[\w.-]*"
    r"|(?P<arn>arn:aws[\w-]*:[\w-]*:[\w-]*:)\d{12}"
    r"|(?<![a-z0-9])(?:org|proj|acct|wrkspc|user)[-_](?=[a-z0-9]*\d)[a-z0-9]{10,}"
)
_ACCOUNT_IN_PATH = re.compile(
    r"(?i)(?P<before>/(?:accounts|projects|organizations|orgs|tenants|subscriptions|workspaces|resourcegroups)/)[^/?#]+"
)
_ACCOUNT_FIELD = re.compile(r"(?:organi[sz]ation|org|account|project|tenant|workspace|subscription|customer|user)(?:id|number|uuid)|e?mail")
_EMAIL = re.compile(r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9-])")
_ADDRESS = re.compile(
    r"(?<![\w.:-])(?:(?:\d{1,3}\.){3}\d{1,3}(?![\w.])|(?=[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f]*:?)[0-9A-Fa-f:]{4,39}(?![\w:]))"
)


class Cleaner:
    """Cleans one exchange. `taken_out` says afterwards what kinds of things were found and replaced."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known = Scrubber(secrets)
        self.taken_out: set[Found] = set()

    def headers(self, headers: dict[str, str]) -> dict[str, str]:
        """Only the headers that matter to who reads the exchange."""
        return {name: self.text(value) for name, value in headers.items() if _KEPT_HEADER.fullmatch(name)}

    def path(self, path: str) -> str:
        """A path and query without credentials and accounts."""
        path = self._replace(_CREDENTIAL_QUERY, path, "key", _after("before"))
        return self.text(self._replace(_ACCOUNT_IN_PATH, path, "account", _after("before")))

    def body(self, body: bytes) -> bytes:
        """A body. Where its JSON holds something, that document is written anew; every other byte stays."""
        text = body.decode("utf-8", "surrogateescape")
        return "".join(self._piece(piece) for piece in pieces_of(text)).encode("utf-8", "surrogateescape")

    def json(self, value: Any) -> Any:
        """A JSON value, cleaned in every text and in the fields that are called after an account."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.json(item) for item in cast("list[Any]", value)]
        if isinstance(value, dict):
            return {self.text(name): self._field(name, inner) for name, inner in cast("dict[str, Any]", value).items()}
        return value

    def text(self, text: str) -> str:
        """A text with *** in the place of each of these things."""
        known = self._known.scrub_known(text)
        if known != text:
            self.taken_out.add("key")
        text = self._replace(_KEYS, known, "key", _all)
        text = self._replace(_ACCOUNTS, text, "account", _after("before", "path", "arn"))
        text = self._replace(_EMAIL, text, "e-mail address", _all)
        return self._replace(_ADDRESS, text, "network address", _unless_local)

    def _piece(self, piece: Piece) -> str:
        if not piece.is_json:
            return self.text(piece.text)
        cleaned = self.json(piece.value)
        if cleaned == piece.value:
            return piece.text
        return f"{piece.before}{msgspec.json.encode(cleaned).decode()}{piece.after}"

    def _field(self, name: str, value: Any) -> Any:
        if not _ACCOUNT_FIELD.fullmatch(name.lower().replace("_", "").replace("-", "")) or not value or isinstance(value, (dict, list)):
            return self.json(value)
        if value == REPLACEMENT:
            return value
        self.taken_out.add("account")
        return REPLACEMENT if isinstance(value, str) else 0

    def _replace(self, pattern: re.Pattern[str], text: str, what: Found, by: Callable[[re.Match[str]], str]) -> str:
        replaced = pattern.sub(by, text)
        if replaced != text:
            self.taken_out.add(what)
        return replaced


def _all(_: re.Match[str]) -> str:
    return REPLACEMENT


def _after(*groups: str) -> Callable[[re.Match[str]], str]:
    """Replaces what stands behind the group that matched, which says what it was."""
    return lambda match: next((match[group] for group in groups if match[group]), "") + REPLACEMENT


def _unless_local(match: re.Match[str]) -> str:
    """An address that is one; `127.0.0.1` is everybody's."""
    try:
        address = ip_address(match[0])
    except ValueError:
        return match[0]
    return match[0] if address.is_loopback or address.is_unspecified else REPLACEMENT
