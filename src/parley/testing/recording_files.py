"""Writes recordings, one file for each exchange, with the index beside them. Writes nothing that holds a secret, and over nothing."""

from __future__ import annotations

import base64
import csv
import io
import os
import re
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from parley.contract.errors import ConfigurationError, FieldProblem, InvalidRequestError
from parley.telemetry import Scrubber
from parley.testing.leaks import secrets_in
from parley.testing.recording_proxy import Passed
from parley.testing.recordings import INDEX_NAME, RecordedReply, RecordedRequest, RecordingFile, index_rows, read_recording
from parley.testing.scrubbing import Cleaner

COLUMNS = (
    *("file", "provider", "wire_family", "kind", "status", "streaming", "stream_format"),
    *("bytes", "model", "recorded", "body_exact", "notes"),
)
_STREAM_FORMATS = {
    "text/event-stream": "sse",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "application/stream+json": "ndjson",
    "application/vnd.amazon.eventstream": "eventstream",
}
_NOT_IN_NAMES = re.compile(r"[^a-z0-9.]+")
_MOST_SAME_NAMES = 1000


class Origin(Struct, frozen=True, kw_only=True):
    """Of whom the recordings are, and which host is named in them ("" for an endpoint of somebody's own)."""

    provider: str
    wire_family: str
    host: str
    secrets: frozenset[str]


def stream_format(passed: Passed) -> str | None:
    """In which form the reply is a stream; None where it is one document, or an error."""
    if passed.status >= 400:
        return None
    return _STREAM_FORMATS.get(passed.headers.get("content-type", "").partition(";")[0].strip().lower())


def document_of(passed: Passed, origin: Origin, *, kind: str, model: str, notes: Iterable[str] = ()) -> RecordingFile:
    """The exchange as it may be kept: only the headers that matter, and *** for whatever belongs to somebody."""
    cleaner = Cleaner(origin.secrets)
    received = passed.request
    request = RecordedRequest(
        method=received.method,
        host=origin.host,
        path=cleaner.path(received.path),
        headers=cleaner.headers(received.headers),
        body=cleaner.json(_json_of(received.body)),
    )
    headers = cleaner.headers(passed.headers)
    cleaner.taken_out.clear()  # of the reply's body it is told, since its bytes are the proof
    came = bytes(passed.reply)
    body = cleaner.body(came)
    text = _text_of(body)
    reply = RecordedReply(
        status=passed.status,
        headers=headers,
        body_exact=body == came,
        body_text=text,
        body_base64=base64.b64encode(body).decode() if text is None else None,
        taken_out=sorted(cleaner.taken_out),
    )
    form = stream_format(passed)
    return RecordingFile(
        provider=origin.provider,
        wire_family=origin.wire_family,
        kind=kind,
        model=model,
        streaming=form is not None,
        stream_format=form,
        recorded_at=datetime.now(UTC).date().isoformat(),
        notes=list(notes),
        request=request,
        response=reply,
    )


def save(document: RecordingFile, folder: Path, *, name: str, secrets: Iterable[str] = ()) -> Path:
    """Write `<folder>/<provider>/<kind>/<name>.json` and its line of the index; a name that is taken gets a number.

    Raises InvalidRequestError where a secret is in it (then nothing is written), ConfigurationError where the folder cannot be used.
    """
    secrets = list(secrets)
    data = msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
    place = folder / document.provider / document.kind
    wanted = place / f"{slug(name)}.json"
    _refuse_secrets(data, wanted, secrets)
    try:
        place.mkdir(parents=True, exist_ok=True)
        written = _write_new(wanted, data)
        _add_to_index(folder, written, document)
    except OSError as error:
        problem = f"cannot be written ({error.strerror}); name another folder with --to"
        raise ConfigurationError(f"{folder} {problem}", fields=[FieldProblem(path=str(folder), message=problem)]) from error
    return written


def check_folder(folder: Path) -> None:
    """Raise ConfigurationError or InvalidRequestError where nothing could be saved: better before anything is spent."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        problem = f"cannot be written to ({error.strerror}); name another folder with --to"
        raise ConfigurationError(f"{folder} {problem}", fields=[FieldProblem(path="--to", message=problem)]) from error
    if (folder / INDEX_NAME).exists():
        index_rows(folder)


def slug(name: str) -> str:
    """A name as a file may have it anywhere."""
    return _NOT_IN_NAMES.sub("-", name.lower()).strip("-.")[:80] or "recording"


def _refuse_secrets(data: bytes, path: Path, secrets: list[str]) -> None:
    places = secrets_in(read_recording(data, path=path), secrets=secrets)
    known = Scrubber(secrets)
    position = known.find(data.decode())
    if not places and position is not None:
        places = [f"the file, offset {position}"]
    if known.find(str(path.name)) is not None:
        places.append("the name of the file")
    if places:
        fields = [FieldProblem(path=place, message="holds a secret; nothing was written") for place in places]
        raise InvalidRequestError(f"not written, a secret is still in it: {'; '.join(places)}", fields=fields)


def _write_new(wanted: Path, data: bytes) -> Path:
    """Write the file under the first of `text.json`, `text-2.json`… that is free."""
    for number in range(1, _MOST_SAME_NAMES):
        path = wanted if number == 1 else wanted.with_name(f"{wanted.stem}-{number}.json")
        try:
            with path.open("xb") as file:
                file.write(data)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(None, "too many recordings of this name")


def _add_to_index(folder: Path, path: Path, document: RecordingFile) -> None:
    """Add the file's line; lines of files that are gone are left out. The index is replaced as a whole, never half written."""
    index = folder / INDEX_NAME
    rows = [row for row in index_rows(folder) if (folder / row["file"]).is_file()] if index.exists() else []
    columns = list(dict.fromkeys([*(rows[0] if rows else ()), *COLUMNS]))
    reply = document.response
    size = len((reply.body_text or "").encode()) if reply.body_base64 is None else len(base64.b64decode(reply.body_base64))
    row: dict[str, Any] = {name: getattr(document, name) for name in COLUMNS if hasattr(document, name)}
    row |= {"file": path.relative_to(folder).as_posix(), "status": reply.status, "bytes": size, "body_exact": reply.body_exact}
    row["notes"] = "; ".join(document.notes)
    row = {name: str(value).lower() if isinstance(value, bool) else value for name, value in row.items()}
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows([*rows, row])
    temporary = index.with_name(f".{INDEX_NAME}.{os.getpid()}")
    temporary.write_text(text.getvalue(), encoding="utf-8", newline="")
    temporary.replace(index)


def _json_of(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _text_of(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def host_of(endpoint: str, default: str) -> str:
    """The host to name in a recording: the vendor's own. What somebody has set instead may name their company."""
    host = urlsplit(endpoint).hostname or ""
    return host if host and host == (urlsplit(default).hostname or "") else ""
