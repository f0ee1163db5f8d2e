"""The command `parley`: builds its commands and starts them. Knows what the commands are called, not what they do."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    import typer


def run() -> None:
    """The entry point."""
    from typer.main import get_command

    sys.excepthook = report_unexpected
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character must not end the program.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    # Not the application itself: calling that puts typer's hook in the place of ours.
    get_command(application())()


def report_unexpected(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Say in a line that Parley itself failed; the traceback only for who asks for it."""
    from parley.telemetry import scrub

    if os.environ.get("LOG_LEVEL", "").lower() == "debug":
        from traceback import format_exception

        sys.stderr.write(scrub("".join(format_exception(kind, error, traceback))))
        return
    sys.stderr.write(f"parley failed unexpectedly: {scrub(f'{kind.__name__}: {error}')}\n")
    sys.stderr.write("  → LOG_LEVEL=debug shows the traceback; `parley doctor --report FILE` writes what a bug report needs.\n")


def application() -> typer.Typer:
    """The commands, without what they need to run: that is imported when one of them starts."""
    import typer

    from parley.cli import checking, key, local, provider
    from parley.cli.chat import chat
    from parley.cli.doctor import doctor
    from parley.cli.entry import entry
    from parley.cli.new import new
    from parley.cli.providers import providers
    from parley.cli.serve import serve

    # Plain help: Rich's takes as long to import as all the rest.
    built = typer.Typer(name="parley", no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    built.callback()(entry)
    built.command()(serve)
    built.command()(chat)
    built.command()(providers)
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Write a provider, prove it, set it up, record and replay it.")
    group.command("new")(new)
    group.command("test")(provider.test_connection)
    group.command("env")(provider.env)
    group.command("docs")(provider.docs)
    group.command("record")(provider.record)
    group.command("check")(checking.check)
    group.command("replay")(provider.replay)
    group.command("faults")(provider.faults)
    built.add_typer(group, name="provider")
    keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Keys for programs that call the server.")
    # Without a callback, Typer takes a group's only command for the group itself.
    keys.callback()(lambda: None)
    keys.command("new")(key.new)
    built.add_typer(keys, name="key")
    models = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Models that Parley runs itself, on this machine.")
    models.command("add")(local.add)
    models.command("list")(local.list_models)
    models.command("remove")(local.remove)
    built.add_typer(models, name="local")
    built.command()(doctor)
    return built
