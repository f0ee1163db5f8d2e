"""A provider as its callers see it: whatever its author wrote, the contract holds. Knows no vendor, no route and no socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from functools import partial
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeAlias, TypeVar

from msgspec import Struct, structs

from parley.contract.capabilities import Capabilities, Model
from parley.contract.embeddings import EmbeddingOptions, EmbeddingRequest, Embeddings
from parley.contract.errors import (
    CallerError,
    ConfigurationError,
    InvalidRequestError,
    ModelNotFoundError,
    ParleyError,
    UnsupportedFeatureError,
)
from parley.contract.events import Event, ResponseFinished
from parley.contract.messages import Message
from parley.contract.options import Options, Timeouts
from parley.contract.provider import Provider
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, ConnectionStatus
from parley.guard.advice import advice_for
from parley.guard.appraisal import Appraiser
from parley.guard.call import Call, Plan, Surroundings, Way
from parley.guard.callbacks import Callback, Callbacks
from parley.guard.checks import invalid
from parley.guard.clock import Clock, LoopClock
from parley.guard.conduct import Conduct, Violation
from parley.guard.declarations import check_declaration
from parley.guard.drivers import ways_of
from parley.guard.embedding import ask_all, asker, batches, check_embedding_request, joined, read_embedding_request, settle
from parley.guard.faults import adopt, reword
from parley.guard.features import check_extra, fit_request, missing_features
from parley.guard.preflight import check_request, read_request
from parley.guard.retry import RetryBudget, RetryPolicy
from parley.guard.seed_style import SeedStyleProvider
from parley.guard.suggestions import did_you_mean
from parley.guard.tasks import supervise
from parley.guard.timers import TimeLimits, resolve, table_column
from parley.guard.tokens import FamilyTokenCounter, TokenCounter
from parley.telemetry import get_logger, scrub

CONNECTION_TEST_SECONDS = 30.0

_Given = ParamSpec("_Given")
_Result = TypeVar("_Result")
OnRetry: TypeAlias = Callable[[ParleyError], None]
_logger = get_logger(__name__)


def guard(
    provider: Any,
    *,
    clock: Clock | None = None,
    token_counter: TokenCounter | None = None,
    retry: RetryPolicy | None = None,
    name: str | None = None,
) -> GuardedProvider:
    """The provider, guarded; one that already is comes back as it is.

    `provider` is a `Provider`, or any object with the seed's methods. Raises ConfigurationError where it is neither.
    """
    if isinstance(provider, GuardedProvider):
        return provider
    return GuardedProvider(provider, clock=clock, token_counter=token_counter, retry=retry, name=name)


class GuardedProvider:
    """What `load_provider` returns. One instance serves concurrent calls; every error is a ParleyError with provider and model."""

    def __init__(
        self,
        provider: Any,
        *,
        clock: Clock | None = None,
        token_counter: TokenCounter | None = None,
        retry: RetryPolicy | None = None,
        name: str | None = None,
    ) -> None:
        if isinstance(provider, type):
            raise ConfigurationError(f"{provider.__name__} is a class; give an instance of it")
        self._provider: Provider = provider if isinstance(provider, Provider) else SeedStyleProvider(provider)
        self.name = name or self._provider.name
        if not self.name:
            raise ConfigurationError(f"{type(provider).__name__} has no name; set `name` to a string such as 'my-provider'")
        check_declaration(self._provider)
        self._clock = clock or LoopClock()
        self._conduct = Conduct(self.name)
        self._surroundings = Surroundings(
            provider=self.name, clock=self._clock, counter=token_counter or FamilyTokenCounter(), conduct=self._conduct
        )
        self._retry = retry or RetryPolicy()
        self._closed = False
        self._streamed, self._complete = ways_of(self._provider)
        self._abilities = {model.id: _Abilities(model.capabilities.over(self.capabilities)) for model in self.models}
        self._general = _Abilities(self.capabilities)
        self.label = self._provider.label or self.name
        self.description = self._provider.description
        self.limits = self._provider.limits
        self.timeouts = self._provider.timeouts
        self.docs_url = self._provider.docs_url
        self.local = self._provider.local
        self.config = self._provider.config
        self.contract_version = self._provider.contract_version
        self.extra_options = self._provider.extra_options
        configured = () if self.config is None else (self.config.timeouts,)
        self._own_timeouts = (*configured, self.timeouts)
        self._known_limits: dict[TimeLimits, tuple[TimeLimits, Timeouts]] = {}

    @property
    def capabilities(self) -> Capabilities:
        """What the provider declares, for all its models."""
        return self._provider.capabilities

    @property
    def models(self) -> Sequence[Model]:
        """The models that the provider declares."""
        return self._provider.models

    @property
    def appraiser(self) -> Appraiser | None:
        """Who says what its replies cost; None where nobody does."""
        return self._surroundings.appraiser

    def appraised_by(self, appraiser: Appraiser) -> None:
        """From the next call on, replies get the cost that this says."""
        self._surroundings = structs.replace(self._surroundings, appraiser=appraiser)

    @property
    def embedding_models(self) -> Sequence[Model]:
        """The models that the provider declares for embeddings; the first is its default."""
        return self._provider.embedding_models

    @property
    def violations(self) -> Sequence[Violation]:
        """Where the provider broke the contract, the first hundred times."""
        return tuple(self._conduct.violations)

    @property
    def orphans(self) -> frozenset[asyncio.Future[Any]]:
        """Cancelled calls that still run."""
        return frozenset(self._conduct.orphans)

    def __repr__(self) -> str:
        return f"GuardedProvider({self.name!r})"

    async def stream(self, request: ChatRequest, *, attempts: int | None = None) -> AsyncGenerator[Event, None]:
        """The answer as events, the last a ResponseFinished with the whole reply. `attempts` limits the tries of this target.

        Raises CallerError before I/O, else what went wrong, with the reply so far in `partial`.
        """
        async with aclosing(self.stream_batches(request, attempts=attempts)) as batches:
            async for batch in batches:
                for event in batch:
                    yield event

    def stream_batches(
        self, request: ChatRequest, *, attempts: int | None = None, on_retry: OnRetry | None = None
    ) -> AsyncGenerator[list[Event], None]:
        """The same events as `stream`, as many at a time as arrived together, for who passes them on; close it when you leave early.

        `on_retry` is told what went wrong before each further attempt.
        """
        return self._batches(self._valid(check_request, request), self._streamed, Terms(attempts=attempts, on_retry=on_retry))

    def attempt(self, request: ChatRequest, *, whole: bool, started_at: float, has_fallback: bool) -> AsyncGenerator[list[Event], None]:
        """One try, for who counts the tries and knows other targets: batches as in `stream_batches`, `whole` asks for one piece.

        The request began at `started_at` of the guard's clock, which its total limit and time to first token count from.
        """
        way = self._complete if whole else self._streamed
        return self._batches(self._valid(check_request, request), way, Terms(attempts=1, started_at=started_at, has_fallback=has_fallback))

    def check_sendable(self, request: ChatRequest) -> None:
        """Refuse a valid request that would be refused before anything is sent. Raises CallerError."""
        self._valid(self._plan, self._valid(check_request, request), self._streamed)

    async def generate(self, request: ChatRequest, *, attempts: int | None = None, on_retry: OnRetry | None = None) -> ChatResponse:
        """The answer, whole. Raises as `stream` does; `on_retry` as in `stream_batches`."""
        return await self._whole(self._valid(check_request, request), Terms(attempts=attempts, on_retry=on_retry))

    async def stream_response(
        self,
        *,
        messages: Sequence[Message | dict[str, Any]],
        system_prompt: str | None = None,
        options: Options | dict[str, Any] | None = None,
        on_token: Callback = None,
        on_done: Callback = None,
        on_error: Callback = None,
    ) -> ChatResponse:
        """The answer as it comes: `on_token(text)` for each piece, then `on_done(reply)`, or `on_error(error)` before it is raised."""
        callbacks = Callbacks(on_token, on_done, on_error)
        return await callbacks.deliver(self._read_and_stream(messages, system_prompt, options))

    async def generate_response(
        self,
        *,
        messages: Sequence[Message | dict[str, Any]],
        system_prompt: str | None = None,
        options: Options | dict[str, Any] | None = None,
    ) -> ChatResponse:
        """The answer, whole."""
        return await self._whole(self._valid(read_request, messages, system_prompt=system_prompt, options=options), Terms())

    async def test_connection(self) -> ConnectionStatus:
        """Whether it can be reached and accepts the configuration; `error` says what a person can do. Raises no provider's fault."""
        started_at = self._clock.now()
        try:
            status = await self._test()
        except ParleyError as error:
            problem = advice_for(error, provider=self.name, configured=self.config is not None)
            return ConnectionStatus(success=False, provider=self.name, error=problem)
        latency = status.latency_ms
        if latency is None and status.success:
            latency = round((self._clock.now() - started_at) * 1000, 3)
        problem = (
            None
            if status.success
            else scrub(status.error or f"{self.name} gives no reason; see its documentation {self.docs_url}".rstrip())
        )
        return ConnectionStatus(success=status.success, provider=self.name, error=problem, latency_ms=latency)

    async def list_models(self) -> Sequence[Model]:
        """The models on offer now. Raises UnsupportedFeatureError where the provider has no such list."""
        self._valid(self._refuse_if_closed)
        return await self._supervised(self._provider.list_models())

    async def embed(self, texts: Sequence[str], options: EmbeddingOptions | dict[str, Any] | None = None) -> list[list[float]]:
        """One vector per text, in order, in as many calls as the vendor's limits ask for. `options`: see EmbeddingOptions.

        Raises UnsupportedFeatureError where the provider makes none, else as a chat does.
        """
        return (await self.embeddings(self._valid(read_embedding_request, texts, options))).vectors

    async def embeddings(self, request: EmbeddingRequest, *, on_retry: OnRetry | None = None) -> Embeddings:
        """The same with usage and the vendor's word for the model. A call that fails is tried again by itself, as a chat is."""
        self._valid(self._refuse_if_closed)
        request = self._valid(check_embedding_request, request)
        model = request.options.model or next((known.id for known in self.embedding_models), "") or self._default_model()
        request = structs.replace(request, options=structs.replace(request.options, model=model or None))
        self._valid(self._check_embeds)
        calls = batches(request, self._provider.max_embedding_texts(model))
        return joined(await ask_all(calls, partial(self._embed_once, on_retry=on_retry)))

    async def count_tokens(self, request: ChatRequest) -> int:
        """The prompt's tokens as the vendor counts. Raises UnsupportedFeatureError where it does not."""
        plan = self._valid(self._plan, self._valid(check_request, request), self._complete)
        return await self._supervised(self._provider.count_tokens(plan.request))

    def estimate_tokens(self, request: ChatRequest) -> int:
        """The prompt's tokens as nearly as they can be told without asking the vendor."""
        plan = self._valid(self._plan, self._valid(check_request, request), self._complete)
        return self._surroundings.counter.count_prompt(plan.request, model=plan.request.options.model or "")

    def wire_of(self, model: str) -> str:
        """The name of the wire that is spoken with this model, as in `provider_data.wire`; empty where there is none."""
        return self._provider.wire_of(model)

    async def aclose(self) -> None:
        """Give back what the provider holds; more than once is once. Afterwards every call is refused with InvalidRequestError."""
        if self._closed:
            return
        self._closed = True
        await self._supervised(self._provider.aclose())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.aclose()

    async def _read_and_stream(self, messages: Any, system_prompt: Any, options: Any) -> AsyncGenerator[list[Event], None]:
        request = self._valid(read_request, messages, system_prompt=system_prompt, options=options)
        async with aclosing(self._batches(request, self._streamed, Terms())) as batches:
            async for batch in batches:
                yield batch

    async def _whole(self, request: ChatRequest, terms: Terms) -> ChatResponse:
        reply = ChatResponse()
        async with aclosing(self._batches(request, self._complete, terms)) as batches:
            async for batch in batches:
                if isinstance(batch[-1], ResponseFinished):
                    reply = batch[-1].response
        return reply

    async def _batches(self, request: ChatRequest, way: Way, terms: Terms) -> AsyncGenerator[list[Event], None]:
        """The events of the first attempt that delivers any."""
        plan = self._valid(self._plan, request, way, terms)
        started_at = self._clock.now() if terms.started_at is None else terms.started_at
        budget = RetryBudget(self._retry, tries=terms.attempts, ends_at=started_at + plan.limits.total)
        while True:
            call = Call(plan, self._surroundings, started_at=started_at)
            try:
                while batch := await call.next_batch():
                    yield batch
            except ParleyError as error:
                delay = None if call.delivered or self._closed else budget.delay_after(error, now=self._clock.now())
                if delay is None:
                    self._suggest_model(error)
                    raise
                _logger.info("trying again", provider=self.name, model=error.model, code=error.code, delay_seconds=delay)
                if terms.on_retry is not None:
                    terms.on_retry(error)
            else:
                return
            finally:
                await call.close()
            await self._clock.sleep(delay)

    async def _embed_once(self, request: EmbeddingRequest, *, on_retry: OnRetry | None) -> Embeddings:
        """One call, tried again where that may help."""
        column = table_column(local=self.local, capabilities=self.capabilities, options=Options())
        total = resolve(column, request.options.timeouts, *self._own_timeouts).total
        budget = RetryBudget(self._retry, ends_at=self._clock.now() + total)
        ask = asker(self._provider)
        while True:
            try:
                found = await self._supervised(ask(request), seconds=total)
                return settle(found, request, provider=self.name, counter=self._surroundings.counter)
            except ParleyError as error:
                adopt(error, provider=self.name, model=request.options.model or "")
                delay = None if self._closed else budget.delay_after(error, now=self._clock.now())
                if delay is None:
                    raise
                if on_retry is not None:
                    on_retry(error)
            await self._clock.sleep(delay)

    def _check_embeds(self) -> None:
        if self.capabilities.embeddings is False:
            raise UnsupportedFeatureError(f"{self.name} makes no embeddings; choose another provider for them")

    def _valid(self, check: Callable[_Given, _Result], *given: _Given.args, **named: _Given.kwargs) -> _Result:
        """What a check makes of the caller's words; its error says whom they were meant for."""
        try:
            return check(*given, **named)
        except CallerError as error:
            adopt(error, provider=self.name, model="")
            raise

    def _plan(self, request: ChatRequest, way: Way, terms: Terms | None = None) -> Plan:
        self._refuse_if_closed()
        terms = terms or _ALONE
        attempts: Any = terms.attempts
        if attempts is not None and (not isinstance(attempts, int) or attempts < 1):
            invalid("attempts", f"is {attempts!r}; expected a whole number, at least 1")
        model = request.options.model or self._default_model()
        abilities = self._abilities.get(model, self._general)
        limits, timeouts = self._limits(request.options, abilities.capabilities, has_fallback=terms.has_fallback)
        request = structs.replace(request, options=structs.replace(request.options, model=model or None, timeout=timeouts))
        if request.options.extra:
            check_extra(request.options.extra, self.extra_options, provider=self.name)
        request, warnings = fit_request(request, abilities.missing, provider=self.name)
        return Plan(
            request=request,
            way=self._complete if abilities.capabilities.streaming is False else way,
            limits=limits,
            warnings=warnings,
            usage_declared=bool(abilities.capabilities.usage),
        )

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise InvalidRequestError(f"{self.name} was closed; load it again")

    def _limits(self, options: Options, capabilities: Capabilities, *, has_fallback: bool = False) -> tuple[TimeLimits, Timeouts]:
        column = table_column(local=self.local, capabilities=capabilities, options=options, has_fallback=has_fallback)
        if options.timeout is not None:
            limits = resolve(column, options.timeouts, *self._own_timeouts)
            return limits, limits.as_timeouts()
        known = self._known_limits.get(column)
        if known is None:
            limits = resolve(column, *self._own_timeouts)
            known = self._known_limits[column] = (limits, limits.as_timeouts())
        return known

    def _default_model(self) -> str:
        configured = getattr(self.config, "model", "")
        if isinstance(configured, str) and configured:
            return configured
        # Where there is none, the provider says so, unless its author's code needs no model at all.
        return self.models[0].id if self.models else ""

    def _suggest_model(self, error: ParleyError) -> None:
        if isinstance(error, ModelNotFoundError) and error.model:
            known = [model.id for model in self.models if model.id != error.model]
            suggestion = did_you_mean(error.model, known)
            if suggestion and suggestion not in error.message:
                reword(error, error.message.rstrip(".") + "." + suggestion)

    async def _test(self) -> ConnectionStatus:
        self._refuse_if_closed()
        try:
            return await self._supervised(self._provider.test_connection(), seconds=CONNECTION_TEST_SECONDS)
        except UnsupportedFeatureError:
            limits = Timeouts(total=CONNECTION_TEST_SECONDS)
            options = Options(max_tokens=1, timeout=limits)
            await self.generate(ChatRequest(messages=[Message(role="user", content="Hi")], options=options), attempts=1)
            return ConnectionStatus(success=True, provider=self.name)

    async def _supervised(self, work: Coroutine[Any, Any, _Result], *, seconds: float | None = None) -> _Result:
        limit = seconds or self._limits(Options(), self.capabilities)[0].total
        return await supervise(work, limit, clock=self._clock, conduct=self._conduct)


class Terms(Struct, frozen=True, kw_only=True):
    """On what terms a provider is asked; see `stream_batches` and `attempt`."""

    attempts: int | None = None
    on_retry: OnRetry | None = None
    started_at: float | None = None
    has_fallback: bool = False


_ALONE = Terms()


class _Abilities:
    """What one model can do, worked out once."""

    __slots__ = ("capabilities", "missing")

    def __init__(self, capabilities: Capabilities) -> None:
        self.capabilities = capabilities
        self.missing = missing_features(capabilities)
