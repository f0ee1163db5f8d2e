"""Embeddings under the guard: the caller's words checked, texts in as many calls as it takes, what comes back made true. Knows no wire."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeAlias, cast

import msgspec
from msgspec import structs

from parley.contract.embeddings import EmbeddingOptions, EmbeddingRequest, Embeddings
from parley.contract.errors import ProtocolError
from parley.contract.provider import Provider
from parley.contract.response import ResponseWarning
from parley.contract.usage import Usage, UsageSource
from parley.guard.checks import check_json, check_text, invalid
from parley.guard.suggestions import did_you_mean
from parley.guard.tokens import TokenCounter

MAX_TEXTS = 100_000
MAX_BATCH_BYTES = 300_000
"""A token is at least one byte: so no call has more tokens than the least that large vendors take (OpenAI: 300,000)."""
MAX_CALLS_AT_ONCE = 4

Ask: TypeAlias = Callable[[EmbeddingRequest], Coroutine[Any, Any, Embeddings]]


def read_embedding_request(texts: Any, options: Any) -> EmbeddingRequest:
    """The call's arguments as a valid request. Raises InvalidRequestError, which names the field, before anything is sent."""
    if isinstance(options, EmbeddingOptions):
        read = options
    elif options is None:
        read = EmbeddingOptions()
    elif isinstance(options, dict):
        read = _options(cast("dict[Any, Any]", options))
    else:
        invalid("options", f"expected a dict or EmbeddingOptions, got {type(options).__name__}")
    return check_embedding_request(EmbeddingRequest(texts=_texts(texts), options=read))


def check_embedding_request(request: Any) -> EmbeddingRequest:
    """A request that a caller built, valid: a struct does not check itself when it is made."""
    if not isinstance(request, EmbeddingRequest):
        invalid("request", f"expected an EmbeddingRequest, got {type(request).__name__}")
    texts = _texts(request.texts)
    options = _options(structs.asdict(request.options))
    check_text(options.model, "options.model")
    if options.dimensions is not None and options.dimensions < 1:
        invalid("options.dimensions", f"is {options.dimensions}; the least is 1")
    for name, seconds in structs.asdict(options.timeouts).items():
        if seconds is not None and not (math.isfinite(seconds) and seconds > 0):
            invalid(f"options.timeout.{name}", f"is {seconds}; expected seconds above 0")
    check_json(options.extra, "options.extra")
    if request.user_id is not None:
        check_text(request.user_id, "user_id")
    return structs.replace(request, texts=texts, options=options)


def _texts(texts: Any) -> list[str]:
    if isinstance(texts, str) or not isinstance(texts, Sequence) or not texts:
        invalid("texts", "expected a list of strings, at least one")
    given = list(cast("Sequence[Any]", texts))
    if len(given) > MAX_TEXTS:
        invalid("texts", f"holds {len(given)} texts; at most {MAX_TEXTS} are taken at once")
    for number, text in enumerate(given):
        if not isinstance(text, str):
            invalid(f"texts[{number}]", f"expected a string, got {type(text).__name__}")
        check_text(text, f"texts[{number}]")
    return given


def _options(given: dict[Any, Any]) -> EmbeddingOptions:
    known = EmbeddingOptions.__struct_fields__
    for name in given:
        if name not in known:
            hint = did_you_mean(str(name), known) or f" Known are {', '.join(known)}."
            invalid(f"options.{name}", f"unknown field.{hint}")
    try:
        return msgspec.convert(given, EmbeddingOptions, from_attributes=True)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `$")
        words = text.replace("`", "").replace("null", "None")
        invalid(f"options{path.rstrip('`')}", words[:1].lower() + words[1:])


def asker(provider: Provider) -> Ask:
    """How this provider is asked: by the typed method where its author wrote that, else by the plain one."""
    if type(provider).embeddings is not Provider.embeddings:
        return provider.embeddings

    async def ask(request: EmbeddingRequest) -> Embeddings:
        options = {name: value for name, value in structs.asdict(request.options).items() if value not in (None, {})}
        return Embeddings(vectors=cast("Any", await provider.embed(request.texts, options)))

    return ask


def batches(request: EmbeddingRequest, most: int) -> list[EmbeddingRequest]:
    """The request as calls of at most `most` texts (0: any number) and MAX_BATCH_BYTES each, in order; a text is never cut."""
    found: list[list[str]] = [[]]
    size = 0
    for text in request.texts:
        length = len(text) if text.isascii() else len(text.encode())
        current = found[-1]
        if current and ((most and len(current) >= most) or size + length > MAX_BATCH_BYTES):
            found.append([])
            size = 0
        found[-1].append(text)
        size += length
    return [request] if len(found) == 1 else [structs.replace(request, texts=texts) for texts in found]


async def ask_all(requests: Sequence[EmbeddingRequest], ask: Ask) -> list[Embeddings]:
    """What each call brings, in order, a few at a time. The first error ends the others."""
    if len(requests) == 1:
        return [await ask(requests[0])]
    permits = asyncio.Semaphore(MAX_CALLS_AT_ONCE)

    async def in_turn(request: EmbeddingRequest) -> Embeddings:
        async with permits:
            return await ask(request)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(in_turn(request)) for request in requests]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


def settle(found: Any, request: EmbeddingRequest, *, provider: str, counter: TokenCounter) -> Embeddings:
    """What a provider gave for one call, checked and completed. Raises ProtocolError where it is no vector per text."""
    if not isinstance(found, Embeddings):
        raise ProtocolError(f"embeddings returned a {type(found).__name__}; it must be Embeddings")
    vectors = [_vector(vector) for vector in _rows(found.vectors)]
    if len(vectors) != len(request.texts):
        raise ProtocolError(f"{provider} gave {len(vectors)} vectors for {len(request.texts)} texts")
    model = request.options.model or ""
    usage = found.usage or _estimated(request.texts, model, counter)
    return structs.replace(found, vectors=vectors, usage=usage, provider=found.provider or provider, model=found.model or model)


def joined(found: Sequence[Embeddings]) -> Embeddings:
    """Several calls as one."""
    first = found[0]
    if len(found) == 1:
        return first
    warnings: dict[ResponseWarning, None] = {}
    for one in found:
        warnings.update(dict.fromkeys(one.warnings))
    return structs.replace(
        first,
        vectors=[vector for one in found for vector in one.vectors],
        usage=_summed(one.usage for one in found if one.usage is not None),
        warnings=list(warnings),
    )


def _estimated(texts: Sequence[str], model: str, counter: TokenCounter) -> Usage:
    tokens = sum(counter.count(text, model=model) for text in texts)
    return Usage(prompt_tokens=tokens, completion_tokens=0, total_tokens=tokens, source="estimated")


def _summed(usages: Iterable[Usage]) -> Usage:
    known = list(usages)
    sources: list[UsageSource] = list({usage.source for usage in known})
    source: UsageSource = sources[0] if len(sources) == 1 else "mixed"
    return Usage(
        prompt_tokens=sum(usage.prompt_tokens for usage in known),
        completion_tokens=sum(usage.completion_tokens for usage in known),
        total_tokens=sum(usage.total_tokens for usage in known),
        source=source,
    )


def _rows(vectors: Any) -> Iterable[Any]:
    # An author's array of numbers (NumPy's) says the same with tolist().
    plain = vectors.tolist() if hasattr(vectors, "tolist") else vectors
    if not isinstance(plain, (list, tuple)):
        raise ProtocolError(f"embed returned a {type(vectors).__name__}; it must be a list with one vector per text")
    return cast("Iterable[Any]", plain)


def _vector(vector: Any) -> list[float]:
    plain = vector.tolist() if hasattr(vector, "tolist") else vector
    try:
        numbers = msgspec.convert(plain, list[float])
    except msgspec.ValidationError as error:
        raise ProtocolError(f"a vector must be a list of numbers, not {str(error).replace('`', '')}") from error
    if not numbers or not math.isfinite(sum(numbers)):
        raise ProtocolError("a vector is empty, or holds something that is no ordinary number")
    return numbers
