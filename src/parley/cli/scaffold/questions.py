"""The few questions of `parley provider new`, with defaults. Knows the terminal; writes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from msgspec import structs

from parley.cli.scaffold.drafts import KINDS, default_wire, wires
from parley.cli.scaffold.flags import Wanted, text_problem
from parley.cli.scaffold.names import malformed, suggested_name
from parley.registry.checks import endpoint_problem

_EXPLAINED = {
    "dialect": "speaks a wire that Parley knows",
    "wire": "speaks HTTP in its own way",
    "class": "anything else: an SDK, a local engine",
    "package": "one of these, to be installed and published",
}


def agreed_name(wanted: Wanted, *, interactive: bool) -> Wanted:
    """With a name that keeps the rule: the suggested one where somebody agrees to it. Raises InvalidRequestError."""
    problem = malformed(wanted.name)
    if problem is None:
        return wanted
    suggestion = suggested_name(wanted.name)
    if not interactive or suggestion is None or malformed(suggestion) is not None:
        raise problem
    typer.echo(problem.message)
    if not typer.confirm(f"Shall it be called {suggestion}?", default=True):
        raise problem
    label = wanted.label or (wanted.name if text_problem(wanted.name) is None else None)
    return structs.replace(wanted, name=suggestion, label=label)


def asked(wanted: Wanted) -> Wanted:
    """With answers to what the flags left open; nothing is asked where they say where the provider is."""
    if wanted.endpoint is not None or wanted.from_url is not None:
        return wanted
    if wanted.kind is None:
        wanted = structs.replace(wanted, kind=_choice("What is it", (*KINDS, "package")))
    if wanted.kind == "package" and wanted.inside is None:
        wanted = structs.replace(wanted, inside=_choice("What is inside", KINDS))
    if wanted.inner_kind == "dialect" and wanted.wire is None:
        wanted = structs.replace(wanted, wire=_one_of(f"Wire ({', '.join(wires())})", list(wires()), default=default_wire()))
    endpoint = typer.prompt("Base URL with its version prefix, such as https://api.acme.example/v1", value_proc=_endpoint)
    model = wanted.model
    if model is None:
        model = typer.prompt("Model used where a request names none (Enter: none)", default="", show_default=False, value_proc=_text)
    return structs.replace(wanted, endpoint=endpoint, model=model)


def _choice(question: str, choices: tuple[str, ...]) -> str:
    for choice in choices:
        typer.echo(f"  {choice:<8} {_EXPLAINED[choice]}")
    return _one_of(question, choices, default=choices[0])


def _one_of(question: str, choices: Sequence[str], *, default: str) -> str:
    def read(text: str) -> str:
        if text.strip() not in choices:
            raise typer.BadParameter(f"it must be one of {', '.join(choices)}")
        return text.strip()

    return typer.prompt(question, default=default, value_proc=read)


def _endpoint(text: str) -> str:
    if problem := endpoint_problem(text.strip()):
        raise typer.BadParameter(f"it {problem}")
    return text.strip()


def _text(text: str) -> str:
    if problem := text_problem(text.strip()):
        raise typer.BadParameter(f"it {problem}")
    return text.strip()
