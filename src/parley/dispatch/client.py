"""The library's Client: all configured providers behind one object, a model's name for each request. Knows no wire and no vendor."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from types import AsyncGeneratorType, TracebackType
from typing import Any, TypeAlias, TypedDict, Unpack, cast
from weakref import WeakSet

from msgspec import structs

from parley.contract.embeddings import EmbeddingOptions, EmbeddingRequest, Embeddings
from parley.contract.errors import (
    CallerError,
    ConfigurationError,
    FieldProblem,
    InvalidRequestError,
    ParleyError,
)
from parley.contract.events import Event, ResponseFinished, Restarted
from parley.contract.messages import Message
from parley.contract.options import Options
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, ConnectionStatus
from parley.dispatch.admission import NOBODY, Caller, Place
from parley.dispatch.cache import AnswerCache, through
from parley.dispatch.directory import Directory
from parley.dispatch.failover import Failover, OnCut, Terms
from parley.dispatch.holding import held
from parley.dispatch.resolution import default_problem, resolve_embedding_model, resolve_model
from parley.dispatch.shared import Shared
from parley.dispatch.targets import Destination
from parley.dispatch.trail import Trail
from parley.guard.callbacks import Callbacks as ToldCallbacks
from parley.guard.embedding import read_embedding_request
from parley.guard.faults import adopt
from parley.guard.guarded import GuardedProvider, OnRetry
from parley.guard.preflight import read_request
from parley.guard.suggestions import did_you_mean
from parley.registry.description import ProviderDescription
from parley.registry.loading import Registry

MAX_REMEMBERED_MODELS = 1000

Messages: TypeAlias = str | Sequence[Message | Mapping[str, Any]]
"""A whole conversation, or the text of a single user's message."""


class Callbacks(TypedDict, total=False):
    """Plain or async callables: `on_token(text)`, `on_done(reply)`, `on_error(error)`; exactly one of the last two is called, once.

    `on_restart(event)`: a route begins the answer anew, and all tokens before are void. Without it a route's `stream_guard` decides:
    an answer that breaks off after its first token ends in an error ("error"), or its tokens are held until it is whole ("hold").
    """

    on_token: Callable[[str], Awaitable[None] | None] | None
    on_done: Callable[[ChatResponse], Awaitable[None] | None] | None
    on_error: Callable[[ParleyError], Awaitable[None] | None] | None
    on_restart: Callable[[Restarted], Awaitable[None] | None] | None


class ChatFields(Callbacks, total=False):
    """Callbacks, and `cache`: whether the answer may be one that was given before, where `[cache]` is enabled. None: where the same
    would be given again (a temperature of 0); True: also where it would not; False: never.
    """

    cache: bool | None


class Reserved(TypedDict, total=False):
    """What may be known of a request before it is sent: `cache` as in `chat`, and the `place` that was reserved for it."""

    cache: bool | None
    place: Place | None


class RequestFields(TypedDict, total=False):
    """What a request may say beyond messages, prompt and options; see ChatRequest, and `chat` for `cache`."""

    session_id: str | None
    user_id: str | None
    strict_options: bool
    cache: bool | None


class Client:
    """Answers from any provider, by the model's name. Serves concurrent calls; close it, or use it as an async context manager.

    A model is named `provider/model`, by its id alone where a configured provider lists it, by a provider's name for that
    provider's default, by the name of a route, or by "" for the default of all.
    """

    def __init__(self, registry: Registry, *, shared: Shared | None = None) -> None:
        """`shared` is what several clients, and one after another, have in common: counts, who waits, and remembered answers."""
        self._registry = registry
        shared = shared or Shared(clock=registry.clock)
        self._resolved: dict[str, tuple[str, str]] = {}
        self._destinations: dict[str, Destination] = {}
        self._directory = Directory(registry)
        self._failover = Failover(clock=registry.clock, admission=shared.admission(registry))
        self._answers = shared.answers(registry)
        self._waiting = 0
        self._streams: WeakSet[AsyncGeneratorType[Any, None]] = WeakSet()

    @classmethod
    def from_config(
        cls, path: Path | str | None = None, *, environ: Mapping[str, str] | None = None, directory: Path | str | None = None
    ) -> Client:
        """A client for what `parley.toml`, `.env` and the environment configure.

        `path` names another file than ./parley.toml; `environ` and `directory` stand for the process's variables and working
        directory. Raises ConfigurationError with every problem at once.
        """
        registry = Registry.from_environment(path, environ=environ, directory=directory)
        registry.check()
        client = cls(registry)
        client._check_default()
        return client

    @property
    def registry(self) -> Registry:
        """The providers and their configuration."""
        return self._registry

    @property
    def idle(self) -> bool:
        """Whether no answer is on its way: a client that is replaced by another is closed then."""
        return not self._waiting and all(stream.ag_frame is None for stream in self._streams)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every provider. The client can be used again afterwards."""
        self._destinations.clear()
        self._directory = Directory(self._registry)
        await self._registry.aclose()

    def resolve(self, model: str = "") -> tuple[str, str]:
        """The provider and the model that a name means. Raises UnknownProviderError or UnknownModelError with a did-you-mean."""
        found = self._resolved.get(model)
        if found is None:
            found = resolve_model(self._registry, model)
            if len(self._resolved) < MAX_REMEMBERED_MODELS:
                self._resolved[model] = found
        return found

    async def chat(
        self,
        model: str = "",
        messages: Messages = (),
        *,
        system_prompt: str | None = None,
        options: Options | Mapping[str, Any] | None = None,
        **fields: Unpack[ChatFields],
    ) -> ChatResponse:
        """One whole answer. With callbacks it is streamed to them, else asked for in one piece.

        What a callback raises is raised as it is, and ends the call.
        """
        _refuse_unknown(fields, ChatFields, method="chat")
        cache = fields.pop("cache", None)
        callbacks = cast("Callbacks", fields)
        destination, asked = self._target(model, options)
        conversation = _conversation(messages)
        if not any(callback is not None for callback in callbacks.values()):
            return await self.generate(destination, _read(destination, conversation, system_prompt, asked), cache=cache)
        told = ToldCallbacks(
            callbacks.get("on_token"), callbacks.get("on_done"), callbacks.get("on_error"), on_restart=callbacks.get("on_restart")
        )
        self._waiting += 1
        try:
            batches = self._tellable(
                destination, lambda: _read(destination, conversation, system_prompt, asked), callbacks=callbacks, cache=cache
            )
            return await told.deliver(batches)
        finally:
            self._waiting -= 1

    def stream(
        self,
        model: str = "",
        messages: Messages = (),
        *,
        system_prompt: str | None = None,
        options: Options | Mapping[str, Any] | None = None,
        **fields: Unpack[RequestFields],
    ) -> AsyncIterator[Event]:
        """The answer as events, the last of them ResponseFinished with the whole reply. Leaving the iterator ends the request.

        Where a route fails over after the first token, a Restarted event comes: all events before it are void.
        """
        _refuse_unknown(fields, RequestFields, method="stream")
        destination, asked = self._target(model, options)
        request = _read(destination, _conversation(messages), system_prompt, asked)
        terms = Terms(cache=fields.pop("cache", None))
        batches = self._batches(destination, structs.replace(request, **fields) if fields else request, Trail(), terms)
        stream = _one_by_one(batches)
        self._streams.add(cast("AsyncGeneratorType[Any, None]", stream))
        return stream

    async def embed(
        self, model: str, texts: str | Sequence[str], *, options: EmbeddingOptions | Mapping[str, Any] | None = None
    ) -> Embeddings:
        """One vector per text, in order, with usage. A provider's name alone means its own embedding model; a string is one text.

        Raises UnsupportedFeatureError where the provider makes none, else as `chat` does.
        """
        given = dict(options) if isinstance(options, Mapping) else options
        request = read_embedding_request([texts] if isinstance(texts, str) else texts, given)
        provider, provider_model = self.embedder_for(model or request.options.model or "")
        asked = structs.replace(request, options=structs.replace(request.options, model=provider_model or None))
        return await self.embeddings(provider, asked)

    def embedder_for(self, model: str = "") -> tuple[GuardedProvider, str]:
        """The provider that a name means where vectors are wanted, and its own name of the model ("" means its default)."""
        name, provider_model = resolve_embedding_model(self._registry, model)
        return self._registry.get(name), provider_model

    async def embeddings(
        self, provider: GuardedProvider, request: EmbeddingRequest, *, on_retry: OnRetry | None = None, caller: Caller = NOBODY
    ) -> Embeddings:
        """The vectors for a request that is already in the contract's form, from a provider of `embedder_for`."""
        self._waiting += 1
        try:
            return await self._failover.embeddings(provider, request, on_retry=on_retry, caller=caller)
        finally:
            self._waiting -= 1

    def destination(self, model: str = "") -> Destination:
        """What a name stands for: a provider with its model, or a route. Raises as `resolve`, and what keeps it from answering at all."""
        found = self._destinations.get(model)
        if found is None:
            found = self._directory.destination(*self.resolve(model))
            if len(self._destinations) < MAX_REMEMBERED_MODELS:
                self._destinations[model] = found
        return found

    async def generate(
        self,
        destination: Destination,
        request: ChatRequest,
        *,
        trail: Trail | None = None,
        caller: Caller = NOBODY,
        cache: bool | None = None,
    ) -> ChatResponse:
        """The whole answer to a request that is already in the contract's form. `trail` is told who was tried; `cache` as in `chat`."""
        reply = ChatResponse()
        self._waiting += 1
        try:
            terms = Terms(caller=caller, whole=True, cache=cache)
            async with aclosing(self._batches(destination, request, trail or Trail(), terms)) as batches:
                async for batch in batches:
                    last = batch[-1]
                    if isinstance(last, ResponseFinished):
                        reply = last.response
        finally:
            self._waiting -= 1
        return reply

    async def reserve(self, destination: Destination, request: ChatRequest, *, caller: Caller, cache: bool | None = None) -> Place | None:
        """Room under all limits for a request that `stream_batches` will send; None where there is no need, or it has to wait.

        Raises a PolicyError for one that would be refused: before anything is stored or shown.
        """
        if self._answers is not None and self._key(self._answers, destination, request, Terms(caller=caller, cache=cache)) is not None:
            return None  # it may have been answered before, which counts for nothing
        return await self._failover.place(destination, request, caller)

    def stream_batches(
        self,
        destination: Destination,
        request: ChatRequest,
        *,
        trail: Trail | None = None,
        caller: Caller = NOBODY,
        on_cut: OnCut = "restart",
        **more: Unpack[Reserved],
    ) -> AsyncGenerator[list[Event], None]:
        """The same answer as events, as many at a time as arrived together; close it when you leave early.

        `on_cut` says what becomes of a route's answer that breaks off: a Restarted event and another answer, or an error.
        """
        stream = self._batches(destination, request, trail or Trail(), Terms(caller=caller, on_cut=on_cut, **more))
        self._streams.add(cast("AsyncGeneratorType[Any, None]", stream))
        return stream

    def providers(self) -> list[ProviderDescription]:
        """Every provider with its state, its models, and what configures it."""
        return self._registry.descriptions()

    async def test(self, name: str) -> ConnectionStatus:
        """Whether a provider can be reached and accepts its configuration; a fault is told in words, not raised."""
        try:
            provider = self._registry.get(name)
        except ParleyError as error:
            return ConnectionStatus(success=False, provider=name, error=error.message)
        return await provider.test_connection()

    def _batches(self, destination: Destination, request: ChatRequest, trail: Trail, terms: Terms) -> AsyncGenerator[list[Event], None]:
        answers = self._answers
        if answers is not None:
            key = self._key(answers, destination, request, terms)
            if key is not None:
                ask = partial(self._failover.batches, destination, request, trail=trail, terms=terms)
                return through(answers, key, ask, trail=trail)
        return self._failover.batches(destination, request, trail=trail, terms=terms)

    def _key(self, answers: AnswerCache, destination: Destination, request: ChatRequest, terms: Terms) -> str | None:
        targets = [destination.name, *(target.name for target in destination.targets)]
        return answers.key(request, tenant=terms.caller.tenant, targets=targets, wanted=terms.cache)

    async def _tellable(
        self, destination: Destination, read: Callable[[], ChatRequest], *, callbacks: Callbacks, cache: bool | None
    ) -> AsyncGenerator[list[Event], None]:
        """Batches for callbacks: without one that takes tokens back, none is told that might be void."""
        request = read()
        takes_back = callbacks.get("on_restart") is not None or callbacks.get("on_token") is None
        holds = not takes_back and destination.stream_guard == "hold"
        terms = Terms(on_cut="restart" if takes_back or holds else "error", cache=cache)
        batches = self._batches(destination, request, Trail(), terms)
        async with aclosing(held(batches) if holds else batches) as told:
            async for batch in told:
                yield batch

    def _target(self, model: str, options: Options | Mapping[str, Any] | None) -> tuple[Destination, Options | Mapping[str, Any]]:
        """Whom to ask, and the options with the model in them."""
        in_options = options.model if isinstance(options, Options) else options.get("model") if isinstance(options, Mapping) else None
        destination = self.destination(model or in_options or "")
        if isinstance(options, Options):
            return destination, structs.replace(options, model=destination.model or None)
        if options is None:
            return destination, Options(model=destination.model or None)
        return destination, {**options, "model": destination.model or None}

    def _check_default(self) -> None:
        """A default that means nothing is told at start-up, not at the first request."""
        if (problem := default_problem(self._registry)) is not None:
            raise ConfigurationError(f"{problem.path}: {problem.message}", fields=[problem])


def _refuse_unknown(given: Mapping[str, object], known: type, *, method: str) -> None:
    """An argument that the method does not have, told with the place where it belongs."""
    for name in given:
        if name not in known.__annotations__:
            in_options = f'; write options={{"{name}": …}}'
            hint = in_options if name in Options.__struct_fields__ else f".{did_you_mean(name, known.__annotations__)}"
            problem = f"is no argument of {method}{hint}"
            raise InvalidRequestError(f"{name}: {problem}", fields=[FieldProblem(path=name, message=problem)])


def _read(
    destination: Destination,
    messages: Sequence[Message | Mapping[str, Any]],
    system_prompt: str | None,
    options: Options | Mapping[str, Any],
) -> ChatRequest:
    try:
        return read_request(messages, system_prompt=system_prompt, options=options)
    except CallerError as error:
        adopt(error, provider=destination.name, model="")
        raise


async def _one_by_one(batches: AsyncGenerator[list[Event], None]) -> AsyncGenerator[Event, None]:
    async with aclosing(batches):
        async for batch in batches:
            for event in batch:
                yield event


def _conversation(messages: Messages) -> Sequence[Message | Mapping[str, Any]]:
    return [Message(role="user", content=messages)] if isinstance(messages, str) else messages
