"""Real exchanges on disk, as values. Knows where they lie and how they are written, not what they should mean."""

from __future__ import annotations

import base64
import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

DEFAULT_DIRECTORY = "../shared/recordings"


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


def read_index(directory: Path) -> Iterator[IndexRow]:
    """The rows of a folder's index. Raises msgspec.ValidationError where a column is missing or holds what it must not."""
    with (directory / "INDEX.csv").open(encoding="utf-8", newline="") as index:
        for row in csv.DictReader(index):
            yield msgspec.convert(row, IndexRow, strict=False)


def recordings_directory() -> Path | None:
    """The folder that PARLEY_RECORDINGS names (default: beside the checkout), None where there is none."""
    directory = Path(os.environ.get("PARLEY_RECORDINGS") or DEFAULT_DIRECTORY)
    return directory if (directory / "INDEX.csv").is_file() else None


def load_recording(path: Path) -> Recording:
    """Read one file. Raises msgspec.DecodeError or KeyError where it is not a recording."""
    document = msgspec.json.decode(path.read_bytes())
    response, request = document["response"], document.get("request")
    if "body_base64" in response:
        body = base64.b64decode(response["body_base64"])
    else:
        body = response.get("body_text", "").encode("utf-8", "surrogatepass")
    return Recording(
        file="/".join(path.parts[-3:]),
        provider=document["provider"],
        wire_family=document["wire_family"],
        kind=document["kind"],
        model=document["model"] or "",
        streaming=bool(document["streaming"]),
        status=response["status"],
        headers={name.lower(): value for name, value in response["headers"].items()},
        body=body,
        exact=bool(response["body_exact"]),
        request=msgspec.convert(request, RecordedRequest) if request else None,
        notes=document["notes"],
    )


def find_recordings(*providers: str) -> Iterator[Path]:
    """The files of these providers (all where none is named), in the index's order; nothing where the folder is absent."""
    directory = recordings_directory()
    if directory is None:
        return
    for row in read_index(directory):
        if not providers or row.provider in providers:
            yield directory / row.file
