"""Nobody reads any more: whatever an answer was waiting for, its connection is closed in a moment and everything is given back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from msgspec import structs

from parley.testing.fault_trials import beginning
from parley.testing.replay import Answer, ReplayServer
from parley.testing.samples import sample_of

from .server_inside import ServerInside, server_inside

# It takes milliseconds; a machine that is busy with other things is given some time.
MOMENT_SECONDS = 0.5

SAMPLE = sample_of("openai_chat", pieces=[f"word{number} " for number in range(60)])
assert SAMPLE is not None
STAGES = {
    "before the head": Answer(silent_before_head=True, ending="stall"),
    "before the first token": structs.replace(SAMPLE.streamed(), send_bytes=0, ending="stall"),
    "in the middle": SAMPLE.stream_of(beginning(SAMPLE, 20), ending="stall"),
}
ROUTE = """
[[providers]]
name = "acme"
provider = "openai-compatible"
endpoint = "{url}"
api_key = "env:KEY"
models = [{{id = "m"}}]
[[routes]]
name = "fast"
targets = [{{model = "acme/m"}}, {{model = "demo/demo"}}]
"""


class Reader:
    """Somebody who asks in one way, and then leaves."""

    def __init__(self, server: ServerInside, token: str) -> None:
        self.server = server
        self.token = token

    async def ask(self, way: str, model: str) -> None:
        if way.startswith("chat"):
            session = await self.server.session(self.token, provider=model)
            body: dict[str, Any] = {"sessionId": session, "message": "Hi", "onDisconnect": "cancel"}
            path = "/api/v1/chat/message" + ("/simple" if way == "chat, whole" else "")
        else:
            body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "stream": way != "completion, whole"}
            path = "/v1/chat/completions"
        headers = {"x-parley-stream-guard": "hold"} if way == "completion, held" else {}
        await self.server.request("POST", path, token=self.token, json=body, headers=headers)


@pytest.mark.parametrize("stage", STAGES)
async def test_who_leaves_takes_the_providers_connection_along(tmp_path: Path, stage: str) -> None:
    ways = ("chat", "chat, whole", "completion", "completion, held", "completion, whole")
    async with ReplayServer(STAGES[stage]) as vendor:
        (tmp_path / "parley.toml").write_text(ROUTE.format(url=vendor.url), encoding="utf-8")
        async with server_inside(tmp_path, KEY="k") as server:
            reader = Reader(server, (await server.sign_up("ada")).token)
            client = server.services.providers.client
            for number, (way, model) in enumerate(((way, model) for way in ways for model in ("acme", "fast")), 1):
                asking = asyncio.ensure_future(reader.ask(way, model))
                await vendor.requested(number)
                asking.cancel()
                left_at = monotonic()
                await asyncio.wait([asking])
                await vendor.disconnected(number)
                assert monotonic() - left_at < MOMENT_SECONDS, (way, model)
                assert len(vendor.requests) == number, "nobody was asked again"
            await server.services.drain(0)
            assert client.idle
            for name in ("acme", "fast"):
                assert [target.running for target in client.destination(name).targets if target.provider == "acme"] == [0]


async def test_stop_ends_a_routes_answer_wherever_it_is(tmp_path: Path) -> None:
    async with ReplayServer(*STAGES.values()) as vendor:
        (tmp_path / "parley.toml").write_text(ROUTE.format(url=vendor.url), encoding="utf-8")
        async with server_inside(tmp_path, KEY="k") as server:
            token = (await server.sign_up("ada")).token
            for number, stage in enumerate(STAGES, 1):
                session = await server.session(token, provider="fast")
                body = {"sessionId": session, "message": "Hi"}
                events = server.events("POST", "/api/v1/chat/message", token=token, json=body)
                reading = asyncio.ensure_future(_all(events))
                await vendor.requested(number)
                stopped_at = monotonic()
                stopped = await server.request("POST", f"/api/v1/chat/sessions/{session}/cancel", token=token)
                assert stopped.json() == {"cancelled": True}
                await vendor.disconnected(number)
                assert monotonic() - stopped_at < MOMENT_SECONDS, stage
                assert (await reading)[-1]["finishReason"] == "cancelled"
            assert len(vendor.requests) == len(STAGES)


async def _all(events: Any) -> list[dict[str, Any]]:
    return [event.data async for event in events]
