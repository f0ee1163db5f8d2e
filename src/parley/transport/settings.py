"""What is known of a connection before it is made, and whether it can work: proxy, authorities, headers. Opens no socket."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from parley.contract.errors import ConfigurationError, FieldProblem, InvalidRequestError

MAX_ERROR_BODY_BYTES = 1024 * 1024
MAX_COMPLETE_BODY_BYTES = 64 * 1024 * 1024

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_HEADER_LINES = re.compile(
    r"(?:(?!(?i:host|content-length|transfer-encoding|connection|upgrade|te|trailer|expect):)"
    r"[!#$%&'*+.^_`|~0-9A-Za-z-]++: [\t\x20-\x7e\x80-\xff]*+\r\n)*+"
)
_HOST_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_NOT_IN_URL = re.compile(r"[\x00-\x20\x7f]")
_SET_BY_TRANSPORT = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect"})


Permits: TypeAlias = Callable[[str, int], bool]


class ConnectionSettings(Struct, frozen=True, kw_only=True):
    """How to reach one provider. `proxy` is a URL, with user and password where it wants them; `ca_file` names a PEM file.

    `permits` says of an address and port whether requests may go there, None that they may go anywhere. It is asked about the
    address that a connection has, whatever its name meant a moment before; not where a proxy chooses the address.
    """

    proxy: str = ""
    ca_file: str = ""
    permits: Permits | None = None


def header_problem(name: str, value: str) -> str | None:
    """What is wrong with a header, in words without its value; None if nothing is.

    A line break would let whoever wrote the value add headers, or a whole request, of their own.
    """
    if not _TOKEN.fullmatch(name):
        return "is no valid header name"
    if name.lower() in _SET_BY_TRANSPORT:
        return "is set by the connection itself; remove it"
    if "\r" in value or "\n" in value:
        return "contains a line break; remove it (a key read from a file often ends in one)"
    if not _HEADER_VALUE.fullmatch(value):
        return "contains a character that a header cannot carry; is it the right value?"
    return None


def header_lines(headers: Mapping[str, str]) -> str:
    """The headers as they are sent. Raises InvalidRequestError, which names the first that cannot be."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    # One look at all of them; a value that holds whole lines of its own makes more lines than there are headers.
    if not _HEADER_LINES.fullmatch(lines) or lines.count("\n") != len(headers):
        name, problem = next((name, problem) for name, value in headers.items() if (problem := header_problem(name, value)))
        raise InvalidRequestError(f"the header {name!r} {problem}", fields=[FieldProblem(path=f"headers.{name!r}", message=problem)])
    return lines


def url_problem(url: str) -> str | None:
    """What is wrong with a base URL, in words without its password; None if nothing is."""
    if _NOT_IN_URL.search(url):
        return "contains a space or control character"
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises where the port is no number
    except ValueError:
        return "is no valid URL"
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return f"must begin with http:// or https:// and name a host{_guess(url, parts)}"
    return None


def _guess(url: str, parts: SplitResult) -> str:
    return f", such as http://{url}" if parts.scheme not in {"http", "https"} and "@" not in url and "//" not in url else ""


@lru_cache(maxsize=64)
def tls_context(ca_file: str) -> ssl.SSLContext:
    """The system's authorities and those of `ca_file`. Raises OSError (ssl.SSLError among them) when the file cannot be used."""
    context = ssl.create_default_context()
    context.load_verify_locations(ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


def setting_problems(settings: ConnectionSettings, headers: Mapping[str, str]) -> Iterator[FieldProblem]:
    """Everything that is wrong with a provider's connection settings and configured headers; paths are field names."""
    for name, value in headers.items():
        if problem := header_problem(name, value):
            yield FieldProblem(path=f"headers.{name!r}" if not _TOKEN.fullmatch(name) else f"headers.{name}", message=problem)
    if settings.proxy and (problem := url_problem(settings.proxy)):
        yield FieldProblem(path="proxy", message=problem)
    if settings.ca_file:
        try:
            tls_context(settings.ca_file)
        except ssl.SSLError:
            yield FieldProblem(path="ca_file", message=f"{settings.ca_file} holds no certificate in PEM form")
        except OSError as unreadable:
            yield FieldProblem(path="ca_file", message=f"{settings.ca_file} cannot be read ({unreadable.strerror})")


def host_label(value: str, *, field: str) -> str:
    """A value that becomes part of a host's name, where it can be one: else a key would go to whomever it names.

    Raises ConfigurationError that names the field.
    """
    if not _HOST_LABEL.fullmatch(value):
        problem = f"{value[:80]!r} cannot stand in the name of a host: letters, digits and hyphens alone"
        raise ConfigurationError(f"{field}: {problem}", fields=[FieldProblem(path=field, message=problem)])
    return value
