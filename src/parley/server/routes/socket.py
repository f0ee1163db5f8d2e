"""Chatting over one WebSocket: the same answers, events and errors as over HTTP, several sessions at a time. Knows no bus."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from litestar import WebSocket
from msgspec import Struct, json

from parley.contract.errors import ErrorCode, LimitExceededError, ParleyError
from parley.server.bodies import read_json
from parley.server.boundary import log_unexpected, request_id_of
from parley.server.errors import ErrorField, as_parley_error, error_document
from parley.server.handlers import Confirm, is_id
from parley.server.metrics import Metrics
from parley.server.policy import Policy, SocketRoute, authorise, signed_in
from parley.server.sse import HEARTBEAT_SECONDS, RECHECK_SECONDS
from parley.server.websocket import POLICY_VIOLATION, UNAUTHENTICATED, Origins, Socket, SocketGoneError, accepted, refused
from parley.services.chat import Chat, SendOptions
from parley.services.errors import NotFoundError, StorageUnavailableError, UnauthenticatedError
from parley.services.events import DoneEvent, ErrorEvent, Frame, HeartbeatEvent
from parley.services.generations import Generation
from parley.services.principals import Principal
from parley.storage.ids import now_ms
from parley.telemetry import scrub

SIGN_IN_SECONDS: Final = 10.0
MAX_STREAMS: Final = 32
MAX_SOCKETS: Final = 100
"""So many sockets a user may have on one server."""


class Auth(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, tag_field="type", tag="auth"):
    """A token or an API key; again when the token was refreshed."""

    token: str


class ChatFrame(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, tag_field="type", tag="chat"):
    """A message for a session, as `POST /api/v1/chat/message` takes it."""

    session_id: str
    message: str
    provider: str | None = None
    attachments: list[str] = []
    idempotency_key: str | None = None
    on_disconnect: Literal["continue", "cancel"] = "continue"


class CancelFrame(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, tag_field="type", tag="cancel"):
    """Stop what is written in a session."""

    session_id: str


class Resume(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, tag_field="type", tag="resume"):
    """Read an answer (again): the one named, else the one that runs, else the newest. It begins with a snapshot."""

    session_id: str
    message_id: str | None = None
    from_seq: int | None = None


class Ping(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, tag_field="type", tag="ping"):
    """Is anybody there?"""


class Connected(Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="connected"):
    """The server listens; the next thing is to sign in."""

    version: str


class AuthSuccess(Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="auth_success"):
    """Who this is."""

    user_id: str
    role: str


class AuthError(Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="auth_error"):
    """The token does not count, or no longer."""

    message: str
    code: str


class Pong(Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="pong"):
    """Somebody is."""


class Acknowledged(Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="acknowledged"):
    """Everything up to here is stored: what an `id:` line says in server-sent events."""

    session_id: str
    message_id: str
    seq: int


class SocketError(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", tag_field="type", tag="error"):
    """A frame that came to nothing, as an error of HTTP is told; no answer was begun by it."""

    message: str
    code: str
    retryable: bool
    request_id: str
    session_id: str | None = None
    retry_after: float | None = None
    fields: list[ErrorField] | None = None


ClientFrame: TypeAlias = Auth | ChatFrame | CancelFrame | Resume | Ping

_POLICIES: Final[dict[type[Struct], Policy]] = {
    ChatFrame: signed_in("message", "create", "chat"),
    CancelFrame: signed_in("message", "cancel", "chat"),
    Resume: signed_in("message", "read", "chat", "read"),
}
POLICIES: Final[dict[str, Policy | None]] = {
    "auth": None,
    "ping": None,
    **{str(kind.__struct_config__.tag): policy for kind, policy in _POLICIES.items()},
}
_encode = json.Encoder().encode
_decoder = json.Decoder(ClientFrame)


class ChatSocket:
    """The one socket there is. `authenticate` knows whose a token is, `confirm` whether what was proven at a time still counts."""

    def __init__(
        self,
        chat: Chat,
        *,
        authenticate: Callable[[str], Awaitable[Principal]],
        confirm: Confirm,
        metrics: Metrics,
        origins: Origins,
        version: str,
    ) -> None:
        self.chat = chat
        self.authenticate = authenticate
        self.confirm = confirm
        self.metrics = metrics
        self.version = version
        self.sockets: Counter[str] = Counter()
        self._origins = origins

    def routes(self) -> list[SocketRoute]:
        """The row of the table."""
        summary = "Chat over one WebSocket: frames auth, chat, cancel, resume, ping"
        return [SocketRoute(path="/ws/chat", handler=self.serve, policies=POLICIES, summary=summary)]

    async def serve(self, connection: WebSocket[Any, Any, Any]) -> None:
        """From the opening to the end."""
        scope: Any = connection.scope
        if not self._origins.allow(scope):
            await refused(connection.receive, connection.send, 403, "this page may not open a socket here; see CORS_ORIGINS\n")
            return
        socket = await accepted(connection.receive, connection.send)
        self.metrics.socket_opened()
        try:
            await _Conversation(self, socket, request_id=request_id_of(scope)).run()
        finally:
            self.metrics.socket_closed()


class _Conversation:
    """One connection's frames, in order; its answers side by side."""

    def __init__(self, place: ChatSocket, socket: Socket, *, request_id: str) -> None:
        self._place = place
        self._socket = socket
        self._request_id = request_id
        self._principal: Principal | None = None
        self._since_ms = 0
        self._streams: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until either side goes. What is being answered goes on without its reader."""
        self._start(self._watch())
        try:
            await self._socket.send(_encode(Connected(version=self._place.version)))
            while True:
                await self._take(await self._socket.receive())
        except SocketGoneError:
            return
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._forget_principal()

    async def _take(self, data: bytes) -> None:
        session_id = None
        try:
            frame: ClientFrame = read_json(data, _decoder)
            session_id = getattr(frame, "session_id", None)
            if isinstance(frame, Auth):
                await self._sign_in(frame.token)
            elif isinstance(frame, Ping):
                await self._socket.send(_encode(Pong()))
            else:
                await self._obey(frame)
        except SocketGoneError:
            raise
        except Exception as exception:  # noqa: BLE001 - a fault of ours at one frame must not end the answers of the others
            await self._refuse(exception, session_id)

    async def _sign_in(self, token: str) -> None:
        try:
            principal = await self._place.authenticate(token)
            if self._principal is not None and principal.user_id != self._principal.user_id:
                raise UnauthenticatedError("this socket is somebody else's; open another")
        except UnauthenticatedError as error:
            await self._deny(error)
            raise SocketGoneError from error
        if self._principal is None:
            if self._place.sockets[principal.user_id] >= MAX_SOCKETS:
                await self._refuse(LimitExceededError(f"you have {MAX_SOCKETS} sockets open; close one of them"), None)
                await self._socket.close(POLICY_VIOLATION, "too many sockets")
                raise SocketGoneError
            self._place.sockets[principal.user_id] += 1
        self._principal, self._since_ms = principal, now_ms()
        await self._socket.send(_encode(AuthSuccess(user_id=principal.user_id, role=principal.role)))

    async def _obey(self, frame: ChatFrame | CancelFrame | Resume) -> None:
        principal = self._principal
        if principal is None:
            raise UnauthenticatedError('sign in first: {"type":"auth","token":"…"}')
        authorise(_POLICIES[type(frame)], principal)
        if not is_id(frame.session_id):
            raise NotFoundError("there is no such session")
        chat = self._place.chat
        if isinstance(frame, CancelFrame):
            self._start(self._cancel(principal, frame.session_id))
        elif isinstance(frame, Resume):
            self._stream(await chat.follow(principal, frame.session_id, message_id=frame.message_id))
        else:
            options = SendOptions(
                provider=frame.provider,
                attachments=frame.attachments,
                idempotency_key=frame.idempotency_key,
                on_disconnect=frame.on_disconnect,
            )
            self._refuse_too_many(frame.session_id)
            self._stream(await chat.send(principal, frame.session_id, frame.message, **options))

    async def _cancel(self, principal: Principal, session_id: str) -> None:
        try:
            await self._place.chat.cancel(principal, session_id)
        except ParleyError as error:
            await self._refuse(error, session_id)

    def _refuse_too_many(self, session_id: str) -> None:
        if session_id not in self._streams and len(self._streams) >= MAX_STREAMS:
            raise LimitExceededError(f"{MAX_STREAMS} answers are being read on this socket; wait for one of them", retry_after=1.0)

    def _stream(self, generation: Generation) -> None:
        """Read an answer, in the place of one that was read in the same session."""
        self._refuse_too_many(generation.session_id)
        if (earlier := self._streams.pop(generation.session_id, None)) is not None:
            earlier.cancel()
        task = self._streams[generation.session_id] = self._start(self._read(generation))
        task.add_done_callback(partial(self._read_out, generation.session_id))

    def _read_out(self, session_id: str, task: asyncio.Task[None]) -> None:
        if self._streams.get(session_id) is task:
            del self._streams[session_id]

    async def _read(self, generation: Generation) -> None:
        session_id, message_id = generation.session_id, generation.message_id
        seq = 0
        self._place.metrics.stream_opened()
        try:
            async with aclosing(generation.frames()) as frames:
                async for frame in frames:
                    seq = frame.acknowledged_seq or seq
                    await self._tell(frame, session_id, message_id)
        except ParleyError as error:
            event = ErrorEvent(
                message=scrub(error.message), code=str(error.code), retryable=error.retryable, message_id=message_id, seq=seq
            )
            await self._tell(Frame(event), session_id, message_id)
        finally:
            self._place.metrics.stream_closed()

    async def _tell(self, frame: Frame, session_id: str, message_id: str) -> None:
        acknowledged = frame.acknowledged_seq
        ending = isinstance(frame.event, (DoneEvent, ErrorEvent))
        if ending and acknowledged is not None:  # the last event of an answer is its end
            await self._acknowledge(session_id, message_id, acknowledged)
        if frame.event is not None:
            # Every event has fields, so that one more can be put behind them; a second struct for each would cost more than it says.
            await self._socket.send(_encode(frame.event)[:-1] + b',"sessionId":"' + session_id.encode() + b'"}')
        if not ending and acknowledged is not None:
            await self._acknowledge(session_id, message_id, acknowledged)

    async def _acknowledge(self, session_id: str, message_id: str, seq: int) -> None:
        await self._socket.send(_encode(Acknowledged(session_id=session_id, message_id=message_id, seq=seq)))

    async def _watch(self) -> None:
        """Whether the sign-in came, and still counts; and a sign of life where there was none."""
        loop = asyncio.get_running_loop()
        opened_at = loop.time()
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            try:
                if self._principal is not None:
                    await self._place.confirm(self._principal, since_ms=self._since_ms)
                elif loop.time() - opened_at > SIGN_IN_SECONDS:
                    raise UnauthenticatedError(f"nobody signed in within {SIGN_IN_SECONDS:.0f} s")
            except UnauthenticatedError as error:
                await self._deny(error)
                return
            except StorageUnavailableError:
                continue  # nobody can say; an answer is not cut for that
            if self._streams and loop.time() - self._socket.last_sent > HEARTBEAT_SECONDS:
                await self._socket.send(_encode(HeartbeatEvent()))

    async def _deny(self, error: UnauthenticatedError) -> None:
        await self._socket.send(_encode(AuthError(message=error.message, code=str(error.code))))
        await self._socket.close(UNAUTHENTICATED, "unauthenticated")

    async def _refuse(self, exception: Exception, session_id: str | None) -> None:
        error = as_parley_error(exception)
        if error.code == ErrorCode.INTERNAL_ERROR:
            log_unexpected(exception, self._request_id)
        document = error_document(error, self._request_id)
        told = SocketError(
            message=document.message,
            code=str(document.code),
            retryable=document.retryable,
            request_id=self._request_id,
            session_id=session_id,
            retry_after=document.retry_after,
            fields=document.fields,
        )
        await self._socket.send(_encode(told))

    def _start(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, SocketGoneError):
            log_unexpected(error, self._request_id)

    def _forget_principal(self) -> None:
        if self._principal is not None:
            self._place.sockets[self._principal.user_id] -= 1
            if not self._place.sockets[self._principal.user_id]:
                del self._place.sockets[self._principal.user_id]
