"""Builds the services from the settings, in order, and ends them in the other. Knows which there are, not what they do."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from sqlalchemy import text

from parley.bus.memory import MemoryBus
from parley.bus.opening import open_bus
from parley.bus.redis import RedisBus
from parley.config import Settings
from parley.dispatch.client import Client
from parley.dispatch.shared import Shared
from parley.registry.loading import Registry
from parley.server.metrics import Metrics
from parley.server.observing import observer
from parley.server.rereading import rereading
from parley.server.sharing import shared_by
from parley.services.accounts import Accounts
from parley.services.admission import Admission
from parley.services.attachments import Attachments
from parley.services.chat import Chat
from parley.services.configuration import Configuration
from parley.services.endpoints import EndpointPolicy
from parley.services.exports import Exports
from parley.services.generations import Generations, Heartbeat
from parley.services.keys import ApiKeys
from parley.services.model_routes import ModelRoutes
from parley.services.provider_overrides import ProviderOverrides
from parley.services.providers import Providers
from parley.services.reloading import Reloading, Sources
from parley.services.secrets import SecretBox
from parley.services.sessions import Sessions
from parley.services.summaries import Summaries
from parley.services.tokens import Tokens
from parley.services.usage import UsageCounts
from parley.storage.attachments import Attachments as StoredAttachments
from parley.storage.database import Database
from parley.storage.generations import Generations as StoredGenerations
from parley.storage.messages import Messages
from parley.storage.sessions import Sessions as StoredSessions

_ALIVE = text("SELECT 1")


class Services(Struct, kw_only=True):
    """Everything that routes call. `draining` says that the process is about to end."""

    database: Database
    bus: MemoryBus | RedisBus
    accounts: Accounts
    keys: ApiKeys
    attachments: Attachments
    configuration: Configuration
    providers: Providers
    model_routes: ModelRoutes
    reloading: Reloading
    chat: Chat
    sessions: Sessions
    summaries: Summaries
    exports: Exports
    usage: UsageCounts
    metrics: Metrics
    shared: Shared
    draining: bool = False

    @classmethod
    async def open(cls, settings: Settings, registry: Registry | None = None, *, read: Callable[[], Sources] | None = None) -> Services:
        """Open the database, bring it up to date, and build everything on it. Raises ParleyError in words for the operator.

        Without a `registry`: what the process's environment and directory configure. `read` reads the same sources again.
        """
        registry = registry or Registry.from_environment()
        database = await Database.open(settings.database_url)
        try:
            bus = await open_bus(settings.redis_url, prefix=settings.redis_prefix)
        except BaseException:
            await database.aclose()
            raise
        try:
            services = cls._build(settings, database, registry, bus=bus, read=read or rereading(settings))
            await services.accounts.prepare()
            await services.providers.start()
            await services.chat.recover()
        except BaseException:
            await bus.aclose()
            await database.aclose()
            raise
        return services

    @classmethod
    def _build(
        cls, settings: Settings, database: Database, registry: Registry, *, bus: MemoryBus | RedisBus, read: Callable[[], Sources]
    ) -> Services:
        admission = Admission(
            settings.registration,
            invite_code=settings.invite_code,
            directory=None if settings.development else settings.data_directory,
            url=settings.url,
            common_secret=settings.jwt_secret if database.shared else "",
        )
        accounts = Accounts(database, tokens=Tokens(settings.jwt_secret), admission=admission)
        metrics = Metrics()
        shared = shared_by(metrics, bus)
        overrides = ProviderOverrides(SecretBox(settings.sealing_keys), EndpointPolicy(settings.allowed_endpoints))
        configuration = Configuration(database, registry=registry, overrides=overrides, bus=bus, shared=shared)

        def client() -> Client:
            return configuration.client

        messages, stored = Messages(database), StoredGenerations(database)
        metrics.watch("parley_configuration_generation", "How many configurations this process has had", lambda: configuration.generation)
        metrics.watch_bus(connected=lambda: bus.connected, replicas=lambda: bus.replicas)
        generations = Generations(
            stored,
            messages,
            shared=database.shared,
            bus=bus,
            heartbeat=Heartbeat(seconds=settings.answer_heartbeat_seconds, dead_after_seconds=settings.answer_dead_after_seconds),
            on_end=observer(metrics, configuration.health),
        )
        stored_sessions = StoredSessions(database)
        chat = Chat(
            client,
            sessions=stored_sessions,
            messages=messages,
            attachments=StoredAttachments(database),
            stored=stored,
            generations=generations,
        )
        return cls(
            database=database,
            bus=bus,
            accounts=accounts,
            keys=ApiKeys(database, authentication=accounts.authentication),
            attachments=Attachments(database),
            configuration=configuration,
            providers=Providers(database, configuration=configuration),
            model_routes=ModelRoutes(configuration),
            reloading=Reloading(configuration, read),
            chat=chat,
            sessions=Sessions(client, stored=stored_sessions, messages=messages, generations=generations),
            summaries=Summaries(client, sessions=stored_sessions, messages=messages, generations=generations),
            exports=Exports(messages),
            usage=UsageCounts(messages),
            metrics=metrics,
            shared=shared,
        )

    async def check(self) -> None:
        """One trip to the database. Raises StorageUnavailableError."""
        await self.database.fetch_one(_ALIVE)

    async def drain(self, seconds: float) -> None:
        """Take no new message; let the answers that are being written finish for so long, then keep them as interrupted."""
        self.draining = True
        await self.chat.drain(seconds)

    async def aclose(self) -> None:
        """Everything that was written is on the disk afterwards."""
        await self.drain(0)
        await self.providers.aclose()
        await self.accounts.aclose()
        await self.bus.aclose()
        await self.database.aclose()
