"""Token counts where a vendor gives none, and the one place where reported and estimated counts become a Usage. Knows no tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import msgspec

from parley.contract.messages import Part, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.request import ChatRequest
from parley.contract.usage import Usage, UsageReport, UsageSource

CHARACTERS_PER_TOKEN = 4


class TokenCounter(Protocol):
    """Counts a text as a model would, as nearly as it can. Pure: no I/O."""

    def count(self, text: str, *, model: str) -> int:
        """Tokens in the text; 0 for none."""
        ...


class EstimatingTokenCounter:
    """One token per four characters, rounded up, for every model."""

    def count(self, text: str, *, model: str) -> int:
        """Tokens in the text; 0 for none."""
        return -(-len(text) // CHARACTERS_PER_TOKEN)


def settle_usage(report: UsageReport, request: ChatRequest, *, output: Callable[[], str], counter: TokenCounter, aborted: bool) -> Usage:
    """What was reported, and estimates of what was not; `source` says which. `output` gives all that was written.

    Of an aborted answer a vendor has often reported only what it had written when it began: what was delivered counts if it is more.
    """
    model = request.options.model or ""
    prompt, completion = report.prompt_tokens, report.completion_tokens
    estimated = 0
    if prompt is None:
        prompt = count_prompt(request, counter)
        estimated += 1
    if completion is None or aborted:
        delivered = counter.count(output(), model=model)
        if completion is None or delivered > completion:
            completion = delivered
            estimated += 1
    source: UsageSource = ("reported", "mixed", "estimated")[estimated]
    if source == "estimated" and report.total_tokens is not None:
        source = "mixed"
    total = report.total_tokens
    if total is None or (aborted and estimated):
        total = prompt + completion
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total,
        cached_tokens=report.cached_tokens,
        cache_write_tokens=report.cache_write_tokens,
        reasoning_tokens=report.reasoning_tokens,
        source=source,
    )


def count_prompt(request: ChatRequest, counter: TokenCounter) -> int:
    """An estimate of a request's own tokens."""
    return counter.count("\n".join(_prompt_texts(request)), model=request.options.model or "")


def countable_text(parts: Sequence[Part]) -> str:
    """All that a model read or wrote as text: answer, reasoning, tool calls and their results."""
    return "".join(_part_texts(parts))


def _prompt_texts(request: ChatRequest) -> Iterator[str]:
    if request.system_prompt:
        yield request.system_prompt
    for message in request.messages:
        yield message.content if isinstance(message.content, str) else countable_text(message.content)
    for tool in request.options.tools or ():
        yield f"{tool.name} {tool.description or ''} {msgspec.json.encode(tool.parameters).decode()}"


def _part_texts(parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, TextPart | ReasoningPart):
            yield part.text
        elif isinstance(part, ToolCall):
            yield part.name
            yield part.arguments
        elif isinstance(part, ToolResult):
            yield part.content if isinstance(part.content, str) else countable_text(part.content)
