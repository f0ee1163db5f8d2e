"""What holds for every command: version, configuration file, logging. Knows no command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def _print_version(wanted: bool) -> None:
    if wanted:
        from parley import __version__

        typer.echo(f"parley {__version__}")
        raise typer.Exit


def entry(
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Use this parley.toml.")] = None,
    _version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Talk to any AI provider, through one contract."""
    if config is not None:
        os.environ["PARLEY_CONFIG"] = str(config.absolute())
    _configure_logging()


def _configure_logging() -> None:
    from parley.cli.problems import problems_shown
    from parley.contract.errors import ConfigurationError
    from parley.registry.environment import Environment
    from parley.telemetry import configure

    with problems_shown():
        try:
            environment = Environment.read()
        except ConfigurationError:
            environment = Environment(os.environ)  # the command itself tells what is wrong with .env
        content = (environment.get("LOG_CONTENT") or "off").strip().lower()
        if content not in {"on", "off"}:
            raise ConfigurationError("LOG_CONTENT must be on or off: whether the contents of messages are logged")
        try:
            configure((environment.get("LOG_LEVEL") or "error").strip(), content == "on")
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
