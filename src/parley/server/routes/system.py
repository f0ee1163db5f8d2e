"""What is for machines and for readers of documents: health, metrics, the OpenAPI document, its page, and the built page itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

import msgspec
from litestar import Response
from msgspec import Struct

from parley.contract.errors import ParleyError
from parley.server.metrics import CONTENT_TYPE, Metrics
from parley.server.pages import Pages
from parley.server.policy import OPERATORS, Policy, Route, public
from parley.server.reference import REFERENCE_POLICY, reference_page


class Health(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The process answers. `generation` counts the configurations that this process has had.

    `limits` is told while they hold for each replica by itself, because Redis is lost.
    """

    status: Literal["ok"]
    version: str
    generation: int
    limits: Literal["local"] | None = None


class Readiness(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether requests should be sent here, and why not."""

    ready: bool
    reason: str | None = None


class SystemRoutes:
    """`check` raises where the database does not answer; `draining` says that the process is about to end, `limits_are_local` that
    the replicas cannot count together now; `generation` counts configurations.
    """

    def __init__(
        self,
        *,
        version: str,
        metrics: Metrics,
        check: Callable[[], Awaitable[None]],
        draining: Callable[[], bool],
        limits_are_local: Callable[[], bool],
        generation: Callable[[], int],
    ) -> None:
        self._version = version
        self._metrics = metrics
        self._check = check
        self._draining = draining
        self._limits_are_local = limits_are_local
        self._generation = generation

    def routes(self) -> list[Route]:
        """The rows of the table."""
        return [
            Route(
                method="GET",
                path="/health",
                handler=self.health,
                policy=public("health", "read"),
                summary="Whether the process answers",
                head=True,
            ),
            Route(
                method="GET",
                path="/ready",
                handler=self.ready,
                policy=public("health", "read"),
                summary="Whether it can do its work: 503 while the database is away or the server ends",
                reply=Readiness,
                head=True,
            ),
            Route(
                method="GET",
                path="/metrics",
                handler=self.metrics,
                policy=Policy(resource="metrics", verb="read", principals=OPERATORS),
                summary="Metrics for Prometheus, for this machine or the bearer of METRICS_TOKEN",
                media_types=("text/plain",),
            ),
        ]

    async def health(self) -> Health:
        """No question to anybody: this is asked every few seconds."""
        return Health(
            status="ok", version=self._version, generation=self._generation(), limits="local" if self._limits_are_local() else None
        )

    async def ready(self) -> Response[bytes]:
        """One trip to the database."""
        readiness = await self._readiness()
        return Response(msgspec.json.encode(readiness), status_code=200 if readiness.ready else 503, media_type="application/json")

    async def metrics(self) -> Response[bytes]:
        """In Prometheus's text format."""
        return Response(self._metrics.exposition(), media_type=CONTENT_TYPE)

    async def _readiness(self) -> Readiness:
        if self._draining():
            return Readiness(ready=False, reason="the server is shutting down")
        try:
            await self._check()
        except ParleyError as error:
            return Readiness(ready=False, reason=error.message)
        return Readiness(ready=True)


class DocumentRoutes:
    """The OpenAPI document and its page; `document` is asked when first needed, as it describes the whole table, this included, and
    again once other `providers` answer.
    """

    def __init__(self, document: Callable[[Sequence[str]], dict[str, Any]], *, providers: Callable[[], Sequence[str]]) -> None:
        self._make = document
        self._providers = providers
        self._made: tuple[Sequence[str], dict[str, Any]] | None = None

    def routes(self) -> list[Route]:
        """The rows of the table."""
        policy = public("documentation", "read")
        return [
            Route(
                method="GET",
                path="/api/v1/openapi.json",
                handler=self.openapi,
                policy=policy,
                summary="This API as an OpenAPI 3.1 document",
                documented=False,
            ),
            Route(
                method="GET",
                path="/api/v1/docs",
                handler=self.page,
                policy=policy,
                summary="This API as a page",
                documented=False,
            ),
        ]

    async def openapi(self) -> Response[bytes]:
        """The document."""
        return Response(msgspec.json.encode(self._described()), media_type="application/json")

    async def page(self) -> Response[str]:
        """The document as a page without scripts."""
        headers = {"Content-Security-Policy": REFERENCE_POLICY}
        return Response(reference_page(self._described()), media_type="text/html", headers=headers)

    def _described(self) -> dict[str, Any]:
        providers = self._providers()
        if self._made is None or self._made[0] != providers:
            self._made = (providers, self._make(providers))
        return self._made[1]


def page_routes(pages: Pages) -> list[Route]:
    """The built page, at every address that is nobody else's."""
    policy = public("page", "read")
    return [
        Route(method="GET", path=path, handler=handler, policy=policy, summary="The page", documented=False, head=True)
        for path, handler in (("/", pages.index), ("/{path}", pages.serve))
    ]
