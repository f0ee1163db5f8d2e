from __future__ import annotations

import asyncio
import socket
import threading
import time
import urllib.request
from pathlib import Path

import aiohttp
import pytest

from parley.testing import Answer, OfflineError, ReplayServer, kept_offline
from parley.testing.offline import input_and_output


def test_what_leaves_this_machine_is_refused_and_remembered() -> None:
    with kept_offline() as outside, pytest.raises(OSError, match=r"the kit is offline: a connection to api\.vendor\.example:443"):
        urllib.request.urlopen("https://api.vendor.example/v1")
    assert outside == ["api.vendor.example:443"]


def test_an_address_is_refused_too() -> None:
    with kept_offline() as outside, socket.socket() as one, pytest.raises(OfflineError):
        one.connect(("192.0.2.7", 443))
    assert outside == ["192.0.2.7:443"]


async def test_what_other_threads_and_libraries_try_is_seen() -> None:
    with kept_offline() as outside:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.get("https://api.vendor.example/v1")
    assert outside
    assert outside[0] == "api.vendor.example:443"


async def test_this_machine_is_reached() -> None:
    with kept_offline() as outside:
        async with ReplayServer(Answer(body=b"here")) as server, aiohttp.ClientSession() as session:
            for host in ("127.0.0.1", "localhost"):
                async with session.get(f"http://{host}:{server.port}/") as response:
                    assert await response.text() == "here"
    assert outside == []


def test_afterwards_nothing_is_refused_and_the_inner_one_does_not_end_the_outer() -> None:
    with kept_offline() as outer:
        with kept_offline() as inner, pytest.raises(OfflineError):
            socket.getaddrinfo("inner.example", 80)
        with pytest.raises(OfflineError):
            socket.getaddrinfo("outer.example", 80)
    assert inner == ["inner.example:80"]
    assert outer == ["inner.example:80", "outer.example:80"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("192.0.2.7", 9))  # a datagram socket sends nothing by this


def test_input_and_output_of_this_thread_is_seen(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    with input_and_output() as seen:
        (tmp_path / "a").read_text()
        socket.socket().close()
        thread = threading.Thread(target=(tmp_path / "a").read_text)
        thread.start()
        thread.join()
    assert [what.split(" ")[0] for what in seen if str(tmp_path) in what or "socket" in what] == ["open", "socket.__new__"]
    count = len(seen)
    (tmp_path / "a").read_text()
    assert len(seen) == count


def test_what_only_computes_is_not_seen() -> None:
    with input_and_output() as seen:
        sum(range(100))
        time.monotonic()
        asyncio.iscoroutinefunction(sum)
    assert seen == []
