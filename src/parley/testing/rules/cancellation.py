"""What is left of a call whose caller goes away, or whose caller's callback fails: nothing. Knows no wire."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

from parley.contract.errors import ParleyError
from parley.guard.guarded import GuardedProvider
from parley.testing.findings import Finding, Findings, failed, not_run, passed
from parley.testing.replay import Answer
from parley.testing.rules.asking import MESSAGES, Heard, outcome
from parley.testing.subject import Served, Subject

CLOSING_SECONDS = 1.0
"""The contract allows 100 ms; a busy machine may need more to see it."""
PATIENCE_SECONDS = 10.0
_LET_CANCELLATION_THROUGH = (
    "let CancelledError pass (`except Exception` does not catch it), and close what you opened in a `finally`; "
    "what blocks cannot be cancelled, and must become async"
)


async def cancellation(subject: Subject) -> Findings:
    """Cancelled while it connects, before its first token, in mid-stream or complete, a call closes its connection and tells nobody."""
    if subject.observation == "none":
        yield not_run(subject.needs)
        return
    if subject.observation == "direct":
        yield await _directly(subject, whole=False)
        yield await _directly(subject, whole=True)
        return
    if subject.codec is not None:
        yield await _connecting(subject)
    for name, answer, whole in _points(subject):
        yield await _at(subject, name, answer, whole=whole)


def _points(subject: Subject) -> Iterator[tuple[str, Answer, bool]]:
    silent = Answer(silent_before_head=True, ending="stall")
    yield "before the answer begins", silent, False
    if not subject.cannot("pieces"):
        yield "before the first token", subject.known.cut(after_events=0, ending="stall"), False
        yield "in mid-stream", subject.known.cut(ending="stall"), False
    yield "in a complete call", silent, True


async def _at(subject: Subject, name: str, answer: Answer, *, whole: bool) -> Finding:
    heard, first = Heard(), asyncio.Event()
    async with subject.serve(answer) as served:
        task = _call(served.provider, heard, first, whole=whole)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await served.server.requested()
                if name == "in mid-stream":
                    await _either(first.wait(), task)
        except TimeoutError:
            await _ended(task)
            return not_run(f"{name}: that the call asks its server, or gives a token, within {PATIENCE_SECONDS:g} s")
        if problem := await _cancel(task, served, heard):
            return failed(f"{name}: {problem}", _LET_CANCELLATION_THROUGH)
        try:
            await asyncio.wait_for(served.server.disconnected(), CLOSING_SECONDS)
        except TimeoutError:
            return failed(f"{name}: the connection was still open after {CLOSING_SECONDS:g} s", _LET_CANCELLATION_THROUGH)
    return passed(f"{name}: the connection closed, no callback")


async def _connecting(subject: Subject) -> Finding:
    """TLS that the server never answers: connected, but not through."""
    heard, loop = Heard(), asyncio.get_running_loop()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        listener.setblocking(False)  # noqa: FBT003 - the socket's own interface
        async with subject.serve(endpoint=f"https://127.0.0.1:{listener.getsockname()[1]}/v1") as served:
            task = _call(served.provider, heard, asyncio.Event(), whole=False)
            async with asyncio.timeout(PATIENCE_SECONDS):
                accepted, _ = await loop.sock_accept(listener)
            with accepted:
                if problem := await _cancel(task, served, heard):
                    return failed(f"while connecting: {problem}", _LET_CANCELLATION_THROUGH)
                try:
                    async with asyncio.timeout(CLOSING_SECONDS):
                        while await loop.sock_recv(accepted, 65536):
                            pass
                except TimeoutError:
                    return failed(f"while connecting: the connection was still open after {CLOSING_SECONDS:g} s", _LET_CANCELLATION_THROUGH)
                except ConnectionError:
                    pass  # a reset closes it as well
    return passed("while connecting: the connection closed, no callback")


async def _directly(subject: Subject, *, whole: bool) -> Finding:
    """Without a server the call itself is what can be seen: cancelled at its first token, or as soon as it waits."""
    name = "in a complete call" if whole else "in mid-stream"
    heard, first = Heard(), asyncio.Event()
    async with subject.serve() as served:
        task = _call(served.provider, heard, first, whole=whole)
        if whole:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        else:
            await _either(first.wait(), task)
        if task.done():
            await _ended(task)
            return not_run(f"{name}: an answer that takes long enough to be cancelled; this one came at once")
        if problem := await _cancel(task, served, heard):
            return failed(f"{name}: {problem}", _LET_CANCELLATION_THROUGH)
    return passed(f"{name}: the call ended, no callback")


def _call(provider: GuardedProvider, heard: Heard, first: asyncio.Event, *, whole: bool) -> asyncio.Task[Any]:
    def on_token(token: str) -> None:
        heard.tokens.append(token)
        first.set()

    if whole:
        return asyncio.create_task(provider.generate_response(messages=MESSAGES))
    told: dict[str, Any] = heard.callbacks | {"on_token": on_token}
    return asyncio.create_task(provider.stream_response(messages=MESSAGES, **told))


async def _cancel(task: asyncio.Task[Any], served: Served, heard: Heard) -> str:
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
    if not done:
        return "the call did not return"
    if not task.cancelled():
        return f"the call ended in {task.exception() or 'an answer'} instead of CancelledError"
    if heard.done or heard.errors:
        return "a callback was called although the caller had gone"
    if served.provider.orphans or any(each.rule == "ignores_cancellation" for each in served.provider.violations):
        return "the provider's code went on after it had been cancelled"
    return ""


async def _either(first: Any, task: asyncio.Task[Any]) -> None:
    waiting = asyncio.ensure_future(first)
    await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


async def _ended(task: asyncio.Task[Any]) -> None:
    """Over, and its result seen."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class CallbackError(Exception):
    """What the kit's own callbacks raise."""


async def callbacks(subject: Subject) -> Findings:
    """A caller's callback that raises: the error comes back unchanged, on_error is told once where it was on_token, nothing after it."""
    if needs := subject.cannot("stream"):
        yield not_run(needs)
        return
    for name in ("on_token", "on_done", "on_error"):
        if name == "on_error" and subject.cannot("watch"):
            continue
        problem = await _raising(subject, name)
        yield failed(f"{name}: {problem}") if problem else passed(f"{name}: raised as it is")


async def _raising(subject: Subject, name: str) -> str:
    told: list[str] = []
    raised = CallbackError("the caller's own")

    def listening(callback: str) -> Any:
        def call(_: object) -> None:
            told.append(callback)
            if callback == name:
                raise raised

        return call

    answers = [subject.known.error(400, "no")] if name == "on_error" else subject.streamed()
    async with subject.serve(*answers) as served:
        everything = {callback: listening(callback) for callback in ("on_token", "on_done", "on_error")}
        try:
            await outcome(served.provider.stream_response(messages=MESSAGES, **everything))
        except CallbackError as error:
            if error is not raised:
                return "another error was raised"
        else:
            return "its error was not raised"
        if name == "on_token" and served.server.requests:
            try:
                # What the connection was not read to its end for cannot be used again.
                await asyncio.wait_for(outcome(served.provider.generate_response(messages=MESSAGES)), PATIENCE_SECONDS)
            except (TimeoutError, ParleyError):
                return "the next call of the provider does not come to an end"
    wanted = {"on_token": ["on_token", "on_error"], "on_done": ["on_done"], "on_error": ["on_error"]}[name]
    ends = told if name == "on_token" else [callback for callback in told if callback != "on_token"]
    return "" if ends == wanted else f"the callbacks that were called are {', '.join(told)}; expected {', '.join(wanted)}"
