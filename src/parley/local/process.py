"""Runs one model file in a child process that serves HTTP on a private port of this machine, under a key made for it alone.

It stands beside transport and not in it: transport moves bytes to whoever answers, this makes somebody answer. It knows no wire and no
provider; the child knows the engine. Should the child crash, only its calls are lost: the next one starts it anew, the sooner the longer
it had lived. The child ends when its standard input closes, so that it outlives neither `stop` nor this process, however that ends.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import secrets
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
from msgspec import Struct

from parley.contract.errors import ConfigurationError, ConnectError
from parley.telemetry import get_logger, register_secrets, scrub

ENGINE = "xllamacpp"
STOP_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60.0
STABLE_SECONDS = 60.0
"""A child that lived so long did not crash for what it was started with."""

_PROGRAM = Path(__file__).with_name("child.py")
# What a foreign library may need of the environment; the rest (every provider's key) is none of its business.
_PASSED_ON = (
    "PATH",
    "HOME",
    "TMP",
    "TEMP",
    "LANG",
    "LC_",
    "LD_",
    "DYLD_",
    "CUDA",
    "NVIDIA",
    "HIP_",
    "ROCR_",
    "VK_",
    "GGML_",
    "LLAMA_",
    "OMP_",
)
_PASSED_ON_TOO = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "SYSTEMROOT")

_ERROR_LINE = re.compile(r" E |error", re.IGNORECASE)
# llama.cpp's time, level and place: "0.00.047.841 E srv    load_model: …".
_LOG_PREFIX = re.compile(r"^[0-9.]+ [A-Z] \S+\s+")

_log = get_logger(__name__)


class Order(Struct, frozen=True, kw_only=True):
    """What the child is told. `threads` 0 = as the engine likes; `chat_template` empty = the file's own."""

    path: str
    name: str
    context_tokens: int
    parallel: int = 1
    threads: int = 0
    chat_template: str = ""


class Running(Struct, frozen=True, kw_only=True):
    """Where a child answers, and the key it wants."""

    address: str
    key: str
    process_id: int

    def __repr__(self) -> str:
        return f"Running({self.address!r}, process_id={self.process_id})"


class LocalServer:
    """One model's child, started when it is first needed. Serves concurrent calls, on any number of event loops."""

    def __init__(
        self,
        order: Order,
        *,
        start_seconds: float = 300.0,
        command: Sequence[str] = (sys.executable, "-P", str(_PROGRAM)),
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._order = order
        self._start_seconds = start_seconds
        self._command = list(command)
        self._needs_engine = str(_PROGRAM) in self._command
        self._clock = clock
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._starting: Future[Running] | None = None
        self._stops = 0
        self._crashes = 0
        self._not_before = 0.0

    async def running(self) -> Running:
        """The child, started where it does not run.

        Raises ConfigurationError where the engine is not installed or cannot load the file, ConnectError where the child died or was too
        slow, or may not be started again yet.
        """
        with self._lock:
            child = self._child
            if child is not None and child.running is not None:
                if child.alive:
                    return child.running
                self._note_end(child)
            if self._starting is None:
                self._starting = self._start()
            starting = self._starting
        # Shielded: who stops waiting does not stop it for the others.
        return await asyncio.shield(asyncio.wrap_future(starting))

    def stop(self) -> None:
        """End the child and wait for it. A later call starts it anew."""
        with self._lock:
            child, self._child = self._child, None
            self._stops += 1
        if child is not None:
            child.stop()

    def _start(self) -> Future[Running]:
        pause = self._not_before - self._clock()
        if pause > 0:
            times = "once" if self._crashes == 1 else f"{self._crashes} times"
            words = f"the server of the local model {self._order.name} crashed {times}; it is started again in {pause:.0f} s"
            raise ConnectError(words, retry_after=pause)
        if self._needs_engine and importlib.util.find_spec(ENGINE) is None:
            raise ConfigurationError("local models need the extra local: pip install 'parley-ai[local]'")
        starting: Future[Running] = Future()
        arguments = (starting, self._stops)
        threading.Thread(target=self._run, args=arguments, name=f"local model {self._order.name}", daemon=True).start()
        return starting

    def _run(self, starting: Future[Running], stops: int) -> None:
        """The whole life of one child, in a thread of its own: start it, say so, watch it, say how it ended."""
        child: _Child | None = None
        try:
            child = _Child(self._command, self._order, self._clock())
            with self._lock:
                if self._stops != stops:
                    raise ConnectError(f"the local model {self._order.name} was stopped while it started")
                self._child = child
            running = child.wait_until_it_listens(self._start_seconds)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the callers that wait must be told
            self._fail(starting, child, error)
            return
        with self._lock:
            self._starting = None
        _log.info("a local model runs", model=self._order.name, process=running.process_id)
        starting.set_result(running)
        code = child.wait()
        child.stop()
        with self._lock:
            crashed = self._child is child
            self._note_end(child)
        if crashed:
            _log.warning("a local model crashed", model=self._order.name, code=code, said=child.last_words())

    def _fail(self, starting: Future[Running], child: _Child | None, error: BaseException) -> None:
        if child is not None:
            child.stop()
        with self._lock:
            self._starting = None
            if self._child is child:
                self._child = None
                if not isinstance(error, ConfigurationError):
                    self._count_crash(0.0)
        starting.set_exception(error)

    def _note_end(self, child: _Child) -> None:
        """Count what ended unasked, once: by whoever sees it first."""
        if self._child is child:
            self._child = None
            self._count_crash(self._clock() - child.began)

    def _count_crash(self, lived_seconds: float) -> None:
        """Start again at once after the first; then ever later, while crashes follow soon upon another."""
        self._crashes = 1 if lived_seconds >= STABLE_SECONDS else self._crashes + 1
        pause = 0.0 if self._crashes == 1 else min(LONGEST_PAUSE_SECONDS, 2.0 ** (self._crashes - 2))
        self._not_before = self._clock() + pause


class _Child:
    """One process, from its start to its end."""

    def __init__(self, command: list[str], order: Order, began: float) -> None:
        self.running: Running | None = None
        self.began = began
        self._name = order.name
        self._key = secrets.token_urlsafe(32)
        register_secrets([self._key])
        self._said: deque[str] = deque(maxlen=20)
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
            start_new_session=True,  # Ctrl-C in a terminal is for us; we then end the child
        )
        self._end = weakref.finalize(self, _end, self._process)
        self._listener = threading.Thread(target=self._listen, name=f"log of {order.name}", daemon=True)
        self._listener.start()
        self._give(msgspec.json.encode({**msgspec.to_builtins(order), "key": self._key}) + b"\n")

    @property
    def alive(self) -> bool:
        """Whether it runs. While another thread waits for its end, the standard library knows of that a moment late."""
        if self._process.poll() is not None:
            return False
        if os.name == "posix":
            try:
                os.kill(self._process.pid, 0)
            except ProcessLookupError:
                return False
        return True

    def wait_until_it_listens(self, seconds: float) -> Running:
        """Raises ConfigurationError where the engine says that it cannot, ConnectError where the process ends or is too slow."""
        too_slow = threading.Event()
        timer = threading.Timer(seconds, lambda: (too_slow.set(), self._process.kill()))
        timer.daemon = True
        timer.start()
        try:
            line = self._process.stdout.readline() if self._process.stdout else b""
        finally:
            timer.cancel()
        answer = _answer(line)
        if address := answer.get("address"):
            self.running = Running(address=address, key=self._key, process_id=self._process.pid)
            return self.running
        code = self.wait()
        if too_slow.is_set():
            raise ConnectError(f"the local model {self._name} was not loaded within {seconds:g} s; LOCAL_START_SECONDS allows more")
        if problem := answer.get("error"):
            raise ConfigurationError(f"llama.cpp cannot load {self._name}: {self.last_words() or problem}")
        raise ConnectError(f"the server of the local model {self._name} ended while it started ({_ending(code)}): {self.last_words()}")

    def wait(self) -> int:
        """Until the process has ended, and its log with it."""
        code = self._process.wait()
        self._listener.join(STOP_SECONDS)
        return code

    def stop(self) -> None:
        self._end()

    def last_words(self) -> str:
        """The first line that names an error: what follows from it comes after; without one, the last line."""
        lines = list(self._said)
        found = next((line for line in lines if _ERROR_LINE.search(line)), lines[-1] if lines else "it said nothing")
        return scrub(_LOG_PREFIX.sub("", found)[:300])

    def _listen(self) -> None:
        if self._process.stderr is not None:
            with self._process.stderr as log:
                for line in log:
                    self._said.append(line.decode("utf-8", "replace").strip())

    def _give(self, order: bytes) -> None:
        if self._process.stdin is None:
            return
        try:
            self._process.stdin.write(order)
            self._process.stdin.flush()
        except OSError:
            # It is gone already; waiting for its answer says how.
            return


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close what keeps it alive, wait, and kill what does not go. Runs at the latest when Python ends."""
    if process.stdin is not None:
        with suppress(OSError):  # what was still to be written cannot be any more
            process.stdin.close()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _answer(line: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON) or name in _PASSED_ON_TOO}
