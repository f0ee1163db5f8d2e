"""Keys and passwords that were put in come out nowhere; what is wrong with a vendor is told as the vendor's, and signs nobody out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from parley.testing.replay import Answer, ReplayServer

from .server_process import Account, Reply, ServerProcess, collected, running_server

OPERATORS_KEY = "sk-canary-operator-4f1d7a9c2b6e8035"
SET_IN_THE_PANEL = "sk-canary-panel-93be0a7d51c64f28"
PASSWORD = "canary-password-71d3f0a2c8"
METRICS_TOKEN = "canary-metrics-token-5b0e"
MESSAGES = [{"role": "user", "content": "Hello"}]


def refusal(status: int, message: str, code: str) -> Answer:
    """A vendor's error in the shape of OpenAI's."""
    body = {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
    return Answer(status=status, headers={"content-type": "application/json"}, body=json.dumps(body).encode())


# Vendors do repeat the key that they refuse.
WRONG_KEY = refusal(401, f"Incorrect API key provided: {OPERATORS_KEY}, {SET_IN_THE_PANEL}.", "invalid_api_key")


@asynccontextmanager
async def with_vendor(directory: Path, answer: Answer, **variables: str) -> AsyncIterator[tuple[ServerProcess, Account, ReplayServer]]:
    """A server whose provider `openai` is a vendor that answers so, its administrator, and the vendor."""
    async with ReplayServer(answer) as vendor:
        variables |= {"OPENAI_API_KEY": OPERATORS_KEY, "OPENAI_ENDPOINT": vendor.url, "OPENAI_MODEL": "gpt-test"}
        async with running_server(directory, PARLEY_ALLOW_ENDPOINTS=f"127.0.0.1:{vendor.port}", **variables) as server:
            yield server, await server.sign_up("ada", password=PASSWORD), vendor


async def test_no_secret_leaves_the_server(tmp_path: Path) -> None:
    async with with_vendor(tmp_path, WRONG_KEY, METRICS_TOKEN=METRICS_TOKEN, LOG_LEVEL="debug") as (server, account, _):
        replies = await everything_that_can_be_asked(server, account.token)
        assert len([reply for reply in replies if reply.status < 400]) > len(replies) / 2
        title = title_of(server.process.pid)
        assert await server.stop() == 0
        files = files_below(server.data_directory)
        assert "parley.db" in files
        told = {f"reply {index}": f"{reply.headers}".encode() + reply.body for index, reply in enumerate(replies)}
        for secret in (OPERATORS_KEY, SET_IN_THE_PANEL, PASSWORD, METRICS_TOKEN):
            found = [
                place
                for place, content in {**told, **files, "title": title, "log": server.output.encode()}.items()
                if secret.encode() in content
            ]
            assert not found, (secret, found)


def title_of(process_id: int) -> bytes:
    """What every user of the machine sees of a process."""
    command_line = Path(f"/proc/{process_id}/cmdline")
    return command_line.read_bytes() if command_line.exists() else b""


def files_below(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


async def everything_that_can_be_asked(server: ServerProcess, token: str) -> list[Reply]:
    """Every kind of answer in which a careless server would repeat a secret."""
    put = {"apiKey": SET_IN_THE_PANEL, "endpoint": None}
    replies = [
        await server.request("PUT", "/api/v1/admin/providers/mistral", token=token, json=put),
        await server.request("PUT", "/api/v1/admin/providers/mistral", token=token, json=put | {"endpoint": 7}),
        await server.request("PUT", "/api/v1/admin/providers/openai", token=token, json={"model": SET_IN_THE_PANEL[:4]}),
        await server.request("POST", "/api/v1/auth/login", json={"username": "ada", "password": PASSWORD}),
        await server.request("POST", "/api/v1/auth/login", json={"username": "ada", "password": PASSWORD, "more": PASSWORD}),
        await server.request("POST", "/api/v1/auth/login", json={"username": "nobody", "password": PASSWORD}),
    ]
    sessions = [await server.session(token, provider=provider) for provider in ("openai", "demo")]
    asked: list[tuple[str, str, Any]] = []
    for session_id in sessions:
        message = {"sessionId": session_id, "message": "code"}
        asked += [("POST", f"/api/v1/chat/message{kind}", message) for kind in ("/simple", "")]
        parts = ("", "/messages", "/stream", "/stats", "/export?format=json", "/export?format=markdown")
        asked += [("GET", f"/api/v1/chat/sessions/{session_id}{part}", None) for part in parts]
    body = {"model": "openai/gpt-test", "messages": MESSAGES}
    asked += [("POST", "/v1/chat/completions", body | {"stream": stream}) for stream in (False, True)]
    asked += [("POST", f"/api/v1/providers/{provider}/test", None) for provider in ("openai", "mistral", "demo")]
    asked += [("GET", f"/api/v1/{path}", None) for path in ("providers", "auth/profile", "openapi.json", "docs", "keys", "nothing-here")]
    asked += [("GET", path, None) for path in ("/health", "/ready", "/metrics", "/v1/models", "/v1/nothing-here", "/", "/nothing-here.js")]
    return replies + [await server.request(method, path, token=token, json=sent) for method, path, sent in asked]


async def test_a_wrong_vendor_key_is_a_502_and_signs_nobody_out(tmp_path: Path) -> None:
    async with with_vendor(tmp_path, WRONG_KEY) as (server, account, _):
        session_id = await server.session(account.token, provider="openai")
        message = {"sessionId": session_id, "message": "Hello"}
        whole = await server.request("POST", "/api/v1/chat/message/simple", token=account.token, json=message)
        assert (whole.status, whole.json()["code"]) == (502, "provider_credentials")
        *_, last = await collected(server.events("POST", "/api/v1/chat/message", token=account.token, json=message))
        assert (last.data["type"], last.data["code"]) == ("error", "provider_credentials")
        for stream in (False, True):
            body = {"model": "openai/gpt-test", "messages": MESSAGES, "stream": stream}
            completion = await server.request("POST", "/v1/chat/completions", token=account.token, json=body)
            assert completion.status == 502
        assert (await server.request("GET", "/api/v1/auth/profile", token=account.token)).status == 200


async def test_what_a_vendor_refuses_is_told_in_the_status_that_means_it(tmp_path: Path) -> None:
    cases = {
        (403, "permission_denied"): (502, "provider_permission"),
        (429, "insufficient_quota"): (502, "provider_quota"),
        (429, "rate_limit_exceeded"): (429, "provider_rate_limited"),
        (503, "overloaded"): (503, "provider_overloaded"),
        (500, "server_error"): (502, "provider_error"),
        (400, "context_length_exceeded"): (422, "context_length"),
        (404, "model_not_found"): (422, "model_not_found"),
    }
    async with with_vendor(tmp_path, WRONG_KEY) as (server, account, vendor):
        for (status, code), expected in cases.items():
            vendor.answer_with(refusal(status, "No.", code))
            session_id = await server.session(account.token, provider="openai")
            message = {"sessionId": session_id, "message": "Hello"}
            reply = await server.request("POST", "/api/v1/chat/message/simple", token=account.token, json=message)
            assert (reply.status, reply.json()["code"]) == expected, reply.body
            assert ("retry-after" in reply.headers) == (reply.status == 429)
            messages = await server.request("GET", f"/api/v1/chat/sessions/{session_id}/messages", token=account.token)
            assert [item["content"] for item in messages.json()["items"] if item["role"] == "user"] == ["Hello"]


async def test_a_provider_that_is_down_is_told_as_such(tmp_path: Path) -> None:
    async with ReplayServer(WRONG_KEY) as vendor:
        gone = vendor.url
    async with running_server(tmp_path, OPENAI_API_KEY=OPERATORS_KEY, OPENAI_ENDPOINT=gone) as server:
        account = await server.sign_up("ada")
        message = {"sessionId": await server.session(account.token, provider="openai"), "message": "Hello"}
        reply = await server.request("POST", "/api/v1/chat/message/simple", token=account.token, json=message)
        assert (reply.status, reply.json()["code"], reply.json()["retryable"]) == (502, "provider_unreachable", True)


async def test_an_endpoint_in_the_private_network_needs_the_operators_word(tmp_path: Path) -> None:
    private = ("http://169.254.169.254/v1", "http://127.0.0.1:22/v1", "http://[::ffff:10.0.0.1]/v1", "http://2130706433:22/v1")
    async with running_server(tmp_path) as server:
        account = await server.sign_up("ada")
        for endpoint in (*private, "file:///etc/passwd"):
            body = {"endpoint": endpoint, "apiKey": SET_IN_THE_PANEL}
            reply = await server.request("PUT", "/api/v1/admin/providers/openai", token=account.token, json=body)
            assert reply.status == 422, endpoint
            assert [field["path"] for field in reply.json()["fields"]] == ["endpoint"], reply.body
