"""OpenAI's official client for Node, from npm, against a real server with a recorded stream of each wire behind it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parley.testing.recordings import Recording, find_recordings, load_recording, recordings_directory

from . import oracle
from .server_process import INHERITED
from .serving import Served, served

pytest.importorskip("litestar", reason="needs the extra parley-ai[server]")

NODE, NPM = shutil.which("node"), shutil.which("npm")
PROGRAM = Path(__file__).with_name("openai_client.mjs")
PROVIDERS = {"openai-chat": "openai", "anthropic-messages": "anthropic", "gemini-generate": "gemini"}
READERS = {"openai": oracle.openai_chat, "anthropic": oracle.anthropic_messages, "gemini": oracle.gemini_generate}
pytestmark = [
    pytest.mark.skipif(NODE is None or NPM is None, reason="needs node and npm"),
    pytest.mark.skipif(recordings_directory() is None, reason="no recordings: PARLEY_RECORDINGS names no folder"),
]


def recorded() -> Iterator[Any]:
    """Of each wire the first stream with a tool call."""
    for provider in PROVIDERS:
        for path in find_recordings(provider):
            recording = load_recording(path)
            if recording.kind == "tools-stream":
                yield pytest.param(recording, id=recording.file)
                break


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program beside its package: Node looks for packages from where a file lies."""
    directory = tmp_path_factory.mktemp("node")
    assert NPM is not None
    command = [NPM, "install", "--no-audit", "--no-fund", "--silent", "openai@6"]
    done = subprocess.run(command, cwd=directory, check=False, capture_output=True, text=True, timeout=120)
    if done.returncode:
        pytest.skip(f"npm cannot install the client: {done.stderr.strip()[:200] or 'no network'}")
    return Path(shutil.copy(PROGRAM, directory))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("server"), *PROVIDERS.values()) as running:
        yield running


@pytest.mark.parametrize("recording", list(recorded()))
async def test_the_node_client(recording: Recording, program: Path, server: Served) -> None:
    provider = PROVIDERS[recording.provider]
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    environment |= {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": server.key}
    async with server.replaying(provider, recording):
        command = [str(NODE), str(program), f"{provider}/{recording.model or 'model-1'}"]
        done = await asyncio.to_thread(
            subprocess.run, command, check=False, env=environment, capture_output=True, text=True, timeout=60, cwd=program.parent
        )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    expected = READERS[provider](recording)
    assert seen["text"] == expected.text
    assert [tuple(call) for call in seen["calls"]] == expected.tool_calls
    assert seen["usage"]["prompt_tokens"] == expected.prompt_tokens
    assert "demo/demo" in seen["models"]
    assert seen["errors"] == [
        ["BadRequestError", 400, "n"],
        ["NotFoundError", 404, "model"],
        ["AuthenticationError", 401, None],
        ["NotFoundError", 404, None],
    ]
