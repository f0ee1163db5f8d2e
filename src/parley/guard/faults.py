"""Whatever an author's code raised, as an error of the contract that is safe to show. Knows no vendor's words."""

from __future__ import annotations

from parley.contract.errors import ParleyError, ProtocolError, StreamTruncatedError, TransportError
from parley.contract.response import FinishReason
from parley.telemetry import scrub

MAX_MESSAGE_CHARACTERS = 1000


def adopt(error: BaseException, *, provider: str, model: str) -> ParleyError:
    """The error itself where it is ours, with what it left open; else a ProtocolError whose cause it is. Scrubbed either way."""
    if not isinstance(error, ParleyError):
        foreign = ProtocolError(f"{provider} failed with {type(error).__name__}: {_words(error)}")
        foreign.__cause__ = error
        error = foreign
    error.provider = error.provider or provider or None
    error.model = error.model or model or None
    # Scrubbed before the final cut, lest half a secret be left at its end.
    reword(error, scrub(error.message[: 4 * MAX_MESSAGE_CHARACTERS])[:MAX_MESSAGE_CHARACTERS])
    return error


def reword(error: ParleyError, message: str) -> None:
    """Change what the error says, also to those who read `args`."""
    error.message = message
    error.args = (message,)


def cut_reason(error: ParleyError) -> FinishReason:
    """How the partial reply that an error carries came to its end."""
    lost = isinstance(error, TransportError | StreamTruncatedError)
    return "interrupted" if lost else "error"


def _words(error: BaseException) -> str:
    try:
        return str(error) or "no message"
    except Exception:  # noqa: BLE001 - an author's own __str__
        return "no readable message"
