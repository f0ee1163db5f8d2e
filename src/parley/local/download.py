"""Fetches a model file from a web address, so that what was interrupted goes on later, and what arrives is what was meant. By the standard
library: it is one request of hours, in a command, by nobody's event loop. Knows no registry of models and shows nothing.
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from parley.contract.errors import ConfigurationError, ConnectError, ConnectionLostError, InvalidRequestError, ProtocolError
from parley.local.gguf import MAGIC, ModelFile, read_beginning
from parley.telemetry import scrub

MAX_BYTES = 1_000_000_000_000
CHUNK_BYTES = 1024 * 1024
BEGINNING_BYTES = 64 * 1024
QUIET_SECONDS = 60.0

Progress: TypeAlias = Callable[[int, int], None]


class Offer(Struct, frozen=True, kw_only=True):
    """What an address offers: from which host in the end, how much (0 = it does not say), and what the first bytes tell."""

    url: str
    host: str
    size_bytes: int
    file: ModelFile


def is_url(source: str) -> bool:
    """Whether this is a web address, and not a path."""
    return source.startswith(("http://", "https://"))


def file_name_of(url: str) -> str:
    """The last part of an address's path."""
    return unquote(urlsplit(url).path.rpartition("/")[2])


def look_at(url: str) -> Offer:
    """Ask for the first bytes only. Raises InvalidRequestError, ConnectError, or ProtocolError for what is no model file."""
    with _answer(url, {"Range": f"bytes=0-{BEGINNING_BYTES - 1}"}) as answer:
        beginning = _whole(answer, BEGINNING_BYTES)
        host = urlsplit(str(answer.url)).netloc.rpartition("@")[2]
        size_bytes = _total(answer)
    _check_beginning(beginning, host)
    if size_bytes > MAX_BYTES:
        raise InvalidRequestError(f"{host} offers {size_bytes:,} bytes; that is more than any model has")
    return Offer(url=url, host=host, size_bytes=size_bytes, file=read_beginning(beginning, file_name_of(url) or host))


def fetch(offer: Offer, target: Path, *, sha256: str, progress: Progress) -> None:
    """Fetch the file to `target`, by way of `target`.part, which a later call goes on with. `sha256` may be empty.

    Raises ConnectionLostError where it was interrupted, ConfigurationError where the hash is another; then nothing is left of it.
    """
    part, mark = target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.part.tag")
    have = part.stat().st_size if part.exists() and mark.exists() else 0
    headers = {"Range": f"bytes={have}-", "If-Range": mark.read_text()} if have else {}
    with _answer(offer.url, headers) as answer:
        if answer.status != http.client.PARTIAL_CONTENT:
            have = 0  # it begins anew: the file has changed, or the server knows no parts
        _remember(answer, mark)
        total = _total(answer) or offer.size_bytes
        with part.open("r+b" if have else "wb") as file:
            file.truncate(have)
            file.seek(have)
            _receive(answer, file, total=total, progress=progress)
    _verify(part, sha256, name=file_name_of(offer.url))
    part.replace(target)
    mark.unlink(missing_ok=True)


def hash_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verify(part: Path, sha256: str, *, name: str) -> None:
    if sha256 and (found := hash_of(part)) != sha256.lower():
        part.unlink()
        part.with_name(f"{part.name}.tag").unlink(missing_ok=True)
        raise ConfigurationError(f"{name} is another file than was meant: its SHA-256 is {found}, not {sha256.lower()}; it was deleted")


def _receive(answer: Any, file: Any, *, total: int, progress: Progress) -> None:
    host, bound = urlsplit(str(answer.url)).netloc, total or MAX_BYTES
    received: int = file.tell()
    try:
        while chunk := answer.read(min(CHUNK_BYTES, bound + 1 - received)):
            received += len(chunk)
            if received > bound:
                raise ProtocolError(f"{host} sends more than the {bound:,} bytes that it announced")
            file.write(chunk)
            progress(received, total)
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise _interrupted(host, received, total) from error
    except OSError as error:
        raise ConfigurationError(f"the file cannot be written: {error.strerror}") from error
    if total and received < total:
        raise _interrupted(host, received, total)


def _interrupted(host: str, received: int, total: int) -> ConnectionLostError:
    of = f" of {total:,}" if total else ""
    return ConnectionLostError(f"{host} ended the download after {received:,} bytes{of}; the same command goes on from there")


def _remember(answer: Any, mark: Path) -> None:
    """What names this version of the file, so that parts of two are never put together; without it a later call begins anew."""
    tag = answer.headers.get("ETag") or ""
    tag = "" if tag.startswith("W/") else tag
    tag = tag or answer.headers.get("Last-Modified") or ""
    if tag:
        mark.write_text(tag)
    else:
        mark.unlink(missing_ok=True)


@contextmanager
def _answer(url: str, headers: dict[str, str]) -> Generator[Any]:
    """The answer, if it is one. Raises InvalidRequestError for an address that is none or has nothing, ConnectError, ProtocolError."""
    shown = scrub(urlsplit(url)._replace(query="", fragment="").geturl())
    if not is_url(url) or not urlsplit(url).hostname:
        raise InvalidRequestError(f"{shown} is no web address")
    request = urllib.request.Request(url, headers={"User-Agent": "parley", "Accept-Encoding": "identity", **headers})  # noqa: S310 - checked above
    try:
        answer = urllib.request.urlopen(request, timeout=QUIET_SECONDS)  # noqa: S310
    except urllib.error.HTTPError as error:
        error.close()
        hint = "; it may want an account there: fetch it by other means and add the file" if error.code in {401, 403} else ""
        raise InvalidRequestError(f"{shown} answers with status {error.code}{hint}") from error
    except urllib.error.URLError as error:
        raise ConnectError(f"{shown} cannot be reached: {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ConnectError(f"{shown} cannot be reached: {error}") from error
    with answer:
        yield answer


def _whole(answer: Any, most: int) -> bytes:
    try:
        return answer.read(most)
    except (OSError, http.client.HTTPException) as error:
        raise ConnectionLostError(f"{urlsplit(str(answer.url)).netloc} ended its answer early") from error


def _check_beginning(beginning: bytes, host: str) -> None:
    if beginning[:4] == MAGIC:
        return
    what = "with a web page" if beginning.lstrip()[:1] == b"<" else "with nothing" if not beginning else "with something else"
    raise ProtocolError(f"{host} answers {what}, not with a GGUF file; give the address of the file itself")


def _total(answer: Any) -> int:
    """The length of the whole file; 0 where it is not said."""
    place = (answer.headers.get("Content-Range") or "").rpartition("/")[2]
    if answer.status == http.client.PARTIAL_CONTENT:
        return int(place) if place.isdigit() else 0
    length = answer.headers.get("Content-Length") or ""
    return int(length) if length.isdigit() else 0
