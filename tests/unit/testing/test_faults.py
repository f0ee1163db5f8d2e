"""The fault wall over every wire and provider that ships, and over providers that are wrong on purpose."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, ClassVar

import pytest
from msgspec import structs

from parley import provider
from parley.contract.codec import Decoder
from parley.contract.config import Config
from parley.contract.errors import InvalidRequestError, ParleyError, ServerError
from parley.contract.events import Event, ResponseFinished, TextDelta
from parley.contract.http import ResponseHead
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse
from parley.testing.fault_bodies import bodies_of
from parley.testing.fault_trials import Fault, Way
from parley.testing.fault_wall import Encounter, face, fault_findings, wall_sample
from parley.testing.faults import FAULTS, fault_named
from parley.testing.samples import WRITERS, Sample
from parley.transport.http_provider import Dialect, HttpProvider
from parley.wire.openai_chat_decode import OpenAIChatDecoder

WIRES = {
    "openai_chat": provider.OpenAIChat(),
    "anthropic_messages": provider.AnthropicMessages(),
    "gemini_generate": provider.GeminiGenerate(),
    "openai_responses": provider.OpenAIResponses(),
    "cohere_v2": provider.CohereV2(),
    "ollama_chat": provider.OllamaChat(),
    "bedrock_converse": provider.BedrockConverse(),
}
MEETINGS = [(wire, fault, way) for wire in WIRES for fault in FAULTS for way in fault.ways]
NOT_EXPRESSIBLE = {
    *(("gemini_generate", name) for name in ("invalid-event-in-call", "no-end-marker", "end-twice")),
    *(("openai_responses", name) for name in ("no-end-marker", "end-twice")),
    *(("ollama_chat", name) for name in ("invalid-event-in-call", "no-end-marker", "end-twice", "endless-comments")),
    *(("bedrock_converse", name) for name in ("no-end-marker", "end-twice", "endless-comments")),
    *(("bedrock_converse", name) for name in ("invalid-event", "invalid-events", "invalid-event-in-call")),
    ("bedrock_converse", "invalid-utf8", "streamed"),
}


class WallConfig(Config):
    model: str = "model-1"


def dialect(wire: Any) -> Dialect:
    return Dialect(name="acme", config=WallConfig, wire=wire)


def making(made_of: Any, *, kind: type[HttpProvider] = HttpProvider) -> Callable[[str], HttpProvider]:
    declared = made_of if isinstance(made_of, Dialect) else dialect(made_of)
    return lambda endpoint: kind(declared, declared.config(api_key="canary-5f1e0c0ffee", endpoint=endpoint, model="model-1"))


def sample(wire: str = "openai_chat") -> Sample:
    found = wall_sample(wire)
    assert found is not None
    return found


async def faced(make: Callable[[str], Any], name: str, *, way: Way = "streamed", strict: bool = True) -> Encounter:
    return await face(make, sample(), fault_named(name), way=way, strict=strict)


@pytest.mark.parametrize(("wire", "fault", "way"), MEETINGS, ids=lambda value: getattr(value, "name", value))
async def test_every_wire_meets_every_fault_as_it_should(wire: str, fault: Fault, way: Way) -> None:
    met = await face(making(WIRES[wire]), sample(wire), fault, way=way)
    assert met.verdict == ("not_run" if NOT_EXPRESSIBLE & {(wire, fault.name), (wire, fault.name, way)} else "passed"), (
        f"{met.words}\n{met.remedy}"
    )


def test_the_table_is_complete_and_its_names_are_unique() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert {fault.number for fault in FAULTS} - {None} == set(range(1, 16))
    assert all(fault.ways and fault.conduct for fault in FAULTS)
    assert set(WRITERS) == set(WIRES)
    assert all(bodies_of(wire) for wire in WRITERS)


def test_an_unknown_fault_is_told_with_the_one_that_was_meant() -> None:
    with pytest.raises(InvalidRequestError, match='Did you mean "never-answers"'):
        fault_named("never-answer")


async def test_a_fault_without_this_kind_of_call_is_refused() -> None:
    with pytest.raises(ValueError, match="no fault of a complete call"):
        await faced(making(WIRES["openai_chat"]), "silent-midway", way="complete")


class Optimist(OpenAIChatDecoder):
    """Takes every end for the end."""

    def _finish(self, events: list[Event]) -> None:
        self._finish_reason = self._finish_reason or "stop"
        super()._finish(events)


class OptimistWire(provider.OpenAIChat):
    def decoder(self, request: ChatRequest, head: ResponseHead) -> Decoder:
        return Optimist(request, head, wire=self.name)


@pytest.mark.parametrize("name", ["ends-early", "dies-midway"])
async def test_a_cut_stream_shown_as_a_success_is_caught(name: str) -> None:
    met = await faced(making(OptimistWire()), name)
    assert met.verdict == "failed"
    assert "gave an answer" in met.evidence
    assert "wire's own end" in met.remedy


class Stubborn(HttpProvider):
    """Tries again by itself, at once, whatever went wrong."""

    async def stream_batches(self, request: ChatRequest) -> AsyncIterator[list[Event]]:  # type: ignore[override]
        done = False
        while not done:
            with suppress(ParleyError):
                async for events in super().stream_batches(request):
                    yield events
                done = True


@pytest.mark.parametrize("name", ["rate-limited", "overloaded", "key-refused", "redirect"])
async def test_a_provider_that_hammers_is_caught(name: str) -> None:
    met = await faced(making(WIRES["openai_chat"], kind=Stubborn), name)
    assert met.verdict == "failed"
    assert "requests; at most" in met.evidence
    assert "the guard tries again" in met.remedy


class Hasty(HttpProvider):
    """Tries again once by itself, without waiting."""

    async def stream_batches(self, request: ChatRequest) -> AsyncIterator[list[Event]]:  # type: ignore[override]
        try:
            async for events in super().stream_batches(request):
                yield events
        except ParleyError:
            async for events in super().stream_batches(request):
                yield events


async def test_a_provider_that_does_not_wait_as_it_was_told_is_caught() -> None:
    met = await faced(making(WIRES["openai_chat"], kind=Hasty), "rate-limited-once")
    assert met.verdict == "failed"
    assert "it asked again after 0." in met.evidence


class Apologetic(HttpProvider):
    """Makes an answer of an error."""

    async def stream_batches(self, request: ChatRequest) -> AsyncIterator[list[Event]]:  # type: ignore[override]
        try:
            async for events in super().stream_batches(request):
                yield events
        except ParleyError:
            yield [TextDelta("Sorry."), ResponseFinished(response=ChatResponse(finish_reason="stop"))]


@pytest.mark.parametrize("name", ["key-refused", "web-page", "silent-midway"])
async def test_a_swallowed_error_is_caught(name: str) -> None:
    met = await faced(making(WIRES["openai_chat"], kind=Apologetic), name)
    # The guard's own timer is nobody's to swallow.
    assert met.verdict == ("passed" if name == "silent-midway" else "failed"), met.words


class Careless(HttpProvider):
    """Raises what no caller can tell apart."""

    async def stream_batches(self, request: ChatRequest) -> AsyncIterator[list[Event]]:  # type: ignore[override]
        try:
            async for events in super().stream_batches(request):
                yield events
        except ParleyError as error:
            raise RuntimeError(f"acme failed: {error.message}") from None


async def test_a_wrong_but_safe_error_is_a_failure_only_where_its_class_is_asked_for() -> None:
    strict = await faced(making(WIRES["openai_chat"], kind=Careless), "key-refused")
    lenient = await faced(making(WIRES["openai_chat"], kind=Careless), "key-refused", strict=False)
    assert (strict.verdict, lenient.verdict) == ("failed", "advice")
    assert "ProtocolError" in strict.evidence
    assert "AuthenticationError is right" in strict.evidence


async def test_an_error_that_nobody_can_try_again_costs_the_answer() -> None:
    strict = await faced(making(WIRES["openai_chat"], kind=Careless), "failed-once")
    lenient = await faced(making(WIRES["openai_chat"], kind=Careless), "rate-limited-once", strict=False)
    assert (strict.verdict, lenient.verdict) == ("failed", "advice")
    assert "it sent 1 request; at least 2 is right" in strict.evidence


class Hoarder(HttpProvider):
    """Keeps whatever it is sent until it is whole."""

    async def stream_batches(self, request: ChatRequest) -> AsyncIterator[list[Event]]:  # type: ignore[override]
        target = self._target(request)
        kept = bytearray()
        with await self._send(self.wire.encode(request, target=target, stream=True), request) as response:
            head = await self._head(response, target)
            while data := await response.read():
                kept += data
        decoder = self.wire.decoder(request, head)
        yield decoder.feed(bytes(kept)) + decoder.close()


async def test_a_provider_that_keeps_everything_is_stopped() -> None:
    met = await faced(making(WIRES["openai_chat"], kind=Hoarder), "huge-event")
    assert met.verdict == "failed"
    assert "memory grew by" in met.evidence
    assert "Bound" in met.remedy


async def test_tokens_that_are_kept_back_until_the_end_are_missed_in_what_is_left_of_an_answer() -> None:
    met = await faced(making(WIRES["openai_chat"], kind=Hoarder), "silent-midway")
    assert met.verdict == "failed"
    assert "not the 20 tokens" in met.evidence


class Sulking(HttpProvider):
    """Never recovers from its first failure."""

    failed = False

    async def stream_batches(self, request: ChatRequest) -> AsyncIterator[list[Event]]:  # type: ignore[override]
        if self.failed:
            yield [TextDelta("no"), ResponseFinished(response=ChatResponse(finish_reason="stop"))]
            return
        try:
            async for events in super().stream_batches(request):
                yield events
        except ParleyError:
            self.failed = True
            raise


async def test_a_fault_that_outlives_its_call_is_caught() -> None:
    met = await faced(making(WIRES["openai_chat"], kind=Sulking), "key-refused")
    assert met.verdict == "failed"
    assert "the next call" in met.evidence


class Contagious(HttpProvider):
    """Where one call fails, all fail."""

    broken: ClassVar[list[str]] = []

    async def stream_batches(self, request: ChatRequest) -> AsyncIterator[list[Event]]:  # type: ignore[override]
        try:
            async for events in super().stream_batches(request):
                if self.broken:
                    raise ServerError("another call of this provider failed")
                yield events
        except ParleyError as error:
            self.broken.append(error.message)
            raise


async def test_harm_to_another_stream_is_caught() -> None:
    met = await faced(making(WIRES["openai_chat"], kind=Contagious), "web-page")
    assert met.verdict == "failed"
    assert "another stream of the process failed meanwhile: ServerError" in met.evidence


class Blocking(HttpProvider):
    """Holds up everybody else."""

    async def stream_batches(self, request: ChatRequest) -> AsyncIterator[list[Event]]:  # type: ignore[override]
        try:
            async for events in super().stream_batches(request):
                yield events
        except ParleyError:
            time.sleep(2.2)  # noqa: ASYNC251 - that is what is wrong with it
            raise


async def test_a_provider_that_holds_up_the_event_loop_is_caught() -> None:
    met = await faced(making(WIRES["openai_chat"], kind=Blocking), "web-page")
    assert met.verdict == "failed"
    assert "event loop stood still for 2." in met.evidence


class Offline(provider.Provider):
    """Asks nobody."""

    name = "offline"

    async def stream(self, request: ChatRequest) -> AsyncIterator[Event | str]:  # type: ignore[override]
        yield sample().text


async def test_what_cannot_be_observed_is_never_passed() -> None:
    found = await fault_findings(lambda _endpoint: Offline(), sample(), faults=FAULTS)
    assert {met.verdict for met in found} == {"not_run"}
    assert all("cannot be observed" in met.evidence for met in found)


def telegraph(whole: Sample) -> Sample:
    """The same bytes, as an author's recordings of an unknown wire would give them."""
    return structs.replace(whole, wire="telegraph")


async def test_an_unknown_wire_meets_the_faults_that_its_recordings_can_express() -> None:
    names = ["dies-midway", "silent-midway", "overloaded", "invalid-event", "context-length", "tool-call-flood"]
    found = await fault_findings(making(WIRES["openai_chat"]), telegraph(sample()), faults=[fault_named(name) for name in names])
    verdicts = {met.fault: met.verdict for met in found}
    assert verdicts == dict.fromkeys(names[:4], "passed") | dict.fromkeys(names[4:], "not_run")
    assert all("telegraph" in met.evidence for met in found if met.verdict == "not_run")


async def test_without_a_complete_answer_only_streams_are_looked_at() -> None:
    streams = structs.replace(telegraph(sample()), text_complete=b"")
    found = await fault_findings(making(WIRES["openai_chat"]), streams, faults=[fault_named("overloaded")])
    assert {met.way: met.verdict for met in found} == {"streamed": "passed", "complete": "not_run"}
    assert [met.evidence for met in found if met.way == "complete"] == ["a complete answer of the wire telegraph is needed; record one"]


async def test_evidence_says_what_was_seen() -> None:
    met = await faced(making(WIRES["openai_chat"]), "rate-limited-for-an-hour")
    assert met.evidence.startswith("1 request in ")
    assert met.evidence.endswith("RateLimitError, retryable, phase first_token, retry after 3600 s")


async def test_faces_do_not_disturb_each_other() -> None:
    """Two providers on one loop, each with its own server and clock."""
    make = making(WIRES["openai_chat"])
    first, second = await asyncio.gather(
        fault_findings(make, sample(), faults=[fault_named("long-thought")]),
        fault_findings(make, sample(), faults=[fault_named("overloaded")]),
    )
    assert [met.verdict for met in (*first, *second)] == ["passed"] * 4
