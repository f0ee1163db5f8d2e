"""The provider `local` with llama.cpp's own server in its child process, and a real (tiny, random) model."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import parley

pytest.importorskip("xllamacpp", reason="needs the extra parley-ai[local]")
pytest.importorskip("gguf", reason="needs the package gguf to write a model")

PROGRAM = Path(__file__).with_name("tiny_model.py")
MESSAGES = [{"role": "user", "content": "Say something."}]
LONG = {"max_tokens": 4000, "temperature": 0, "extra": {"ignore_eos": True}}


@pytest.fixture(scope="module")
def data_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("data")
    (data / "models").mkdir()
    write = f"import sys, pathlib; sys.path.insert(0, {str(PROGRAM.parent)!r}); import tiny_model"
    code = f"{write}; tiny_model.write_model(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, str(data / "models/tiny.gguf")], check=True)
    os.link(data / "models/tiny.gguf", data / "models/other.gguf")
    return data


def local(data_directory: Path, **config: Any) -> Any:
    return parley.load_provider("local", **({"data_directory": str(data_directory), "model": "tiny", "threads": 1} | config))


def children(parent: int = 0) -> set[int]:
    """The child processes of this one, or of another, that serve a model."""
    listed = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(parent or os.getpid())], capture_output=True, text=True, check=True
    )
    return {int(line.split()[0]) for line in listed.stdout.splitlines() if "local/child.py" in line}


def listening_address(process_id: int) -> str:
    """Where it listens, where the system's `ss` can tell; else nothing."""
    if shutil.which("ss") is None:
        return ""
    listed = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True)
    return next((line.split()[3] for line in listed.stdout.splitlines() if f"pid={process_id}," in line), "")


async def test_a_stream_stops_at_the_length_asked_for_and_reports_usage(data_directory: Path) -> None:
    tokens: list[str] = []
    options = {"max_tokens": 24, "temperature": 0, "extra": {"ignore_eos": True}}
    async with local(data_directory) as provider:
        reply = await provider.stream_response(messages=MESSAGES, options=options, on_token=tokens.append)
    assert (reply.finish_reason, reply.usage.completion_tokens, reply.usage.source) == ("length", 24, "reported")
    assert "".join(tokens) == reply.text
    assert len(tokens) > 1
    assert reply.model == "tiny"
    assert children() == set(), "closing the provider ends the process"


async def test_an_answer_is_bound_to_a_schema(data_directory: Path) -> None:
    schema = {"type": "object", "properties": {"sure": {"type": "boolean"}}, "required": ["sure"], "additionalProperties": False}
    options = {"max_tokens": 200, "temperature": 0, "response_format": {"name": "answer", "schema": schema}}
    async with local(data_directory) as provider:
        reply = await provider.generate_response(messages=MESSAGES, options=options)
    assert reply.finish_reason == "stop"
    assert json.loads(reply.text).keys() == {"sure"}


async def test_cancelling_leaves_the_child_free_for_the_next_call(data_directory: Path) -> None:
    started = asyncio.Event()
    async with local(data_directory) as provider:
        task = asyncio.create_task(
            provider.stream_response(messages=MESSAGES, options=LONG, on_token=lambda _token: started.set()),
        )
        await asyncio.wait_for(started.wait(), 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(30):
            assert (await provider.generate_response(messages=MESSAGES, options={"max_tokens": 2})).usage.completion_tokens <= 2


async def test_a_child_killed_in_mid_stream_harms_no_other_answer_and_the_next_call_works(data_directory: Path) -> None:
    begun = {name: asyncio.Event() for name in ("tiny", "other")}

    def ask(provider: Any, name: str, max_tokens: int) -> Any:
        options = LONG | {"model": name, "max_tokens": max_tokens}
        return provider.stream_response(messages=MESSAGES, options=options, on_token=lambda _token: begun[name].set())

    async with local(data_directory) as provider:
        doomed = asyncio.create_task(ask(provider, "tiny", 4000))
        await asyncio.wait_for(begun["tiny"].wait(), 60)
        (victim,) = children()
        spared = asyncio.create_task(ask(provider, "other", 300))
        await asyncio.wait_for(begun["other"].wait(), 60)
        os.kill(victim, signal.SIGKILL)
        with pytest.raises((parley.StreamTruncatedError, parley.TransportError)) as raised:
            await doomed
        assert raised.value.partial is not None
        assert raised.value.partial.text
        assert (await spared).usage.completion_tokens == 300
        again = await provider.generate_response(messages=MESSAGES, options={"max_tokens": 2})
        assert again.usage.source == "reported"
        assert victim not in children()
    assert children() == set()


async def test_only_who_has_the_key_is_answered(data_directory: Path) -> None:
    async with local(data_directory) as provider:
        assert (await provider.test_connection()).success
        (child,) = children()
        address = await asyncio.to_thread(listening_address, child)
        if not address:
            pytest.skip("ss cannot say where the child listens")
        assert address.startswith("127.0.0.1:")
        async with parley.load_provider("openai-compatible", endpoint=f"http://{address}/v1", model="tiny", api_key="guess") as stranger:
            with pytest.raises(parley.AuthenticationError):
                await stranger.generate_response(messages=MESSAGES, options={"max_tokens": 2})


async def test_a_file_that_llama_cpp_cannot_load_is_told_in_its_words(data_directory: Path, tmp_path: Path) -> None:
    data = (data_directory / "models/tiny.gguf").read_bytes()
    path = tmp_path / "odd.gguf"
    path.write_bytes(data.replace(b"output_norm.weight", b"output_morn.weight"))
    async with local(data_directory, model=str(path)) as provider:
        with pytest.raises(parley.ConfigurationError, match=r"llama\.cpp cannot load") as raised:
            await provider.generate_response(messages=MESSAGES)
    assert "output_norm" in raised.value.message


PARENT = """
import asyncio, sys, parley
async def main():
    async with parley.load_provider("local", data_directory=sys.argv[1], model="tiny", threads=1) as provider:
        print((await provider.test_connection()).success, flush=True)
        await asyncio.to_thread(sys.stdin.read)
asyncio.run(main())
"""


async def test_the_child_ends_when_its_parent_is_killed(data_directory: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(data_directory)]
    parent = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdin is not None
    assert (await parent.stdout.readline()).strip() == b"True"
    (child,) = children(parent.pid)
    parent.kill()
    parent.stdin.close()
    await parent.wait()
    await asyncio.to_thread(wait_for_its_end, child)


def wait_for_its_end(process_id: int) -> None:
    deadline = time.monotonic() + 20
    while Path(f"/proc/{process_id}/cmdline").exists() and Path(f"/proc/{process_id}/cmdline").read_bytes():
        assert time.monotonic() < deadline, "the child goes on"
        time.sleep(0.01)
