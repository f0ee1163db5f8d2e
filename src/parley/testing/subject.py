"""A provider under test: how to make guarded instances of it against a local server, and what that server answers. Judges nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Generator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from parley.contract.capabilities import Capabilities
from parley.contract.codec import Codec
from parley.contract.config import Config, ConfigField, config_fields
from parley.contract.errors import ConfigurationError, InvalidRequestError, ParleyError
from parley.contract.provider import Provider
from parley.contract.response import ChatResponse
from parley.guard.conduct import Violation
from parley.guard.guarded import GuardedProvider, guard
from parley.guard.retry import RetryPolicy
from parley.registry.definition import Definition, UnusableProviderError
from parley.registry.discovery import BUILT_IN
from parley.testing.derived_samples import derive_sample
from parley.testing.locating import locate
from parley.testing.offline import kept_offline
from parley.testing.payload_diff import sample_value
from parley.testing.recordings import Recording, load_recording, recordings_of
from parley.testing.replay import Answer, ReplayServer
from parley.testing.samples import MODEL, WRITERS, Sample, sample_of
from parley.transport.http_provider import HttpProvider

CANARY = "canary-5f1e0c0ffee5ecre7-of-the-kit"
"""The key that every provider under test is given; wherever it comes to light it has leaked."""
MESSAGES = [{"role": "user", "content": "Hello"}]
Form: TypeAlias = Literal["stream", "complete"]
Observation: TypeAlias = Literal["http", "direct", "none"]
"""How its calls are seen: its requests reach a local server whose answers are known; it answers by itself; or not at all."""

PROBE_SECONDS = 20

_NOWHERE = "http://127.0.0.1:9/v1"
_UNAVAILABLE = Answer(status=503, headers={"content-type": "application/json"}, body=b'{"error": {"message": "nobody is here"}}')


class Served(Struct, frozen=True, kw_only=True):
    """A local server, the guarded provider that asks it, what its author wrote, and where else that wanted to connect."""

    server: ReplayServer
    provider: GuardedProvider
    author: Any
    outside: list[str]


class Subject:
    """See `subject_of`. `prepare` finds out how it can be observed; the rules look at it after that. `api` names the one of a dialect's
    APIs that it speaks; empty: the one it speaks unasked.
    """

    def __init__(
        self, definition: Definition, *, recordings: Sequence[Recording], damaged: Sequence[str], wire: str | None, api: str = ""
    ) -> None:
        self.api = api
        self.definition = definition
        self.name = definition.name
        self.recordings = recordings
        self.damaged = damaged
        """Files that were given as recordings and are none, each with the reason."""
        self.observation: Observation = "none"
        self.needs = ""
        """What is missing where the observation is "none", or where rules about its wire cannot be run."""
        self.sample: Sample | None = sample_of(wire) if wire else None
        self.forms: dict[Form, Form] = {"stream": "stream", "complete": "complete"}
        """In which form it wants the answer to either call; a class may ask for a stream, or a whole answer, for both."""
        self.violations: list[Violation] = []
        self._prepared = False
        self.model = MODEL
        """What is asked for: a model that no list knows, but of a class its own."""
        self.author = self._create(endpoint=_NOWHERE, key=CANARY)
        """An instance that nobody asks anything."""
        if self.codec is None and (own := self._own_model()):
            self.model = own
            self.author = self._create(endpoint=_NOWHERE, key=CANARY)
        if self.sample is None and self.codec is not None:
            self.sample = sample_of(self.codec.name)

    @cached_property
    def others(self) -> Sequence[Subject]:
        """The same dialect by each further API that it speaks. Recordings are of the first."""
        apis: Mapping[str, Codec] = self.author.dialect.apis if isinstance(self.author, HttpProvider) and not self.api else {}
        return [Subject(self.definition, recordings=(), damaged=(), wire=None, api=api) for api in apis]

    @property
    def codec(self) -> Codec | None:
        """The codec of a dialect; None for a class."""
        return self.author.wire if isinstance(self.author, HttpProvider) else None

    @property
    def has_wire_of_its_own(self) -> bool:
        """Whether its codec is not one of those that ship, as they ship."""
        return self.codec is not None and not type(self.codec).__module__.startswith("parley.wire.")

    @property
    def is_plain(self) -> bool:
        """Whether it is a class in the style of the migration guide, which knows no errors but its language's own."""
        return not isinstance(self.author, Provider)

    @property
    def capabilities(self) -> Capabilities:
        """What it declares, over what its wire does."""
        declared = getattr(self.author, "capabilities", None)
        return declared if isinstance(declared, Capabilities) else Capabilities()

    @property
    def known(self) -> Sample:
        """The sample, where `cannot` has said that there is one."""
        if self.sample is None:
            raise LookupError(f"nothing is known of what {self.name} is answered")
        return self.sample

    @property
    def speaks_a_shipped_wire(self) -> bool:
        """Whether its sample is one that Parley wrote, so that all it says is known."""
        return self.sample is not None and self.sample.wire in WRITERS

    def streamed(self, **changes: Any) -> list[Answer]:
        """What the server answers to a call that streams; nothing where it is never asked. `changes` are fields of the Answer."""
        return [self.answer("stream", **changes)] if self.sample is not None else []

    def complete(self) -> list[Answer]:
        """What the server answers to a complete call."""
        return [self.answer("complete")] if self.sample is not None else []

    def answer(self, call: Form, *, tools: bool = False, **changes: Any) -> Answer:
        """The sample's text, or its tool call, in the form in which this call wants it."""
        if self.form_of(call) == "stream":
            return self.known.tool_streamed() if tools else self.known.streamed(**changes)
        return self.known.tool_called() if tools else self.known.complete()

    def form_of(self, call: Form) -> Form:
        """In which form the answer to this call comes."""
        return self.forms["complete" if self.capabilities.streaming is False else call]

    def cannot(self, what: Form | Literal["watch", "pieces"]) -> str:
        """What is missing for a rule that needs a call of this kind, its requests ("watch"), or a stream in "pieces"; empty: nothing."""
        if self.observation == "none":
            return self.needs
        if self.observation == "direct":
            return "requests to a server; it answers by itself" if what in {"watch", "pieces"} else ""
        if what == "watch":
            return ""
        form = self.form_of("complete" if what == "complete" else "stream")
        if what == "pieces" and form == "complete":
            return "a stream; it asks for whole answers only"
        there, kind = (self.known.text_events, "stream") if form == "stream" else (self.known.text_complete, "generate")
        return "" if there else f"a recording of the kind {kind}"

    def unguarded(self, endpoint: str) -> Any:
        """What its author wrote, asking there."""
        return self._create(endpoint=endpoint, key=CANARY)

    def guarded(self, endpoint: str) -> GuardedProvider:
        """A guarded instance that asks there, without a second try; whoever takes it closes it."""
        return self._guarded(self.unguarded(endpoint))

    def _guarded(self, author: Any) -> GuardedProvider:
        return guard(author, retry=RetryPolicy(tries=1), name=self.name)

    @asynccontextmanager
    async def serve(self, *answers: Answer | Recording, endpoint: str | None = None, key: str = CANARY) -> AsyncGenerator[Served]:
        """The provider against a local server with these answers, offline and without a second try. `endpoint` names another place."""
        async with ReplayServer(*(answers or (_UNAVAILABLE,))) as server:
            place = endpoint or server.url
            with kept_offline() as outside, self._variables(endpoint=place, key=key):
                author = self._create(endpoint=place, key=key)
                provider = self._guarded(author)
                try:
                    yield Served(server=server, provider=provider, author=author, outside=outside)
                finally:
                    # An instance that its author made is asked again by the next rule.
                    if author is not self.author:
                        await provider.aclose()
                    self._note(provider.violations)

    async def prepare(self) -> None:
        """Find out, once, how its calls can be observed."""
        if not self._prepared:
            self._prepared = True
            try:
                await self._observe()
            except ConfigurationError as error:
                self.needs = f"a provider that can be used: {error.message}"

    async def _observe(self) -> None:
        if self.codec is not None:
            if elsewhere := await self._goes_elsewhere():
                self.needs = f"credentials that can be had offline: before it asks its endpoint it connects to {elsewhere}"
                return
            if self.sample is None:
                self.sample = await derive_sample(self.codec.name, self.recordings, self._read_recording, codec=self.codec)
            self.observation = "http" if self.sample is not None else "none"
            self.needs = (
                ""
                if self.sample
                else f'recordings of the wire "{self.codec.name}", one of kind stream and one of kind generate at least '
                f"(`parley provider record {self.name}` makes them)"
            )
            return
        await self._observe_class()
        self.violations.clear()  # it was asked with wrong answers, too

    async def _observe_class(self) -> None:
        """A class may go anywhere: see where it goes, and whose answers it reads."""
        if not await self._asks_the_server():
            return
        if self.sample is None and self.recordings:
            self.sample = await derive_sample(self.name, self.recordings, self._read_recording)
        if self.sample is None:
            self.sample = await self._guess()
        self.observation = "http" if self.sample is not None else "none"
        if self.sample is not None:
            await self._find_forms(self.sample)
        else:
            self.needs = "to know what its service answers: recordings, or `wire` with the name of a shipped wire that it speaks"

    async def _asks_the_server(self) -> bool:
        elsewhere = await self._goes_elsewhere()
        if elsewhere is None:
            return True
        self.sample = None
        if not elsewhere:
            self.observation = "direct"
            return False
        self.needs = (
            f"that its requests can be seen: it connects to {elsewhere}, whatever its endpoint says; "
            "pass `config.endpoint` on to what it calls"
        )
        return False

    async def _goes_elsewhere(self) -> str | None:
        """Where it connects to instead of its endpoint; empty where it connects to nothing, None where it asks there."""
        async with self.serve() as served:
            await _outcome(served.provider.stream_response(messages=MESSAGES))
            if served.server.requests:
                return None
            return served.outside[0] if served.outside else ""

    async def _guess(self) -> Sample | None:
        """The shipped wire whose answer it reads right."""
        for wire in WRITERS:
            sample = sample_of(wire)
            if sample is None:
                continue
            for answer in (sample.streamed(), sample.complete()):
                reply = await self._try("stream", answer)
                if reply is not None and reply.text == sample.text:
                    return sample
        return None

    async def _find_forms(self, sample: Sample) -> None:
        answers: dict[Form, Answer] = {"stream": sample.streamed(), "complete": sample.complete()}
        ways: tuple[tuple[Form, Form], ...] = (("stream", "complete"), ("complete", "stream"))
        for call, other in ways:
            for form in (call, other):
                reply = await self._try(call, answers[form]) if answers[form].body else None
                if reply is not None and reply.text:
                    self.forms[call] = form
                    break

    async def _read_recording(self, recording: Recording) -> ChatResponse | None:
        return await self._try("stream" if recording.streaming else "complete", recording)

    async def _try(self, call: Form, answer: Answer | Recording) -> ChatResponse | None:
        async with self.serve(answer) as served:
            ask = served.provider.stream_response if call == "stream" else served.provider.generate_response
            return await _outcome(ask(messages=MESSAGES))

    def _own_model(self) -> str:
        default = next((field.default for field in config_fields(self.definition.config_type) if field.name == "model"), None)
        listed = [model.id for model in self.definition.models]
        return default if isinstance(default, str) and default else next(iter(listed), "")

    def _note(self, violations: Iterable[Violation]) -> None:
        self.violations += [violation for violation in violations if violation not in self.violations]

    def _create(self, *, endpoint: str, key: str) -> Any:
        config = _configuration(self.definition.config_type, endpoint=endpoint, key=key, model=self.model, api=self.api)
        with self._variables(endpoint=endpoint, key=key):
            try:
                return self.definition.create(config, {})
            except (ParleyError, UnusableProviderError):
                raise
            except (Exception, SystemExit) as error:
                # An author's constructor may raise anything.
                raise UnusableProviderError(f"it cannot be made: {type(error).__name__}: {error}") from error

    @contextmanager
    def _variables(self, *, endpoint: str, key: str) -> Generator[None]:
        """Its environment variables, for a class that reads them itself."""
        prefix = self.name.replace("-", "_").upper()
        here = "127.0.0.1,localhost"  # whatever proxy this machine has, the local server is not behind it
        ours = {"NO_PROXY": here, "no_proxy": here, f"{prefix}_API_KEY": key, f"{prefix}_ENDPOINT": endpoint, f"{prefix}_MODEL": self.model}
        before = {name: os.environ.get(name) for name in ours}
        os.environ.update(ours)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def subject_of(
    given: Any, *, recordings: Path | str | Sequence[Path | str] = (), wire: str | None = None, beside: Path | None = None
) -> Subject:
    """A provider under test, from anything that names one: a Dialect, a Provider or class (or an instance of one), a module,
    "package.module:object", a FILE, or the NAME of one that Parley finds.

    `recordings` are files, or folders of them; where none are named, those are taken that `recordings_of` finds, also `beside` a test.
    `wire` names the shipped wire that a class speaks which does its own HTTP.
    Raises UnusableProviderError, whose message says what is wrong with it.
    """
    if isinstance(given, Subject):
        return given
    if wire is not None and wire not in WRITERS:
        raise UnusableProviderError(f'no wire that ships is called "{wire}"; there are {", ".join(WRITERS)}')
    try:
        definition = locate(given)
        read, damaged = _read(recordings or _found_for(definition, beside))
        return Subject(definition, recordings=read, damaged=damaged, wire=wire)
    except ConfigurationError as error:
        raise UnusableProviderError(error.message) from error


async def _outcome(call: Awaitable[ChatResponse]) -> ChatResponse | None:
    """The reply; None where there is none. What is wrong then is for the rules to say."""
    try:
        return await asyncio.wait_for(call, PROBE_SECONDS)
    except (ParleyError, TimeoutError):
        return None


def _found_for(definition: Definition, beside: Path | None) -> list[Path]:
    """Its own recordings. What ships is proven by Parley's own tests, which name theirs."""
    if definition.origin == BUILT_IN:
        return []
    place = Path(definition.origin)
    return recordings_of(definition.name, beside=beside or (place.parent if place.suffix == ".py" else None))


def _read(given: Path | str | Sequence[Path | str]) -> tuple[list[Recording], list[str]]:
    places = [given] if isinstance(given, (str, Path)) else given
    read: list[Recording] = []
    damaged: list[str] = []
    for place in map(Path, places):
        files = sorted(place.rglob("*.json")) if place.is_dir() else [place]
        if not files:
            damaged.append(f"{place} holds no recording")
        for file in files:
            try:
                read.append(load_recording(file))
            except InvalidRequestError as error:
                damaged.append(error.message)
            except OSError as error:
                damaged.append(f"{file} cannot be read: {error.strerror}")
    return read, damaged


def _configuration(config_type: type[Config], *, endpoint: str, key: str, model: str, api: str) -> Config:
    known = {"api_key": key, "endpoint": endpoint, "model": model, **({"api": api} if api else {})}
    filled = [field for field in config_fields(config_type) if field.name in known or field.required or _is_credential(field)]
    values = {field.name: known[field.name] if field.name in known else _made_up(field) for field in filled}
    try:
        return msgspec.convert(values, config_type)
    except msgspec.ValidationError as error:
        raise UnusableProviderError(f"{config_type.__name__} cannot be filled in for a test: {error}; give its fields defaults") from error


def _is_credential(field: ConfigField) -> bool:
    """A token that may be given beside the key: with it, nothing has to be fetched from anywhere."""
    return field.setting.secret and field.type is str and field.name != "proxy"


def _made_up(field: ConfigField) -> Any:
    """A value for a required field: its author's example where there is one."""
    if field.type is str:
        return CANARY if field.setting.secret else field.setting.example or "example"
    return sample_value(field.type)
