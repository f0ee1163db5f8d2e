"""A provider is added as one file, or as an installed package, and everything that is derived has it: no other file is touched."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import parley
from parley.registry.loading import Registry
from parley.testing.payload_diff import payload_diffs
from parley.testing.replay import Answer, ReplayServer
from parley.testing.samples import openai_chat

from .server_process import INHERITED, running_server

SAMPLE = openai_chat()
LISTED = Answer(headers={"content-type": "application/json"}, body=b'{"data": [{"id": "acme-fast"}]}')
# All that is written by hand.
ACME = '''
"""Acme."""
from typing import Literal

from parley.provider import Capabilities, Config, Dialect, ExtraOption, Model, OpenAIChat


class AcmeConfig(Config):
    model: str = "acme-fast"
    endpoint: str = "https://api.acme.example/v1"


provider = Dialect(
    name="acme",
    label="Acme",
    description="Fast European models",
    config=AcmeConfig,
    wire=OpenAIChat(),
    capabilities=Capabilities(tools=True, images=False, top_k=False),
    models=[Model("acme-fast", label="Acme Fast", description="Fast and efficient", context_tokens=128_000)],
    docs_url="https://docs.acme.example",
    extra_options=[ExtraOption(name="region", type=Literal["eu", "us"], description="where it is answered")],
)
'''
METADATA = "Metadata-Version: 2.1\nName: parley-acme\nVersion: 1.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: by-hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def in_the_usual_folder(directory: Path) -> dict[str, str]:
    (directory / "parley_providers").mkdir()
    (directory / "parley_providers" / "acme.py").write_text(ACME)
    return {}


def in_a_folder_that_is_named(directory: Path) -> dict[str, str]:
    (directory / "elsewhere").mkdir()
    (directory / "elsewhere" / "acme.py").write_text(ACME)
    return {"PARLEY_PROVIDER_PATH": str(directory / "elsewhere")}


def as_a_package(directory: Path) -> dict[str, str]:
    """A wheel, installed as installers install one that is pure Python: unpacked where Python looks."""
    wheel = directory / "parley_acme-1.0-py3-none-any.whl"
    files = {
        "parley_acme.py": ACME,
        "parley_acme-1.0.dist-info/METADATA": METADATA,
        "parley_acme-1.0.dist-info/WHEEL": WHEEL,
        "parley_acme-1.0.dist-info/entry_points.txt": "[parley.providers]\nacme = parley_acme:provider\n",
    }
    with zipfile.ZipFile(wheel, "w") as packed:
        for name, text in {**files, "parley_acme-1.0.dist-info/RECORD": "".join(f"{name},,\n" for name in files)}.items():
            packed.writestr(name, text)
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(directory / "site")
    return {"PYTHONPATH": str(directory / "site")}


WAYS = {"file": in_the_usual_folder, "named folder": in_a_folder_that_is_named, "package": as_a_package}
ORIGINS = {"file": "parley_providers/acme.py", "named folder": "elsewhere/acme.py", "package": "package parley-acme"}


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def vendor() -> AsyncIterator[ReplayServer]:
    async with ReplayServer(LISTED) as server:
        yield server


@pytest.fixture
def variables(way: str, tmp_path: Path, vendor: ReplayServer) -> dict[str, str]:
    return {"ACME_API_KEY": "ak-acme-test-key", "ACME_ENDPOINT": vendor.url, **WAYS[way](tmp_path)}


@pytest.fixture
def run(tmp_path: Path, variables: dict[str, str]) -> Callable[..., Any]:
    """What `parley …` prints, in a process of its own."""

    async def parley_command(*words: str) -> str:
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ} | variables | {"COLUMNS": "200"}
        program = str(Path(sys.executable).with_name("parley"))
        process = await asyncio.create_subprocess_exec(
            program, *words, cwd=tmp_path, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        output, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        return output.decode()

    return parley_command


async def test_the_command_line_has_it(way: str, run: Callable[..., Any], vendor: ReplayServer) -> None:
    table = await run("providers")
    (line,) = [line for line in table.splitlines() if "acme" in line]
    assert "ready" in line
    (listed,) = [each for each in json.loads(await run("providers", "--json")) if each["name"] == "acme"]
    assert listed["origin"].endswith(ORIGINS[way])
    (checked,) = [each for each in json.loads(await run("doctor", "--json"))["providers"] if each["name"] == "acme"]
    assert checked["success"], checked
    assert "acme answers" in await run("provider", "test", "acme")
    vendor.answer_with(SAMPLE.streamed())
    assert SAMPLE.text in await run("chat", "--provider", "acme", "--stream", "Hi")


async def test_its_documentation_is_written_from_its_declaration(run: Callable[..., Any]) -> None:
    page = await run("provider", "docs", "acme")
    assert page.startswith("# Acme\n")
    for words in (
        "`ACME_API_KEY`",
        "`acme-fast` (default)",
        "| ✅ | Tool calls | claimed |",
        "| ❌ | Images |",
        "<https://docs.acme.example>",
    ):
        assert words in page
    assert "ak-acme-test-key" not in page
    block = await run("provider", "env", "acme")
    assert "ACME_API_KEY=\n" in block
    assert "ak-acme-test-key" not in block


async def test_the_server_its_panel_and_its_openapi_document_have_it(
    tmp_path: Path, variables: dict[str, str], vendor: ReplayServer
) -> None:
    async with running_server(tmp_path, **variables) as server:
        everybody = (await server.request("GET", "/api/v1/providers")).json()
        assert everybody["available"] == ["acme"]
        assert {"name": "acme", "label": "Acme", "description": "Fast European models"} in everybody["providers"]
        account = await server.sign_up("ada")
        (acme,) = [
            each
            for each in (await server.request("GET", "/api/v1/providers", token=account.token)).json()["providers"]
            if each["name"] == "acme"
        ]
        assert (acme["status"], acme["model"], [model["id"] for model in acme["models"]]) == ("ready", "acme-fast", ["acme-fast"])
        form = acme["optionsSchema"]["properties"]
        assert form["extra"]["properties"]["region"]["enum"] == ["eu", "us"]
        assert "temperature" in form
        assert "topK" not in form, "it says that it knows none"
        document = (await server.request("GET", "/api/v1/openapi.json")).json()
        assert "acme" in document["components"]["schemas"]["ProviderName"]["examples"]
        assert "acme" in (await server.request("GET", "/api/v1/docs")).body.decode()
        vendor.answer_with(SAMPLE.streamed())
        session_id = await server.session(account.token, provider="acme")
        answered = await server.answer(account.token, session_id, "Hi")
        assert SAMPLE.text in json.dumps(answered, ensure_ascii=False)
    assert msgspec.json.decode(vendor.requests[-1].body)["model"] == "acme-fast"


async def test_the_checks_have_it(way: str, tmp_path: Path, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if "PYTHONPATH" in variables:
        monkeypatch.syspath_prepend(variables["PYTHONPATH"])
    monkeypatch.delenv("ACME_ENDPOINT")
    assert "acme" in Registry.from_environment(directory=tmp_path).names()
    diffs = await payload_diffs(lambda url: parley.load_provider("acme", endpoint=url), SAMPLE.complete())
    assert [diff.problem for diff in diffs if diff.problem] == []
    outcomes = {diff.option: diff.outcome for diff in diffs}
    assert (outcomes["tools"], outcomes["images"], outcomes["top_k"], outcomes["extra.region"]) == ("sent", "refused", "warned", "sent")
