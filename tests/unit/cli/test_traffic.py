"""The traffic with the providers, a line each."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from parley.cli.traffic import TRANSPORT, show_traffic, size
from parley.telemetry import get_logger, register_secrets

URL = "https://api.acme.example/v1/chat"


@pytest.fixture
def lines() -> Iterator[list[str]]:
    logger = logging.getLogger(TRANSPORT)
    before = logger.level, logger.propagate
    written: list[str] = []
    show_traffic(written.append)
    yield written
    logger.level, logger.propagate = before
    logger.handlers.clear()


def test_an_exchange_is_two_lines(lines: list[str]) -> None:
    log = get_logger(TRANSPORT)
    log.debug("http request", method="POST", url=URL, headers="accept", bytes=512)
    log.debug("http reply", method="POST", url=URL, status=200, ms=1234.5, bytes=3456)
    assert lines == [f"→ POST {URL} · 512 B", f"← 200 OK · 1.2 s · 3.5 kB · POST {URL}"]


def test_a_request_without_a_body_has_no_size(lines: list[str]) -> None:
    get_logger(TRANSPORT).debug("http request", method="GET", url=URL, headers="", bytes=0)
    assert lines == [f"→ GET {URL}"]


def test_a_failure_says_why(lines: list[str]) -> None:
    get_logger(TRANSPORT).debug("http failure", method="GET", url=URL, ms=3.2, error=OSError("no\nroute"))
    assert lines == [f"✗ GET {URL} · 3 ms · OSError: no route"]


def test_contents_are_indented_scrubbed_and_harmless(lines: list[str]) -> None:
    register_secrets(["hidden-secret"])
    body = 'data: {"text": "\x1b[31m"}\n\ndata: hidden-secret\n'
    get_logger(TRANSPORT).debug("http reply", method="POST", url=URL, status=299, ms=1, bytes=1, body=body)
    assert lines[0].splitlines() == [f"← 299 · 1 ms · 1 B · POST {URL}", '    data: {"text": "␛[31m"}', "    data: ***"]


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2_500_000, "2.5 MB")])
def test_sizes_are_for_people(count: int, text: str) -> None:
    assert size(count) == text
