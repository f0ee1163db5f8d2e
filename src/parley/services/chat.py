"""Sending, answering again, editing, stopping, following: a question becomes a stored answer. Knows no HTTP and no vendor."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TypedDict, Unpack

from msgspec import Struct, json, structs

from parley.contract.errors import ErrorCode, InvalidRequestError, ParleyError
from parley.contract.messages import Part, TextPart
from parley.contract.request import ChatRequest
from parley.dispatch.admission import Caller
from parley.dispatch.client import Client
from parley.guard.checks import invalid
from parley.services.answers import Answer, OnDisconnect
from parley.services.errors import ConflictError
from parley.services.generations import Generation, Generations, running_already
from parley.services.principals import Principal
from parley.services.requests import attachment_part, check_sendable, sent_context, sent_messages
from parley.services.targets import caller_of, resolved
from parley.services.titles import title_of
from parley.services.validation import Problems
from parley.services.views import MessageView, SessionSettings, message_view
from parley.storage.attachments import Attachments
from parley.storage.errors import AlreadyExistsError
from parley.storage.generations import Beginning, GenerationRecord
from parley.storage.generations import Generations as StoredGenerations
from parley.storage.ids import new_id, now_ms
from parley.storage.messages import MessageRecord, Messages
from parley.storage.sessions import SessionRecord, Sessions

MAX_TEXT_CHARACTERS = 500_000
MAX_ATTACHMENTS = 20
MAX_KEY_CHARACTERS = 200


class SendOptions(TypedDict, total=False):
    """What a send may say besides its text."""

    provider: str | None
    attachments: Sequence[str]
    idempotency_key: str | None
    on_disconnect: OnDisconnect


class Exchange(Struct, frozen=True, kw_only=True, rename="camel"):
    """A question with its answer."""

    user_message: MessageView
    assistant_message: MessageView


class _Turn(Struct, frozen=True, kw_only=True):
    """What is about to be asked: the branch up to the question, and the question, new or already stored."""

    session: SessionRecord
    path: Sequence[MessageRecord]
    question: MessageRecord
    new: bool
    caller: Caller
    provider: str | None = None


class Chat:
    """One answer at a time in a session. What is wrong before a provider is called is raised; afterwards the answer tells it."""

    def __init__(
        self,
        client: Callable[[], Client],
        *,
        sessions: Sessions,
        messages: Messages,
        attachments: Attachments,
        stored: StoredGenerations,
        generations: Generations,
    ) -> None:
        self._client = client
        self._sessions = sessions
        self._messages = messages
        self._attachments = attachments
        self._stored = stored
        self._generations = generations

    async def send(self, principal: Principal, session_id: str, text: str, **options: Unpack[SendOptions]) -> Generation:
        """Store a message and begin its answer.

        With an `idempotency_key` of the last 24 hours: the answer that it began, where the body is the same. Raises ConflictError
        where it is not, or another answer is being made; NotFoundError, CallerError, StorageUnavailableError.
        """
        key = options.get("idempotency_key")
        attachments = options.get("attachments", ())
        _check_body(text, attachments, key)
        body_hash = _hash(text, options.get("provider"), attachments)
        session, path = await self._messages.context(principal.user_id, session_id)
        if key is not None and (known := await self._known(session_id, key, body_hash)) is not None:
            return known
        content = await self._content(principal.user_id, text, attachments)
        question = _question(session, session.shown_leaf_id, content)
        turn = _Turn(session=session, path=path, question=question, new=True, caller=caller_of(principal), provider=options.get("provider"))
        generation = _generation(session, body_hash=body_hash, key=key)
        try:
            self._refuse_second(session_id)
            return await self._begin(turn, generation, on_disconnect=options.get("on_disconnect", "continue"))
        except (AlreadyExistsError, ConflictError):
            if key is not None and (known := await self._known(session_id, key, body_hash)) is not None:
                return known
            raise running_already() from None

    async def simple(self, principal: Principal, session_id: str, text: str, **options: Unpack[SendOptions]) -> Exchange:
        """As `send`, but wait for the whole answer. Raises also what went wrong while it was made."""
        return await self.exchange(principal, await self.send(principal, session_id, text, **options))

    async def exchange(self, principal: Principal, generation: Generation) -> Exchange:
        """A generation's question and answer, once it has ended. Raises what went wrong while it was made."""
        answer = await generation.wait()
        question = generation.question or await self._messages.get(principal.user_id, answer.parent_id or "")
        return Exchange(user_message=message_view(question), assistant_message=message_view(answer))

    async def regenerate(
        self, principal: Principal, message_id: str, *, provider: str | None = None, on_disconnect: OnDisconnect = "continue"
    ) -> Generation:
        """Another answer to the same question, as a branch. `message_id` is the answer's or the question's."""
        message = await self._messages.get(principal.user_id, message_id)
        question_id = message.id if message.role == "user" else message.parent_id
        session, path = await self._messages.context(principal.user_id, message.session_id, leaf_id=question_id)
        if not path or path[-1].role != "user":
            raise InvalidRequestError("there is no question before this message")
        turn = _Turn(session=session, path=path[:-1], question=path[-1], new=False, caller=caller_of(principal), provider=provider)
        return await self._branch(turn, on_disconnect=on_disconnect)

    async def edit(
        self,
        principal: Principal,
        message_id: str,
        text: str,
        *,
        provider: str | None = None,
        on_disconnect: OnDisconnect = "continue",
    ) -> Generation:
        """Ask again in other words, as a branch; the attachments stay. Only a user's own message can be edited."""
        _check_body(text, (), None)
        message = await self._messages.get(principal.user_id, message_id)
        if message.role != "user":
            raise InvalidRequestError("only your own messages can be edited; answer a model's again instead")
        if message.parent_id is None:
            session, path = (await self._messages.context(principal.user_id, message.session_id))[0], []
        else:
            session, path = await self._messages.context(principal.user_id, message.session_id, leaf_id=message.parent_id)
        attached: list[Part] = [part for part in message.parts if not isinstance(part, TextPart)]
        content = [TextPart(text=text), *attached] if attached else text
        question = _question(session, message.parent_id, content)
        turn = _Turn(session=session, path=path, question=question, new=True, caller=caller_of(principal), provider=provider)
        return await self._branch(turn, on_disconnect=on_disconnect)

    async def cancel(self, principal: Principal, session_id: str) -> bool:
        """Stop what runs in a session and keep its text; False where nothing runs. Raises NotFoundError."""
        await self._sessions.get(principal.user_id, session_id)
        return await self._generations.stop(session_id)

    async def follow(self, principal: Principal, session_id: str, *, message_id: str | None = None) -> Generation:
        """The answer again, from a snapshot on: what runs, else the newest, or the one asked for. Raises NotFoundError."""
        return await self._generations.find(principal.user_id, session_id, message_id=message_id)

    async def recover(self) -> int:
        """Call once at the start: what an earlier process left unfinished is marked interrupted; how many those were."""
        return await self._generations.recover()

    async def drain(self, seconds: float) -> None:
        """Call once at the end: let running answers finish for so long."""
        await self._generations.drain(seconds)

    async def _branch(self, turn: _Turn, *, on_disconnect: OnDisconnect) -> Generation:
        self._refuse_second(turn.session.id)
        try:
            return await self._begin(turn, _generation(turn.session, body_hash="", key=None), on_disconnect=on_disconnect)
        except AlreadyExistsError:
            raise running_already() from None

    async def _begin(self, turn: _Turn, generation: GenerationRecord, *, on_disconnect: OnDisconnect) -> Generation:
        session, question = turn.session, turn.question
        client = self._client()
        asked, model = (turn.provider, None) if turn.provider else (session.provider, session.model)
        name, model = resolved(client, provider=asked, model=model)
        destination = client.destination(f"{name}/{model}" if model else name)
        prompt, earlier = sent_context(session, turn.path)
        messages = await sent_messages([*earlier, question], self._attachments, user_id=session.user_id)
        options = structs.replace(SessionSettings.read(session.settings).options(), model=model or None)
        request = ChatRequest(messages=messages, system_prompt=prompt, options=options)
        check_sendable(destination, request)
        # Who asks for another answer is not to get the same again.
        cache = None if turn.new else False
        place = await client.reserve(destination, request, caller=turn.caller, cache=cache)
        batches = client.stream_batches(destination, request, caller=turn.caller, cache=cache, place=place)
        message = MessageRecord(
            id=generation.message_id,
            session_id=session.id,
            parent_id=question.id,
            role="assistant",
            content="",
            created_at=generation.created_at,
            provider=name,
            model=model,
        )
        answer = Answer(generation, message, question=question, on_disconnect=on_disconnect, log=self._stored)
        beginning = Beginning(
            question=question if turn.new else None,
            answer=message,
            generation=generation,
            title=session.title or title_of(question.text),
        )
        try:
            await self._generations.begin(answer, beginning, batches=batches)
        except ParleyError:
            if place is not None:
                place.release()
            raise
        return Generation(message, question, answer=answer, resumed=False)

    async def _known(self, session_id: str, key: str, body_hash: str) -> Generation | None:
        """What this key began, being made or stored. Raises ConflictError where it was for another body."""
        live = self._generations.live(session_id)
        if live is not None and live.generation.idempotency_key == key:
            record = live.generation
        else:
            record = await self._stored.find_by_key(session_id, key, now=now_ms())
        if record is None:
            return None
        if record.body_hash != body_hash:
            raise ConflictError(
                "this idempotency key was used for another message; use a new one for each message", code=ErrorCode.IDEMPOTENCY_CONFLICT
            )
        return await self._generations.stored(record)

    def _refuse_second(self, session_id: str) -> None:
        if self._generations.live(session_id) is not None:
            raise running_already()

    async def _content(self, user_id: str, text: str, attachments: Sequence[str]) -> str | list[Part]:
        if not attachments:
            return text
        parts: list[Part] = [TextPart(text=text)] if text else []
        return parts + [attachment_part(await self._attachments.get(user_id, attachment)) for attachment in attachments]


def _check_body(text: str, attachments: Sequence[str], key: str | None) -> None:
    problems = Problems()
    problems.text("message", text, max_characters=MAX_TEXT_CHARACTERS, min_characters=0 if attachments else 1)
    if key is not None:
        problems.line("idempotencyKey", key, max_characters=MAX_KEY_CHARACTERS)
    problems.refuse()
    if len(attachments) > MAX_ATTACHMENTS:
        invalid("attachments", f"has {len(attachments)} entries; at most {MAX_ATTACHMENTS} go with one message")


def _hash(text: str, provider: str | None, attachments: Sequence[str]) -> str:
    return hashlib.sha256(json.encode([text, provider, list(attachments)])).hexdigest()


def _question(session: SessionRecord, parent_id: str | None, content: str | list[Part]) -> MessageRecord:
    return MessageRecord(id=new_id(), session_id=session.id, parent_id=parent_id, role="user", content=content, created_at=now_ms())


def _generation(session: SessionRecord, *, body_hash: str, key: str | None) -> GenerationRecord:
    now = now_ms()
    return GenerationRecord(
        message_id=new_id(),
        session_id=session.id,
        user_id=session.user_id,
        state="running",
        idempotency_key=key,
        body_hash=body_hash,
        created_at=now,
        seen_at=now,
    )
