"""Every line of the guard's table that an author can break, each broken by a class of its own: made harmless, and called by its name."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from parley.provider import Capabilities, Config, Provider, ResponseFinished, ServerError, TextDelta

from ..examining import YourProvider, failures, findings, of_verdict

RESULT = {"text": "Good day", "usage": {"promptTokens": 7, "completionTokens": 3, "totalTokens": 10}}


def sloppy(stream_response: Any, **attributes: Any) -> type:
    """A class with this stream_response, otherwise in order."""

    async def generate_response(self, messages):
        await asyncio.sleep(0)
        return RESULT

    async def test_connection(self):
        return {"success": True, "provider": "sloppy"}

    methods = {"stream_response": stream_response, "generate_response": generate_response, "test_connection": test_connection}
    return type("Sloppy", (), {"name": "sloppy", "__module__": __name__, **methods, **attributes})


async def no_on_done(self, on_token, **_):
    on_token("Good ")
    on_token("day")
    return RESULT


async def on_done_twice(self, on_token, on_done, **_):
    on_token("Good day")
    on_done(RESULT)
    on_done(RESULT)


async def a_token_after_done(self, on_token, on_done, **_):
    on_token("Good day")
    on_done(RESULT)
    on_token("!")


async def done_then_raise(self, on_token, on_done, **_):
    on_token("Good day")
    on_done(RESULT)
    raise ServerError("the connection could not be closed")


async def error_then_return(self, on_error, **_):
    on_error(ServerError("the vendor failed"))
    return RESULT


async def another_text(self, on_token, on_done, **_):
    on_token("Good day")
    on_done({**RESULT, "text": "Good night"})


async def another_text_returned(self, on_token, on_done, **_):
    on_token("Good day")
    on_done(RESULT)
    return {**RESULT, "text": "Good night"}


async def a_foreign_exception(self, **_):
    raise KeyError("choices")


TABLE = {
    "no_on_done": no_on_done,
    "second_on_done": on_done_twice,
    "token_after_done": a_token_after_done,
    "raises_after_done": done_then_raise,
    "returns_after_error": error_then_return,
    "text_mismatch": another_text,
    "foreign_exception": a_foreign_exception,
}


@pytest.mark.parametrize("violation", TABLE)
def test_each_line_of_the_guards_table_is_called_by_its_name(violation: str) -> None:
    found = failures(sloppy(TABLE[violation]), "conduct")
    assert found["conduct"].startswith(f"{violation}: ")


def test_each_comes_with_what_to_do() -> None:
    for method in TABLE.values():
        assert all(finding.remedy for finding in findings(sloppy(method), "conduct"))


def test_another_text_returned_than_told_is_seen() -> None:
    assert "text_mismatch" in failures(sloppy(another_text_returned), "conduct")["conduct"]


async def without_usage(self, on_token, on_done, **_):
    on_token("Good day")
    on_done({"text": "Good day"})


def test_a_lost_usage_is_seen_where_it_was_declared_and_advised_nowhere_else() -> None:
    declared = sloppy(without_usage, capabilities=Capabilities(usage=True))
    assert failures(declared, "conduct", "usage").keys() == {"conduct", "usage"}
    assert failures(sloppy(without_usage), "conduct", "usage") == {}


async def deaf(self, on_token, on_done, **_):
    on_token("Good ")
    for _ in range(4):
        try:
            await asyncio.sleep(0.1)
        except asyncio.CancelledError:
            continue
    on_token("day")
    on_done(RESULT)


def test_a_class_that_is_deaf_to_cancellation_is_seen() -> None:
    found = failures(sloppy(deaf), "cancellation", "conduct")
    assert "in mid-stream: the provider's code went on after it had been cancelled" in found["cancellation"]
    assert "ignores_cancellation" in found["conduct"], "what any rule's call did is told as conduct too"


class Shared:
    """Keeps the answer that it is making in the instance."""

    name = "shared"

    async def stream_response(self, on_token, on_done, **_):
        self.text = ""
        for word in ("Good ", "day"):
            await asyncio.sleep(0)
            self.text += word
            on_token(word)
        on_done({"text": self.text})


def test_calls_that_mix_are_seen() -> None:
    assert failures(Shared, "interleaved", "conduct")["conduct"].startswith("text_mismatch")


class Leaking:
    def __init__(self, config: Config) -> None:
        self.name = "leaking"
        self.key = config.api_key

    async def generate_response(self, messages):
        return RESULT

    def __repr__(self) -> str:
        return f"Leaking({self.key})"


def test_a_repr_with_the_key_is_seen() -> None:
    found = findings(Leaking, "redaction")
    assert "repr of the author's object" in of_verdict(found, "failed")["redaction"]
    assert "__repr__ without the key" in found[0].remedy


def leaking_by(say: Any) -> type:
    class Talkative:
        name = "talkative"

        def __init__(self) -> None:
            self.key = os.environ["TALKATIVE_API_KEY"]

        async def generate_response(self, messages):
            say(self.key)
            return RESULT

    return Talkative


def in_an_error(key: str) -> None:
    raise ServerError(f"could not reach https://vendor.example/?key={key}")


def in_the_log(key: str) -> None:
    import logging

    logging.getLogger("talkative").info("asking with %s", key)


def in_print(key: str) -> None:
    print(key)


@pytest.mark.parametrize(
    ("say", "place"),
    [(in_an_error, "the words of a ServerError held a secret"), (in_the_log, "the key is in log"), (in_print, "the key is in output")],
)
def test_a_key_in_an_error_a_log_line_or_the_output_is_seen(say: Any, place: str) -> None:
    assert place in failures(leaking_by(say), "redaction")["redaction"]


class Ends(Provider):
    """Derived from Provider; `events` is its whole stream."""

    name = "ends"
    events: tuple[Any, ...] = ()

    async def stream(self, request):
        for event in self.events:
            await asyncio.sleep(0)
            yield event


def test_a_derived_provider_that_goes_on_after_its_end_is_seen() -> None:
    from parley.provider import ChatResponse

    end = ResponseFinished(response=ChatResponse(finish_reason="stop"))
    late = type("Late", (Ends,), {"events": (TextDelta("Hi"), end, TextDelta("!"))})
    endless = type("Endless", (Ends,), {"events": (TextDelta("Hi"), TextDelta("!"))})
    assert failures(late, "conduct")["conduct"].startswith("event_after_end")
    assert failures(endless, "conduct")["conduct"].startswith("no_end")


# And what is in order passes.


def test_the_seeds_class_as_it_stands_passes() -> None:
    found = findings(YourProvider)
    assert of_verdict(found, "failed") == {}
    assert {"one_ending", "streamed_and_complete", "usage", "cancellation", "callbacks", "interleaved", "conduct"} <= {
        finding.rule for finding in found if finding.verdict == "passed"
    }
    unseen = of_verdict(found, "not_run")
    assert "requests to a server; it answers by itself" in unseen["any_split"], "what cannot be observed is never passed"
    assert "statuses" in unseen


def test_a_derived_provider_passes() -> None:
    class Plain(Provider):
        name = "plain"

        async def stream(self, request):
            for word in ("Good ", "day"):
                await asyncio.sleep(0)
                yield word

    assert failures(Plain) == {}
