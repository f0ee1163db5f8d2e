"""`parley doctor`: what is set up, what works, and what to do about the rest. Shows a Checkup; tries nothing itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from parley.cli.checkup import Checkup


def doctor(
    report: Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write it for a bug report, without secrets.")] = None,
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

    text = scrubbed(msgspec.json.format(msgspec.json.encode(checkup), indent=2).decode())
    try:
        file.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise InvalidRequestError(f"the report cannot be written to {file}: {error.strerror}") from error
    typer.echo(f"written to {file}; read it before you send it on", err=True)


def _print(checkup: Checkup) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from parley.cli.terminal import console, harmless

    output = console()
    for title, lines in _sections(checkup):
        output.print(Text(title, style="heading"))
        for mark, style, line in lines:
            text = Text.assemble((f"{mark} ", style), (harmless(line), "none" if style != "note" else "note"))
            output.print(Padding(text, (0, 0, 0, 2)))
        output.print()


def _sections(checkup: Checkup) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Title, and lines of mark, style and text."""
    yield "Parley", [("·", "note", f"{checkup.version}, {checkup.python}, {checkup.platform}")]
    yield "Configuration", _configuration(checkup)
    yield (
        "Providers",
        [
            (
                "✓" if checked.success else "✗",
                "good" if checked.success else "bad",
                f"{checked.name}: {checked.message}" + (f" ({checked.latency_ms:.0f} ms)" if checked.latency_ms else ""),
            )
            for checked in checkup.providers
        ]
        or [("·", "note", "none is set up; set the key of one, as listed below")],
    )
    yield (
        "Local servers",
        [
            (
                "✓" if server.success else "!" if server.listening else "·",
                _style(server.success, server.listening),
                _place(server.name, server.endpoint, server.message),
            )
            for server in checkup.local_servers
        ],
    )
    yield (
        "Not set up",
        [("·", "note", f"{name}: {advice}" if advice else name) for name, advice in checkup.unconfigured.items()],
    )


def _style(success: bool, listening: bool) -> str:
    return "good" if success else "doubtful" if listening else "note"


def _place(name: str, endpoint: str, message: str) -> str:
    return f"{name} ({endpoint}): {message}"


def _configuration(checkup: Checkup) -> list[tuple[str, str, str]]:
    lines = [("·", "note", f"read {file}") for file in checkup.files] or [("·", "note", "no .env and no parley.toml here")]
    lines += [("·", "note", f"{field} ← {origin}") for field, origin in checkup.origins.items()]
    lines += [("✗", "bad", problem) for problem in checkup.problems]
    lines += [
        ("!", "doubtful", f'{place} holds a secret in plain text; put it in a variable and write "env:NAME" here')
        for place in checkup.literal_secrets
    ]
    if checkup.default_problem is not None:
        lines.append(("✗", "bad", f"default: {checkup.default_problem}"))
    else:
        lines.append(("·", "note", f"answers where nobody is named: {checkup.default}"))
    return lines
