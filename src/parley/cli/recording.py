"""Shows a recording session: what will be asked, whether it may be, and what became of each exchange. Sends nothing itself."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from contextlib import aclosing
from pathlib import Path
from shlex import quote
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from parley.cli.terminal import console, one_line, print_grid
from parley.contract.errors import InvalidRequestError
from parley.contract.usage import Usage
from parley.dispatch.pricing import pricing_of
from parley.guard.tokens import FamilyTokenCounter
from parley.registry.discovery import BUILT_IN
from parley.registry.loading import Registry
from parley.testing.record import Outcome, Session, prepare, record
from parley.testing.recordings import OWN_DIRECTORY

NARROW = 80
"""Columns below which what there is to say of an exchange stands on lines of its own."""
MARKS = {"saved": ("✓", "good"), "doubtful": ("!", "doubtful"), "failed": ("✗", "bad"), "left out": ("–", "note")}


def run(name: str, *, folder: Path, model: str | None, only: str, agreed: bool) -> bool:
    """Record the provider; whether every exchange was saved as it was hoped for.

    Raises InvalidRequestError where nobody can be asked for consent.
    """
    subjects = [subject.strip() for subject in only.split(",") if subject.strip()]
    session = prepare(Registry.from_environment(), name, folder=folder, model=model, only=subjects)
    output = console()
    _announce(session, output)
    if not session.exchanges:
        output.print("Nothing is left to ask for.", style="note")
        return False
    if not agreed and not _agreed():
        output.print("nothing was sent", style="note")
        return False
    output.print()
    outcomes = asyncio.run(_shown(session, output))
    _sum_up(session, outcomes, output)
    return all(outcome.verdict in {"saved", "left out"} for outcome in outcomes) and any(outcome.files for outcome in outcomes)


def _announce(session: Session, output: Console) -> None:
    """What will be asked of whom and what it may cost, before anything is sent."""
    count, most = len(session.exchanges), sum(exchange.max_tokens for exchange in session.exchanges if not exchange.fails)
    key = f"your key ({session.key_origin})" if session.key_origin else "no key"
    requests = "1 request" if count == 1 else f"{count} requests"
    output.print(Text(one_line(f"Recording {session.label} ({session.provider}), model {session.model}"), style="heading"))
    output.print()
    rows = [
        ("sends", f"{requests} to {urlsplit(session.endpoint).netloc}, with {key}"),
        ("costs", f"a few hundred tokens of input, at most {most:,} of output: {_dollars(session)}"),
        ("asks for", ", ".join(_asked_for(session)) or "nothing"),
        *[("leaves out", f"{names}: {reason}") for reason, names in _left_out(session).items()],
        ("saves", f"in {session.folder}, without keys, accounts and addresses"),
    ]
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for index, (title, text) in enumerate(rows):
        grid.add_row(Text("" if index and rows[index - 1][0] == title else f"  {title}", style="note"), Text(one_line(text, longest=400)))
    print_grid(output, grid)


def _dollars(session: Session) -> str:
    """What that is in money, at most, where the price is known."""
    asked = [exchange for exchange in session.exchanges if not exchange.fails]
    price = pricing_of(session.registry, session.provider).price(session.model)
    if price is None:
        return f"what {session.model} costs is not known here"
    counter = FamilyTokenCounter()
    read = sum(counter.count_prompt(exchange.request, model=session.model) for exchange in asked)
    written = sum(exchange.max_tokens for exchange in asked)
    most = price.cost(Usage(prompt_tokens=read, completion_tokens=written, total_tokens=read + written)) + price.per_request * len(
        asked[1:]
    )
    return f"${most:.4f} at most, by {price.source} on {price.as_of}" if price.source else f"${most:.4f} at most"


def _asked_for(session: Session) -> list[str]:
    """Each exchange with the bound on its answer, those of one bound together."""
    by_bound: dict[int, list[str]] = {}
    for exchange in session.exchanges:
        by_bound.setdefault(exchange.max_tokens, []).append(exchange.name)
    return [f"{', '.join(names)} (≤ {bound:,} tokens{' each' if len(names) > 1 else ''})" for bound, names in by_bound.items()]


def _left_out(session: Session) -> dict[str, str]:
    by_reason: dict[str, list[str]] = {}
    for name, reason in session.left_out.items():
        by_reason.setdefault(reason, []).append(name)
    return {reason: ", ".join(names) for reason, names in by_reason.items()}


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise InvalidRequestError("recording sends real requests, and nobody can be asked here whether it may; add --yes")
    typer.echo()
    return typer.confirm("Send them?", default=False)


async def _shown(session: Session, output: Console) -> list[Outcome]:
    """Record, a line for each exchange as soon as it is over."""
    outcomes: list[Outcome] = []
    width = max(len(exchange.name) for exchange in session.exchanges)
    waiting = iter([exchange.name for exchange in session.exchanges])
    async with aclosing(record(session)) as recorded:
        while True:
            with output.status(Text(f"{next(waiting, '')} …", style="note"), spinner="dots"):
                outcome = await anext(recorded, None)
            if outcome is None:
                return outcomes
            outcomes.append(outcome)
            _print_outcome(outcome, session, output, width=width)


def _print_outcome(outcome: Outcome, session: Session, output: Console, *, width: int) -> None:
    """Mark, name, status and time; then where it was saved and what there is to say, where that has room in the same line."""
    mark, style = MARKS[outcome.verdict]
    took = f"{outcome.seconds:.1f} s" if outcome.status else ""
    saved = ", ".join(path.relative_to(session.folder).as_posix() for path in outcome.files)
    details = [Text(one_line(saved))] if saved else []
    details += [Text(one_line(outcome.reason, longest=500), style=style)] if outcome.reason else []
    grid = Table.grid(padding=(0, 2, 0, 0))
    for column_width in (3, width, 3, 6):
        grid.add_column(width=column_width, no_wrap=True)
    grid.add_column(overflow="fold")
    beside = output.width >= NARROW
    cells = [Text(f"  {mark}", style=style), Text(outcome.name), Text(str(outcome.status or ""), style="note")]
    grid.add_row(*cells, Text(took, style="note", justify="right"), Text("\n").join(details) if beside else "")
    print_grid(output, grid)
    for detail in [] if beside else details:
        output.print(Padding(detail, (0, 0, 0, 5)))


def _sum_up(session: Session, outcomes: list[Outcome], output: Console) -> None:
    files = [path for outcome in outcomes for path in outcome.files]
    counts = Counter(outcome.verdict for outcome in outcomes)
    words = [f"{len(files)} saved in {session.folder}"]
    if counts["doubtful"]:
        words.append(f"{counts['doubtful']} of them to look at")
    if counts["failed"]:
        words.append(f"{counts['failed']} not recorded")
    output.print()
    output.print(one_line(", ".join(words), longest=400))
    if files:
        for line in (*_check_of(session), f"parley provider replay {quote(str(files[0]))}"):
            output.print(f"  {one_line(line, longest=400)}", style="note", soft_wrap=True)


def _check_of(session: Session) -> list[str]:
    """The command that reads what was saved; by itself it looks where recordings are saved unless told otherwise."""
    if session.registry.describe(session.provider).origin == BUILT_IN:
        return [f"export PARLEY_RECORDINGS={quote(str(session.folder.resolve()))}"]
    found = session.folder.resolve() == Path(OWN_DIRECTORY).resolve()
    return [f"parley provider check {session.provider}" + ("" if found else f" --recordings {quote(str(session.folder))}")]
