"""A class that follows the seed's three methods literally, as a Provider: dicts in, callbacks and dicts out. Knows no caller."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Generator
from typing import Any

import msgspec
from msgspec import structs

from parley.contract.capabilities import Capabilities, ExtraOption, Limits, Model
from parley.contract.config import Config
from parley.contract.errors import ConfigurationError, ParleyError, ProtocolError, UnsupportedFeatureError
from parley.contract.events import ResponseFinished, TextDelta
from parley.contract.options import Timeouts
from parley.contract.provider import FIRST_CONTRACT_VERSION, Provider
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, ConnectionStatus
from parley.guard.call import Intake
from parley.guard.conduct import Conduct
from parley.guard.seed_shapes import read_models, read_reply, read_status
from parley.guard.threads import Handover, forget, outcome, run_in_thread

_ATTRIBUTES: dict[str, tuple[type | tuple[type, ...], Any]] = {
    "label": (str, ""),
    "description": (str, ""),
    "docs_url": (str, ""),
    "capabilities": (Capabilities, Capabilities()),
    "limits": (Limits, Limits()),
    "timeouts": (Timeouts, Timeouts()),
    "local": (bool, False),
    "contract_version": (int, FIRST_CONTRACT_VERSION),
}


class SeedStyleProvider(Provider):
    """Any object with a `name` and any of stream_response, generate_response, test_connection. Synchronous methods run in a thread."""

    def __init__(self, subject: Any) -> None:
        config = getattr(subject, "config", None)
        super().__init__(config if isinstance(config, Config) else None)
        name = getattr(subject, "name", None)
        if not isinstance(name, str) or not name:
            raise ConfigurationError(f"{type(subject).__name__} has no name; set `name` to a string such as 'my-provider'")
        self.name = name
        for attribute, (expected, default) in _ATTRIBUTES.items():
            value = getattr(subject, attribute, default)
            if not isinstance(value, expected):
                raise ConfigurationError(f"{name}.{attribute} is of the type {type(value).__name__}", provider=name)
            setattr(self, attribute, value)
        self.models = read_models(getattr(subject, "models", ()), provider=name)
        declared: tuple[ExtraOption, ...] | None = getattr(subject, "extra_options", None)
        # An author who declares nothing has nothing checked.
        self.extra_options = declared
        self.subject = subject
        self.streams = callable(getattr(subject, "stream_response", None))
        self.generates = callable(getattr(subject, "generate_response", None))

    async def stream_into(self, request: ChatRequest, intake: Intake, conduct: Conduct) -> None:
        """Call stream_response and bring what it says into the intake."""
        told = _Told(self.name, intake, conduct)
        method = self.subject.stream_response
        listen = self._listen if inspect.iscoroutinefunction(method) else self._listen_to_thread
        try:
            returned = await listen(method, request, told)
        except Exception as error:
            told.failed(error)
            raise
        told.conclude(returned)

    async def generate(self, request: ChatRequest) -> ChatResponse:
        """Call generate_response."""
        returned = await _call(self.subject.generate_response, _arguments(request))
        reply = read_reply(returned, provider=self.name, method="generate_response")
        if reply is None:
            raise ProtocolError(f"generate_response of {self.name} returned nothing")
        return reply

    async def test_connection(self) -> ConnectionStatus:
        """Call test_connection, where there is one."""
        method = getattr(self.subject, "test_connection", None)
        if not callable(method):
            return await super().test_connection()
        return read_status(await _call(method, {}), provider=self.name)

    async def list_models(self) -> tuple[Model, ...]:
        """Call list_models, where there is one."""
        return read_models(await self._optional("list_models", {}), provider=self.name)

    async def embed(self, texts: Any, options: dict[str, Any] | None = None) -> list[list[float]]:
        """Call embed, where there is one."""
        return await self._optional("embed", {"texts": list(texts), "options": options or {}})

    async def count_tokens(self, request: ChatRequest) -> int:
        """Call count_tokens, where there is one."""
        return await self._optional("count_tokens", _arguments(request))

    async def aclose(self) -> None:
        """Call aclose or close, where there is one."""
        method = getattr(self.subject, "aclose", None) or getattr(self.subject, "close", None)
        if callable(method):
            await _call(method, {})

    async def _optional(self, name: str, arguments: dict[str, Any]) -> Any:
        method = getattr(self.subject, name, None)
        if not callable(method):
            raise UnsupportedFeatureError(f"{self.name} has no {name}", provider=self.name)
        return await _call(method, arguments)

    async def _listen(self, method: Callable[..., Any], request: ChatRequest, told: _Told) -> Any:
        room = _Room(told.intake)

        def on_token(token: Any) -> _Room:
            told.token(token)
            return room

        def on_done(result: Any = None) -> _Room:
            told.done(result)
            return room

        def on_error(error: Any = None) -> _Room:
            told.error(error)
            return room

        callbacks = {"on_token": on_token, "on_done": on_done, "on_error": on_error}
        try:
            return await method(**_accepted(method, _arguments(request) | callbacks))
        except Exception:
            # What the guard raised into the author's code is the cause of what the author's code then raises.
            if told.refused is not None:
                raise told.refused from None
            raise

    async def _listen_to_thread(self, method: Callable[..., Any], request: ChatRequest, told: _Told) -> Any:
        handover = Handover()
        room = _Room(told.intake)
        loop_thread = threading.get_ident()

        def teller(tell: Callable[[Any], None]) -> Callable[..., _Room]:
            def callback(said: Any = None) -> _Room:
                # A synchronous wrapper of an async method gives a coroutine, which then runs here and must not wait for itself.
                if threading.get_ident() == loop_thread:
                    tell(said)
                else:
                    handover.put((tell, said))
                return room

            return callback

        callbacks = {"on_token": teller(told.token), "on_done": teller(told.done), "on_error": teller(told.error)}
        arguments = _accepted(method, _arguments(request) | callbacks)
        thread = run_in_thread(lambda: method(**arguments))
        thread.add_done_callback(handover.done)
        try:
            while True:
                for tell, said in handover.taken():
                    tell(said)
                await told.intake.room()
                if thread.done():
                    break
                await handover.wait()
            for tell, said in handover.taken():
                tell(said)
            returned = thread.result()
        except ParleyError:
            handover.abandon()
            thread.add_done_callback(forget)
            raise
        except asyncio.CancelledError:
            handover.abandon()
            thread.add_done_callback(forget)
            # A thread cannot be stopped; whoever waits for this task must see that it goes on.
            await asyncio.wait([thread])
            raise
        return await returned if inspect.isawaitable(returned) else returned


class _Room:
    """What the callbacks return: an author may await it, and then waits for a slow consumer; or not."""

    __slots__ = ("_intake",)

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def __await__(self) -> Generator[Any, None, None]:
        return self._intake.room().__await__()


class _Told:
    """What an author's method said by its callbacks. The first on_done counts, and is held back until the method returns."""

    def __init__(self, provider: str, intake: Intake, conduct: Conduct) -> None:
        self.intake = intake
        self.refused: ParleyError | None = None
        self._provider = provider
        self._conduct = conduct
        self._done = False
        self._result: Any = None
        self._error: BaseException | None = None

    def token(self, token: Any) -> None:
        if self._done or self._error is not None:
            after = "on_done" if self._done else "on_error"
            self._conduct.violated(f"token_after_{after[3:]}", f"on_token was called after {after}")
            return
        try:
            if not isinstance(token, str):
                raise ProtocolError(f"{self._provider} called on_token with a {type(token).__name__}; it takes a string")
            self.intake.take((TextDelta(token),))
        except ParleyError as error:
            self.refused = error
            raise

    def done(self, result: Any) -> None:
        if self._done:
            self._conduct.violated("second_on_done", "on_done was called again")
        elif self._error is not None:
            self._conduct.violated("done_after_error", "on_done was called after on_error")
        else:
            self._done, self._result = True, result

    def error(self, error: Any) -> None:
        if self._error is not None:
            self._conduct.violated("second_on_error", "on_error was called again")
            return
        if self._done:
            self._conduct.violated("error_after_done", "on_error was called after on_done")
        self._error = error if isinstance(error, Exception) else ProtocolError(f"{self._provider} reported an error: {error}")

    def failed(self, error: Exception) -> None:
        """The method has raised."""
        if self._done and error is not self.refused:
            self._conduct.violated("raises_after_done", f"{type(error).__name__} was raised after on_done")

    def conclude(self, returned: Any) -> None:
        """The method has returned: the end of the reply, or the error that was told."""
        if self.refused is not None:
            raise self.refused
        if self._error is not None:
            self._conduct.violated("returns_after_error", "stream_response returned although it had called on_error")
            raise self._error
        if not self._done:
            self._conduct.violated("no_on_done", "stream_response returned without calling on_done")
        told = self._result if self._result is not None else returned
        reply = read_reply(told, provider=self._provider, method="stream_response")
        if self._result is not None and reply is not None:
            self._compare(reply.text, returned)
        if reply is not None:
            self.intake.take((ResponseFinished(response=reply),))

    def _compare(self, text: str, returned: Any) -> None:
        """What on_done was given counts; a reply that the method then returns must say the same."""
        try:
            again = read_reply(returned, provider=self._provider, method="stream_response")
        except ProtocolError:
            return  # something of the author's own, which nobody reads
        if again is not None and again.text not in {"", text}:
            self._conduct.violated("text_mismatch", "stream_response returned another text than it had given to on_done")


async def _call(method: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    accepted = _accepted(method, arguments)
    if inspect.iscoroutinefunction(method):
        return await method(**accepted)
    returned = await outcome(run_in_thread(lambda: method(**accepted)))
    return await returned if inspect.isawaitable(returned) else returned


def _accepted(method: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Those arguments that the method has parameters for: an author need not write the ones that are not used."""
    parameters = inspect.signature(method).parameters.values()
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return arguments
    names = {parameter.name for parameter in parameters}
    return {name: value for name, value in arguments.items() if name in names}


def _arguments(request: ChatRequest) -> dict[str, Any]:
    # Time limits are the guard's to keep, and no business of the author's.
    options = structs.replace(request.options, timeout=None)
    return {
        "messages": msgspec.to_builtins(request.messages),
        "system_prompt": request.system_prompt,
        "options": msgspec.to_builtins(options),
    }
