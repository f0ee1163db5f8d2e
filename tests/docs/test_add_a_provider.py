"""The tutorial of "Adding a provider": every command of it is run in an empty folder, as a new author would, and every command is real."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from msgspec import Struct

from parley.cli.main import application

from ..integration.server_process import INHERITED, running_server
from ..integration.serving import free_port

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guides" / "add-a-provider.md").read_text(encoding="utf-8")
TUTORIAL = GUIDE.partition("\n## What became of")[0]
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(sh|python)\n(.*?)^```$", TUTORIAL, re.DOTALL | re.MULTILINE)
INSTALL, SERVE = "pip install", "parley serve --dev"


class Author(Struct, frozen=True):
    """Somebody in a folder, with nothing but the installed package; `folder` holds what the tutorial makes."""

    folder: Path
    environ: dict[str, str]
    vendor_port: int

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], check=False, capture_output=True, text=True, cwd=self.folder, env=self.environ
        )


def adapted(block: str, port: int) -> str:
    """The block for a machine on which 4100 may be taken."""
    return block.replace(":4100", f":{port}").replace("--port 4100", f"--port {port}")


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Author]:
    """After the first part of the tutorial: the stand-in vendor runs and its key is set."""
    home = tmp_path_factory.mktemp("author")
    port = free_port()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environ = {name: os.environ[name] for name in INHERITED if name in os.environ} | {"PATH": path, "PARLEY_ENV": "development"}
    vendor = next(block for language, block in BLOCKS if language == "sh" and "vendor" in block)
    script = f'mkdir acme && cd acme\n{adapted(vendor, port)}\nprintf %s "$ACME_API_KEY" > ../key\n'
    # A session of its own, so that the vendor, which the script leaves running, can be ended.
    process = subprocess.Popen(["bash", "-euo", "pipefail", "-c", script], cwd=home, env=environ, start_new_session=True)
    try:
        assert process.wait(timeout=90) == 0
        yield Author(home / "acme", {**environ, "ACME_API_KEY": (home / "key").read_text()}, port)
    finally:
        os.killpg(process.pid, signal.SIGTERM)


async def test_the_tutorial_from_an_empty_folder_to_a_chat(author: Author) -> None:
    told = ""
    for language, block in BLOCKS:
        source = adapted(block, author.vendor_port)
        if language == "python":
            (author.folder / "parley_providers" / "acme.py").write_text(source, encoding="utf-8")
        elif not source.startswith((INSTALL, SERVE, "mkdir vendor")):
            done = author.run(source)
            assert done.returncode == 0, done.stdout + done.stderr
            told += done.stdout
        elif source.startswith(SERVE):
            await _chat(author)
    assert "✓ acme answers" in told
    assert "| `usage` |" in told  # the demo's table, through the new provider
    assert re.search(r"^✓ acme: \d+ held", told, re.MULTILINE)
    assert re.search(r"^contract: \d+ passed", told, re.MULTILINE)
    assert (author.folder / "parley-mars" / "pyproject.toml").is_file()


async def _chat(author: Author) -> None:
    """What one does in the page, over the API that the page uses."""
    async with running_server(author.folder, ACME_API_KEY=author.environ["ACME_API_KEY"]) as server:
        ada = await server.sign_up("ada")
        listed = (await server.request("GET", "/api/v1/providers", token=ada.token)).json()["providers"]
        (offered,) = [provider for provider in listed if provider["name"] == "acme"]
        assert (offered["label"], offered["description"], offered["status"]) == ("Acme", "Fast European models", "ready")
        assert [model["label"] for model in offered["models"]] == ["Acme Demo"]
        session = await server.session(ada.token, provider="acme")
        assert "[demo]" in json.dumps(await server.answer(ada.token, session, "table"))


def test_a_claim_too_much_is_caught_in_the_words_that_the_guide_shows(author: Author, tmp_path: Path) -> None:
    (claimed,) = re.findall(r"write `(Capabilities\(.*?\))` and run `check`", TUTORIAL)
    (shown,) = re.findall(r"^```text\n(✗.*?)^```$", TUTORIAL, re.DOTALL | re.MULTILINE)
    source = next(block for language, block in BLOCKS if language == "python")
    folder = tmp_path / "parley_providers"
    folder.mkdir()
    (folder / "acme.py").write_text(re.sub(r"Capabilities\(tools.*?\)", claimed, source), encoding="utf-8")
    done = author.run(f"cd {shlex.quote(str(tmp_path))} && parley provider check acme")
    assert done.returncode != 0
    assert " ".join(shown.split()) in " ".join(done.stdout.split())


def commands_of(group: Any, path: str) -> Iterator[tuple[str, set[str]]]:
    """Every command of the program, with its flags."""
    for name, command in getattr(group, "commands", {}).items():
        flags = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
        yield f"{path} {name}", flags
        yield from commands_of(command, f"{path} {name}")


def test_every_command_of_the_guide_exists_with_its_flags() -> None:
    known = dict(commands_of(typer.main.get_command(application()), "parley"))
    code = "\n".join(
        re.findall(r"`(parley [^`]+)`", GUIDE) + re.findall(r"^.*\bparley [a-z].*$", "\n".join(block for _, block in BLOCKS), re.MULTILINE)
    )
    used = re.findall(r"\b(parley (?:provider |key )?[a-z]+)\b([^\n|)]*)", code)
    assert len(used) > 15
    for command, rest in used:
        assert command in known, f"{command} is no command"
        strange = set(re.findall(r" (--?[a-z][a-z-]*)", rest.partition("#")[0])) - known[command]
        assert not strange, f"{command} has no {strange}"
