"""Passwords as Argon2id hashes, made in threads of their own and a few at a time. Knows no accounts."""

from __future__ import annotations

import asyncio
import base64
import os
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from parley.contract.errors import QueueFullError

MIN_CHARACTERS = 8
MAX_CHARACTERS = 1024
# OWASP's first choice for Argon2id: 19 MiB, two passes, one lane. Four at once take 76 MiB for some tens of milliseconds.
_MEMORY_KIBIBYTES = 19 * 1024
_PASSES = 2
_LANES = 1
_SCHEME = "$argon2id$"
_MAX_THREADS = 4
MAX_WAITING = 256

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")


def password_problem(password: object) -> str | None:
    """Why this cannot be a new password, without repeating it."""
    if not isinstance(password, str):
        return "must be text"
    if len(password) < MIN_CHARACTERS:
        return f"must have at least {MIN_CHARACTERS} characters"
    if len(password) > MAX_CHARACTERS:
        return f"must have at most {MAX_CHARACTERS} characters"
    if "\x00" in password or any("\ud800" <= character <= "\udfff" for character in password):
        return "holds a character that cannot be stored"
    return None


class Passwords:
    """Makes and checks hashes. A check takes equally long whether or not there is a hash to check against."""

    def __init__(self, *, threads: int | None = None) -> None:
        self._hasher = PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIBIBYTES, parallelism=_LANES)
        self._threads = ThreadPoolExecutor(threads or min(_MAX_THREADS, os.cpu_count() or 1), thread_name_prefix="parley-passwords")
        self._waiting = 0
        self._nobodys = _nobodys_hash()

    async def hash(self, password: str) -> str:
        """The hash to store. Raises QueueFullError where too many wait already."""
        return await self._in_thread(self._hash, password)

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether this is the password. Without a stored hash, or one of ours, it never is. Raises QueueFullError."""
        if stored is None or not stored.startswith(_SCHEME):
            stored = self._nobodys
        return await self._in_thread(self._verify, password, stored)

    def needs_rehash(self, stored: str) -> bool:
        """Whether the hash was made with other costs than today's."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, work: Callable[_Given, _Result], *given: _Given.args, **named: _Given.kwargs) -> _Result:
        if self._waiting >= MAX_WAITING:
            raise QueueFullError("too many people sign in at this moment; try again in a few seconds", retry_after=5.0)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *given, **named))
        finally:
            self._waiting -= 1

    def _hash(self, password: str) -> str:
        return self._hasher.hash(_normal(password))

    def _verify(self, password: str, stored: str) -> bool:
        try:
            return self._hasher.verify(stored, _normal(password))
        except (VerificationError, InvalidHashError):
            return False


def _normal(password: str) -> bytes:
    """One form for what different keyboards type for the same word."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def _nobodys_hash() -> str:
    """A well-formed hash that no password has: its digest is random."""
    salt, digest = (base64.b64encode(os.urandom(size)).decode("ascii").rstrip("=") for size in (16, 32))
    return f"{_SCHEME}v=19$m={_MEMORY_KIBIBYTES},t={_PASSES},p={_LANES}${salt}${digest}"
