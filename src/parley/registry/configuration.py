"""One provider's Config out of its layers: argument over environment over `parley.toml` over default. Knows no vendor.

Each value's origin is remembered in words that may be shown; the values themselves are not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from msgspec import Struct

from parley.contract.config import Config, ConfigField, config_fields
from parley.contract.errors import FieldProblem
from parley.guard.suggestions import did_you_mean
from parley.registry.checks import setting_problem
from parley.registry.configuration_file import ENTRY_KEYS, ProviderEntry
from parley.registry.conversion import INVALID, convert, report_unknown
from parley.registry.environment import Environment, Found

_REFERENCE = re.compile(r"env:\s*([A-Za-z_][A-Za-z0-9_]*)\s*")
_CREDENTIAL = re.compile(r"(?i)auth|key|token|secret|password|cookie")
_KEY = "api_key"


class Configured(Struct, kw_only=True):
    """What became of a provider's settings. `config` is None where something is missing or wrong.

    `origins` says of every field that was set where from ("environment variable ACME_API_KEY", "parley.toml", "argument");
    `missing` names required fields that nothing sets; `keys` are all keys in order, the first being the one in use;
    `literal_secrets` are the places in `parley.toml` where a secret stands in plain text; `shared` are fields that a variable set
    which other parts of Parley read too.
    """

    config: Config | None = None
    origins: dict[str, str] = {}
    problems: list[FieldProblem] = []
    missing: list[ConfigField] = []
    missing_references: list[FieldProblem] = []
    keys: list[str] = []
    literal_secrets: list[str] = []
    shared: set[str] = set()

    @property
    def touched(self) -> bool:
        """Whether anybody set anything for this provider."""
        return bool(self.origins.keys() - self.shared or self.problems or self.missing_references)

    def __repr__(self) -> str:
        return f"Configured(origins={self.origins!r}, problems={self.problems!r})"


class _Layers(Struct, kw_only=True):
    """The sources of one provider, in order of precedence, and what was found in them so far."""

    name: str
    own_name: bool
    arguments: Mapping[str, Any]
    entry: ProviderEntry | None
    environment: Environment
    found: Configured


def configure(
    name: str,
    config_type: type[Config],
    *,
    environment: Environment,
    arguments: Mapping[str, Any] | None = None,
    entry: ProviderEntry | None = None,
    own_name: bool = True,
) -> Configured:
    """Read every field of the Config for the provider of this name.

    `own_name` is False for a second instance of a provider under another name: it does not take the aliases (nor thereby the
    keys) of the first.
    """
    found = Configured()
    layers = _Layers(name=name, own_name=own_name, arguments=arguments or {}, entry=entry, environment=environment, found=found)
    fields = config_fields(config_type)
    names = tuple(config_field.name for config_field in fields)
    report_unknown(layers.arguments, names, path="", problems=found.problems)
    if entry is not None:
        report_unknown_settings(entry, names, problems=found.problems)
    values: dict[str, Any] = {}
    for config_field in fields:
        value = _field_value(config_field, layers)
        if value is not INVALID:
            values[config_field.name] = value
        elif config_field.required and not _explained(config_field, layers):
            found.missing.append(config_field)
    if not (found.problems or found.missing or found.missing_references):
        found.config = config_type(**values)
        if not found.keys and values.get(_KEY):
            found.keys = [values[_KEY]]
    return found


def report_unknown_settings(entry: ProviderEntry, names: tuple[str, ...], *, problems: list[FieldProblem]) -> None:
    """A problem for each key of the table that neither every provider nor this one knows."""
    unknown = {key: None for key in entry.settings if key not in names}
    report_unknown(unknown, (*ENTRY_KEYS, *names), path=entry.path, problems=problems)


def _explained(config_field: ConfigField, layers: _Layers) -> bool:
    """Whether a problem already says why this field has no value."""
    return config_field.name in layers.found.origins or (config_field.name == _KEY and bool(layers.found.missing_references))


def _field_value(config_field: ConfigField, layers: _Layers) -> Any:
    """The field's value from the first layer that has one; INVALID where none has, or where it is wrong."""
    name, origins, problems = config_field.name, layers.found.origins, layers.found.problems
    if name in layers.arguments:
        origins[name] = "argument"
        return _checked(config_field, layers.arguments[name], path=name, problems=problems)
    if found := _from_environment(config_field, layers):
        origins[name] = found.origin
        if config_field.setting.shared and found.variable in config_field.setting.aliases:
            layers.found.shared.add(name)
        return _checked(config_field, found.value, path=found.variable, problems=problems, text=True)
    if layers.entry is None:
        return INVALID
    if name == _KEY and layers.entry.keys:
        return _keys(config_field, layers, entry=layers.entry)
    if name not in layers.entry.settings:
        return INVALID
    path = f"{layers.entry.path}.{name}"
    value = _resolved(config_field, layers.entry.settings[name], layers=layers, path=path)
    if value is INVALID:
        return INVALID
    origins.setdefault(name, layers.entry.file_name)
    return _checked(config_field, value, path=path, problems=problems)


def _from_environment(config_field: ConfigField, layers: _Layers) -> Found | None:
    aliases = config_field.setting.aliases if layers.own_name else ()
    return layers.environment.find([config_field.environment_variable(layers.name), *aliases])


def _checked(config_field: ConfigField, value: Any, *, path: str, problems: list[FieldProblem], text: bool = False) -> Any:
    converted = convert(value, config_field.type, path=path, problems=problems, text=text)
    if converted is INVALID:
        return INVALID
    if config_field.setting.normalize is not None:
        try:
            converted = config_field.setting.normalize(converted)
        except ValueError:
            problems.append(FieldProblem(path=path, message=f"cannot be read; for example {config_field.setting.example}"))
            return INVALID
    if problem := setting_problem(config_field, converted):
        problems.append(FieldProblem(path=path, message=problem))
        return INVALID
    return converted.rstrip("/") if config_field.name == "endpoint" else converted


def _keys(config_field: ConfigField, layers: _Layers, *, entry: ProviderEntry) -> Any:
    """Every key of `keys = [...]`, checked; the first is the one in use."""
    if _KEY in entry.settings:
        layers.found.problems.append(FieldProblem(path=f"{entry.path}.keys", message="and api_key are both given; keep one of them"))
    resolved = [_resolved(config_field, key, layers=layers, path=f"{entry.path}.keys[{index}]") for index, key in enumerate(entry.keys)]
    checked = [
        _checked(config_field, key, path=f"{entry.path}.keys[{index}]", problems=layers.found.problems)
        for index, key in enumerate(resolved)
        if key is not INVALID
    ]
    layers.found.origins.setdefault(_KEY, entry.file_name)
    if INVALID in resolved or INVALID in checked:
        return INVALID
    layers.found.keys = checked
    return checked[0]


def _resolved(config_field: ConfigField, value: Any, *, layers: _Layers, path: str) -> Any:
    """The value with `env:NAME` replaced by what that variable holds, in text and in the values of a table."""
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value)
        resolved = {key: _resolved(config_field, item, layers=layers, path=f"{path}.{key}") for key, item in items.items()}
        return INVALID if INVALID in resolved.values() else resolved
    if not isinstance(value, str) or not value.startswith("env:"):
        if config_field.setting.secret and _is_literal_secret(config_field, value, path):
            layers.found.literal_secrets.append(path)
        return value
    match = _REFERENCE.fullmatch(value)
    if match is None:
        problem = "is no name of a variable; write env:NAME, with letters, digits and _"
        layers.found.problems.append(FieldProblem(path=path, message=problem))
        return INVALID
    found = layers.environment.find([match[1]])
    if found is None:
        hint = did_you_mean(match[1], layers.environment.names())
        example = config_field.setting.example or "…"
        message = f"refers to the variable {match[1]}, which is not set; set it, for example {match[1]}={example}.{hint}"
        layers.found.missing_references.append(FieldProblem(path=path, message=message))
        return INVALID
    layers.found.origins[config_field.name] = f"{found.origin} (named in {path.partition(':')[0]})"
    return found.value


def _is_literal_secret(config_field: ConfigField, value: Any, path: str) -> bool:
    """Of a table (headers) only what is called like a credential; of a URL (a proxy) only one with a password in it."""
    if not isinstance(value, str) or not value:
        return False
    name = path.rpartition(".")[2]
    if "://" in value:
        return "@" in value
    return name.partition("[")[0] in {config_field.name, "keys"} or _CREDENTIAL.search(name) is not None
