"""From flags and answers to a draft, and where its files go. Asks nobody; a server only where --from-url says so."""

from __future__ import annotations

import asyncio
import os
import tomllib
from collections.abc import Sequence
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct, structs

from parley.cli.scaffold.drafts import MAX_MODELS, Draft, beside, default_wire, in_checkout, in_package, wires, written, written_package
from parley.cli.scaffold.listing import Listing, list_models_at
from parley.contract.capabilities import Model
from parley.contract.errors import FieldProblem, InvalidRequestError
from parley.guard.suggestions import did_you_mean
from parley.providers import COMPATIBLE
from parley.registry.checks import endpoint_problem
from parley.registry.environment import Environment
from parley.registry.instances import PATH_VARIABLE, PROVIDER_DIRECTORY
from parley.registry.loading import Registry

PROJECT_NAME = "parley-ai"
MAX_TEXT_CHARACTERS = 200


class Wanted(Struct, frozen=True, kw_only=True):
    """What was said on the command line, or answered. None = nothing said."""

    name: str
    kind: str | None = None
    inside: str | None = None
    wire: str | None = None
    endpoint: str | None = None
    from_url: str | None = None
    model: str | None = None
    label: str | None = None
    to: Path | None = None

    @property
    def inner_kind(self) -> str:
        """The kind of the provider itself, in a package or not."""
        return (self.inside if self.kind == "package" else self.kind) or "dialect"


class Plan(Struct, frozen=True, kw_only=True):
    """The files to write, where they are written from, what to do afterwards, and what to know."""

    files: dict[Path, str]
    steps: list[str]
    notes: list[str] = []


def check_flags(wanted: Wanted) -> None:
    """Raise InvalidRequestError for the first flag that cannot be meant, by its name."""
    if wanted.inside and wanted.kind != "package":
        refuse("--inside", "says what a package is made round; it goes with --kind package")
    _check_wire(wanted)
    _check_from_url(wanted)
    for flag, url in (("--endpoint", wanted.endpoint), ("--from-url", wanted.from_url)):
        if url is not None and (problem := endpoint_problem(url) if url else "is empty"):
            refuse(flag, problem)
    for flag, text in (("--label", wanted.label), ("--model", wanted.model)):
        if text is not None and (problem := text_problem(text)):
            refuse(flag, problem)


def _check_wire(wanted: Wanted) -> None:
    if wanted.wire is not None:
        if wanted.inner_kind != "dialect":
            refuse("--wire", f"is for a dialect; a {wanted.inner_kind} has none of Parley's wires")
        if wanted.wire not in (known := wires()):
            refuse("--wire", f'"{wanted.wire}" is none that Parley knows.{did_you_mean(wanted.wire, known)} Known are: {", ".join(known)}')


def _check_from_url(wanted: Wanted) -> None:
    if wanted.from_url is not None:
        if wanted.endpoint is not None:
            refuse("--from-url", "and --endpoint are both given; keep one of them")
        if (wanted.inner_kind, wanted.wire or default_wire()) != ("dialect", default_wire()):
            refuse("--from-url", f"asks a server that is {COMPATIBLE}; it goes with --kind dialect and --wire {default_wire()}")


def text_problem(text: str) -> str | None:
    """Why a text cannot stand in a source file as a label or a model's id."""
    if not text.isprintable() or '"' in text or "\\" in text:
        return "must be one line, without quotation marks and backslashes"
    return f"has more than {MAX_TEXT_CHARACTERS} characters" if len(text) > MAX_TEXT_CHARACTERS else None


def refuse(flag: str, problem: str) -> None:
    """Raise InvalidRequestError about this flag."""
    raise InvalidRequestError(f"{flag} {problem}", fields=[FieldProblem(path=flag, message=problem)])


def draft_of(wanted: Wanted, environment: Environment) -> tuple[Draft, list[str]]:
    """The draft, and what to know of it. With --from-url its server is asked: raises the ParleyError that says what came instead."""
    if wanted.endpoint is None and wanted.from_url is None:
        refuse("--endpoint", "is missing: the base URL with its version prefix, for example --endpoint https://api.acme.example/v1")
    draft = Draft(
        name=wanted.name,
        kind=wanted.inner_kind,  # type: ignore[arg-type]
        label=wanted.label or usual_label(wanted.name),
        endpoint=(wanted.endpoint or "").rstrip("/"),
        wire=wanted.wire or default_wire(),
        model=wanted.model or "",
        models=[Model(wanted.model)] if wanted.model else [],
    )
    if wanted.from_url is None:
        local = _is_local(draft.endpoint)
        return structs.replace(draft, local=local, needs_key=not local), []
    key = environment.get(f"{draft.prefix}_API_KEY") or ""
    listing = asyncio.run(list_models_at(wanted.from_url, name=wanted.name, key=key))
    return _with_models(draft, listing, has_key=bool(key))


def usual_label(name: str) -> str:
    """How people are shown a name that has no label: acme-ai is "Acme AI"."""
    return " ".join(word.upper() if len(word) < 3 else word.capitalize() for word in name.split("-"))


def _with_models(draft: Draft, listing: Listing, *, has_key: bool) -> tuple[Draft, list[str]]:
    usable = [structs.replace(model, description="") for model in listing.models if text_problem(model.id + model.label) is None]
    named = [model for model in usable if model.id == draft.model] or list(draft.models)
    models = [*named, *(model for model in usable if model.id != draft.model)]
    notes: list[str] = []
    if not listing.models:
        notes.append(f"{listing.endpoint} lists no models; name one with -m, or in the file")
    elif not any(model.id == draft.model for model in usable) and draft.model:
        notes.append(f"{listing.endpoint} does not list {draft.model}; it was written all the same")
    if len(models) > MAX_MODELS:
        notes.append(f"{listing.endpoint} lists {len(listing.models)} models, of which {MAX_MODELS} were written; keep those that matter")
    default = draft.model or next((model.id for model in models), "")
    return (
        structs.replace(
            draft,
            endpoint=listing.endpoint,
            model=default,
            models=models[:MAX_MODELS],
            local=_is_local(listing.endpoint),
            needs_key=has_key,
        ),
        notes,
    )


def _is_local(endpoint: str) -> bool:
    """Whether this is a server on this machine: it answers more slowly, and mostly wants no key."""
    host = urlsplit(endpoint).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def plan_of(draft: Draft, wanted: Wanted, registry: Registry) -> Plan:
    """Where the files of the draft go, and what to do once they are there."""
    here = Path.cwd()
    if wanted.kind == "package":
        directory = (here / wanted.to if wanted.to else here) / f"parley-{draft.name}"
        places = in_package(draft, directory)
        files = written_package(draft, directory)
        first = [f"cd {shown(directory)}", "pip install -e '.[test]'"]
        inside = places.provider.relative_to(directory)
        return Plan(files=files, steps=[*first, *_steps(draft, inside, test="")])
    checkout = checkout_of(here)
    if wanted.to is None and checkout is not None:
        places = in_checkout(draft, checkout)
        plan = _plan(draft, written(draft, places, shown_test=str(places.test.relative_to(checkout))), [])
        return structs.replace(plan, steps=[*plan.steps, "make docs     writes its page and its part of .env.example"])
    directory = here / wanted.to if wanted.to else _usual_directory(registry.environment, here)
    files = written(draft, beside(draft, directory), shown_test=shown(beside(draft, directory).test))
    read = [path.resolve() for path in _read_directories(registry.environment, here)]
    unread = [] if directory.resolve() in read else [f"{PATH_VARIABLE}={shown(directory)} makes Parley look into that folder"]
    return _plan(draft, files, unread)


def _plan(draft: Draft, files: dict[Path, str], notes: list[str]) -> Plan:
    provider, test = files
    return Plan(files=files, steps=_steps(draft, Path(shown(provider)), test=shown(test)), notes=notes)


def _steps(draft: Draft, provider: Path, *, test: str) -> list[str]:
    model = "" if draft.model else "/MODEL"
    needed = f"{draft.prefix}_API_KEY" if draft.needs_key else ""
    return [
        *([] if draft.kind == "dialect" else [f"edit {provider}: ADAPT marks what is made up"]),
        *([f"parley provider env {draft.name} >> .env     then fill in {needed}"] if needed else []),
        f"parley provider check {draft.name}",
        *([] if find_spec("pytest") else ["pip install 'parley-ai[testing]'"]),
        f"pytest {test}".rstrip(),
        f'parley chat -p {draft.name}{model} "Good day"',
    ]


def _usual_directory(environment: Environment, here: Path) -> Path:
    return _read_directories(environment, here)[0]


def _read_directories(environment: Environment, here: Path) -> Sequence[Path]:
    """Where Parley looks for provider files, whether or not these folders are there."""
    listed = [here / part for part in (environment.get(PATH_VARIABLE) or "").split(os.pathsep) if part]
    return listed or [here / PROVIDER_DIRECTORY]


def checkout_of(directory: Path) -> Path | None:
    """The checkout of Parley's own source that this folder is in: the nearest pyproject.toml says so."""
    for parent in (directory, *directory.parents):
        file = parent / "pyproject.toml"
        if file.is_file():
            try:
                project = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {})
            except (OSError, ValueError):
                return None  # not Parley's, which can be read
            is_parley = project.get("name") == PROJECT_NAME and (parent / "src" / "parley" / "providers").is_dir()
            return parent if is_parley else None
    return None


def shown(path: Path) -> str:
    """A path as a person would type it here."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def write_files(files: dict[Path, str]) -> None:
    """Write all of them, or none. Raises InvalidRequestError with the path that is there already or cannot be written."""
    for path in files:
        if path.exists() or path.is_symlink():
            refuse(shown(path), "exists already, and nothing is overwritten; remove it, or choose another name or folder (--to)")
    made: list[Path] = []
    for path, text in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="\n") as file:
                made.append(path)
                file.write(text)
        except OSError as error:
            for each in made:
                each.unlink(missing_ok=True)
            refuse(shown(path), f"cannot be written: {error.strerror or error}; choose another folder with --to")
