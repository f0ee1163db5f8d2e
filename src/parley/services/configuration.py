"""The configuration that is in force: the operator's files with what administrators set over them, changed and taken as a whole.

Every replica has the same one: a change is stored with its number, the others are told, and look for themselves now and then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, cast

from msgspec import Struct, structs

from parley.bus.protocol import Bus
from parley.contract.errors import ConfigurationError, FieldProblem, InvalidRequestError
from parley.dispatch.client import Client
from parley.dispatch.resolution import default_problem
from parley.dispatch.shared import Shared
from parley.registry.configuration_file import Route, RouteTarget, Strategy, StreamGuard
from parley.registry.loading import Registry
from parley.services.agreement import Agreement
from parley.services.audit import Action, Audit
from parley.services.health import Health
from parley.services.principals import Principal
from parley.services.provider_overrides import ProviderOverrides
from parley.services.succession import Succession
from parley.storage.audit import AuditEntries, FieldChange
from parley.storage.database import Database
from parley.storage.errors import AlreadyExistsError, StorageUnavailableError
from parley.storage.model_routes import ModelRoutes, RouteRecord
from parley.storage.providers import ProviderRecord, Providers
from parley.storage.writer import Change
from parley.telemetry import get_logger

RELOADED: Final = "configuration.reloaded"
MAX_TRIES: Final = 50

_logger = get_logger(__name__)


class Stored(Struct, frozen=True, kw_only=True):
    """What administrators set, by name, as it was at one of its versions."""

    version: int = 0
    providers: Mapping[str, ProviderRecord] = {}
    routes: Mapping[str, RouteRecord] = {}


class Planned(Struct, frozen=True, kw_only=True):
    """A change that is sound: what is written for it, and what the audit says. `registry` is what will be in force."""

    registry: Registry
    writes: Sequence[Change]
    providers: Mapping[str, ProviderRecord]
    routes: Mapping[str, RouteRecord]
    action: Action
    subject: str
    changes: Sequence[FieldChange]


class Configuration:
    """`client` answers. `start` before the first request, `aclose` after the last.

    `reread` is called where another replica was told to read its files anew; whoever can do that sets it.
    """

    def __init__(self, database: Database, *, registry: Registry, overrides: ProviderOverrides, bus: Bus, shared: Shared) -> None:
        self.audit = Audit(database)
        self.overrides = overrides
        self.health = Health()
        self.reread: Callable[[], Awaitable[None]] | None = None
        self._providers = Providers(database)
        self._routes = ModelRoutes(database)
        self._entries = AuditEntries(database)
        self._base = registry
        self._shared = shared
        self._bus = bus
        self._succession = Succession(Client(registry, shared=shared))
        self._stored = Stored()
        self._lock = asyncio.Lock()
        self._agreement = Agreement(bus, self.follow, shared=database.shared or bus.shared)
        self._owes_reread = False

    @property
    def client(self) -> Client:
        """What answers now. Take it anew for each answer: one under way ends on the client that it began on."""
        return self._succession.client

    @property
    def generation(self) -> int:
        """How many configurations this process has had; the one that it started with is 1."""
        return self._succession.generation

    @property
    def stored(self) -> Stored:
        """What administrators set, as it is in force."""
        return self._stored

    @property
    def apart(self) -> bool:
        """Whether other replicas cannot be told of anything now."""
        return not self._bus.connected

    @property
    def base(self) -> Registry:
        """What the environment and the files say by themselves."""
        return self._base

    async def start(self) -> None:
        """Put what administrators set over the operator's configuration. What is wrong there keeps nothing from starting."""
        self._stored = await self._read()
        registry = self.built()
        for problem in _consequences(registry):
            _logger.warning("what was set in the panel cannot be used", where=problem.path, problem=problem.message)
        self._succession = Succession(Client(registry, shared=self._shared))
        self._agreement.start()

    async def aclose(self) -> None:
        """Close every client."""
        await self._agreement.aclose()
        await self._succession.aclose()
        await self._shared.aclose()

    async def settle(self) -> None:
        """Wait until nothing answers any more that has been replaced."""
        await self._succession.settle()

    def built(self, *, providers: Iterable[ProviderRecord] | None = None, routes: Iterable[RouteRecord] | None = None) -> Registry:
        """The operator's configuration with these settings over it, instead of those that are in force."""
        return self._over(self._base, self._stored.providers.values() if providers is None else providers, routes)

    async def change(self, plan: Callable[[], Awaitable[Planned]], *, by: Principal) -> None:
        """Store what `plan` makes of the present state, and take it. It is asked again where another replica was faster.

        Raises what `plan` raises, and InvalidRequestError where the change would leave something else without its footing.
        """

        async def attempt(version: int) -> None:
            planned = await plan()
            client = Client(planned.registry, shared=self._shared)
            self._refuse(_new_problems(_consequences(planned.registry), _consequences(self.client.registry)))
            entry = await self.audit.entry(planned.action, planned.subject, planned.changes, by=by, version=version)
            await self._entries.add(entry, planned.writes)
            self._stored = Stored(version=version, providers=planned.providers, routes=planned.routes)
            self._succession.replace(client)

        await self._as_next(attempt)

    async def replace(self, base: Registry, *, broken_files: bool = False) -> None:
        """Take these sources from the next answer on, with what administrators set over them.

        Raises ConfigurationError with everything that is wrong with them; then nothing has changed. `broken_files` takes provider files
        that cannot be used: their providers alone are out then.
        """
        async with self._lock:
            self._take(base, await self._checked(base, broken_files=broken_files))

    async def reload(self, base: Registry, changes: Sequence[FieldChange], *, by: Principal | None) -> None:
        """The same with an entry in the audit. Where an administrator asked for it, every other replica reads its sources too."""

        async def attempt(version: int) -> None:
            registry = await self._checked(base)
            entry = await self.audit.entry(RELOADED, "configuration", changes, by=by, version=None if by is None else version)
            await self._entries.add(entry)
            if by is not None:
                self._stored = structs.replace(self._stored, version=version)
            self._take(base, registry)

        await self._as_next(attempt)

    async def follow(self) -> None:
        """Take what other replicas have set since, and read the files anew where one was told to."""
        async with self._lock:
            await self._catch_up()
        owed, self._owes_reread = self._owes_reread, False
        if owed and self.reread is not None:
            await self.reread()

    async def note(self, action: Action, changes: Sequence[FieldChange], *, by: Principal | None) -> None:
        """Write down what changed nothing."""
        await self._entries.add(await self.audit.entry(action, "configuration", changes, by=by))

    async def _as_next(self, attempt: Callable[[int], Awaitable[None]]) -> None:
        """Make the next version; again from the new state where another replica was faster, and then tell the others."""
        async with self._lock:
            for _ in range(MAX_TRIES):
                await self._catch_up()
                try:
                    await attempt(self._stored.version + 1)
                except AlreadyExistsError:
                    continue
                await self._agreement.tell()
                return
        raise StorageUnavailableError("other servers change the configuration all the time; try again in a moment", retry_after=1.0)

    def _take(self, base: Registry, registry: Registry) -> None:
        self._base = base
        self._succession.replace(Client(registry, shared=self._shared))
        for name in registry.names():
            self.health.forget(name)

    async def _checked(self, base: Registry, *, broken_files: bool = False) -> Registry:
        """In a thread: a provider file may take its time when it is imported."""
        registry = self._over(base, self._stored.providers.values(), None)
        before = self.client.registry
        wrong = await asyncio.to_thread(
            lambda: _new_problems(
                [*base.problems(), *_consequences(registry), *([] if broken_files else _quarantined(registry))],
                [*before.problems(), *self._base.problems(), *_consequences(before), *_quarantined(before)],
            )
        )
        if wrong:
            listed = "; ".join(f"{problem.path}: {problem.message}" for problem in wrong)
            raise ConfigurationError(f"the configuration stays as it was: {listed}", fields=wrong)
        return registry

    def _over(self, base: Registry, providers: Iterable[ProviderRecord], routes: Iterable[RouteRecord] | None) -> Registry:
        stored = self._stored.routes.values() if routes is None else routes
        return base.with_overrides(self.overrides.of(providers), [route_of(record) for record in stored])

    def _refuse(self, problems: list[FieldProblem]) -> None:
        if problems:
            raise InvalidRequestError("; ".join(f"{problem.path} {problem.message}" for problem in problems), fields=problems)

    async def _read(self) -> Stored:
        # The version first: what is changed in between is then read twice rather than never.
        version = await self._entries.version()
        providers = {record.name: record for record in await self._providers.list()}
        routes = {record.name: record for record in await self._routes.list()}
        return Stored(version=version, providers=providers, routes=routes)

    async def _catch_up(self) -> None:
        """Take what another replica has stored. That files are to be read anew is left to `follow`."""
        if await self._entries.version() == self._stored.version:
            return
        actions = await self._entries.actions_since(self._stored.version)
        before = self._stored
        self._stored = await self._read()
        self._succession.replace(Client(self.built(), shared=self._shared))
        for name in {*before.providers, *self._stored.providers}:
            self.health.forget(name)
        _logger.info("took the configuration of another replica", version=self._stored.version, generation=self.generation)
        if RELOADED in actions:
            self._owes_reread = True


def route_of(record: RouteRecord) -> Route:
    """A stored route as the registry has it."""
    targets = [RouteTarget(model=target.model, weight=target.weight) for target in record.targets]
    strategy, stream_guard = cast("Strategy", record.strategy), cast("StreamGuard", record.stream_guard)
    return Route(name=record.name, strategy=strategy, stream_guard=stream_guard, targets=targets)


def _consequences(registry: Registry) -> list[FieldProblem]:
    """What is wrong with the routes and the default, which stand on everything else."""
    problems = [problem for route in registry.routes for problem in registry.route_problems(route, path=f"route {route.name}: ")]
    default = default_problem(registry)
    return [*problems, default] if default is not None else problems


def _quarantined(registry: Registry) -> list[FieldProblem]:
    return [
        FieldProblem(path=f"{described.name} ({described.origin})", message=described.reason or "cannot be used")
        for described in registry.descriptions()
        if described.status == "quarantined"
    ]


def _new_problems(found: Sequence[FieldProblem], known: Sequence[Any]) -> list[FieldProblem]:
    """Each once, without those that there were before."""
    return [problem for problem in dict.fromkeys(found) if problem not in known]
