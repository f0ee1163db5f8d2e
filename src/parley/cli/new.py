"""`parley provider new`: asks or is told what a new provider is, writes its files, says what to do next. Knows no template."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from parley.providers import COMPATIBLE

if TYPE_CHECKING:
    from parley.cli.scaffold.flags import Plan, Wanted

AnyKind: TypeAlias = Literal["dialect", "wire", "class", "package"]
Inside: TypeAlias = Literal["dialect", "wire", "class"]


def new(  # noqa: PLR0913, PLR0917 - one parameter for each flag: Typer reads them from the signature
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called: a-z, 0-9 and -.")],
    kind: Annotated[
        AnyKind | None,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="dialect (of a wire that Parley knows), wire (one of its own), class (anything else) or package (round one of these).",
        ),
    ] = None,
    inside: Annotated[
        Inside | None, typer.Option("--inside", metavar="KIND", help="What a package is made round: dialect, wire or class.")
    ] = None,
    wire: Annotated[str | None, typer.Option("--wire", metavar="WIRE", help=f"A dialect's wire; without it, that of {COMPATIBLE}.")] = None,
    endpoint: Annotated[str | None, typer.Option("--endpoint", metavar="URL", help="Base URL, with its version prefix.")] = None,
    from_url: Annotated[
        str | None, typer.Option("--from-url", metavar="URL", help=f"Ask a running server for its models ({COMPATIBLE}).")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="MODEL", help="The model used where a request names none.")] = None,
    label: Annotated[str | None, typer.Option("--label", metavar="TEXT", help="How people are shown it.")] = None,
    to: Annotated[Path | None, typer.Option("--to", metavar="FOLDER", help="Where to write it.")] = None,
) -> None:
    """Write a new provider, with its test.

    Without --endpoint or --from-url it asks; with one of them it asks nothing. No file is ever overwritten.
    """
    from parley.cli.problems import problems_shown
    from parley.cli.scaffold.flags import Wanted

    wanted = Wanted(name=name, kind=kind, inside=inside, wire=wire, endpoint=endpoint, from_url=from_url, model=model, label=label, to=to)
    with problems_shown():
        _write(wanted)


def _write(wanted: Wanted) -> None:
    from parley.cli.scaffold.flags import check_flags, draft_of, plan_of, write_files
    from parley.cli.scaffold.names import check_name
    from parley.cli.scaffold.questions import agreed_name, asked
    from parley.registry.loading import Registry

    interactive = sys.stdin.isatty()
    registry = Registry.from_environment(forgiving=True)
    wanted = agreed_name(wanted, interactive=interactive)
    check_name(wanted.name, registry)
    check_flags(wanted)
    if interactive:
        wanted = asked(wanted)
    draft, notes = draft_of(wanted, registry.environment)
    plan = plan_of(draft, wanted, registry)
    write_files(plan.files)
    _tell(plan, notes)


def _tell(plan: Plan, notes: list[str]) -> None:
    from parley.cli.scaffold.flags import shown
    from parley.cli.terminal import console, harmless

    output = console()
    for path, text in plan.files.items():
        output.print(f"✓ {harmless(shown(path))}", style="good", end="")
        count = len(text.splitlines())
        output.print(f"  {count} {'line' if count == 1 else 'lines'}", style="note")
    for note in (*notes, *plan.notes):
        output.print(f"! {harmless(note)}", style="doubtful")
    output.print("\nNext:")
    for number, step in enumerate(plan.steps, start=1):
        output.print(f"  {number}. {harmless(step)}")
