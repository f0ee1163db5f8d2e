"""An answer on the terminal while it arrives: finished blocks are printed once, the unfinished one is redrawn. Knows no provider."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from markdown_it import MarkdownIt
from rich.live import Live
from rich.markdown import Heading, Markdown
from rich.padding import Padding
from rich.segment import ControlType, Segment
from rich.spinner import Spinner
from rich.text import Text

from parley.cli.notes import closing_notes, footer, source_lines, tool_line
from parley.cli.terminal import harmless, keys_not_echoed, one_line
from parley.contract.events import (
    Event,
    PartAdded,
    ReasoningDelta,
    ReasoningEnded,
    RefusalDelta,
    ResponseFinished,
    Restarted,
    TextDelta,
    ToolCallEnded,
    ToolCallStarted,
)
from parley.contract.messages import FilePart, ImagePart
from parley.contract.response import ChatResponse

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

Section: TypeAlias = Literal["none", "text", "reasoning", "refusal"]

SECONDS_PER_FRAME = 1 / 12
# Terminals disagree on the width of some scripts. A line that wraps where Rich did not expect it would be left behind by the next frame.
_NO_WRAP = Segment("\x1b[?7l", None, [(ControlType.BELL,)])
_WRAP = Segment("\x1b[?7h", None, [(ControlType.BELL,)])


class _LeftHeading(Heading):
    LEVEL_ALIGN: ClassVar = dict.fromkeys(Heading.LEVEL_ALIGN, "left")


class SafeMarkdown(Markdown):
    """Markdown from outside: HTML is shown as it is written, links and images show where they lead."""

    elements: ClassVar = {**Markdown.elements, "heading_open": _LeftHeading}

    def __init__(self, markup: str) -> None:
        super().__init__(harmless(markup), code_theme="ansi_dark", hyperlinks=False)
        self.parsed = _parser().parse(harmless(markup))


def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"]).disable("image")


def split_blocks(markdown: str) -> list[str]:
    """The top-level blocks of a Markdown text, each with what follows it up to the next. Later text can change only the last."""
    lines = re.findall(r"[^\n]*\n|[^\n]+", markdown)  # str.splitlines knows more line ends than Markdown does
    starts = [token.map[0] for token in _parser().parse(markdown) if token.level == 0 and token.map and token.nesting >= 0]
    return ["".join(lines[start:end]) for start, end in pairwise([*starts, len(lines)])]


class MarkdownAnswer:
    """An answer for a terminal. Only the unfinished block is redrawn, at most as high as the screen, so nothing appears twice."""

    def __init__(self, console: Console, *, waiting_for: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.takes_back = True
        self._console = console
        self._waiting = Spinner("dots", text=Text(f" {one_line(waiting_for)}", style="note"), style="note")
        self._clock = clock
        self._section: Section = "none"
        self._tail = ""
        self._printed = False
        self._last_was_note = False
        self._working = True
        self._keys = keys_not_echoed()
        self._live = Live(
            get_renderable=self._unfinished,
            console=console,
            auto_refresh=False,
            transient=True,
            vertical_overflow="visible",
        )

    async def __aenter__(self) -> MarkdownAnswer:
        self._started = self._clock()
        self._keys.__enter__()
        self._live.start()
        self._drawing = asyncio.create_task(self._draw_again_and_again())
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._drawing.cancel()
        self._end_section()
        self._working = False
        self._live.stop()
        self._keys.__exit__(None, None, None)

    async def _draw_again_and_again(self) -> None:
        # Not Rich's own refreshing thread: it races with printing, and lines get lost.
        while True:
            self.draw()
            await asyncio.sleep(SECONDS_PER_FRAME)

    def draw(self) -> None:
        """One frame."""
        self._live.refresh()

    def show(self, event: Event) -> None:
        """Take the event in; the screen follows within a frame."""
        if isinstance(event, TextDelta):
            self._grow("text", event.text)
        elif isinstance(event, ReasoningDelta):
            self._grow("reasoning", event.text)
        elif isinstance(event, RefusalDelta):
            self._grow("refusal", event.text)
        elif isinstance(event, ReasoningEnded | ToolCallStarted):
            self._end_section()
        elif isinstance(event, ToolCallEnded):
            self._print_note(tool_line(event.call))
        elif isinstance(event, PartAdded):
            self._show_part(event)
        elif isinstance(event, Restarted):
            self._print_note(one_line(f"↻ The answer begins anew; what stands above is void: {event.reason}"))
        elif isinstance(event, ResponseFinished):
            self._finish(event.response)

    def _show_part(self, event: PartAdded) -> None:
        part = event.part
        if isinstance(part, ImagePart | FilePart):
            size = f", {len(part.data) * 3 // 4:,} bytes" if part.data else ""
            where = f": {part.url}" if part.url else ""
            kind = "image" if isinstance(part, ImagePart) else "file"
            self._print_note(one_line(f"▣ {kind} {part.media_type}{size}{where}"))
        elif part.text:
            self._grow("text", part.text)

    def _grow(self, section: Section, text: str) -> None:
        if section != self._section:
            self._end_section()
            self._section = section
        self._tail += harmless(text)
        if "\n" in text:
            self._print_finished_blocks()

    def _print_finished_blocks(self) -> None:
        end_of_line = self._tail.rfind("\n") + 1
        blocks = self._blocks(self._tail[:end_of_line])
        if len(blocks) > 1:
            self._print_text(blocks[:-1], rest=blocks[-1] + self._tail[end_of_line:])

    def _end_section(self) -> None:
        self._print_text(self._blocks(self._tail), rest="")
        self._section = "none"

    def _blocks(self, text: str) -> list[str]:
        return split_blocks(text) if self._section == "text" else [part for part in text.split("\n\n") if part.strip()]

    def _print_text(self, blocks: list[str], *, rest: str) -> None:
        rendered = [self._rendered(block) for block in blocks]
        self._tail = rest
        for block in rendered:
            self._print_block(block)

    def _print_block(self, block: RenderableType, *, is_note: bool = False) -> None:
        together = is_note and self._last_was_note
        self._console.print(_Block(block, space_above=self._printed and not together), end="")
        self._printed, self._last_was_note = True, is_note

    def _print_note(self, line: str) -> None:
        self._end_section()
        self._print_block(Text(line, style="note"), is_note=True)

    def _rendered(self, text: str) -> RenderableType:
        if self._section == "reasoning":
            return Padding(Text(text.strip(), style="dim italic"), (0, 0, 0, 2))
        if self._section == "refusal":
            return Text(text.strip(), style="doubtful")
        return SafeMarkdown(text)

    def _unfinished(self) -> RenderableType:
        if not self._working:
            return Text()
        if not self._tail.strip():
            return self._waiting
        return _Block(self._rendered(self._tail), space_above=self._printed, growing=True)

    def _finish(self, response: ChatResponse) -> None:
        self._end_section()
        for line in closing_notes(response):
            self._print_block(Text(line, style="doubtful"), is_note=True)
        if response.citations:
            self._print_block(Text("\n".join(source_lines(response)), style="note"))
        self._print_block(Text(footer(response, seconds=self._clock() - self._started), style="note"))


class _Block:
    """One block without blank lines around it, but for one above where `space_above`; of a `growing` one the end that fits the screen.

    Rich surrounds lists, code and tables with blank lines of its own, which would add up between blocks printed one by one.
    """

    def __init__(self, content: RenderableType, *, space_above: bool, growing: bool = False) -> None:
        self._content = content
        self._space_above = space_above
        self._growing = growing

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._content, options.update(height=None), pad=False)
        filled = [index for index, line in enumerate(lines) if any(segment.text.strip() for segment in line)]
        lines = lines[filled[0] : filled[-1] + 1] if filled else []
        if self._space_above:
            lines = [[], *lines]
        if not self._growing:
            yield from (segment for line in lines for segment in (*line, Segment.line()))
            return
        for line in lines[-max(3, console.height - 2) :]:
            yield _NO_WRAP
            yield from line
            yield _WRAP
            yield Segment.line()
