"""The terminal: consoles, and making text from outside harmless to print. Knows no provider and no event."""

from __future__ import annotations

import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.theme import Theme

WIDTH_OF_A_FILE = 1000
# C0 controls become their pictures (␛), C1 controls and DEL the picture of DEL; bidirectional overrides, which make text read other
# than it is, vanish. Every rule is for one character, so text may arrive in any pieces.
_HARMLESS: dict[int, str | None] = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t\r"},
    **dict.fromkeys(range(0x7F, 0xA0), "␡"),
    **dict.fromkeys((0x0D, *range(0x202A, 0x202F), *range(0x2066, 0x206A))),
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
}
_SUSPECT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def harmless(text: str) -> str:
    """The text without anything that a terminal would obey or that an encoding refuses; line breaks and tabs stay."""
    return text.translate(_HARMLESS) if _SUSPECT.search(text) else text


def one_line(text: str, *, longest: int = 200) -> str:
    """The text on one line, cut where it is longer than `longest` characters."""
    line = " ".join(harmless(text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def console(*, error: bool = False) -> Console:
    """A console on today's standard output (or error), with the calm theme. Into a pipe or a file it does not break lines."""
    from rich.console import Console

    file = sys.stderr if error else sys.stdout
    width = None if file.isatty() else WIDTH_OF_A_FILE
    return Console(file=file, width=width, theme=_theme(), highlight=False, emoji=False, markup=False)


def print_grid(output: Console, grid: RenderableType) -> None:
    """Print a table; into a pipe or a file without the spaces that fill its last column."""
    if output.is_terminal:
        output.print(grid)
        return
    with output.capture() as captured:
        output.print(grid)
    output.file.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


@contextmanager
def keys_not_echoed() -> Generator[None]:
    """While something is drawn, what is typed (^C too) must not be written into it; it is read afterwards."""
    try:
        import termios
    except ImportError:  # no such terminal on this system
        yield
        return
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    quiet = [*before]
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


@cache
def _theme() -> Theme:
    from rich.theme import Theme

    return Theme(
        {
            "note": "dim",
            "good": "green",
            "bad": "red",
            "doubtful": "yellow",
            "heading": "bold",
            "markdown.h1": "bold underline",
            "markdown.h2": "bold",
            "markdown.h3": "bold italic",
            "markdown.h4": "italic",
            "markdown.code": "cyan",
            "markdown.code_block": "none",
            "markdown.block_quote": "dim",
            "markdown.list": "none",
            "markdown.item.bullet": "dim",
            "markdown.item.number": "dim",
            "markdown.link": "none",
            "markdown.link_url": "blue underline",
            "markdown.table.border": "dim",
            "markdown.table.header": "bold",
        }
    )
