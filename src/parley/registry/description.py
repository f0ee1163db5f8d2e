"""A provider as a person or a panel is told of it: derived from its declaration and configuration. Holds no secret and no value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from parley.contract.capabilities import Capabilities, ExtraOption, Limits, Model
from parley.contract.config import Config, ConfigField, config_fields
from parley.registry.definition import Definition
from parley.registry.discovery import Candidate
from parley.registry.instances import Instance
from parley.registry.proof import Proven

Status: TypeAlias = Literal["ready", "unconfigured", "quarantined"]


class FieldDescription(Struct, frozen=True, kw_only=True):
    """One configuration field: the variables that set it, in order, and where its value is from (None = not set)."""

    name: str
    variables: list[str]
    required: bool
    secret: bool
    help: str
    example: str
    default: str
    origin: str | None = None


class ProviderDescription(Struct, frozen=True, kw_only=True):
    """A provider under one name. `provider` is what it is an instance of; `reason` says why it is not ready; `model` is its default;
    `proven` by whose recordings it is proven at all: its vendor's, others' of its wire, or nobody's.
    """

    name: str
    provider: str
    origin: str
    status: Status
    reason: str | None = None
    configured: bool = False
    label: str = ""
    description: str = ""
    model: str = ""
    models: Sequence[Model] = ()
    capabilities: Capabilities = Capabilities()
    extra_options: Sequence[ExtraOption] = ()
    limits: Limits = Limits()
    docs_url: str = ""
    local: bool = False
    fields: Sequence[FieldDescription] = ()
    proven: Proven = "claimed"
    embedding_models: Sequence[Model] = ()


def describe_declared(definition: Definition) -> ProviderDescription:
    """A provider as its author declares it, under its own name, where nobody has configured it."""
    candidate = Candidate(name=definition.name, origin=definition.origin, load=lambda: None)
    fields = describe_fields(definition.config_type, Instance(name=definition.name, candidate=candidate, declared_by=definition.origin), {})
    return ProviderDescription(
        name=definition.name,
        provider=definition.name,
        origin=definition.origin,
        status="unconfigured" if any(field.required for field in fields) else "ready",
        label=definition.label,
        description=definition.description,
        model=next((field.default for field in fields if field.name == "model"), "") or next((model.id for model in definition.models), ""),
        models=definition.models,
        embedding_models=definition.embedding_models,
        capabilities=definition.capabilities,
        extra_options=definition.extra_options,
        limits=definition.limits,
        docs_url=definition.docs_url,
        local=definition.local,
        fields=fields,
    )


def describe_fields(config_type: type[Config], instance: Instance, origins: Mapping[str, str]) -> list[FieldDescription]:
    """Every field of the configuration, as this instance reads it."""
    return [
        FieldDescription(
            name=config_field.name,
            variables=variables(config_field, instance),
            required=config_field.required,
            secret=config_field.setting.secret,
            help=config_field.setting.help,
            example=config_field.setting.example,
            default=_shown(config_field.default),
            origin=origins.get(config_field.name),
        )
        for config_field in config_fields(config_type)
    ]


def variables(config_field: ConfigField, instance: Instance) -> list[str]:
    """The environment variables of a field: its own, then the aliases that its author declared."""
    aliases = config_field.setting.aliases if instance.own_name else ()
    return [config_field.environment_variable(instance.name), *aliases]


def _shown(default: Any) -> str:
    return str(default) if isinstance(default, (str, int, float)) else ""
