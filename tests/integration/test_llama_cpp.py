"""A real inference server: llama.cpp's own, with a real (tiny, random) model, talked to through `openai-compatible`."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import parley

pytest.importorskip("xllamacpp", reason="needs the extra parley-ai[local]")
pytest.importorskip("gguf", reason="needs the package gguf to write a model")

PROGRAM = Path(__file__).with_name("tiny_model.py")
MESSAGES = [{"role": "user", "content": "Say something."}]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    model = tmp_path_factory.mktemp("model") / "tiny.gguf"
    subprocess.run([sys.executable, "-c", f"import sys, pathlib; sys.path.insert(0, {str(PROGRAM.parent)!r}); import tiny_model; "
                    f"tiny_model.write_model(pathlib.Path({str(model)!r}))"], check=True)  # fmt: skip
    log = model.with_suffix(".log").open("w")
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), "serve", str(model)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline().strip()
        assert line.startswith("http"), model.with_suffix(".log").read_text()
        yield line
    finally:
        process.stdin.close()
        process.stdout.close()
        process.terminate()
        process.wait(timeout=30)
        log.close()


def provider_at(address: str) -> Any:
    return parley.load_provider("openai-compatible", endpoint=f"{address}/v1", model="tiny")


def slot(address: str) -> dict[str, Any]:
    """What the server says of its only slot."""
    with urllib.request.urlopen(f"{address}/slots", timeout=10) as reply:
        return json.load(reply)[0]


def predicted_tokens(address: str) -> int:
    """How many tokens the server has made since it started."""
    with urllib.request.urlopen(f"{address}/metrics", timeout=10) as reply:
        lines = reply.read().decode().splitlines()
    return int(next(line for line in lines if line.startswith("llamacpp:tokens_predicted_total ")).split()[1])


async def test_a_stream_stops_at_the_length_asked_for_and_reports_usage(address: str) -> None:
    tokens: list[str] = []
    async with provider_at(address) as provider:
        reply = await provider.stream_response(
            messages=MESSAGES, options={"max_tokens": 24, "temperature": 0, "extra": {"ignore_eos": True}}, on_token=tokens.append
        )
    assert reply.finish_reason == "length"
    assert "".join(tokens) == reply.text
    assert len(tokens) > 1, "the answer came as a stream"
    assert reply.usage.completion_tokens == 24
    assert reply.usage.prompt_tokens > 10
    assert reply.usage.source == "reported"
    assert reply.model == "tiny"


async def test_streamed_and_complete_answers_are_the_same(address: str) -> None:
    # Letters alone: the server holds half a character back at the end of a stream, which a random model would often write.
    options = {"max_tokens": 16, "temperature": 0, "seed": 5, "extra": {"cache_prompt": False, "grammar": "root ::= [a-z]+"}}
    async with provider_at(address) as provider:
        streamed = await provider.stream_response(messages=MESSAGES, options=options)
        complete = await provider.generate_response(messages=MESSAGES, options=options)
    assert streamed.text == complete.text
    assert streamed.finish_reason == complete.finish_reason == "length"
    assert streamed.usage.completion_tokens == complete.usage.completion_tokens == 16


async def test_cancelling_an_answer_stops_the_server_working_on_it(address: str) -> None:
    started = asyncio.Event()

    def on_token(_token: str) -> None:
        started.set()

    async with provider_at(address) as provider:
        task = asyncio.create_task(
            provider.stream_response(messages=MESSAGES, options={"max_tokens": 16_000, "extra": {"ignore_eos": True}}, on_token=on_token)
        )
        await asyncio.wait_for(started.wait(), 30)
        assert (await asyncio.to_thread(slot, address))["is_processing"]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(10):
            while (await asyncio.to_thread(slot, address))["is_processing"]:
                pass
    assert await asyncio.to_thread(predicted_tokens, address) < 16_000, "the server went on to the end"


async def test_it_lists_its_model_and_passes_the_connection_test(address: str) -> None:
    async with provider_at(address) as provider:
        assert [model.id for model in await provider.list_models()] == ["tiny"]
        assert (await provider.test_connection()).success
