"""Makes a guarded provider of its definition and its configuration, with what the operator declares otherwise. Reads no source."""

from __future__ import annotations

from typing import Any

from parley.contract.capabilities import Capabilities, Model
from parley.contract.config import Config
from parley.contract.errors import ConfigurationError, ParleyError
from parley.guard.clock import Clock
from parley.guard.guarded import GuardedProvider, guard
from parley.registry.configuration_file import ModelEntry
from parley.registry.definition import Definition, UnusableProviderError, told
from parley.registry.instances import Instance
from parley.telemetry import scrub
from parley.transport.http_provider import HttpProvider


def made(instance: Instance, definition: Definition, config: Config, *, clock: Clock) -> GuardedProvider:
    """The provider, guarded. Raises UnusableProviderError for its author's fault, and the ParleyError with which it refuses its Config."""
    try:
        provider = definition.create(config, _redeclared(instance, definition))
    except (ParleyError, UnusableProviderError):
        raise
    except (Exception, SystemExit) as error:
        # A plugin's constructor may raise anything.
        raise UnusableProviderError(scrub(f"it cannot be made: {told(error, instance.candidate)}")) from error
    if instance.override is not None and instance.override.permits is not None and isinstance(provider, HttpProvider):
        provider.restrict(instance.override.permits)
    try:
        return guard(provider, name=instance.name, clock=clock)
    except ConfigurationError as error:
        raise UnusableProviderError(error.message) from error


def listed_models(instance: Instance) -> list[Model] | None:
    """The models that the operator lists; None where they are the author's."""
    entries: list[ModelEntry] | None = instance.entry.models if instance.entry else None
    if entries is None:
        return None
    return [Model(entry.id, label=entry.label, description=entry.description, context_tokens=entry.context_tokens) for entry in entries]


def _redeclared(instance: Instance, definition: Definition) -> dict[str, Any]:
    """What the operator's table says otherwise than the author's declaration."""
    declared: dict[str, Any] = {} if instance.own_name else {"name": instance.name, "label": instance.name}
    if (models := listed_models(instance)) is not None:
        declared["models"] = models
    if instance.entry is not None:
        for name in ("label", "description", "docs_url"):
            if value := getattr(instance.entry, name):
                declared[name] = value
        if instance.entry.capabilities != Capabilities():
            declared["capabilities"] = instance.entry.capabilities.over(definition.capabilities)
    return declared
