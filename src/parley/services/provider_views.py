"""Providers as the API lists them, for everybody and for who is signed in. Derived from descriptions; holds no secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from parley.contract.capabilities import Capabilities, Model
from parley.contract.pricing import Price
from parley.dispatch.pricing import ProviderPricing
from parley.registry.configuration_file import Route, Strategy, StreamGuard
from parley.registry.description import ProviderDescription
from parley.registry.proof import Proven
from parley.services.option_forms import options_schema

ShownStatus: TypeAlias = Literal["ready", "unconfigured", "quarantined", "unhealthy"]


class ModelView(Struct, frozen=True, kw_only=True):
    """A model; `context_tokens` 0 = unknown; `capabilities` hold for it, not only where they differ.

    `pricing` is in US dollars per million tokens, for a request of usual length; null = unknown.
    """

    id: str
    label: str
    description: str
    context_tokens: int
    capabilities: Capabilities
    pricing: Price | None


class ProviderView(Struct, frozen=True, kw_only=True):
    """A provider as a settings panel needs it; everybody may know the first three fields, the others are then not there.

    `reason` says why it is not ready; `provider` what it is an instance of; `model` is its default ("" where it has none). `proven` says
    whose recordings show that it works: the vendor's own, others' of the same wire, or nobody's: then it is only claimed.
    """

    name: str
    label: str
    description: str
    status: ShownStatus | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    provider: str | UnsetType = UNSET
    local: bool | UnsetType = UNSET
    needs_key: bool | UnsetType = UNSET
    docs_url: str | UnsetType = UNSET
    capabilities: Capabilities | UnsetType = UNSET
    options_schema: dict[str, Any] | UnsetType = UNSET
    proven: Proven | UnsetType = UNSET
    model: str | UnsetType = UNSET
    models: list[ModelView] | UnsetType = UNSET


class RouteTargetView(Struct, frozen=True, kw_only=True):
    """One place where a route may find its answer; `weight` is its share where the strategy goes by that."""

    provider: str
    model: str
    weight: float


class RouteView(Struct, frozen=True, kw_only=True):
    """A name that stands for several targets; it is asked for where else a provider is named."""

    name: str
    strategy: Strategy
    stream_guard: StreamGuard
    targets: list[RouteTargetView]


class ProviderListing(Struct, frozen=True, kw_only=True):
    """`available` names those that were set up and are ready; `default` answers where nobody names another ("" where none can).

    `routes` are told to who is signed in. `content_logged` tells everybody that what is asked and answered is written to this server's log.
    `servers_apart` says that this server does not hear the others of its installation: what is common is estimated until it does.
    """

    available: list[str]
    default: str
    providers: list[ProviderView]
    content_logged: bool
    routes: list[RouteView] = []
    servers_apart: bool = False


def route_view(route: Route) -> RouteView:
    """For who is signed in."""
    targets = [RouteTargetView(provider=provider, model=model, weight=weight) for provider, model, weight in _targets(route)]
    return RouteView(name=route.name, strategy=route.strategy, stream_guard=route.stream_guard, targets=targets)


def _targets(route: Route) -> Iterator[tuple[str, str, float]]:
    for target in route.targets:
        provider, _, model = target.model.partition("/")
        yield provider, model, target.weight


def name_of(description: ProviderDescription) -> ProviderView:
    """For everybody."""
    return ProviderView(name=description.name, label=description.label, description=description.description)


def view_of(description: ProviderDescription, *, problem: str | None, pricing: ProviderPricing | None = None) -> ProviderView:
    """For who is signed in. `pricing` knows what its models cost, `problem` is what its health says."""
    status: ShownStatus = description.status
    reason = description.reason
    if status == "ready" and problem is not None:
        status, reason = "unhealthy", problem
    return ProviderView(
        name=description.name,
        label=description.label,
        description=description.description,
        provider=description.provider,
        status=status,
        reason=reason or UNSET,
        local=description.local,
        needs_key=any(field.name == "api_key" and field.required for field in description.fields),
        docs_url=description.docs_url,
        capabilities=description.capabilities,
        options_schema=options_schema(description.capabilities, description.extra_options),
        proven=description.proven,
        model=description.model,
        models=[_model(model, description.capabilities, pricing=pricing) for model in description.models],
    )


def _model(model: Model, general: Capabilities, *, pricing: ProviderPricing | None) -> ModelView:
    return ModelView(
        id=model.id,
        label=model.label or model.id,
        description=model.description,
        context_tokens=model.context_tokens or (pricing.context_tokens(model.id) if pricing else 0),
        capabilities=model.capabilities.over(general),
        pricing=pricing.price(model.id) if pricing else None,
    )
