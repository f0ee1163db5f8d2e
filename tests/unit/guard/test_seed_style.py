"""Classes that follow the seed's interface literally, and every row of the guard's table that they can break."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from parley.contract.errors import ConfigurationError, InvalidRequestError, ProtocolError, ServerError
from parley.contract.events import ResponseFinished, TextDelta
from parley.contract.messages import Message
from parley.contract.request import ChatRequest
from parley.guard.guarded import guard

HELLO = [{"role": "user", "content": "Hello"}]


class Ears:
    """A caller's three callbacks, remembering what they were told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def arguments(self) -> dict[str, Any]:
        return {
            "on_token": lambda token: self.told.append(("token", token)),
            "on_done": lambda reply: self.told.append(("done", reply)),
            "on_error": lambda error: self.told.append(("error", error)),
        }

    @property
    def tokens(self) -> list[str]:
        return [value for kind, value in self.told if kind == "token"]

    @property
    def ends(self) -> list[str]:
        return [kind for kind, _ in self.told if kind != "token"]


def rules(provider: Any) -> set[str]:
    return {violation.rule for violation in provider.violations}


class Seed:
    """The seed's template in Python, as a person would translate it."""

    name = "your-provider"

    async def stream_response(self, *, messages, system_prompt, options, on_token, on_done, on_error):
        full_text = ""
        for word in ("Good ", "day"):
            full_text += word
            if on_token:
                on_token(word)
        result = {
            "text": full_text,
            "usage": {"promptTokens": 7, "completionTokens": 3, "totalTokens": 10},
            "id": "your-provider-1",
            "model": options.get("model", "default-model"),
        }
        if on_done:
            on_done(result)
        return result

    async def generate_response(self, *, messages, system_prompt, options):
        return {"text": "Good day", "usage": {"prompt_tokens": 7, "completion_tokens": 3}, "id": "x-1", "model": "default-model"}

    async def test_connection(self):
        return {"success": True, "provider": self.name}


async def test_the_seeds_template_works_as_it_stands() -> None:
    ears, provider = Ears(), guard(Seed())
    reply = await provider.stream_response(messages=HELLO, **ears.arguments())
    assert ears.tokens == ["Good ", "day"]
    assert ears.told[-1] == ("done", reply)
    assert ears.ends == ["done"]
    assert (reply.text, reply.id, reply.model, reply.provider) == ("Good day", "your-provider-1", "default-model", "your-provider")
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (7, 3, 10)
    assert reply.usage.source == "reported"
    assert reply.finish_reason == "stop"
    assert provider.violations == ()


async def test_its_complete_call_normalises_alike() -> None:
    reply = await guard(Seed()).generate_response(messages=HELLO)
    assert (reply.text, reply.usage.total_tokens, reply.finish_reason, reply.id) == ("Good day", 10, "stop", "x-1")


async def test_its_connection_test_is_passed_on() -> None:
    status = await guard(Seed()).test_connection()
    assert (status.success, status.provider, status.error) == (True, "your-provider", None)
    assert status.latency_ms is not None


async def test_it_is_given_plain_dicts_and_no_timeouts() -> None:
    seen: dict[str, Any] = {}

    class Curious:
        name = "curious"

        async def generate_response(self, messages, system_prompt, options):
            seen.update(messages=messages, system_prompt=system_prompt, options=options)
            return "ok"

    await guard(Curious()).generate_response(
        messages=[Message(role="user", content="Hi")], system_prompt="Be brief", options={"temperature": 0, "timeout": 5, "max_tokens": 9}
    )
    assert seen == {
        "messages": [{"role": "user", "content": "Hi"}],
        "system_prompt": "Be brief",
        "options": {"temperature": 0, "max_tokens": 9},
    }


async def test_synchronous_methods_run_in_a_thread() -> None:
    class Blocking:
        name = "blocking"

        def stream_response(self, messages, on_token, on_done, **_):
            for number in range(1000):
                on_token(f"{number} ")
            on_done({"text": "".join(f"{number} " for number in range(1000))})
            self.thread = threading.current_thread()

        def generate_response(self, messages):
            return {"text": threading.current_thread().name}

        def test_connection(self):
            return {"success": False, "error": "the cable is out"}

    subject, ears = Blocking(), Ears()
    provider = guard(subject)
    reply = await provider.stream_response(messages=HELLO, **ears.arguments())
    assert subject.thread is not threading.current_thread()
    assert reply.text == "".join(ears.tokens) == "".join(f"{number} " for number in range(1000))
    assert (await provider.generate_response(messages=HELLO)).text == "parley-provider"
    assert (await provider.test_connection()).error == "the cable is out"


async def test_a_synchronous_wrapper_of_an_async_method_works() -> None:
    class Wrapped:
        name = "wrapped"

        def stream_response(self, messages, on_token, on_done, **_):
            async def work():
                for _ in range(600):
                    await on_token("x")
                on_done({"text": "x" * 600})

            return work()

    ears = Ears()
    assert (await guard(Wrapped()).stream_response(messages=HELLO, **ears.arguments())).text == "x" * 600
    assert len(ears.tokens) == 600


async def test_only_generate_response_is_enough_and_streams_as_one_token() -> None:
    class Whole:
        name = "whole"

        async def generate_response(self, messages):
            return {"text": "all at once"}

    ears, provider = Ears(), guard(Whole())
    reply = await provider.stream_response(messages=HELLO, **ears.arguments())
    assert ears.tokens == ["all at once"]
    assert reply.text == "all at once"
    assert ears.ends == ["done"]
    assert reply.usage.source == "estimated"


async def test_only_stream_response_is_enough_for_a_complete_call() -> None:
    class Streaming:
        name = "streaming"

        async def stream_response(self, messages, on_token, on_done, **_):
            on_token("a")
            on_token("b")
            on_done({"text": "ab"})

    assert (await guard(Streaming()).generate_response(messages=HELLO)).text == "ab"


def one(stream_response: Any) -> Any:
    """A seed-style provider with this method."""
    return type("Author", (), {"name": "author", "stream_response": staticmethod(stream_response)})()


# The table, row by row.


async def test_returning_without_on_done_is_folded_and_told() -> None:
    async def stream_response(on_token, **_):
        on_token("only ")
        on_token("tokens")

    ears, provider = Ears(), guard(one(stream_response))
    reply = await provider.stream_response(messages=HELLO, **ears.arguments())
    assert ears.told[-1] == ("done", reply)
    assert reply.text == "only tokens"
    assert reply.finish_reason == "stop"
    assert rules(provider) == {"no_on_done"}


async def test_nothing_at_all_is_a_protocol_error() -> None:
    async def stream_response(**_):
        return None

    ears = Ears()
    with pytest.raises(ProtocolError, match="author answered with nothing at all") as caught:
        await guard(one(stream_response)).stream_response(messages=HELLO, **ears.arguments())
    assert ears.told == [("error", caught.value)]


async def test_an_empty_result_is_nothing_too() -> None:
    async def stream_response(on_done, **_):
        on_done({"text": "", "usage": {"promptTokens": 0, "completionTokens": 0, "totalTokens": 0}})

    with pytest.raises(ProtocolError, match="nothing at all"):
        await guard(one(stream_response)).stream_response(messages=HELLO)


async def test_the_first_on_done_counts_and_later_tokens_are_dropped() -> None:
    async def stream_response(on_token, on_done, **_):
        on_token("first")
        on_done({"text": "first", "id": "1"})
        on_token("late")
        on_token("later")
        on_done({"text": "second", "id": "2"})

    ears, provider = Ears(), guard(one(stream_response))
    reply = await provider.stream_response(messages=HELLO, **ears.arguments())
    assert (reply.text, reply.id) == ("first", "1")
    assert ears.tokens == ["first"]
    assert ears.ends == ["done"]
    assert rules(provider) == {"token_after_done", "second_on_done"}


async def test_dropped_tokens_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def stream_response(on_token, on_done, **_):
        on_token("x")
        on_done({"text": "x"})
        for _ in range(50):
            on_token("late")

    provider = guard(one(stream_response))
    await provider.stream_response(messages=HELLO)
    await provider.stream_response(messages=HELLO)
    assert len([record for record in caplog.records if "token_after_done" in record.getMessage()]) == 1
    assert len(provider.violations) == 100


async def test_on_done_is_held_back_until_the_method_returns() -> None:
    ears = Ears()
    seen: list[list[str]] = []

    async def stream_response(on_token, on_done, **_):
        on_token("x")
        on_done({"text": "x"})
        for _ in range(10):
            await asyncio.sleep(0)
        seen.append(list(ears.ends))

    await guard(one(stream_response)).stream_response(messages=HELLO, **ears.arguments())
    assert seen == [[]]
    assert ears.ends == ["done"]


async def test_on_done_and_then_an_exception_is_one_error() -> None:
    async def stream_response(on_token, on_done, **_):
        on_token("x")
        on_done({"text": "x"})
        raise ServerError("broke at the end")

    ears, provider = Ears(), guard(one(stream_response))
    with pytest.raises(ServerError, match="broke at the end") as caught:
        await provider.stream_response(messages=HELLO, **ears.arguments())
    assert ears.ends == ["error"]
    assert ears.told[-1] == ("error", caught.value)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "x"
    assert rules(provider) == {"raises_after_done"}


async def test_a_thread_that_raises_after_on_done_is_recorded_too() -> None:
    def stream_response(on_token, on_done, **_):
        on_token("x")
        on_done({"text": "x"})
        raise ServerError("broke at the end")

    provider = guard(one(stream_response))
    with pytest.raises(ServerError, match="broke at the end"):
        await provider.stream_response(messages=HELLO)
    assert rules(provider) == {"raises_after_done"}


async def test_on_error_and_then_returning_raises_that_error() -> None:
    problem = ServerError("told, not raised")

    async def stream_response(on_error, on_done, **_):
        on_error(problem)
        on_done({"text": "never"})
        return {"text": "never"}

    ears, provider = Ears(), guard(one(stream_response), retry=None)
    with pytest.raises(ServerError) as caught:
        await provider.stream(ChatRequest(messages=[Message(role="user", content="x")]), attempts=1).__anext__()
    assert caught.value is problem
    assert "returns_after_error" in rules(provider)
    assert ears.told == []


async def test_on_done_and_then_on_error_is_that_error() -> None:
    problem = ServerError("told after the end")

    async def stream_response(on_token, on_done, on_error, **_):
        on_token("Hi")
        on_done({"text": "Hi"})
        on_error(problem)

    provider = guard(one(stream_response))
    with pytest.raises(ServerError) as caught:
        await provider.generate(ChatRequest(messages=[Message(role="user", content="x")]), attempts=1)
    assert caught.value is problem
    assert "error_after_done" in rules(provider)


async def test_the_template_that_tells_and_raises_is_one_error() -> None:
    async def stream_response(on_token, on_error, **_):
        try:
            on_token("half")
            raise ServerError("vendor failed")
        except ServerError as error:
            on_error(error)
            raise

    ears, provider = Ears(), guard(one(stream_response))
    with pytest.raises(ServerError, match="vendor failed"):
        await provider.stream_response(messages=HELLO, **ears.arguments())
    assert ears.ends == ["error"]
    assert provider.violations == ()


async def test_tokens_win_over_another_returned_text() -> None:
    async def stream_response(on_token, on_done, **_):
        on_token("streamed")
        on_done({"text": "returned"})

    ears, provider = Ears(), guard(one(stream_response))
    reply = await provider.stream_response(messages=HELLO, **ears.arguments())
    assert reply.text == "streamed" == "".join(ears.tokens)
    assert [warning.code for warning in reply.warnings] == ["text_mismatch"]
    assert rules(provider) == {"text_mismatch"}


async def test_returning_another_text_than_on_done_was_given_is_recorded() -> None:
    async def stream_response(on_token, on_done, **_):
        on_token("streamed")
        on_done({"text": "streamed"})
        return {"text": "returned"}

    provider = guard(one(stream_response))
    reply = await provider.stream_response(messages=HELLO)
    assert (reply.text, reply.warnings) == ("streamed", [])
    assert rules(provider) == {"text_mismatch"}


async def test_what_is_returned_beside_on_done_need_be_no_reply() -> None:
    async def stream_response(on_token, on_done, **_):
        on_token("streamed")
        on_done({"text": "streamed"})
        return 7

    provider = guard(one(stream_response))
    assert (await provider.stream_response(messages=HELLO)).text == "streamed"
    assert rules(provider) == set()


async def test_a_result_with_text_but_no_tokens_is_one_token() -> None:
    async def stream_response(**_):
        return {"text": "whole"}

    ears = Ears()
    reply = await guard(one(stream_response)).stream_response(messages=HELLO, **ears.arguments())
    assert ears.tokens == ["whole"]
    assert reply.text == "whole"
    assert reply.warnings == []


async def test_missing_usage_is_estimated_and_zeros_are_missing() -> None:
    async def stream_response(on_token, on_done, **_):
        on_token("12345")
        on_done({"text": "12345", "usage": {"promptTokens": 0, "completionTokens": 0, "totalTokens": 0}})

    reply = await guard(one(stream_response)).stream_response(messages=HELLO)
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (2, 2, 4)
    assert reply.usage.source == "estimated"


async def test_a_foreign_exception_becomes_a_scrubbed_protocol_error() -> None:
    async def stream_response(on_token, **_):
        on_token("x")
        raise KeyError("no such thing; Authorization: Bearer sk-live-0123456789abcdef")

    provider = guard(one(stream_response))
    with pytest.raises(ProtocolError, match="author failed with KeyError: 'no such thing") as caught:
        await provider.stream_response(messages=HELLO)
    assert rules(provider) == {"foreign_exception", "secret_in_error"}
    assert isinstance(caught.value.__cause__, KeyError)
    assert "0123456789abcdef" not in caught.value.message + repr(caught.value) + str(caught.value.args)
    assert caught.value.provider == "author"
    assert caught.value.partial is not None
    assert (caught.value.partial.text, caught.value.partial.finish_reason) == ("x", "error")


async def test_a_thread_that_never_ends_is_left_behind_and_reported(clock) -> None:
    release = threading.Event()
    started = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stream_response(on_token, **_):
        loop.call_soon_threadsafe(started.set)
        release.wait()

    provider = guard(one(stream_response), clock=clock)
    task = asyncio.ensure_future(provider.stream_response(messages=HELLO))
    await started.wait()
    task.cancel()
    await clock.advance(0.1)
    assert task.cancelled()
    assert rules(provider) == {"ignores_cancellation"}
    (orphan,) = provider.orphans
    release.set()
    await asyncio.wait([orphan])
    await clock.settle()
    assert provider.orphans == frozenset()


async def test_an_abandoned_thread_ends_at_its_next_token(clock) -> None:
    started, ended = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def stream_response(on_token, **_):
        try:
            while True:
                on_token("more ")
                loop.call_soon_threadsafe(started.set)
        finally:
            ended.set()

    events = guard(one(stream_response), clock=clock).stream(ChatRequest(messages=[Message(role="user", content="x")]))
    assert await events.__anext__() == TextDelta("more ")
    await events.aclose()
    assert await asyncio.to_thread(ended.wait, 5)


async def test_the_callers_on_token_raises() -> None:
    closed = asyncio.Event()

    async def stream_response(on_token, **_):
        try:
            on_token("a")
            await asyncio.Event().wait()
        finally:
            closed.set()

    problem = ValueError("the screen is full")
    errors: list[Exception] = []

    def on_token(_: str) -> None:
        raise problem

    with pytest.raises(ValueError, match="the screen is full") as caught:
        await guard(one(stream_response)).stream_response(messages=HELLO, on_token=on_token, on_error=errors.append)
    assert caught.value is problem
    assert errors == [problem]
    assert closed.is_set()


@pytest.mark.parametrize("broken", ["on_done", "on_error"])
async def test_the_callers_on_done_or_on_error_raises(broken: str) -> None:
    async def stream_response(on_token, on_done, **_):
        on_token("a")
        if broken == "on_error":
            raise ServerError("no")
        on_done({"text": "a"})

    ears = Ears()
    problem = LookupError("caller's own")

    def fail(value: Any) -> None:
        ears.told.append((broken, value))
        raise problem

    with pytest.raises(LookupError) as caught:
        await guard(one(stream_response)).stream_response(messages=HELLO, **(ears.arguments() | {broken: fail}))
    assert caught.value is problem
    assert ears.ends == [broken]


async def test_a_cancelled_caller_is_told_nothing() -> None:
    started, closed = asyncio.Event(), asyncio.Event()

    async def stream_response(on_token, **_):
        try:
            on_token("a")
            started.set()
            await asyncio.Event().wait()
        finally:
            closed.set()

    ears = Ears()
    task = asyncio.ensure_future(guard(one(stream_response)).stream_response(messages=HELLO, **ears.arguments()))
    await started.wait()
    task.cancel("by the user")
    with pytest.raises(asyncio.CancelledError, match="by the user"):
        await task
    assert ears.ends == []
    assert closed.is_set()


async def test_async_callbacks_are_awaited_in_order() -> None:
    heard: list[str] = []

    async def on_token(token: str) -> None:
        await asyncio.sleep(0)
        heard.append(token)

    async def on_done(reply: Any) -> None:
        await asyncio.sleep(0)
        heard.append(f"done:{reply.text}")

    await guard(Seed()).stream_response(messages=HELLO, on_token=on_token, on_done=on_done)
    assert heard == ["Good ", "day", "done:Good day"]


async def test_a_bad_request_is_told_once_and_nothing_is_called() -> None:
    async def stream_response(**_):
        raise AssertionError("must not be called")

    ears = Ears()
    with pytest.raises(InvalidRequestError) as caught:
        await guard(one(stream_response)).stream_response(messages=[], **ears.arguments())
    assert ears.told == [("error", caught.value)]


async def test_a_callback_that_cannot_be_called_is_named() -> None:
    with pytest.raises(InvalidRequestError, match="on_token: expected a function, got str"):
        await guard(Seed()).stream_response(messages=HELLO, on_token="print")


async def test_a_token_that_is_no_string_is_a_protocol_error_even_when_swallowed() -> None:
    async def stream_response(on_token, on_done, **_):
        try:
            on_token(b"bytes")
        except Exception:
            on_done({"text": "hidden"})

    with pytest.raises(ProtocolError, match="called on_token with a bytes"):
        await guard(one(stream_response)).stream_response(messages=HELLO)


async def test_what_the_guard_refused_wins_over_what_the_author_makes_of_it() -> None:
    async def stream_response(on_token, **_):
        try:
            on_token(None)
        except Exception as error:
            raise ValueError("something went wrong") from error

    with pytest.raises(ProtocolError, match="called on_token with a NoneType"):
        await guard(one(stream_response)).stream_response(messages=HELLO)


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        (17, "returned a int"),
        ({"text": 5}, "returned text as a int"),
        ({"text": "x", "id": 5}, "returned id as a int"),
        ({"toolCalls": [{"id": "1"}]}, "tool_calls that cannot be read"),
        (None, "returned nothing"),
    ],
)
async def test_a_malformed_result_says_what_is_wrong(result: Any, problem: str) -> None:
    class Odd:
        name = "odd"

        async def generate_response(self, **_):
            return result

    with pytest.raises(ProtocolError, match=problem):
        await guard(Odd()).generate_response(messages=HELLO)


async def test_tool_calls_reasoning_and_finish_reason_of_a_result_are_read() -> None:
    class Tools:
        name = "tools"

        async def generate_response(self, **_):
            return {
                "text": "",
                "reasoning": "I need the weather",
                "toolCalls": [{"id": "1", "name": "weather", "arguments": '{"city":"Ulm"}'}],
                "finishReason": "MALFORMED_TOOL",
            }

    reply = await guard(Tools()).generate_response(messages=HELLO)
    assert [(call.id, call.name, call.arguments) for call in reply.tool_calls] == [("1", "weather", '{"city":"Ulm"}')]
    assert reply.reasoning == "I need the weather"
    assert (reply.finish_reason, reply.raw_finish_reason) == ("unknown", "MALFORMED_TOOL")


@pytest.mark.parametrize(
    ("author", "problem"),
    [
        (type("Nameless", (), {"generate_response": lambda self: None})(), "Nameless has no name"),
        (type("Empty", (), {"name": "empty"})(), "can neither stream nor generate"),
        (type("Odd", (), {"name": "odd", "capabilities": {"tools": True}, "generate_response": lambda self: None})(), "odd.capabilities"),
        (Seed, "Seed is a class; give an instance"),
    ],
)
def test_what_is_no_provider_is_refused_in_words(author: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        guard(author)


async def test_a_slow_consumer_slows_an_author_who_awaits_on_token() -> None:
    sent = 0

    async def stream_response(on_token, on_done, **_):
        nonlocal sent
        for _ in range(5000):
            await on_token("x")
            sent += 1

    events = guard(one(stream_response)).stream(ChatRequest(messages=[Message(role="user", content="x")]))
    await events.__anext__()
    for _ in range(50):
        await asyncio.sleep(0)
    assert sent < 1000
    rest = [event async for event in events]
    assert sent == 5000
    assert isinstance(rest[-1], ResponseFinished)
    assert rest[-1].response.text == "x" * 5000
