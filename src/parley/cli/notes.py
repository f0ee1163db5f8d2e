"""What is said about an answer besides its text: tool calls, sources, warnings, tokens and time, each on a line. Knows no console."""

from __future__ import annotations

from math import floor, log10

from parley.cli.terminal import one_line
from parley.contract.messages import ToolCall
from parley.contract.response import ChatResponse
from parley.contract.usage import Usage

_NOTES = {
    "length": "The answer ended at its limit of tokens.",
    "content_filter": "The provider's content filter ended the answer.",
    "interrupted": "The answer was interrupted.",
    "error": "The provider ended the answer with an error.",
}


def tool_line(call: ToolCall) -> str:
    """A tool call on one line."""
    return one_line(f"⚙ {call.name} {call.arguments}", longest=400)


def source_lines(response: ChatResponse) -> list[str]:
    """The citations, numbered."""
    return [
        one_line(f"[{number}] {' – '.join(text for text in (citation.title, citation.url or citation.text) if text)}")
        for number, citation in enumerate(response.citations, start=1)
    ]


def closing_notes(response: ChatResponse) -> list[str]:
    """What a reader must know of an answer that is over: warnings, why it is not whole, that it is empty."""
    notes = [f"! {one_line(warning.message)}" for warning in response.warnings]
    if (fallback := response.fallback) is not None:
        notes.append(f"! {one_line(f'{fallback.actual} answered instead of {fallback.asked}: {fallback.reason}')}")
    if response.finish_reason in _NOTES:
        notes.append(f"! {_NOTES[response.finish_reason]}")
    elif not response.parts and not response.refusal:
        notes.append("! The answer is empty.")
    if not response.complete:
        notes.append("! The answer is not complete.")
    return notes


def footer(response: ChatResponse, *, seconds: float) -> str:
    """One line: model, tokens (≈ where estimated), time."""
    parts = [who(response.provider, response.model), _tokens(response.usage), _time(seconds, response.time_to_first_token_ms)]
    if response.cost is not None:
        parts.append(_dollars(response.cost))
    return " · ".join(parts)


def who(provider: str, model: str) -> str:
    """The provider and its model in one word."""
    return one_line(f"{provider}/{model}" if model and model != provider else provider, longest=60)


def titled(name: str, message: str) -> str:
    """What is said of a provider, with its name before it where the message does not begin with it."""
    return message if message.lower().startswith(f"{name.lower()} ") else f"{name}: {message}"


def _tokens(usage: Usage) -> str:
    about = "" if usage.source == "reported" else "≈ "
    details = [f"{count:,} {word}" for word, count in (("cached", usage.cached_tokens), ("reasoning", usage.reasoning_tokens)) if count]
    more = f" ({', '.join(details)})" if details else ""
    return f"{about}{usage.prompt_tokens:,} in, {usage.completion_tokens:,} out{more}{' (estimated)' if about else ''}"


def _dollars(cost: float) -> str:
    """Two digits that say something, however little it is; cents from one cent on."""
    if cost >= 0.01 or cost <= 0:
        return f"${cost:,.2f}"
    written = f"{cost:.{1 - floor(log10(cost))}f}".rstrip("0")
    return f"${written}"


def _time(seconds: float, first_token_ms: float | None) -> str:
    first = f" (first word {first_token_ms / 1000:.1f} s)" if first_token_ms is not None and first_token_ms >= 100 else ""
    return f"{seconds:.1f} s{first}"
