"""Node's clients, from npm, against a real server: OpenAI's by its Responses, Anthropic's, and the AI SDK, on which coding agents such as
opencode stand: it checks every event of a stream against a schema of its own, so that a field of the wrong shape fails here.
"""

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

from parley.testing.recordings import Recording
from parley.testing.replay import Answer

from .server_process import INHERITED
from .serving import Served
from .wires import expected_of, model_of, needs_recordings, provider_of, recorded, serving_all_wires

pytest.importorskip("litestar", reason="needs the extra parley-ai[server]")

NODE, NPM = shutil.which("node"), shutil.which("npm")
PROGRAM = Path(__file__).with_name("node_clients.mjs")
PACKAGES = ("openai@7", "@anthropic-ai/sdk@1", "ai@6", "@ai-sdk/anthropic@3", "@ai-sdk/openai@3")
pytestmark = pytest.mark.skipif(NODE is None or NPM is None, reason="needs node and npm")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program beside its packages: Node looks for them from where a file lies."""
    directory = tmp_path_factory.mktemp("node")
    assert NPM is not None
    command = [NPM, "install", "--no-audit", "--no-fund", "--silent", *PACKAGES]
    done = subprocess.run(command, cwd=directory, check=False, capture_output=True, text=True, timeout=170)
    if done.returncode:
        pytest.skip(f"npm cannot install the clients: {done.stderr.strip()[:200] or 'no network'}")
    return Path(shutil.copy(PROGRAM, directory))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving_all_wires(tmp_path_factory.mktemp("server")) as running:
        yield running


async def run(program: Path, server: Served, which: str, model: str) -> dict[str, Any]:
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    environment |= {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": server.key}
    environment |= {"ANTHROPIC_BASE_URL": server.url.removesuffix("/v1"), "ANTHROPIC_API_KEY": server.key}
    done = await asyncio.to_thread(
        subprocess.run,
        [str(NODE), str(program), which, model],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=program.parent,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_recordings
@pytest.mark.parametrize("recording", list(recorded("tools-stream", "stream", each=1)))
async def test_openai_by_its_responses(recording: Recording, program: Path, server: Served) -> None:
    async with server.replaying(provider_of(recording), recording):
        seen = await run(program, server, "responses", model_of(recording))
    expected = expected_of(recording)
    assert seen["text"] == seen["deltas"] == expected.text
    assert [tuple(call) for call in seen["calls"]] == expected.tool_calls
    assert seen["numbers"] == list(range(len(seen["numbers"])))
    assert seen["prompt"] == expected.prompt_tokens
    assert "```" in seen["whole"]
    assert seen["errors"] == [
        ["BadRequestError", 400, "store"],
        ["NotFoundError", 404, "model"],
        ["NotFoundError", 404, None],
    ]


@needs_recordings
@pytest.mark.parametrize("recording", list(recorded("tools-stream", "stream", each=1)))
async def test_anthropic(recording: Recording, program: Path, server: Served) -> None:
    async with server.replaying(provider_of(recording), recording):
        seen = await run(program, server, "messages", model_of(recording))
    expected = expected_of(recording)
    assert seen["text"] == seen["deltas"] == expected.text
    assert [tuple(call) for call in seen["calls"]] == expected.tool_calls
    assert seen["prompt"] == expected.prompt_tokens
    assert "```" in seen["whole"]
    assert seen["counted"] == 1
    assert seen["errors"] == [
        ["BadRequestError", 400, "invalid_request_error"],
        ["NotFoundError", 404, "not_found_error"],
        ["NotFoundError", 404, "not_found_error"],
        ["AuthenticationError", 401, "authentication_error"],
    ]


def gemini(*parts: dict[str, Any], streamed: bool = False) -> Answer:
    said = {"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP"}
    document = json.dumps(
        {"candidates": [said], "modelVersion": "gemini-x", "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 5}}
    )
    if streamed:
        return Answer(headers={"content-type": "text/event-stream"}, body=f"data: {document}\n\n".encode(), streamed=True)
    return Answer(headers={"content-type": "application/json"}, body=document.encode())


CALLS = {"functionCall": {"name": "weather", "args": {"city": "Bonn"}}, "thoughtSignature": "signed-by-vendor"}
SAYS = {"text": "Dry."}


async def test_anthropics_tool_loop_over_another_vendor(program: Path, server: Served) -> None:
    async with server.replaying("gemini", gemini(CALLS), gemini(SAYS)) as vendor:
        seen = await run(program, server, "toolLoop", "gemini/gemini-x")
    assert seen == {"given": [{"city": "Bonn"}], "text": "Dry."}
    sent: Any = vendor.requests[1].json()
    assert sent["contents"][1]["parts"][0]["thoughtSignature"] == "signed-by-vendor"


async def test_the_ai_sdk_over_each_wire(program: Path, server: Served) -> None:
    one_wire = (gemini(CALLS), gemini(SAYS), gemini(CALLS, streamed=True), gemini(SAYS, streamed=True))
    async with server.replaying("gemini", *one_wire * 3) as vendor:
        seen = await run(program, server, "aiSdk", "gemini/gemini-x")
    told = {"text": "Dry.", "streamed": "Dry.", "given": [{"city": "Bonn"}] * 2}
    assert seen == dict.fromkeys(("messages", "responses", "chat"), told)
    for request in vendor.requests[1::2]:
        sent: Any = request.json()
        assert sent["contents"][1]["parts"][0]["thoughtSignature"] == "signed-by-vendor"
