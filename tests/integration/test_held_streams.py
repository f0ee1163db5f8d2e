"""What the vendors' wires make of an answer that breaks off in a route: held until it is whole, or ended in their own error."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from parley.server.compat import endpoint
from parley.testing.fault_trials import beginning
from parley.testing.replay import ReplayServer
from parley.testing.samples import sample_of

from .server_inside import ServerInside, server_inside
from .server_process import Reply

FIRST = sample_of("openai_chat", pieces=[f"word{number} " for number in range(60)])
SECOND = sample_of("openai_chat", pieces=[f"WORD{number} " for number in range(60)])
assert FIRST is not None
assert SECOND is not None
TABLE = """
[[providers]]
name = "first"
provider = "openai-compatible"
endpoint = "{first}"
api_key = "env:KEY"
[[providers]]
name = "second"
provider = "openai-compatible"
endpoint = "{second}"
api_key = "env:KEY"
[[routes]]
name = "fast"
stream_guard = "hold"
targets = [{{model = "first/m"}}, {{model = "second/m"}}]
"""
QUESTION = [{"role": "user", "content": "Hi"}]
WIRES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": QUESTION},
    "/v1/responses": {"input": QUESTION},
    "/v1/messages": {"messages": QUESTION, "max_tokens": 100},
}


class Route:
    def __init__(self, server: ServerInside, token: str, first: ReplayServer) -> None:
        self.server = server
        self.token = token
        self.first = first

    async def ask(self, path: str, *, guard: str | None = None, stream: bool = True) -> Reply:
        body = {"model": "fast", "stream": stream, **WIRES[path]}
        headers = {} if guard is None else {"x-parley-stream-guard": guard}
        return await self.server.request("POST", path, token=self.token, json=body, headers=headers)


@pytest.fixture
async def route(tmp_path: Path) -> AsyncIterator[Route]:
    cut = FIRST.stream_of(beginning(FIRST, 40), ending="close")
    async with ReplayServer(cut) as first, ReplayServer(SECOND.streamed()) as second:
        (tmp_path / "parley.toml").write_text(TABLE.format(first=first.url, second=second.url), encoding="utf-8")
        async with server_inside(tmp_path, KEY="k") as server:
            yield Route(server, (await server.sign_up("ada")).token, first)


async def test_what_is_held_is_whole_and_what_is_not_ends_in_the_wires_own_error(route: Route) -> None:
    for path in WIRES:
        held = await route.ask(path)
        assert held.status == 200
        assert _text(held.body) == SECOND.text, path
        assert held.headers["x-parley-provider"] == "second"
        assert held.headers["x-parley-attempts"] == "2"
        assert held.headers["x-parley-fallback"].startswith("asked=first/m; actual=second/m; reason=")
    # Its circuit opened with the third cut; configured anew it is asked again.
    configuration = route.server.services.configuration
    await configuration.replace(configuration.client.registry)
    for path in WIRES:
        cut = await route.ask(path, guard="error")
        assert (cut.status, cut.headers["x-parley-provider"]) == (200, "first")
        assert 0 < len(_text(cut.body)) < len(FIRST.text)
        assert FIRST.text.startswith(_text(cut.body))
        events = _events(cut.body)
        assert "error" in {events[-1].get("type"), *events[-1]}, events[-1]
        assert not any(end in cut.body for end in (b"response.completed", b"message_stop"))


async def test_whole_answers_begin_anew_unseen(route: Route) -> None:
    reply = await route.ask("/v1/chat/completions", stream=False)
    assert reply.json()["choices"][0]["message"]["content"] == SECOND.text
    assert reply.json()["usage"]["completion_tokens"] == SECOND.completion_tokens
    assert (reply.headers["x-parley-provider"], reply.headers["x-parley-attempts"]) == ("second", "2")


async def test_a_guard_that_is_none_is_refused(route: Route) -> None:
    reply = await route.ask("/v1/chat/completions", guard="maybe")
    assert reply.status == 400
    assert "x-parley-stream-guard" in reply.json()["error"]["message"]
    assert route.first.requests == []


async def test_while_an_answer_is_held_its_line_gets_comments_and_the_headers_follow(route: Route, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "HOLD_COMMENT_SECONDS", 0.02)
    slow = structs.replace(FIRST.stream_of(beginning(FIRST, 40), ending="close"), gap_seconds=0.1)
    route.first.answer_with(slow)
    reply = await route.ask("/v1/chat/completions")
    assert "x-parley-provider" not in reply.headers
    assert reply.body.startswith(b": keep-alive\n\n: keep-alive\n\n")
    assert b": x-parley-provider: second\n: x-parley-attempts: 2\n: x-parley-fallback: asked=first/m" in reply.body
    assert _text(reply.body) == SECOND.text


async def test_a_route_is_listed_and_its_default_too(route: Route) -> None:
    listed = (await route.server.request("GET", "/v1/models", token=route.token)).json()["data"]
    assert [model["owned_by"] for model in listed if model["id"] == "fast"] == ["parley"]
    shown = (await route.server.request("GET", "/api/v1/providers", token=route.token)).json()["routes"]
    targets = [{"provider": "first", "model": "m", "weight": 1.0}, {"provider": "second", "model": "m", "weight": 1.0}]
    assert shown == [{"name": "fast", "strategy": "priority", "streamGuard": "hold", "targets": targets}]
    assert (await route.server.request("GET", "/api/v1/providers")).json()["routes"] == []
    refused = await route.server.request("POST", "/v1/embeddings", token=route.token, json={"model": "fast", "input": "x"})
    assert "route" in refused.json()["error"]["message"]


def _events(body: bytes) -> list[dict[str, Any]]:
    data = [line.removeprefix(b"data: ") for line in body.split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(line) for line in data if line != b"[DONE]"]


def _text(body: bytes) -> str:
    """The deltas of any of the three wires, joined."""
    text = ""
    for event in _events(body):
        if event.get("choices"):
            text += event["choices"][0]["delta"].get("content") or ""
        elif event.get("type") == "response.output_text.delta":
            text += event["delta"]
        elif event.get("type") == "content_block_delta":
            text += event["delta"].get("text", "")
    return text
