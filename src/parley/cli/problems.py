"""What went wrong, in words with the remedy, and the exit code. Knows the error tree, not where an error comes from."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from math import ceil
from traceback import format_exception
from typing import Any

from parley.cli.terminal import console, harmless
from parley.contract.errors import (
    AuthenticationError,
    CallerError,
    ConfigurationError,
    ConnectError,
    ContextLengthError,
    ModelNotFoundError,
    ParleyError,
    ProtocolError,
    ProviderTimeoutError,
    QuotaExceededError,
    StreamTruncatedError,
    UnknownProviderError,
)
from parley.guard.foreign import place_of
from parley.telemetry import debugging, scrub

EXIT_PROVIDER = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

_REMEDIES: dict[type[ParleyError], str] = {
    AuthenticationError: "Check the key: `parley doctor` says which variable it comes from.",
    QuotaExceededError: "Look at the account's credit with the vendor, or use another provider (-p).",
    ConnectError: "`parley doctor` tries every provider, and the local servers.",
    ProviderTimeoutError: "Try again, or another provider (-p); `timeouts` in parley.toml makes it more patient.",
    ContextLengthError: "Make the conversation shorter (/new), or use a model with a larger context.",
    ModelNotFoundError: "Name another model with -m; `parley providers` shows the models.",
    UnknownProviderError: "`parley providers` lists them.",
}
_BY_ACTION = {
    "retry": "Try again.",
    "retry_later": "Try again later.",
    "fix_credentials": "`parley doctor` shows what is configured and what is missing.",
}


def exit_code(error: ParleyError) -> int:
    """2 where the caller or the configuration is at fault, else 1."""
    return EXIT_USAGE if isinstance(error, CallerError | ConfigurationError) else EXIT_PROVIDER


def remedy(error: ParleyError) -> str | None:
    """What a person can do about it, where the message does not say it."""
    if error.retry_after is not None:
        return f"Try again in {ceil(error.retry_after)} s."
    if isinstance(error, StreamTruncatedError):
        came = error.partial is not None and error.partial.parts
        return "What came before is shown; ask again for the whole answer." if came else "Nothing came before that; ask again."
    if place := _place_in_a_provider(error):
        return f"It was raised in {place}; with LOG_LEVEL=debug the whole way to it is shown."
    for kind in type(error).__mro__:
        if kind in _REMEDIES:
            return _REMEDIES[kind]
    return _BY_ACTION.get(error.action)


def _place_in_a_provider(error: ParleyError) -> str:
    """Where an author's code raised what is no error of the contract; empty where it says more of itself than that."""
    foreign = error.__cause__
    if type(error) is not ProtocolError or foreign is None or isinstance(foreign, ParleyError):
        return ""
    return place_of(foreign)


def describe(error: ParleyError) -> Iterator[tuple[str, str]]:
    """The error as lines of (style, text): the message, the fields, the remedy, and what a bug report needs."""
    who = f"{error.provider}: " if error.provider and error.provider.lower() not in error.message.lower() else ""
    yield "bad", harmless(f"{who}{error.message}")
    for field in error.fields:
        if field.path not in error.message:
            yield "none", harmless(f"  {field.path}: {field.message}")
    if advice := remedy(error):
        yield "none", f"  → {advice}"
    details = [f"HTTP {error.status}" if error.status else "", str(error.code), f"request {error.request_id}" if error.request_id else ""]
    yield "note", harmless("  " + " · ".join(detail for detail in details if detail))


@contextmanager
def problems_shown(*, as_json: bool = False) -> Generator[None]:
    """Turn a ParleyError or an interrupt into words and an exit code; with `as_json` the error is the document on standard output."""
    import typer

    try:
        yield
    except ParleyError as error:
        if as_json:
            from parley.cli.documents import print_json

            print_json(problem_document(error))
        print_problem(error)
        raise typer.Exit(exit_code(error)) from error
    except KeyboardInterrupt as error:
        console(error=True).print("cancelled", style="note")
        raise typer.Exit(EXIT_INTERRUPTED) from error


def print_problem(error: ParleyError) -> None:
    """Write the error to standard error."""
    output = console(error=True)
    if error.partial is not None and error.partial.parts and output.is_terminal:
        output.print()
    for style, line in describe(error):
        output.print(line, style=style)
    if error.__cause__ is not None and debugging():
        output.print(harmless(scrub("".join(format_exception(error.__cause__)))), style="note", end="")


def problem_document(error: ParleyError) -> dict[str, Any]:
    """The error for --json, with what had been delivered before it."""
    document: dict[str, Any] = {"error": error.to_dict()}
    if error.partial is not None:
        from parley.cli.documents import reply_document

        document["partial"] = reply_document(error.partial)
    return document
