"""The life of a child process: with real processes, which here are small programs in the place of llama.cpp's server."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parley.contract.errors import ConfigurationError, ConnectError
from parley.local.process import LocalServer, Order, Running

ORDER = Order(path="/m.gguf", name="tiny", context_tokens=512)
SERVES = """
import json, sys
order = json.loads(sys.stdin.readline())
print(json.dumps({"address": "http://127.0.0.1:1/" + order["name"]}), flush=True)
sys.stdin.read()
"""
REFUSES = """
import json, sys
sys.stdin.readline()
print("0.01 E srv load_model: failed to load model", file=sys.stderr, flush=True)
print(json.dumps({"error": "RuntimeError: no"}), flush=True)
"""
DIES = """
import os, sys
sys.stdin.readline()
print("out of memory error", file=sys.stderr, flush=True)
os.abort()
"""
SILENT = "import sys; sys.stdin.read()"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def server(program: str, *, clock: Clock | None = None, start_seconds: float = 60.0) -> LocalServer:
    return LocalServer(ORDER, command=[sys.executable, "-c", program], start_seconds=start_seconds, clock=clock or Clock())


def is_there(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


async def gone(process_id: int) -> None:
    """Wait for the end of a process that is not ours to wait for."""
    await asyncio.to_thread(wait_for_its_end, process_id)


def wait_for_its_end(process_id: int) -> None:
    deadline = time.monotonic() + 20
    while is_there(process_id):
        assert time.monotonic() < deadline, "it goes on"
        time.sleep(0.01)


def command_of(process_id: int) -> str:
    """Its command line, where the system shows it."""
    path = Path(f"/proc/{process_id}/cmdline")
    return path.read_text() if path.exists() else ""


async def test_many_calls_at_once_start_one_child() -> None:
    local = server(SERVES)
    try:
        found = await asyncio.gather(*(local.running() for _ in range(20)))
        assert {running.process_id for running in found} == {found[0].process_id}
        assert (found[0].address, len(found[0].key)) == ("http://127.0.0.1:1/tiny", 43)
        assert found[0].key not in command_of(found[0].process_id), "a key in a command line is everybody's"
        assert found[0].key not in repr(found[0])
    finally:
        local.stop()
    assert not is_there(found[0].process_id)


async def test_no_secret_of_the_environment_reaches_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    told = SERVES.replace('order["name"]', 'str("OPENAI_API_KEY" in __import__("os").environ)')
    local = server(told)
    try:
        assert (await local.running()).address.endswith("/False")
    finally:
        local.stop()


async def killed(local: LocalServer) -> Running:
    running = await local.running()
    os.kill(running.process_id, signal.SIGKILL)
    await gone(running.process_id)
    return running


async def test_after_a_crash_the_next_call_starts_it_anew_with_another_key() -> None:
    local = server(SERVES)
    try:
        first = await killed(local)
        second = await local.running()
        assert second.process_id != first.process_id
        assert second.key != first.key
    finally:
        local.stop()


async def test_crash_upon_crash_makes_it_wait_ever_longer_and_a_long_life_is_forgiven() -> None:
    clock = Clock()
    local = server(SERVES, clock=clock)
    try:
        await killed(local)
        for pause in (1, 2, 4):
            await killed(local)
            with pytest.raises(ConnectError, match="crashed") as raised:
                await local.running()
            assert raised.value.retry_after == pause
            assert raised.value.retryable
            clock.now += pause
        running = await local.running()
        clock.now += 3600
        os.kill(running.process_id, signal.SIGKILL)
        await gone(running.process_id)
        assert (await local.running()).process_id != running.process_id
    finally:
        local.stop()


async def test_what_the_engine_refuses_is_told_in_its_words_and_may_be_tried_at_once() -> None:
    local = server(REFUSES)
    for _ in range(3):
        with pytest.raises(ConfigurationError, match=r"cannot load tiny: .*failed to load model"):
            await local.running()


async def test_a_child_that_dies_while_it_starts_is_a_lost_connection() -> None:
    with pytest.raises(ConnectError, match=r"ended while it started \(signal 6\): out of memory error"):
        await server(DIES).running()


async def test_a_child_that_never_answers_is_ended() -> None:
    with pytest.raises(ConnectError, match=r"not loaded within 0\.2 s; LOCAL_START_SECONDS allows more"):
        await server(SILENT, start_seconds=0.2).running()


async def test_who_stops_waiting_does_not_stop_the_start_for_the_others() -> None:
    local = server(SERVES)
    try:
        impatient = asyncio.create_task(local.running())
        patient = asyncio.create_task(local.running())
        await asyncio.sleep(0)
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        assert (await patient).address
    finally:
        local.stop()


async def test_without_the_extra_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parley.local.process.ENGINE", "no_such_engine")
    with pytest.raises(ConfigurationError, match=r"parley-ai\[local\]"):
        await LocalServer(ORDER).running()


PARENT = """
import asyncio, sys
from parley.local.process import LocalServer, Order
local = LocalServer(Order(path="/m", name="tiny", context_tokens=1), command=[sys.executable, "-c", sys.argv[1]])
async def main():
    print((await local.running()).process_id, flush=True)
    await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


@pytest.mark.parametrize("way", ["kill", "exit"])
async def test_it_does_not_outlive_the_process_that_started_it(way: str) -> None:
    command = [sys.executable, "-c", PARENT, SERVES]
    parent = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdin is not None
    child = int(await parent.stdout.readline())
    assert is_there(child)
    if way == "kill":
        parent.kill()
    parent.stdin.close()
    await parent.wait()
    await gone(child)
