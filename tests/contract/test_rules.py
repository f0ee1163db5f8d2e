"""The contract's rules, for every provider that ships, through the guard, over a real connection to a local server.

Each provider answers on its own wire with replies written for these tests; what is asserted is what a caller sees.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import pkgutil
from collections.abc import Callable
from typing import Any

import pytest

import parley
from parley import providers
from parley.testing.made_up import made_up_fields, sample_for
from parley.testing.replay import Answer, ReplayServer
from parley.testing.samples import CALL_ARGUMENTS, CALL_NAME, COMPLETION_TOKENS, PIECES, PROMPT_TOKENS, WRITERS, Sample

TEXT = "".join(PIECES)
CANARY = "sk-canary-5f1e0c0ffee5ecre7"
MESSAGES = [{"role": "user", "content": "Hello"}]
TOOL = {"name": CALL_NAME, "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}


def dialects() -> dict[str, Any]:
    """Every built-in provider that is a dialect of a wire, by name."""
    found = {}
    for module in pkgutil.iter_modules(providers.__path__):
        declared = getattr(importlib.import_module(f"{providers.__name__}.{module.name}"), "provider", None)
        if isinstance(declared, parley.Dialect):
            found[declared.name] = declared
    return found


DIALECTS = dialects()
NAMES = sorted(DIALECTS)
every_provider = pytest.mark.parametrize("name", NAMES)


def wire_of(name: str) -> Sample:
    sample = sample_for(DIALECTS[name].wire, "model-1")
    assert sample is not None
    return sample


def load(name: str, server: ReplayServer | None = None, **config: Any) -> Any:
    endpoint = server.url if server else "http://127.0.0.1:1/v1"
    made_up = dict(made_up_fields(DIALECTS[name].config, key=CANARY))
    return parley.load_provider(name, **({"api_key": CANARY, "endpoint": endpoint, "model": "model-1"} | made_up | config))


class Heard:
    """Callbacks that remember."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.done: list[parley.ChatResponse] = []
        self.errors: list[parley.ParleyError] = []

    @property
    def callbacks(self) -> dict[str, Callable[[Any], None]]:
        return {"on_token": self.tokens.append, "on_done": self.done.append, "on_error": self.errors.append}


def test_every_provider_that_ships_is_here() -> None:
    assert set(NAMES) >= {"openai", "anthropic", "gemini", "groq", "deepseek", "openrouter", "mistral", "ollama", "llama-cpp"}
    assert {DIALECTS[name].wire.name for name in NAMES} == set(WRITERS)


@every_provider
async def test_streamed_and_complete_answers_are_the_same(name: str) -> None:
    wire, heard = wire_of(name), Heard()
    async with ReplayServer(wire.streamed(), wire.complete()) as server, load(name, server) as provider:
        streamed = await provider.stream_response(messages=MESSAGES, **heard.callbacks)
        complete = await provider.generate_response(messages=MESSAGES)
    assert "".join(heard.tokens) == streamed.text == complete.text == TEXT
    assert len(heard.tokens) > 1
    for reply in (streamed, complete):
        assert (reply.finish_reason, reply.model, reply.provider) == ("stop", "model-1", name)
        # Some wires give their replies no name.
        assert reply.id == "reply-1" if b"reply-1" in wire.text_complete else reply.id.startswith(f"{name}-")
        assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (PROMPT_TOKENS, COMPLETION_TOKENS)
        assert reply.usage.source == "reported"
        assert reply.complete


@every_provider
async def test_there_is_exactly_one_terminal_callback(name: str) -> None:
    wire, fine, failed = wire_of(name), Heard(), Heard()
    refused = wire.error(400, "no")
    async with ReplayServer(wire.streamed(), refused) as server, load(name, server) as provider:
        reply = await provider.stream_response(messages=MESSAGES, **fine.callbacks)
        with pytest.raises(parley.ProviderError) as raised:
            await provider.stream_response(messages=MESSAGES, **failed.callbacks)
    assert (fine.done, fine.errors) == ([reply], [])
    assert (failed.tokens, failed.done, failed.errors) == ([], [], [raised.value])


@every_provider
async def test_any_split_of_the_bytes_gives_the_same_answer(name: str) -> None:
    wire = wire_of(name)
    one_byte = wire.streamed(pieces=lambda body: [body[i : i + 1] for i in range(len(body))])
    async with ReplayServer(wire.streamed(), one_byte) as server, load(name, server) as provider:
        whole = await provider.stream_response(messages=MESSAGES)
        pieces = await provider.stream_response(messages=MESSAGES)
    assert (whole.parts, whole.usage, whole.finish_reason) == (pieces.parts, pieces.usage, pieces.finish_reason)


@every_provider
async def test_a_tool_call_arrives_whole_and_its_result_goes_back(name: str) -> None:
    wire = wire_of(name)
    if DIALECTS[name].capabilities.tools is False:
        pytest.skip(f"{name} is known to have no tools")
    answers = wire.tool_streamed(), wire.tool_called(), wire.complete()
    async with ReplayServer(*answers) as server, load(name, server) as provider:
        options = {"tools": [TOOL]}
        streamed = await provider.stream_response(messages=MESSAGES, options=options)
        complete = await provider.generate_response(messages=MESSAGES, options=options)
        (call,) = streamed.tool_calls
        result = parley.Message(role="tool", content=[parley.ToolResult(tool_call_id=call.id, content="14 °C")])
        follow = await provider.generate_response(messages=[*MESSAGES, streamed.to_message(), result], options=options)
        sent = server.requests[-1].body.decode()
    for reply in (streamed, complete):
        assert reply.finish_reason == "tool_calls"
        assert [(call.name, json.loads(call.arguments)) for call in reply.tool_calls] == [(CALL_NAME, CALL_ARGUMENTS)]
    assert follow.text == TEXT
    assert "14 °C" in sent
    assert CALL_NAME in sent


@every_provider
async def test_a_cut_stream_is_an_error_with_what_came_and_never_a_success(name: str) -> None:
    wire, heard = wire_of(name), Heard()
    async with ReplayServer(wire.cut()) as server, load(name, server) as provider:
        with pytest.raises(parley.StreamTruncatedError) as raised:
            await provider.stream_response(messages=MESSAGES, **heard.callbacks)
    assert raised.value.partial is not None
    assert raised.value.partial.text == "".join(heard.tokens) != ""
    assert TEXT.startswith(raised.value.partial.text)
    assert not raised.value.partial.complete
    assert heard.errors == [raised.value]


STATUSES = [
    (400, parley.RequestRejectedError, "fix_request", False),
    (401, parley.AuthenticationError, "fix_credentials", False),
    (402, parley.QuotaExceededError, "failover", False),
    (403, parley.PermissionDeniedError, "fix_credentials", False),
    (418, parley.RequestRejectedError, "fix_request", False),
    (429, parley.RateLimitError, "retry_later", True),
    (500, parley.ServerError, "retry", True),
    (503, parley.OverloadedError, "retry_later", True),
    (529, parley.OverloadedError, "retry_later", True),
]


@every_provider
@pytest.mark.parametrize(
    ("status", "kind", "action", "retryable"), STATUSES, ids=lambda value: str(value) if isinstance(value, int) else ""
)
async def test_a_status_is_the_error_of_the_table(name: str, status: int, kind: type, action: str, retryable: bool) -> None:
    wire = wire_of(name)
    answer = wire.error(status, "something happened", {"retry-after": "7200"})
    async with ReplayServer(answer) as server, load(name, server) as provider:
        with pytest.raises(kind) as raised:
            await provider.generate_response(messages=MESSAGES)
    error = raised.value
    assert type(error) is kind
    assert (error.status, error.action, error.retryable) == (status, action, retryable)
    assert (error.provider, error.model, error.request_id, error.retry_after) == (name, "model-1", "request-1", 7200.0)
    assert "something happened" in error.message


@every_provider
async def test_a_page_of_html_is_a_protocol_error_in_plain_words(name: str) -> None:
    page = Answer(headers={"content-type": "text/html"}, body=b"<html><body><h1>Welcome to nginx!</h1></body></html>")
    async with ReplayServer(page) as server, load(name, server) as provider:
        with pytest.raises(parley.ProtocolError) as raised:
            await provider.stream_response(messages=MESSAGES)
    assert "<h1>" not in raised.value.message


CANCELLED_AT = {
    "before the head": lambda wire: Answer(silent_before_head=True, ending="stall"),
    "before the first token": lambda wire: wire.cut(after_events=0, ending="stall"),
    "in mid-stream": lambda wire: wire.cut(ending="stall"),
}


@every_provider
@pytest.mark.parametrize("point", CANCELLED_AT)
async def test_cancelling_a_stream_closes_the_connection_without_a_callback(name: str, point: str) -> None:
    wire, heard = wire_of(name), Heard()
    async with ReplayServer(CANCELLED_AT[point](wire)) as server, load(name, server) as provider:
        first = asyncio.Event()
        callbacks = heard.callbacks | {"on_token": lambda token: (heard.tokens.append(token), first.set())}
        task = asyncio.create_task(provider.stream_response(messages=MESSAGES, **callbacks))
        await server.requested()
        if point == "in mid-stream":
            await asyncio.wait_for(first.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.disconnected(), 1)
    assert (heard.done, heard.errors) == ([], [])


@every_provider
async def test_cancelling_a_complete_call_closes_the_connection(name: str) -> None:
    async with ReplayServer(Answer(silent_before_head=True, ending="stall")) as server, load(name, server) as provider:
        task = asyncio.create_task(provider.generate_response(messages=MESSAGES))
        await server.requested()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(server.disconnected(), 1)


@every_provider
async def test_no_secret_appears_anywhere(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wire = wire_of(name)
    echoing = wire.error(401, f"Incorrect API key provided: {CANARY}")
    async with ReplayServer(echoing) as server, load(name, server) as provider:
        with pytest.raises(parley.AuthenticationError) as raised:
            await provider.generate_response(messages=MESSAGES)
        status = await provider.test_connection()
        received = server.requests[0]
    sent = received.path + str(received.headers)
    assert CANARY in sent, "the key was sent, so that the rest of this test means something"
    assert CANARY not in received.path, "a key in a URL ends up in proxies' logs"
    error = raised.value
    shown = [repr(provider), repr(provider.config), str(error), repr(error), str(error.to_dict()), repr(status), caplog.text]
    assert not [text for text in shown if CANARY in text]
    assert not status.success


@every_provider
async def test_a_connection_test_says_what_to_do_and_never_raises(name: str) -> None:
    async with load(name) as provider:
        status = await provider.test_connection()
    assert not status.success
    assert status.provider == name
    assert status.error
    assert "127.0.0.1:1" in status.error


MALFORMED = [
    ({"messages": []}, "messages"),
    ({"messages": "Hello"}, "messages"),
    ({"messages": None}, "messages"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [{"type": "video", "text": "x"}]}]}, "messages[0].content[0].type"),
    ({"messages": [{"role": "tool", "content": [{"type": "tool_result", "tool_call_id": "x", "content": ""}]}]}, "messages[0].content[0]"),
    ({"messages": MESSAGES, "options": {"temprature": 1}}, "options.temprature"),
    ({"messages": MESSAGES, "options": {"temperature": "hot"}}, "options.temperature"),
    ({"messages": MESSAGES, "options": {"max_tokens": 0}}, "options.max_tokens"),
]


@every_provider
@pytest.mark.parametrize(("arguments", "field"), MALFORMED, ids=[field for _, field in MALFORMED])
async def test_malformed_input_names_its_field_and_sends_nothing(name: str, arguments: dict[str, Any], field: str) -> None:
    wire = wire_of(name)
    async with ReplayServer(wire.complete()) as server, load(name, server) as provider:
        with pytest.raises(parley.InvalidRequestError) as raised:
            await provider.generate_response(**arguments)
        assert server.requests == []
    assert raised.value.fields[0].path.startswith(field)


REFUSED = {
    "tools": {"tools": [TOOL]},
    "tool_choice": {"tools": [TOOL], "tool_choice": "required"},
    "response_format": {"response_format": "json"},
    "stop": {"stop": ["END"]},
    "reasoning_effort": {"reasoning_effort": "high"},
}
TUNING = {
    "temperature": 0.5,
    "top_p": 0.5,
    "top_k": 5,
    "seed": 5,
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
}


@every_provider
async def test_what_is_known_to_be_missing_is_refused_or_dropped_with_a_warning(name: str) -> None:
    wire = wire_of(name)
    async with ReplayServer(wire.complete()) as server, load(name, server) as provider:
        for feature, options in REFUSED.items():
            if getattr(provider.capabilities, feature) is False:
                with pytest.raises(parley.UnsupportedFeatureError):
                    await provider.generate_response(messages=MESSAGES, options=options)
        assert server.requests == []
        for setting, value in TUNING.items():
            reply = await provider.generate_response(messages=MESSAGES, options={setting: value})
            if getattr(provider.capabilities, setting) is False:
                assert any(setting in warning.message for warning in reply.warnings), f"{setting} was dropped in silence"
                request = parley.ChatRequest(
                    messages=[parley.Message(role="user", content="x")], options=parley.Options(**{setting: value}), strict_options=True
                )
                with pytest.raises(parley.UnsupportedFeatureError):
                    await provider.generate(request)
            else:
                assert str(value) in server.requests[-1].body.decode(), f"{setting} did not reach the vendor"


@every_provider
async def test_zero_is_a_value(name: str) -> None:
    wire = wire_of(name)
    async with ReplayServer(wire.complete()) as server, load(name, server) as provider:
        await provider.generate_response(messages=MESSAGES, options={"temperature": 0})
        assert '"temperature":0' in server.requests[0].body.decode().replace(" ", "")


@every_provider
async def test_interleaved_calls_do_not_mix(name: str) -> None:
    wire = wire_of(name)
    one_byte = wire.streamed(pieces=lambda body: [body[i : i + 7] for i in range(0, len(body), 7)])
    async with ReplayServer(one_byte) as server, load(name, server) as provider:
        replies = await asyncio.gather(*(provider.stream_response(messages=MESSAGES) for _ in range(8)))
    assert {reply.text for reply in replies} == {TEXT}
