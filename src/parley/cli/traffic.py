"""What goes to the providers and comes back, a line each, for `parley serve --dev`. Reads the transport's log, scrubbed as it is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from parley.cli.terminal import harmless

TRANSPORT = "parley.transport.client"


def show_traffic(write: Callable[[str], None]) -> None:
    """From now on write every exchange with a provider; contents too where LOG_CONTENT is on. Instead of the log's own lines."""
    logger = logging.getLogger(TRANSPORT)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.handlers[:] = [_Traffic(write)]


class _Traffic(logging.Handler):
    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        """Write what the record says, on as many lines as it needs."""
        try:
            fields: dict[str, str] = getattr(record, "fields", {})
            self._write("\n".join(harmless(line) for line in _lines(getattr(record, "event", ""), fields)))
        except (KeyError, ValueError, OSError):
            self.handleError(record)


def _lines(event: str, fields: dict[str, Any]) -> Iterator[str]:
    exchange = f"{fields['method']} {fields['url']}"
    if event == "http request":
        sent = int(fields["bytes"])
        yield f"→ {exchange} · {size(sent)}" if sent else f"→ {exchange}"
    elif event == "http reply":
        yield f"← {_status(int(fields['status']))} · {_time(fields['ms'])} · {size(int(fields['bytes']))} · {exchange}"
    else:
        yield f"✗ {exchange} · {_time(fields['ms'])} · {' '.join(fields['error'].split())}"
    yield from (f"    {line}" for line in fields.get("body", "").splitlines() if line.strip())


def size(count: int) -> str:
    """A number of bytes for a person."""
    return f"{count} B" if count < 1000 else f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:  # no status that has a name
        return str(status)


def _time(milliseconds: str) -> str:
    number = float(milliseconds)
    return f"{number:.0f} ms" if number < 1000 else f"{number / 1000:.1f} s"
