"""Which providers there are under which names: found ones, and those that the operator configures from them. Imports none of them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from parley.contract.errors import FieldProblem
from parley.guard.suggestions import did_you_mean
from parley.providers import COMPATIBLE
from parley.registry.configuration_file import NAME_RULE, PROVIDER_NAME, ConfigurationFile, ProviderEntry
from parley.registry.discovery import BUILT_IN, Candidate, discover
from parley.registry.environment import Environment
from parley.registry.route_checks import route_problems
from parley.transport.settings import Permits

DEMO = "demo"
PANEL = "the settings panel"
NAMES_VARIABLE = "PARLEY_PROVIDERS"
PATH_VARIABLE = "PARLEY_PROVIDER_PATH"
PROVIDER_DIRECTORY = "parley_providers"


class Override(Struct, frozen=True, kw_only=True):
    """What an administrator set while the server runs: `settings` are fields of the Config, over every other source.

    `provider` is what a name that does not exist yet is made from. `withhold_secrets` keeps the keys and headers of every other
    source back, for they were not meant for the endpoint that these settings name; `permits` then says which addresses it may have.
    """

    name: str
    provider: str | None = None
    settings: Mapping[str, Any] = {}
    withhold_secrets: bool = False
    permits: Permits | None = None
    enabled: bool = True

    def __repr__(self) -> str:
        return f"Override({self.name!r}, fields={sorted(self.settings)!r})"


class Instance(Struct, frozen=True, kw_only=True):
    """A name and what stands behind it. `declared_by` says who gave it the name; `explicit` that somebody wrote it down."""

    name: str
    candidate: Candidate
    declared_by: str
    entry: ProviderEntry | None = None
    explicit: bool = False
    override: Override | None = None

    @property
    def own_name(self) -> bool:
        """Whether it goes by the name that its author gave it."""
        return self.name == self.candidate.name


class Index(Struct, frozen=True, kw_only=True):
    """Every instance, in the order in which they are asked for a model; what cannot be used; what is wrong with the operator's lists."""

    instances: Mapping[str, Instance]
    conflicting: Sequence[Candidate]
    problems: Sequence[FieldProblem]


def provider_directories(environment: Environment, directory: Path, problems: list[FieldProblem]) -> list[Path]:
    """The folders of the operator's provider files: PARLEY_PROVIDER_PATH, else ./parley_providers where it exists."""
    listed = environment.get(PATH_VARIABLE)
    if listed is None:
        default = directory / PROVIDER_DIRECTORY
        return [default] if default.is_dir() else []
    directories = [directory / part for part in listed.split(os.pathsep) if part]
    problems += [FieldProblem(path=PATH_VARIABLE, message=f"names {path}, which is no folder") for path in directories if not path.is_dir()]
    return [path for path in directories if path.is_dir()]


def build_index(environment: Environment, file: ConfigurationFile, directories: Sequence[Path]) -> Index:
    """Put the sources together.

    Built-in providers come first, except those that `parley.toml` lists, which stand there in the operator's order; what is
    added to the end of a list is asked last, so that no addition takes a model away from another provider.
    """
    candidates = discover(directories)
    usable = {candidate.name: candidate for candidate in candidates if candidate.conflict is None}
    problems: list[FieldProblem] = []
    listed = _listed(file.providers, usable, problems)
    named = _named(environment, {**usable, **listed}, usable, problems)
    found = {
        name: Instance(name=name, candidate=candidate, declared_by=candidate.origin)
        for name, candidate in usable.items()
        if name not in listed
    }
    built_in = {name: instance for name, instance in found.items() if instance.candidate.origin == BUILT_IN}
    instances = {**built_in, **listed, **named, **found}
    problems += route_problems(file, instances)
    conflicting = [candidate for candidate in candidates if candidate.conflict is not None]
    conflicting += [_unknown(entry) for entry in file.providers if entry.provider not in usable and entry.name not in instances]
    return Index(instances=instances, conflicting=conflicting, problems=problems)


def _unknown(entry: ProviderEntry) -> Candidate:
    """A table of `parley.toml` behind which there is nothing: it is listed all the same, as one that cannot be used."""
    conflict = f'its provider, "{entry.provider}", is not known'
    return Candidate(name=entry.name, origin=entry.file_name, load=lambda: None, conflict=conflict)


def overridden(index: Index, overrides: Sequence[Override]) -> Index:
    """The same providers with these settings over their own, then the new ones; an earlier override counts no longer."""
    instances: dict[str, Instance] = {}
    for name, instance in index.instances.items():
        if instance.declared_by != PANEL:
            instances[name] = structs.replace(instance, override=None)
    problems = list(index.problems)
    for override in overrides:
        instance = _overridden(override, instances, problems)
        if instance is not None:
            instances[override.name] = instance
    return structs.replace(index, instances=instances, problems=problems)


def _overridden(override: Override, instances: Mapping[str, Instance], problems: list[FieldProblem]) -> Instance | None:
    known = instances.get(override.name)
    if known is not None:
        if override.provider not in {None, known.candidate.name}:
            message = f'"{override.name}" is {known.candidate.name}; choose another name for an instance of {override.provider}'
            problems.append(FieldProblem(path="provider", message=message))
            return None
        return structs.replace(known, override=override, explicit=known.explicit or bool(override.settings))
    base = instances.get(override.provider or "")
    if base is None:
        hint = did_you_mean(override.provider, instances) if override.provider else ""
        message = (
            f'"{override.provider}" is no known provider.{hint}' if override.provider else f'is missing: what shall "{override.name}" be?'
        )
        problems.append(FieldProblem(path="provider", message=message))
        return None
    return Instance(name=override.name, candidate=base.candidate, declared_by=PANEL, explicit=True, override=override)


def _listed(entries: Sequence[ProviderEntry], usable: Mapping[str, Candidate], problems: list[FieldProblem]) -> dict[str, Instance]:
    listed: dict[str, Instance] = {}
    for entry in entries:
        candidate = usable.get(entry.provider)
        taken = usable.get(entry.name)
        if entry.name in listed:
            problems.append(FieldProblem(path=f"{entry.path}.name", message=f'"{entry.name}" is given twice; every name is unique'))
        elif candidate is None:
            missing = "provider" if entry.provider != entry.name else "name"
            hint = (
                did_you_mean(entry.provider, usable) or f' For any server that speaks the most common wire add provider = "{COMPATIBLE}".'
            )
            problems.append(FieldProblem(path=f"{entry.path}.{missing}", message=f'"{entry.provider}" is no known provider.{hint}'))
        elif taken is not None and entry.provider != entry.name:
            whose = "a built-in provider" if taken.origin == BUILT_IN else f"the provider of {taken.origin}"
            problems.append(FieldProblem(path=f"{entry.path}.name", message=f'"{entry.name}" is the name of {whose}; choose another'))
        else:
            listed[entry.name] = Instance(name=entry.name, candidate=candidate, declared_by=entry.file_name, entry=entry, explicit=True)
    return listed


def _named(
    environment: Environment, taken: Mapping[str, object], usable: Mapping[str, Candidate], problems: list[FieldProblem]
) -> dict[str, Instance]:
    """Providers that exist by PARLEY_PROVIDERS alone."""
    named: dict[str, Instance] = {}
    for name in re.split(r"[,\s]+", (environment.get(NAMES_VARIABLE) or "").strip()):
        if not name:
            continue
        if not PROVIDER_NAME.fullmatch(name):
            problems.append(FieldProblem(path=NAMES_VARIABLE, message=f"the name {name!r} {NAME_RULE}"))
        elif name in taken or name in named:
            problems.append(FieldProblem(path=NAMES_VARIABLE, message=f'"{name}" exists already; leave it out, its variables count anyway'))
        else:
            named[name] = Instance(name=name, candidate=usable[COMPATIBLE], declared_by=NAMES_VARIABLE, explicit=True)
    return named
