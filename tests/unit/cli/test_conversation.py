"""A conversation on a real (pseudo) terminal: streaming, history, Ctrl-C, Ctrl-D, commands."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator

import pytest

SECONDS = 20.0
PATIENCE_SECONDS = 3.0
CTRL_C, CTRL_D = "\x03", "\x04"
PROMPT = "› "


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # shells have what runs in the background ignore it, and children inherit that


class Terminal:
    """The command on a pseudo terminal of 80 by 24, read until what is waited for appears."""

    def __init__(self, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from parley.cli.main import run; run()", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": "xterm-256color"},
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - so that the keyboard's Ctrl-C is a signal
        )
        os.close(slave)
        self._output = b""
        self._position = 0

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def interrupt(self, pattern: str) -> str:
        """Press Ctrl-C, as a person does: again where nothing happens. Python misses one in the moments in which it is not waiting."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            self.type(CTRL_C)
            if (came := self._came(pattern, until=time.monotonic() + PATIENCE_SECONDS)) is not None:
                return came
        pytest.fail(f"{pattern!r} did not appear in {self.seen[self._position :]!r}")

    def wait_for(self, pattern: str) -> str:
        """What came since the last wait, up to the end of the pattern."""
        came = self._came(pattern, until=time.monotonic() + SECONDS)
        if came is None:
            pytest.fail(f"{pattern!r} did not appear in {self.seen[self._position :]!r}")
        return came

    def _came(self, pattern: str, *, until: float) -> str | None:
        while (found := re.compile(pattern).search(self.seen, self._position)) is None:
            ready, _, _ = select.select([self._master], [], [], max(0.0, until - time.monotonic()))
            if not ready or not self._read():
                return None
        came, self._position = self.seen[self._position : found.end()], found.end()
        return came

    def _read(self) -> bool:
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux says EIO when the other side is closed
            return False
        self._output += data
        return bool(data)

    @property
    def seen(self) -> str:
        """All output without its codes; what has not come whole is left for later."""
        text = self._output.decode("utf-8", "ignore")
        return re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]?)?|[\x01\x02]", "", text)

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def exit_code(self, *, press: str = "") -> int:
        """After this key, which is pressed again where nothing happens."""
        deadline = time.monotonic() + SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            self.type(press)
            until = time.monotonic() + PATIENCE_SECONDS
            while self.process.poll() is None and time.monotonic() < until:
                if select.select([self._master], [], [], 0.05)[0]:
                    self._read()
        return self.process.wait(SECONDS)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with Terminal("chat") as opened:
        opened.wait_for(rf"/help shows the commands[\s\S]*{PROMPT}")
        yield opened


def test_an_answer_is_streamed_and_followed_by_its_tokens(terminal: Terminal) -> None:
    terminal.type("reason\r")
    came = terminal.wait_for(r"1 in, \d+ out \(\d+ reasoning\)")
    assert came.index("First, what is asked") < came.index("this is the answer")
    terminal.wait_for(PROMPT)


def test_ctrl_c_cancels_the_answer_and_not_the_program(terminal: Terminal) -> None:
    terminal.type("stall\r")
    terminal.wait_for("nothing comes any more")
    started = time.monotonic()
    terminal.type(CTRL_C)
    terminal.wait_for("cancelled")
    assert time.monotonic() - started < 2
    terminal.wait_for(PROMPT)
    terminal.type("table\r")
    came = terminal.wait_for(r"(\d+) in, \d+ out")
    assert "A table:" in came
    # The question and what was delivered of its answer stay in the conversation: "stall", eight words, "table".
    assert re.search(r"10 in, \d+ out", came)


def test_a_second_ctrl_c_at_the_prompt_leaves(terminal: Terminal) -> None:
    terminal.interrupt("Ctrl-C again, or Ctrl-D, leaves")
    terminal.wait_for(PROMPT)
    assert terminal.exit_code(press=CTRL_C) == 0


def test_one_ctrl_c_at_the_prompt_does_not_leave(terminal: Terminal) -> None:
    terminal.type("half a line")
    terminal.wait_for("half a line")
    terminal.interrupt("leaves")
    terminal.wait_for(PROMPT)
    terminal.type("table\r")
    terminal.wait_for(r"1 in, \d+ out")


def test_ctrl_d_leaves(terminal: Terminal) -> None:
    terminal.type(CTRL_D)
    assert terminal.exit_code() == 0


def test_the_conversation_goes_on_until_new(terminal: Terminal) -> None:
    terminal.type("length\r")
    terminal.wait_for(r"1 in, 6 out")
    terminal.type("length\r")
    terminal.wait_for(r"8 in, 6 out")
    terminal.type("/new\r")
    terminal.wait_for("a new conversation")
    terminal.type("length\r")
    terminal.wait_for(r" 1 in, 6 out")


def test_after_a_tool_call_the_conversation_can_go_on(terminal: Terminal) -> None:
    terminal.type("tool\r")
    terminal.wait_for('⚙ demo_weather {"city":"demo"}')
    terminal.wait_for("no tool is run here")
    terminal.type("table\r")
    terminal.wait_for("A table:")


def test_an_error_is_told_and_the_conversation_goes_on(terminal: Terminal) -> None:
    terminal.type("error 429\r")
    terminal.wait_for("Try again in 30 s")
    terminal.wait_for(PROMPT)
    terminal.type("length\r")
    terminal.wait_for(r" 1 in, 6 out")


def test_commands(terminal: Terminal) -> None:
    terminal.type("/help\r")
    terminal.wait_for("/quit +leave")
    terminal.type("/model ollama/some\r")
    terminal.wait_for("asking ollama/some")
    terminal.type("/model nobody/some\r")
    terminal.wait_for("neither a route")
    terminal.type("/model\r")
    terminal.wait_for("asking ollama/some")
    terminal.type("/nonsense\r")
    terminal.wait_for("/nonsense is no command")
    terminal.type("/quit\r")
    assert terminal.exit_code() == 0


def test_keys_are_echoed_again_after_an_answer_and_after_an_interrupt(terminal: Terminal) -> None:
    terminal.type("stall\r")
    terminal.wait_for("nothing comes any more")
    assert not terminal.echoes()
    terminal.type(CTRL_C)
    terminal.wait_for("cancelled")
    terminal.wait_for(PROMPT)
    terminal.type("/quit\r")
    terminal.exit_code()
    assert terminal.echoes()


def test_one_question_on_a_terminal_ends_with_its_answer() -> None:
    with Terminal("chat", "table") as terminal:
        terminal.wait_for(r"1 in, \d+ out")
        assert terminal.exit_code() == 0


def test_one_question_that_is_interrupted_ends_with_130() -> None:
    with Terminal("chat", "stall") as terminal:
        terminal.wait_for("nothing comes any more")
        terminal.type(CTRL_C)
        terminal.wait_for("cancelled")
        assert terminal.exit_code() == 130


def test_what_is_pasted_is_one_message(terminal: Terminal) -> None:
    terminal.type("\x1b[200~three words here\rand three more\x1b[201~\r")
    terminal.wait_for(r" 6 in, \d+ out")


def test_a_backslash_at_the_end_of_a_line_continues_the_message(terminal: Terminal) -> None:
    terminal.type("three words here\\\r")
    terminal.wait_for("… ")
    terminal.type("and three more\r")
    terminal.wait_for(r" 6 in, \d+ out")


def test_a_provider_without_its_key_is_not_changed_to(terminal: Terminal) -> None:
    terminal.type("/model openai\r")
    terminal.wait_for("OPENAI_API_KEY")
    terminal.wait_for(PROMPT)
    terminal.type("/model\r")
    terminal.wait_for("asking demo")
