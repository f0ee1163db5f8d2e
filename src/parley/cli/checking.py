"""`parley provider check`: the checklist for a new provider as a program. Shows what the kit's rules find, and knows none of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from parley.testing.findings import Finding
    from parley.testing.rules import Rule
    from parley.testing.subject import Subject

EXIT_FAILED = 1
MANY = 4
"""So many rules that lack the same are told of together."""
_SIGNS = {"passed": ("✓", "good"), "failed": ("✗", "bad"), "not_run": ("–", "note"), "advice": ("○", "doubtful")}
_WORDS = {"passed": "held", "failed": "failed", "advice": "advice", "not_run": "not run"}
_SECTIONS = (
    "interface",
    "configuration",
    "registration",
    "environment variables",
    "panel entry",
    "unit tests",
    "contract",
    "streaming",
    "error handling",
    "faults",
    "limits",
    "documentation",
    "live",
)


def check(
    provider: Annotated[str, typer.Argument(metavar="PROVIDER", help="A NAME, a FILE, or package.module:object.")],
    recordings: Annotated[
        list[Path] | None, typer.Option("--recordings", metavar="PATH", help="Recordings of it: files, or folders of them.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Also ask the real service, with your key. Says first what it costs.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before --live.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="What is advice otherwise, fails.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Prove a provider: interface, configuration, contract, faults, streaming, documentation.

    Needs neither network nor key (but for --live). What the contract demands decides the exit code.
    """
    import asyncio

    from parley.cli.problems import problems_shown

    with problems_shown(as_json=as_json):
        subject = _subject(provider, recordings or [])
        rules = _rules(subject)
        if live:
            rules += _live_rules(subject, asked=yes, as_json=as_json)
        found = asyncio.run(_examined(subject, rules, quiet=as_json))
        failures = [finding for finding in found if finding.verdict == "failed" or (strict and finding.verdict == "advice")]
        if as_json:
            from parley.cli.documents import print_json

            print_json(_document(subject, found, passed=not failures))
        else:
            _print(subject, rules, found, strict=strict)
        if failures:
            raise typer.Exit(EXIT_FAILED)


def _subject(provider: str, recordings: Sequence[Path]) -> Subject:
    from parley.contract.errors import ConfigurationError
    from parley.registry.definition import UnusableProviderError
    from parley.testing.offline import kept_offline
    from parley.testing.subject import subject_of

    try:
        with kept_offline():
            return subject_of(provider, recordings=recordings)
    except UnusableProviderError as error:
        raise ConfigurationError(f"{provider} cannot be checked: {error}") from error


def _rules(subject: Subject) -> list[Rule]:
    from parley.testing.rules import rules_for

    return rules_for(subject)


def _live_rules(subject: Subject, *, asked: bool, as_json: bool) -> list[Rule]:
    """The rules that ask the real service, once somebody has agreed to what that costs."""
    from parley.contract.errors import ConfigurationError
    from parley.testing.live import LIVE_RULES, cost_of

    if not asked:
        if as_json:
            raise ConfigurationError("--live costs money: add --yes to agree to it")
        typer.echo(cost_of(subject))
        if not typer.confirm("Go on?", default=False):
            raise typer.Exit
    return list(LIVE_RULES)


async def _examined(subject: Subject, rules: Sequence[Rule], *, quiet: bool) -> list[Finding]:
    from parley.cli.terminal import console
    from parley.testing.rules import look

    output = console(error=True)
    if quiet or not output.is_terminal:
        return [finding for rule in rules for finding in await look(rule, subject)]
    found: list[Finding] = []
    with output.status("looking") as status:
        for rule in rules:
            status.update(f"{rule.title} …")
            found += await look(rule, subject)
    return found


def _document(subject: Subject, found: Sequence[Finding], *, passed: bool) -> dict[str, Any]:
    import msgspec

    return {
        "provider": subject.name,
        "origin": subject.definition.origin,
        "passed": passed,
        "counts": _counts(found),
        "findings": [msgspec.structs.asdict(finding) for finding in found],
    }


def _counts(found: Sequence[Finding]) -> dict[str, int]:
    return {verdict: sum(finding.verdict == verdict for finding in found) for verdict in _WORDS}


def _print(subject: Subject, rules: Sequence[Rule], found: Sequence[Finding], *, strict: bool) -> None:
    from msgspec import structs

    from parley.cli.terminal import console, harmless
    from parley.testing.findings import Finding

    output = console()
    kind = f"a dialect of {subject.codec.name}" if subject.codec is not None else "a class"
    output.print(f"{subject.name}, {kind} ({harmless(subject.definition.origin)})", style="heading")
    titles = {rule.name: rule.title for rule in rules}
    wanting = _wanting(found)
    for section in _SECTIONS:
        own = [finding for finding in found if finding.section == section and not _lacks(finding, wanting)]
        if own:
            output.print()
            output.print(section, style="heading")
            _print_section(output, own, titles)
    if wanting:
        output.print()
        output.print("not looked at", style="heading")
    for need, without in wanting.items():
        alike = [Finding(verdict="not_run", rule=rule, evidence="") for rule in without]
        _print_section(output, [structs.replace(alike[0], evidence=need), *alike[1:]], titles)
    counts = _counts(found)
    said = ", ".join(f"{counts[verdict]} {word}" for verdict, word in _WORDS.items() if counts[verdict])
    bad = bool(counts["failed"] or (strict and counts["advice"]))
    unseen = subject.observation == "none" and not bad
    output.print()
    sign, style = ("✗", "bad") if bad else ("–", "doubtful") if unseen else ("✓", "good")
    output.print(f"{sign} {subject.name}: {said}{'; how it answers was not seen' if unseen else ''}", style=style)


def _wanting(found: Sequence[Finding]) -> dict[str, list[str]]:
    """What many rules lack alike, with their names: it is said once."""
    by_need: dict[str, dict[str, None]] = {}
    for finding in found:
        if finding.verdict == "not_run":
            by_need.setdefault(finding.evidence, {})[finding.rule] = None
    return {need: list(rules) for need, rules in by_need.items() if len(rules) >= MANY}


def _lacks(finding: Finding, wanting: dict[str, list[str]]) -> bool:
    return finding.verdict == "not_run" and finding.evidence in wanting


def _print_section(output: Console, found: Sequence[Finding], titles: dict[str, str]) -> None:
    """A rule's name once, what it found below it or beside it."""
    from rich.table import Table
    from rich.text import Text

    from parley.cli.terminal import one_line, print_grid

    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    grid.add_column(width=36)
    grid.add_column(overflow="fold")
    last = ""
    for finding in found:
        sign, style = _SIGNS[finding.verdict]
        said = Text(one_line(_said(finding), longest=600), style="none" if finding.verdict in {"failed", "advice"} else "note")
        grid.add_row(Text(sign, style=style), "" if finding.rule == last else titles.get(finding.rule, finding.rule), said)
        last = finding.rule
        if finding.remedy and finding.verdict in {"failed", "advice"}:
            grid.add_row("", "", Text(f"→ {one_line(finding.remedy, longest=400)}"))
    print_grid(output, grid)


def _said(finding: Finding) -> str:
    return f"needs {finding.evidence}" if finding.verdict == "not_run" and finding.evidence else finding.evidence
