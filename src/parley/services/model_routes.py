"""Routes as administrators set them: over those of the operator's file, effective with the next answer. Knows no HTTP and no client."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final, Literal

from msgspec import Struct, to_builtins

from parley.contract.errors import InvalidRequestError
from parley.registry.configuration_file import NAME_RULE, PROVIDER_NAME, RouteTarget, Strategy, StreamGuard
from parley.services.audit import changes_between
from parley.services.configuration import Configuration, Planned, route_of
from parley.services.errors import NotFoundError
from parley.services.principals import Principal
from parley.services.validation import Problems
from parley.storage.ids import now_ms
from parley.storage.model_routes import RouteRecord, StoredTarget, putting, removing
from parley.telemetry import get_logger

MAX_ROUTES: Final = 200
MAX_TARGETS: Final = 50
MAX_TARGET_CHARACTERS: Final = 300

_logger = get_logger(__name__)


class TargetSettings(Struct, frozen=True, kw_only=True):
    """One place where a route may find its answer: `provider/model`, and its share where the strategy goes by that."""

    model: str
    weight: float = 1


class RouteSettings(Struct, frozen=True, kw_only=True):
    """A whole route, as `[[routes]]` in parley.toml has it: what is not given has its default."""

    targets: list[TargetSettings]
    strategy: Strategy = "priority"
    stream_guard: StreamGuard = "error"


class ModelRouteView(Struct, frozen=True, kw_only=True):
    """A route in force; `origin` says whether it stands in the operator's file or was set here."""

    name: str
    strategy: Strategy
    stream_guard: StreamGuard
    targets: list[RouteTarget]
    origin: Literal["file", "panel"]


class ModelRoutes:
    """The routes of the configuration."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration

    def list(self) -> list[ModelRouteView]:
        """Every route, in the order of the file, then those that were made here."""
        stored = self._configuration.stored.routes
        return [
            ModelRouteView(
                name=route.name,
                strategy=route.strategy,
                stream_guard=route.stream_guard,
                targets=route.targets,
                origin="panel" if route.name in stored else "file",
            )
            for route in self._configuration.client.registry.routes
        ]

    async def put(self, name: str, settings: RouteSettings, *, principal: Principal) -> ModelRouteView:
        """Set a whole route, in the place of an earlier one. Raises InvalidRequestError with every field that cannot be."""
        _check(name, settings)
        await self._configuration.change(partial(self._set, name, settings), by=principal)
        _logger.info("route set", route=name, by=principal.user_id)
        return next(route for route in self.list() if route.name == name)

    async def remove(self, name: str, *, principal: Principal) -> None:
        """Go back to what the file says of this route. Raises NotFoundError where it was not set here."""
        await self._configuration.change(partial(self._removed, name), by=principal)
        _logger.info("route set back", route=name, by=principal.user_id)

    async def _set(self, name: str, settings: RouteSettings) -> Planned:
        stored = self._configuration.stored
        old = stored.routes.get(name)
        if old is None and len(stored.routes) >= MAX_ROUTES:
            raise InvalidRequestError(f"at most {MAX_ROUTES} routes can be set here; remove one")
        now = now_ms()
        new = RouteRecord(
            name=name,
            strategy=settings.strategy,
            stream_guard=settings.stream_guard,
            targets=[StoredTarget(model=target.model, weight=target.weight) for target in settings.targets],
            created_at=old.created_at if old is not None else now,
            updated_at=now,
        )
        routes = {**stored.routes, name: new}
        registry = self._configuration.built(routes=routes.values())
        if problems := registry.route_problems(route_of(new)):
            raise InvalidRequestError("; ".join(f"{problem.path} {problem.message}" for problem in problems), fields=problems)
        return Planned(
            registry=registry,
            writes=putting(new),
            providers=stored.providers,
            routes=routes,
            action="route.set",
            subject=name,
            changes=changes_between(_audited(old), _audited(new)),
        )

    async def _removed(self, name: str) -> Planned:
        stored = self._configuration.stored
        old = stored.routes.get(name)
        if old is None:
            raise NotFoundError(f'no route "{name[:80]}" was set here; those of the file are changed in the file')
        routes = {other: record for other, record in stored.routes.items() if other != name}
        return Planned(
            registry=self._configuration.built(routes=routes.values()),
            writes=removing(name),
            providers=stored.providers,
            routes=routes,
            action="route.removed",
            subject=name,
            changes=changes_between(_audited(old), {}),
        )


def _audited(record: RouteRecord | None) -> Mapping[str, Any]:
    if record is None:
        return {}
    return {"strategy": record.strategy, "streamGuard": record.stream_guard, "targets": to_builtins(record.targets)}


def _check(name: str, settings: RouteSettings) -> None:
    problems = Problems()
    if not PROVIDER_NAME.fullmatch(name):
        problems.add("name", NAME_RULE)
    if len(settings.targets) > MAX_TARGETS:
        problems.add("targets", f"has more than {MAX_TARGETS}")
    for index, target in enumerate(settings.targets[:MAX_TARGETS]):
        problems.line(f"targets[{index}].model", target.model, max_characters=MAX_TARGET_CHARACTERS)
    problems.refuse()
