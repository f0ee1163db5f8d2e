"""Whatever comes, from a caller or a server: a typed error that says what to do, or the right answer; bounded memory, others unharmed."""

from __future__ import annotations

import json
import socket
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import parley
from parley.testing.replay import Answer, ReplayServer

KEY = "sk-canary-5f1e0c0ffee5ecre7"
MESSAGES = [{"role": "user", "content": "Hello"}]
WIRES = {"openai": "OPENAI", "anthropic": "ANTHROPIC", "gemini": "GEMINI"}
EVENT_STREAM = {"content-type": "text/event-stream"}
SHORT_SECONDS = 0.2
MEBIBYTE = 1024 * 1024
MAX_MEMORY_BYTES = 96 * MEBIBYTE

every_wire = pytest.mark.parametrize("name", WIRES)


def event(document: Any) -> bytes:
    named = f"event: {document['type']}\n" if "type" in document else ""
    return f"{named}data: {json.dumps(document)}\n\n".encode()


def opening(name: str) -> bytes:
    """What a stream begins with, before its first text."""
    message = {"id": "reply-1", "type": "message", "role": "assistant", "model": "model-1", "content": [], "usage": {"input_tokens": 3}}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    return event({"type": "message_start", "message": message}) + event(block) if name == "anthropic" else b""


def text(name: str, words: str) -> bytes:
    if name == "anthropic":
        return event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": words}})
    if name == "gemini":
        return event({"candidates": [{"content": {"role": "model", "parts": [{"text": words}]}, "index": 0}]})
    return event({"id": "reply-1", "model": "model-1", "choices": [{"index": 0, "delta": {"content": words}, "finish_reason": None}]})


def ending(name: str) -> bytes:
    if name == "anthropic":
        stop = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}
        return event({"type": "content_block_stop", "index": 0}) + event(stop) + event({"type": "message_stop"})
    if name == "gemini":
        return event({"candidates": [{"content": {"role": "model", "parts": []}, "finishReason": "STOP", "index": 0}]})
    return event({"id": "reply-1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}) + b"data: [DONE]\n\n"


def tool_call(name: str, index: int) -> bytes:
    if name == "anthropic":
        block = {"type": "tool_use", "id": f"toolu_{index}", "name": "f", "input": {}}
        start = {"type": "content_block_start", "index": index, "content_block": block}
        return event(start) + event({"type": "content_block_stop", "index": index})
    if name == "gemini":
        return event({"candidates": [{"content": {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]}, "index": 0}]})
    call = {"index": index, "id": f"call_{index}", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    return event({"id": "reply-1", "choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]})


def whole(name: str, *pieces: bytes) -> bytes:
    return opening(name) + b"".join(pieces) + ending(name)


def streamed(*pieces: bytes, **how: Any) -> Answer:
    return Answer(headers=EVENT_STREAM, body=b"".join(pieces), streamed=True, **how)


def load(name: str, server: ReplayServer | None, **config: Any) -> Any:
    endpoint = server.url if server else f"http://127.0.0.1:{free_port()}/v1"
    chosen = {"api": "chat"} if name == "openai" else {}  # the answers here are of its older wire
    return parley.load_provider(name, **({"api_key": KEY, "endpoint": endpoint, "model": "model-1"} | chosen | config))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def request(**options: Any) -> parley.ChatRequest:
    return parley.ChatRequest(messages=[parley.Message(role="user", content="Hello")], options=parley.Options(**options))


async def drain(provider: Any, asked: parley.ChatRequest) -> parley.ChatResponse:
    reply = None
    async for happened in provider.stream(asked, attempts=1):
        if isinstance(happened, parley.ResponseFinished):
            reply = happened.response
    assert reply is not None
    return reply


async def failure_of(name: str, answer: Answer, *, way: str = "stream", **options: Any) -> parley.ParleyError:
    """How a call fails, while another stream of the same provider is half read and then ends well."""
    good = streamed(whole(name, text(name, "one "), text(name, "two")), pieces=[len(opening(name)) + len(text(name, "one "))])
    async with ReplayServer(good, answer) as server, load(name, server) as provider:
        other = provider.stream(request())
        heard = [await anext(other)]
        with pytest.raises(parley.ParleyError) as raised:
            await (drain(provider, request(**options)) if way == "stream" else provider.generate(request(**options), attempts=1))
        heard += [happened async for happened in other]
    assert heard[-1].response.text == "one two"
    error = raised.value
    assert (error.provider, error.domain) == (name, "provider")
    assert error.model == "model-1"
    assert error.phase in {"connect", "first_token", "streaming", "complete"}
    assert KEY not in f"{error!r} {error.to_dict()}"
    return error


# ── What a caller gets wrong ─────────────────────────────────────────────────────────────────────────────────────────────────

CALLERS_FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"messages": []}, "messages", "at least one"),
    ({"messages": "Hello"}, "messages", "list"),
    ({"messages": [{"role": "user", "content": ""}]}, "messages[0].content", "empty"),
    ({"messages": [{"role": "user"}]}, "messages[0].content", "missing"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role", "user, assistant"),
    ({"messages": MESSAGES, "system_prompt": 7}, "system_prompt", "str"),
    ({"messages": MESSAGES, "options": {"temprature": 1}}, "options.temprature", 'Did you mean "temperature"?'),
    ({"messages": MESSAGES, "options": {"max_tokens": "many"}}, "options.max_tokens", "int"),
    ({"messages": MESSAGES, "options": {"temperature": float("nan")}}, "options.temperature", "ordinary number"),
    ({"messages": MESSAGES, "options": {"extra": {"no_such": 1}}}, "options.extra.no_such", "no such option"),
    ({"messages": [{"role": "tool", "content": [{"type": "tool_result", "tool_call_id": "x"}]}]}, "messages[0]", "no call"),
]


@every_wire
async def test_a_callers_mistake_names_its_field_and_sends_nothing(name: str) -> None:
    async with ReplayServer(Answer()) as server, load(name, server) as provider:
        for arguments, path, remedy in CALLERS_FAULTS:
            told: list[parley.ParleyError] = []
            with pytest.raises(parley.InvalidRequestError) as streamed_error:
                await provider.stream_response(**arguments, on_error=told.append)
            with pytest.raises(parley.InvalidRequestError) as complete_error:
                await provider.generate_response(**arguments)
            assert told == [streamed_error.value]
            for raised in (streamed_error, complete_error):
                error = raised.value
                assert error.fields[0].path.startswith(path)
                assert remedy in error.message
                assert (error.provider, error.phase, error.domain, error.action) == (name, "validate", "caller", "fix_request")
        assert server.requests == []


def test_an_unknown_provider_is_told_with_what_was_meant() -> None:
    with pytest.raises(parley.UnknownProviderError, match=r'"opnai".*Did you mean "openai"'):
        parley.load_provider("opnai", api_key=KEY)


@every_wire
def test_an_unknown_or_mistyped_field_of_the_configuration_is_named(name: str) -> None:
    with pytest.raises(parley.ConfigurationError, match=r'Did you mean "endpoint"') as unknown:
        parley.load_provider(name, api_key=KEY, endpont="http://127.0.0.1/v1")
    with pytest.raises(parley.ConfigurationError, match=r"(?i)endpoint") as mistyped:
        parley.load_provider(name, api_key=KEY, endpoint="no url at all")
    assert KEY not in f"{unknown.value} {mistyped.value}"


@every_wire
async def test_a_missing_key_names_its_variable(name: str) -> None:
    with pytest.raises(parley.ParleyError, match=f"{WIRES[name]}_API_KEY") as raised:
        parley.load_provider(name)
    assert raised.value.action == "fix_credentials"


@every_wire
async def test_a_wrong_key_and_an_unknown_model_say_what_to_do(name: str) -> None:
    def refusal(status: int, word: str, message: str) -> Answer:
        document = {"type": "error", "error": {"type": word, "code": word, "status": word.upper(), "message": message}}
        return Answer(status=status, headers={"content-type": "application/json"}, body=json.dumps(document).encode())

    answers = refusal(401, "authentication_error", f"bad key {KEY}"), refusal(404, "not_found", "the model model-1 is not found")
    async with ReplayServer(*answers) as server, load(name, server) as provider:
        with pytest.raises(parley.AuthenticationError) as wrong_key:
            await provider.generate_response(messages=MESSAGES)
        with pytest.raises(parley.ModelNotFoundError) as unknown_model:
            await provider.generate_response(messages=MESSAGES)
        server.answer_with(answers[0])
        status = await provider.test_connection()
    assert (wrong_key.value.action, wrong_key.value.status) == ("fix_credentials", 401)
    assert (unknown_model.value.status, unknown_model.value.model) == (404, "model-1")
    assert f"{WIRES[name]}_API_KEY" in (status.error or "")
    assert KEY not in f"{wrong_key.value} {status}"


# ── What a server does wrong ─────────────────────────────────────────────────────────────────────────────────────────────────


@every_wire
@pytest.mark.parametrize("way", ["stream", "complete"])
async def test_a_server_that_is_down(name: str, way: str) -> None:
    async with load(name, None) as provider:
        with pytest.raises(parley.ConnectError, match=r"nothing listens at .*is the server running") as raised:
            await (drain(provider, request()) if way == "stream" else provider.generate(request(), attempts=1))
    assert (raised.value.provider, raised.value.phase) == (name, "connect")


@every_wire
@pytest.mark.parametrize("way", ["stream", "complete"])
@pytest.mark.parametrize("status", [200, 404, 502])
async def test_a_web_page(name: str, way: str, status: int) -> None:
    page = Answer(status=status, headers={"content-type": "text/html"}, body=b"<!doctype html><html><body><h1>Welcome</h1></body></html>")
    error = await failure_of(name, page, way=way)
    assert isinstance(error, parley.ProviderError)
    assert "<" not in error.message
    assert status == 200 or error.status == status


@every_wire
@pytest.mark.parametrize("end", ["end", "close", "reset"])
async def test_a_stream_that_is_cut(name: str, end: Any) -> None:
    error = await failure_of(name, streamed(opening(name), text(name, "Hel"), text(name, "lo")[:-9], ending=end))
    assert isinstance(error, parley.StreamTruncatedError)
    assert error.partial is not None
    assert (error.partial.text, error.partial.complete, error.partial.finish_reason) == ("Hel", False, "interrupted")


@every_wire
async def test_an_error_behind_text_is_told_at_once_though_the_connection_stays_open(name: str) -> None:
    failed = event({"type": "error", "error": {"type": "overloaded_error", "code": 503, "status": "UNAVAILABLE", "message": "too busy"}})
    answer = streamed(opening(name), text(name, "Hel"), failed, ending="stall")
    error = await failure_of(name, answer, timeout=parley.Timeouts(idle=20.0))
    assert "too busy" in error.message
    assert error.partial is not None
    assert error.partial.text == "Hel"


@every_wire
async def test_an_answer_that_closes_before_it_begins(name: str) -> None:
    for way, phase in (("stream", "first_token"), ("complete", "complete")):
        error = await failure_of(name, Answer(silent_before_head=True, ending="close"), way=way)
        assert isinstance(error, parley.ConnectionLostError)
        assert error.phase == phase
    empty = await failure_of(name, streamed())
    assert isinstance(empty, parley.ProtocolError)


@every_wire
@pytest.mark.parametrize(
    ("stalls_at", "timer", "phase"),
    [("head", "first_token", "first_token"), ("first token", "first_token", "first_token"), ("text", "idle", "streaming")],
)
async def test_a_server_that_stalls(name: str, stalls_at: str, timer: str, phase: str) -> None:
    answer = {
        "head": Answer(silent_before_head=True, ending="stall"),
        "first token": streamed(b": ping\n\n", opening(name), ending="stall"),
        "text": streamed(opening(name), text(name, "Hel"), ending="stall"),
    }[stalls_at]
    error = await failure_of(name, answer, timeout=parley.Timeouts(**{timer: SHORT_SECONDS}))
    assert isinstance(error, parley.ProviderTimeoutError)
    assert (error.phase, error.action) == (phase, "failover")
    assert f"{SHORT_SECONDS:g} s" in error.message


@every_wire
async def test_a_server_that_drips_pings_is_silent_and_one_that_drips_text_ends_with_its_time(name: str) -> None:
    pings = streamed(b": ping\n\n" * 1000, pieces=[8] * 1000, gap_seconds=0.02)
    silent = await failure_of(name, pings, timeout=parley.Timeouts(first_token=SHORT_SECONDS))
    assert isinstance(silent, parley.ProviderTimeoutError)
    assert silent.phase == "first_token"
    word = text(name, "a")
    words = streamed(opening(name), word * 1000, pieces=[len(opening(name)), *[len(word)] * 1000], gap_seconds=0.02)
    slow = await failure_of(name, words, timeout=parley.Timeouts(total=SHORT_SECONDS))
    assert isinstance(slow, parley.ProviderTimeoutError)
    assert slow.phase == "streaming"
    assert slow.partial is not None
    assert set(slow.partial.text) == {"a"}


@every_wire
async def test_a_slow_byte_at_a_time_is_still_the_right_answer(name: str) -> None:
    body = whole(name, text(name, "Grüße 🙂"))
    answer = streamed(body, pieces=[1] * len(body))
    async with ReplayServer(answer) as server, load(name, server) as provider:
        assert (await drain(provider, request())).text == "Grüße 🙂"


@every_wire
async def test_invalid_utf8_is_skipped_with_a_warning(name: str) -> None:
    body = whole(name, text(name, "Hel"), b'data: {"\xff\xfe": 1}\n\n', text(name, "lo"))
    async with ReplayServer(streamed(body)) as server, load(name, server) as provider:
        reply = await drain(provider, request())
    assert (reply.text, reply.complete) == ("Hello", False)
    assert [warning.code for warning in reply.warnings] == ["invalid_event"]


@every_wire
@pytest.mark.parametrize("way", ["stream", "complete"])
async def test_nothing_but_invalid_utf8(name: str, way: str) -> None:
    answer = Answer(headers=EVENT_STREAM if way == "stream" else {"content-type": "application/json"}, body=b"\xff\xfe\x80\n\n" * 100)
    assert isinstance(await failure_of(name, answer, way=way), parley.ProtocolError)


@every_wire
async def test_deep_json_takes_nothing_down(name: str) -> None:
    deep = b'data: {"candidates":' + b"[" * 200_000 + b"]" * 200_000 + b"}\n\n"
    error = await failure_of(name, streamed(whole(name, text(name, "Hel"), deep, text(name, "lo"))))
    assert isinstance(error, parley.ProtocolError)
    assert "nested too deeply" in error.message
    assert error.partial is not None
    assert error.partial.text == "Hel"
    body = b'{"candidates":' + b"[" * 200_000
    complete = Answer(headers={"content-type": "application/json"}, body=body)
    assert isinstance(await failure_of(name, complete, way="complete"), parley.ProtocolError)


@every_wire
async def test_an_end_that_is_told_twice_is_told_once(name: str) -> None:
    twice = streamed(whole(name, text(name, "Hello")), ending(name), b"data: [DONE]\n\n" * 2)
    done: list[parley.ChatResponse] = []
    async with ReplayServer(twice) as server, load(name, server) as provider:
        reply = await provider.stream_response(messages=MESSAGES, on_done=done.append)
    assert done == [reply]
    assert (reply.text, reply.finish_reason) == ("Hello", "stop")


# ── What a server does without end: memory stays bounded ─────────────────────────────────────────────────────────────────────


@pytest.fixture
def memory() -> Iterator[Callable[[], int]]:
    """The most bytes that Python held since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


ENDLESS: dict[str, Callable[[str], Answer]] = {
    "one event of 100 MB": lambda _name: streamed(b'data: {"x": "' + b"x" * MEBIBYTE, repeat=100),
    "a line that never ends": lambda _name: Answer(headers=EVENT_STREAM, body=b"x" * MEBIBYTE, repeat=1_000_000, framed=False),
    "data lines that never make an event": lambda _name: streamed((b"data: " + b"x" * 1000 + b"\n") * 1000, repeat=1_000_000),
    "text for ever": lambda name: streamed(opening(name), *[text(name, "x" * 65_536)] * 16, repeat=1_000_000),
}


@every_wire
@pytest.mark.parametrize("what", ENDLESS)
async def test_what_never_ends_is_left_in_time_and_memory(name: str, what: str, memory: Callable[[], int]) -> None:
    error = await failure_of(name, ENDLESS[what](name))
    assert isinstance(error, parley.ProtocolError)
    assert memory() < MAX_MEMORY_BYTES
    if what == "text for ever":
        assert "longer than" in error.message
        assert error.partial is not None
        assert set(error.partial.text) == {"x"}
    else:
        assert "one event of more than" in error.message


@every_wire
async def test_a_million_tool_calls(name: str, memory: Callable[[], int]) -> None:
    calls = [tool_call(name, index) for index in range(2000)]
    error = await failure_of(name, streamed(opening(name), *calls, repeat=500))
    assert isinstance(error, parley.ProtocolError)
    assert "tool calls" in error.message
    assert memory() < MAX_MEMORY_BYTES


@every_wire
async def test_a_complete_answer_without_end(name: str, memory: Callable[[], int]) -> None:
    endless = Answer(headers={"content-type": "application/json"}, body=b"[" + b" " * MEBIBYTE, repeat=1_000_000, framed=False)
    error = await failure_of(name, endless, way="complete")
    assert isinstance(error, parley.ProtocolError)
    assert "larger than" in error.message
    assert memory() < MAX_MEMORY_BYTES


@every_wire
async def test_an_error_page_without_end(name: str, memory: Callable[[], int]) -> None:
    page = Answer(status=500, headers={"content-type": "text/html"}, body=b"<p>" + b"x" * MEBIBYTE, repeat=1_000_000, framed=False)
    error = await failure_of(name, page, way="complete")
    assert isinstance(error, parley.ProviderError)
    assert memory() < MAX_MEMORY_BYTES
