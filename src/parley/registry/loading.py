"""The providers of one place (variables, `.env`, `parley.toml`, plugins), configured and guarded on request. Sends nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from msgspec import structs

from parley.contract.capabilities import Limits, Model
from parley.contract.codec import Codec
from parley.contract.config import config_fields
from parley.contract.errors import (
    ConfigurationError,
    FieldProblem,
    ParleyError,
    UnknownProviderError,
)
from parley.contract.pricing import Price
from parley.guard.clock import Clock, LoopClock
from parley.guard.guarded import GuardedProvider
from parley.guard.suggestions import did_you_mean
from parley.providers import COMPATIBLE
from parley.registry.configuration import Configured, configure
from parley.registry.configuration_file import ConfigurationFile, Route, read_configuration_file
from parley.registry.definition import Definition, UnusableProviderError, define
from parley.registry.description import ProviderDescription, Status, describe_fields, variables
from parley.registry.discovery import BUILT_IN
from parley.registry.environment import Environment, Found
from parley.registry.explanation import missing_settings, why_unusable
from parley.registry.instances import DEMO, PANEL, Index, Instance, Override, build_index, overridden, provider_directories
from parley.registry.making import listed_models, made
from parley.registry.price_list import Seller
from parley.registry.proof import Proven, proven_by, shipped_proof
from parley.registry.route_checks import problems_of, routes_over
from parley.registry.switches import switch_problems, why_the_demo_is_off
from parley.telemetry import register_secrets

CONFIG_VARIABLE = "PARLEY_CONFIG"
DEFAULT_VARIABLE = "PARLEY_DEFAULT"
FILE_NAME = "parley.toml"
_Source = TypeVar("_Source")


def load_provider(name: str, **config: Any) -> GuardedProvider:
    """One guarded provider, newly made. `config` gives fields of its Config; the rest is read as `Registry.from_environment` does.

    Raises UnknownProviderError, MissingCredentialError (naming the variable to set) or ConfigurationError (every problem at once).
    """
    return Registry.from_environment().load(name, config)


class Registry:
    """Every provider by name. A broken plugin or a missing key rules out that one provider and is told in its description."""

    def __init__(
        self,
        environment: Environment,
        file: ConfigurationFile,
        index: Index,
        *,
        problems: Sequence[FieldProblem] = (),
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or LoopClock()
        self.environment = environment
        self.file = file
        self._index = index
        self._own_problems = problems
        self._problems = [*problems, *index.problems]
        self._definitions: dict[str, Definition | UnusableProviderError] = {}
        self._configured: dict[str, Configured] = {}
        self._providers: dict[str, GuardedProvider] = {}
        self._by_key: dict[str, list[GuardedProvider]] = {}

    @classmethod
    def from_environment(
        cls,
        path: Path | str | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        directory: Path | str | None = None,
        forgiving: bool = False,
        clock: Clock | None = None,
    ) -> Registry:
        """Read `.env`, `parley.toml` (`path`, else PARLEY_CONFIG, else ./parley.toml) and find the plugins; import none of them.

        `environ` and `directory` stand for the process's variables and working directory. Raises ConfigurationError where a file
        cannot be read at all (a `forgiving` registry goes on without that file); what else is wrong is told by `check`. `clock` is the
        time that providers are held to.
        """
        place = Path.cwd() if directory is None else Path(directory)
        unreadable: list[FieldProblem] | None = [] if forgiving else None
        environment = _or_without(
            lambda: Environment.read(directory=place, variables=environ),
            Environment(os.environ if environ is None else environ),
            unreadable,
        )
        problems = switch_problems(environment)
        file = _or_without(lambda: _read_file(path, environment, place, problems), ConfigurationFile(), unreadable)
        problems += unreadable or []
        index = build_index(environment, file, provider_directories(environment, place, problems))
        return cls(environment, file, index, problems=problems, clock=clock)

    def with_overrides(self, overrides: Sequence[Override], routes: Sequence[Route] = ()) -> Registry:
        """A registry of the same sources with these settings and routes over them. This one, and what it made, stays as it is."""
        file = structs.replace(self.file, routes=routes_over(self.file.routes, routes))
        return Registry(self.environment, file, overridden(self._index, overrides), problems=self._own_problems, clock=self.clock)

    def names(self) -> list[str]:
        """Every name that can be asked for, in the order in which providers are asked for a model."""
        return list(self._index.instances)

    @property
    def routes(self) -> Sequence[Route]:
        """The operator's routes, and those that administrators set."""
        return self.file.routes

    def route_problems(self, route: Route, *, path: str = "") -> list[FieldProblem]:
        """What keeps a route from being one of these; `path` stands before each field."""
        return list(problems_of(route, self._index.instances, routes=[each.name for each in self.routes], path=path))

    def get(self, name: str) -> GuardedProvider:
        """The guarded provider of this name, made once. Raises as `load_provider` does."""
        if name not in self._providers:
            self._providers[name] = self.load(name)
        return self._providers[name]

    def get_for_keys(self, name: str) -> Sequence[GuardedProvider]:
        """The provider of this name once for each of its keys, in their order; the first is that of `get`. Raises as `get` does."""
        if name not in self._by_key:
            first = self.get(name)
            instance = self._instance(name)
            definition = self._definition(instance)
            keys = [] if isinstance(definition, UnusableProviderError) else self._configuration(instance, definition).keys[1:]
            self._by_key[name] = [first, *(self.load(name, {"api_key": key}) for key in keys)]
        return self._by_key[name]

    def load(self, name: str, arguments: Mapping[str, Any] | None = None) -> GuardedProvider:
        """A new guarded provider of this name, with these fields of its Config over every other source."""
        instance = self._instance(name)
        definition = self._definition(instance)
        if isinstance(definition, UnusableProviderError):
            raise ConfigurationError(f"{name} ({instance.declared_by}) cannot be used: {definition}", provider=name)
        if reason := self._switched_off(name):
            raise ConfigurationError(reason, provider=name)
        configured = self._configure(instance, definition, arguments) if arguments else self._configuration(instance, definition)
        if configured.config is None:
            raise self._unusable(instance, definition, configured)
        register_secrets([*configured.config.secrets(), *configured.keys])
        try:
            return made(instance, definition, configured.config, clock=self.clock)
        except UnusableProviderError as error:
            raise ConfigurationError(f"{name} ({instance.declared_by}) cannot be used: {error}", provider=name) from error

    def describe(self, name: str) -> ProviderDescription:
        """The provider, its state and its fields. Raises UnknownProviderError."""
        instance = self._instance(name)
        definition = self._definition(instance)
        if isinstance(definition, UnusableProviderError):
            return _quarantined(name, instance.declared_by, str(definition))
        configured = self._configuration(instance, definition)
        status, reason = self._status(instance, definition, configured)
        entry = instance.entry
        return ProviderDescription(
            name=name,
            provider=definition.name,
            origin=instance.declared_by,
            status=status,
            reason=reason,
            configured=self._is_configured(instance),
            label=(entry and entry.label) or (definition.label if instance.own_name else name),
            description=(entry and entry.description) or definition.description,
            model=self._default_model(definition, configured),
            models=self.models(name),
            embedding_models=definition.embedding_models,
            capabilities=entry.capabilities.over(definition.capabilities) if entry else definition.capabilities,
            extra_options=definition.extra_options,
            limits=self.limits(name),
            docs_url=(entry and entry.docs_url) or definition.docs_url,
            local=definition.local,
            fields=describe_fields(definition.config_type, instance, configured.origins),
            proven=_proven(definition),
        )

    def _status(self, instance: Instance, definition: Definition, configured: Configured) -> tuple[Status, str | None]:
        """A plugin is ready when it can be made: it is tried, once."""
        if reason := self._switched_off(instance.name):
            return "unconfigured", reason
        if configured.config is None:
            return "unconfigured", self._unusable(instance, definition, configured).message
        if instance.candidate.origin == BUILT_IN:
            return "ready", None
        try:
            self.get(instance.name)
        except ParleyError as error:
            broken = isinstance(error.__cause__, UnusableProviderError)
            return ("quarantined", str(error.__cause__)) if broken else ("unconfigured", error.message)
        return "ready", None

    def descriptions(self) -> list[ProviderDescription]:
        """Every provider, then whatever was found and cannot be used."""
        conflicting = [_quarantined(candidate.name, candidate.origin, candidate.conflict or "") for candidate in self._index.conflicting]
        return [self.describe(name) for name in self.names()] + conflicting

    def models(self, name: str) -> Sequence[Model]:
        """The models that this provider lists: the operator's, else its author's; and the one that is set as its default."""
        instance = self._instance(name)
        definition = self._definition(instance)
        if isinstance(definition, UnusableProviderError):
            return ()
        listed = listed_models(instance)
        models = list(definition.models if listed is None else listed)
        configured = self._configuration(instance, definition)
        default = self._default_model(definition, configured)
        if "model" in configured.origins and default and all(model.id != default for model in models):
            models.append(Model(default))
        return models

    def seller(self, name: str) -> Seller | None:
        """Whose price list holds for this provider; None for one that runs on the operator's machine, or cannot be used."""
        instance = self._instance(name)
        definition = self._definition(instance)
        if isinstance(definition, UnusableProviderError) or definition.local:
            return None
        config = self._configuration(instance, definition).config
        # What only speaks somebody's wire is sold by whoever answers at its endpoint.
        named = instance.candidate.origin == BUILT_IN and definition.name != COMPATIBLE
        return Seller(name=definition.name if named else "", endpoint="" if config is None else config.endpoint)

    def operator_prices(self, name: str) -> dict[str, Price]:
        """What the operator says the models of this provider cost."""
        entry = self._instance(name).entry
        listed = (entry and entry.models) or []
        return {model.id: model.price.as_price() for model in listed if model.price is not None}

    def limits(self, name: str) -> Limits:
        """How much this provider accepts: what the operator says, else what its author knows of the vendor."""
        instance = self._instance(name)
        definition = self._definition(instance)
        if isinstance(definition, UnusableProviderError):
            return Limits()
        configured = self._configuration(instance, definition)
        return configured.config.limits if configured.config and "limits" in configured.origins else definition.limits

    def key_limits(self, name: str) -> Limits:
        """What the operator says that each of its keys may use."""
        entry = self._instance(name).entry
        return Limits() if entry is None else entry.key_limits

    def embedding_models(self, name: str) -> Sequence[Model]:
        """The models that this provider's author declares for embeddings, the first of them its default."""
        definition = self._definition(self._instance(name))
        return definition.embedding_models if isinstance(definition, Definition) else ()

    def default_model(self, name: str) -> str:
        """The model that this provider uses where a request names none; empty where it has none."""
        instance = self._instance(name)
        definition = self._definition(instance)
        return (
            ""
            if isinstance(definition, UnusableProviderError)
            else self._default_model(definition, self._configuration(instance, definition))
        )

    def wire(self, name: str) -> Codec | None:
        """The codec of this provider; None where it is no dialect of a wire, or cannot be used."""
        definition = self._definition(self._instance(name))
        return definition.wire if isinstance(definition, Definition) else None

    def is_configured(self, name: str) -> bool:
        """Whether anybody has set it up, working or not."""
        return self._is_configured(self._instance(name))

    @property
    def chosen_default(self) -> Found | None:
        """The default that the operator wrote down, and where: PARLEY_DEFAULT over `default` in `parley.toml`."""
        if found := self.environment.find([DEFAULT_VARIABLE]):
            return found
        if not self.file.default or self.file.path is None:
            return None
        return Found(self.file.default, f"{self.file.path.name}: default", self.file.path.name)

    @property
    def default(self) -> str:
        """What answers where a request names no model: `provider/model`, a provider, or a route.

        The operator's choice; else the first configured provider that is ready; the demo only where none is configured at all.
        Raises ConfigurationError where nothing can answer.
        """
        if self.chosen_default is not None:
            return self.chosen_default.value
        configured = [name for name in self.names() if name != DEMO and self.is_configured(name)]
        for name in configured:
            if self.describe(name).status == "ready":
                return name
        if configured:
            reasons = "; ".join(f"{name}: {self.describe(name).reason}" for name in configured)
            raise ConfigurationError(f"no configured provider can be used. {reasons}")
        if reason := self._switched_off(DEMO):
            keys = ", ".join(self._key_variables())
            raise ConfigurationError(f"no provider is configured, and {reason}; or set a key, one of {keys}")
        return DEMO

    def problems(self) -> list[FieldProblem]:
        """Everything that is wrong with the configuration. A missing key is no problem of it, nor is a plugin in quarantine."""
        problems = list(self._problems)
        for instance in self._index.instances.values():
            definition = self._definition(instance)
            if isinstance(definition, Definition):
                configured = self._configuration(instance, definition)
                problems += configured.problems
                if instance.explicit or configured.touched:
                    problems += missing_settings(instance, configured)
        return problems

    def check(self) -> None:
        """Raise ConfigurationError with every problem, if there is one."""
        if problems := self.problems():
            listed = "\n".join(f"  {problem.path}: {problem.message}" for problem in problems)
            raise ConfigurationError(f"the configuration has {_counted(len(problems))}:\n{listed}", fields=problems)

    def secrets(self) -> list[str]:
        """Every secret of every provider that is configured: for a scrubber, and for nothing else."""
        found: dict[str, None] = {}
        for instance in self._index.instances.values():
            definition = self._definition(instance)
            if isinstance(definition, Definition):
                configured = self._configuration(instance, definition)
                found |= dict.fromkeys([*(configured.config.secrets() if configured.config else ()), *configured.keys])
        return list(found)

    def literal_secrets(self) -> list[str]:
        """Where in `parley.toml` a secret stands in plain text instead of `env:NAME`."""
        return [
            path
            for instance in self._index.instances.values()
            if instance.entry is not None
            for definition in [self._definition(instance)]
            if isinstance(definition, Definition)
            for path in self._configuration(instance, definition).literal_secrets
        ]

    def mistyped_variables(self) -> dict[str, str]:
        """Variables that are set and mean nothing, each with the one, not set, that it looks like."""
        meant = {variable for name in self.names() for field in self.describe(name).fields for variable in field.variables}
        unset = sorted(name for name in meant if self.environment.get(name) is None)
        found: dict[str, str] = {}
        for name in self.environment.names():
            matches = [] if name in meant else get_close_matches(name, unset, n=1, cutoff=0.88)
            # What goes on after a whole name is somebody's own variable: OPENAI_API_KEY_OLD.
            if matches and not name.startswith(f"{matches[0]}_"):
                found[name] = matches[0]
        return found

    def origins(self) -> dict[str, str]:
        """Of every field that is set, where from: `{"acme.api_key": "environment variable ACME_API_KEY"}`. Never a value."""
        return {
            f"{name}.{field.name}": field.origin
            for name in self.names()
            for field in self.describe(name).fields
            if field.origin is not None
        }

    async def aclose(self) -> None:
        """Close every provider that `get` and `get_for_keys` have made."""
        others = [provider for by_key in self._by_key.values() for provider in by_key[1:]]
        providers, self._providers, self._by_key = [*self._providers.values(), *others], {}, {}
        await asyncio.gather(*(provider.aclose() for provider in providers))

    def _instance(self, name: str) -> Instance:
        if instance := self._index.instances.get(name):
            return instance
        left, separator, right = name.partition("/")
        if separator and left in self._index.instances:
            hint = f' Give the provider alone, and the model beside it: "{left}", model="{right}".'
        else:
            hint = did_you_mean(name, self.names()) or f" Known are: {', '.join(self.names())}."
        quarantined = ((each.origin, each.reason or "") for each in self.descriptions() if each.status == "quarantined")
        for origin, reason in quarantined:
            if Path(origin).stem.replace("_", "-") == name or f"'{name}'" in reason or f'"{name}"' in reason:
                hint = f" {origin} cannot be used: {reason}."
        raise UnknownProviderError(f'no provider is called "{name}".{hint}', provider=name)

    def _definition(self, instance: Instance) -> Definition | UnusableProviderError:
        name = instance.candidate.name
        if name not in self._definitions:
            try:
                self._definitions[name] = define(instance.candidate)
            except UnusableProviderError as error:
                self._definitions[name] = error
        return self._definitions[name]

    def _configuration(self, instance: Instance, definition: Definition) -> Configured:
        if instance.name not in self._configured:
            self._configured[instance.name] = self._configure(instance, definition, None)
        return self._configured[instance.name]

    def _configure(self, instance: Instance, definition: Definition, arguments: Mapping[str, Any] | None) -> Configured:
        settings: Mapping[str, Any] = instance.override.settings if instance.override else {}
        environment, entry = self.environment, instance.entry
        if instance.override is not None and instance.override.withhold_secrets:
            # A proxy is not sent anywhere: it is how the endpoint is reached.
            secret = [field for field in config_fields(definition.config_type) if field.setting.secret and field.name != "proxy"]
            environment = environment.without(name for field in secret for name in variables(field, instance))
            entry = entry and entry.without({field.name for field in secret})
        configured = configure(
            instance.name,
            definition.config_type,
            environment=environment,
            arguments={**settings, **(arguments or {})},
            entry=entry,
            own_name=instance.own_name,
        )
        configured.origins |= {field: PANEL for field in settings if field not in (arguments or {})}
        return configured

    def _is_configured(self, instance: Instance) -> bool:
        if instance.override is not None and not instance.override.enabled:
            return False
        definition = self._definition(instance)
        if instance.explicit or isinstance(definition, UnusableProviderError):
            return True
        configured = self._configuration(instance, definition)
        return configured.touched or (instance.candidate.origin != BUILT_IN and configured.config is not None)

    def _default_model(self, definition: Definition, configured: Configured) -> str:
        if configured.config is not None:
            return configured.config.model
        model = next((field for field in config_fields(definition.config_type) if field.name == "model"), None)
        return model.default if model is not None and isinstance(model.default, str) else ""

    def _unusable(self, instance: Instance, definition: Definition, configured: Configured) -> ParleyError:
        own = instance.name.replace("-", "_").upper()
        others = tuple(f"{name.replace('-', '_').upper()}_" for name in self.names() if name != instance.name)
        known = {name for field in config_fields(definition.config_type) for name in variables(field, instance)}
        found = (name for name in self.environment.names() if name not in known)
        similar = [name for name in found if name.startswith(own[:4]) and not name.startswith(others)]
        return why_unusable(instance, definition, configured, similar=similar)

    def _key_variables(self) -> list[str]:
        """The variables that would make a provider ready, each by itself."""
        return [
            field.variables[0]
            for described in self.descriptions()
            for field in described.fields
            if field.required and field.secret and described.status == "unconfigured"
        ]

    def _switched_off(self, name: str) -> str | None:
        """Why a provider must not answer: an administrator says so, or it is the demo, in production only on request."""
        override = self._instance(name).override
        if override is not None and not override.enabled:
            return f"{name} is switched off in {PANEL}"
        if name != DEMO:
            return None
        return why_the_demo_is_off(self.environment)


def _or_without(read: Callable[[], _Source], nothing: _Source, unreadable: list[FieldProblem] | None) -> _Source:
    """What is read; where it cannot be read and the problems are collected, nothing."""
    try:
        return read()
    except ConfigurationError as error:
        if unreadable is None:
            raise
        unreadable += error.fields
        return nothing


def _read_file(path: Path | str | None, environment: Environment, directory: Path, problems: list[FieldProblem]) -> ConfigurationFile:
    named = str(path) if path is not None else environment.get(CONFIG_VARIABLE)
    if named is not None:
        return read_configuration_file(directory / named, problems=problems)
    usual = directory / FILE_NAME
    return read_configuration_file(usual, problems=problems) if usual.is_file() else ConfigurationFile()


def _counted(count: int) -> str:
    return "1 problem" if count == 1 else f"{count} problems"


def _proven(definition: Definition) -> Proven:
    """Of what does not ship there is no proof; what ships and answers by itself is its own vendor."""
    if definition.origin != BUILT_IN:
        return "claimed"
    return "vendor" if definition.wire is None else proven_by(shipped_proof(), definition.name)


def _quarantined(name: str, origin: str, reason: str) -> ProviderDescription:
    return ProviderDescription(name=name, provider=name, origin=origin, status="quarantined", reason=reason, configured=True, label=name)
