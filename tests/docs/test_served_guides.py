"""The guides that speak to a server: every shell and Python example runs as it stands, against a real one."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from pathlib import Path

import pytest

from ..integration.server_process import ServerProcess, running_server

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
ADDRESS = "http://127.0.0.1:4000"

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")


def examples(guide: str, language: str) -> list[str]:
    """The guide's examples in this language; that which starts the server has run before."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", (GUIDES / guide).read_text(), re.DOTALL | re.MULTILINE)
    assert found
    return [source for source in found if not source.startswith("make ")]


async def run(server: ServerProcess, *command: str, **variables: str) -> str:
    """What the command prints; it must succeed."""
    environ = {**{name: value for name, value in server.variables.items() if name in {"PATH", "HOME"}}, **variables}
    process = await asyncio.create_subprocess_exec(
        *command, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=server.data_directory.parent
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode()


@needs_curl
async def test_the_first_answer_without_a_browser(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        blocks = examples("first-answer.md", "sh")
        script = "\n".join(["set -euo pipefail", *(block.replace(ADDRESS, server.url) for block in blocks)])
        output = await run(server, "bash", "-c", script)
        assert '"success":true' in output
        assert '"type":"done"' in output
        assert '"type":"snapshot"' in output


@needs_curl
async def test_clients_pointed_at_parley(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        key = await make_key(server)
        variables = {"OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": key}
        variables |= {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": key}
        chat, message = [
            await run(server, "bash", "-c", f"set -euo pipefail\n{example}", **variables)
            for example in examples("point-your-client-at-parley.md", "sh")
        ]
        assert '"chat.completion"' in chat
        assert '"demo/demo"' in chat
        assert '"type":"message"' in message
        whole, streamed, response, messages, unknown = [
            await run(server, sys.executable, "-c", example, **variables)
            for example in examples("point-your-client-at-parley.md", "python")
        ]
        assert "| " in whole
        assert "total_tokens" in streamed
        assert "| " in response
        assert messages.startswith("1\n")
        assert "# " in messages
        assert "demo" in unknown


@needs_curl
async def test_a_route_whose_first_targets_are_not_there(tmp_path: Path) -> None:
    [table] = examples("routes.md", "toml")
    # Nobody is asked outside this machine.
    (tmp_path / "parley.toml").write_text(table.replace("https://api.acme.example", "http://127.0.0.1:1"), encoding="utf-8")
    async with running_server(tmp_path, ACME_KEY_1="one", ACME_KEY_2="two") as server:
        variables = {"OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": await make_key(server)}
        [asked] = examples("routes.md", "sh")
        told = await run(server, "bash", "-c", f"set -euo pipefail\n{asked}", **variables)
        assert "x-parley-provider: demo" in told
        assert "x-parley-fallback: asked=acme/acme-fast; actual=demo/demo; reason=" in told
        assert "data: [DONE]" in told
        [program] = examples("routes.md", "python")
        told = await run(server, sys.executable, "-c", program)
        assert told.startswith("demo ['provider_unreachable', 'provider_unreachable'")
        assert "acme/acme-fast → demo/demo" in told


async def make_key(server: ServerProcess) -> str:
    """A key as `parley key new` prints it."""
    program = str(Path(sys.executable).with_name("parley"))
    printed = await run(server, program, "key", "new", "my-program", PARLEY_DATA_DIR=str(server.data_directory))
    lines = dict(line.removeprefix("export ").split("=", 1) for line in printed.splitlines() if line.startswith("export "))
    assert lines["OPENAI_BASE_URL"].endswith("/v1")
    return lines["OPENAI_API_KEY"]
