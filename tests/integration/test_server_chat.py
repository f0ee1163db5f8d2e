"""Chats over real sockets: sign up, send, stream, resume, stop, branch; and every row of the error table."""

from __future__ import annotations

import asyncio
import io
from contextlib import aclosing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from .server_inside import ServerInside, server_inside
from .server_process import PASSWORD, Reply, StreamedEvent, collected

SECOND_PASSWORD = "another horse, another battery"


def text_of(events: list[StreamedEvent]) -> str:
    """The text that a reader has in the end."""
    text = ""
    for event in events:
        match event.data:
            case {"type": "snapshot", "text": str(so_far)}:
                text = so_far
            case {"type": "token", "content": str(piece)}:
                text += piece
            case _:
                pass
    return text


def kinds(events: list[StreamedEvent]) -> list[str]:
    return [event.data["type"] for event in events if event.data]


async def until(server: ServerInside, token: str, body: dict[str, Any], words: str) -> list[StreamedEvent]:
    """Send, and leave as soon as these words have come."""
    seen: list[StreamedEvent] = []
    async with aclosing(server.events("POST", "/api/v1/chat/message", token=token, json=body)) as events:
        async for event in events:
            seen.append(event)
            if words in text_of(seen):
                break
    return seen


async def last_message(server: ServerInside, token: str, session: str) -> dict[str, Any]:
    return (await server.request("GET", f"/api/v1/chat/sessions/{session}/messages", token=token)).json()["items"][-1]


def error_of(reply: Reply) -> dict[str, Any]:
    """An error's document, after checking what holds for all of them."""
    document = reply.json()
    assert document["requestId"] == reply.headers["x-request-id"]
    assert {"error", "message", "code", "retryable"} <= document.keys()
    return document


async def test_an_answer_is_streamed_numbered_and_stored(tmp_path: Path) -> None:
    async with server_inside(tmp_path) as server:
        ada = await server.sign_up("ada")
        session = await server.session(ada.token)
        body = {"sessionId": session, "message": "code"}
        events = await collected(server.events("POST", "/api/v1/chat/message", token=ada.token, json=body))
        numbered = [event.data["seq"] for event in events if event.data]
        assert numbered == list(range(1, len(numbered) + 1))
        done = events[-1].data or events[-2].data
        assert (done["type"], done["provider"], done["finishReason"]) == ("done", "demo", "stop")
        assert done["usage"]["completionTokens"] > 0
        assert all(not event.id for event in events if event.data.get("type") == "token")
        last_id = next(event.id for event in reversed(events) if event.id)
        assert last_id == f"{done['messageId']}:{len(numbered)}"

        stored = (await server.request("GET", f"/api/v1/chat/sessions/{session}/messages", token=ada.token)).json()["items"]
        assert [(message["role"], message["status"]) for message in stored] == [("user", "complete"), ("assistant", "complete")]
        assert stored[1]["content"] == text_of(events)
        listed = (await server.request("GET", "/api/v1/chat/sessions", token=ada.token)).json()["items"]
        assert listed[0]["session"]["title"] == "code"


async def test_two_readers_and_a_late_one_have_the_same_text(tmp_path: Path) -> None:
    async with server_inside(tmp_path) as server:
        ada = await server.sign_up("ada")
        session = await server.session(ada.token)
        begun = await until(server, ada.token, {"sessionId": session, "message": "slow"}, "words")
        path = f"/api/v1/chat/sessions/{session}/stream"
        last_id = next((event.id for event in reversed(begun) if event.id), "")
        second, third = await asyncio.gather(
            collected(server.events("GET", path, token=ada.token)),
            collected(server.events("GET", path, token=ada.token, headers={"Last-Event-ID": last_id})),
        )
        late = await collected(server.events("GET", f"{path}?from_seq=3", token=ada.token))
        assert kinds(second)[0] == kinds(third)[0] == kinds(late)[0] == "snapshot"
        assert kinds(second)[-1] == kinds(late)[-1] == "done"
        assert text_of(second) == text_of(third) == text_of(late)
        assert text_of(late).startswith(text_of(begun))
        assert len(text_of(late)) > len(text_of(begun))


async def test_stop_keeps_the_text_and_leaving_stops_only_where_asked(tmp_path: Path) -> None:
    async with server_inside(tmp_path) as server:
        ada = await server.sign_up("ada")
        session = await server.session(ada.token)
        begun = await until(server, ada.token, {"sessionId": session, "message": "stall"}, "nothing comes")
        conflict = await server.request(
            "POST", "/api/v1/chat/message/simple", token=ada.token, json={"sessionId": session, "message": "code"}
        )
        assert (conflict.status, error_of(conflict)["code"]) == (409, "generation_running")
        reply = await server.request("POST", f"/api/v1/chat/sessions/{session}/cancel", token=ada.token)
        assert reply.json() == {"cancelled": True}
        message = await last_message(server, ada.token, session)
        assert message["status"] == "cancelled"
        assert message["content"].startswith(text_of(begun))

        leaving = {"sessionId": session, "message": "stall", "onDisconnect": "cancel"}
        await until(server, ada.token, leaving, "nothing comes")
        async with asyncio.timeout(10):
            while (await last_message(server, ada.token, session))["status"] == "running":
                pass
        assert (await last_message(server, ada.token, session))["status"] == "cancelled"


async def test_an_idempotency_key_gives_the_same_answer_and_refuses_another_body(tmp_path: Path) -> None:
    async with server_inside(tmp_path) as server:
        ada = await server.sign_up("ada")
        session = await server.session(ada.token)
        body = {"sessionId": session, "message": "table", "idempotencyKey": "k1"}
        first, again = [(await server.request("POST", "/api/v1/chat/message/simple", token=ada.token, json=body)).json() for _ in range(2)]
        assert first["assistantMessage"] == again["assistantMessage"]
        other = await server.request("POST", "/api/v1/chat/message/simple", token=ada.token, json={**body, "message": "code"})
        assert (other.status, error_of(other)["code"]) == (409, "idempotency_conflict")
        stored = (await server.request("GET", f"/api/v1/chat/sessions/{session}/messages", token=ada.token)).json()["items"]
        assert len(stored) == 2


async def test_answering_again_and_editing_make_branches(tmp_path: Path) -> None:
    async with server_inside(tmp_path) as server:
        ada = await server.sign_up("ada")
        session = await server.session(ada.token)
        exchange = await server.answer(ada.token, session, "table")
        question, answer = exchange["userMessage"]["id"], exchange["assistantMessage"]["id"]
        again = await collected(server.events("POST", f"/api/v1/chat/messages/{answer}/regenerate", token=ada.token))
        assert text_of(again) == exchange["assistantMessage"]["content"]
        edited = await collected(server.events("PATCH", f"/api/v1/chat/messages/{question}", token=ada.token, json={"message": "code"}))
        assert "fibonacci" in text_of(edited)
        shown = (await server.request("GET", f"/api/v1/chat/sessions/{session}/messages", token=ada.token)).json()["items"]
        assert [message["content"] for message in shown] == ["code", text_of(edited)]
        assert question in shown[0]["siblings"]
        path = f"/api/v1/chat/sessions/{session}"
        await server.request("PATCH", path, token=ada.token, json={"shownMessageId": question, "temperature": 0})
        shown = (await server.request("GET", f"{path}/messages", token=ada.token)).json()["items"]
        assert shown[0]["content"] == "table"
        assert len(shown[1]["siblings"]) == 2
        stats = (await server.request("GET", f"{path}/stats", token=ada.token)).json()
        assert (stats["userMessages"], stats["assistantMessages"]) == (2, 3)
        usage = (await server.request("GET", "/api/v1/usage", token=ada.token)).json()
        assert (usage["answers"], usage["cost"]) == (3, None), "the demo costs nothing that anybody knows"
        export = await server.request("GET", f"{path}/export?format=markdown", token=ada.token)
        assert export.headers["content-disposition"] == 'attachment; filename="table.md"'
        assert export.headers["content-type"] == "text/markdown; charset=utf-8"


async def test_an_account_from_sign_up_to_a_new_password(tmp_path: Path) -> None:
    async with server_inside(tmp_path) as server:
        ada = await server.sign_up("ada")
        profile = (await server.request("GET", "/api/v1/auth/profile", token=ada.token)).json()
        assert (profile["username"], profile["role"]) == ("ada", "admin")
        merged = await server.request("PUT", "/api/v1/auth/preferences", token=ada.token, json={"defaultTemperature": 0.5})
        assert merged.json()["preferences"]["defaultTemperature"] == 0.5
        wrong = await server.request("POST", "/api/v1/auth/login", json={"username": "ada", "password": "wrong password"})
        assert (wrong.status, error_of(wrong)["code"], wrong.headers["www-authenticate"]) == (
            401,
            "unauthenticated",
            'Bearer realm="parley"',
        )
        signed_in = await server.request("POST", "/api/v1/auth/login", json={"email": "ADA@example.com", "password": PASSWORD})
        renewed = await server.request("POST", "/api/v1/auth/refresh", json={"refreshToken": signed_in.json()["refreshToken"]})
        assert renewed.status == 200
        change = {"currentPassword": PASSWORD, "newPassword": SECOND_PASSWORD}
        assert (await server.request("PUT", "/api/v1/auth/password", token=ada.token, json=change)).status == 200
        assert (await server.request("GET", "/api/v1/auth/profile", token=renewed.json()["token"])).status == 401


async def test_a_key_works_in_both_headers_within_its_scopes_until_it_is_removed(tmp_path: Path) -> None:
    async with server_inside(tmp_path) as server:
        ada = await server.sign_up("ada")
        made = (await server.request("POST", "/api/v1/keys", token=ada.token, json={"name": "reader", "scopes": ["read"]})).json()
        assert made["key"].startswith("pk-")
        for headers in ({"Authorization": f"Bearer {made['key']}"}, {"x-api-key": made["key"]}):
            assert (await server.request("GET", "/api/v1/chat/sessions", headers=headers)).status == 200
        refused = await server.request("POST", "/api/v1/chat/session", token=made["key"], json={})
        assert (refused.status, error_of(refused)["code"]) == (403, "forbidden")
        assert '"chat"' in error_of(refused)["message"]
        listed = (await server.request("GET", "/api/v1/keys", token=ada.token)).json()
        assert made["key"] not in str(listed)
        assert listed["items"][0]["shownPrefix"] == made["key"][:7]
        assert (await server.request("DELETE", f"/api/v1/keys/{made['id']}", token=ada.token)).status == 204
        assert (await server.request("GET", "/api/v1/chat/sessions", token=made["key"])).status == 401


@pytest.mark.parametrize(
    ("word", "status", "code"),
    [
        ("error 401", 502, "provider_credentials"),
        ("error 403", 502, "provider_permission"),
        ("error 402", 502, "provider_quota"),
        ("error 429", 429, "provider_rate_limited"),
        ("error timeout", 504, "provider_timeout"),
        ("error context", 422, "context_length"),
        ("error filter", 422, "content_filter"),
        ("error model", 422, "model_not_found"),
        ("error protocol", 502, "provider_protocol"),
        ("error 400", 422, "provider_rejected"),
    ],
)
async def test_what_a_provider_says_has_its_status_and_never_signs_anybody_out(tmp_path: Path, word: str, status: int, code: str) -> None:
    async with server_inside(tmp_path) as server:
        ada = await server.sign_up("ada")
        session = await server.session(ada.token)
        body = {"sessionId": session, "message": word}
        reply = await server.request("POST", "/api/v1/chat/message/simple", token=ada.token, json=body)
        assert (reply.status, error_of(reply)["code"]) == (status, code)
        if status == 429:
            assert int(reply.headers["retry-after"]) == error_of(reply)["retryAfter"] == 30
        events = await collected(server.events("POST", "/api/v1/chat/message", token=ada.token, json=body))
        told = [event.data for event in events if event.data.get("type") == "error"]
        assert [error["code"] for error in told] == [code]
        assert (await server.request("GET", "/api/v1/auth/profile", token=ada.token)).status == 200


async def test_what_is_wrong_with_a_request_is_said_before_anything_is_stored(tmp_path: Path) -> None:
    async with server_inside(tmp_path) as server:
        ada = await server.sign_up("ada")
        session = await server.session(ada.token)

        async def refused(method: str, path: str, **options: Any) -> tuple[int, str, list[str]]:
            reply = await server.request(method, f"/api/v1{path}", token=ada.token, **options)
            document = error_of(reply)
            return reply.status, document["code"], [field["path"] for field in document.get("fields", [])]

        send = "/chat/message/simple"
        assert await refused("POST", send, data=b'{"sessionId":') == (400, "malformed_json", [])
        assert await refused("POST", send, json={"sessionId": session, "message": 7}) == (422, "invalid_request", ["message"])
        assert await refused("POST", send, json={"sessionId": session, "message": "a", "role": "admin"}) == (
            422,
            "invalid_request",
            ["role"],
        )
        assert await refused("POST", send, data=io.BytesIO(b"x" * 1_100_000)) == (413, "body_too_large", [])
        assert await refused("POST", send, json={"sessionId": session, "message": "a", "provider": "nobody"}) == (
            422,
            "unknown_provider",
            ["provider"],
        )
        assert await refused("POST", "/chat/session", json={"maxTokens": -9}) == (422, "invalid_request", ["maxTokens"])
        assert await refused("GET", "/chat/sessions?limit=0") == (422, "invalid_request", ["limit"])
        assert (await refused("GET", "/chat/sessions?cursor=nonsense"))[0] == 422
        assert await refused("GET", "/chat/sessions/not-an-id") == (404, "not_found", [])
        assert await refused("GET", "/no/such/route") == (404, "not_found", [])
        assert await refused("DELETE", "/providers") == (405, "invalid_request", [])
        assert (await refused("POST", "/attachments", data={"other": "x"}))[:2] == (422, "invalid_request")
        assert (await refused("PUT", "/admin/providers/BAD NAME", json={}))[0] in {404, 422}
        stored = (await server.request("GET", f"/api/v1/chat/sessions/{session}/messages", token=ada.token)).json()["items"]
        assert stored == []


async def test_a_provider_is_set_up_tested_and_forgotten_without_a_restart(tmp_path: Path) -> None:
    async with server_inside(tmp_path) as server:
        ada = await server.sign_up("ada")
        put = await server.request("PUT", "/api/v1/admin/providers/openai", token=ada.token, json={"apiKey": "sk-canary-1234567890"})
        assert put.json()["status"] == "ready"
        assert "canary" not in put.body.decode()
        assert "openai" in (await server.request("GET", "/api/v1/providers")).json()["available"]
        inside = await server.request(
            "PUT",
            "/api/v1/admin/providers/openai",
            token=ada.token,
            json={"endpoint": "http://169.254.169.254/v1", "apiKey": "sk-x1234567"},
        )
        assert (inside.status, error_of(inside)["fields"][0]["path"]) == (422, "endpoint")
        tested = await server.request("POST", "/api/v1/providers/demo/test", token=ada.token)
        assert tested.json()["success"] is True
        assert (await server.request("DELETE", "/api/v1/admin/providers/openai", token=ada.token)).status == 204
        assert "openai" not in (await server.request("GET", "/api/v1/providers")).json()["available"]


async def test_machines_are_told_how_it_is(tmp_path: Path) -> None:
    async with server_inside(tmp_path, METRICS_TOKEN="m" * 32) as server:
        ada = await server.sign_up("ada")
        await server.answer(ada.token, await server.session(ada.token), "table")
        assert (await server.request("GET", "/health")).json()["status"] == "ok"
        metrics = (await server.request("GET", "/metrics")).body.decode()
        assert 'parley_requests_total{method="POST",route="/api/v1/chat/message/simple",status="200"} 1.0' in metrics
        assert 'parley_tokens_total{kind="completion",provider="demo"}' in metrics
        forwarded = {"X-Forwarded-For": "203.0.113.9"}
        assert (await server.request("GET", "/metrics", headers=forwarded)).status == 401
        assert (await server.request("GET", "/metrics", headers={**forwarded, "Authorization": "Bearer " + "m" * 32})).status == 200
        document = (await server.request("GET", "/api/v1/openapi.json")).json()
        assert document["openapi"] == "3.1.0"
        events = document["paths"]["/api/v1/chat/message"]["post"]["responses"]["200"]["content"]["text/event-stream"]["schema"]
        assert len(events["anyOf"]) > 8
        page = await server.request("GET", "/api/v1/docs")
        assert b"/api/v1/chat/message" in page.body
        assert "script" not in page.headers["content-security-policy"]
        await server.services.drain(0)
        assert (await server.request("GET", "/ready")).status == 503


async def test_only_named_origins_may_call_and_only_named_proxies_are_believed(tmp_path: Path) -> None:
    async with server_inside(tmp_path, CORS_ORIGINS="https://chat.example.com") as server:
        for origin, allowed in (("https://chat.example.com", True), ("https://chat.example.com.evil.org", False)):
            reply = await server.request("GET", "/api/v1/providers", headers={"Origin": origin})
            assert (reply.headers.get("access-control-allow-origin") == origin) is allowed
        asked = {
            "Origin": "https://chat.example.com",
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization",
        }
        assert (await server.request("OPTIONS", "/api/v1/chat/sessions", headers=asked)).status == 204
        headers = (await server.request("GET", "/health", headers={"X-Request-ID": "mine-1"})).headers
        assert headers["x-request-id"] == "mine-1"
        assert headers["x-content-type-options"] == "nosniff"
        assert (await server.request("GET", "/health", headers={"X-Request-ID": "two words"})).headers["x-request-id"] != "two words"


async def test_an_attachment_is_known_by_its_bytes_and_runs_nothing(tmp_path: Path) -> None:
    async with server_inside(tmp_path) as server:
        ada = await server.sign_up("ada")

        async def upload(name: str, data: bytes) -> Reply:
            form = aiohttp.FormData()
            form.add_field("file", io.BytesIO(data), filename=name, content_type="text/html")
            return await server.request("POST", "/api/v1/attachments", token=ada.token, data=form)

        page = (await upload('../<x>".html', b"<script>alert(1)</script>")).json()
        assert page["mediaType"] == "text/plain"
        fetched = await server.request("GET", f"/api/v1/attachments/{page['id']}", token=ada.token)
        assert fetched.body == b"<script>alert(1)</script>"
        assert fetched.headers["content-disposition"].startswith("attachment;")
        assert "sandbox" in fetched.headers["content-security-policy"]
        assert (await upload("x.bin", b"\xff\xfe\x00\x01")).status == 422
        too_large = await upload("x.txt", b"x" * (21 * 1024 * 1024))
        assert (too_large.status, error_of(too_large)["code"]) == (413, "body_too_large")

        session = await server.session(ada.token)
        body = {"sessionId": session, "message": "table", "attachments": [page["id"]]}
        sent = await server.request("POST", "/api/v1/chat/message/simple", token=ada.token, json=body)
        assert sent.json()["userMessage"]["parts"][1]["attachmentId"] == page["id"]
        listed = (await server.request("GET", "/api/v1/attachments", token=ada.token)).json()["items"]
        assert [item["id"] for item in listed] == [page["id"]]
        assert (await server.request("DELETE", f"/api/v1/attachments/{page['id']}", token=ada.token)).status == 204
        assert (await server.request("GET", f"/api/v1/attachments/{page['id']}", token=ada.token)).status == 404
