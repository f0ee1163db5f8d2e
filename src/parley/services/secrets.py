"""Secrets at rest: sealed for the database, or alone in a file that only its owner reads. Knows neither accounts nor providers."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from parley.contract.errors import ConfigurationError, FieldProblem

MIN_SECRET_CHARACTERS = 32
_MIN_DIFFERENT_CHARACTERS = 10
_NONCE_BYTES = 12
_VERSION = "s1."


class SealedError(Exception):
    """What was sealed cannot be opened: by another key, for another place, or changed since."""


class SecretBox:
    """Seals text with the first key and opens what any of them has sealed, so that keys can be rotated.

    `context` says what the text belongs to; it is sealed in: a sealed key copied into another row does not open there.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("a box needs a key")
        self._ciphers = [AESGCM(_derived(key)) for key in keys]

    def __repr__(self) -> str:
        return f"SecretBox({len(self._ciphers)} keys)"

    def seal(self, text: str, *, context: str) -> str:
        """The text as printable ciphertext, different each time."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._ciphers[0].encrypt(nonce, text.encode(), context.encode())
        return _VERSION + base64.urlsafe_b64encode(sealed).decode("ascii")

    def open(self, sealed: str, *, context: str) -> str:
        """The text again. Raises SealedError, which repeats nothing of it."""
        return self._opened(sealed, context)[1]

    def resealed(self, sealed: str, *, context: str) -> str | None:
        """The same text sealed with the first key; None where it is so already. Raises SealedError."""
        position, text = self._opened(sealed, context)
        return self.seal(text, context=context) if position else None

    def _opened(self, sealed: str, context: str) -> tuple[int, str]:
        """Which key it was sealed with, and the text."""
        try:
            data = base64.b64decode(sealed.removeprefix(_VERSION), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise SealedError("this is no sealed secret") from error
        for position, cipher in enumerate(self._ciphers):
            with contextlib.suppress(InvalidTag, ValueError):
                return position, cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], context.encode()).decode()
        raise SealedError("it was sealed with another PARLEY_SECRET_KEY")


def _derived(key: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"parley sealed secrets").derive(key.encode())


def weakness(secret: str) -> str | None:
    """Why nobody should sign or seal with this, or None."""
    if len(secret) < MIN_SECRET_CHARACTERS:
        return f"is shorter than {MIN_SECRET_CHARACTERS} characters"
    if len(set(secret)) < _MIN_DIFFERENT_CHARACTERS:
        return "repeats too few characters"
    return None


def stored_secret(path: Path) -> str:
    """The secret of this file, which is made (0600) where there is none. Two processes that start at once agree on one.

    Raises ConfigurationError where the file can be neither read nor made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            _write_new(path, secrets.token_urlsafe(32))
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, f"cannot be used ({type(error).__name__}); check its permissions") from error
    if problem := weakness(secret):
        raise _unusable(path, f"{problem}; delete the file, and a new one is made")
    return secret


def _write_new(path: Path, text: str) -> None:
    """Linked into place when it is whole: nobody ever reads half a secret."""
    if path.exists():
        return
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text + "\n")
        os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _unusable(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(f"{path} {reason}", fields=[FieldProblem(path=str(path), message=reason)])
