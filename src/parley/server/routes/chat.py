"""Sending, answering again, editing, following and stopping. An answer is the server's task: whoever reads it may go and come back."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from litestar import Request, Response
from msgspec import Meta, Struct

from parley.contract.errors import FieldProblem, InvalidRequestError
from parley.server.compat.answering import CLIENT_GONE_STATUS, ClientGoneError, while_present
from parley.server.frames import HEARTBEAT, encode_frames, read_event_id
from parley.server.metrics import Metrics
from parley.server.policy import MEBIBYTE, Policy, Route, signed_in
from parley.server.sse import EventStream
from parley.services.chat import Chat, Exchange, SendOptions
from parley.services.events import ChatEvent
from parley.services.generations import Generation
from parley.services.principals import Principal
from parley.services.views import MessageView

# What can go wrong before the status is out; on `/message/simple` also what the provider says.
_BEFORE_SENDING: Final = (404, 409, 422, 429)
_FROM_THE_PROVIDER: Final = (*_BEFORE_SENDING, 502, 504)
_EVENTS: Final = ("text/event-stream",)


class SendMessage(Struct, frozen=True, kw_only=True):
    """A message for a session. `attachments` are ids; with `onDisconnect=cancel` the answer ends when its last reader goes."""

    session_id: str
    message: str
    provider: str | None = None
    attachments: list[str] = []
    idempotency_key: str | None = None
    on_disconnect: Literal["continue", "cancel"] = "continue"


class AnswerAgain(Struct, frozen=True, kw_only=True):
    """Another answer to the same question, from another provider where one is named."""

    provider: str | None = None
    on_disconnect: Literal["continue", "cancel"] = "continue"


class EditMessage(Struct, frozen=True, kw_only=True):
    """The question in other words."""

    message: str
    provider: str | None = None
    on_disconnect: Literal["continue", "cancel"] = "continue"


class Following(Struct, frozen=True, kw_only=True):
    """Which answer: the one named, else the one that runs, else the newest. A resume always begins with a snapshot."""

    messageId: str | None = None  # noqa: N815 - a query has no twin
    from_seq: Annotated[int, Meta(ge=0)] | None = None


class SimpleReply(Struct, frozen=True, kw_only=True):
    """A question and its whole answer."""

    success: Literal[True]
    user_message: MessageView
    assistant_message: MessageView


class Cancelled(Struct, frozen=True, kw_only=True):
    """Whether something was running."""

    cancelled: bool


class ChatRoutes:
    """Everything about answers."""

    def __init__(self, chat: Chat, *, metrics: Metrics) -> None:
        self._chat = chat
        self._metrics = metrics

    def routes(self) -> list[Route]:
        """The rows of the table."""
        return [
            self._stream("POST", "/message", self.send, signed_in("message", "create", "chat"), "Send a message; the answer as events"),
            Route(
                method="POST",
                path="/api/v1/chat/message/simple",
                handler=self.simple,
                policy=signed_in("message", "create", "chat"),
                summary="Send a message; the answer whole",
                errors=_FROM_THE_PROVIDER,
            ),
            self._stream(
                "GET",
                "/sessions/{session_id}/stream",
                self.follow,
                signed_in("message", "read", "chat", "read"),
                "Read an answer (again) while it is being written, or afterwards",
            ),
            Route(
                method="POST",
                path="/api/v1/chat/sessions/{session_id}/cancel",
                handler=self.cancel,
                policy=signed_in("message", "cancel", "chat"),
                summary="Stop the answer that is being written; its text is kept",
            ),
            self._stream(
                "POST",
                "/messages/{message_id}/regenerate",
                self.regenerate,
                signed_in("message", "create", "chat"),
                "Another answer to the same question, as a branch",
            ),
            self._stream(
                "PATCH",
                "/messages/{message_id}",
                self.edit,
                signed_in("message", "create", "chat"),
                "Ask again in other words, as a branch",
            ),
        ]

    def _stream(self, method: Literal["GET", "POST", "PATCH"], path: str, handler: Any, policy: Policy, summary: str) -> Route:
        return Route(
            method=method,
            path=f"/api/v1/chat{path}",
            handler=handler,
            policy=policy,
            summary=summary,
            errors=_BEFORE_SENDING,
            max_body_bytes=MEBIBYTE,
            media_types=_EVENTS,
            reply=ChatEvent,
        )

    async def send(self, principal: Principal, body: SendMessage) -> Response[Any]:
        """The answer as it is written."""
        return self._events(await self._send(principal, body))

    async def simple(self, request: Request[Any, Any, Any], principal: Principal, body: SendMessage) -> Response[Any] | SimpleReply:
        """The answer when it is whole. Leaving stops it only where that was asked for."""
        generation = await self._send(principal, body)
        try:
            exchange: Exchange = await while_present(self._chat.exchange(principal, generation), request.receive)
        except ClientGoneError:
            return Response(b"", status_code=CLIENT_GONE_STATUS)
        return SimpleReply(success=True, user_message=exchange.user_message, assistant_message=exchange.assistant_message)

    async def follow(self, request: Request[Any, Any, Any], principal: Principal, session_id: str, query: Following) -> Response[Any]:
        """From a snapshot on, to the end."""
        message_id = query.messageId
        last_seen = read_event_id(request.headers.get("last-event-id", ""))
        if message_id is None and last_seen is not None:
            message_id = last_seen[0]
        return self._events(await self._chat.follow(principal, session_id, message_id=message_id))

    async def cancel(self, principal: Principal, session_id: str) -> Cancelled:
        """Stop."""
        return Cancelled(cancelled=await self._chat.cancel(principal, session_id))

    async def regenerate(self, principal: Principal, message_id: str, body: AnswerAgain) -> Response[Any]:
        """A branch beside the answer."""
        generation = await self._chat.regenerate(principal, message_id, provider=body.provider, on_disconnect=body.on_disconnect)
        return self._events(generation)

    async def edit(self, principal: Principal, message_id: str, body: EditMessage) -> Response[Any]:
        """A branch beside the question."""
        generation = await self._chat.edit(principal, message_id, body.message, provider=body.provider, on_disconnect=body.on_disconnect)
        return self._events(generation)

    async def _send(self, principal: Principal, body: SendMessage) -> Generation:
        if not body.session_id:
            message = "is missing; POST /api/v1/chat/session makes one"
            raise InvalidRequestError(f"sessionId {message}", fields=[FieldProblem(path="sessionId", message=message)])
        options = SendOptions(
            provider=body.provider,
            attachments=body.attachments,
            idempotency_key=body.idempotency_key,
            on_disconnect=body.on_disconnect,
        )
        return await self._chat.send(principal, body.session_id, body.message, **options)

    def _events(self, generation: Generation) -> EventStream:
        return EventStream(encode_frames(generation.frames(), generation.message_id), heartbeat=HEARTBEAT, metrics=self._metrics)
