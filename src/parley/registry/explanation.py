"""Why a provider has no usable configuration, in words that name what to set. Knows no value, only names and places."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from parley.contract.config import ConfigField
from parley.contract.errors import ConfigurationError, FieldProblem, MissingCredentialError, ParleyError
from parley.registry.configuration import Configured
from parley.registry.definition import Definition
from parley.registry.description import variables
from parley.registry.instances import Instance


def why_unusable(instance: Instance, definition: Definition, configured: Configured, *, similar: Sequence[str]) -> ParleyError:
    """The error that stands for it: what is wrong, then what is missing, then the key. `similar` are variables that may be mistyped."""
    problems = [*configured.problems, *missing_settings(instance, configured)]
    if problems:
        return ConfigurationError(f"{instance.name} cannot be used: {_listed(problems)}", provider=instance.name, fields=problems)
    if configured.missing_references:
        missing_references = configured.missing_references
        message = f"{instance.name} is not set up: {_listed(missing_references)}"
        return MissingCredentialError(message, provider=instance.name, fields=missing_references)
    missing = configured.missing[0]
    names = variables(missing, instance)
    wanted = missing.setting.help or missing.name
    also = f" (or {', '.join(names[1:])})" if names[1:] else ""
    label = definition.label if instance.own_name else instance.name
    return MissingCredentialError(
        f"{label} needs {wanted}: set {names[0]}{also}, for example {names[0]}={_example(missing)}.{mistyped(names[0], similar)}",
        provider=instance.name,
        fields=[_missing_problem(instance, missing)],
    )


def mistyped(meant: str, found: Sequence[str]) -> str:
    """` OPENAI_APIKEY is set: did you mean OPENAI_API_KEY?`, or nothing where no variable that is set looks like the one that is meant."""
    matches = get_close_matches(meant, found, n=1, cutoff=0.8)
    return f" {matches[0]} is set: did you mean {meant}?" if matches else ""


def missing_settings(instance: Instance, configured: Configured) -> list[FieldProblem]:
    """Required fields other than secrets: without its address a provider that somebody has begun to configure is a mistake."""
    return [_missing_problem(instance, missing) for missing in configured.missing if not missing.setting.secret]


def _missing_problem(instance: Instance, missing: ConfigField) -> FieldProblem:
    name = variables(missing, instance)[0]
    return FieldProblem(path=name, message=f"is not set ({missing.setting.help or missing.name}); for example {name}={_example(missing)}")


def _example(missing: ConfigField) -> str:
    return missing.setting.example or "…"


def _listed(problems: Sequence[FieldProblem]) -> str:
    return "; ".join(f"{problem.path} {problem.message}" for problem in problems)
