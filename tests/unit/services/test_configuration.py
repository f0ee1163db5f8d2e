"""The configuration in force: changed by administrators, read anew, the same on every replica, and written down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from parley.bus.memory import Hub, MemoryBus
from parley.contract.errors import ConfigurationError, InvalidRequestError
from parley.contract.events import ResponseFinished, TextDelta
from parley.dispatch.shared import Shared
from parley.registry.loading import Registry
from parley.services import agreement
from parley.services.configuration import Configuration
from parley.services.endpoints import EndpointPolicy
from parley.services.errors import NotFoundError
from parley.services.model_routes import ModelRoutes, RouteSettings, TargetSettings
from parley.services.principals import SCOPES, Principal
from parley.services.provider_overrides import ProviderOverrides
from parley.services.providers import ProviderChanges, Providers
from parley.services.reloading import Reloading, Sources
from parley.services.secrets import SecretBox
from parley.storage.database import Database
from parley.storage.ids import new_id
from parley.storage.users import UserRecord, Users

from ...stores import eventually

CANARY = "sk-canary-1234567890"
VOICE = """
import asyncio
from parley.provider import ChatResponse, Config, Model, Provider, ResponseFinished, TextDelta

class VoiceConfig(Config):
    api_key: str = ""
    model: str = "v-1"
    words: str = "hello"

class Voice(Provider):
    name = "voice"
    label = "Voice"
    config_type = VoiceConfig
    models = [Model("v-1")]
    gate = asyncio.Event()

    async def stream(self, request):
        yield TextDelta(self.config.words + " ")
        if request.messages[-1].text == "wait":
            await Voice.gate.wait()
        yield TextDelta(self.config.words)
        yield ResponseFinished(response=ChatResponse(finish_reason="stop"))
"""
FILE = """
default = "voice"
[[providers]]
name = "voice"
words = "WORDS"
[[routes]]
name = "fast"
targets = [{ model = "voice/v-1" }]
"""


class Replica:
    """One process's share of the work."""

    def __init__(self, database: Database, directory: Path, bus: MemoryBus) -> None:
        overrides = ProviderOverrides(SecretBox(["sealing-key-0123456789-abcdefghij"]), EndpointPolicy())
        self._directory = directory
        self.restart: list[str] = []
        self.configuration = Configuration(database, registry=self.registry(), overrides=overrides, bus=bus, shared=Shared())
        self.providers = Providers(database, configuration=self.configuration)
        self.routes = ModelRoutes(self.configuration)
        self.reloading = Reloading(self.configuration, lambda: Sources(registry=self.registry(), needs_restart=self.restart))

    def registry(self) -> Registry:
        return Registry.from_environment(environ={}, directory=self._directory)

    def named(self, name: str) -> Any:
        return next((route for route in self.routes.list() if route.name == name), None)

    async def answer(self, model: str = "") -> str:
        events = self.configuration.client.stream(model, "hi")
        return "".join([event.text async for event in events if isinstance(event, TextDelta)])

    async def audited(self) -> list[dict[str, Any]]:
        return msgspec.to_builtins((await self.configuration.audit.list()).items)


@pytest.fixture
async def admin(database: Database) -> Principal:
    """An account that nobody signs in to."""
    record = UserRecord(id=new_id(), username="admin", email="admin@example.org", password_hash="-", role="admin")
    await Users(database).add(record)
    return Principal(user_id=record.id, role="admin", scopes=SCOPES, kind="jwt", token_id=new_id())


Make = Callable[[MemoryBus], Awaitable[Replica]]


def write(directory: Path, words: str = "hello") -> None:
    text = FILE.replace("WORDS", words)
    (directory / "parley.toml").write_text(text, encoding="utf-8")


@pytest.fixture
async def make(database: Database, tmp_path: Path) -> AsyncIterator[Make]:
    (tmp_path / "parley_providers").mkdir()
    (tmp_path / "parley_providers" / "voice.py").write_text(VOICE, encoding="utf-8")
    write(tmp_path)
    async with AsyncExitStack() as stack:

        async def make(bus: MemoryBus) -> Replica:
            replica = Replica(database, tmp_path, bus)
            stack.push_async_callback(replica.providers.aclose)
            await replica.providers.start()
            return replica

        yield make


@pytest.fixture
async def replica(make: Make) -> Replica:
    return await make(MemoryBus())


def route(*targets: str, **more: Any) -> RouteSettings:
    return RouteSettings(targets=[TargetSettings(model=target) for target in targets], **more)


class TestRoutes:
    async def test_it_stands_over_the_files_until_it_is_taken_back(self, replica: Replica, admin: Principal, make: Make) -> None:
        assert replica.named("fast").origin == "file"
        shown = await replica.routes.put("fast", route("demo/demo", "voice/v-1", stream_guard="hold"), principal=admin)
        assert (shown.origin, shown.stream_guard, [target.model for target in shown.targets]) == (
            "panel",
            "hold",
            ["demo/demo", "voice/v-1"],
        )
        assert "[demo]" in await replica.answer("fast")
        assert (await make(MemoryBus())).named("fast") == shown
        await replica.routes.remove("fast", principal=admin)
        assert replica.named("fast").origin == "file"
        assert await replica.answer("fast") == "hello hello"
        with pytest.raises(NotFoundError):
            await replica.routes.remove("fast", principal=admin)

    @pytest.mark.parametrize(
        ("name", "settings", "field"),
        [
            ("Fast!", route("voice/v-1"), "name"),
            ("voice", route("voice/v-1"), "name"),
            ("new", route(), "targets"),
            ("new", route("voice"), "targets[0].model"),
            ("new", route("voice/v-1", "nobody/x"), "targets[1].model"),
            ("new", route("new/x"), "targets[0].model"),
            ("new", route("fast/x"), "targets[0].model"),
            ("new", route("voice/\x00"), "targets[0].model"),
            ("new", route("voice/" + "x" * 10_000), "targets[0].model"),
            ("new", route(*["voice/v-1"] * 51), "targets"),
            ("new", RouteSettings(targets=[TargetSettings(model="voice/v-1", weight=0)]), "targets[0].weight"),
        ],
    )
    async def test_what_cannot_be_is_refused_by_its_field_and_changes_nothing(
        self, replica: Replica, admin: Principal, name: str, settings: RouteSettings, field: str
    ) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            await replica.routes.put(name, settings, principal=admin)
        assert [problem.path for problem in caught.value.fields] == [field]
        assert [each.name for each in replica.routes.list()] == ["fast"]
        assert (replica.configuration.generation, await replica.audited()) == (1, [])

    async def test_nothing_is_taken_away_that_a_route_stands_on(self, replica: Replica, admin: Principal) -> None:
        changes = ProviderChanges(provider="openai-compatible", endpoint="https://93.184.215.14/v1", api_key="k", model="m")
        await replica.providers.configure("extra", changes, principal=admin)
        await replica.routes.put("wide", route("extra/m"), principal=admin)
        with pytest.raises(InvalidRequestError) as caught:
            await replica.providers.remove("extra", principal=admin)
        assert caught.value.fields[0].path == "route wide: targets[0].model"
        with pytest.raises(InvalidRequestError) as caught:
            await replica.providers.configure("wide", changes, principal=admin)
        assert caught.value.fields[0].path == "route wide: name"
        await replica.routes.remove("wide", principal=admin)
        await replica.providers.remove("extra", principal=admin)


class TestReloading:
    async def test_the_next_answer_is_the_new_one_and_the_running_ends_as_it_began(self, replica: Replica, tmp_path: Path) -> None:
        voice: Any = replica.configuration.client.registry.get("voice")
        running = replica.configuration.client.stream("voice", "wait")
        first = await anext(running)
        write(tmp_path, "goodbye")
        replica.restart = ["PORT"]
        reloaded = await replica.reloading.reload(by=None)
        assert (reloaded.generation, reloaded.needs_restart, replica.configuration.generation) == (2, ["PORT"], 2)
        assert await replica.answer() == "goodbye goodbye"
        type(voice._provider).gate.set()
        rest = [event async for event in running]
        assert isinstance(first, TextDelta)
        assert first.text + "".join(event.text for event in rest if isinstance(event, TextDelta)) == "hello hello"
        assert isinstance(rest[-1], ResponseFinished)

    @pytest.mark.parametrize(
        ("name", "text", "where"),
        [
            ("parley.toml", "not toml", "parley.toml"),
            ("parley.toml", FILE + '[[routes]]\nname = "odd"\ntargets = [{ model = "nobody/x" }]\n', "routes[1] (odd).targets[0].model"),
            ("parley.toml", FILE + "[limits]\nuser = { requests_per_minute = -1 }\n", "limits.user.requests_per_minute"),
            ("parley.toml", FILE.replace('"voice"\n[[', '"nobody"\n[['), "default"),
            ("parley.toml", 'default = "voice"\n', "route own: targets[0].model"),
            ("parley_providers/voice.py", "1 / 0\n", "voice (parley.toml)"),
            (".env", "this is no assignment\n", ".env"),
        ],
    )
    async def test_where_anything_is_wrong_all_goes_on_as_before(
        self, replica: Replica, admin: Principal, tmp_path: Path, name: str, text: str, where: str
    ) -> None:
        other = '[[providers]]\nname = "other"\nprovider = "openai-compatible"\nendpoint = "http://127.0.0.1:1/v1"\n'
        (tmp_path / "parley.toml").write_text(FILE + other, encoding="utf-8")
        await replica.reloading.reload(by=None)
        await replica.routes.put("own", route("other/m"), principal=admin)
        before = replica.configuration.client
        (tmp_path / name).write_text(text, encoding="utf-8")
        with pytest.raises(ConfigurationError) as caught:
            await replica.reloading.reload(by=admin)
        assert any(where in problem.path for problem in caught.value.fields), caught.value.fields
        assert replica.configuration.client is before
        assert await replica.answer() == "WORDS WORDS"
        newest = (await replica.audited())[0]
        assert (newest["action"], newest["by"]["username"]) == ("configuration.refused", "admin")
        assert any(where in change["new"] for change in newest["changes"])


class TestReplicas:
    async def test_a_change_on_one_is_in_force_on_all(self, make: Make, admin: Principal) -> None:
        hub = Hub()
        one, two = [await make(MemoryBus(hub)) for _ in range(2)]
        await one.routes.put("wide", route("voice/v-1"), principal=admin)
        await eventually(lambda: two.named("wide") is not None)
        assert await two.answer("wide") == "hello hello"
        await two.providers.configure("voice", ProviderChanges(enabled=False), principal=admin)
        await eventually(lambda: one.configuration.client.registry.describe("voice").status == "unconfigured")
        assert (one.configuration.generation, two.configuration.generation) == (3, 3)

    async def test_nobody_has_to_be_told(self, make: Make, admin: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(agreement, "LOOK_SECONDS", 0.01)
        hub = Hub()
        one, two = [await make(MemoryBus(hub)) for _ in range(2)]
        hub.cut = True
        await one.routes.put("wide", route("voice/v-1"), principal=admin)
        await eventually(lambda: two.named("wide") is not None)

    async def test_who_has_not_heard_yet_takes_nothing_back(self, make: Make, admin: Principal) -> None:
        hub = Hub()
        one, two = [await make(MemoryBus(hub)) for _ in range(2)]
        hub.cut = True
        await asyncio.gather(
            *(one.routes.put(f"one-{number}", route("voice/v-1"), principal=admin) for number in range(5)),
            *(two.routes.put(f"two-{number}", route("voice/v-1"), principal=admin) for number in range(5)),
            one.providers.configure("voice", ProviderChanges(api_key="k"), principal=admin),
        )
        await two.providers.configure("voice", ProviderChanges(model="v-2"), principal=admin)
        record = two.configuration.stored.providers["voice"]
        assert (record.model, record.sealed_key is not None) == ("v-2", True)
        assert len(two.routes.list()) == 11
        assert two.configuration.stored.version == 12

    async def test_an_administrators_reload_is_everybodys_and_a_signal_this_processs(
        self, make: Make, admin: Principal, tmp_path: Path
    ) -> None:
        hub = Hub()
        one, two, three = [await make(MemoryBus(hub)) for _ in range(3)]
        write(tmp_path, "goodbye")
        await one.reloading.reload(by=None)
        assert [await each.answer() for each in (one, two)] == ["goodbye goodbye", "hello hello"]
        write(tmp_path, "again")
        await one.reloading.reload(by=admin)
        for each in (two, three):
            await eventually(lambda each=each: "again" in repr(each.configuration.client.registry.file.providers[0].settings))
            assert await each.answer() == "again again"


class TestAudit:
    async def test_it_says_who_did_what_when_and_what_it_was_before(self, replica: Replica, admin: Principal, tmp_path: Path) -> None:
        await replica.providers.configure("voice", ProviderChanges(api_key=CANARY, model="v-1"), principal=admin)
        await replica.providers.configure("voice", ProviderChanges(api_key=CANARY + "2"), principal=admin)
        await replica.routes.put("fast", route("demo/demo"), principal=admin)
        await replica.routes.remove("fast", principal=admin)
        await replica.providers.remove("voice", principal=admin)
        await replica.reloading.reload(by=None)
        entries = await replica.audited()
        assert [(entry["action"], entry["subject"]) for entry in entries] == [
            ("configuration.reloaded", "configuration"),
            ("provider.removed", "voice"),
            ("route.removed", "fast"),
            ("route.set", "fast"),
            ("provider.configured", "voice"),
            ("provider.configured", "voice"),
        ]
        assert entries[0]["by"] is None
        assert entries[1]["by"] == {"user_id": admin.user_id, "username": "admin"}
        assert entries[1]["at"].endswith("Z")
        changes = [{change["field"]: (change["old"], change["new"]) for change in entry["changes"]} for entry in entries]
        assert changes[5] == {"apiKey": (None, "set"), "model": (None, "v-1"), "enabled": (None, True)}
        assert changes[4] == {"apiKey": ("set", "another")}
        assert changes[1] == {"apiKey": ("set", None), "model": ("v-1", None), "enabled": (True, None)}
        assert changes[3]["targets"] == (None, [{"model": "demo/demo", "weight": 1.0}])
        stored = (tmp_path / "parley.db").read_bytes() + (tmp_path / "parley.db-wal").read_bytes()
        assert b"canary" not in stored

    async def test_it_is_read_page_by_page(self, replica: Replica, admin: Principal) -> None:
        for number in range(5):
            await replica.routes.put(f"r{number}", route("demo/demo"), principal=admin)
        read: list[str] = []
        cursor: str | None = None
        for _ in range(3):
            page = await replica.configuration.audit.list(limit=2, cursor=cursor)
            read += [entry.subject for entry in page.items]
            cursor = page.next_cursor
        assert (read, cursor) == (["r4", "r3", "r2", "r1", "r0"], None)
