"""Real exchanges on disk, as values. Knows where they lie and how they are written, not what they should mean.

A file that is damaged is told in words: which one, which of its fields, and what to do.
"""

from __future__ import annotations

import base64
import binascii
import csv
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, NoReturn

import msgspec
from msgspec import Meta, Struct

from parley.contract.errors import FieldProblem, InvalidRequestError

DEFAULT_DIRECTORY = "../shared/recordings"
OWN_DIRECTORY = "recordings"
"""Where `parley provider record` saves in the working directory unless it is told otherwise."""
INDEX_NAME = "INDEX.csv"
MAX_RECORDING_BYTES = 64 * 1024 * 1024
MAX_INDEX_BYTES = 16 * 1024 * 1024

_REMEDY = "correct it, or record it again (`parley provider record`)"
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_AT = re.compile(r" - at `(?:key in )?\$\.?(?P<path>.*)`$")
_MISSING = re.compile(r"Object missing required field `(?P<name>\w+)`")
_KINDS = {"str": "text", "int": "a whole number", "bool": "true or false", "object": "an object", "array": "a list", "null": "null"}


class RecordedRequest(Struct, frozen=True, kw_only=True):
    """What was sent: path with query, headers in lower case, and the JSON body (None where it was not kept)."""

    method: str = "POST"
    host: str = ""
    path: str = ""
    headers: dict[str, str] = {}
    body: Any = None


class Recording(Struct, frozen=True, kw_only=True):
    """One exchange. `body` is the reply's bytes; `exact` whether they are the very bytes that the vendor sent."""

    file: str
    provider: str
    wire_family: str
    kind: str
    model: str
    streaming: bool
    status: int
    headers: dict[str, str]
    body: bytes
    exact: bool
    request: RecordedRequest | None
    notes: list[str] = []


class IndexRow(Struct, frozen=True, kw_only=True):
    """What the index says of one recording. `recorded`: it is a real exchange, not one written after a document; `body_exact` as above."""

    file: str
    provider: str
    wire_family: str
    kind: str
    status: int
    streaming: bool
    bytes: int
    recorded: bool
    body_exact: bool


class RecordedReply(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came back. The body stands in `body_text`, or in `body_base64` where it is not UTF-8.

    `body_exact` says that these are the very bytes that came (after decompression); `taken_out` names what was replaced by *** in it.
    """

    status: Annotated[int, Meta(ge=100, le=599)]
    headers: dict[str, str]
    body_exact: bool
    body_text: str | None = None
    body_base64: str | None = None
    taken_out: list[str] = []


class RecordingFile(Struct, frozen=True, kw_only=True):
    """A recording as it is written: one JSON object in `<folder>/<provider>/<kind>/<name>.json`. What a reader does not know, it ignores.

    `INDEX.csv` in the folder has a line for each file, with at least the columns of IndexRow; `file` is its path in the folder.

    `wire_family` names the wire (`openai-chat`); `kind` says what the exchange shows (`generate`, `stream`, `tools`,
    `tools-stream`, `vision`, `structured`, `reasoning`, `reasoning-stream`, `error`); `streaming` whether the reply is a stream,
    and `stream_format` in which form (`sse`, `ndjson`). `recorded` is false for what somebody made up.
    """

    provider: str
    wire_family: str
    kind: str
    model: str | None
    recorded: bool = True
    recorded_at: str | None = None
    streaming: bool
    stream_format: str | None = None
    notes: list[str] = []
    request: RecordedRequest | None = None
    response: RecordedReply


def recordings_directory() -> Path | None:
    """The folder that PARLEY_RECORDINGS names (default: beside the checkout), None where there is none."""
    directory = Path(os.environ.get("PARLEY_RECORDINGS") or DEFAULT_DIRECTORY)
    return directory if (directory / INDEX_NAME).is_file() else None


def recordings_of(provider: str, *, beside: Path | None = None) -> list[Path]:
    """The folder with this provider's own recordings, where nobody named one; nothing where there is none.

    It is looked for in the folder `beside` (of its file or its test) and the one around that, in the working directory, and where
    PARLEY_RECORDINGS says.
    """
    around = [beside, beside.parent] if beside is not None else []
    folders = [place / OWN_DIRECTORY for place in (*around, Path())]
    if named := os.environ.get("PARLEY_RECORDINGS"):
        folders.append(Path(named))
    return [folder / provider for folder in folders if (folder / provider).is_dir()][:1]


def load_recording(path: Path) -> Recording:
    """Read one file. Raises InvalidRequestError, which names file and field, where it is no recording or cannot be read."""
    return read_recording(_bytes_of(path, MAX_RECORDING_BYTES), path=path)


def read_recording(data: bytes, *, path: Path) -> Recording:
    """The recording in these bytes of the file at `path`. Raises as `load_recording`."""
    document = _document(data, path)
    reply = document.response
    _check_headers(reply.headers, "response.headers", path)
    if document.request is not None:
        _check_headers(document.request.headers, "request.headers", path)
    return Recording(
        file="/".join(path.parts[-3:]),
        provider=document.provider,
        wire_family=document.wire_family,
        kind=document.kind,
        model=document.model or "",
        streaming=document.streaming,
        status=reply.status,
        headers={name.lower(): value for name, value in reply.headers.items()},
        body=_body(reply, path),
        exact=reply.body_exact,
        request=document.request,
        notes=document.notes,
    )


def find_recordings(*providers: str) -> Iterator[Path]:
    """The files of these providers (all where none is named), in the index's order; nothing where the folder is absent.

    Raises InvalidRequestError where the index is damaged or names a file outside its folder.
    """
    directory = recordings_directory()
    if directory is None:
        return
    for row in read_index(directory):
        if not providers or row.provider in providers:
            yield directory / row.file


def read_index(directory: Path) -> Iterator[IndexRow]:
    """The rows of a folder's index. Raises InvalidRequestError, which names line and column, where one cannot be used."""
    path = directory / INDEX_NAME
    for line, row in _numbered_rows(path):
        try:
            yield msgspec.convert(row, IndexRow, strict=False)
        except msgspec.ValidationError as error:
            column, problem = _in_words(str(error))
            _unusable(path, f"line {line}, {column}", f"{problem}; correct it, or remove the line")


def index_rows(directory: Path) -> list[dict[str, str]]:
    """The rows of a folder's index as they are written, with every column. Raises as `read_index`."""
    return [row for _, row in _numbered_rows(directory / INDEX_NAME)]


def _numbered_rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Each row with the number of its last line; each names a file that lies below the index."""
    try:
        text = _bytes_of(path, MAX_INDEX_BYTES).decode("utf-8-sig")
        reader = csv.DictReader(text.splitlines(keepends=True), strict=True, restval="")
        if missing := {"file", "provider"} - set(reader.fieldnames or ()):
            _unusable(path, "line 1", f"has no column {' and none '.join(sorted(missing))}; its first line names the columns")
        rows: list[tuple[int, dict[str, str]]] = []
        for row in reader:
            row.pop(None, None)  # type: ignore[call-overload]  # where a line has more values than there are columns
            if not _stays_inside(row["file"]):
                _unusable(path, f"line {reader.line_num}, file", "must be the path of a file in the index's own folder; remove the line")
            rows.append((reader.line_num, row))
    except UnicodeDecodeError:
        _unusable(path, "", "is not UTF-8 text; save it as UTF-8")
    except csv.Error as error:
        _unusable(path, "", f"is not a list of comma-separated values ({error}); correct it")
    return rows


def _stays_inside(file: str) -> bool:
    """Whether a relative path means a file below where it starts, on any system."""
    if not file or "\0" in file:
        return False
    return all(not (path.is_absolute() or path.drive or ".." in path.parts) for path in (PurePosixPath(file), PureWindowsPath(file)))


def _bytes_of(path: Path, most: int) -> bytes:
    try:
        if path.exists() and not path.is_file():
            what = "is a folder; name one of the files in it" if path.is_dir() else "is no plain file; name a recording"
            _unusable(path, "", what)
        with path.open("rb") as file:
            data = file.read(most + 1)
    except (OSError, ValueError) as error:  # a ValueError where the path itself is none (a NUL in it)
        reason = getattr(error, "strerror", None) or "its name is no path"
        _unusable(path, "", f"cannot be read: {reason}; check the name and its permissions")
    if len(data) > most:
        _unusable(path, "", f"is larger than {most // 1024 // 1024} MiB, which nothing recorded is; name another file")
    return data


def _document(data: bytes, path: Path) -> RecordingFile:
    try:
        return msgspec.json.decode(data, type=RecordingFile)
    except msgspec.ValidationError as error:
        field, problem = _in_words(str(error))
        _damaged(path, field, f"{problem}; {_REMEDY}")
    except UnicodeDecodeError:
        _damaged(path, "", f"is not UTF-8 text; {_REMEDY}")
    except msgspec.DecodeError as error:
        _damaged(path, "", f"is not JSON ({error}); {_REMEDY}")
    except RecursionError:
        _damaged(path, "", f"is nested too deeply; {_REMEDY}")


def _in_words(message: str) -> tuple[str, str]:
    """A validation error as the field's path and what is wrong with it."""
    at = _AT.search(message)
    path = at["path"] if at else ""
    message = _AT.sub("", message)
    if missing := _MISSING.match(message):
        return f"{path}.{missing['name']}".lstrip("."), "is missing"
    if expected := re.match(r"Expected `(.+?)`, got `(.+?)`", message):
        wanted = " or ".join(_KINDS.get(kind, kind) for kind in expected[1].split(" | "))
        return path, f"must be {wanted}, not {_KINDS.get(expected[2], expected[2])}"
    return path, message.replace("`", "").replace("Expected int", "must be a number")


def _check_headers(headers: dict[str, str], field: str, path: Path) -> None:
    """What is replayed must be what it seems: a line break in a header would be another header."""
    for number, (name, value) in enumerate(headers.items(), start=1):
        if not _HEADER_NAME.fullmatch(name):
            _damaged(path, field, f"holds a name (number {number}) that no header can have; {_REMEDY}")
        if not _HEADER_VALUE.fullmatch(value):
            _damaged(path, f"{field}.{name}", f"contains a line break or another control character; {_REMEDY}")


def _body(reply: RecordedReply, path: Path) -> bytes:
    if (reply.body_text is None) == (reply.body_base64 is None):
        said = "no" if reply.body_text is None else "more than one"
        _damaged(path, "response", f"has {said} body: it stands in body_text or, where it is not UTF-8, in body_base64; {_REMEDY}")
    if reply.body_text is not None:
        return reply.body_text.encode()
    try:
        return base64.b64decode(reply.body_base64 or "", validate=True)
    except (binascii.Error, ValueError):
        _damaged(path, "response.body_base64", f"is not base64; {_REMEDY}")


def _damaged(path: Path, field: str, problem: str) -> NoReturn:
    raise InvalidRequestError(
        f"{path} is not a recording: {field or 'it'} {problem}", fields=[FieldProblem(path=field or str(path), message=problem)]
    )


def _unusable(path: Path, field: str, problem: str) -> NoReturn:
    where = f"{path}: {field} {problem}" if field else f"{path} {problem}"
    raise InvalidRequestError(where, fields=[FieldProblem(path=field or str(path), message=problem)])
