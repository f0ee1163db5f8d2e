"""Token counts where a vendor gives none, and the one place where reported and estimated counts become a Usage. Knows no vendor.

How a family of models counts stands in `token_families`; where the tokenizer is not installed, `token_text` estimates it by the look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from parley.contract.messages import ImagePart, Message, Part, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.options import SchemaFormat
from parley.contract.request import ChatRequest
from parley.contract.usage import Usage, UsageReport, UsageSource
from parley.guard import tokenizer
from parley.guard.token_families import Family, families, family_of
from parley.guard.token_images import image_tokens
from parley.guard.token_rendering import schema_text, tool_text

MAX_EXACT_CHARACTERS = 1024 * 1024
"""A prompt that is longer is measured in pieces spread over all of it: counting must not keep others waiting."""


class TokenCounter(Protocol):
    """Counts as a model would, as nearly as it can. Pure: no I/O beyond loading what `prepare` loads."""

    def ready(self, model: str) -> bool:
        """Whether `prepare` has nothing to do for this model."""
        ...

    def prepare(self, model: str) -> None:
        """Load what counting for this model needs. May take half a second: call it in a thread."""
        ...

    def count(self, text: str, *, model: str) -> int:
        """Tokens in the text; 0 for none."""
        ...

    def count_prompt(self, request: ChatRequest, *, model: str) -> int:
        """Tokens of all that the model reads: prompt, messages, images, tools, a schema, and what the vendor puts around them."""
        ...

    def count_output(self, parts: Sequence[Part], *, model: str) -> int:
        """Tokens of what the model wrote, as far as it can be read; 0 for nothing."""
        ...


class FamilyTokenCounter:
    """Exact for text of families whose tokenizer is installed and loaded, calibrated estimates for all others."""

    def ready(self, model: str) -> bool:
        """Whether `prepare` has nothing to do for this model."""
        return tokenizer.is_settled(family_of(model).encoding)

    def prepare(self, model: str) -> None:
        """Load the tokenizer, where one is installed."""
        tokenizer.load(family_of(model).encoding)

    def count(self, text: str, *, model: str) -> int:
        """Tokens in the text; 0 for none."""
        family = family_of(model)
        return round(tokenizer.count(text, family.encoding) * family.factor)

    def count_prompt(self, request: ChatRequest, *, model: str) -> int:
        """Tokens of all that the model reads."""
        family = family_of(model)
        tokens = family.per_prompt + family.factor * _texts_tokens(list(prompt_texts(request)), family)
        if request.system_prompt:
            tokens += family.per_message
        for message in request.messages:
            tokens += family.per_message + (family.per_assistant if message.role == "assistant" else 0)
            tokens += sum(_fixed_cost(part, family) for part in message.parts)
        if request.options.reasoning_effort not in {None, "none"}:
            tokens += family.per_reasoning
        return round(tokens + _tools_tokens(request, family) + _schema_tokens(request, family))

    def count_output(self, parts: Sequence[Part], *, model: str) -> int:
        """Tokens of what the model wrote, as far as it can be read; 0 for nothing."""
        texts = [text for text in part_texts(parts) if text]
        if not texts:
            return 0
        family = family_of(model)
        calls = sum(isinstance(part, ToolCall) for part in parts)
        fixed = family.per_reply + family.per_reply_call * calls + (family.per_parallel_reply if calls > 1 else 0)
        return round(fixed + family.factor * _texts_tokens(texts, family))


def _texts_tokens(texts: Sequence[str], family: Family) -> int:
    if sum(map(len, texts)) > MAX_EXACT_CHARACTERS:
        return tokenizer.count("".join(texts), family.encoding)
    return sum(tokenizer.count(text, family.encoding) for text in texts)


def _fixed_cost(part: Part, family: Family) -> float:
    """What a part costs beside its text."""
    if isinstance(part, ImagePart):
        return image_tokens(part, family.image)
    if isinstance(part, ToolResult):
        images = () if isinstance(part.content, str) else part.content
        return family.per_result + sum(image_tokens(image, family.image) for image in images if isinstance(image, ImagePart))
    return family.per_call if isinstance(part, ToolCall) else 0


def _tools_tokens(request: ChatRequest, family: Family) -> float:
    tools = request.options.tools
    if not tools:
        return 0
    declared = sum(tokenizer.count(tool_text(tool), family.encoding) for tool in tools)
    has_system = bool(request.system_prompt) or any(message.role == "system" for message in request.messages)
    beside = family.tools_beside_system if has_system else 0
    return family.tools + beside + family.per_tool * len(tools) + family.tool_factor * declared


def _schema_tokens(request: ChatRequest, family: Family) -> float:
    schema = request.options.response_format
    if not isinstance(schema, SchemaFormat):
        return 0
    return family.schema + family.schema_factor * tokenizer.count(schema_text(schema), family.encoding)


def settle_usage(
    report: UsageReport, request: ChatRequest, *, output: Callable[[], Sequence[Part]], counter: TokenCounter, model: str, aborted: bool
) -> Usage:
    """What was reported, and estimates of what was not; `source` says which. `output` gives all that was written, `model` who wrote it.

    Of an aborted answer a vendor has often reported only what it had written when it began: what was delivered counts if it is more.
    """
    prompt, completion = report.prompt_tokens, report.completion_tokens
    estimated = 0
    if prompt is None:
        prompt = counter.count_prompt(request, model=_counted_as(model, request))
        estimated += 1
    if completion is None or aborted:
        delivered = counter.count_output(output(), model=_counted_as(model, request))
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


def countable_text(parts: Sequence[Part]) -> str:
    """All that a model read or wrote as text: answer, reasoning, tool calls and their results."""
    return "".join(part_texts(parts))


def _counted_as(model: str, request: ChatRequest) -> str:
    """The name that says more of how it counts: the reply's own, unless only the one that was asked for is of a known family."""
    asked = request.options.model or ""
    return asked if asked and family_of(model) is families()[-1] else model


def prompt_texts(request: ChatRequest) -> Iterator[str]:
    """The readable texts of a request: prompt and messages, without tools."""
    if request.system_prompt:
        yield request.system_prompt
    for message in request.messages:
        yield from _message_texts(message)


def _message_texts(message: Message) -> Iterator[str]:
    if isinstance(message.content, str):
        yield message.content
    else:
        yield from part_texts(message.content)


def part_texts(parts: Sequence[Part]) -> Iterator[str]:
    """The readable texts of parts, each of which is counted for itself."""
    for part in parts:
        if isinstance(part, TextPart | ReasoningPart):
            yield part.text
        elif isinstance(part, ToolCall):
            yield part.name
            yield part.arguments
        elif isinstance(part, ToolResult):
            yield part.content if isinstance(part.content, str) else countable_text(part.content)
