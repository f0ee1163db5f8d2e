"""Chatting over the WebSocket: what it tells equals what SSE and JSON tell; who may do what; what it bears."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from parley.server.routes import socket as socket_route
from parley.storage.ids import new_id

from .server_inside import ServerInside, server_inside
from .server_process import Account, collected
from .socket_client import Folded, SocketClient, folded, socket_of

# One of each kind of part, of each end, and a text of many pieces.
PROMPTS = ["unicode", "reason", "tools", "image", "cite", "refuse", "length", "warn", "cut", "empty", "error filter", "table"]
# What differs between two answers to the same question.
PASSING = {"responseTime", "timeToFirstToken", "requestId", "messageId", "seq"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerInside]:
    async with server_inside(tmp_path) as server:
        yield server


@pytest.fixture
async def ada(server: ServerInside) -> Account:
    return await server.sign_up("ada")


async def stored(server: ServerInside, token: str, session_id: str) -> dict[str, Any]:
    messages = (await server.request("GET", f"/api/v1/chat/sessions/{session_id}/messages", token=token)).json()["items"]
    return max(messages, key=lambda message: message["id"])


def same_for_all(value: dict[str, Any]) -> dict[str, Any]:
    return {name: field for name, field in value.items() if name not in PASSING | {"sessionId"}}


async def test_sse_websocket_and_json_tell_the_same_message(server: ServerInside, ada: Account) -> None:
    async with socket_of(server, ada.token) as socket:
        for prompt in PROMPTS:
            sessions = [await server.session(ada.token) for _ in range(3)]
            body = {"sessionId": sessions[0], "message": prompt}
            over_sse = folded(
                [event.data for event in await collected(server.events("POST", "/api/v1/chat/message", token=ada.token, json=body))]
            )
            await socket.say("chat", sessionId=sessions[1], message=prompt)
            events = await socket.answer()
            assert {event["sessionId"] for event in events} == {sessions[1]}
            over_socket = folded(events)
            simple = await server.request(
                "POST", "/api/v1/chat/message/simple", token=ada.token, json={"sessionId": sessions[2], "message": prompt}
            )
            assert over_sse.parts == over_socket.parts, prompt
            assert same_for_all(over_sse.ending) == same_for_all(over_socket.ending), prompt
            kept = [await stored(server, ada.token, session_id) for session_id in sessions]
            assert [message["parts"] for message in kept] == [over_sse.parts] * 3, prompt
            assert (simple.status == 200) == (over_sse.ending["type"] == "done"), prompt
            if simple.status == 200:
                assert simple.json()["assistantMessage"]["content"] == over_sse.text, prompt
            else:
                assert simple.json()["code"] == over_sse.ending["code"], prompt


async def test_two_sessions_at_once_a_stop_and_a_resume(server: ServerInside, ada: Account) -> None:
    slow, quick = await server.session(ada.token), await server.session(ada.token)
    async with socket_of(server, ada.token) as socket:
        await socket.say("chat", sessionId=slow, message="slow")
        await socket.until("token", session_id=slow)
        await socket.say("chat", sessionId=quick, message="code")
        await socket.until("done", session_id=quick)
        await socket.say("chat", sessionId=slow, message="another")
        refused = await socket.until("error", session_id=slow)
        assert (refused["code"], "messageId" in refused) == ("generation_running", False)
        async with socket_of(server, ada.token) as other:
            await other.say("resume", sessionId=slow)
            fold = Folded()
            fold.add(await other.until("snapshot"))
            assert fold.text
            assert (await other.until("acknowledged"))["seq"] >= 1
            await other.say("cancel", sessionId=slow)
            assert (await other.until("done"))["finishReason"] == "cancelled"
        assert (await socket.until("done", session_id=slow))["finishReason"] == "cancelled"
        await socket.say("ping")
        await socket.until("pong")


async def test_who_leaves_stops_only_what_was_asked_to_stop(server: ServerInside, ada: Account) -> None:
    ending: dict[str, str] = {}
    sessions = {how: await server.session(ada.token) for how in ("cancel", "continue")}
    async with socket_of(server, ada.token) as socket:
        for how, session_id in sessions.items():
            await socket.say("chat", sessionId=session_id, message="slow", onDisconnect=how)
            await socket.until("token", session_id=session_id)
    for how, session_id in sessions.items():
        stream = server.events("GET", f"/api/v1/chat/sessions/{session_id}/stream", token=ada.token)
        if how == "continue":
            await server.request("POST", f"/api/v1/chat/sessions/{session_id}/cancel", token=ada.token)
        ending[how] = (await collected(stream))[-1].data["finishReason"]
    assert ending == {"cancel": "cancelled", "continue": "cancelled"}


async def test_nobody_says_anything_unsigned(server: ServerInside, ada: Account) -> None:
    session_id = await server.session(ada.token)
    async with socket_of(server) as socket:
        for frame in ({"type": "chat", "message": "code"}, {"type": "cancel"}, {"type": "resume"}):
            await socket.say(**{"kind" if name == "type" else name: value for name, value in frame.items()}, sessionId=session_id)
            assert (await socket.until("error"))["code"] == "unauthenticated"
        await socket.say("ping")
        await socket.until("pong")
        await socket.say("auth", token="no such token")
        assert (await socket.until("auth_error"))["code"] == "unauthenticated"
        assert await socket.hear() is None
        assert socket.closed == 4401


async def test_what_is_somebody_elses_is_not_there_and_a_key_does_what_its_scopes_say(server: ServerInside, ada: Account) -> None:
    eve = await server.sign_up("eve")
    session_id = await server.session(ada.token)
    await server.answer(ada.token, session_id, "code")
    made = await server.request("POST", "/api/v1/keys", token=ada.token, json={"name": "reader", "scopes": ["read"]})
    async with socket_of(server, eve.token) as socket:
        for session in (session_id, new_id(), "nonsense", "' OR 1=1"):
            for kind, more in (("chat", {"message": "x"}), ("resume", {}), ("cancel", {})):
                await socket.say(kind, sessionId=session, **more)
                assert (await socket.until("error"))["code"] == "not_found", (kind, session)
        await socket.say("auth", token=ada.token)
        await socket.until("auth_error")
        assert await socket.hear() is None
    async with socket_of(server, made.json()["key"]) as socket:
        await socket.say("resume", sessionId=session_id)
        await socket.until("done")
        for kind, more in (("chat", {"message": "x"}), ("cancel", {})):
            await socket.say(kind, sessionId=session_id, **more)
            assert (await socket.until("error"))["code"] == "forbidden"


async def test_a_sign_in_that_ends_ends_the_socket_within_seconds(
    server: ServerInside, ada: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_route, "RECHECK_SECONDS", 0.1)
    async with socket_of(server, ada.token) as socket:
        await server.request("POST", "/api/v1/auth/logout", token=ada.token, json={"refreshToken": ada.refresh_token})
        await socket.until("auth_error")
        assert await socket.hear() is None
        assert socket.closed == 4401
    monkeypatch.setattr(socket_route, "SIGN_IN_SECONDS", 0.1)
    async with socket_of(server) as silent:
        await silent.until("auth_error")
        assert await silent.hear() is None


async def test_another_page_may_not_open_it(server: ServerInside) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            async with socket_of(server, Origin=origin):
                pass
        assert caught.value.status == 403, origin


async def test_our_own_page_and_listed_ones_may(tmp_path: Path) -> None:
    async with server_inside(tmp_path, PUBLIC_URL="https://chat.example.com", CORS_ORIGINS="https://app.example.com") as server:
        for origin in ("https://chat.example.com", "https://app.example.com"):
            async with socket_of(server, Origin=origin) as socket:
                await socket.until("connected")
        with pytest.raises(aiohttp.WSServerHandshakeError):
            async with socket_of(server, Origin=server.url):
                pass
    async with server_inside(tmp_path / "other") as server, socket_of(server, Origin=server.url) as socket:
        await socket.until("connected")


UNREADABLE = {
    "": "malformed_json",
    "nonsense": "malformed_json",
    '{"type":"chat"': "malformed_json",
    "[" * 100_000: "invalid_request",
    "[]": "invalid_request",
    '{"type":"shout"}': "invalid_request",
    '{"type":"ping","more":1}': "invalid_request",
    '{"type":"chat","sessionId":"x"}': "invalid_request",
    '{"type":"chat","sessionId":7,"message":"x"}': "invalid_request",
    '{"type":"resume","sessionId":"a\\u0000b"}': "invalid_request",
    '{"type":"chat","sessionId":"x","message":"\\ud800"}': "invalid_request",
}


async def test_a_frame_that_is_none_is_told_and_the_socket_lives(server: ServerInside, ada: Account) -> None:
    async with socket_of(server, ada.token) as socket:
        for frame, code in UNREADABLE.items():
            await socket.say_bytes(frame)
            assert (await socket.until("error"))["code"] == code, frame[:60]
        await socket.say("ping")
        await socket.until("pong")


async def test_frames_are_bounded_in_size_and_number(server: ServerInside, ada: Account) -> None:
    async with socket_of(server, ada.token) as socket:
        await socket.say_bytes('{"type":"ping"}' + " " * 2_000_000)
        assert await last(socket) == 1009
    async with socket_of(server, ada.token) as socket:
        for _ in range(200):
            await socket.say("ping")
        assert await last(socket) == 1008
    assert (await server.request("GET", "/health")).status == 200


async def last(socket: SocketClient) -> int | None:
    while await socket.hear() is not None:
        pass
    return socket.closed
