"""Makes real exchanges with a provider, through a proxy on this machine, and saves them. Knows no wire and no vendor."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Collection, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, TypeAlias

from msgspec import Struct, structs

from parley.contract.capabilities import Capabilities
from parley.contract.config import Config
from parley.contract.errors import (
    CallerError,
    ConfigurationError,
    FieldProblem,
    InvalidRequestError,
    ParleyError,
    ProtocolError,
    UnsupportedFeatureError,
)
from parley.contract.events import ResponseFinished
from parley.contract.response import ChatResponse
from parley.guard.guarded import GuardedProvider
from parley.guard.suggestions import did_you_mean
from parley.registry.loading import Registry
from parley.testing.exchanges import SUBJECTS, WRONG_KEY, Exchange, plan
from parley.testing.recording_files import Origin, check_folder, document_of, host_of, save, slug, stream_format
from parley.testing.recording_proxy import Passed, RecordingProxy
from parley.transport.settings import ConnectionSettings

Verdict: TypeAlias = Literal["saved", "doubtful", "failed", "left out"]

_CREDENTIAL_VARIABLE = re.compile(r"(?i)(?:^|_)(?:key|token|secret|password|credentials?)s?$")
_CREDENTIAL_HEADER = re.compile(r"(?i)authorization|.*-key|.*-token|cookie")
_SHORTEST_UNNAMED_SECRET = 8


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of one exchange. "doubtful" is saved, but not what was hoped for: `reason` says why, as where it failed."""

    name: str
    verdict: Verdict
    kind: str = ""
    status: int | None = None
    seconds: float = 0.0
    files: list[Path] = []
    reason: str = ""


class Session(Struct, frozen=True, kw_only=True):
    """A recording session, prepared: nothing has been sent yet. `left_out` says what will not be asked, and why."""

    registry: Registry
    provider: str
    label: str
    model: str
    endpoint: str
    key_origin: str | None
    exchanges: list[Exchange]
    left_out: dict[str, str]
    folder: Path
    origin: Origin
    settings: ConnectionSettings


class NothingPassedError(InvalidRequestError):
    """The provider answered, or failed, without a request to its endpoint: there is nothing to record."""


def prepare(registry: Registry, name: str, *, folder: Path, model: str | None = None, only: Collection[str] = ()) -> Session:
    """Decide what to ask of the provider of this name, and check everything that can be checked before a request costs something.

    Raises UnknownProviderError, MissingCredentialError, ConfigurationError, InvalidRequestError (no model, no endpoint, unknown subject).
    """
    _check_subjects(only)
    provider = registry.load(name)
    description = registry.describe(name)
    config = provider.config
    if config is None:
        raise _nothing_passed(name, "takes no configuration, so it")
    endpoint = config.endpoint.rstrip("/")
    fields = {field.name: field for field in description.fields}
    if not endpoint:
        raise _no_endpoint(name)
    if not (chosen := model or description.model):
        problem = f"no model was named for {name}; name one with --model"
        raise InvalidRequestError(problem, provider=name, fields=[FieldProblem(path="--model", message="is missing")])
    own = next((known.capabilities for known in provider.models if known.id == chosen), Capabilities())
    exchanges, left_out = plan(own.over(provider.capabilities), model=chosen, has_key=bool(config.api_key), only=only)
    check_folder(folder)
    wire = registry.wire(name)
    return Session(
        registry=registry,
        provider=name,
        label=description.label,
        model=chosen,
        endpoint=endpoint,
        key_origin=fields["api_key"].origin if "api_key" in fields and config.api_key else None,
        exchanges=exchanges,
        left_out=left_out,
        folder=folder,
        origin=Origin(
            provider=name,
            wire_family=(wire.name if wire is not None else name).replace("_", "-"),
            host=host_of(endpoint, fields["endpoint"].default if "endpoint" in fields else ""),
            secrets=frozenset(_secrets(registry, config)),
        ),
        settings=ConnectionSettings(proxy=config.proxy, ca_file=config.ca_file),
    )


async def record(session: Session) -> AsyncGenerator[Outcome, None]:
    """Make the exchanges one after the other and save each. What goes wrong with one is in its outcome and stops no other.

    Raises NothingPassedError where the provider talks to its vendor without its endpoint: no further request is made then.
    """
    async with RecordingProxy(session.endpoint, session.settings) as proxy, AsyncExitStack() as open_providers:
        providers: dict[bool, GuardedProvider] = {}
        for exchange in session.exchanges:
            if exchange.wrong_key not in providers:
                settings: dict[str, Any] = {"endpoint": proxy.url, "proxy": ""} | ({"api_key": WRONG_KEY} if exchange.wrong_key else {})
                provider = session.registry.load(session.provider, settings)
                providers[exchange.wrong_key] = await open_providers.enter_async_context(provider)
            yield await _recorded(session, exchange, providers[exchange.wrong_key], proxy)


async def _recorded(session: Session, exchange: Exchange, provider: GuardedProvider, proxy: RecordingProxy) -> Outcome:
    started = perf_counter()
    reply, error = await _asked(provider, exchange)
    seconds = perf_counter() - started
    passed = await proxy.take()
    if not passed:
        if isinstance(error, CallerError):
            verdict: Verdict = "left out" if isinstance(error, UnsupportedFeatureError) else "failed"
            return Outcome(name=exchange.name, verdict=verdict, kind=exchange.kind, reason=error.message)
        raise _nothing_passed(session.provider)
    last = passed[-1]
    outcome = Outcome(name=exchange.name, verdict="failed", kind=exchange.kind, status=last.status or None, seconds=seconds)
    if reason := _why_not(exchange, last, error):
        return _with(outcome, reason=reason)
    kind, doubt = _shown(exchange, reply, error)
    try:
        files = [_saved(session, exchange, each, kind=kind, doubt=doubt) for each in passed if each.whole]
    except ParleyError as refused:
        return _with(outcome, reason=refused.message)
    return _with(outcome, verdict="doubtful" if doubt else "saved", kind=files[-1].parent.name, files=files, reason=doubt)


def _with(outcome: Outcome, **changes: Any) -> Outcome:
    return structs.replace(outcome, **changes)


async def _asked(provider: GuardedProvider, exchange: Exchange) -> tuple[ChatResponse | None, ParleyError | None]:
    """The reply, or the error that came instead. Asked once: what is tried again would be two exchanges."""
    try:
        if not exchange.streamed:
            return await provider.generate(exchange.request, attempts=1), None
        reply: ChatResponse | None = None
        async for event in provider.stream(exchange.request, attempts=1):
            if isinstance(event, ResponseFinished):
                reply = event.response
    except ParleyError as error:
        return None, error
    return reply, None


def _why_not(exchange: Exchange, last: Passed, error: ParleyError | None) -> str:
    """Why what passed is not worth keeping; empty where it is."""
    if last.failure is not None:
        return last.failure.message
    if not last.whole:
        return "the answer did not come to its end, or is too large to keep"
    if exchange.fails:
        return "" if error is not None else "it answered all the same: there is no error to record"
    if error is not None and not (isinstance(error, ProtocolError) and last.status < 300):
        return error.message
    return ""


def _shown(exchange: Exchange, reply: ChatResponse | None, error: ParleyError | None) -> tuple[str, str]:
    """The kind that the exchange shows, without `-stream`, and what is doubtful about it."""
    if exchange.fails:
        return exchange.kind, ""
    if reply is None:
        return exchange.kind, f"the provider could not read it: {error.message if error else 'it ended without a reply'}"
    kind = exchange.shown_by(reply)
    if kind != exchange.kind:
        return kind, "the model did not call the tool" if exchange.kind == "tools" else "no reasoning came with it"
    return kind, f"it was cut at {exchange.max_tokens} tokens" if reply.finish_reason == "length" else ""


def _saved(session: Session, exchange: Exchange, passed: Passed, *, kind: str, doubt: str) -> Path:
    if stream_format(passed) is not None:
        kind = "stream" if kind == "generate" else f"{kind}-stream"
    secrets = session.origin.secrets if exchange.wrong_key else session.origin.secrets | _credentials_of(passed)
    origin = structs.replace(session.origin, secrets=secrets)
    model = exchange.request.options.model or session.model
    document = document_of(passed, origin, kind=kind, model=model, notes=[doubt] if doubt else [])
    return save(document, session.folder, name=f"{exchange.name}-{slug(session.model)}", secrets=secrets)


def _secrets(registry: Registry, config: Config) -> Iterable[str]:
    """Whatever is known to be secret here: of all providers, and in variables that are called like a credential.

    A mere word is none, though it may stand where a key does: a local server is often given one.
    """
    variables = (name for name in registry.environment.names() if _CREDENTIAL_VARIABLE.search(name))
    named = (registry.environment.get(name) or "" for name in variables)
    known = [*config.secrets(), *registry.secrets(), *(value for value in named if len(value) >= _SHORTEST_UNNAMED_SECRET)]
    return (value for value in known if not (value.isalpha() and len(value) < _SHORTEST_UNNAMED_SECRET))


def _credentials_of(passed: Passed) -> frozenset[str]:
    """What the request proved its right with; it may have been made a moment ago and be configured nowhere."""
    values = (value for name, value in passed.request.headers.items() if _CREDENTIAL_HEADER.fullmatch(name))
    words = (word for value in values for word in value.split())
    return frozenset(word for word in words if len(word) >= _SHORTEST_UNNAMED_SECRET)


def _check_subjects(only: Collection[str]) -> None:
    for subject in only:
        if subject not in SUBJECTS:
            problem = f"knows no {subject!r}; known are {', '.join(SUBJECTS)}.{did_you_mean(subject, SUBJECTS)}"
            raise InvalidRequestError(f"--only {problem}", fields=[FieldProblem(path="--only", message=problem)])


def _no_endpoint(name: str) -> ConfigurationError:
    variable = f"{name.upper().replace('-', '_')}_ENDPOINT"
    return ConfigurationError(
        f"{name} has no endpoint, and only what passes through one can be recorded; if it has a base URL, set {variable}",
        provider=name,
        fields=[FieldProblem(path=variable, message="is not set")],
    )


def _nothing_passed(name: str, why: str = "") -> NothingPassedError:
    who = f"nothing would pass through; {name} {why}" if why else f"nothing passed through; {name}"
    return NothingPassedError(
        f"{who} does not use its endpoint: there is nothing to record. "
        "A provider that is to be recorded sends its requests to `config.endpoint`",
        provider=name,
    )
