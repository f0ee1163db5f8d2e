"""`parley provider …`: try one, show what sets it up and what it can, record and replay what it sends, serve what none should send.

Knows the registry, no wire.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from parley.contract.response import ConnectionStatus
    from parley.registry.description import ProviderDescription
    from parley.registry.loading import Registry


def test_connection(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name that `parley providers` lists.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,  # noqa: PT028 - no pytest test
) -> None:
    """Say whether a provider can be reached and accepts the key."""
    import asyncio

    from parley.cli.problems import EXIT_PROVIDER, problems_shown

    with problems_shown(as_json=as_json):
        status = asyncio.run(_tested(name))
        if as_json:
            from parley.cli.documents import print_json

            print_json({"success": status.success, "provider": status.provider, "error": status.error, "latency_ms": status.latency_ms})
        else:
            _print_status(status)
        if not status.success:
            raise typer.Exit(EXIT_PROVIDER)


async def _tested(name: str) -> ConnectionStatus:
    from parley.registry.loading import Registry

    registry = Registry.from_environment()
    try:
        return await registry.get(name).test_connection()
    finally:
        await registry.aclose()


def _print_status(status: ConnectionStatus) -> None:
    from parley.cli.notes import titled
    from parley.cli.terminal import console, harmless

    if status.success:
        took = f" ({status.latency_ms:.0f} ms)" if status.latency_ms is not None else ""
        console().print(f"✓ {status.provider} answers{took}", style="good")
    else:
        console(error=True).print(f"✗ {harmless(titled(status.provider, status.error or 'no reason given'))}", style="bad")


def env(name: Annotated[str, typer.Argument(metavar="NAME", help="A name that `parley providers` lists.")]) -> None:
    """Print the lines for .env that set a provider up, each with its explanation."""
    from parley.cli.problems import problems_shown
    from parley.registry.environment_block import environment_block
    from parley.registry.loading import Registry

    with problems_shown():
        typer.echo(environment_block(_usable(Registry.from_environment(), name)), nl=False)


def docs(name: Annotated[str, typer.Argument(metavar="NAME", help="A name that `parley providers` lists.")]) -> None:
    """Print a provider's page of documentation, in Markdown: configuration, models, features and their proof, limits, errors."""
    from parley.cli.problems import problems_shown
    from parley.registry.loading import Registry
    from parley.registry.proof import read_proof
    from parley.registry.provider_page import provider_page

    with problems_shown():
        registry = Registry.from_environment()
        typer.echo(provider_page(_usable(registry, name), wire=registry.wire(name), proof=read_proof()), nl=False)


def _usable(registry: Registry, name: str) -> ProviderDescription:
    """The provider's description. Raises ConfigurationError with the reason where it is in quarantine."""
    from parley.contract.errors import ConfigurationError

    description = registry.describe(name)
    if description.status == "quarantined":
        raise ConfigurationError(f"{name} ({description.origin}) cannot be used: {description.reason}", provider=name)
    return description


def record(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name that `parley providers` lists.")],
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where to save them.")] = Path("recordings"),
    model: Annotated[str | None, typer.Option("--model", "-m", metavar="MODEL", help="Which of the provider's models.")] = None,
    only: Annotated[
        str, typer.Option("--only", metavar="LIST", help="Some of text,stream,tools,image,structured,reasoning,error (else: all).")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before requests are sent.")] = False,
) -> None:
    """Save real exchanges of a provider, made with your key, without anything secret in them.

    Says first what will be asked and what it may cost. `parley provider check` and the provider's test find them in ./recordings.
    """
    from parley.cli.problems import EXIT_PROVIDER, problems_shown

    with problems_shown():
        from parley.cli import recording

        if not recording.run(name, folder=to, model=model, only=only, agreed=yes):
            raise typer.Exit(EXIT_PROVIDER)


def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recorded exchange.")],
    provider: Annotated[
        str | None, typer.Option("--provider", "-p", metavar="NAME", help="Who reads it (else: found by its wire).")
    ] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Go on serving it, for any program to talk to.")] = False,
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="Where to serve it (0: any free port).")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the reply as JSON.")] = False,
) -> None:
    """Send a recording through its provider by a real local server, and show what arrives."""
    from parley.cli.problems import problems_shown

    with problems_shown(as_json=as_json):
        from parley.cli import replaying

        recording = replaying.read(file)
        reader = replaying.reader_of(recording, provider)
        if serve:
            replaying.serve(recording, reader, port=port)
        else:
            replaying.show(recording, reader, port=port, as_json=as_json)


def faults(
    name: Annotated[str | None, typer.Option("--serve", metavar="NAME", help="Serve this fault, for any program to meet.")] = None,
    wire: Annotated[str | None, typer.Option("--wire", metavar="WIRE", help="The wire that it speaks (else: chat completions).")] = None,
    complete: Annotated[bool, typer.Option("--complete", help="Serve what a call that does not stream is answered.")] = False,
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="Where to serve it (0: any free port).")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """List the ways in which a provider can misbehave and what is right then, or serve one of them."""
    from parley.cli.problems import problems_shown

    with problems_shown(as_json=as_json):
        from parley.cli import faulting

        if name is not None:
            faulting.serve(name, wire=wire, way="complete" if complete else "streamed", port=port)
        elif as_json:
            from parley.cli.documents import print_json

            print_json(faulting.listed())
        else:
            faulting.show()
