"""A provider under the guard: streams, complete calls, retries, models, capabilities, connection tests."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.capabilities import Capabilities, ExtraOption, Model
from parley.contract.config import Config
from parley.contract.errors import (
    AuthenticationError,
    CallerError,
    ConnectionLostError,
    InvalidRequestError,
    ModelNotFoundError,
    OverloadedError,
    ParleyError,
    ProtocolError,
    ProviderTimeoutError,
    RateLimitError,
    ServerError,
    StreamTruncatedError,
    UnsupportedFeatureError,
)
from parley.contract.events import (
    Event,
    PartAdded,
    ReasoningDelta,
    ResponseFinished,
    ResponseStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallEnded,
    ToolCallStarted,
    UsageReported,
    WarningRaised,
)
from parley.contract.messages import Message, TextPart, ToolCall
from parley.contract.options import Options, Timeouts
from parley.contract.provider import Provider
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, ConnectionStatus, ResponseWarning
from parley.contract.usage import Usage, UsageReport
from parley.guard import fold
from parley.guard.guarded import GuardedProvider, guard

HELLO = ChatRequest(messages=[Message(role="user", content="Hello")])
END = ResponseFinished(response=ChatResponse(finish_reason="stop", raw_finish_reason="end_turn"))


class Scripted(Provider):
    """Each call plays the next script: a list of events, strings, and errors to raise."""

    name = "scripted"

    def __init__(self, *scripts: list[Any], **attributes: Any) -> None:
        super().__init__(attributes.pop("config", None))
        self.scripts = list(scripts)
        self.requests: list[ChatRequest] = []
        for name, value in attributes.items():
            setattr(self, name, value)

    async def stream(self, request: ChatRequest) -> AsyncIterator[Event | str]:
        self.requests.append(request)
        for item in self.scripts.pop(0):
            if isinstance(item, Exception):
                raise item
            yield item


async def collected(provider: GuardedProvider, request: ChatRequest = HELLO, **arguments: Any) -> list[Event]:
    return [event async for event in provider.stream(request, **arguments)]


def rules(provider: GuardedProvider) -> set[str]:
    return {violation.rule for violation in provider.violations}


async def finished(task: asyncio.Future[Any], clock: Any) -> Any:
    """The task's result, with as much time passing as it waits for."""
    while not task.done():
        await clock.advance(1)
    return task.result()


async def test_events_arrive_in_order_and_end_in_a_whole_reply() -> None:
    script = [
        ResponseStarted(id="msg-1", model="m-2026", request_id="req-1"),
        ReasoningDelta("hm"),
        TextDelta("Good "),
        TextDelta("day"),
        UsageReported(usage=UsageReport(prompt_tokens=7, completion_tokens=3, cached_tokens=5)),
        END,
    ]
    events = await collected(guard(Scripted(script)))
    assert events[:-1] == script[:-1]
    assert isinstance(events[-1], ResponseFinished)
    reply = events[-1].response
    assert (reply.id, reply.model, reply.provider, reply.request_id) == ("msg-1", "m-2026", "scripted", "req-1")
    assert (reply.text, reply.reasoning, reply.finish_reason, reply.raw_finish_reason) == ("Good day", "hm", "stop", "end_turn")
    assert reply.usage == Usage(prompt_tokens=7, completion_tokens=3, total_tokens=10, cached_tokens=5, source="reported")
    assert reply.complete is True


async def test_plain_strings_are_text() -> None:
    provider = guard(Scripted(["a", "", "b"]))
    events = await collected(provider)
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "ab"
    assert isinstance(events[-1], ResponseFinished)
    assert events[-1].response.id.startswith("scripted-")
    assert events[-1].response.finish_reason == "stop"
    assert provider.violations == ()


async def test_a_stream_of_events_without_its_end_is_folded_and_noted() -> None:
    provider = guard(Scripted([ToolCallEnded(index=0, call=ToolCall(id="1", name="n"))]))
    events = await collected(provider)
    assert isinstance(events[-1], ResponseFinished)
    assert events[-1].response.finish_reason == "tool_calls"
    assert rules(provider) == {"no_end"}


async def test_what_comes_after_the_end_is_dropped() -> None:
    provider = guard(Scripted([TextDelta("a"), END, TextDelta("b"), END]))
    events = await collected(provider)
    assert [type(event) for event in events] == [TextDelta, ResponseFinished]
    assert rules(provider) == {"event_after_end"}


async def test_what_comes_after_the_end_in_the_same_batch_is_dropped_too() -> None:
    class Batched(Scripted):
        async def stream_batches(self, request: ChatRequest) -> AsyncIterator[list[Event]]:
            yield [TextDelta("a"), END, TextDelta("b")]

    provider = guard(Batched())
    assert [type(event) for event in await collected(provider)] == [TextDelta, ResponseFinished]
    assert rules(provider) == {"event_after_end"}


async def test_an_error_after_the_end_wins_over_the_end() -> None:
    with pytest.raises(ServerError):
        await collected(guard(Scripted([TextDelta("a"), END, ServerError("late")])))


async def test_an_empty_answer_with_a_finish_reason_is_an_answer() -> None:
    events = await collected(guard(Scripted([ResponseStarted(id="x"), END])))
    assert isinstance(events[-1], ResponseFinished)
    assert (events[-1].response.text, events[-1].response.finish_reason) == ("", "stop")


@pytest.mark.parametrize("script", [[], [""], [ResponseStarted(id="x")], [ResponseFinished(response=ChatResponse())]])
async def test_nothing_at_all_is_a_protocol_error(script: list[Any]) -> None:
    with pytest.raises(ProtocolError, match="scripted answered with nothing at all"):
        await collected(guard(Scripted(script)))


async def test_a_whole_reply_at_the_end_of_a_stream_fills_what_was_not_streamed() -> None:
    call = ToolCall(id="1", name="weather")
    reply = ChatResponse(
        parts=[TextPart(text="ab"), call],
        usage=Usage(prompt_tokens=4, completion_tokens=2, total_tokens=6),
        finish_reason="tool_calls",
        warnings=[ResponseWarning(code="own", message="the author's")],
    )
    provider = guard(Scripted(["a", "b", ResponseFinished(response=reply)]))
    events = await collected(provider)
    assert ToolCallEnded(index=0, call=call) in events
    assert isinstance(events[-1], ResponseFinished)
    whole = events[-1].response
    assert whole.parts == [TextPart(text="ab"), call]
    assert whole.usage.source == "reported"
    assert [warning.code for warning in whole.warnings] == ["own"]
    assert provider.violations == ()


async def test_streamed_text_wins_over_the_text_of_the_end() -> None:
    provider = guard(Scripted(["a", ResponseFinished(response=ChatResponse(parts=[TextPart(text="b")], finish_reason="stop"))]))
    reply = await provider.generate(HELLO)
    assert reply.text == "a"
    assert [warning.code for warning in reply.warnings] == ["text_mismatch"]


async def test_text_in_a_part_reaches_on_token() -> None:
    tokens: list[str] = []
    provider = guard(Scripted([TextDelta("a"), PartAdded(part=TextPart(text="b")), END]))
    reply = await provider.stream_response(messages=HELLO.messages, on_token=tokens.append)
    assert "".join(tokens) == reply.text == "ab"


_TEXTS = st.lists(st.one_of(st.text(), st.builds(TextDelta, st.text()), st.builds(ReasoningDelta, st.text(min_size=1))), min_size=1)


@given(_TEXTS)
def test_the_tokens_are_the_text_whatever_comes(script: list[Any]) -> None:
    tokens: list[str] = []
    reply = asyncio.run(guard(Scripted([*script, END])).stream_response(messages=HELLO.messages, on_token=tokens.append))
    assert "".join(tokens) == reply.text


async def test_usage_that_was_declared_but_not_reported_is_noted() -> None:
    provider = guard(Scripted(["a"], capabilities=Capabilities(usage=True)))
    assert (await provider.generate(HELLO)).usage.source == "estimated"
    assert rules(provider) == {"usage"}


async def test_a_foreign_object_in_the_stream_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="gave a dict, which is neither an event nor text") as caught:
        await collected(guard(Scripted(["a", {"text": "b"}])))
    assert caught.value.partial is not None
    assert caught.value.partial.text == "a"


async def test_a_stream_that_is_no_async_generator_is_explained() -> None:
    class Wrong(Provider):
        name = "wrong"

        def stream(self, request: ChatRequest) -> Any:
            return ["a", "b"]

    class Returning(Provider):
        name = "returning"

        async def stream(self, request: ChatRequest) -> Any:
            return Scripted(["a"]).stream(request)

    with pytest.raises(ProtocolError, match="stream gave a list; it must be an async generator"):
        await collected(guard(Wrong()))
    assert len(await collected(guard(Returning()))) == 2


async def test_batches_are_used_where_a_provider_has_them_unless_a_subclass_overrides_stream() -> None:
    class Batched(Scripted):
        async def stream_batches(self, request: ChatRequest) -> AsyncIterator[list[Event]]:
            yield [ResponseStarted(id="b"), TextDelta("from ")]
            yield [TextDelta("batches"), END]

    class Quirky(Batched):
        async def stream(self, request: ChatRequest) -> AsyncIterator[Event]:
            yield TextDelta("from the override")

    assert (await guard(Batched()).generate(HELLO)).text == "from batches"
    assert (await guard(Quirky()).generate(HELLO)).text == "from the override"


async def test_complete_events_and_the_stream_normalise_alike() -> None:
    script = [ResponseStarted(id="x", model="m"), TextDelta("answer"), UsageReported(usage=UsageReport(prompt_tokens=2)), END]

    class Both(Scripted):
        async def complete_events(self, request: ChatRequest) -> list[Event]:
            return list(script)

    provider = guard(Both(script))
    whole = await provider.generate(HELLO)
    streamed = await provider.stream_response(messages=HELLO.messages)
    assert whole.to_message() == streamed.to_message()
    assert (whole.usage, whole.id, whole.model, whole.finish_reason) == (
        streamed.usage,
        streamed.id,
        streamed.model,
        streamed.finish_reason,
    )
    assert whole.usage.source == "mixed"


async def test_capabilities_without_streaming_use_the_complete_call() -> None:
    class Both(Scripted):
        capabilities = Capabilities(streaming=False)

        async def generate(self, request: ChatRequest) -> str:
            return "complete"

    assert (await guard(Both(["streamed"])).stream_response(messages=HELLO.messages)).text == "complete"


async def test_guarding_twice_is_once() -> None:
    provider = guard(Scripted(["a"]))
    assert guard(provider) is provider


async def test_an_instance_may_have_another_name() -> None:
    provider = guard(Scripted(["a"]), name="mine")
    assert (await provider.generate(HELLO)).provider == provider.name == "mine"


# Errors


async def test_an_error_says_whom_and_what_it_is_about() -> None:
    provider = guard(Scripted([TextDelta("abcd"), StreamTruncatedError("cut")]))
    with pytest.raises(StreamTruncatedError) as caught:
        await collected(provider, ChatRequest(messages=HELLO.messages, options=Options(model="m-1")))
    error = caught.value
    assert (error.provider, error.model, error.phase) == ("scripted", "m-1", "streaming")
    assert error.partial is not None
    assert (error.partial.text, error.partial.finish_reason, error.partial.complete) == ("abcd", "interrupted", False)


async def test_what_came_before_an_error_is_delivered_before_it() -> None:
    events = guard(Scripted([TextDelta("a"), TextDelta("b"), StreamTruncatedError("cut")])).stream(HELLO)
    assert [await anext(events), await anext(events)] == [TextDelta("a"), TextDelta("b")]
    with pytest.raises(StreamTruncatedError):
        await anext(events)


async def test_a_cut_answer_estimates_what_was_really_delivered() -> None:
    report = UsageReported(usage=UsageReport(prompt_tokens=9, completion_tokens=1, total_tokens=10))
    with pytest.raises(StreamTruncatedError) as caught:
        await collected(guard(Scripted([report, TextDelta("x" * 400), StreamTruncatedError("cut")])))
    assert caught.value.partial is not None
    usage = caught.value.partial.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, usage.source) == (9, 100, 109, "mixed")


async def test_a_reply_with_too_many_parts_fails_with_those_it_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold, "MAX_PARTS", 4)
    script = [item for _ in range(9) for item in (ReasoningDelta("r"), TextDelta("t"))]
    with pytest.raises(ProtocolError, match="more than 4 parts") as caught:
        await collected(guard(Scripted(script)))
    assert caught.value.partial is not None
    assert (caught.value.partial.reasoning, caught.value.partial.text) == ("rr", "tt")


async def test_an_exception_that_cannot_speak_is_still_an_error() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    with pytest.raises(ProtocolError, match="scripted failed with MuteError: no readable message"):
        await collected(guard(Scripted([MuteError()])))


async def test_a_provider_that_cancels_itself_does_not_cancel_its_caller() -> None:
    class Cancels(Provider):
        name = "cancels"

        async def generate(self, request: ChatRequest) -> str:
            raise asyncio.CancelledError

    with pytest.raises(ProtocolError, match="cancels failed with CancelledError"):
        await guard(Cancels()).generate(HELLO)


# Retries


async def test_one_failure_before_the_first_content_is_tried_again_unseen(clock: Any) -> None:
    subject = Scripted([ResponseStarted(id="lost"), ServerError("500")], [ResponseStarted(id="kept"), TextDelta("ok"), END])
    events = await finished(asyncio.ensure_future(collected(guard(subject, clock=clock))), clock)
    assert events[0] == ResponseStarted(id="kept")
    assert len(subject.requests) == 2
    assert 0 <= clock.slept[0] <= 0.5


async def test_three_tries_and_no_more(clock: Any) -> None:
    subject = Scripted(*[[OverloadedError("503")] for _ in range(9)])
    with pytest.raises(OverloadedError):
        await finished(asyncio.ensure_future(collected(guard(subject, clock=clock))), clock)
    assert len(subject.requests) == 3


async def test_retry_after_is_honoured(clock: Any) -> None:
    subject = Scripted([RateLimitError("429", retry_after=2.0)], ["ok"])
    await finished(asyncio.ensure_future(collected(guard(subject, clock=clock))), clock)
    assert clock.slept == [2.0]


@pytest.mark.parametrize(
    "error",
    [
        RateLimitError("429", retry_after=21.0),
        AuthenticationError("401"),
        ProviderTimeoutError("silent", phase="first_token"),
        ProtocolError("odd"),
    ],
)
async def test_what_is_not_worth_another_try_is_raised_at_once(error: ParleyError, clock: Any) -> None:
    subject = Scripted([error], ["ok"])
    with pytest.raises(type(error)):
        await collected(guard(subject, clock=clock))
    assert len(subject.requests) == 1


async def test_a_connect_timeout_is_tried_again(clock: Any) -> None:
    subject = Scripted([ProviderTimeoutError("no connection", phase="connect")], ["ok"])
    await finished(asyncio.ensure_future(collected(guard(subject, clock=clock))), clock)
    assert len(subject.requests) == 2


async def test_after_the_first_content_nothing_is_tried_again(clock: Any) -> None:
    subject = Scripted([TextDelta("a"), ConnectionLostError("reset")], ["ok"])
    with pytest.raises(ConnectionLostError):
        await collected(guard(subject, clock=clock))
    assert len(subject.requests) == 1


async def test_attempts_belongs_to_the_caller(clock: Any) -> None:
    subject = Scripted([ServerError("500")], ["ok"])
    with pytest.raises(ServerError):
        await guard(subject, clock=clock).generate(HELLO, attempts=1)
    assert len(subject.requests) == 1
    with pytest.raises(InvalidRequestError, match="attempts: is 0"):
        await guard(subject, clock=clock).generate(HELLO, attempts=0)


async def test_on_retry_hears_of_each_attempt_that_failed(clock: Any) -> None:
    failed: list[ParleyError] = []

    async def batches(provider: GuardedProvider) -> list[list[Event]]:
        return [batch async for batch in provider.stream_batches(HELLO, on_retry=failed.append)]

    streamed = guard(Scripted([ServerError("first")], [OverloadedError("second")], ["ok"]), clock=clock)
    received = await finished(asyncio.ensure_future(batches(streamed)), clock)
    assert [error.message for error in failed] == ["first", "second"]
    assert received[-1][-1].response.text == "ok"
    complete = guard(Scripted([ServerError("third")], ["ok"]), clock=clock)
    await finished(asyncio.ensure_future(complete.generate(HELLO, on_retry=failed.append)), clock)
    assert failed[-1].message == "third"


async def test_a_retry_makes_one_end_for_the_caller(clock: Any) -> None:
    told: list[str] = []
    provider = guard(Scripted([ServerError("500")], ["ok"]), clock=clock)
    call = provider.stream_response(
        messages=HELLO.messages,
        on_token=told.append,
        on_done=lambda reply: told.append("done"),
        on_error=lambda error: told.append("error"),
    )
    await finished(asyncio.ensure_future(call), clock)
    assert told == ["ok", "done"]


# Models, options, capabilities


@pytest.mark.parametrize(
    ("asked", "configured", "listed", "sent"),
    [
        ("asked", "configured", ["listed"], "asked"),
        (None, "configured", ["listed"], "configured"),
        ("", "configured", ["listed"], "configured"),
        (None, "", ["listed", "second"], "listed"),
    ],
)
async def test_the_model_is_the_callers_the_configurations_or_the_first(
    asked: str | None, configured: str, listed: list[str], sent: str
) -> None:
    subject = Scripted(["ok"], config=Config(api_key="k" * 20, model=configured), models=[Model(name) for name in listed])
    reply = await guard(subject).generate(ChatRequest(messages=HELLO.messages, options=Options(model=asked)))
    assert subject.requests[0].options.model == sent == reply.model


async def test_an_author_who_needs_no_model_is_asked_without_one() -> None:
    subject = Scripted(["a"], config=Config(api_key="k"))
    assert (await guard(subject).generate(HELLO)).text == "a"
    assert subject.requests[0].options.model is None


async def test_a_model_that_the_vendor_does_not_know_gets_a_suggestion() -> None:
    subject = Scripted([ModelNotFoundError("no such model")], models=[Model("acme-fast"), Model("acme-large")])
    with pytest.raises(ModelNotFoundError, match=r'no such model\. Did you mean "acme-fast"') as caught:
        await guard(subject).generate(ChatRequest(messages=HELLO.messages, options=Options(model="acme-fsat")))
    assert subject.requests[0].options.model == "acme-fsat"
    assert caught.value.model == "acme-fsat"


async def test_a_models_capabilities_go_over_its_providers() -> None:
    subject = Scripted(
        ["ok"],
        ["ok"],
        capabilities=Capabilities(temperature=True, top_k=False),
        models=[Model("plain"), Model("thinker", capabilities=Capabilities(temperature=False))],
    )
    provider = guard(subject)
    options = Options(model="thinker", temperature=0.5, top_k=3, top_p=0.5)
    reply = await provider.generate(ChatRequest(messages=HELLO.messages, options=options))
    assert [warning.code for warning in reply.warnings] == ["option_dropped", "option_dropped"]
    sent = subject.requests[0].options
    assert (sent.temperature, sent.top_k, sent.top_p) == (None, None, 0.5)
    await provider.generate(ChatRequest(messages=HELLO.messages, options=Options(model="plain", temperature=0)))
    assert subject.requests[1].options.temperature == 0


async def test_what_is_dropped_is_also_an_event() -> None:
    events = await collected(
        guard(Scripted(["ok"], capabilities=Capabilities(seed=False))), ChatRequest(messages=HELLO.messages, options=Options(seed=1))
    )
    assert isinstance(events[0], WarningRaised)
    assert "seed" in events[0].warning.message


async def test_extra_options_are_what_the_provider_declares() -> None:
    declared = (ExtraOption(name="mirostat", type=int),)
    subject = Scripted(["ok"], extra_options=declared)
    provider = guard(subject)
    await provider.generate(ChatRequest(messages=HELLO.messages, options=Options(extra={"mirostat": 2})))
    assert subject.requests[0].options.extra == {"mirostat": 2}
    with pytest.raises(InvalidRequestError, match=r'options\.extra\.mirostta: .*Did you mean "mirostat"'):
        await provider.generate(ChatRequest(messages=HELLO.messages, options=Options(extra={"mirostta": 2})))
    with pytest.raises(InvalidRequestError, match=r"options\.extra\.mirostat: Expected int, got str"):
        await provider.generate(ChatRequest(messages=HELLO.messages, options=Options(extra={"mirostat": "2"})))


async def test_undeclared_extras_are_handed_over_where_none_declares_anything() -> None:
    subject = Scripted(["ok"], extra_options=None)
    await guard(subject).generate(ChatRequest(messages=HELLO.messages, options=Options(extra={"anything": [1]})))
    assert subject.requests[0].options.extra == {"anything": [1]}


async def test_the_provider_sees_its_time_limits() -> None:
    subject = Scripted(["ok"], config=Config(api_key="k", model="m", timeouts=Timeouts(idle=7)), timeouts=Timeouts(idle=5, connect=3))
    await guard(subject).generate(ChatRequest(messages=HELLO.messages, options=Options(timeout=33)))
    assert subject.requests[0].options.timeout == Timeouts(connect=3, first_token=120, idle=7, total=33)


async def test_a_request_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="request: expected a ChatRequest, got dict"):
        await guard(Scripted()).generate({"messages": []})  # pyright: ignore


# The other methods


class Complete(Scripted):
    """Answers `test_connection` with what it is given."""

    test: Callable[[], Any]

    async def test_connection(self) -> Any:
        return self.test()


async def test_a_connection_test_falls_back_to_one_token() -> None:
    subject = Scripted(["x"])
    status = await guard(subject).test_connection()
    assert (status.success, status.provider) == (True, "scripted")
    assert subject.requests[0].options.max_tokens == 1


@pytest.mark.parametrize(
    ("error", "config", "remedy"),
    [
        (AuthenticationError("invalid key"), Config(api_key="k", model="m"), "Check SCRIPTED_API_KEY"),
        (AuthenticationError("invalid key"), None, "Check its api_key"),
        (RateLimitError("slow down"), None, "Wait a moment"),
        (ModelNotFoundError("no such model"), Config(api_key="k", model="m"), "SCRIPTED_MODEL"),
        (ProtocolError("what is this"), Config(api_key="k", model="m"), "SCRIPTED_ENDPOINT"),
        (ValueError("what is this"), None, "a fault in the code of scripted: tell its author"),
    ],
)
async def test_a_failed_test_says_what_to_do_and_does_not_raise(error: Exception, config: Config | None, remedy: str) -> None:
    status = await guard(Scripted([error], config=config)).test_connection()
    assert status.success is False
    assert status.error is not None
    assert str(error) in status.error
    assert remedy in status.error


async def test_a_test_that_raises_or_hangs_is_a_failed_test(clock: Any) -> None:
    def fail() -> Any:
        raise RuntimeError("Authorization: Bearer sk-0123456789abcdef")

    status = await guard(Complete(test=fail)).test_connection()
    assert status.success is False
    assert "0123456789abcdef" not in repr(status)

    class Hangs(Scripted):
        async def test_connection(self) -> ConnectionStatus:
            return await asyncio.Event().wait()  # pyright: ignore

    task = asyncio.ensure_future(guard(Hangs(), clock=clock).test_connection())
    assert "did not finish within 30 s" in (await finished(task, clock)).error


async def test_absent_methods_say_so() -> None:
    provider = guard(Scripted())
    with pytest.raises(UnsupportedFeatureError, match="does not list its models"):
        await provider.list_models()
    with pytest.raises(UnsupportedFeatureError, match="no embeddings"):
        await provider.embed(["a"])
    with pytest.raises(UnsupportedFeatureError, match="does not count tokens"):
        await provider.count_tokens(HELLO)
    with pytest.raises(InvalidRequestError, match="texts: expected a list of strings"):
        await provider.embed("a")


async def test_an_error_after_the_end_of_the_reply_is_recorded() -> None:
    class Late(Provider):
        name = "late"

        async def stream(self, request: ChatRequest) -> Any:
            yield TextDelta("all of it")
            yield ResponseFinished(response=ChatResponse(finish_reason="stop"))
            raise ServerError("and then it broke")

    provider = guard(Late())
    with pytest.raises(ServerError, match="and then it broke"):
        await provider.generate(HELLO, attempts=1)
    assert [violation.rule for violation in provider.violations] == ["error_after_end"]


async def test_foreign_exceptions_of_the_other_methods_are_adopted() -> None:
    class Broken(Scripted):
        async def list_models(self) -> Any:
            raise OSError("disk on fire")

    provider = guard(Broken())
    with pytest.raises(ProtocolError, match="scripted failed with OSError: disk on fire") as caught:
        await provider.list_models()
    assert isinstance(caught.value.__cause__, OSError)
    assert [violation.rule for violation in provider.violations] == ["foreign_exception"]


async def test_closing_closes_the_provider() -> None:
    closed: list[bool] = []

    class Closing(Scripted):
        async def aclose(self) -> None:
            closed.append(True)

    async with guard(Closing(["a"])) as provider:
        await provider.generate(HELLO)
    await provider.aclose()
    assert closed == [True]


async def test_a_closed_provider_refuses_and_takes_nothing_up_again() -> None:
    source = Scripted(["a"], ["b"])
    provider = guard(source)
    await provider.aclose()
    for call in (provider.generate(HELLO), anext(provider.stream(HELLO)), provider.list_models(), provider.embed(["a"])):
        with pytest.raises(InvalidRequestError, match="scripted was closed; load it again") as caught:
            await call
        assert caught.value.provider == "scripted"
    status = await provider.test_connection()
    assert (status.success, status.error) == (False, "scripted was closed; load it again.")
    assert source.requests == []


async def test_closing_during_a_call_ends_its_tries(clock: Any) -> None:
    class Closing(Scripted):
        async def generate(self, request: ChatRequest) -> str:
            self.requests.append(request)
            await provider.aclose()
            raise ConnectionLostError("cut")

    closing = Closing()
    provider = guard(closing, clock=clock)
    with pytest.raises(ConnectionLostError):
        await provider.generate(HELLO)
    assert len(closing.requests) == 1


async def test_a_vendors_wait_does_not_outlast_the_requests_own_time(clock: Any) -> None:
    source = Scripted([RateLimitError("slow", retry_after=3)], ["b"])
    request = ChatRequest(messages=HELLO.messages, options=Options(timeout=2))
    with pytest.raises(RateLimitError):
        await guard(source, clock=clock).generate(request)
    assert (len(source.requests), clock.slept) == (1, [])


@pytest.mark.parametrize("attempts", [0, -1, "2", 1.5])
async def test_attempts_that_are_no_number_are_refused(attempts: Any) -> None:
    with pytest.raises(InvalidRequestError, match=r"attempts: .* at least 1"):
        await guard(Scripted(["a"])).generate(HELLO, attempts=attempts)


async def test_a_refused_request_says_whom_it_was_meant_for() -> None:
    provider = guard(Scripted(["a"], models=(Model("m1"),), capabilities=Capabilities(tools=False)))
    tools = {"tools": [{"name": "f"}]}
    for call in (
        provider.generate_response(messages=[]),
        provider.generate_response(messages=[{"role": "user", "content": "x"}], options=tools),
        provider.generate(ChatRequest(messages=[])),
        anext(provider.stream(ChatRequest(messages=[]))),
        provider.embed([]),
        provider.count_tokens(ChatRequest(messages=[])),
    ):
        with pytest.raises(CallerError) as caught:
            await call
        assert (caught.value.provider, caught.value.phase) == ("scripted", "validate")
    with pytest.raises(UnsupportedFeatureError, match="scripted/m1 does not support") as refused:
        await provider.generate_response(messages=[{"role": "user", "content": "x"}], options=tools)
    assert refused.value.model == "m1"


async def test_no_key_is_left_in_what_lies_behind_an_error() -> None:
    class Vendor(Exception):
        def __init__(self, message: str) -> None:
            super().__init__(message)
            self.message = message

        def __str__(self) -> str:
            return self.message

    class Leaking(Provider):
        name = "leaking"

        async def generate(self, request: ChatRequest) -> str:
            try:
                raise KeyError("sk-0123456789abcdef0123")
            except KeyError as error:
                raise Vendor("401 for sk-0123456789abcdef0123") from error

    with pytest.raises(ProtocolError) as caught:
        await guard(Leaking()).generate(HELLO)
    assert isinstance(caught.value.__cause__, Vendor)
    assert isinstance(caught.value.__cause__.__cause__, KeyError)
    assert str(caught.value.__cause__) == "401 for ***"
    shown = [line for line in traceback.format_exception(caught.value) if "raise " not in line]
    assert "0123456789abcdef" not in "".join(shown)


async def test_a_stream_that_stops_within_a_tool_call_was_cut() -> None:
    started = [ToolCallStarted(index=0, id="c1", name="weather"), ToolCallDelta(index=0, arguments='{"city"')]
    with pytest.raises(StreamTruncatedError, match="in the middle of a tool call") as caught:
        await guard(Scripted(["Let me see. ", *started])).generate(HELLO)
    assert caught.value.partial is not None
    assert (caught.value.partial.text, caught.value.partial.tool_calls) == ("Let me see. ", [])
