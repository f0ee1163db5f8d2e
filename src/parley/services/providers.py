"""The providers as the product offers them: listed, tested, and set up while the server runs. Knows no vendor and no HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType, structs

from parley.bus.memory import MemoryBus
from parley.bus.protocol import Bus
from parley.contract.errors import FieldProblem, InvalidRequestError, ParleyError
from parley.contract.response import ConnectionStatus
from parley.dispatch.client import Client
from parley.dispatch.pricing import pricing_of
from parley.dispatch.shared import Shared
from parley.registry import price_list
from parley.registry.configuration_file import NAME_RULE, PROVIDER_NAME
from parley.registry.description import ProviderDescription
from parley.registry.instances import PANEL, Override
from parley.registry.loading import Registry
from parley.services.agreement import Agreement
from parley.services.endpoints import EndpointPolicy
from parley.services.errors import NotFoundError
from parley.services.health import Health
from parley.services.principals import Principal
from parley.services.provider_views import ProviderListing, ProviderView, RouteView, name_of, route_view, view_of
from parley.services.secrets import SealedError, SecretBox
from parley.services.validation import Problems
from parley.storage.database import Database
from parley.storage.ids import now_ms
from parley.storage.providers import ProviderRecord
from parley.storage.providers import Providers as StoredProviders
from parley.telemetry import content_is_logged, get_logger, register_secrets

MAX_KEY_CHARACTERS: Final = 8192
MAX_SET_UP: Final = 200
IDLE_CHECK_SECONDS: Final = 1.0

_SPELLINGS: Final = {"api_key": "apiKey", "endpoint": "endpoint", "model": "model", "provider": "provider"}

_logger = get_logger(__name__)


class ProviderChanges(Struct, frozen=True, kw_only=True):
    """What an administrator sets: what is not given stays, null or "" goes back to what the environment and the file say."""

    provider: str | UnsetType | None = UNSET
    endpoint: str | UnsetType | None = UNSET
    api_key: str | UnsetType | None = UNSET
    model: str | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET

    def __repr__(self) -> str:
        given = [name for name in self.__struct_fields__ if getattr(self, name) is not UNSET]
        return f"ProviderChanges({', '.join(given)})"


class Providers:
    """`client` answers chats. `start` before the first request, `aclose` after the last."""

    def __init__(
        self,
        database: Database,
        *,
        registry: Registry,
        box: SecretBox,
        endpoints: EndpointPolicy,
        shared: Shared | None = None,
        bus: Bus | None = None,
    ) -> None:
        self._bus = bus or MemoryBus()
        self._agreement = Agreement(self._bus, self.refresh, shared=database.shared)
        self._stored = StoredProviders(database)
        self._base = registry
        self._box = box
        self._endpoints = endpoints
        self._shared = shared or Shared()
        self._client = Client(registry, shared=self._shared)
        self._records: dict[str, ProviderRecord] = {}
        self._unopened: set[str] = set()
        self._lock = asyncio.Lock()
        self._replaced: list[Client] = []
        self._closing: asyncio.Task[None] | None = None
        self._prices: asyncio.Future[bool] | None = None
        self.health = Health()

    @property
    def client(self) -> Client:
        """What answers now. Take it anew for each answer: one under way ends on the client that it began on."""
        return self._client

    async def start(self) -> None:
        """Put what administrators set over the operator's configuration; seal again what an older PARLEY_SECRET_KEY had sealed."""
        records = await self._stored.list()
        for index, record in enumerate(records):
            if record.sealed_key is None:
                continue
            try:
                resealed = self._box.resealed(record.sealed_key, context=_context(record.name))
            except SealedError as error:
                _logger.warning("the stored key of a provider cannot be opened", provider=record.name, error=error)
                continue
            if resealed is not None:
                records[index] = structs.replace(record, sealed_key=resealed)
                await self._stored.put(records[index])
        self._replace({record.name: record for record in records})
        self._prices = asyncio.get_running_loop().run_in_executor(None, price_list.load)
        self._agreement.start()

    async def aclose(self) -> None:
        """Close every provider."""
        await self._agreement.aclose()
        if self._closing is not None:
            self._closing.cancel()
            await asyncio.gather(self._closing, return_exceptions=True)
        for client in [*self._replaced, self._client]:
            await client.aclose()
        await self._shared.aclose()

    def listing(self, principal: Principal | None = None) -> ProviderListing:
        """What can be chosen. Calls no provider: from the configuration, and from how each did last."""
        descriptions, default = self._client.providers(), self._default()
        # A server of this machine that nobody set up may not run at all: it can be chosen, but is not praised.
        offered = [
            description
            for description in descriptions
            if description.status == "ready" and (description.configured or description.name == default)
        ]
        available = [description.name for description in offered]
        if principal is None:
            shown = [name_of(description) for description in offered]
            routes: list[RouteView] = []
        else:
            routes = [route_view(route) for route in self._client.registry.routes]
            views = [self._view(description, self.health.problem(description.name)) for description in descriptions]
            shown = [self._explained(view) for view in views]
        return ProviderListing(
            available=available,
            default=default,
            providers=shown,
            content_logged=content_is_logged(),
            routes=routes,
            servers_apart=principal is not None and not self._bus.connected,
        )

    async def test(self, name: str) -> ConnectionStatus:
        """Whether the provider can be reached and takes its key; what is wrong is told in words. Raises NotFoundError."""
        self._require(name)
        status = await self._client.test(name)
        if status.success:
            self.health.record(name, None)
        else:
            self.health.record_fault(name, status.error or "the test failed")
        _logger.info("provider tested", provider=name, success=status.success)
        return status

    async def configure(self, name: str, changes: ProviderChanges, *, principal: Principal) -> ProviderView:
        """Set up a provider, or a new one under a name of its own; effective with the next answer.

        Raises InvalidRequestError with every field that cannot be, also where the endpoint leads into a private network.
        """
        _check(name, changes)
        async with self._lock:
            old = self._records.get(name)
            if old is None and len(self._records) >= MAX_SET_UP:
                raise InvalidRequestError(f"at most {MAX_SET_UP} providers can be set up here; remove one")
            new = self._changed(name, old, changes)
            await self._check_endpoint(old, new, changes)
            records = {**self._records, name: new}
            await self._try(records, name)
            await self._stored.put(new)
            self._replace(records)
        self.health.forget(name)
        await self._agreement.tell()
        changed = [field for field in changes.__struct_fields__ if getattr(changes, field) is not UNSET]
        _logger.info("provider set up", provider=name, changed=",".join(changed), by=principal.user_id)
        return self._explained(self._view(self._client.registry.describe(name), None))

    async def remove(self, name: str, *, principal: Principal) -> None:
        """Go back to what the environment and the file say of this provider. Raises NotFoundError."""
        async with self._lock:
            if name not in self._records:
                raise NotFoundError(f'nothing was set up about a provider "{name}" here')
            await self._stored.remove(name)
            self._replace({other: record for other, record in self._records.items() if other != name})
        self.health.forget(name)
        await self._agreement.tell()
        _logger.info("provider set back", provider=name, by=principal.user_id)

    async def refresh(self) -> None:
        """Take what administrators have set on other servers since."""
        async with self._lock:
            records = {record.name: record for record in await self._stored.list()}
            changed = [name for name in {*records, *self._records} if records.get(name) != self._records.get(name)]
            if changed:
                self._replace(records)
        for name in changed:
            self.health.forget(name)

    async def reload(self, registry: Registry) -> None:
        """Take these sources from the next answer on, with what administrators set over them; one under way ends as it began."""
        async with self._lock:
            self._base = registry
            self._replace(self._records)
        for name in registry.names():
            self.health.forget(name)

    def _changed(self, name: str, old: ProviderRecord | None, changes: ProviderChanges) -> ProviderRecord:
        now = now_ms()
        record = old or ProviderRecord(name=name, created_at=now, updated_at=now)
        given = {
            field: value.strip() or None if isinstance(value, str) else value
            for field, value in structs.asdict(changes).items()
            if value is not UNSET and field != "api_key"
        }
        if isinstance(changes.api_key, str) and changes.api_key:
            register_secrets([changes.api_key])
            given["sealed_key"] = self._box.seal(changes.api_key, context=_context(name))
        elif changes.api_key is not UNSET:
            given["sealed_key"] = None
        return structs.replace(record, **given, updated_at=now)

    async def _check_endpoint(self, old: ProviderRecord | None, new: ProviderRecord, changes: ProviderChanges) -> None:
        """No key goes to an address for which it was not given: not the operator's, nor one that was set here before."""
        if new.endpoint == (old.endpoint if old else None):
            return
        if new.endpoint is not None:
            await self._endpoints.check(new.endpoint)
        if new.sealed_key is not None and changes.api_key is UNSET:
            message = "must be given again with another endpoint: the stored key was not meant for it"
            raise InvalidRequestError(f"apiKey {message}", fields=[FieldProblem(path="apiKey", message=message)])

    async def _try(self, records: Mapping[str, ProviderRecord], name: str) -> None:
        """Raise InvalidRequestError where these settings make no provider; what is merely missing may still come."""
        tried = self._base.with_overrides(self._overrides(records))
        known = self._base.problems()
        problems = [problem for problem in tried.problems() if problem not in known and problem.path in _SPELLINGS]
        if problems:
            fields = [FieldProblem(path=_SPELLINGS[problem.path], message=problem.message) for problem in problems]
            raise InvalidRequestError("; ".join(f"{field.path} {field.message}" for field in fields), fields=fields)
        if tried.describe(name).status == "ready":
            try:
                await tried.load(name).aclose()
            except ParleyError as error:
                raise InvalidRequestError(error.message, fields=error.fields) from error

    def _replace(self, records: dict[str, ProviderRecord]) -> None:
        """Answers that run end on the old client, which is closed after the last of them."""
        self._records = records
        self._unopened = set()
        overrides = self._overrides(records)
        self._replaced.append(self._client)
        self._client = Client(self._base.with_overrides(overrides), shared=self._shared)
        if self._closing is None or self._closing.done():
            self._closing = asyncio.get_running_loop().create_task(self._close_replaced())

    async def _close_replaced(self) -> None:
        while self._replaced:
            await asyncio.sleep(IDLE_CHECK_SECONDS)
            for client in [client for client in self._replaced if client.idle]:
                self._replaced.remove(client)
                await client.aclose()

    def _overrides(self, records: Mapping[str, ProviderRecord]) -> list[Override]:
        return [
            Override(
                name=record.name,
                provider=record.provider,
                settings=self._settings(record),
                withhold_secrets=record.endpoint is not None,
                permits=self._endpoints.permits_for(record.endpoint) if record.endpoint is not None else None,
                enabled=record.enabled,
            )
            for record in records.values()
        ]

    def _settings(self, record: ProviderRecord) -> dict[str, Any]:
        settings: dict[str, Any] = {}
        if record.endpoint is not None:
            settings["endpoint"] = record.endpoint
        if record.model is not None:
            settings["model"] = record.model
        if record.sealed_key is not None:
            try:
                settings["api_key"] = self._box.open(record.sealed_key, context=_context(record.name))
            except SealedError:
                self._unopened.add(record.name)
        return settings

    def _view(self, description: ProviderDescription, problem: str | None) -> ProviderView:
        pricing = pricing_of(self._client.registry, description.name) if description.models else None
        return view_of(description, pricing=pricing, problem=problem)

    def _explained(self, view: ProviderView) -> ProviderView:
        if view.name not in self._unopened:
            return view
        reason = f"the key that was set in {PANEL} cannot be opened with this PARLEY_SECRET_KEY; set it again"
        return structs.replace(view, status="unconfigured", reason=reason)

    def _default(self) -> str:
        try:
            return self._client.resolve()[0]
        except ParleyError:
            return ""

    def _require(self, name: str) -> None:
        if name not in self._client.registry.names():
            raise NotFoundError(f'no provider is called "{name[:80]}"')


def _context(name: str) -> str:
    return f"provider {name}: key"


def _check(name: str, changes: ProviderChanges) -> None:
    problems = Problems()
    if not PROVIDER_NAME.fullmatch(name):
        problems.add("name", NAME_RULE)
    for path, value, most in (
        ("provider", changes.provider, 40),
        ("endpoint", changes.endpoint, 2048),
        ("apiKey", changes.api_key, MAX_KEY_CHARACTERS),
        ("model", changes.model, 200),
    ):
        if isinstance(value, str) and value:
            problems.line(path, value, max_characters=most)
    problems.refuse()
