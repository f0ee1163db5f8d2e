"""Mars. Wire: README.md of this package (read 2026-11-25)."""

from typing import Annotated, Literal

from parley.provider import Capabilities, Config, Dialect, ExtraOption, HttpRequest, Limits, Model, Setting
from parley_mars.wire import Mars


class MarsConfig(Config):  # MARS_API_KEY or MARS_PASS, MARS_MODEL, MARS_ENDPOINT, MARS_RELAY or MARS_SATELLITE
    """What an operator sets. Each field is read from the environment, shown in the settings panel and checked at start-up."""

    api_key: Annotated[str, Setting("your pass to Mars", secret=True, aliases=("MARS_PASS",), example="mars-…")]
    model: str = "olympus-1"
    endpoint: str = "http://127.0.0.1:8765/v1"  # `python -m parley_mars.server`
    relay: Annotated[str, Setting("the satellite that relays", aliases=("MARS_SATELLITE",), example="phobos")] = ""


class MarsAuth:
    """Puts the pass and the relay on each request.

    A codec never sees the configuration, so that it can be tested with bytes alone; what is configured and travels in a header goes here.
    If only the key did, `auth=AuthScheme(header="x-mars-pass", prefix="")` would be enough.
    """

    def __init__(self, config: MarsConfig) -> None:
        self._headers = {"x-mars-pass": config.api_key} | ({"x-mars-relay": config.relay} if config.relay else {})

    async def apply(self, request: HttpRequest) -> HttpRequest:
        """See parley.provider.Auth. It is called for each attempt, so that a signature or a short-lived token would be fresh."""
        return HttpRequest(
            method=request.method,
            url=request.url,
            headers={**request.headers, **self._headers},
            body=request.body,
            warnings=request.warnings,
        )


provider = Dialect(
    name="mars",
    label="Mars",
    description="Answers from the fourth planet",
    config=MarsConfig,
    wire=Mars(),
    auth=MarsAuth,
    # What the wire can say stands in the codec. Here stands what the vendor's models can do; what is not named is unknown, and is sent.
    capabilities=Capabilities(temperature=True),
    models=[
        Model("olympus-1", label="Olympus 1", description="Quick", context_tokens=32_000, capabilities=Capabilities(reasoning=False)),
        Model("olympus-1-deep", label="Olympus 1 Deep", description="Thinks before it speaks", context_tokens=32_000),
    ],
    limits=Limits(requests_per_minute=60, tokens_per_day=100_000),
    extra_options=[ExtraOption(name="antenna", type=Literal["low", "high"], description="which antenna listens")],
    docs_url="https://mars.example/docs",
)
