"""`parley chat`: one question and its answer, or a conversation. Knows the library's Client and no provider."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

import typer


def chat(
    message: Annotated[
        list[str] | None, typer.Argument(metavar="MESSAGE", help="What to ask. Without it: standard input, or a conversation.")
    ] = None,
    provider: Annotated[str | None, typer.Option("--provider", "-p", metavar="NAME[/MODEL]", help="Whom to ask.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", metavar="MODEL", help="Which of the provider's models.")] = None,
    system: Annotated[str | None, typer.Option("--system", "-s", metavar="TEXT", help="System prompt.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the reply as one JSON object; with --stream, its events as lines.")
    ] = False,
    stream: Annotated[bool | None, typer.Option("--stream/--no-stream", help="Answer as it is written, or whole.")] = None,
) -> None:
    """Ask a question, or hold a conversation.

    Ctrl-C cancels the answer; Ctrl-D leaves the conversation.
    """
    from parley.cli.problems import problems_shown

    with problems_shown(as_json=as_json), _provider_named(provider):
        text = _question(message or [])
        name = target(provider, model)
        if text is None:
            _converse(name, system, as_json=as_json)
            return
        _answer_once(text, name, system, as_json=as_json, streamed=(not as_json) if stream is None else stream)


def target(provider: str | None, model: str | None) -> str:
    """`-p` and `-m` as the one name that the Client takes; empty for the default."""
    if provider is None or model is None:
        return provider or model or ""
    return f"{provider.partition('/')[0]}/{model}"


@contextmanager
def _provider_named(provider: str | None) -> Generator[None]:
    """What -p names is a provider: where none is called so, that is what was wrong, and not the model."""
    from parley.contract.errors import UnknownModelError

    try:
        yield
    except UnknownModelError:
        if provider is not None:
            from parley.registry.loading import Registry

            Registry.from_environment().describe(provider.partition("/")[0])
        raise


def _question(words: list[str]) -> str | None:
    """The arguments and, where it is not a terminal, standard input; None where there is neither."""
    from parley.contract.errors import InvalidRequestError

    parts = [" ".join(words)] if words else []
    if not sys.stdin.isatty():
        try:
            parts.append(sys.stdin.buffer.read().decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise InvalidRequestError("standard input is not text in UTF-8; convert it first, for example with iconv") from error
    if not parts:
        return None
    text = "\n\n".join(part.strip("\n") for part in parts if part.strip())
    if not text:
        raise InvalidRequestError("the message is empty; write it behind `parley chat`, or send it to standard input")
    return text


def _converse(name: str, system: str | None, *, as_json: bool) -> None:
    from parley.contract.errors import InvalidRequestError

    if as_json or not sys.stdout.isatty():
        raise InvalidRequestError("there is nothing to ask; write the message behind `parley chat`, or send it to standard input")
    from parley.cli.conversation import converse

    converse(name, system=system)


def _answer_once(text: str, name: str, system: str | None, *, as_json: bool, streamed: bool) -> None:
    import asyncio

    from parley.cli.asking import Question, answer
    from parley.cli.documents import print_json, reply_document
    from parley.cli.views import EventLines, answer_view
    from parley.contract.messages import Message

    question = Question(target=name, messages=[Message(role="user", content=text)], system=system)
    if as_json and not streamed:
        print_json(reply_document(asyncio.run(answer(question, view=None, streamed=False))))
        return
    view = EventLines() if as_json else answer_view(waiting_for=name)
    asyncio.run(answer(question, view=view, streamed=streamed))
