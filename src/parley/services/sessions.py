"""A user's sessions: made, found, changed, shown page by page, counted. Knows no HTTP, no SQL and no provider's name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import UNSET, Struct, UnsetType, structs

from parley.contract.errors import CallerError, FieldProblem, InvalidRequestError
from parley.contract.messages import Message
from parley.contract.options import ReasoningEffort
from parley.contract.request import ChatRequest
from parley.dispatch.client import Client
from parley.guard.preflight import check_request
from parley.services.cursors import DEFAULT_PAGE, Page, check_limit, read_cursor, written_cursor
from parley.services.errors import NotFoundError
from parley.services.generations import Generations, running_already
from parley.services.principals import Principal
from parley.services.profiles import Preferences
from parley.services.snippets import highlights, snippet
from parley.services.targets import resolved
from parley.services.validation import Problems
from parley.services.views import FoundSession, MessageView, SessionSettings, SessionView, message_view, session_view
from parley.storage.ids import new_id, now_ms
from parley.storage.messages import Messages, read_content
from parley.storage.sessions import ListedSession, SessionPosition, SessionRecord
from parley.storage.sessions import Sessions as StoredSessions

MAX_TITLE_CHARACTERS = 200
MAX_PROMPT_CHARACTERS = 100_000
MAX_NAME_CHARACTERS = 200
MAX_QUERY_CHARACTERS = 200
MAX_QUERY_WORDS = 8


class NewSession(SessionSettings, frozen=True, kw_only=True):
    """What a session begins with; what is not given comes from the user's preferences, then from the server."""

    provider: str | None = None
    model: str | None = None
    system_prompt: str | None = None


class SessionChanges(Struct, frozen=True, kw_only=True, rename="camel"):
    """Some of a session: what is not given stays, null takes a setting back. `shown_message_id` shows the branch through it."""

    title: str | UnsetType = UNSET
    provider: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    system_prompt: str | UnsetType | None = UNSET
    shown_message_id: str | UnsetType = UNSET
    temperature: float | UnsetType | None = UNSET
    top_p: float | UnsetType | None = UNSET
    top_k: int | UnsetType | None = UNSET
    max_tokens: int | UnsetType | None = UNSET
    stop: list[str] | UnsetType | None = UNSET
    seed: int | UnsetType | None = UNSET
    frequency_penalty: float | UnsetType | None = UNSET
    presence_penalty: float | UnsetType | None = UNSET
    reasoning_effort: ReasoningEffort | UnsetType | None = UNSET
    extra: dict[str, Any] | UnsetType = UNSET


class ModelUse(Struct, frozen=True, kw_only=True, rename="camel"):
    """What one model did in a session; `cost` in US dollars, None where no answer's is known."""

    provider: str
    model: str
    answers: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None


class SessionStats(Struct, frozen=True, kw_only=True, rename="camel"):
    """Counts over all branches of a session. `context_messages` are those that would be sent with the next question."""

    user_messages: int
    assistant_messages: int
    failed_answers: int
    context_messages: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost: float | None
    average_response_time: int | None
    models: list[ModelUse]


class Sessions:
    """Every method is for one user; another user's session is not there."""

    def __init__(self, client: Callable[[], Client], *, stored: StoredSessions, messages: Messages, generations: Generations) -> None:
        self._client = client
        self._stored = stored
        self._messages = messages
        self._generations = generations

    async def create(self, principal: Principal, new: NewSession, *, preferences: Preferences | None = None) -> SessionView:
        """Begin a session. Raises InvalidRequestError, UnknownProviderError or UnknownModelError."""
        preferred = preferences or Preferences()
        given = {name: getattr(new, name) for name in SessionSettings.__struct_fields__}
        if given["temperature"] is None:
            given["temperature"] = preferred.default_temperature
        settings = SessionSettings(**given)
        prompt = preferred.system_prompt if new.system_prompt is None else new.system_prompt
        _check_texts({"provider": new.provider, "model": new.model, "systemPrompt": prompt})
        _check_settings(settings)
        provider, model = self._target(new.provider, new.model, preferred)
        now = now_ms()
        session = SessionRecord(
            id=new_id(),
            user_id=principal.user_id,
            provider=provider,
            model=model,
            system_prompt=prompt or None,
            settings=settings.stored(),
            created_at=now,
            updated_at=now,
            active_at=now,
        )
        await self._stored.add(session)
        return session_view(session, running=False)

    async def list(
        self, principal: Principal, *, limit: int = DEFAULT_PAGE, cursor: str | None = None, query: str = ""
    ) -> Page[FoundSession]:
        """Newest activity first; with a `query` those whose title, or one of whose messages, holds all its words."""
        _check_texts({"q": query})
        words = query.split()[:MAX_QUERY_WORDS]
        after = read_cursor(cursor, SessionPosition)
        listed = await self._stored.list(principal.user_id, limit=check_limit(limit) + 1, after=after, words=words)
        page = listed[:limit]
        last = page[-1].session if len(listed) > limit else None
        position = None if last is None else written_cursor(SessionPosition(last.active_at, last.id))
        return Page(items=[_found(session, words) for session in page], next_cursor=position)

    async def get(self, principal: Principal, session_id: str) -> SessionView:
        """One session. Raises NotFoundError."""
        session = await self._stored.get(principal.user_id, session_id)
        return session_view(session, running=await self._generations.runs(session_id))

    async def update(self, principal: Principal, session_id: str, changes: SessionChanges) -> SessionView:
        """Change some of it. Raises NotFoundError, and what `create` raises."""
        session = await self._stored.get(principal.user_id, session_id)
        given = {name: value for name in changes.__struct_fields__ if (value := getattr(changes, name)) is not UNSET}
        _check_texts({"title": given.get("title"), "systemPrompt": given.get("system_prompt")})
        _check_texts({"provider": given.get("provider"), "model": given.get("model")})
        written = {name: given[name] for name in ("title", "system_prompt") if name in given}
        written |= self._changed_target(session, given)
        settings = {name: given[name] for name in SessionSettings.__struct_fields__ if name in given}
        if settings:
            merged = structs.replace(SessionSettings.read(session.settings), **settings)
            _check_settings(merged)
            written["settings"] = merged.stored()
        if "shown_message_id" in given:
            written["shown_leaf_id"] = await self._leaf(principal, session_id, given["shown_message_id"])
        if written:
            await self._stored.update(principal.user_id, session_id, changes=written, at=now_ms())
        return await self.get(principal, session_id)

    async def delete(self, principal: Principal, session_id: str) -> None:
        """Forget a session with everything in it; what runs in it is stopped. Raises NotFoundError."""
        await self._stored.get(principal.user_id, session_id)
        await self._generations.stop(session_id)
        await self._stored.remove(principal.user_id, session_id)

    async def messages(
        self, principal: Principal, session_id: str, *, limit: int = DEFAULT_PAGE, cursor: str | None = None
    ) -> Page[MessageView]:
        """The branch shown, its newest page first; within a page in the order of reading. Raises NotFoundError."""
        session = await self._stored.get(principal.user_id, session_id)
        before = read_cursor(cursor, str)
        if before is not None:
            await self._own_message(principal, session_id, before, path="cursor")
        leaf_id = before or session.shown_leaf_id
        branch = [] if leaf_id is None else await self._messages.branch(leaf_id, limit=check_limit(limit) + 1)
        shown = branch[:limit]
        siblings = await self._messages.siblings(session_id, shown)
        views = [message_view(message, siblings=siblings[message.id]) for message in reversed(shown)]
        return Page(items=views, next_cursor=written_cursor(branch[limit].id) if len(branch) > limit else None)

    async def clear_context(self, principal: Principal, session_id: str) -> None:
        """Send nothing of what was said so far; it stays visible. Raises NotFoundError, ConflictError while an answer is made."""
        session = await self._stored.get(principal.user_id, session_id)
        if await self._generations.runs(session_id):
            raise running_already()
        changes = {"context_after_id": session.shown_leaf_id, "context_summary": None}
        await self._stored.update(principal.user_id, session_id, changes=changes, at=now_ms())

    async def stats(self, principal: Principal, session_id: str) -> SessionStats:
        """What a session came to so far. Raises NotFoundError."""
        session, path = await self._messages.context(principal.user_id, session_id)
        sent = path[1:] if path and path[0].id == session.context_after_id else path
        messages = await self._messages.list(session_id)
        answers = [message for message in messages if message.role == "assistant"]
        uses: dict[tuple[str, str], ModelUse] = {}
        for answer in answers:
            whom = (answer.provider or "", answer.model or "")
            uses[whom] = _added(uses.get(whom), whom, answer.details.usage, cost=answer.cost)
        times = [answer.details.response_time_ms for answer in answers if answer.details.response_time_ms is not None]
        costs = [use.cost for use in uses.values() if use.cost is not None]
        prompt, completion = (sum(getattr(use, name) for use in uses.values()) for name in ("prompt_tokens", "completion_tokens"))
        return SessionStats(
            user_messages=len(messages) - len(answers),
            assistant_messages=len(answers),
            failed_answers=sum(answer.finish_reason == "error" for answer in answers),
            context_messages=len(sent),
            prompt_tokens=prompt,
            completion_tokens=completion,
            total_tokens=prompt + completion,
            cost=sum(costs) if costs else None,
            average_response_time=round(sum(times) / len(times)) if times else None,
            models=list(uses.values()),
        )

    def _target(self, provider: str | None, model: str | None, preferred: Preferences) -> tuple[str, str]:
        client = self._client()
        if provider or model:
            return resolved(client, provider=provider, model=model)
        try:
            return resolved(client, provider=preferred.default_provider, model=preferred.default_model)
        except CallerError:
            return client.resolve()  # What the user once preferred is gone; that must not keep them from talking.

    def _changed_target(self, session: SessionRecord, given: dict[str, Any]) -> dict[str, Any]:
        if not given.keys() & {"provider", "model"}:
            return {}
        asked = given.get("provider", session.provider)
        provider, model = resolved(self._client(), provider=asked, model=given.get("model"))
        return {"provider": provider, "model": model}

    async def _leaf(self, principal: Principal, session_id: str, message_id: str) -> str:
        await self._own_message(principal, session_id, message_id, path="shownMessageId")
        return await self._messages.newest_leaf(session_id, message_id)

    async def _own_message(self, principal: Principal, session_id: str, message_id: str, *, path: str) -> None:
        message = await self._messages.get(principal.user_id, message_id)
        if message.session_id != session_id:
            raise NotFoundError(f"{path}: there is no such message in this session")


def _found(listed: ListedSession, words: Sequence[str]) -> FoundSession:
    session = session_view(listed.session, running=listed.running)
    if not words:
        return FoundSession(session=session)
    text = "" if listed.found_content is None else Message(role="user", content=read_content(listed.found_content)).text
    return FoundSession(
        session=session,
        title_highlights=highlights(session.title, words),
        message_id=listed.found_message_id,
        snippet=snippet(text, words) if listed.found_message_id else None,
    )


def _added(use: ModelUse | None, whom: tuple[str, str], usage: Any, *, cost: float | None) -> ModelUse:
    before = use or ModelUse(provider=whom[0], model=whom[1], answers=0, prompt_tokens=0, completion_tokens=0, cost=None)
    return structs.replace(
        before,
        answers=before.answers + 1,
        prompt_tokens=before.prompt_tokens + (usage.prompt_tokens if usage else 0),
        completion_tokens=before.completion_tokens + (usage.completion_tokens if usage else 0),
        cost=before.cost if cost is None else (before.cost or 0.0) + cost,
    )


def _check_texts(given: dict[str, str | None]) -> None:
    problems = Problems()
    most = {"systemPrompt": MAX_PROMPT_CHARACTERS, "title": MAX_TITLE_CHARACTERS, "q": MAX_QUERY_CHARACTERS}
    for path, value in given.items():
        if value is not None and path in {"systemPrompt", "q"}:
            problems.text(path, value, max_characters=most[path])
        elif value is not None:
            problems.line(path, value, max_characters=most.get(path, MAX_NAME_CHARACTERS))
    problems.refuse()


def _check_settings(settings: SessionSettings) -> None:
    """As the guard would check them with the next message, but now, and by the names that were sent."""
    question = Message(role="user", content="?")
    try:
        check_request(ChatRequest(messages=[question], options=settings.options()))
    except InvalidRequestError as error:
        spelled = {info.name: info.encode_name for info in structs.fields(SessionSettings)}
        names = [problem.path.removeprefix("options.") for problem in error.fields]
        fields = [
            FieldProblem(path=spelled.get(name, name), message=problem.message) for name, problem in zip(names, error.fields, strict=True)
        ]
        raise InvalidRequestError("; ".join(f"{field.path} {field.message}" for field in fields), fields=fields) from error
