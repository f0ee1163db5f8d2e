"""Puts a question to the library's Client and shows the answer on a view. Knows no terminal and no provider."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from msgspec import Struct

from parley import Client
from parley.contract.errors import ProtocolError
from parley.contract.events import Event, RefusalDelta, ResponseFinished, Restarted, TextDelta
from parley.contract.messages import Message
from parley.contract.response import ChatResponse
from parley.guard.fold import reply_events

if TYPE_CHECKING:
    from parley.cli.views import AnswerView


class Question(Struct, kw_only=True):
    """What is asked, of whom ("": the default), and the text that has been delivered of the answer."""

    target: str
    messages: list[Message]
    system: str | None = None
    delivered: str = ""


async def answer(question: Question, *, view: AnswerView | None, streamed: bool = True) -> ChatResponse:
    """Ask with a Client made for this one question."""
    async with Client.from_config() as client:
        return await ask(client, question, view=view, streamed=streamed)


async def ask(client: Client, question: Question, *, view: AnswerView | None, streamed: bool = True) -> ChatResponse:
    """Ask, and show the answer on the view as it arrives (where it is not streamed, when it is there)."""
    if view is None:
        return await client.chat(question.target, messages=question.messages, system_prompt=question.system)
    async with view:
        # What was written to a pipe cannot be taken back: a route's answer, which may begin anew, is written when it is whole.
        if not streamed or not (view.takes_back or client.destination(question.target).strategy is None):
            reply = await client.chat(question.target, messages=question.messages, system_prompt=question.system)
            for event in whole_reply(reply):
                view.show(event)
            return reply
        return await follow(client.stream(question.target, question.messages, system_prompt=question.system), view, question=question)


async def follow(events: AsyncIterator[Event], view: AnswerView | None, *, question: Question | None = None) -> ChatResponse:
    """Show the events to their end; the reply that the last of them holds."""
    reply: ChatResponse | None = None
    async for event in events:
        if question is not None and isinstance(event, TextDelta):
            question.delivered += event.text
        elif question is not None and isinstance(event, Restarted):
            question.delivered = ""
        if view is not None:
            view.show(event)
        if isinstance(event, ResponseFinished):
            reply = event.response
    if reply is None:
        raise ProtocolError("the stream ended without its last event")
    return reply


def whole_reply(reply: ChatResponse) -> list[Event]:
    """A complete reply as the events that a view shows."""
    refusal = [RefusalDelta(reply.refusal)] if reply.refusal else []
    return [*reply_events(reply), *refusal, ResponseFinished(response=reply)]
