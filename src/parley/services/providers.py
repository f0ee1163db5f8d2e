"""The providers as the product offers them: listed, tested, and set up while the server runs. Knows no vendor and no HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType, structs

from parley.contract.errors import FieldProblem, InvalidRequestError, ParleyError
from parley.contract.response import ConnectionStatus
from parley.dispatch.client import Client
from parley.dispatch.pricing import pricing_of
from parley.registry import price_list
from parley.registry.configuration_file import NAME_RULE, PROVIDER_NAME
from parley.registry.description import ProviderDescription
from parley.registry.instances import PANEL
from parley.registry.loading import Registry
from parley.services.audit import changes_between
from parley.services.configuration import Configuration, Planned
from parley.services.errors import NotFoundError
from parley.services.health import Health
from parley.services.principals import Principal
from parley.services.provider_views import ProviderListing, ProviderView, RouteView, name_of, route_view, view_of
from parley.services.secrets import SealedError
from parley.services.validation import Problems
from parley.storage.audit import FieldChange
from parley.storage.database import Database
from parley.storage.ids import now_ms
from parley.storage.providers import ProviderRecord, putting, removing
from parley.storage.providers import Providers as StoredProviders
from parley.telemetry import content_is_logged, get_logger

MAX_KEY_CHARACTERS: Final = 8192
MAX_SET_UP: Final = 200

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
    """What the configuration in force offers. `start` before the first request, `aclose` after the last."""

    def __init__(self, database: Database, *, configuration: Configuration) -> None:
        self._database = database
        self._configuration = configuration
        self._overrides = configuration.overrides
        self._prices: asyncio.Future[bool] | None = None

    @property
    def client(self) -> Client:
        """What answers now. Take it anew for each answer: one under way ends on the client that it began on."""
        return self._configuration.client

    @property
    def health(self) -> Health:
        """How each did last."""
        return self._configuration.health

    async def start(self) -> None:
        """Seal again what an older PARLEY_SECRET_KEY had sealed, then take what administrators set."""
        stored = StoredProviders(self._database)
        for record in await stored.list():
            try:
                resealed = self._overrides.resealed(record)
            except SealedError as error:
                _logger.warning("the stored key of a provider cannot be opened", provider=record.name, error=error)
                continue
            if resealed is not None:
                await stored.put(structs.replace(record, sealed_key=resealed))
        await self._configuration.start()
        self._prices = asyncio.get_running_loop().run_in_executor(None, price_list.load)

    async def aclose(self) -> None:
        """Close every provider."""
        await self._configuration.aclose()

    def listing(self, principal: Principal | None = None) -> ProviderListing:
        """What can be chosen. Calls no provider: from the configuration, and from how each did last."""
        descriptions, default = self.client.providers(), self._default()
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
            routes = [route_view(route) for route in self.client.registry.routes]
            views = [self._view(description, self.health.problem(description.name)) for description in descriptions]
            shown = [self._explained(view) for view in views]
        return ProviderListing(
            available=available,
            default=default,
            providers=shown,
            content_logged=content_is_logged(),
            routes=routes,
            servers_apart=principal is not None and self._configuration.apart,
        )

    async def test(self, name: str) -> ConnectionStatus:
        """Whether the provider can be reached and takes its key; what is wrong is told in words. Raises NotFoundError."""
        self._require(name)
        status = await self.client.test(name)
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
        await self._configuration.change(partial(self._configured, name, changes), by=principal)
        self.health.forget(name)
        changed = [field for field in changes.__struct_fields__ if getattr(changes, field) is not UNSET]
        _logger.info("provider set up", provider=name, changed=",".join(changed), by=principal.user_id)
        return self._explained(self._view(self.client.registry.describe(name), None))

    async def remove(self, name: str, *, principal: Principal) -> None:
        """Go back to what the environment and the file say of this provider.

        Raises NotFoundError, or InvalidRequestError where a route leads to it that has no other footing.
        """
        await self._configuration.change(partial(self._removed, name), by=principal)
        self.health.forget(name)
        _logger.info("provider set back", provider=name, by=principal.user_id)

    async def _configured(self, name: str, changes: ProviderChanges) -> Planned:
        stored = self._configuration.stored
        old = stored.providers.get(name)
        if old is None and len(stored.providers) >= MAX_SET_UP:
            raise InvalidRequestError(f"at most {MAX_SET_UP} providers can be set up here; remove one")
        new = self._changed(name, old, changes)
        await self._check_endpoint(old, new, changes)
        records = {**stored.providers, name: new}
        return Planned(
            registry=await self._tried(records, name),
            writes=putting(new),
            providers=records,
            routes=stored.routes,
            action="provider.configured",
            subject=name,
            changes=_audited(old, new),
        )

    async def _removed(self, name: str) -> Planned:
        stored = self._configuration.stored
        old = stored.providers.get(name)
        if old is None:
            raise NotFoundError(f'nothing was set up about a provider "{name[:80]}" here')
        records = {other: record for other, record in stored.providers.items() if other != name}
        return Planned(
            registry=self._configuration.built(providers=records.values()),
            writes=removing(name),
            providers=records,
            routes=stored.routes,
            action="provider.removed",
            subject=name,
            changes=_audited(old, None),
        )

    def _changed(self, name: str, old: ProviderRecord | None, changes: ProviderChanges) -> ProviderRecord:
        now = now_ms()
        record = old or ProviderRecord(name=name, created_at=now, updated_at=now)
        given = {
            field: value.strip() or None if isinstance(value, str) else value
            for field, value in structs.asdict(changes).items()
            if value is not UNSET and field != "api_key"
        }
        if isinstance(changes.api_key, str) and changes.api_key:
            given["sealed_key"] = self._overrides.sealed(name, changes.api_key)
        elif changes.api_key is not UNSET:
            given["sealed_key"] = None
        return structs.replace(record, **given, updated_at=now)

    async def _check_endpoint(self, old: ProviderRecord | None, new: ProviderRecord, changes: ProviderChanges) -> None:
        """No key goes to an address for which it was not given: not the operator's, nor one that was set here before."""
        if new.endpoint == (old.endpoint if old else None):
            return
        if new.endpoint is not None:
            await self._overrides.endpoints.check(new.endpoint)
        if new.sealed_key is not None and changes.api_key is UNSET:
            message = "must be given again with another endpoint: the stored key was not meant for it"
            raise InvalidRequestError(f"apiKey {message}", fields=[FieldProblem(path="apiKey", message=message)])

    async def _tried(self, records: Mapping[str, ProviderRecord], name: str) -> Registry:
        """Raise InvalidRequestError where these settings make no provider; what is merely missing may still come."""
        tried = self._configuration.built(providers=records.values())
        known = self._configuration.base.problems()
        problems = [problem for problem in tried.problems() if problem not in known and problem.path in _SPELLINGS]
        if problems:
            fields = [FieldProblem(path=_SPELLINGS[problem.path], message=problem.message) for problem in problems]
            raise InvalidRequestError("; ".join(f"{field.path} {field.message}" for field in fields), fields=fields)
        if tried.describe(name).status == "ready":
            try:
                await tried.load(name).aclose()
            except ParleyError as error:
                raise InvalidRequestError(error.message, fields=error.fields) from error
        return tried

    def _view(self, description: ProviderDescription, problem: str | None) -> ProviderView:
        pricing = pricing_of(self.client.registry, description.name) if description.models else None
        return view_of(description, pricing=pricing, problem=problem)

    def _explained(self, view: ProviderView) -> ProviderView:
        record = self._configuration.stored.providers.get(view.name)
        if record is None or not self._overrides.is_unopened(record):
            return view
        reason = f"the key that was set in {PANEL} cannot be opened with this PARLEY_SECRET_KEY; set it again"
        return structs.replace(view, status="unconfigured", reason=reason)

    def _default(self) -> str:
        try:
            return self.client.resolve()[0]
        except ParleyError:
            return ""

    def _require(self, name: str) -> None:
        if name not in self.client.registry.names():
            raise NotFoundError(f'no provider is called "{name[:80]}"')


def _audited(old: ProviderRecord | None, new: ProviderRecord | None) -> list[FieldChange]:
    """What changed, for whoever reads it later. Of the key only that: a new one is told from the old without either."""
    fields = [_audited_fields(record) for record in (old, new)]
    if old is not None and new is not None and old.sealed_key and new.sealed_key and old.sealed_key != new.sealed_key:
        fields[1]["apiKey"] = "another"
    return changes_between(*fields)


def _audited_fields(record: ProviderRecord | None) -> dict[str, Any]:
    if record is None:
        return {}
    endpoint = record.endpoint
    return {
        "provider": record.provider,
        # What stands behind a "?" may be a key.
        "endpoint": endpoint.partition("?")[0] if endpoint is not None else None,
        "apiKey": "set" if record.sealed_key is not None else None,
        "model": record.model,
        "enabled": record.enabled,
    }


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
