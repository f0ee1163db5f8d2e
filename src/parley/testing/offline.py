"""Keeps the kit offline: connections that leave this machine are refused and remembered. Also sees a codec doing I/O. Knows no provider.

Built on Python's audit events: they are raised by the socket module itself, whichever library calls it.
"""

from __future__ import annotations

import ipaddress
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

_IO_EVENTS = frozenset({"open", "os.system", "subprocess.Popen", "time.sleep", "urllib.Request"})


class OfflineError(ConnectionError):
    """The kit does not let a connection leave this machine."""


class _Watch:
    """What is being watched. A hook can never be removed, so there is one, and it does nothing while nobody watches."""

    def __init__(self) -> None:
        self.installed = False
        self.outside: list[list[str]] = []
        self.thread = threading.local()

    def install(self) -> None:
        if not self.installed:
            self.installed = True
            sys.addaudithook(self.hear)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.outside and not getattr(self.thread, "seen", None):
            return
        self._hear_io(event, arguments)
        if self.outside and event in {"socket.connect", "socket.getaddrinfo", "socket.sendto"}:
            place = _place(event, arguments)
            if place is not None:
                for remembered in self.outside:
                    remembered.append(place)
                raise OfflineError(f"the kit is offline: a connection to {place} was refused")

    def _hear_io(self, event: str, arguments: tuple[Any, ...]) -> None:
        seen: list[list[str]] = getattr(self.thread, "seen", [])
        if seen and (event in _IO_EVENTS or event.startswith("socket.")):
            what = f"{event} {arguments[0]!r}" if event in _IO_EVENTS and arguments else event
            for remembered in seen:
                remembered.append(what)


_watch = _Watch()


@contextmanager
def kept_offline() -> Generator[list[str]]:
    """Until it is left, in every thread: connections to anything but this machine raise OfflineError. Gives where they were to go."""
    _watch.install()
    places: list[str] = []
    _watch.outside.append(places)
    try:
        yield places
    finally:
        # By identity: two lists that remembered the same are equal.
        _watch.outside[:] = [each for each in _watch.outside if each is not places]


@contextmanager
def input_and_output() -> Generator[list[str]]:
    """Gives every file, socket, process and sleep that this thread uses until it is left. Forbids none of them."""
    _watch.install()
    seen: list[str] = []
    watched: list[list[str]] = getattr(_watch.thread, "seen", [])
    _watch.thread.seen = [*watched, seen]
    try:
        yield seen
    finally:
        _watch.thread.seen = watched


def _place(event: str, arguments: tuple[Any, ...]) -> str | None:
    """Where it goes, if that is not this machine."""
    if event == "socket.getaddrinfo":
        host, port = arguments[0], arguments[1]
    else:
        address = arguments[1]
        if not isinstance(address, tuple):
            return None  # a Unix socket
        host, port = address[0], address[1]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    return None if _is_here(host) else f"{host}:{port}"


def _is_here(host: Any) -> bool:
    if not host or str(host).lower().rstrip(".") in {"localhost", "localhost.localdomain"}:
        return True
    try:
        address = ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
