"""How an answer ends: whole, failed, stopped; what is stored of it and the last event that tells. Knows no task and no table."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct, structs

from parley.contract.errors import ErrorCode, ParleyError
from parley.contract.messages import Part
from parley.contract.response import ChatResponse, FinishReason
from parley.services.events import DoneEvent, ErrorEvent, ShownCitation, ShownFallback, ShownUsage
from parley.services.folding import MessageFold
from parley.storage.generations import State
from parley.storage.ids import now_ms
from parley.storage.messages import MessageDetails, MessageRecord, StoredError
from parley.telemetry import scrub

LastEvent: TypeAlias = DoneEvent | ErrorEvent


class Ending(Struct, frozen=True, kw_only=True):
    """What an answer became. `error` is what its reader is told instead of a done."""

    state: State
    content: str | list[Part]
    finish_reason: FinishReason
    details: MessageDetails
    provider: str = ""
    model: str = ""
    cost: float | None = None
    error: ParleyError | None = None

    def event(self, message: MessageRecord, seq: int, error: ParleyError | None) -> LastEvent:
        """The last event; `error` may have been added after the answer was whole."""
        return last_event(message, seq) if error is None else _error_event(message, stored_error(error), seq)


def finished_ending(reply: ChatResponse, started_at: int) -> Ending:
    """The provider finished; everything it said is kept, its own data included."""
    first = reply.time_to_first_token_ms
    details = MessageDetails(
        usage=reply.usage,
        response_time_ms=now_ms() - started_at,
        time_to_first_token_ms=None if first is None else round(first),
        request_id=reply.request_id,
        raw_finish_reason=reply.raw_finish_reason,
        refusal=reply.refusal,
        citations=reply.citations,
        warnings=reply.warnings,
        complete=reply.complete,
        price=reply.price,
        attempts=reply.attempts,
        fallback=reply.fallback,
        cached=reply.cached,
    )
    return Ending(
        state="finished",
        content=reply.to_message().content,
        finish_reason=reply.finish_reason,
        details=details,
        provider=reply.provider,
        model=reply.model,
        cost=reply.cost,
    )


def failed_ending(error: ParleyError, fold: MessageFold, started_at: int) -> Ending:
    """The provider failed, or refused; what had come is kept."""
    partial = error.partial
    details = MessageDetails(
        usage=partial.usage if partial is not None and partial.parts else None,
        response_time_ms=now_ms() - started_at,
        request_id=error.request_id,
        complete=False,
        error=stored_error(error),
        price=None if partial is None else partial.price,
        attempts=error.attempts,
    )
    return Ending(
        state="failed",
        content=fold.content(),
        finish_reason="error",
        details=details,
        provider=error.provider or "",
        model=error.model or "",
        cost=None if partial is None else partial.cost,
        error=error,
    )


def cut_ending(reason: FinishReason, fold: MessageFold, started_at: int | None) -> Ending:
    """Somebody stopped it, or the server went away."""
    details = MessageDetails(response_time_ms=None if started_at is None else now_ms() - started_at, complete=False)
    state: State = "cancelled" if reason == "cancelled" else "interrupted"
    return Ending(state=state, content=fold.content(), finish_reason=reason, details=details)


def stored_error(error: ParleyError) -> StoredError:
    """An error as it is kept and shown: without secrets, without what only programmers read."""
    return StoredError(
        code=str(error.code),
        message=scrub(error.message),
        retryable=error.retryable,
        action=error.action,
        retry_after=error.retry_after,
    )


def raised_error(stored: StoredError) -> ParleyError:
    """The error again, for whoever asks a second time."""
    return ParleyError(
        stored.message, code=ErrorCode(stored.code), retryable=stored.retryable, action=stored.action, retry_after=stored.retry_after
    )


def last_event(message: MessageRecord, seq: int) -> LastEvent:
    """The last event of a stored answer, the same as its first reader was told."""
    if message.details.error is not None:
        return _error_event(message, message.details.error, seq)
    details = message.details
    return DoneEvent(
        message_id=message.id,
        usage=None if details.usage is None else ShownUsage.of(details.usage),
        response_time=details.response_time_ms or 0,
        provider=message.provider or "",
        model=message.model or "",
        finish_reason=message.finish_reason or "interrupted",
        cost=message.cost,
        seq=seq,
        refusal=details.refusal,
        citations=[ShownCitation(**structs.asdict(citation)) for citation in details.citations],
        time_to_first_token=details.time_to_first_token_ms,
        request_id=details.request_id,
        complete=details.complete,
        fallback=ShownFallback.of(details.fallback),
        cached=details.cached,
    )


def _error_event(message: MessageRecord, error: StoredError, seq: int) -> ErrorEvent:
    return ErrorEvent(
        message=error.message,
        code=error.code,
        retryable=error.retryable,
        message_id=message.id,
        seq=seq,
        retry_after=error.retry_after,
        partial=message.text or None,
    )
