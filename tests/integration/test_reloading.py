"""`parley serve --dev`: a provider file that is saved, broken, mended or removed takes effect in the running server."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import parley
from parley.testing.replay import Answer, ReplayServer

from .server_inside import server_inside
from .server_process import Account, ServerProcess, running_server

FILE = '''"""Acme."""
from parley.provider import Config, Dialect, Model, OpenAIChat

class AcmeConfig(Config):
    api_key: str = ""
    model: str = "m-1"
    endpoint: str = "ENDPOINT"

provider = Dialect(name="acme", label="LABEL", config=AcmeConfig, wire=OpenAIChat(), models=[Model("m-1")])
'''
STREAM = (
    b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"Good "}}]}\n\n',
    b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"day."},"finish_reason":"stop"}]}\n\n',
    b"data: [DONE]\n\n",
)


def streamed(*pieces: bytes, **changes: Any) -> Answer:
    return Answer(
        headers={"content-type": "text/event-stream"},
        body=b"".join(pieces),
        streamed=True,
        pieces=[len(piece) for piece in pieces[:-1]],
        **changes,
    )


class Developer:
    """Somebody who edits provider files beside a running server, and reads what it writes."""

    def __init__(self, directory: Path, server: ServerProcess, account: Account) -> None:
        self.directory = directory
        self.server = server
        self.token = account.token
        self._read = 0

    def save(self, text: str, *, endpoint: str = "http://127.0.0.1:1/v1", label: str = "Acme") -> None:
        self.write("parley_providers/acme.py", text.replace("ENDPOINT", endpoint).replace("LABEL", label))

    def write(self, name: str, text: str) -> None:
        self._read = len(self.server.output)
        file = self.directory / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def remove(self, name: str) -> None:
        self._read = len(self.server.output)
        (self.directory / name).unlink()

    async def told(self, *words: str) -> None:
        """Until a line that came after the last change has all of these words."""
        await self.server.said(*words, after=self._read)

    async def listed(self) -> dict[str, Any]:
        reply = await self.server.request("GET", "/api/v1/providers", token=self.token)
        return {each["name"]: each for each in reply.json()["providers"]}


@pytest.fixture
async def developer(tmp_path: Path) -> AsyncIterator[Developer]:
    async with running_server(tmp_path, "--dev") as server:
        yield Developer(tmp_path, server, await server.sign_up("ada"))


async def test_a_file_is_taken_when_it_is_saved_broken_mended_and_removed(developer: Developer) -> None:
    assert "acme" not in await developer.listed()
    developer.save(FILE)
    await developer.told("reloaded", "parley_providers/acme.py: acme: ready")
    acme = (await developer.listed())["acme"]
    assert (acme["status"], acme["label"]) == ("ready", "Acme")

    developer.save(FILE.replace("Model(", "Modle("))
    await developer.told("broken", "parley_providers/acme.py: ", "Modle", "(acme.py, line 9)", "the others go on")
    listed = await developer.listed()
    assert listed["acme"]["status"] == "quarantined"
    assert "NameError" in listed["acme"]["reason"]
    assert listed["demo"]["status"] == "ready"
    answered = await developer.server.answer(developer.token, await developer.server.session(developer.token), "help")
    assert "[demo]" in str(answered)

    developer.save(FILE, label="Mended")
    await developer.told("reloaded", "parley_providers/acme.py: acme: ready")
    acme = (await developer.listed())["acme"]
    assert (acme["status"], acme["label"]) == ("ready", "Mended")

    developer.remove("parley_providers/acme.py")
    await developer.told("removed", "parley_providers/acme.py")
    assert "acme" not in await developer.listed()


async def test_an_answer_under_way_ends_as_it_began_and_the_next_is_the_new_files(developer: Developer) -> None:
    old, new = streamed(*STREAM, gap_seconds=1.5), streamed(STREAM[1], STREAM[2])
    async with ReplayServer(old) as before, ReplayServer(new) as after:
        developer.save(FILE, endpoint=before.url)
        await developer.told("reloaded", "acme: ready")
        session = await developer.server.session(developer.token, provider="acme")
        answering = asyncio.create_task(developer.server.answer(developer.token, session, "Hi"))
        await before.requested()
        developer.save(FILE, endpoint=after.url)
        await developer.told("reloaded", "acme: ready")
        assert not answering.done()
        assert "Good day." in str(await answering)
        other = await developer.server.session(developer.token, provider="acme")
        await developer.server.answer(developer.token, other, "Hi")
        assert (len(before.requests), len(after.requests)) == (1, 1)


async def test_a_key_in_the_env_file_is_taken_too_and_a_broken_one_changes_nothing(developer: Developer) -> None:
    developer.save(FILE.replace('    api_key: str = ""\n', ""))
    await developer.told("reloaded", "parley_providers/acme.py: acme: Acme needs the vendor's API key: set ACME_API_KEY")
    assert (await developer.listed())["acme"]["status"] == "unconfigured"
    developer.write(".env", "ACME_API_KEY=ak-of-the-developer\n")
    await developer.told("reloaded", ".env")
    assert (await developer.listed())["acme"]["status"] == "ready"
    developer.write(".env", "this is no assignment\n")
    await developer.told("broken", ".env")
    assert (await developer.listed())["acme"]["status"] == "ready"
    developer.write(".env", "ACME_API_KEY=ak-of-the-developer\n")
    await developer.told("reloaded", ".env")
    developer.write("parley.toml", '[[routes]]\nname = "fast"\ntargets = [{ model = "nobody/x" }]\n')
    await developer.told("broken", "(fast).targets[0].model", "what was there before goes on")
    assert (await developer.listed())["acme"]["status"] == "ready"
    developer.write("parley.toml", '[[routes]]\nname = "fast"\ntargets = [{ model = "acme/m-1" }]\n')
    await developer.told("reloaded", "parley.toml")
    assert "ak-of-the-developer" not in developer.server.output


async def test_a_file_that_is_broken_from_the_start_is_told_and_the_server_starts(tmp_path: Path) -> None:
    (tmp_path / "parley_providers").mkdir()
    (tmp_path / "parley_providers" / "acme.py").write_text("1 / 0\n", encoding="utf-8")
    async with running_server(tmp_path, "--dev") as server:
        await server.said("broken", "parley_providers/acme.py", "ZeroDivisionError", "(acme.py, line 1)")


async def test_in_a_checkout_the_built_in_files_are_taken_too(tmp_path: Path) -> None:
    """A copy of the sources, so that the real ones stay as they are."""
    source = Path(parley.__file__).parent
    copy = tmp_path / "src" / "parley"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__", "static"))
    shutil.copy(source.parents[1] / "pyproject.toml", tmp_path)
    async with running_server(tmp_path, "--dev", PYTHONPATH=str(copy.parent), GROQ_API_KEY="gsk-not-a-real-one") as server:
        developer = Developer(tmp_path, server, await server.sign_up("ada"))
        text = (copy / "providers" / "groq.py").read_text(encoding="utf-8")
        for label in ("Grok?", "Gorq!"):  # of the same length, saved within a second
            developer.write("src/parley/providers/groq.py", text.replace('label="Groq"', f'label="{label}"'))
            await developer.told("reloaded", "src/parley/providers/groq.py: groq: ready")
            assert (await developer.listed())["groq"]["label"] == label
        developer.write("src/parley/providers/groq.py", text.replace("Dialect(", "Dailect("))
        await developer.told("broken", "groq", "NameError", "(groq.py, line 16)")
        developer.write("src/parley/providers/groq.py", text)
        await developer.told("reloaded", "groq: ready")
        developer.write("src/parley/providers/acme.py", FILE)
        await developer.told("reloaded", "src/parley/providers/acme.py: acme: ready")


async def test_the_traffic_is_shown_without_contents_and_without_keys(developer: Developer) -> None:
    async with ReplayServer(streamed(*STREAM), Answer(status=401, body=b"no")) as provider:
        developer.save(FILE.replace('api_key: str = ""', 'api_key: str = "ak-hidden-from-all"'), endpoint=provider.url)
        await developer.told("reloaded", "acme: ready")
        session = await developer.server.session(developer.token, provider="acme")
        await developer.server.answer(developer.token, session, "A private question")
        await developer.told("traffic", f"→ POST {provider.url}/chat/completions · ", " B")
        await developer.told("traffic", "← 200 OK · ", "s · ", f"B · POST {provider.url}/chat/completions")
        await developer.server.request("POST", "/api/v1/providers/acme/test", token=developer.token)
        await developer.told("← 401 Unauthorized", f"GET {provider.url}/models")
    await developer.server.request("POST", "/api/v1/providers/acme/test", token=developer.token)
    await developer.told("✗ GET", "/models", "ConnectError")
    assert not any(word in developer.server.output for word in ("ak-hidden", "private question", "Good "))


async def test_the_events_are_shown_where_contents_are_logged(tmp_path: Path) -> None:
    async with ReplayServer(streamed(*STREAM)) as provider, running_server(tmp_path, "--dev", LOG_CONTENT="on") as server:
        developer = Developer(tmp_path, server, await server.sign_up("ada"))
        developer.save(FILE, endpoint=provider.url)
        await developer.told("reloaded", "acme: ready")
        await server.answer(developer.token, await server.session(developer.token, provider="acme"), "Hi")
        await developer.told('             data: {"id":"1","choices":[{"index":0,"delta":{"content":"Good "}}]}')
        await developer.told('"role":"user","content":"Hi"')


async def test_without_dev_no_traffic_is_shown(tmp_path: Path) -> None:
    async with ReplayServer(streamed(*STREAM)) as provider:
        (tmp_path / "parley_providers").mkdir()
        (tmp_path / "parley_providers" / "acme.py").write_text(FILE.replace("ENDPOINT", provider.url), encoding="utf-8")
        async with running_server(tmp_path) as server:
            token = (await server.sign_up("ada")).token
            assert "Good day." in str(await server.answer(token, await server.session(token, provider="acme"), "Hi"))
        assert provider.url not in server.output


TABLE = 'default = "acme"\n[[routes]]\nname = "fast"\ntargets = [{ model = "acme/m-1" }]\n'


async def test_a_running_server_takes_its_files_on_a_signal_and_on_request_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    async with ReplayServer(streamed(*STREAM, gap_seconds=1.0)) as before, ReplayServer(streamed(STREAM[1], STREAM[2])) as after:
        (tmp_path / "parley.toml").write_text("")
        async with running_server(tmp_path) as server:
            developer = Developer(tmp_path, server, await server.sign_up("ada"))

            async def generation() -> int:
                return (await server.request("GET", "/health")).json()["generation"]

            async def signalled(*words: str) -> None:
                server.process.send_signal(signal.SIGHUP)
                await developer.told(*words)

            developer.save(FILE, endpoint=before.url)
            developer.write("parley.toml", TABLE)
            assert await generation() == 1
            await signalled("reloaded", "generation 2")
            session = await server.session(developer.token, provider="fast")
            answering = asyncio.create_task(server.answer(developer.token, session, "Hi"))
            await before.requested()

            developer.save(FILE, endpoint=after.url)
            developer.write(".env", "PORT=4999\n")
            reply = await server.request("POST", "/api/v1/admin/reload", token=developer.token)
            assert (reply.status, reply.json()) == (200, {"generation": 3, "needsRestart": []})
            assert not answering.done()
            other = await server.session(developer.token, provider="fast")
            await server.answer(developer.token, other, "Hi")
            assert "Good day." in str(await answering)
            assert (len(before.requests), len(after.requests)) == (1, 1)

            developer.write("parley.toml", TABLE.replace("acme/m-1", "nobody/m-1"))
            reply = await server.request("POST", "/api/v1/admin/reload", token=developer.token)
            assert (reply.status, reply.json()["code"]) == (422, "configuration_invalid")
            assert reply.json()["fields"][0]["path"] == "parley.toml: routes[0] (fast).targets[0].model"
            await signalled("routes[0] (fast).targets[0].model", '"nobody" is no known provider')
            developer.write("parley.toml", TABLE)
            developer.write(".env", "REDIS_URL=http://nowhere\n")
            await signalled("REDIS_URL")
            developer.write(".env", "LOG_LEVEL=debug\n")
            await signalled("LOG_LEVEL", "counts from the next start on")
            assert await generation() == 4
            assert b"parley_configuration_generation 4.0" in (await server.request("GET", "/metrics")).body

            audit = (await server.request("GET", "/api/v1/admin/audit", token=developer.token)).json()["items"]
            assert [(entry["action"], (entry["by"] or {}).get("username")) for entry in audit] == [
                ("configuration.reloaded", None),
                ("configuration.refused", None),
                ("configuration.refused", None),
                ("configuration.refused", "ada"),
                ("configuration.reloaded", "ada"),
                ("configuration.reloaded", None),
            ]


async def test_routes_are_set_over_the_files_while_the_server_runs(tmp_path: Path) -> None:
    async with server_inside(tmp_path) as server:
        token = (await server.sign_up("ada")).token
        body = {"targets": [{"model": "openai/gpt-5"}, {"model": "demo/demo", "weight": 2}], "streamGuard": "hold"}
        made = await server.request("PUT", "/api/v1/admin/routes/fast", token=token, json=body)
        assert made.status == 200
        assert made.json()["origin"] == "panel"
        listed = (await server.request("GET", "/api/v1/admin/routes", token=token)).json()
        assert listed == {"items": [made.json()], "nextCursor": None}
        question = {"model": "fast", "messages": [{"role": "user", "content": "code"}]}
        answered = await server.request("POST", "/v1/chat/completions", token=token, json=question)
        assert (answered.status, answered.headers["x-parley-provider"]) == (200, "demo")
        for wrong, path in (
            ({"targets": []}, "targets"),
            ({"targets": [{"model": "nobody/x"}]}, "targets[0].model"),
            ({"targets": [{"model": "fast/x"}]}, "targets[0].model"),
            ({"targets": [{"model": "demo/demo"}], "role": "admin"}, "role"),
        ):
            refused = await server.request("PUT", "/api/v1/admin/routes/fast", token=token, json=wrong)
            assert (refused.status, refused.json()["fields"][0]["path"]) == (422, path)
        assert (await server.request("GET", "/api/v1/admin/routes", token=token)).json() == listed
        assert (await server.request("DELETE", "/api/v1/admin/routes/fast", token=token)).status == 204
        assert (await server.request("DELETE", "/api/v1/admin/routes/fast", token=token)).status == 404
        assert (await server.request("POST", "/v1/chat/completions", token=token, json=question)).status == 404
