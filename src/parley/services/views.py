"""Sessions and messages as they are shown: records in, what the API gives out. Knows no database and no HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from msgspec import Struct, convert, field, structs, to_builtins

from parley.contract.options import Options, ReasoningEffort
from parley.contract.response import FinishReason, ResponseWarning
from parley.services.events import ShownAttempt, ShownCitation, ShownFallback, ShownPart, ShownUsage, shown_parts
from parley.services.times import rfc3339
from parley.storage.messages import MessageRecord, StoredError
from parley.storage.sessions import SessionRecord

MessageStatus: TypeAlias = Literal["complete", "running", "failed", "cancelled", "interrupted"]


class SessionSettings(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, rename="camel"):
    """What a session asks of its model besides the conversation; None is "not asked". The names are those of Options."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    stop: list[str] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    reasoning_effort: ReasoningEffort | None = None
    extra: dict[str, Any] = field(default_factory=dict[str, Any])

    def options(self) -> Options:
        """The same as a request's options."""
        return Options(**structs.asdict(self))

    @classmethod
    def read(cls, stored: dict[str, Any]) -> SessionSettings:
        """From a session's row."""
        return convert(stored, cls)

    def stored(self) -> dict[str, Any]:
        """For a session's row."""
        return to_builtins(self)


class SessionView(Struct, frozen=True, kw_only=True, rename="camel"):
    """A session. `context_after_id` names the last message that is no longer sent; `running` says that an answer is being made."""

    id: str
    title: str
    provider: str
    model: str
    system_prompt: str | None
    settings: SessionSettings
    created_at: str
    updated_at: str
    last_activity_at: str
    running: bool
    context_after_id: str | None
    context_summary: str | None


class Snippet(Struct, frozen=True, kw_only=True, rename="camel"):
    """Part of a text around what was searched for; `highlights` are [start, end) in it, counted in characters."""

    text: str
    highlights: list[tuple[int, int]]


class FoundSession(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A session in a list; where something was searched for, what was found and in which message."""

    session: SessionView
    title_highlights: list[tuple[int, int]] = []
    message_id: str | None = None
    snippet: Snippet | None = None


class ShownError(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What ended an answer; `retry_after` in seconds."""

    code: str
    message: str
    retryable: bool
    retry_after: float | None = None


class AnswerMetadata(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What is known of an answer. Times in milliseconds, `cost` in US dollars (None = unknown); `cached`: given before."""

    provider: str
    model: str
    usage: ShownUsage | None
    response_time: int | None
    cost: float | None
    finish_reason: FinishReason | None
    complete: bool
    time_to_first_token: int | None = None
    request_id: str | None = None
    refusal: str | None = None
    citations: list[ShownCitation] = []
    warnings: list[ResponseWarning] = []
    error: ShownError | None = None
    fallback: ShownFallback | None = None
    attempts: list[ShownAttempt] = []
    cached: bool = False


class MessageView(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A message. `content` is its text; `siblings` are the ids of all that stand in its place, oldest first, itself included."""

    id: str
    session_id: str
    parent_id: str | None
    role: str
    content: str
    parts: list[ShownPart]
    created_at: str
    status: MessageStatus
    metadata: AnswerMetadata | None = None
    siblings: list[str] = []


def session_view(session: SessionRecord, *, running: bool) -> SessionView:
    """A session as it is shown."""
    return SessionView(
        id=session.id,
        title=session.title,
        provider=session.provider,
        model=session.model,
        system_prompt=session.system_prompt,
        settings=SessionSettings.read(session.settings),
        created_at=rfc3339(session.created_at),
        updated_at=rfc3339(session.updated_at),
        last_activity_at=rfc3339(session.active_at),
        running=running,
        context_after_id=session.context_after_id,
        context_summary=session.context_summary,
    )


def message_view(message: MessageRecord, *, siblings: Sequence[str] = ()) -> MessageView:
    """A message as it is shown."""
    answer = message.role == "assistant"
    return MessageView(
        id=message.id,
        session_id=message.session_id,
        parent_id=message.parent_id,
        role=message.role,
        content=message.text,
        parts=shown_parts(message.parts),
        created_at=rfc3339(message.created_at),
        status=_status(message) if answer else "complete",
        metadata=_metadata(message) if answer else None,
        siblings=list(siblings) if len(siblings) > 1 else [],
    )


def _status(message: MessageRecord) -> MessageStatus:
    match message.finish_reason:
        case None:
            return "running"
        case "cancelled" | "interrupted" as reason:
            return reason
        case "error":
            return "failed"
        case _:
            return "complete"


def _metadata(message: MessageRecord) -> AnswerMetadata:
    details = message.details
    return AnswerMetadata(
        provider=message.provider or "",
        model=message.model or "",
        usage=None if details.usage is None else ShownUsage.of(details.usage),
        response_time=details.response_time_ms,
        cost=message.cost,
        finish_reason=message.finish_reason,
        complete=details.complete,
        time_to_first_token=details.time_to_first_token_ms,
        request_id=details.request_id,
        refusal=details.refusal,
        citations=[ShownCitation(**structs.asdict(citation)) for citation in details.citations],
        warnings=details.warnings,
        error=None if details.error is None else _error(details.error),
        fallback=ShownFallback.of(details.fallback),
        attempts=[ShownAttempt.of(attempt) for attempt in details.attempts],
        cached=details.cached,
    )


def _error(error: StoredError) -> ShownError:
    return ShownError(code=error.code, message=error.message, retryable=error.retryable, retry_after=error.retry_after)
