"""Shows the fault wall's table, and serves one of its faults at real speed. Knows no fault by name."""

from __future__ import annotations

import sys

from parley.cli.terminal import console, print_grid
from parley.contract.errors import InvalidRequestError
from parley.guard.suggestions import did_you_mean
from parley.testing import replay
from parley.testing.fault_trials import Fault, NotExpressible, Way
from parley.testing.fault_wall import wall_sample
from parley.testing.faults import FAULTS, fault_named
from parley.testing.samples import WRITERS


def listed() -> list[dict[str, object]]:
    """Every fault, as a document."""
    return [
        {
            "name": fault.name,
            "number": fault.number,
            "title": fault.title,
            "right": fault.conduct,
            "ways": list(fault.ways),
            "hostile": fault.hostile,
        }
        for fault in FAULTS
    ]


def show() -> None:
    """Print the table."""
    from rich.table import Table
    from rich.text import Text

    output = console()
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="heading")
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("name", no_wrap=True)
    table.add_column("what the provider does", overflow="fold")
    table.add_column("what is right", overflow="fold")
    for fault in FAULTS:
        number = "" if fault.number is None else str(fault.number)
        table.add_row(Text(number, style="note"), Text(fault.name, style="heading"), Text(fault.title), Text(fault.conduct, style="note"))
    print_grid(output, table)


def serve(name: str, *, wire: str | None, way: Way, port: int) -> None:
    """Serve the fault until interrupted; say where, and what is right. Raises InvalidRequestError where it cannot be served."""
    fault = fault_named(name)
    wire = wire or next(iter(WRITERS)).replace("_", "-")
    answers = _answers(fault, wire, way)

    def ready(server: replay.ReplayServer) -> None:
        sys.stdout.write(
            f"{fault.name} is served at {server.url} until Ctrl-C, to calls that are {way}, on the wire {wire}.\n"
            f"  It does:   {fault.title}\n"
            f"  Right is:  {fault.conduct}\n"
        )
        sys.stdout.flush()

    try:
        replay.serve(*answers, port=port, ready=ready)
    except OSError as error:
        raise InvalidRequestError(f"port {port} cannot be used: {error.strerror}; choose another with --port") from error


def _answers(fault: Fault, wire: str, way: Way) -> list[replay.Answer]:
    known = wire.replace("-", "_")
    sample = wall_sample(known)
    if sample is None:
        names = [each.replace("_", "-") for each in WRITERS]
        raise InvalidRequestError(f"--wire {wire!r} is no wire that ships; choose one of {', '.join(names)}.{did_you_mean(wire, names)}")
    if fault.listening != "open":
        raise InvalidRequestError(f"{fault.name} is an address that takes no connection; there is nothing to serve")
    if fault.expected(way) is None:
        other = "without" if way == "complete" else "with"
        raise InvalidRequestError(f"{fault.name} is no fault of a {way} call; ask {other} --complete")
    try:
        return list(fault.answers(sample, way))
    except NotExpressible as reason:
        raise InvalidRequestError(f"{fault.name} cannot be served: {reason}") from reason
