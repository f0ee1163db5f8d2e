"""The application: services, the table of all routes, and the one wrapper around them. The composition root; decides nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any, Final

from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.plugins import PluginProtocol

from parley.config import Settings
from parley.registry.loading import Registry
from parley.server.boundary import Boundary, TrustedProxies
from parley.server.compat.table import compat_routes
from parley.server.composition import Services
from parley.server.errors import handle_exception
from parley.server.handlers import Handlers, socket_handler
from parley.server.metrics import Metrics
from parley.server.openapi import openapi_document
from parley.server.pages import Pages
from parley.server.policy import Method, Route, SocketRoute
from parley.server.routes.administration import AdministrationRoutes
from parley.server.routes.attachments import AttachmentRoutes
from parley.server.routes.auth import AuthRoutes
from parley.server.routes.chat import ChatRoutes
from parley.server.routes.extracts import ExtractRoutes
from parley.server.routes.keys import KeyRoutes
from parley.server.routes.model_routes import ModelRouteRoutes
from parley.server.routes.providers import ProviderRoutes
from parley.server.routes.sessions import SessionRoutes
from parley.server.routes.socket import ChatSocket
from parley.server.routes.system import DocumentRoutes, SystemRoutes, page_routes
from parley.server.websocket import Origins

_CORS_METHODS: Final[list[Method]] = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_CORS_HEADERS: Final = ["authorization", "content-type", "last-event-id", "x-api-key", "x-request-id"]
_EXPOSED_HEADERS: Final = [
    "x-request-id",
    "retry-after",
    "content-disposition",
    *(f"x-ratelimit-{name}" for name in ("limit", "remaining", "reset")),
]


class _Application(Litestar):
    """Without Litestar's support for other libraries' models: ours are msgspec's, and where those are installed they cost a quarter
    of a second and 15 MB at each start.
    """

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return plugins


async def create_app(settings: Settings, *, registry: Registry | None = None) -> Litestar:
    """The application with its services open; its shutdown closes them. Raises ParleyError in words for the operator."""
    return build_app(settings, await Services.open(settings, registry))


def build_app(settings: Settings, services: Services) -> Litestar:
    """The application over open services."""
    metrics = services.metrics
    routes = route_table(settings, services, metrics=metrics)
    handlers = Handlers(
        authenticate=services.accounts.authenticate,
        confirm=services.accounts.authentication.confirm,
        metrics_token=settings.metrics_token,
    )
    app = _Application(
        [*map(handlers.handler, routes), *map(socket_handler, socket_table(settings, services, metrics=metrics))],
        exception_handlers={Exception: handle_exception},
        cors_config=_cors(settings.cors_origins),
        on_shutdown=[services.aclose],
        openapi_config=None,
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
    )
    app.asgi_handler = Boundary(
        app.asgi_handler,
        proxies=TrustedProxies([ip_network(entry, strict=False) for entry in settings.trusted_proxies]),
        metrics=metrics,
        strict_transport=settings.url.startswith("https://"),
    )
    return app


def route_table(settings: Settings, services: Services, *, metrics: Metrics) -> Sequence[Route]:
    """Every route there is: what the router, the OpenAPI document and the test matrix are made from."""
    from parley import __version__

    table: list[Route] = []

    def document(providers: Sequence[str]) -> dict[str, Any]:
        return openapi_document(table, version=__version__, server_url=settings.url, providers=providers)

    system = SystemRoutes(
        version=__version__,
        metrics=metrics,
        check=services.check,
        draining=lambda: services.draining,
        limits_are_local=lambda: services.shared.local,
        generation=lambda: services.configuration.generation,
    )
    for group in (
        system,
        DocumentRoutes(document, providers=lambda: services.providers.listing().available),
        AuthRoutes(services.accounts),
        KeyRoutes(services.keys),
        AttachmentRoutes(services.attachments),
        ProviderRoutes(services.providers),
        ModelRouteRoutes(services.model_routes),
        AdministrationRoutes(services.reloading, services.configuration.audit),
        SessionRoutes(services.sessions, services.accounts),
        ExtractRoutes(services.exports, services.summaries, services.usage),
        ChatRoutes(services.chat, metrics=metrics),
    ):
        table.extend(group.routes())
    table.extend(compat_routes(client=lambda: services.providers.client, metrics=metrics))
    table.extend(page_routes(Pages(is_set_up=services.accounts.is_set_up)))
    return table


def socket_table(settings: Settings, services: Services, *, metrics: Metrics) -> Sequence[SocketRoute]:
    """Every WebSocket there is."""
    from parley import __version__

    socket = ChatSocket(
        services.chat,
        authenticate=services.accounts.authenticate,
        confirm=services.accounts.authentication.confirm,
        metrics=metrics,
        origins=Origins(settings.url, settings.cors_origins, public=bool(settings.public_url)),
        version=__version__,
    )
    return socket.routes()


def _cors(origins: Sequence[str]) -> CORSConfig | None:
    if not origins:
        return None
    return CORSConfig(
        allow_origins=list(origins),
        allow_methods=[*_CORS_METHODS],
        allow_headers=list(_CORS_HEADERS),
        expose_headers=list(_EXPOSED_HEADERS),
    )
