"""What an answer can be shown on: plain text for a pipe, JSON lines for a program; a terminal where there is one. Knows no provider."""

from __future__ import annotations

import sys
from typing import Protocol, Self

from parley.cli.documents import print_json
from parley.cli.notes import closing_notes, tool_line
from parley.cli.terminal import harmless
from parley.contract.events import Event, RefusalDelta, ResponseFinished, TextDelta, ToolCallEnded
from parley.telemetry import debugging


class AnswerView(Protocol):
    """Where an answer is shown, event by event, between entering and leaving. `takes_back`: it can be told that all was void."""

    takes_back: bool

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exception: object) -> None: ...

    def show(self, event: Event) -> None:
        """Show what this event adds."""
        ...


class PlainAnswer:
    """The text as it is on standard output; tool calls and warnings on standard error."""

    takes_back = False

    def __init__(self) -> None:
        self._ends_line = True
        self._held = ""
        # Among debug lines, which may go to the same place, only whole lines can be told apart.
        self._whole_lines = debugging()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._write(self._held)
        if not self._ends_line:
            sys.stdout.write("\n")
        sys.stdout.flush()

    def show(self, event: Event) -> None:
        """Write text through at once; say the rest when it is known."""
        if isinstance(event, TextDelta | RefusalDelta) and event.text:
            self._held += harmless(event.text)
            end = self._held.rfind("\n") + 1 if self._whole_lines else len(self._held)
            text, self._held = self._held[:end], self._held[end:]
            self._write(text)
        elif isinstance(event, ToolCallEnded):
            sys.stderr.write(f"{tool_line(event.call)}\n")
        elif isinstance(event, ResponseFinished):
            sys.stderr.writelines(f"{line}\n" for line in closing_notes(event.response))

    def _write(self, text: str) -> None:
        if text:
            sys.stdout.write(text)
            sys.stdout.flush()
            self._ends_line = text.endswith("\n")


class EventLines:
    """Each event as one line of JSON."""

    takes_back = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        return

    def show(self, event: Event) -> None:
        """Print the event."""
        print_json(event, indent=0)


def answer_view(*, waiting_for: str) -> AnswerView:
    """How an answer is shown on this standard output: as Markdown on a terminal, else as plain text."""
    if not sys.stdout.isatty():
        return PlainAnswer()
    from parley.cli.rendering import MarkdownAnswer
    from parley.cli.terminal import console

    return MarkdownAnswer(console(), waiting_for=waiting_for)
