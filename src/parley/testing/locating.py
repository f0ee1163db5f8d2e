"""From what somebody calls a provider (an object, a class, a module, a file, a name) to its Definition. Judges nothing."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from msgspec import structs

from parley.contract.config import Config
from parley.guard.suggestions import did_you_mean
from parley.registry.configuration_file import NAME_RULE, PROVIDER_NAME, ConfigurationFile, read_configuration_file
from parley.registry.definition import Definition, UnusableProviderError, define, offered_by
from parley.registry.discovery import Candidate, load_file
from parley.registry.environment import Environment
from parley.registry.instances import build_index, provider_directories
from parley.registry.loading import CONFIG_VARIABLE, FILE_NAME
from parley.transport.http_provider import Dialect


def locate(given: Any) -> Definition:
    """The Definition. Raises UnusableProviderError, whose message says what is wrong with it and where."""
    if isinstance(given, Definition):
        return given
    if isinstance(given, Path) or (isinstance(given, str) and _is_file(given)):
        return _of_file(Path(given))
    if isinstance(given, str):
        return _of_object(_imported(given), origin=given) if ":" in given else _of_name(given)
    if isinstance(given, ModuleType):
        return _of_object(offered_by(given), origin=given.__name__)
    return _of_object(given, origin=_place(given))


def _is_file(text: str) -> bool:
    return text.endswith(".py") or "/" in text or "\\" in text


def _of_file(path: Path) -> Definition:
    if not path.is_file():
        raise UnusableProviderError(f"there is no file {path}")
    name = path.stem.replace("_", "-")
    if "-" in path.stem:
        conflict = f"the file's name contains a -; call it {path.stem.replace('-', '_')}.py"
    else:
        conflict = None if PROVIDER_NAME.fullmatch(name) else f"its name {NAME_RULE}"
    return define(Candidate(name=name, origin=str(path), load=lambda: load_file(path), conflict=conflict))


def _of_name(name: str) -> Definition:
    directory = Path.cwd()
    environment = Environment.read(directory=directory)
    path = directory / (environment.get(CONFIG_VARIABLE) or FILE_NAME)
    file = read_configuration_file(path, problems=[]) if path.is_file() else ConfigurationFile()
    index = build_index(environment, file, provider_directories(environment, directory, []))
    if instance := index.instances.get(name):
        definition = define(instance.candidate)
        return definition if instance.own_name else _renamed(definition, name)
    if conflicting := [candidate for candidate in index.conflicting if candidate.name == name]:
        return define(conflicting[0])
    known = sorted(index.instances)
    hint = did_you_mean(name, known) or f" Known are {', '.join(known)}; or give a file, or package.module:object."
    raise UnusableProviderError(f'no provider is called "{name}".{hint}')


def _renamed(definition: Definition, name: str) -> Definition:
    """What the operator calls by a name of their own."""

    def create(config: Config, declared: Mapping[str, Any]) -> Any:
        return definition.create(config, {"name": name, **declared})

    return structs.replace(definition, name=name, label=name, create=create)


def _imported(reference: str) -> Any:
    module_name, _, attribute = reference.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as error:
        # Whatever the module does while it is imported is its author's to mend.
        raise UnusableProviderError(f"{reference} cannot be imported: {type(error).__name__}: {error}") from error
    return offered_by(found) if isinstance(found, ModuleType) else found


def _of_object(given: Any, *, origin: str) -> Definition:
    return define(Candidate(name=_name_of(given), origin=origin, load=lambda: given))


def _place(given: Any) -> str:
    kind: Any = given if isinstance(given, type) else type(given)
    return f"dialect {given.name}" if isinstance(given, Dialect) else f"{kind.__module__}:{kind.__qualname__}"


def _name_of(given: Any) -> str:
    """The name it goes by; a class may give itself one in its constructor only."""
    name = getattr(given, "name", "")
    if isinstance(name, str) and name:
        return name
    if isinstance(given, type):
        return _named_by_constructor(given) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", given.__name__).lower().replace("_", "-").strip("-")
    return "provider"


def _named_by_constructor(provider_class: Callable[..., Any]) -> str:
    try:
        if any(each.default is each.empty for each in inspect.signature(provider_class).parameters.values()):
            return ""
        name = getattr(provider_class(), "name", "")
    except Exception:  # noqa: BLE001 - a constructor may raise anything; making the provider in earnest will tell of it
        return ""
    return name if isinstance(name, str) and PROVIDER_NAME.fullmatch(name) else ""
