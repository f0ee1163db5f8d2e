"""Finds what must not stand in a recording: a known secret in any form, whatever has the shape of a key, a credential in its own place.

Changes nothing, and says where something stands, never what.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from parley.contract.errors import FieldProblem, InvalidRequestError
from parley.telemetry import Scrubber
from parley.testing.json_pieces import pieces_of, strings_in
from parley.testing.recordings import Recording

MAX_UNPACKED_BYTES = 4 * 1024 * 1024
"""So much of what is compressed is looked into: few bytes may stand for very many."""
MAX_WRAPPINGS = 3
"""So often something may be packed or encoded inside something packed or encoded."""

# Narrower than what the log takes out: there a wrongly hidden word costs nothing, here it would refuse a good recording.
_KEYS = re.compile(
    r"(?<![A-Za-z0-9])sk[-_](?P<short>(?=[A-Za-z0-9_-]*[0-9])[A-Za-z0-9_-]{12,}|[A-Za-z0-9]{20,})"
    r"|(?<![A-Za-z0-9])(?:pk|rk|gsk|csk|pplx|nvapi|tgp|fw|r8|hf|gh[opsu]|github_pat|glpat|xox[abeprs])[-_]"
    r"(?P<others>(?=[A-Za-z0-9_-]*[0-9])[A-Za-z0-9_-]{20,})"
    r"|(?<![A-Za-z0-9])x[a-z]{2}-(?P<plain>[A-Za-z0-9]{24,})"
    r"|(?<![A-Za-z0-9])AIza(?P<long>[A-Za-z0-9_-]{24,})"
    r"|(?<![A-Za-z0-9])(?:AKIA|ASIA)(?P<capitals>[0-9A-Z]{16})"
    r"|(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.(?P<token>[A-Za-z0-9_-]{8,})"
    r"|-----BEGIN (?:[A-Z]+ )*(?P<private>PRIVATE KEY)-----"
)
_FEWEST_DIFFERENT_CHARACTERS = 6
_PLACEHOLDER = re.compile(r"(?i)(?:(?:bearer|basic)\s+)?(?:\*+|x+|\.+|…|<[^>]*>|\[?redacted\]?|none|null|key|test|dummy|replayed)?")
_CREDENTIAL_HEADER = re.compile(
    r"(?i)(?:.*-)?(?:authorization|cookie2?|api-?key|secret|password)|(?:.*-)?(?:auth|access|session|security|csrf|id)-token"
)
_CREDENTIAL_FIELD = re.compile(
    r"(?i)(?:.*[._-])?(?:api[-_]?key|(?:access|refresh|auth)[-_]?token|client[-_]?secret|secret[-_]?key|password|authorization)"
)
_CREDENTIAL_QUERY = re.compile(
    r"(?i)[?&](?:api[-_]?key|key|(?:access[-_]?)?token|sig|signature|x-amz-(?:signature|security-token)|subscription-key)=(?P<value>[^&#]*)"
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{20,}={0,2}")


def secrets_in(recording: Recording, *, secrets: Iterable[str] = ()) -> list[str]:
    """The places of a recording that hold one of these secrets, a key's shape or a credential: `["response body, offset 12"]`.

    Empty means that it may be kept and shown. What is in the places is not told.
    """
    search = _Search(secrets)
    found: list[str] = []
    for name in ("provider", "wire_family", "kind", "model"):
        found += search.text(getattr(recording, name), name)
    for index, note in enumerate(recording.notes):
        found += search.text(note, f"notes[{index}]")
    if (request := recording.request) is not None:
        found += search.text(request.method, "request method")
        found += search.text(request.host, "request host")
        found += search.path(request.path)
        found += search.headers(request.headers, "request header")
        found += search.json(request.body, "request body")
    found += search.headers(recording.headers, "response header")
    found += search.data(recording.body, "response body")
    return list(dict.fromkeys(found))


def refuse_secrets(recording: Recording, *, secrets: Iterable[str] = ()) -> None:
    """Raise InvalidRequestError, which names every place, where the recording holds a secret."""
    if places := secrets_in(recording, secrets=secrets):
        fields = [FieldProblem(path=place, message="holds something like a key; replace it by ***") for place in places]
        raise InvalidRequestError(
            f"{recording.file} holds a secret, or something like one: {'; '.join(places)}. Replace it by ***, or record it again "
            "(`parley provider record`); if it is a real key, revoke it",
            fields=fields,
        )


class _Search:
    """Looks for these secrets, and for shapes."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._known = Scrubber(secrets)

    def headers(self, headers: dict[str, str], place: str) -> Iterator[str]:
        for name, value in headers.items():
            if _CREDENTIAL_HEADER.fullmatch(name) and not _PLACEHOLDER.fullmatch(value.strip()):
                yield f"{place} {name}"
            elif self._holds_one(value) or self._holds_one(name):
                yield f"{place} {name if not self._holds_one(name) else '(in its name)'}"

    def path(self, path: str) -> Iterator[str]:
        if self._holds_one(path) or any(not _PLACEHOLDER.fullmatch(unquote(match["value"])) for match in _CREDENTIAL_QUERY.finditer(path)):
            yield "request path"

    def text(self, text: str, place: str) -> Iterator[str]:
        if self._holds_one(text):
            yield place

    def json(self, value: object, place: str) -> Iterator[str]:
        """Every text and every name of a field in a JSON value."""
        for path, text in strings_in(value):
            where = f"{place}, {path}" if path else place
            if self._holds_one(path):
                yield f"{place} (in the name of a field)"
            elif self._is_credential(path, text) or self._holds_one(text) or any(self._wrapped(text.encode(), where, 0)):
                yield where

    def data(self, data: bytes, place: str, wrappings: int = 0) -> Iterator[str]:
        """A body as a whole, then what its JSON says, then what is packed or encoded in it; the first of these that finds any."""
        text = data.decode("utf-8", "surrogateescape")
        for looking in (self._plain(text, place), self._wide(data, place), self._said(text, place), self._wrapped(data, place, wrappings)):
            if found := list(looking):
                yield from found
                return

    def _plain(self, text: str, place: str) -> Iterator[str]:
        position = self._first(text)
        if position is not None:
            yield f"{place}, offset {len(text[:position].encode('utf-8', 'surrogateescape'))}"
        elif "%" in text and self._holds_one(unquote(text)):
            yield f"{place} (percent-encoded)"

    def _wide(self, data: bytes, place: str) -> Iterator[str]:
        """What is written with two bytes for each character, wherever it begins."""
        if b"\0" not in data:
            return
        readings = (data[skipped:].decode(encoding, "replace") for skipped in (0, 1) for encoding in ("utf-16-le", "utf-16-be"))
        if any(self._holds_one(text) for text in readings):
            yield f"{place} (in a wide encoding)"

    def _said(self, text: str, place: str) -> Iterator[str]:
        """What the JSON in the body says, in each of its texts, and in those of the same field one after the other.

        A stream may bring one half of a secret in one event and the other half in the next.
        """
        joined: dict[str, list[str]] = {}
        for piece in pieces_of(text):
            for path, said in strings_in(piece.value):
                if self._is_credential(path, said) or self._holds_one(said):
                    yield f"{place}, {path}" if path else place
                joined.setdefault(path, []).append(said)
        for path, parts in joined.items():
            if len(parts) > 1 and self._holds_one("".join(parts)):
                yield f"{place}, {path} (over several events)"

    def _wrapped(self, data: bytes, place: str, wrappings: int) -> Iterator[str]:
        """What is compressed, or stands there in base64."""
        if wrappings == MAX_WRAPPINGS:
            return
        if (unpacked := _unpacked(data)) is not None:
            yield from (f"{place} (compressed)" for _ in self.data(unpacked, place, wrappings + 1))
        for match in _BASE64.finditer(data):
            decoded = _decoded(match[0])
            if decoded is not None and any(self.data(decoded, place, wrappings + 1)):
                yield f"{place}, offset {match.start()} (in base64)"

    def _is_credential(self, path: str, text: str) -> bool:
        return _CREDENTIAL_FIELD.fullmatch(path) is not None and not _PLACEHOLDER.fullmatch(text.strip()) and " " not in text.strip()

    def _holds_one(self, text: str) -> bool:
        return self._first(text) is not None or ("%" in text and self._first(unquote(text)) is not None)

    def _first(self, text: str) -> int | None:
        positions = [self._known.find(text), *(match.start() for match in _KEYS.finditer(text) if _is_random(match))]
        return min((position for position in positions if position is not None), default=None)


def _is_random(match: re.Match[str]) -> bool:
    """Whether it may be a real key, and not xxxxx in the place of one."""
    made_up = next(group for group in match.groups() if group is not None)
    return len(set(made_up.lower())) >= _FEWEST_DIFFERENT_CHARACTERS


def _unpacked(data: bytes) -> bytes | None:
    """What is compressed with gzip or zlib, up to a bound; None where nothing is."""
    if not data.startswith((b"\x1f\x8b", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")):
        return None
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(data, MAX_UNPACKED_BYTES)
    except zlib.error:
        return None


def _decoded(run: bytes) -> bytes | None:
    """What stands there in base64; None where that is neither text nor compressed."""
    run = run.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
    run = run[: len(run) - (len(run) % 4 == 1)]
    try:
        decoded = base64.b64decode(run + b"=" * (-len(run) % 4))
    except binascii.Error:
        return None
    readable = sum(32 <= byte < 127 or byte in b"\t\r\n" for byte in decoded[:64]) >= 0.9 * min(len(decoded), 64)
    return decoded if readable or _unpacked(decoded) is not None else None
