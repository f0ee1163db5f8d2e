"""Chat services over a real database, registry and client, and a provider that does what a test tells it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from msgspec import json

from parley.contract.events import Event, ResponseFinished, TextDelta
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse
from parley.dispatch.client import Client
from parley.services.chat import Chat
from parley.services.events import Frame
from parley.services.exports import Exports
from parley.services.generations import Generation, Generations
from parley.services.principals import SCOPES, Principal
from parley.services.sessions import NewSession, Sessions
from parley.services.summaries import Summaries
from parley.storage.attachments import Attachments
from parley.storage.database import Database
from parley.storage.generations import Generations as StoredGenerations
from parley.storage.ids import new_id
from parley.storage.messages import MessageRecord, Messages
from parley.storage.sessions import Sessions as StoredSessions
from parley.storage.users import UserRecord, Users

PUPPET = """
import puppet_stage
from parley.provider import Capabilities, Config, Model, Provider

class PuppetConfig(Config):
    api_key: str = ""
    model: str = "puppet-1"

class Puppet(Provider):
    name = "puppet"
    config_type = PuppetConfig
    models = [Model("puppet-1"), Model("blind", capabilities=Capabilities(images=False))]

    async def stream(self, request):
        puppet_stage.requests.append(request)
        async for event in puppet_stage.play(request):
            yield event
"""

Play = Callable[[ChatRequest], AsyncIterator[Event]]


def end(reason: Any = "stop") -> ResponseFinished:
    return ResponseFinished(response=ChatResponse(finish_reason=reason))


async def echo(request: ChatRequest) -> AsyncIterator[Event]:
    for word in f"echo: {request.messages[-1].text}".split(" "):
        yield TextDelta(word + " ")
    yield end()


def sequence(*events: Event) -> Play:
    async def play(_request: ChatRequest) -> AsyncIterator[Event]:
        for event in events:
            yield event

    return play


class Talk:
    """`principal` owns what `session` makes; `stranger` is another user. `play` is what the provider does."""

    def __init__(self, database: Database, directory: Path) -> None:
        self.database = database
        self._stage = ModuleType("puppet_stage")
        self._stage.requests = []
        sys.modules["puppet_stage"] = self._stage
        self.play = echo
        (directory / "parley_providers").mkdir(exist_ok=True)
        (directory / "parley_providers" / "puppet.py").write_text(PUPPET, encoding="utf-8")
        self.client = Client.from_config(environ={"PARLEY_DEFAULT": "puppet"}, directory=directory)
        self.stored_sessions = StoredSessions(database)
        self.messages = Messages(database)
        self.attachments = Attachments(database)
        self.stored = StoredGenerations(database)
        self.start()

    def start(self) -> None:
        """Services as a newly started server has them, over the same database."""
        self.generations = Generations(self.stored, self.messages, shared=self.database.shared)
        self.chat = Chat(
            lambda: self.client,
            sessions=self.stored_sessions,
            messages=self.messages,
            attachments=self.attachments,
            stored=self.stored,
            generations=self.generations,
        )
        parts = {"messages": self.messages, "generations": self.generations}
        self.sessions = Sessions(lambda: self.client, stored=self.stored_sessions, **parts)
        self.summaries = Summaries(lambda: self.client, sessions=self.stored_sessions, **parts)
        self.exports = Exports(self.messages)

    async def __aenter__(self) -> Talk:
        self.principal, self.stranger = await self._principal("ada"), await self._principal("eve")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.chat.drain(0)
        await self.client.aclose()
        del sys.modules["puppet_stage"]

    @property
    def play(self) -> Play:
        return self._stage.play

    @play.setter
    def play(self, play: Play) -> None:
        self._stage.play = play

    @property
    def requests(self) -> list[ChatRequest]:
        """What the provider was asked, in order."""
        return self._stage.requests

    async def session(self, **settings: Any) -> str:
        return (await self.sessions.create(self.principal, NewSession(**settings))).id

    async def say(self, session_id: str, text: str, **options: Any) -> MessageRecord:
        """Send, read to the end, and give the stored answer."""
        generation = await self.chat.send(self.principal, session_id, text, **options)
        return await generation.wait()

    async def shown(self, session_id: str) -> list[str]:
        page = await self.sessions.messages(self.principal, session_id)
        return [message.content for message in page.items]

    async def _principal(self, name: str) -> Principal:
        user_id = new_id()
        await Users(self.database).add(UserRecord(id=user_id, username=name, email=f"{name}@example.org", password_hash="-", role="user"))
        return Principal(user_id=user_id, role="user", scopes=SCOPES, kind="jwt", token_id=new_id())


async def read(generation: Generation) -> list[Frame]:
    return [frame async for frame in generation.frames()]


def as_client_sees(frames: list[Frame]) -> list[dict[str, Any]]:
    """The events as JSON, as they leave the server."""
    return [json.decode(json.encode(frame.event)) for frame in frames if frame.event is not None]
