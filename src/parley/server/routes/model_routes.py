"""Routes for models, over those of the operator's file. For administrators."""

from __future__ import annotations

from msgspec import Struct

from parley.server.policy import Route, administrators
from parley.services.model_routes import ModelRoutes, ModelRouteView, RouteSettings
from parley.services.principals import Principal


class ModelRouteList(Struct, frozen=True, kw_only=True):
    """Every route in force; there are few."""

    items: list[ModelRouteView]
    next_cursor: str | None = None


class ModelRouteRoutes:
    """Everything under `/admin/routes`."""

    def __init__(self, model_routes: ModelRoutes) -> None:
        self._model_routes = model_routes

    def routes(self) -> list[Route]:
        """The rows of the table."""
        return [
            Route(
                method="GET",
                path="/api/v1/admin/routes",
                handler=self.list,
                policy=administrators("route", "list"),
                summary="Every route: a name that stands for several targets",
            ),
            Route(
                method="PUT",
                path="/api/v1/admin/routes/{name}",
                handler=self.put,
                policy=administrators("route", "set"),
                summary="Set a whole route, over that of the file; effective with the next answer",
            ),
            Route(
                method="DELETE",
                path="/api/v1/admin/routes/{name}",
                handler=self.remove,
                policy=administrators("route", "set"),
                summary="Go back to what the file says of a route",
                status=204,
            ),
        ]

    async def list(self) -> ModelRouteList:
        """From the file, and set here."""
        return ModelRouteList(items=self._model_routes.list())

    async def put(self, principal: Principal, name: str, body: RouteSettings) -> ModelRouteView:
        """The whole route, in the place of an earlier one."""
        return await self._model_routes.put(name, body, principal=principal)

    async def remove(self, principal: Principal, name: str) -> None:
        """Forget what was set here."""
        await self._model_routes.remove(name, principal=principal)
