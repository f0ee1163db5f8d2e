"""`parley doctor`: what is set up, what works, and what to do about the rest. Shows a Checkup; tries nothing itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from parley.cli.notes import titled

if TYPE_CHECKING:
    from parley.cli.checkup import Checked, Checkup, LocalServer

Line: TypeAlias = tuple[str, str]
"""A mark, which says how it stands, and a text."""

_STYLES = {"✓": "good", "✗": "bad", "!": "doubtful", "·": "note"}


def doctor(
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write it for a bug report, without secrets, for example to report.json."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Check configuration, providers and local servers."""
    import asyncio

    from parley.cli.problems import EXIT_PROVIDER, problems_shown

    with problems_shown(as_json=as_json):
        from parley.cli.checkup import check_up
        from parley.cli.documents import print_json

        checkup = asyncio.run(check_up())
        if as_json:
            print_json(checkup)
        else:
            _print(checkup)
        if report is not None:
            _write(report, checkup)
        if not checkup.healthy:
            raise typer.Exit(EXIT_PROVIDER)


def _write(file: Path, checkup: Checkup) -> None:
    import msgspec

    from parley.cli.checkup import scrubbed
    from parley.contract.errors import InvalidRequestError

    document = scrubbed(msgspec.to_builtins(checkup))
    text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
    try:
        file.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise InvalidRequestError(f"the report cannot be written to {file}: {error.strerror}") from error
    typer.echo(f"written to {file}; read it before you send it on", err=True)


def _print(checkup: Checkup) -> None:
    from rich.table import Table
    from rich.text import Text

    from parley.cli.terminal import console, harmless, print_grid

    output = console()
    for title, lines in _sections(checkup):
        output.print(Text(title, style="heading"))
        grid = Table.grid(padding=(0, 1))
        for mark, line in lines:
            grid.add_row(Text(f"  {mark}", style=_STYLES[mark]), Text(harmless(line), style="note" if mark == "·" else "none"))
        print_grid(output, grid)
        output.print()


def _sections(checkup: Checkup) -> Iterator[tuple[str, list[Line]]]:
    yield "Parley", [("·", f"{checkup.version}, {checkup.python}, {checkup.platform}")]
    yield "Configuration", _configuration(checkup)
    nobody: list[Line] = [("·", "none is set up; set the key of one that is listed below")]
    yield "Providers", [_provider_line(checked) for checked in checkup.providers] or nobody
    yield "Local servers", [_server_line(server) for server in checkup.local_servers]
    if checkup.unconfigured:
        yield "Not set up", [("·", f"{name}: {advice}" if advice else name) for name, advice in checkup.unconfigured.items()]


def _configuration(checkup: Checkup) -> list[Line]:
    lines: list[Line] = [("·", f"read {file}") for file in checkup.files] or [("·", "no .env and no parley.toml here")]
    lines += [("·", f"{field} ← {origin}") for field, origin in checkup.origins.items()]
    lines += [("✗", problem) for problem in checkup.problems]
    lines += [("!", f"{found} is set and means nothing; did you mean {meant}?") for found, meant in checkup.mistyped.items()]
    lines += [
        ("!", f'{place} holds a secret in plain text; put it in a variable and write "env:NAME" here') for place in checkup.literal_secrets
    ]
    if checkup.default_problem is None:
        lines.append(("·", f"answers where nobody is named: {checkup.default}"))
    else:
        lines.append(("✗", f"default: {checkup.default_problem}"))
    return lines


def _provider_line(checked: Checked) -> Line:
    took = f" ({checked.latency_ms:.0f} ms)" if checked.latency_ms else ""
    return "✓" if checked.success else "✗", f"{titled(checked.name, checked.message)}{took}"


def _server_line(server: LocalServer) -> Line:
    mark = "✓" if server.success else "!" if server.listening else "·"
    return mark, f"{server.name} ({server.endpoint}): {server.message}"
