"""`parley providers`: who can be asked, and what is missing where somebody cannot. Knows the registry's descriptions only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from parley.providers import COMPATIBLE

if TYPE_CHECKING:
    from parley.registry.description import ProviderDescription

NARROW = 80
"""Columns below which the default models are left out, so that what to do stays readable."""

_STYLES = {"ready": "good", "not checked": "note", "unconfigured": "note", "quarantined": "bad"}


def providers(as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False) -> None:
    """List the providers and where their keys come from."""
    from parley.cli.problems import problems_shown
    from parley.registry.loading import Registry

    with problems_shown(as_json=as_json):
        registry = Registry.from_environment()
        descriptions = registry.descriptions()
        if as_json:
            from parley.cli.documents import print_json

            print_json([_document(description) for description in descriptions])
        else:
            _print_table(descriptions)
            for route in registry.routes:
                typer.echo(f"route {route.name} ({route.strategy}): {', '.join(target.model for target in route.targets)}")
        for problem in registry.problems():
            typer.echo(f"! {problem.path}: {problem.message}", err=True)


def _document(description: ProviderDescription) -> dict[str, object]:
    import msgspec

    return msgspec.to_builtins(description, enc_hook=_type_name) | {"key_origin": key_origin(description)}


def _type_name(kind: object) -> str:
    """How the type of a provider's own option is written."""
    return kind.__name__ if isinstance(kind, type) else str(kind).removeprefix("typing.")


def key_origin(description: ProviderDescription) -> str | None:
    """Where the key comes from, in words; None where there is none."""
    return next((field.origin for field in description.fields if field.name == "api_key"), None)


def what_to_set(description: ProviderDescription) -> str:
    """The variables that an unconfigured provider waits for: "set ACME_API_KEY"."""
    missing = [field.variables[0] for field in description.fields if field.required and field.origin is None]
    return f"set {' and '.join(missing)}" if missing else ""


def _status(description: ProviderDescription) -> str:
    """A provider of which nothing was ever recorded says so."""
    unproven = description.proven == "claimed" and description.status != "quarantined"
    return f"{_standing(description)}, claimed" if unproven else _standing(description)


def _standing(description: ProviderDescription) -> str:
    """Nobody has looked whether a server on this machine runs."""
    return "not checked" if description.local and description.status == "ready" else description.status


def _why(description: ProviderDescription) -> str:
    if description.status == "ready":
        return "; ".join(_remarks(description))
    return (not description.configured and what_to_set(description)) or description.reason or ""


def _remarks(description: ProviderDescription) -> list[str]:
    """What to know of one that is ready: a server on this machine is listed without a look at whether it runs."""
    variables = {field.name: field.variables[0] for field in description.fields}
    remarks = [key_origin(description) or ("" if description.local else "needs no key")]
    if description.local:
        remarks.append(f"`parley provider test {description.name}`")
    if not description.model and (description.local or description.provider == COMPATIBLE):
        remarks.append(f"no model set: {variables['model']}")
    return [remark for remark in remarks if remark]


def _print_table(descriptions: list[ProviderDescription]) -> None:
    from rich.table import Table
    from rich.text import Text

    from parley.cli.terminal import console, one_line, print_grid

    output = console()
    with_model = output.width >= NARROW
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="heading")
    table.add_column("name", no_wrap=True)
    table.add_column("status", no_wrap=True)
    if with_model:
        table.add_column("default model", overflow="fold")
    table.add_column("key, or what to do", overflow="fold")
    for description in sorted(descriptions, key=lambda each: each.status != "ready"):
        table.add_row(
            Text(description.name, style="heading" if description.status == "ready" else "none"),
            Text(_status(description), style=_STYLES[_standing(description)]),
            *([Text(one_line(description.model))] if with_model else []),
            Text(one_line(_why(description), longest=300), style="note"),
        )
    print_grid(output, table)
