"""The example of a package with a provider: its wheel is built, installed and used as somebody would who never saw this checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from .server_process import INHERITED, running_server

EXAMPLE = Path(__file__).parents[2] / "examples" / "parley-mars"
PARLEY = str(Path(sys.executable).with_name("parley"))


class Installed(Struct, frozen=True):
    """Where the package lies, and a copy of what its author has beside it (tests, recordings), without the source."""

    site: Path
    checkout: Path

    def environ(self, **variables: str) -> dict[str, str]:
        return {name: os.environ[name] for name in INHERITED if name in os.environ} | {"PYTHONPATH": str(self.site), **variables}

    def run(self, *command: str, directory: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command in a directory of its own, after which everything it printed is at hand."""
        environ = self.environ(**variables)
        return subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=directory or self.checkout, env=environ, timeout=120
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Built without a network by the back end that its pyproject.toml names. A wheel of pure Python is installed by unpacking it."""
    checkout = tmp_path_factory.mktemp("mars") / EXAMPLE.name
    shutil.copytree(EXAMPLE, checkout, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "dist"]
    subprocess.run(build, check=True, capture_output=True, cwd=checkout, timeout=120)
    (wheel,) = (checkout / "dist").glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    site = checkout / "site"
    with zipfile.ZipFile(wheel) as archive:
        assert not [name for name in archive.namelist() if ".data/" in name or name.startswith(("tests/", "recordings/"))]
        archive.extractall(site)
    shutil.rmtree(checkout / "src")
    return Installed(site, checkout)


@pytest.fixture(scope="module")
def mars(installed: Installed) -> Iterator[str]:
    """The vendor's server, as its README starts it; its base URL."""
    command = [sys.executable, "-m", "parley_mars.server", "--port", "0"]
    process = subprocess.Popen(command, cwd=installed.checkout, env=installed.environ(), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        yield found[0]
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


def test_its_own_tests_pass_with_every_rule_of_the_contract(installed: Installed) -> None:
    done = installed.run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error", "-rs")
    assert done.returncode == 0, done.stdout + done.stderr
    counts = re.search(r"^contract: (\d+) passed", done.stdout, re.MULTILINE)
    assert counts is not None, done.stdout
    assert int(counts[1]) >= 20
    # Installed, it has no tests beside its source; apart from that an example leaves nothing out.
    skipped = re.findall(r"^SKIPPED \[\d+\] .*", done.stdout, re.MULTILINE)
    assert [reason for reason in skipped if "tests that lie beside its source" not in reason] == []
    assert "advice" not in done.stdout


def test_installing_it_is_all_that_parley_needs(installed: Installed, mars: str, tmp_path: Path) -> None:
    listed = installed.run(PARLEY, "providers", "--json", directory=tmp_path, MARS_PASS="mars-test")
    (described,) = [provider for provider in json.loads(listed.stdout) if provider["name"] == "mars"]
    assert (described["status"], described["origin"], described["label"]) == ("ready", "package parley-mars", "Mars")
    without_key = installed.run(PARLEY, "chat", "-p", "mars", "Hello", directory=tmp_path)
    assert without_key.returncode != 0
    assert "MARS_API_KEY" in without_key.stderr

    variables = {"MARS_API_KEY": "mars-test", "MARS_ENDPOINT": mars}
    tested = installed.run(PARLEY, "provider", "test", "mars", directory=tmp_path, **variables)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    answered = installed.run(PARLEY, "chat", "-p", "mars", "Hello", directory=tmp_path, **variables)
    assert answered.stdout.strip() == "Mars here. You said: Hello"
    refused = installed.run(PARLEY, "provider", "test", "mars", directory=tmp_path, **{**variables, "MARS_API_KEY": "venus-1"})
    assert refused.returncode != 0
    assert "does not accept the key" in refused.stderr
    assert "MARS_API_KEY" in refused.stderr
    assert "venus-1" not in refused.stdout + refused.stderr


async def test_a_server_offers_it_and_answers_with_it(installed: Installed, mars: str, tmp_path: Path) -> None:
    variables = {"PYTHONPATH": str(installed.site), "MARS_API_KEY": "mars-test", "MARS_ENDPOINT": mars}
    async with running_server(tmp_path, **variables) as server:
        ada = await server.sign_up("ada")
        listed: Any = (await server.request("GET", "/api/v1/providers", token=ada.token)).json()
        (offered,) = [provider for provider in listed["providers"] if provider["name"] == "mars"]
        assert (offered["label"], offered["description"]) == ("Mars", "Answers from the fourth planet")
        assert [model["id"] for model in offered["models"]] == ["olympus-1", "olympus-1-deep"]
        session = await server.session(ada.token, provider="mars", model="olympus-1-deep")
        answer = await server.answer(ada.token, session, "Hello")
        assert "Mars here. You said: Hello" in json.dumps(answer)
    assert "mars-test" not in server.output
