"""Which providers there are; for administrators also whether they work, and setting them up."""

from __future__ import annotations

from msgspec import Struct

from parley.server.policy import EVERYONE, Policy, Route, administrators
from parley.services.principals import Principal
from parley.services.provider_views import ProviderListing, ProviderView
from parley.services.providers import ProviderChanges, Providers


class TestResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whether the provider answers and takes the key; `error` says in a sentence what can be done."""

    success: bool
    provider: str
    error: str | None = None
    latency_ms: float | None = None


class ProviderRoutes:
    """Everything under `/providers` and `/admin/providers`."""

    def __init__(self, providers: Providers) -> None:
        self._providers = providers

    def routes(self) -> list[Route]:
        """The rows of the table."""
        return [
            Route(
                method="GET",
                path="/api/v1/providers",
                handler=self.list,
                policy=Policy(resource="provider", verb="list", principals=EVERYONE),
                summary="Which providers answer; with a token also their models, options and status",
            ),
            Route(
                method="POST",
                path="/api/v1/providers/{name}/test",
                handler=self.test,
                policy=administrators("provider", "test"),
                summary="Try whether a provider answers and takes its key",
            ),
            Route(
                method="PUT",
                path="/api/v1/admin/providers/{name}",
                handler=self.configure,
                policy=administrators("provider", "configure"),
                summary="Set up a provider; effective with the next answer. The key is write-only and sealed",
            ),
            Route(
                method="DELETE",
                path="/api/v1/admin/providers/{name}",
                handler=self.remove,
                policy=administrators("provider", "configure"),
                summary="Go back to what environment and file say of a provider",
                status=204,
            ),
        ]

    async def list(self, principal: Principal | None) -> ProviderListing:
        """From the configuration and from how each did last; nobody is called."""
        return self._providers.listing(principal)

    async def test(self, name: str) -> TestResult:
        """Call it once."""
        status = await self._providers.test(name)
        return TestResult(success=status.success, provider=status.provider, error=status.error, latency_ms=status.latency_ms)

    async def configure(self, principal: Principal, name: str, body: ProviderChanges) -> ProviderView:
        """What is given changes, the rest stays."""
        return await self._providers.configure(name, body, principal=principal)

    async def remove(self, principal: Principal, name: str) -> None:
        """Forget what was set up here."""
        await self._providers.remove(name, principal=principal)
