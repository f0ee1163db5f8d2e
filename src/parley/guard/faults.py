"""Whatever an author's code raised, as an error of the contract that is safe to show. Knows no vendor's words."""

from __future__ import annotations

from parley.contract.errors import ParleyError, StreamTruncatedError, TransportError
from parley.contract.response import FinishReason
from parley.guard.conduct import Conduct
from parley.guard.foreign import place_of, typed
from parley.telemetry import scrub

MAX_MESSAGE_CHARACTERS = 1000


def adopt(error: BaseException, *, provider: str, model: str) -> ParleyError:
    """The error itself where it is ours, with what it left open; else what `typed` makes of it, its cause. Scrubbed either way."""
    if not isinstance(error, ParleyError):
        foreign = typed(error, f"{provider} failed with {type(error).__name__}: {_words(error)}")
        foreign.__cause__ = error
        error = foreign
    _scrub_chain(error)
    error.provider = error.provider or provider or None
    error.model = error.model or model or None
    # Scrubbed before the final cut, lest half a secret be left at its end.
    reword(error, scrub(error.message[: 4 * MAX_MESSAGE_CHARACTERS])[:MAX_MESSAGE_CHARACTERS])
    return error


def blame(error: BaseException, conduct: Conduct) -> None:
    """Record what is wrong with an error that an author's code raised, before `adopt` mends it: its class, and secrets in its words."""
    if not isinstance(error, ParleyError):
        place = place_of(error)
        raised = f"{type(error).__name__} was raised" + (f" ({place})" if place else "")
        conduct.violated("foreign_exception", f"{raised}, which is no error of the contract")
    if any(scrub(words) != words for words in (_words(error), *(value for value in error.args if isinstance(value, str)))):
        conduct.violated("secret_in_error", f"the words of a {type(error).__name__} held a secret")


def _scrub_chain(error: BaseException) -> None:
    """Take secrets out of what lies behind an error: its causes and contexts are shown with it in a traceback."""
    waiting: list[BaseException | None] = [error.__cause__, error.__context__]
    seen = {id(error), id(None)}
    while waiting:
        behind = waiting.pop()
        if behind is None or id(behind) in seen:
            continue
        seen.add(id(behind))
        waiting += [behind.__cause__, behind.__context__, *getattr(behind, "exceptions", ())]
        behind.args = tuple(scrub(value) if isinstance(value, str) else value for value in behind.args)
        for name, value in vars(behind).items():
            if isinstance(value, str):
                vars(behind)[name] = scrub(value)


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
