"""Limits and the cache as callers of the server meet them, on `/v1` and on `/api/v1`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .server_inside import ServerInside, server_inside
from .server_process import Reply, collected

pytestmark = pytest.mark.integration

SIX_A_MINUTE = "[limits]\nuser = {requests_per_minute = 6}\n"


async def completion(server: ServerInside, token: str, text: str = "Hello", **fields: Any) -> Reply:
    headers = fields.pop("headers", {})
    body = {"model": "demo", "messages": [{"role": "user", "content": text}], **fields}
    return await server.request("POST", "/v1/chat/completions", token=token, json=body, headers=headers)


async def sent(server: ServerInside, token: str, text: str, **settings: Any) -> Reply:
    body = {"sessionId": await server.session(token, **settings), "message": text}
    return await server.request("POST", "/api/v1/chat/message/simple", token=token, json=body)


def assert_refused(reply: Reply) -> None:
    """A 429 that says truly when to come back."""
    assert reply.status == 429, reply.body
    seconds = int(reply.headers["retry-after"])
    assert 1 <= seconds <= 60
    told = [reply.headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining", "reset")]
    assert told == ["6", "0", str(seconds)]


async def test_a_users_limit_holds_over_all_addresses(tmp_path: Path) -> None:
    (tmp_path / "parley.toml").write_text(SIX_A_MINUTE)
    async with server_inside(tmp_path) as server:
        ada, bob = (await server.sign_up("ada")).token, (await server.sign_up("bob")).token
        plain = [completion(server, ada) for _ in range(15)]
        streamed = [completion(server, ada, stream=True) for _ in range(15)]
        replies = await asyncio.gather(*plain, *streamed)
        refused = [reply for reply in replies if reply.status != 200]
        assert len(refused) == 24
        for reply in refused:
            assert_refused(reply)
            error = reply.json()["error"]
            assert error["code"] == "rate_limited"
            assert error["message"].startswith("your account may use at most 6 requests a minute")
        session = await server.session(ada)
        for address in ("/api/v1/chat/message", "/api/v1/chat/message/simple"):
            answer = await server.request("POST", address, token=ada, json={"sessionId": session, "message": "Hello"})
            assert_refused(answer)
            assert (answer.json()["code"], answer.json()["retryable"]) == ("rate_limited", True)
            assert 0 < answer.json()["retryAfter"] <= 60
        embedding = await server.request("POST", "/v1/embeddings", token=ada, json={"model": "demo", "input": "Hello"})
        assert_refused(embedding)
        kept = await server.request("GET", f"/api/v1/chat/sessions/{session}/messages", token=ada)
        assert kept.json()["items"] == []
        assert (await completion(server, bob)).status == 200
        metrics = (await server.request("GET", "/metrics")).body.decode()
        assert 'parley_limit_refusals_total{code="rate_limited",scope="user"} 27.0' in metrics
        assert "parley_queue_waiting 0.0" in metrics
        assert "parley_limits_local 0.0" in metrics
        assert "limits" not in (await server.request("GET", "/health")).json()


async def test_who_waits_for_a_slot_gets_it(tmp_path: Path) -> None:
    (tmp_path / "parley.toml").write_text('[[providers]]\nname = "demo"\nlimits = {concurrency = 2}\n')
    async with server_inside(tmp_path) as server:
        ada = (await server.sign_up("ada")).token
        replies = await asyncio.gather(*(completion(server, ada) for _ in range(8)))
        assert {reply.status for reply in replies} == {200}
        assert server.services.shared.limiter.waiting == 0


async def test_who_leaves_or_is_stopped_while_waiting_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "parley.toml").write_text('[[providers]]\nname = "demo"\nlimits = {concurrency = 1}\n')
    async with server_inside(tmp_path) as server:
        ada = (await server.sign_up("ada")).token
        limiter = server.services.shared.limiter
        holding, waiting = await server.session(ada), await server.session(ada)
        held = server.events("POST", "/api/v1/chat/message", token=ada, json={"sessionId": holding, "message": "slow"})
        await anext(held)
        queued = server.events("POST", "/api/v1/chat/message", token=ada, json={"sessionId": waiting, "message": "Hello"})
        reading = asyncio.create_task(collected(queued))
        leaving = asyncio.create_task(completion(server, ada))
        await until(lambda: limiter.waiting == 2)
        leaving.cancel()
        await until(lambda: limiter.waiting == 1)
        stopped = await server.request("POST", f"/api/v1/chat/sessions/{waiting}/cancel", token=ada)
        assert stopped.status == 200
        assert (await reading)[-1].data["finishReason"] == "cancelled"
        assert limiter.waiting == 0
        await server.request("POST", f"/api/v1/chat/sessions/{holding}/cancel", token=ada)
        assert [event async for event in held][-1].data["finishReason"] == "cancelled"
        assert (await completion(server, ada)).status == 200  # the one slot is free again


async def until(reached: Callable[[], bool]) -> None:
    """Wait for what comes about in the server."""
    async with asyncio.timeout(10):
        while not reached():  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.005)


async def test_a_remembered_answer(tmp_path: Path) -> None:
    (tmp_path / "parley.toml").write_text(SIX_A_MINUTE + "[cache]\nenabled = true\n")
    async with server_inside(tmp_path) as server:
        ada, bob = (await server.sign_up("ada")).token, (await server.sign_up("bob")).token
        first = await completion(server, ada, "table", temperature=0)
        assert (first.headers["x-parley-cache"], first.headers["x-parley-attempts"]) == ("miss", "1")
        for _ in range(10):  # more than the limit allows: nobody is asked
            again = await completion(server, ada, "table", temperature=0)
            assert (again.headers["x-parley-cache"], again.headers["x-parley-attempts"]) == ("hit", "0")
            assert again.headers["x-parley-cost"] == "0"
        for name in ("choices", "model"):
            assert again.json()[name] == first.json()[name]
        assert again.json()["usage"] == {**first.json()["usage"], "cost": 0, "cached": True}
        stream = await completion(server, ada, "table", temperature=0, stream=True)
        assert stream.headers["x-parley-cache"] == "hit"
        chunks = [json.loads(line[6:]) for line in stream.body.decode().splitlines() if line.startswith("data: {")]
        text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])
        assert text == first.json()["choices"][0]["message"]["content"]
        assert len(chunks) > 3
        others = [
            await completion(server, bob, "table", temperature=0),
            await completion(server, ada, "table", temperature=0, headers={"x-parley-cache": "off"}),
            await completion(server, ada, "table"),
            await completion(server, ada, "table", headers={"x-parley-cache": "on"}),
        ]
        assert [reply.headers.get("x-parley-cache") for reply in others] == ["miss", None, None, "miss"]
        wrong = await completion(server, ada, "table", headers={"x-parley-cache": "always"})
        assert wrong.status == 400
        assert 'x-parley-cache: must be "on" or "off"' in wrong.json()["error"]["message"]
        metrics = (await server.request("GET", "/metrics")).body.decode()
        assert 'parley_cache_lookups_total{result="hit"} 11.0' in metrics


async def test_the_page_remembers_too_but_answers_again_when_asked(tmp_path: Path) -> None:
    (tmp_path / "parley.toml").write_text("[cache]\nenabled = true\n")
    async with server_inside(tmp_path) as server:
        ada = (await server.sign_up("ada")).token
        first = (await sent(server, ada, "table", temperature=0)).json()["assistantMessage"]
        second = (await sent(server, ada, "table", temperature=0)).json()["assistantMessage"]
        assert "cached" not in first["metadata"]
        assert (second["metadata"]["cached"], second["metadata"]["cost"]) == (True, 0)
        assert second["content"] == first["content"]
        again = await collected(server.events("POST", f"/api/v1/chat/messages/{second['id']}/regenerate", token=ada, json={}))
        assert again[-1].data["type"] == "done"
        assert "cached" not in again[-1].data
