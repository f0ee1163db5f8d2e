"""How a provider stands in Parley: its configuration, whether it is found, what is derived from it, how well it is proven.

Asks nobody anything: it reads what the author declared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from parley.contract.capabilities import Capabilities
from parley.contract.config import ConfigField, config_fields
from parley.contract.errors import ConfigurationError
from parley.registry.conversion import INVALID, convert
from parley.registry.description import describe_declared
from parley.registry.discovery import BUILT_IN
from parley.registry.environment_block import SHARED_FIELDS, environment_block
from parley.registry.loading import Registry
from parley.registry.proof import grade_of, read_proof
from parley.services.provider_views import view_of
from parley.testing.findings import Finding, Findings, advice, failed, not_run, passed
from parley.testing.offline import kept_offline
from parley.testing.payload_diff import payload_diffs
from parley.testing.subject import Subject
from parley.transport.settings import url_problem

_SECRET_NAME = re.compile(r"(^|_)(key|token|secret|password|passwd|credential|credentials)s?($|_)")
_NOT_SECRET = re.compile(r"max_|_tokens|_file$|_id$")


async def configuration(subject: Subject) -> Findings:
    """Its settings have variables, a person can set them, and none that is a secret is shown."""
    fields = config_fields(subject.definition.config_type)
    problems = [problem for field in fields for problem in _field_problems(field)]
    for problem in problems:
        yield problem
    if not problems:
        own = [field for field in fields if field.name not in SHARED_FIELDS]
        yield passed(", ".join(_shown(field, subject.name) for field in own))


def _shown(field: ConfigField, name: str) -> str:
    remarks = [word for word, said in (("secret", field.setting.secret), ("required", field.required)) if said]
    return field.environment_variable(name) + (f" ({', '.join(remarks)})" if remarks else "")


def _field_problems(field: ConfigField) -> Iterator[Finding]:
    looks_secret = _SECRET_NAME.search(field.name) and not _NOT_SECRET.search(field.name)
    if looks_secret and not field.setting.secret:
        remedy = f'write {field.name}: Annotated[str, Setting("…", secret=True)]'
        yield failed(f"{field.name} holds a secret by its name and is not marked as one: it would be shown", remedy)
    if field.name == "endpoint" and field.default and (problem := url_problem(field.default)):
        yield failed(
            f"the default endpoint {field.default!r} {problem}", 'write a base URL with its version prefix: "https://api.acme.example/v1"'
        )
    if field.setting.example and convert(field.setting.example, field.type, path=field.name, problems=[], text=True) is INVALID:
        yield failed(f"the example {field.setting.example!r} of {field.name} is no value of its type", "give an example that can be copied")
    if not field.setting.help and field.name not in SHARED_FIELDS:
        yield advice(f"{field.name} is not explained", f'write {field.name}: Annotated[…, Setting("what it is")]')


async def registration(subject: Subject) -> Findings:
    """Parley finds it under its name, and nothing else has that name."""
    definition = subject.definition
    origin = definition.origin
    with kept_offline():
        registry = Registry.from_environment(forgiving=True)
        clash = next((each for each in registry.descriptions() if each.name == definition.name), None)
    path = Path(origin)
    if clash is not None and _same_place(clash.origin, origin):
        if clash.status == "quarantined":
            yield failed(f"it is found and cannot be used: {clash.reason}", "mend what the reason says")
        else:
            yield passed(f"found as {definition.name}: {origin}")
    elif clash is not None and path.suffix == ".py":
        yield failed(f'the name "{definition.name}" is taken by {clash.origin}', "choose another name, and call the file after it")
    elif path.suffix == ".py":
        yield advice(
            f"{origin} lies where Parley does not look", "move it to ./parley_providers, or name its folder in PARLEY_PROVIDER_PATH"
        )
    elif clash is not None:
        yield passed(f'the name "{definition.name}" stands for {clash.origin}')
    else:
        yield not_run("a file in ./parley_providers, or an installed package with an entry point: an object is not registered")


def _same_place(known: str, given: str) -> bool:
    return known == given or (given.endswith(".py") and Path(known).resolve() == Path(given).resolve())


async def variables(subject: Subject) -> Findings:
    """What sets it up can be written down for people to copy."""
    block = environment_block(describe_declared(subject.definition), shared=False)
    lines = [line for line in block.splitlines() if "=" in line]
    yield passed(f"{len(lines)} variables; `parley provider env {subject.name}` prints them for .env, explained")


async def panel(subject: Subject) -> Findings:
    """Its entry in the settings panel: label, models and a form of its options, as the API gives them."""
    description = describe_declared(subject.definition)
    try:
        view = view_of(description, problem=None)
        msgspec.json.encode(view)
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        yield failed(f"its entry cannot be made: {error}", "give extra options types that JSON Schema can describe")
        return
    schema: Any = view.options_schema
    yield passed(f'"{view.label}", {len(description.models)} models, a form of {len(schema["properties"])} options')


async def unit_tests(subject: Subject) -> Findings:
    """There is a test of it that runs the contract."""
    origin = subject.definition.origin
    if origin == BUILT_IN:
        yield passed("the contract's tests run over every provider that ships")
        return
    path = Path(origin)
    if path.suffix != ".py":
        yield not_run("the tests that lie beside its source; run them there with pytest")
        return
    name = f"test_{path.stem}.py"
    found = _first_file(path.parent / name, Path("tests"), name)
    if found is None:
        remedy = f'write {path.parent / name}: `class Test(ProviderContract): provider = "{subject.name}"`'
        yield advice("no test of it was found", remedy)
    elif "ProviderContract" in found.read_text(encoding="utf-8", errors="replace"):
        yield passed(f"{found} runs the contract")
    else:
        yield advice(f"{found} does not run the contract", "derive a class from parley.testing.ProviderContract in it")


def _first_file(beside: Path, folder: Path, name: str) -> Path | None:
    return next((place for place in (beside, *sorted(folder.rglob(name))) if place.is_file()), None)


async def proof(subject: Subject) -> Findings:
    """What it declares is proven by recordings: of its own, or of its wire with its own requests; a mere claim says so."""
    if unshown := _unshown_by_its_wire(subject):
        remedy = f"`parley provider record {subject.name}` asks for them; look at what it marks with !"
        yield advice(f"its wire declares, and no recording shows: {', '.join(unshown)}", remedy)
    declared = _claims(subject)
    if not declared:
        yield passed("nothing is claimed that would have to be proven")
    elif subject.definition.origin == BUILT_IN:
        yield _proven_at_home(subject, declared)
    elif _speaks_a_proven_wire(subject):
        yield await _proven_by_its_wire(subject, declared)
    else:
        recorded = sorted({recording.kind for recording in subject.recordings})
        unproven = [name for name in declared if not _recorded(name, recorded)]
        remedy = f"`parley provider record {subject.name}` makes recordings; or do not declare {', '.join(unproven)}"
        if unproven:
            yield failed(f"claimed, and shown by no recording: {', '.join(unproven)}", remedy)
        else:
            yield passed(f"shown by its recordings: {', '.join(declared)}")


def _speaks_a_proven_wire(subject: Subject) -> bool:
    """A dialect of a wire that ships, or a class that was seen to speak one: then what it sends is all that is left to show."""
    if subject.codec is not None:
        return not subject.has_wire_of_its_own
    return subject.observation == "http" and subject.speaks_a_shipped_wire


# Which kinds of recordings show what; that it streams, the other rules see. What is not here is an option, which the rule on options shows.
_KINDS = {
    "tools": ("tools", "tools-stream"),
    "reasoning": ("reasoning", "reasoning-stream"),
    "images": ("vision", "vision-stream"),
    "response_format": ("structured", "structured-stream"),
    "structured_output": ("structured", "structured-stream"),
    "list_models": ("models",),
    "embeddings": ("embeddings",),
}


_ASKED_FOR = ("tools", "reasoning", "images", "response_format")
"""What a recording session asks for where it is declared."""


def _unshown_by_its_wire(subject: Subject) -> list[str]:
    """What a wire of its author's own says it can and its recordings leave open; without any, nothing was looked at."""
    if subject.codec is None or not subject.has_wire_of_its_own or not subject.recordings:
        return []
    recorded = sorted({recording.kind for recording in subject.recordings})
    return [name for name in _ASKED_FOR if getattr(subject.codec.capabilities, name) and not _recorded(name, recorded)]


def _recorded(capability: str, kinds: list[str]) -> bool:
    return any(kind in kinds for kind in _KINDS[capability])


def _claims(subject: Subject) -> list[str]:
    """What its author declared that a recording can show; what its wire declares is the wire's own matter."""
    own: Any = getattr(subject.author, "dialect", subject.author)
    declared: Any = getattr(own, "capabilities", None)
    if not isinstance(declared, Capabilities):
        return []
    return [name for name in _KINDS if getattr(declared, name)]


def _proven_at_home(subject: Subject, declared: list[str]) -> Finding:
    try:
        known = read_proof()
    except ConfigurationError as error:
        return failed(error.message)
    grades = {name: grade_of(known, subject.name, name, declared=True, wire=subject.codec) for name in declared}
    if stale := [name for name, graded in grades.items() if graded.stale]:
        return advice(f"its codec has changed since these were proven: {', '.join(stale)}", "run `make proof`")
    return passed("; ".join(f"{name} {graded.grade}" for name, graded in grades.items()))


async def _proven_by_its_wire(subject: Subject, declared: list[str]) -> Finding:
    with kept_offline():
        diffs = await payload_diffs(subject.guarded, subject.known.complete())
    sent = {diff.capability for diff in diffs if diff.outcome == "sent"}
    asked = {diff.capability for diff in diffs}
    proven = [name for name in declared if name in sent or name not in asked]
    claimed = [name for name in declared if name not in proven]
    if claimed:
        return failed(f"declared, and not sent: {', '.join(claimed)}", "send it, or do not declare it")
    return passed(f"wire-proven on {subject.known.wire}: {', '.join(proven)}")
