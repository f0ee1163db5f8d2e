from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from parley import telemetry
from parley.bus.memory import MemoryBus
from parley.contract.errors import AuthenticationError, ContentFilterError, InvalidRequestError
from parley.contract.events import ResponseFinished, TextDelta
from parley.dispatch.shared import Shared
from parley.registry.loading import Registry
from parley.services import succession
from parley.services.configuration import Configuration
from parley.services.endpoints import EndpointPolicy
from parley.services.errors import NotFoundError
from parley.services.principals import Principal
from parley.services.provider_overrides import ProviderOverrides
from parley.services.providers import ProviderChanges, Providers
from parley.services.secrets import SecretBox
from parley.storage.database import Database
from parley.storage.providers import Providers as StoredProviders
from parley.testing.replay import Answer, ReplayServer

KEY = "sealing-key-0123456789-abcdefghij"
CANARY = "sk-canary-1234567890"

ECHO = """
import asyncio
from typing import Annotated
from parley.provider import Capabilities, ChatResponse, Config, ConnectionStatus, ExtraOption, Model, Provider, ResponseFinished
from parley.provider import Setting, TextDelta

class EchoConfig(Config):
    api_key: Annotated[str, Setting("the key", secret=True)]
    model: str = "echo-1"
    endpoint: str = "https://echo.example/v1"

class Echo(Provider):
    name = "echo"
    label = "Echo"
    description = "says what it is told"
    config_type = EchoConfig
    capabilities = Capabilities(temperature=True, top_k=False, images=True)
    models = [Model("echo-1", label="One", context_tokens=1000, capabilities=Capabilities(images=False)), Model("echo-2")]
    extra_options = [ExtraOption(name="mood", type=str, description="how it feels")]
    closed = 0
    gate = asyncio.Event()

    async def stream(self, request):
        yield TextDelta(self.config.api_key + " ")
        if request.messages[-1].text == "wait":
            await Echo.gate.wait()
        yield TextDelta(self.config.api_key)
        yield ResponseFinished(response=ChatResponse(finish_reason="stop"))

    async def test_connection(self):
        return ConnectionStatus(success=self.config.api_key != "wrong", provider="echo", error=f"{self.config.api_key} is not accepted")

    async def aclose(self):
        Echo.closed += 1
"""

Make = Callable[..., Awaitable[Providers]]


async def resolve(host: str, port: int) -> list[str]:
    return ["10.0.0.1"] if host.startswith("inside") else ["93.184.215.14"]


@pytest.fixture
async def make(database: Database, tmp_path: Path) -> AsyncIterator[Make]:
    plugins = tmp_path / "parley_providers"
    plugins.mkdir()
    (plugins / "echo.py").write_text(ECHO, encoding="utf-8")
    async with AsyncExitStack() as stack:

        async def make(*keys: str, **environ: str) -> Providers:
            registry = Registry.from_environment(environ=environ, directory=tmp_path)
            overrides = ProviderOverrides(SecretBox(keys or [KEY]), EndpointPolicy(resolve=resolve))
            configuration = Configuration(database, registry=registry, overrides=overrides, bus=MemoryBus(), shared=Shared())
            providers = Providers(database, configuration=configuration)
            stack.push_async_callback(providers.aclose)
            await providers.start()
            return providers

        yield make


@pytest.fixture
async def providers(make: Make) -> Providers:
    return await make()


async def answer(providers: Providers, text: str = "hi", model: str = "echo") -> str:
    return "".join([event.text async for event in providers.client.stream(model, text) if isinstance(event, TextDelta)])


def view(providers: Providers, principal: Principal, name: str = "echo") -> Any:
    return next(provider for provider in providers.listing(principal).providers if provider.name == name)


def configuration_of(providers: Providers) -> Configuration:
    holder: Any = providers
    return holder._configuration


def paths(error: InvalidRequestError) -> list[str]:
    return [field.path for field in error.fields]


class TestListing:
    async def test_anybody_sees_names_of_what_answers_and_nothing_else(self, make: Make) -> None:
        shown = msgspec.to_builtins((await make(ECHO_API_KEY=CANARY)).listing())
        assert shown["available"] == ["echo"]
        assert shown["default"] == "echo"
        assert shown["providers"] == [{"name": "echo", "label": "Echo", "description": "says what it is told"}]

    async def test_everybody_is_told_where_what_is_said_is_logged(self, providers: Providers, user: Principal) -> None:
        assert not providers.listing().content_logged
        telemetry.configure(content=True)
        try:
            assert providers.listing().content_logged
            assert providers.listing(user).content_logged
        finally:
            telemetry.configure(content=False)

    async def test_where_nothing_is_set_up_the_demo_answers(self, providers: Providers) -> None:
        listing = providers.listing()
        assert (listing.available, listing.default) == (["demo"], "demo")

    async def test_who_is_signed_in_sees_state_reason_options_and_models(self, providers: Providers, user: Principal) -> None:
        shown = view(providers, user)
        assert (shown.status, shown.needs_key, shown.model) == ("unconfigured", True, "echo-1")
        assert "ECHO_API_KEY" in shown.reason
        one, two = shown.models
        assert (one.id, one.label, one.context_tokens, one.capabilities.images) == ("echo-1", "One", 1000, False)
        assert (two.label, two.capabilities.images) == ("echo-2", True)

    async def test_the_form_of_options_is_a_schema_of_what_the_provider_can_do(self, providers: Providers, user: Principal) -> None:
        properties = view(providers, user).options_schema["properties"]
        assert properties["temperature"]["maximum"] == 2
        assert "topK" not in properties
        assert properties["extra"]["properties"]["mood"] == {"title": "mood", "type": "string", "description": "how it feels"}

    async def test_it_says_what_went_wrong_last_until_it_works_again(self, make: Make, user: Principal) -> None:
        providers = await make(ECHO_API_KEY="k")
        providers.health.record("echo", ContentFilterError("no"))
        assert view(providers, user).status == "ready"
        providers.health.record("echo", AuthenticationError("the key is not accepted"))
        assert (view(providers, user).status, view(providers, user).reason) == ("unhealthy", "the key is not accepted")
        providers.health.record("echo", None)
        assert view(providers, user).status == "ready"

    async def test_a_fault_is_forgotten_after_a_while(self, make: Make, user: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
        providers = await make(ECHO_API_KEY="k")
        providers.health.record_fault("echo", "down")
        clock: Any = providers.health
        clock._now = lambda: 1e12
        assert view(providers, user).status == "ready"


class TestTesting:
    async def test_it_tells_in_words_and_is_remembered(self, make: Make, user: Principal) -> None:
        providers = await make(ECHO_API_KEY="wrong")
        status = await providers.test("echo")
        assert (status.success, view(providers, user).status) == (False, "unhealthy")
        assert "wrong" not in str(status.error)

    async def test_what_has_no_key_is_told_so(self, providers: Providers) -> None:
        assert "ECHO_API_KEY" in str((await providers.test("echo")).error)

    @pytest.mark.parametrize("name", ["nobody", "", "../echo", "x" * 10_000, "echo/echo-1"])
    async def test_an_unknown_name_is_not_found(self, providers: Providers, name: str) -> None:
        with pytest.raises(NotFoundError):
            await providers.test(name)


class TestSettingUp:
    async def test_a_key_is_effective_at_once_and_after_a_restart(self, make: Make, admin: Principal) -> None:
        providers = await make()
        shown = await providers.configure("echo", ProviderChanges(api_key="k1"), principal=admin)
        assert shown.status == "ready"
        assert providers.listing().default == "echo"
        assert await answer(providers) == "k1 k1"
        assert await answer(await make()) == "k1 k1"

    async def test_it_stands_over_the_environment_until_it_is_taken_back(self, make: Make, admin: Principal) -> None:
        providers = await make(ECHO_API_KEY="operators")
        await providers.configure("echo", ProviderChanges(api_key="k1"), principal=admin)
        assert await answer(providers) == "k1 k1"
        await providers.remove("echo", principal=admin)
        assert await answer(providers) == "operators operators"
        with pytest.raises(NotFoundError):
            await providers.remove("echo", principal=admin)

    async def test_an_answer_under_way_ends_on_the_old_settings_which_are_closed_then(
        self, make: Make, admin: Principal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(succession, "IDLE_CHECK_SECONDS", 0.001)
        providers = await make(ECHO_API_KEY="old")
        echo: Any = providers.client.registry.get("echo")
        kind = type(echo._provider)
        running = providers.client.stream("echo", "wait")
        first = await anext(running)
        await providers.configure("echo", ProviderChanges(api_key="new"), principal=admin)
        assert await answer(providers) == "new new"
        closed_before = kind.closed
        kind.gate.set()
        rest = [event async for event in running]
        assert isinstance(first, TextDelta)
        assert first.text + "".join(event.text for event in rest if isinstance(event, TextDelta)) == "old old"
        assert isinstance(rest[-1], ResponseFinished)
        async with asyncio.timeout(5):
            await configuration_of(providers).settle()
        assert kind.closed == closed_before + 1

    async def test_a_new_provider_gets_a_name_of_its_own(self, make: Make, admin: Principal) -> None:
        providers = await make()
        changes = ProviderChanges(provider="openai-compatible", endpoint="https://api.beta.example/v1", api_key="k", model="b1")
        shown = await providers.configure("beta", changes, principal=admin)
        assert (shown.status, shown.provider) == ("ready", "openai-compatible")
        assert "beta" in (await make()).client.registry.names()

    async def test_it_can_be_switched_off_and_on(self, make: Make, admin: Principal, user: Principal) -> None:
        providers = await make(ECHO_API_KEY="k")
        await providers.configure("echo", ProviderChanges(enabled=False), principal=admin)
        assert "switched off" in view(providers, user).reason
        assert "echo" not in providers.listing().available
        await providers.configure("echo", ProviderChanges(enabled=True), principal=admin)
        assert await answer(providers) == "k k"

    async def test_what_is_not_given_stays(self, make: Make, admin: Principal) -> None:
        providers = await make()
        await providers.configure("echo", ProviderChanges(api_key="k1"), principal=admin)
        shown = await providers.configure("echo", ProviderChanges(model="echo-2"), principal=admin)
        assert shown.model == "echo-2"
        assert await answer(providers) == "k1 k1"

    @pytest.mark.parametrize(
        ("name", "changes", "field"),
        [
            ("Echo!", ProviderChanges(), "name"),
            ("x" * 100, ProviderChanges(), "name"),
            ("new", ProviderChanges(), "provider"),
            ("new", ProviderChanges(provider="nobody"), "provider"),
            ("echo", ProviderChanges(provider="openai"), "provider"),
            ("echo", ProviderChanges(api_key="two words"), "apiKey"),
            ("echo", ProviderChanges(api_key="a\r\nX-Admin: 1"), "apiKey"),
            ("echo", ProviderChanges(api_key="k" * 10_000_000), "apiKey"),
            ("echo", ProviderChanges(api_key="\ud800"), "apiKey"),
            ("echo", ProviderChanges(endpoint="https://api.example.com/v1/chat/completions", api_key="k"), "endpoint"),
            ("echo", ProviderChanges(endpoint="http://169.254.169.254/v1", api_key="k"), "endpoint"),
            ("echo", ProviderChanges(endpoint="http://inside.example/v1", api_key="k"), "endpoint"),
            ("echo", ProviderChanges(endpoint="file:///etc/passwd", api_key="k"), "endpoint"),
            ("echo", ProviderChanges(model="a\x00b"), "model"),
        ],
    )
    async def test_what_cannot_be_is_refused_by_its_field_and_changes_nothing(
        self, make: Make, admin: Principal, name: str, changes: ProviderChanges, field: str, database: Database
    ) -> None:
        async def no_such_address(host: str, port: int) -> list[str]:
            return [host] if host[0].isdigit() else await resolve(host, port)

        providers = await make(ECHO_API_KEY="k")
        configuration_of(providers).overrides.endpoints = EndpointPolicy(resolve=no_such_address)
        with pytest.raises(InvalidRequestError) as caught:
            await providers.configure(name, changes, principal=admin)
        assert paths(caught.value) == [field]
        assert len(caught.value.message) < 1000
        assert await StoredProviders(database).list() == []
        assert await answer(providers) == "k k"

    async def test_no_key_leaves_for_an_endpoint_it_was_not_given_for(self, make: Make, admin: Principal) -> None:
        providers = await make(ECHO_API_KEY="operators")
        shown = await providers.configure("echo", ProviderChanges(endpoint="https://other.example/v1"), principal=admin)
        assert shown.status == "unconfigured"
        await providers.configure("echo", ProviderChanges(api_key="k1"), principal=admin)
        with pytest.raises(InvalidRequestError) as caught:
            await providers.configure("echo", ProviderChanges(endpoint="https://third.example/v1"), principal=admin)
        assert paths(caught.value) == ["apiKey"]
        await providers.configure("echo", ProviderChanges(endpoint="https://third.example/v1", api_key="k2"), principal=admin)
        assert await answer(providers) == "k2 k2"
        with pytest.raises(InvalidRequestError):
            await providers.configure("echo", ProviderChanges(endpoint=None), principal=admin)

    async def test_changes_at_the_same_time_all_count(self, make: Make, admin: Principal) -> None:
        providers = await make()
        await asyncio.gather(
            providers.configure("echo", ProviderChanges(api_key="k"), principal=admin),
            providers.configure("echo", ProviderChanges(model="echo-2"), principal=admin),
            providers.configure("openai", ProviderChanges(api_key="k"), principal=admin),
        )
        available = providers.listing().available
        assert {"echo", "openai"} <= set(available)
        assert view(providers, admin).model == "echo-2"


class TestSealing:
    async def test_the_key_is_nowhere_to_be_seen(
        self, make: Make, admin: Principal, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG, logger="parley")
        providers = await make()
        changes = ProviderChanges(api_key=CANARY)
        shown = await providers.configure("echo", changes, principal=admin)
        await providers.test("echo")
        seen = (
            repr(changes) + repr(shown) + repr(providers.listing(admin)) + repr(vars(providers)) + repr(providers.client.registry.origins())
        )
        assert "canary" not in seen + caplog.text
        assert b"canary" not in (tmp_path / "parley.db").read_bytes() + (tmp_path / "parley.db-wal").read_bytes()
        assert f"by={admin.user_id}" in caplog.text
        assert "changed=api_key" in caplog.text

    async def test_a_refusal_does_not_repeat_it(self, providers: Providers, admin: Principal) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            await providers.configure("echo", ProviderChanges(api_key=f"{CANARY} canary"), principal=admin)
        assert "canary" not in repr(caught.value) + str(caught.value.to_dict())

    async def test_without_its_sealing_key_it_is_asked_for_again(self, make: Make, admin: Principal) -> None:
        await (await make()).configure("echo", ProviderChanges(api_key=CANARY), principal=admin)
        other = await make("another-sealing-key-0123456789-xyz")
        assert "PARLEY_SECRET_KEY" in view(other, admin).reason
        assert "echo" not in other.listing().available

    async def test_a_new_sealing_key_takes_over(self, make: Make, admin: Principal) -> None:
        await (await make()).configure("echo", ProviderChanges(api_key="k1"), principal=admin)
        new = "another-sealing-key-0123456789-xyz"
        await make(new, KEY)
        assert await answer(await make(new)) == "k1 k1"


async def test_a_name_that_means_another_address_by_the_time_of_the_call_is_sent_nothing(make: Make, admin: Principal) -> None:
    async with ReplayServer(Answer()) as server:
        providers = await make()
        endpoint = server.url.replace("127.0.0.1", "localhost")
        changes = ProviderChanges(endpoint=endpoint, api_key=CANARY)
        await providers.configure("openai", changes, principal=admin)
        status = await providers.test("openai")
        assert "must not call" in str(status.error)
        assert server.requests == []


async def test_reloaded_sources_count_with_what_administrators_set_over_them(make: Make, admin: Principal, tmp_path: Path) -> None:
    providers = await make(ECHO_API_KEY="k")
    await providers.configure("echo", ProviderChanges(model="echo-2"), principal=admin)
    providers.health.record_fault("echo", "it was broken")
    before = providers.client
    file = tmp_path / "parley_providers" / "echo.py"
    file.write_text(ECHO.replace('label = "Echo"', 'label = "Louder"'), encoding="utf-8")
    await configuration_of(providers).replace(Registry.from_environment(environ={"ECHO_API_KEY": "k"}, directory=tmp_path))
    [view] = [view for view in providers.listing(admin).providers if view.name == "echo"]
    assert (view.label, view.model, view.status) == ("Louder", "echo-2", "ready")
    assert providers.client is not before
