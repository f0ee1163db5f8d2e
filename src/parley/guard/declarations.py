"""What a provider's class says of itself, checked before anybody relies on it. Knows nobody's values, only their types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from parley.contract.capabilities import Capabilities, ExtraOption, Limits, Model
from parley.contract.errors import ConfigurationError, FieldProblem
from parley.contract.options import Timeouts
from parley.contract.provider import Provider

_TYPES: dict[str, type] = {
    "label": str,
    "description": str,
    "docs_url": str,
    "capabilities": Capabilities,
    "limits": Limits,
    "timeouts": Timeouts,
    "local": bool,
    "contract_version": int,
}
_LISTS: dict[str, type] = {"models": Model, "extra_options": ExtraOption}


def check_declaration(provider: Provider) -> None:
    """Raise ConfigurationError with everything that has a wrong type."""
    if problems := list(_problems(provider)):
        whole = "; ".join(f"{problem.path} {problem.message}" for problem in problems)
        raise ConfigurationError(f"the provider {provider.name!r} cannot be used: {whole}", provider=provider.name, fields=problems)


def _problems(provider: Any) -> Iterator[FieldProblem]:
    for name, expected in _TYPES.items():
        value = getattr(provider, name)
        if not isinstance(value, expected):
            yield FieldProblem(path=name, message=f"is of the type {type(value).__name__}; it must be {expected.__name__}")
    for name, expected in _LISTS.items():
        values: Any = getattr(provider, name)
        if values is None and name == "extra_options":
            continue
        if not isinstance(values, (list, tuple)):
            yield FieldProblem(path=name, message=f"is of the type {type(values).__name__}; it must be a list of {expected.__name__}(…)")
            continue
        for place, value in enumerate(values):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            if not isinstance(value, expected):
                kind = type(value).__name__  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
                yield FieldProblem(path=f"{name}[{place}]", message=f"is of the type {kind}; it must be {expected.__name__}(…)")
