"""What the command line's tests share."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    """`--config` is remembered in PARLEY_CONFIG, for the process: not from one test to the next."""
    before = os.environ.get("PARLEY_CONFIG")
    yield
    os.environ.pop("PARLEY_CONFIG", None)
    if before is not None:
        os.environ["PARLEY_CONFIG"] = before


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]
