"""A provider file that answers without a network, for the Client and its blocking twin."""

from __future__ import annotations

from pathlib import Path

import pytest

ECHO = """
import asyncio
from parley.provider import ChatResponse, Config, Model, Provider, RateLimitError, ResponseFinished, TextDelta

class EchoConfig(Config):
    api_key: str = ""
    model: str = "echo-1"

class Echo(Provider):
    name = "echo"
    config_type = EchoConfig
    models = [Model("echo-1"), Model("echo-2")]
    closed = 0
    running = 0

    async def stream(self, request):
        text = request.messages[-1].text
        Echo.running += 1
        try:
            if text == "fail":
                raise RateLimitError("slow down", retry_after=60)
            if text == "many":
                for number in range(5000):
                    yield TextDelta(f"{number} ")
                yield ResponseFinished(response=ChatResponse(finish_reason="stop"))
                return
            yield TextDelta(f"{request.options.model}: ")
            if text == "wait":
                await asyncio.Event().wait()
            yield TextDelta(text)
            yield ResponseFinished(response=ChatResponse(finish_reason="stop"))
        finally:
            Echo.running -= 1

    async def generate(self, request):
        prefix = request.system_prompt or ""
        return f"whole {prefix}{request.options.model}: {request.messages[-1].text}"

    async def aclose(self):
        Echo.closed += 1
"""


@pytest.fixture
def echo_directory(tmp_path: Path) -> Path:
    """A directory whose only configured provider answers with what was asked."""
    directory = tmp_path / "parley_providers"
    directory.mkdir()
    (directory / "echo.py").write_text(ECHO, encoding="utf-8")
    return tmp_path
