"""The server is killed while it writes an answer: what it acknowledged is there afterwards, and the chat goes on."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

from .server_process import ServerProcess, StreamedEvent, collected, running_server

# The demo's word for an answer that takes many seconds.
SLOW = "slow"
ACKNOWLEDGED_EVENTS = 4


async def _begin(server: ServerProcess, token: str, session_id: str) -> list[StreamedEvent]:
    """Ask, and leave when some of the answer is acknowledged."""
    seen: list[StreamedEvent] = []
    asked = {"sessionId": session_id, "message": SLOW}
    async with aclosing(server.events("POST", "/api/v1/chat/message", token=token, json=asked)) as events:
        async for event in events:
            seen.append(event)
            if _acknowledged(seen)[1] >= ACKNOWLEDGED_EVENTS:
                return seen
    raise AssertionError(f"the answer ended before it was acknowledged: {seen}")


def _acknowledged(events: list[StreamedEvent]) -> tuple[str, int]:
    """The last id that was sent, apart."""
    last = next((event.id for event in reversed(events) if event.id), ":0")
    message_id, _, seq = last.rpartition(":")
    return message_id, int(seq)


def _text(events: list[StreamedEvent], *, through: int) -> str:
    tokens = [event.data for event in events if event.data.get("type") == "token"]
    return "".join(token["content"] for token in tokens if token["seq"] <= through)


async def test_nothing_acknowledged_is_lost_when_the_server_is_killed_in_mid_answer(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        account = await server.sign_up("ada")
        session_id = await server.session(account.token)
        seen = await _begin(server, account.token, session_id)
        await server.kill()
        message_id, seq = _acknowledged(seen)
        kept = _text(seen, through=seq)
        assert kept

        await server.start()
        messages = (await server.request("GET", f"/api/v1/chat/sessions/{session_id}/messages", token=account.token)).json()["items"]
        question, answer = sorted(messages, key=lambda message: message["id"])
        assert (question["role"], question["content"]) == ("user", SLOW)
        assert (answer["id"], answer["role"]) == (message_id, "assistant")
        assert answer["content"].startswith(kept)
        assert answer["status"] == "interrupted"


async def test_an_answer_that_a_crash_ended_can_be_resumed_and_asked_for_again(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        account = await server.sign_up("ada")
        session_id = await server.session(account.token)
        seen = await _begin(server, account.token, session_id)
        await server.kill()
        message_id, seq = _acknowledged(seen)
        await server.start()

        stream = f"/api/v1/chat/sessions/{session_id}/stream"
        last_event_id = {"Last-Event-ID": f"{message_id}:{seq}"}
        snapshot, end = [event.data for event in await collected(server.events("GET", stream, token=account.token, headers=last_event_id))]
        assert snapshot["type"] == "snapshot"
        assert snapshot["text"].startswith(_text(seen, through=seq))
        assert (end["type"], end["finishReason"]) == ("done", "interrupted")

        assert (await server.answer(account.token, session_id, "code"))["assistantMessage"]["content"]


async def test_sigterm_keeps_the_text_of_an_answer_and_ends_with_status_0(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        account = await server.sign_up("ada")
        session_id = await server.session(account.token)
        seen = await _begin(server, account.token, session_id)
        message_id, seq = _acknowledged(seen)
        assert await server.stop() == 0

        await server.start()
        messages = (await server.request("GET", f"/api/v1/chat/sessions/{session_id}/messages", token=account.token)).json()["items"]
        (answer,) = [message for message in messages if message["id"] == message_id]
        assert answer["content"].startswith(_text(seen, through=seq))
        assert answer["status"] in {"complete", "interrupted"}


async def test_a_sign_in_and_a_key_outlive_a_crash(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        account = await server.sign_up("ada")
        made = await server.request("POST", "/api/v1/keys", token=account.token, json={"name": "script"})
        await server.kill()
        await server.start()
        for token in (account.token, made.json()["key"]):
            assert (await server.request("GET", "/api/v1/auth/profile", token=token)).status == 200
