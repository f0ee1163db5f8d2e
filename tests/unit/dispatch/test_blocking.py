from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import parley
from parley.contract.errors import InvalidRequestError, RateLimitError
from parley.contract.events import ResponseFinished, TextDelta


@pytest.fixture(autouse=True)
def _echo(echo_directory: Path) -> Iterator[None]:
    parley.sync.configure(environ={}, directory=echo_directory)
    yield
    parley.sync.configure()


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "parley-sync"]


def _running() -> int:
    """How many streams the provider has open."""
    modules: list[Any] = [module for name, module in sys.modules.items() if name.startswith("parley_provider_echo_")]
    # Other tests of this process may have a provider of the same name.
    return sum(getattr(getattr(module, "Echo", None), "running", 0) for module in modules)


def test_a_call_waits_for_its_answer() -> None:
    assert parley.sync.chat("echo/echo-2", "hi").text == "whole echo-2: hi"
    assert parley.sync.test("echo").success
    assert "echo" in [described.name for described in parley.sync.providers()]


def test_callbacks_are_called() -> None:
    tokens: list[str] = []
    parley.sync.chat("echo", "hi", on_token=tokens.append)
    assert tokens == ["echo-1: ", "hi"]


def test_a_stream_gives_its_events_as_they_come() -> None:
    events = list(parley.sync.stream("echo", "hi"))
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["echo-1: ", "hi"]
    assert isinstance(events[-1], ResponseFinished)


def test_a_long_stream_arrives_whole_and_in_order_whoever_is_slower() -> None:
    text = "".join(event.text for event in parley.sync.stream("echo", "many") if isinstance(event, TextDelta))
    assert text.split() == [str(number) for number in range(5000)]


def test_leaving_a_stream_ends_the_request() -> None:
    for event in parley.sync.stream("echo", "wait"):
        if isinstance(event, TextDelta):
            assert _running() == 1
            break
    assert _running() == 0


def test_errors_are_raised_where_the_caller_waits() -> None:
    with pytest.raises(RateLimitError):
        parley.sync.chat("echo", "fail", on_token=print)
    with pytest.raises(RateLimitError):
        list(parley.sync.stream("echo", "fail"))
    with pytest.raises(InvalidRequestError):
        list(parley.sync.stream("echo", []))


def test_one_thread_serves_callers_of_many() -> None:
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda number: parley.sync.chat("echo", f"call {number}").text, range(40)))
    assert texts == [f"whole echo-1: call {number}" for number in range(40)]
    assert len(_threads()) == 1


async def test_it_works_inside_a_running_loop() -> None:
    assert parley.sync.chat("echo", "hi").text == "whole echo-1: hi"


def test_a_call_from_its_own_callback_is_refused_and_does_not_hang() -> None:
    with pytest.raises(InvalidRequestError, match="callbacks"):
        parley.sync.chat("echo", "hi", on_token=lambda _token: parley.sync.chat("echo", "again"))


def test_closing_stops_the_thread_and_the_next_call_starts_anew() -> None:
    parley.sync.chat("echo", "hi")
    parley.sync.close()
    assert _threads() == []
    assert parley.sync.chat("echo", "again").text == "whole echo-1: again"


def _script(directory: Path, code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONWARNINGS": "default"}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=directory, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    "code",
    [
        "import parley; print(parley.sync.chat('echo', 'hi').text)",
        "import parley; s = parley.sync.stream('echo', 'wait'); next(s); print('whole echo-1: hi')",
    ],
)
def test_a_script_ends_cleanly(echo_directory: Path, code: str) -> None:
    ended = _script(echo_directory, code)
    assert (ended.returncode, ended.stdout.strip(), ended.stderr.strip()) == (0, "whole echo-1: hi", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_starts_its_own_thread(echo_directory: Path) -> None:
    code = """
import os, parley, warnings
warnings.simplefilter("ignore")
parley.sync.chat("echo", "parent")
child = os.fork()
if child == 0:
    print(parley.sync.chat("echo", "child").text, flush=True)
    os._exit(0)
print(os.waitpid(child, 0)[1])
"""
    ended = _script(echo_directory, code)
    assert ended.stdout.split("\n")[:2] == ["whole echo-1: child", "0"], ended.stderr
