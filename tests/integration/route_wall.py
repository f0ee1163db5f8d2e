"""Runs the sixteen faults against a real server with misbehaving providers, in three modes, and prints what came of them: `make faults`.

Providers' limits, waits and rests run 1:30. Whoever answers has a text of its own, so that a mixture of two answers is seen.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic
from typing import Any, Literal, TypeAlias

from msgspec import Struct, structs

from parley.testing.fault_trials import WORDS
from parley.testing.faults import fault_named
from parley.testing.listening import Address
from parley.testing.sample_answers import Sample
from parley.testing.samples import sample_of
from parley.testing.scaled_clock import ScaledClock

from .route_faults import ROUTE_FAULTS, RouteFault
from .server_inside import ServerInside, server_inside

Mode: TypeAlias = Literal["/api/v1", "/v1 hold", "/v1 error"]
Verdict: TypeAlias = Literal["pass", "safe", "FAIL"]

MODES: Sequence[Mode] = ("/api/v1", "/v1 hold", "/v1 error")
FACTOR = 30.0
PAUSE_SECONDS = 4.0
BACK_WITHIN_QUESTIONS = 7
"""Half a minute, at one every four seconds."""
QUESTION = "Hello"
_BACKUP_WORDS = tuple(word.upper() for word in WORDS)


class Told(Struct, kw_only=True):
    """What a caller was told: the text that stands in the end, who gave it, instead of whom, and what was wrong."""

    text: str = ""
    provider: str = ""
    fallback: str = ""
    attempts: int = 0
    completion_tokens: int | None = None
    error: str = ""
    finished: bool = False
    restarts: int = 0
    seconds: float = 0.0
    gap_seconds: float = 0.0
    asked_at: float = 0.0
    heard_at: float = 0.0

    def heard(self) -> None:
        """Something came: how long nothing did is kept."""
        now = monotonic()
        self.gap_seconds = max(self.gap_seconds, now - (self.heard_at or self.asked_at))
        self.heard_at = now


class Outcome(Struct, frozen=True, kw_only=True):
    """One row in one mode."""

    fault: RouteFault
    mode: Mode
    verdict: Verdict
    reason: str
    told: Told
    requests: int

    @property
    def line(self) -> str:
        """For people."""
        told = self.told
        who = told.provider.partition("-")[0] or told.error or "nobody"
        about = self.reason or self.fault.title
        times = f"gap {told.gap_seconds:5.1f} s  time {told.seconds:5.1f} s"
        return f"{self.fault.number:2}  {self.mode:9}  {self.verdict:4}  {who:14} attempts {told.attempts:2}  {times}  {about}"


class _Stage:
    """One row's two providers in one mode, under names of their own: no row meets the circuits of another."""

    def __init__(self, fault: RouteFault, mode: Mode, clock: ScaledClock) -> None:
        self.fault = fault
        self.mode: Mode = mode
        self.name = f"{fault.number}-{mode.strip('/').replace('/', '-').replace(' ', '-')}"
        self.sample = _sample(WORDS)
        self.backup_sample = _sample(_BACKUP_WORDS)
        wall = fault_named(fault.fault)
        answers = [structs.replace(one, gap_seconds=clock.real_seconds(one.gap_seconds)) for one in wall.answers(self.sample, "streamed")]
        self.primary = Address("open", answers)
        self.backup = Address("open", [self.backup_sample.streamed()])

    @property
    def table(self) -> str:
        """What `parley.toml` says of it. The target that is behind reads more."""
        return "".join(
            f'[[providers]]\nname = "{role}-{self.name}"\nprovider = "openai-compatible"\nendpoint = "{address.url}"\n'
            f'api_key = "env:KEY"\nmodels = [{{id = "m", context_tokens = {context}}}]\n'
            for role, address, context in (("primary", self.primary, 8000), ("fallback", self.backup, 128_000))
        ) + (
            f'[[routes]]\nname = "route-{self.name}"\n'
            f'targets = [{{model = "primary-{self.name}/m"}}, {{model = "fallback-{self.name}/m"}}]\n'
        )

    @property
    def asked_prefilled(self) -> bool:
        """Whether anybody was asked to go on with somebody else's words."""
        asked = [json.loads(request.body)["messages"] for address in (self.primary, self.backup) for request in address.requests]
        return any(messages[-1]["role"] != "user" for messages in asked)


def _sample(words: Sequence[str]) -> Sample:
    sample = sample_of("openai_chat", pieces=words)
    if sample is None:
        raise RuntimeError("the wire has a sample")
    return sample


async def outcomes(*, at_once: int = 1) -> AsyncIterator[Outcome]:
    """Each row in each mode, in order, so many of them at the same time."""
    clock = ScaledClock(FACTOR)
    stages = [_Stage(fault, mode, clock) for fault in ROUTE_FAULTS for mode in MODES]
    places = asyncio.Semaphore(at_once)
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for stage in stages:
            await stack.enter_async_context(stage.primary)
            await stack.enter_async_context(stage.backup)
        (directory / "parley.toml").write_text("".join(stage.table for stage in stages), encoding="utf-8")
        server = await stack.enter_async_context(server_inside(directory, clock=clock, KEY="vendor-key"))
        token = (await server.sign_up("tester")).token

        async def met(stage: _Stage) -> Outcome:
            async with places:
                caller = _Caller(server, token, stage, clock)
                return await (_down_then_well(caller) if stage.fault.lasts_seconds else _once(caller))

        async with asyncio.TaskGroup() as group:
            for meeting in [group.create_task(met(stage)) for stage in stages]:
                yield await meeting


class _Caller:
    """Asks a stage's route in its mode."""

    def __init__(self, server: ServerInside, token: str, stage: _Stage, clock: ScaledClock) -> None:
        self.server = server
        self.token = token
        self.stage = stage
        self.clock = clock

    async def ask(self) -> Told:
        """One question, streamed; times are the providers' seconds."""
        told = Told()
        await (self._chat(told) if self.stage.mode == "/api/v1" else self._completion(told))
        told.seconds = (told.heard_at - told.asked_at) * self.clock.factor
        told.gap_seconds *= self.clock.factor
        return told

    async def _chat(self, told: Told) -> None:
        server, token = self.server, self.token
        session = await server.session(token, provider=f"route-{self.stage.name}")
        body = {"sessionId": session, "message": QUESTION}
        told.asked_at = monotonic()
        async for event in server.events("POST", "/api/v1/chat/message", token=token, json=body):
            # What follows the last word is the storage's time, which runs no faster than anybody's.
            if event.data.get("type") != "done":
                told.heard()
            _read_event(told, event.data)
        listed = (await server.request("GET", f"/api/v1/chat/sessions/{session}/messages", token=token)).json()["items"]
        answer = next(message for message in listed if message["role"] == "assistant")
        told.attempts = len(answer["metadata"].get("attempts", [])) + told.finished
        if told.finished and answer["content"] != told.text:
            told.error = "the stored answer differs from the streamed one"

    async def _completion(self, told: Told) -> None:
        guard = self.stage.mode.rpartition(" ")[2]
        body = {
            "model": f"route-{self.stage.name}",
            "messages": [{"role": "user", "content": QUESTION}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        asked = self.server._ask(  # pyright: ignore[reportPrivateUsage] - the stream's head is wanted too
            "POST", "/v1/chat/completions", self.token, {"json": body, "headers": {"x-parley-stream-guard": guard}}
        )
        told.asked_at = monotonic()
        async with asked as response:
            told.provider = response.headers.get("x-parley-provider", "")
            told.attempts = int(response.headers.get("x-parley-attempts", "0"))
            told.fallback = response.headers.get("x-parley-fallback", "")
            if response.status != 200:
                told.heard()
                told.error = (await response.json())["error"]["code"]
                return
            async for line in response.content:
                if line.startswith(b"data: "):
                    told.heard()
                    _read_chunk(told, line.removeprefix(b"data: ").strip())


def _read_event(told: Told, event: dict[str, Any]) -> None:
    match event.get("type"):
        case "token":
            told.text += event["content"]
        case "restart":
            told.text = ""
            told.restarts += 1
        case "done":
            told.finished = True
            told.provider = event["provider"]
            told.fallback = (event.get("fallback") or {}).get("reason", "")
            told.completion_tokens = event["usage"]["completionTokens"]
        case "error":
            told.error = event["code"]
        case _:
            pass


def _read_chunk(told: Told, data: bytes) -> None:
    if data == b"[DONE]":
        told.finished = not told.error
        return
    chunk = json.loads(data)
    if "error" in chunk:
        told.error = chunk["error"]["code"] or chunk["error"]["type"]
        return
    if chunk.get("usage"):
        told.completion_tokens = chunk["usage"]["completion_tokens"]
    for choice in chunk["choices"]:
        told.text += choice["delta"].get("content") or ""


async def _once(caller: _Caller) -> Outcome:
    told, stage = await caller.ask(), caller.stage
    requests = len(stage.primary.requests)
    verdict, reason = _judged(stage, told, requests)
    return Outcome(fault=stage.fault, mode=stage.mode, verdict=verdict, reason=reason, told=told, requests=requests)


async def _down_then_well(caller: _Caller) -> Outcome:
    """A question every four seconds: every one is answered, and soon after its recovery the first target answers again."""
    stage, clock = caller.stage, caller.clock
    began = clock.now()
    since_recovery = 0
    problems: list[str] = []
    gap = 0.0
    while True:
        if since_recovery or clock.now() - began >= stage.fault.lasts_seconds:
            if not since_recovery:
                await stage.primary.recover(stage.sample.streamed())
            since_recovery += 1
        asked_before = len(stage.primary.requests)
        told = await caller.ask()
        gap = max(gap, told.gap_seconds)
        by_primary = told.provider.startswith("primary")
        if told.text != (stage.sample if by_primary else stage.backup_sample).text:
            problems.append(f"an answer was not whole: {told.error}")
        elif not by_primary and not told.fallback:
            problems.append("a fallback was not disclosed")
        if by_primary or since_recovery > BACK_WITHIN_QUESTIONS:
            break
        if len(stage.primary.requests) - asked_before > 2:
            problems.append("one question asked a target that is down more than twice")
        await clock.sleep(PAUSE_SECONDS)
    requests = len(stage.primary.requests)
    if not since_recovery or not by_primary:
        problems.append("the first target did not answer again in time")
    if not stage.fault.requests[0] <= requests <= stage.fault.requests[1]:
        problems.append(f"{requests} requests went to the target that was down")
    told.seconds, told.gap_seconds, told.attempts = clock.now() - began, gap, requests
    verdict: Verdict = "FAIL" if problems else "pass"
    return Outcome(fault=stage.fault, mode=stage.mode, verdict=verdict, reason="; ".join(problems[:2]), told=told, requests=requests)


def _judged(stage: _Stage, told: Told, requests: int) -> tuple[Verdict, str]:
    fault = stage.fault
    problems = [problem for problem, found in _conduct(stage, told, requests).items() if found]
    if fault.cut and stage.mode == "/v1 error":
        clear = bool(told.error) and not told.finished and stage.sample.text.startswith(told.text)
        return ("safe", "") if clear and not problems else ("FAIL", "; ".join(problems) or f"no clear end: {told}")
    if fault.answered_by == "nobody":
        right = told.error == fault.code and not stage.backup.requests
        return ("pass", "") if right and not problems else ("FAIL", "; ".join(problems) or f"told {told.error or 'no error'}")
    problems += [problem for problem, found in _answer(stage, told).items() if found]
    return ("FAIL", "; ".join(problems)) if problems else ("pass", "")


def _conduct(stage: _Stage, told: Told, requests: int) -> dict[str, bool]:
    fault = stage.fault
    return {
        f"the first target was asked {requests} times": not fault.requests[0] <= requests <= fault.requests[1],
        f"it took {told.seconds:.1f} s": not fault.seconds[0] <= told.seconds <= fault.seconds[1],
        "somebody was asked to go on with another's words": stage.asked_prefilled,
    }


def _answer(stage: _Stage, told: Told) -> dict[str, bool]:
    fault = stage.fault
    by_fallback = fault.answered_by == "fallback"
    sample, words = (stage.backup_sample, _BACKUP_WORDS) if by_fallback else (stage.sample, WORDS)
    text = "".join(word for place, word in enumerate(words) if place != fault.lacking)
    return {
        f"it ended in {told.error}": bool(told.error) or not told.finished,
        "the text is not the whole answer": told.text != text,
        f"{told.provider or 'nobody'} is named": told.provider != f"{fault.answered_by}-{stage.name}" and stage.mode != "/v1 hold",
        "the fallback is not disclosed": by_fallback != bool(told.fallback),
        "the usage is not this answer's": told.completion_tokens != sample.completion_tokens,
        f"{told.attempts} attempts are told": told.attempts != len(stage.primary.requests) + len(stage.backup.requests),
        "nobody said that it began anew": fault.cut and stage.mode == "/api/v1" and told.restarts != 1,
    }


def last_line(found: Sequence[Outcome]) -> str:
    """`16/16 16/16 13+3`: passed of all; in the last mode passed and safe."""
    counts: list[str] = []
    for mode in MODES:
        verdicts = [one.verdict for one in found if one.mode == mode]
        passed, safe = verdicts.count("pass"), verdicts.count("safe")
        counts.append(f"{passed}+{safe}" if mode == "/v1 error" else f"{passed}/{len(verdicts)}")
    return " ".join(counts)


async def _print() -> int:
    found: list[Outcome] = []
    async for outcome in outcomes():
        found.append(outcome)
        sys.stdout.write(f"{outcome.line}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{last_line(found)}\n")
    return int(any(one.verdict == "FAIL" for one in found))


if __name__ == "__main__":
    sys.exit(asyncio.run(_print()))
