"""`parley local …`: take in, list and remove models that run on this machine. Knows where they are kept, not how they are run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from parley.local.download import Offer
    from parley.local.gguf import ModelFile
    from parley.local.store import ModelStore


def add(
    source: Annotated[str, typer.Argument(metavar="PATH|URL", help="A GGUF file, or the address of one.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="What it is asked for by; else the name of the file.")] = "",
    sha256: Annotated[str, typer.Option("--sha256", metavar="HEX", help="Take the file only if this is its SHA-256.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; take it.")] = False,
) -> None:
    """Look at a model file, say what it is and whether it can run here, and take it in.

    Afterwards `parley chat -m local/NAME` talks to it.
    """
    from parley.cli.problems import problems_shown
    from parley.cli.terminal import console
    from parley.local.download import is_url

    with problems_shown():
        store, output = _store(), console()
        _check_hash(sha256)
        if is_url(source):
            _add_from_web(source, name, sha256=sha256, yes=yes, store=store)
        else:
            _add_file(Path(source).expanduser(), name, sha256=sha256, store=store)
        output.print("  → parley chat -m local/" + _name(source, name), style="note", soft_wrap=True)


def list_models() -> None:
    """List the models that were added."""
    from rich.table import Table
    from rich.text import Text

    from parley.cli.problems import problems_shown
    from parley.cli.terminal import console, one_line, print_grid
    from parley.local.store import shown_bytes

    with problems_shown():
        store, output = _store(), console()
        models = store.list()
        if not models:
            output.print(f"No model was added to {store.directory} yet: `parley local add PATH|URL` does.", soft_wrap=True)
            return
        table = Table(box=None, pad_edge=False, header_style="note")
        for column in ("name", "size", "what it is"):
            table.add_column(column, overflow="fold", justify="right" if column == "size" else "left")
        for model in models:
            words = Text(one_line(model.problem), style="bad") if model.problem else Text(one_line(_kind(model.file)))
            table.add_row(Text(model.name, style="heading"), shown_bytes(model.size_bytes), words)
        print_grid(output, table)


def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name that `parley local list` shows.")],
) -> None:
    """Forget a model that was added, and delete its file here."""
    from parley.cli.problems import problems_shown
    from parley.cli.terminal import console

    with problems_shown():
        _store().remove(name)
        console().print(f"✓ {name} was removed", style="good")


def _store() -> ModelStore:
    from parley.local.store import ModelStore
    from parley.registry.environment import Environment

    found = Environment.read(directory=Path.cwd()).find(["LOCAL_DATA_DIRECTORY", "PARLEY_DATA_DIR"])
    return ModelStore(Path(found.value if found else "data"))


def _name(source: str, name: str) -> str:
    from parley.local.download import file_name_of, is_url
    from parley.local.store import name_of

    return name or name_of(file_name_of(source) if is_url(source) else Path(source).name)


def _check_hash(sha256: str) -> None:
    from parley.contract.errors import FieldProblem, InvalidRequestError

    if sha256 and not (len(sha256) == 64 and all(digit in "0123456789abcdef" for digit in sha256.lower())):
        problem = "must be 64 hexadecimal digits"
        raise InvalidRequestError(f"--sha256 {problem}", fields=[FieldProblem(path="--sha256", message=problem)])


def _add_file(path: Path, name: str, *, sha256: str, store: ModelStore) -> None:
    from parley.cli.terminal import console
    from parley.contract.errors import ConfigurationError
    from parley.local.download import hash_of
    from parley.local.gguf import read_model_file

    output = console()
    file = read_model_file(path)
    size_bytes = path.stat().st_size
    _show(output, str(path), size_bytes=size_bytes, file=file)
    _check_memory(size_bytes)
    target = store.path_for(_name(str(path), name))
    if sha256 and (found := hash_of(path)) != sha256.lower():
        raise ConfigurationError(f"{path.name} is another file than was meant: its SHA-256 is {found}, not {sha256.lower()}")
    store.add(path, target.name.removesuffix(".gguf"))
    output.print(f"✓ added as {target}", style="good", soft_wrap=True)


def _add_from_web(url: str, name: str, *, sha256: str, yes: bool, store: ModelStore) -> None:
    from parley.cli.terminal import console
    from parley.contract.errors import ConfigurationError
    from parley.local.download import look_at
    from parley.local.gguf import read_model_file

    output = console()
    target = store.path_for(_name(url, name))
    offer = look_at(url)
    _show(output, f"from {offer.host}", size_bytes=offer.size_bytes, file=offer.file)
    if not sha256:
        output.print("  no --sha256 was given: what arrives is not compared with what was meant", style="note", soft_wrap=True)
    _check_memory(offer.size_bytes)
    store.check_room(offer.size_bytes)
    if not (yes or typer.confirm("Download it?", default=False)):
        raise typer.Exit(1)
    _download(offer, target, sha256=sha256)
    try:
        file = read_model_file(target)
    except ConfigurationError:
        target.unlink()
        raise
    _check_memory(target.stat().st_size)
    output.print(f"✓ added as {target}: {_kind(file)}", style="good", soft_wrap=True)


def _download(offer: Offer, target: Path, *, sha256: str) -> None:
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    from parley.cli.terminal import console
    from parley.local.download import fetch

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(error=True), transient=True) as progress:
        task = progress.add_task("", total=offer.size_bytes or None)
        fetch(offer, target, sha256=sha256, progress=lambda received, _total: progress.update(task, completed=received))


def _show(output: Console, source: str, *, size_bytes: int, file: ModelFile) -> None:
    from parley.cli.terminal import harmless
    from parley.local.memory import read_memory
    from parley.local.store import memory_warning, shown_bytes

    memory = read_memory()
    free = f"{shown_bytes(memory.available_bytes)} of {shown_bytes(memory.total_bytes)} free here" if memory.total_bytes else "not known"
    template = {True: "has one", False: "none: LOCAL_CHAT_TEMPLATE must give it one", None: "not told by the first bytes"}[
        file.chat_template
    ]
    lines = {
        "source": source,
        "size": shown_bytes(size_bytes) if size_bytes else "it does not say",
        "memory": memory_warning(size_bytes, memory) or free,
        "model": _kind(file) or "not told by the first bytes",
        "chat template": template,
    }
    for name, words in lines.items():
        output.print(harmless(f"{name:>14}  {words}"), soft_wrap=True)


def _kind(file: ModelFile) -> str:
    context = f"{file.context_tokens:,} tokens of context" if file.context_tokens else ""
    return ", ".join(words for words in (file.name, file.architecture, file.quantisation, context) if words)


def _check_memory(size_bytes: int) -> None:
    from parley.contract.errors import ConfigurationError
    from parley.local.memory import read_memory
    from parley.local.store import memory_problem

    if problem := memory_problem(size_bytes, read_memory()):
        raise ConfigurationError(f"this model cannot run here: {problem}")
