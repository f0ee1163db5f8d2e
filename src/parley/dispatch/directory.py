"""Makes what models' names stand for, once each: all routes that lead to a target share it. Sends nothing."""

from __future__ import annotations

from parley.contract.errors import ParleyError
from parley.dispatch.pricing import pricing_of
from parley.dispatch.resolution import route_named
from parley.dispatch.targets import Destination, Line, Target
from parley.registry import price_list
from parley.registry.configuration_file import Route
from parley.registry.loading import Registry

MAX_TARGETS = 1000


class Directory:
    """The targets of one registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._targets: dict[tuple[str, str], Target] = {}

    def destination(self, name: str, model: str) -> Destination:
        """What `resolve_model` found. Raises what keeps all of its targets from answering."""
        route = route_named(self._registry, name)
        found = Destination(name, model, [self._target(name, model)]) if route is None else self._routed(route)
        if not found.usable:
            raise next(target.problem for target in found.targets if target.problem is not None)
        return found

    def _routed(self, route: Route) -> Destination:
        targets = [self._target(*split(target.model)) for target in route.targets]
        return Destination(
            route.name,
            "",
            targets,
            strategy=route.strategy,
            stream_guard=route.stream_guard,
            weights=[target.weight for target in route.targets],
        )

    def _target(self, provider: str, model: str) -> Target:
        known = self._targets.get((provider, model))
        if known is None:
            known = self._made(provider, model)
            # Models' names come from callers; what a target is remembered for is lost with it, and nothing else.
            if len(self._targets) < MAX_TARGETS:
                self._targets[provider, model] = known
        return known

    def _made(self, provider: str, model: str) -> Target:
        try:
            guarded = self._registry.get_for_keys(provider)
        except ParleyError as error:
            return Target(provider, model, problem=error)
        pricing = pricing_of(self._registry, provider)
        for one in guarded:
            if one.appraiser is None:
                one.appraised_by(pricing)
        lines = [Line(one, key=str(number) if len(guarded) > 1 else "") for number, one in enumerate(guarded, 1)]
        listed = next((known.context_tokens for known in self._registry.models(provider) if known.id == model), 0)

        def context_tokens() -> int:
            return listed or (pricing.context_tokens(model) if price_list.is_settled() else 0)

        return Target(provider, model, lines=lines, context_tokens=context_tokens)


def split(target: str) -> tuple[str, str]:
    """`provider/model`, as a route's target is written."""
    provider, _, model = target.partition("/")
    return provider, model
