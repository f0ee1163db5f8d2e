"""A conversation on the terminal: prompt, commands, history; an interrupt cancels the answer, not the program. Knows no provider."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from parley import Client
from parley.cli.asking import Question, ask
from parley.cli.notes import who
from parley.cli.problems import print_problem
from parley.cli.rendering import MarkdownAnswer
from parley.cli.terminal import console, harmless
from parley.contract.errors import ParleyError
from parley.contract.messages import Message, ToolResult
from parley.contract.response import ChatResponse

if TYPE_CHECKING:
    from rich.console import Console

PROMPT = "› "
MORE_PROMPT = "… "
_HELP = (
    ("/model NAME", "ask provider, provider/model or model from now on; alone: say who is asked"),
    ("\\", "at the end of a line: the message goes on in the next; what is pasted stays one message"),
    ("/new", "forget the conversation and begin again"),
    ("/quit", "leave (or Ctrl-D)"),
)


def converse(target: str, *, system: str | None) -> None:
    """Talk until the person leaves. Raises ConfigurationError where no Client can be made."""
    with suppress(ImportError):
        readline = import_module("readline")  # gives `input` line editing and history
        readline.parse_and_bind("set enable-bracketed-paste on")  # without, each line of what is pasted would be a question

    client = Client.from_config()
    conversation = Conversation(client, console(), target=target, system=system)
    with asyncio.Runner() as runner:
        try:
            conversation.run(runner)
        finally:
            runner.run(client.aclose())


class Conversation:
    """What was said so far, and with whom."""

    def __init__(self, client: Client, output: Console, *, target: str, system: str | None) -> None:
        self._client = client
        self._output = output
        self._target = target
        self._system = system
        self._messages: list[Message] = []
        self._leaving = False

    def run(self, runner: asyncio.Runner) -> None:
        """Read and answer, line by line."""
        self._note(f"{self._who()} · /help shows the commands, Ctrl-D leaves")
        while not self._leaving:
            line = self._read()
            if line.startswith("/") and "\n" not in line:
                self._obey(line)
            elif line:
                self._answer(line, runner)

    def _who(self) -> str:
        return who(*self._client.resolve(self._target))

    def _read(self) -> str:
        """One message; empty after an interrupt. A second interrupt in a row leaves."""
        prompt = PROMPT if self._output.no_color else f"\x01\x1b[1;36m\x02{PROMPT}\x01\x1b[0m\x02"
        for attempt in range(2):
            try:
                lines = [input(f"\n{prompt}" if attempt == 0 else prompt)]
                while lines[-1].endswith("\\"):
                    lines[-1:] = [lines[-1].removesuffix("\\"), input(MORE_PROMPT)]
                return "\n".join(lines).strip()
            except EOFError:
                self._output.print()
                break
            except KeyboardInterrupt:
                self._output.print()
                if attempt == 0:
                    self._note("Ctrl-C again, or Ctrl-D, leaves")
        self._leaving = True
        return ""

    def _obey(self, line: str) -> None:
        command, _, argument = line.partition(" ")
        if command == "/quit":
            self._leaving = True
        elif command == "/new":
            self._messages.clear()
            self._note("a new conversation")
        elif command == "/model":
            self._ask_another(argument.strip())
        elif command == "/help":
            width = max(len(name) for name, _ in _HELP)
            for name, explanation in _HELP:
                self._note(f"{name.ljust(width)}  {explanation}")
        else:
            self._note(f"{harmless(command)} is no command; /help shows them")

    def _ask_another(self, name: str) -> None:
        try:
            provider, _ = self._client.resolve(name or self._target)
            self._client.registry.get(provider)
        except ParleyError as error:
            print_problem(error)
            return
        self._target = name or self._target
        self._note(f"asking {self._who()}")

    def _answer(self, text: str, runner: asyncio.Runner) -> None:
        """Ask, and keep what was said: the whole answer, or as much of it as came before it was cancelled or failed."""
        asked = Message(role="user", content=text)
        question = Question(target=self._target, messages=[*self._messages, asked], system=self._system)
        self._output.print()
        reply: ChatResponse | None = None
        try:
            reply = runner.run(ask(self._client, question, view=MarkdownAnswer(self._output, waiting_for=self._who())))
        except KeyboardInterrupt:
            self._note("cancelled")
        except ParleyError as error:
            print_problem(error)
        if reply is not None and reply.parts:
            self._messages += [asked, reply.to_message(), *self._unanswered(reply)]
        elif question.delivered:
            self._messages += [asked, Message(role="assistant", content=question.delivered)]

    def _unanswered(self, reply: ChatResponse) -> list[Message]:
        """A result for each tool call, since a conversation cannot go on without: that nobody runs tools here."""
        if not reply.tool_calls:
            return []
        self._note("no tool is run here; the model will be told so")
        results = [ToolResult(tool_call_id=call.id, content="No tool is available.", is_error=True) for call in reply.tool_calls]
        return [Message(role="tool", content=list(results))]

    def _note(self, text: str) -> None:
        self._output.print(text, style="note")
