"""OpenAI's official client, our server and llama.cpp's own server behind it: nothing recorded, nothing replayed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from .serving import served
from .test_llama_cpp import address, predicted_tokens, slot

__all__ = ["address"]

openai = pytest.importorskip("openai", reason="needs the package openai")
pytest.importorskip("litestar", reason="needs the extra parley-ai[server]")

MESSAGES: list[Any] = [{"role": "user", "content": "Say something."}]


async def test_a_real_model_through_the_server(address: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"model": "llama-cpp/tiny", "messages": MESSAGES, "max_tokens": 16, "temperature": 0, "seed": 5}
    # Letters alone: the server holds half a character back at the end of a stream, which a random model would often write.
    own = {"cache_prompt": False, "grammar": "root ::= [a-z]+"}
    with served(tmp_path, LLAMA_CPP_ENDPOINT=f"{address}/v1") as server:
        async with openai.AsyncOpenAI(base_url=server.url, api_key=server.key, max_retries=0) as client:
            whole = await client.chat.completions.create(**options, extra_body=own)
            stream = await client.chat.completions.create(**options, extra_body=own, stream=True, stream_options={"include_usage": True})
            chunks = [chunk async for chunk in stream]
            assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == whole.choices[0].message.content
            assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens == 16
            assert whole.choices[0].finish_reason == "length"
            assert whole.model == "tiny"
            await leave_in_mid_stream(client, options, address)


async def leave_in_mid_stream(client: Any, options: dict[str, Any], address: str) -> None:
    long: dict[str, Any] = {**options, "max_tokens": 16_000, "stream": True}
    stream = await client.chat.completions.create(**long, extra_body={"ignore_eos": True})
    await anext(stream.__aiter__())
    await stream.close()
    async with asyncio.timeout(10):
        while (await asyncio.to_thread(slot, address))["is_processing"]:
            pass
    assert await asyncio.to_thread(predicted_tokens, address) < 16_000, "the model went on to the end"
