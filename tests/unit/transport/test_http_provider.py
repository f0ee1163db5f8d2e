"""A provider of a declared wire against real servers: what it sends, what it makes of the reply, and what it never shows."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from parley import telemetry
from parley.contract.capabilities import Capabilities, Model
from parley.contract.config import Config
from parley.contract.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    ConnectionLostError,
    InvalidRequestError,
    MissingCredentialError,
    ParleyError,
    ProtocolError,
    RateLimitError,
    StreamTruncatedError,
    UnsupportedFeatureError,
)
from parley.contract.events import ResponseFinished, ResponseStarted, TextDelta, WarningRaised
from parley.contract.http import AuthScheme
from parley.contract.messages import Message
from parley.contract.options import Timeouts
from parley.contract.request import ChatRequest
from parley.providers.openai import OpenAIConfig
from parley.providers.openai import provider as openai
from parley.testing.replay import Answer, ReplayServer
from parley.transport.auth import NoAuth
from parley.transport.http_provider import Dialect, HttpProvider

ProviderFor = Callable[..., HttpProvider]
Question = Callable[..., ChatRequest]
TextOf = Callable[[HttpProvider, ChatRequest], Awaitable[str]]

KEY = "sk-test-1234567890"
FAST_SECONDS = 0.1
STREAM = Answer(headers={"content-type": "text/plain", "X-Request-Id": "r1"}, body=b"Hel\nlo\n.\n", streamed=True)
COMPLETE = Answer(body=b"Hel\nlo\n.\n")


class FreeConfig(Config):
    api_key: str = ""
    model: str = "local"


async def test_streams(provider_for: ProviderFor, question: Question) -> None:
    async with ReplayServer(STREAM) as server:
        events = [event async for event in provider_for(server.url + "/").stream(question(seed=1))]
    assert isinstance(events[0], WarningRaised)
    assert events[1] == ResponseStarted(request_id="r1")
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["Hel", "lo"]
    assert isinstance(events[-1], ResponseFinished)
    (request,) = server.requests
    assert request.path == "/v1/talk"
    assert request.json() == {"model": "acme-fast", "stream": True, "text": "Hi"}
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["accept-encoding"] == "identity"


async def test_completes_with_the_same_events(provider_for: ProviderFor, question: Question) -> None:
    async with ReplayServer(COMPLETE) as server:
        provider = provider_for(server.url)
        assert await provider.complete_events(question()) == [event async for event in provider.stream(question())]
        assert server.requests[0].json() == {"model": "acme-fast", "stream": False, "text": "Hi"}
        assert server.connections == 1


async def test_events_come_with_their_bytes(provider_for: ProviderFor, question: Question) -> None:
    answer = Answer(body=b"Hel\nlo\n.\n", streamed=True, pieces=[4], gap_seconds=0.02)
    async with ReplayServer(answer) as server:
        stream = provider_for(server.url).stream_batches(question())
        first = await anext(stream)
        assert [event.text for event in first if isinstance(event, TextDelta)] == ["Hel"]
        await stream.aclose()
        await asyncio.wait_for(server.disconnected(), FAST_SECONDS)


async def test_a_stream_ends_with_its_wires_own_end_and_keeps_the_connection(
    provider_for: ProviderFor, question: Question, text_of: TextOf
) -> None:
    late = Answer(body=b"a\n.\n ", streamed=True, pieces=[4], gap_seconds=0.03)
    async with ReplayServer(late) as server:
        provider = provider_for(server.url)
        started = asyncio.get_running_loop().time()
        assert await text_of(provider, question()) == "a"
        assert asyncio.get_running_loop().time() - started < 0.06
        client = provider._client  # pyright: ignore[reportPrivateUsage]
        assert client is not None
        async with asyncio.timeout(1):
            while client._lingering:  # noqa: ASYNC110  # pyright: ignore[reportPrivateUsage]
                await asyncio.sleep(0)
        assert await text_of(provider, question()) == "a"
        assert server.connections == 1


class TestConfiguration:
    def test_every_problem_at_once_named_by_its_variable(self, dialect: Dialect) -> None:
        config = dialect.config(api_key=f"{KEY}\n", endpoint="api.acme.example", headers={"X-A": "b\r\nc"}, proxy="h:1", ca_file="/nowhere")
        with pytest.raises(ConfigurationError) as raised:
            dialect.create(config)
        assert {problem.path for problem in raised.value.fields} == {
            "ACME_API_KEY",
            "ACME_ENDPOINT",
            "ACME_HEADERS.X-A",
            "ACME_PROXY",
            "ACME_CA_FILE",
        }
        assert KEY not in str(raised.value.to_dict())

    def test_an_instance_has_its_own_variables(self, dialect: Dialect) -> None:
        with pytest.raises(ConfigurationError, match="ACME_EU_ENDPOINT is missing"):
            dialect.create(dialect.config(api_key=KEY), name="acme-eu")

    async def test_no_key(self, provider_for: ProviderFor, question: Question) -> None:
        async with ReplayServer(STREAM) as server:
            provider = provider_for(server.url, api_key="")
            with pytest.raises(MissingCredentialError, match="set ACME_API_KEY") as raised:
                await provider.complete_events(question())
            assert server.requests == []
            status = await provider.test_connection()
        assert (raised.value.provider, raised.value.phase) == ("acme", "validate")
        assert status.error is not None
        assert "ACME_API_KEY" in status.error

    async def test_a_key_that_is_not_needed(self, provider_for: ProviderFor, question: Question, dialect: Dialect, text_of: TextOf) -> None:
        free = Dialect(name="local", config=FreeConfig, wire=dialect.wire, local=True)
        async with ReplayServer(STREAM) as server:
            assert await text_of(provider_for(server.url, dialect=free, api_key=""), question()) == "Hello"
            assert "authorization" not in server.requests[0].headers
            await text_of(provider_for(server.url, dialect=free, api_key="mine"), question())
            assert server.requests[1].headers["authorization"] == "Bearer mine"

    async def test_auth_of_the_dialects_own(self, provider_for: ProviderFor, question: Question, dialect: Dialect, text_of: TextOf) -> None:
        by_header = Dialect(name="acme", config=dialect.config, wire=dialect.wire, auth=AuthScheme(header="api-key", prefix=""))
        without = Dialect(name="acme", config=dialect.config, wire=dialect.wire, auth=NoAuth)
        async with ReplayServer(STREAM) as server:
            await text_of(provider_for(server.url, dialect=by_header), question())
            await text_of(provider_for(server.url, dialect=without, api_key=""), question())
        assert server.requests[0].headers["api-key"] == KEY
        assert not {"authorization", "api-key"} & server.requests[1].headers.keys()

    async def test_configured_headers_win(self, provider_for: ProviderFor, question: Question, text_of: TextOf) -> None:
        async with ReplayServer(STREAM) as server:
            headers = {"X-Title": "Parley", "Content-Type": "text/plain", "AUTHORIZATION": "Token abc"}
            await text_of(provider_for(server.url, headers=headers), question())
        sent = server.requests[0].headers
        assert (sent["x-title"], sent["content-type"], sent["authorization"]) == ("Parley", "text/plain", "Token abc")

    async def test_no_model(self, provider_for: ProviderFor, question: Question) -> None:
        with pytest.raises(InvalidRequestError, match=r"name one \(-m, options.model\) or set ACME_MODEL") as raised:
            await provider_for("http://127.0.0.1:1", model="").complete_events(question())
        assert raised.value.fields[0].path == "options.model"

    async def test_the_key_is_in_no_repr(self, provider_for: ProviderFor) -> None:
        assert KEY not in repr(provider_for("http://127.0.0.1:1"))


class TestCapabilities:
    def test_model_over_provider_over_wire(self, dialect: Dialect, question: Question) -> None:
        declared = Dialect(
            name="acme",
            config=dialect.config,
            wire=dialect.wire,
            capabilities=Capabilities(tools=True, images=True),
            models=[Model("acme-fast", capabilities=Capabilities(tools=False))],
        )
        provider = declared.create(declared.config(api_key=KEY, endpoint="http://h"))
        assert (provider.capabilities.tools, provider.capabilities.images, provider.capabilities.streaming) == (True, True, True)
        fast = provider._target(question()).capabilities  # pyright: ignore[reportPrivateUsage]
        assert (fast.tools, fast.images, fast.streaming, fast.files) == (False, True, True, None)


class TestDeclaration:
    @pytest.mark.parametrize(
        ("fields", "path", "words"),
        [
            ({"name": "Acme!"}, "name", "lower-case letters"),
            ({"name": "a" * 41}, "name", "at most 40"),
            ({"config": FreeConfig()}, "config", "not an instance"),
            ({"config": dict}, "config", "derived from Config"),
            ({"wire": "openai"}, "wire", "must be a codec"),
            ({"models": ["m1"]}, "models[0]", "must be a Model, not str"),
            ({"capabilities": {"tools": True}}, "capabilities", "Capabilities("),
            ({"limits": 5}, "limits", "Limits("),
        ],
    )
    def test_what_is_wrong_is_said(self, dialect: Dialect, fields: dict[str, Any], path: str, words: str) -> None:
        with pytest.raises(ConfigurationError) as raised:
            Dialect(**{"name": "acme", "config": FreeConfig, "wire": dialect.wire} | fields)
        (problem,) = raised.value.fields
        assert problem.path == path
        assert words in problem.message

    def test_a_wire_without_its_parentheses(self, dialect: Dialect) -> None:
        with pytest.raises(ConfigurationError, match="with its parentheses"):
            Dialect(name="acme", config=FreeConfig, wire=type(dialect.wire))  # type: ignore[arg-type]


class TestBadReplies:
    """Each is a typed error with provider, model and phase."""

    @pytest.mark.parametrize("way", ["stream", "complete"])
    @pytest.mark.parametrize(
        ("answer", "error_class", "words"),
        [
            (Answer(status=401, body=b"bad key"), AuthenticationError, "bad key"),
            (Answer(status=429, body=b"slow down"), RateLimitError, "slow down"),
            (Answer(status=307, headers={"location": "https://evil.example/login?k=1"}), ProtocolError, "redirects to evil.example "),
            (Answer(body=b"!\n"), ProtocolError, "said !"),
            (Answer(body=b"Hel\n"), StreamTruncatedError, "without a dot"),
            (Answer(silent_before_head=True, ending="reset"), ConnectionLostError, "before it answered"),
            (Answer(interim_heads=b"220 smtp ready\r\n", silent_before_head=True, ending="close"), ProtocolError, "proper HTTP"),
            (Answer(status=500, body=b"x" * 2_000_000), ProtocolError, "larger than 1048576 bytes"),
            (Answer(body=b"x" * 70_000_000), ProtocolError, ""),
        ],
    )
    async def test_is_typed(
        self, provider_for: ProviderFor, question: Question, way: str, answer: Answer, error_class: type[ParleyError], words: str
    ) -> None:
        async with ReplayServer(answer) as server:
            with pytest.raises(error_class) as raised:
                await ask(provider_for(server.url), question(), way)
        error = raised.value
        assert words in error.message
        assert (error.provider, error.model) == ("acme", "acme-fast")
        assert error.phase in {"first_token", "streaming", "complete"}
        assert len(server.requests) == 1

    @pytest.mark.parametrize("way", ["stream", "complete"])
    async def test_nothing_listens(self, provider_for: ProviderFor, question: Question, way: str) -> None:
        with pytest.raises(ConnectError, match="is the server running") as raised:
            await ask(provider_for(f"http://127.0.0.1:{free_port()}/v1"), question(), way)
        assert (raised.value.provider, raised.value.phase, raised.value.retryable) == ("acme", "connect", True)

    async def test_a_connection_lost_before_the_answer_says_what_was_waited_for(
        self, provider_for: ProviderFor, question: Question
    ) -> None:
        async with ReplayServer(Answer(silent_before_head=True, ending="close")) as server:
            provider = provider_for(server.url)
            with pytest.raises(ConnectionLostError) as complete:
                await provider.complete_events(question())
            with pytest.raises(ConnectionLostError) as streamed:
                await anext(provider.stream_batches(question()))
        assert (complete.value.phase, streamed.value.phase) == ("complete", "first_token")

    @pytest.mark.parametrize("ending", ["close", "reset"])
    async def test_a_cut_stream_is_truncated(self, provider_for: ProviderFor, question: Question, ending: Any) -> None:
        async with ReplayServer(Answer(body=b"Hel\nlo", streamed=True, pieces=[4], ending=ending)) as server:
            with pytest.raises(StreamTruncatedError) as raised:
                await ask(provider_for(server.url), question(), "stream")
        assert raised.value.phase == "streaming"

    async def test_a_stream_cut_before_its_first_content_failed_at_the_first_token(
        self, provider_for: ProviderFor, question: Question
    ) -> None:
        """That the reply had begun, as its first bytes say, is no token yet."""
        async with ReplayServer(Answer(body=b"Hel", streamed=True, ending="close")) as server:
            with pytest.raises(StreamTruncatedError) as raised:
                await ask(provider_for(server.url), question(), "stream")
        assert raised.value.phase == "first_token"

    async def test_a_cut_after_the_wires_end_is_none(self, provider_for: ProviderFor, question: Question, text_of: TextOf) -> None:
        async with ReplayServer(Answer(body=b"Hi\n.\n", streamed=True, ending="close")) as server:
            assert await text_of(provider_for(server.url), question()) == "Hi"

    async def test_a_cut_complete_reply(self, provider_for: ProviderFor, question: Question) -> None:
        async with ReplayServer(Answer(body=b"Hi\n.\n", send_bytes=2, ending="close")) as server:
            with pytest.raises(ConnectionLostError, match="in the middle of the answer, after 2 bytes") as raised:
                await ask(provider_for(server.url), question(), "complete")
        assert raised.value.phase == "complete"

    async def test_a_line_without_end_is_bounded(self, provider_for: ProviderFor, question: Question) -> None:
        async with ReplayServer(Answer(body=b"x" * 100_000, streamed=True, repeat=1000)) as server:
            before = resident_bytes()
            with pytest.raises(ProtocolError, match="too long"):
                await ask(provider_for(server.url), question(), "stream")
            assert resident_bytes() - before < 20_000_000

    async def test_other_streams_are_unharmed(self, provider_for: ProviderFor, question: Question, text_of: TextOf) -> None:
        steady = Answer(body=b"a\n" * 20 + b".\n", streamed=True, pieces=[2] * 20, gap_seconds=0.005)
        wild = Answer(body=b"x" * 100_000, streamed=True, repeat=1000)
        async with ReplayServer(steady) as good, ReplayServer(wild) as bad:
            streams = [text_of(provider_for(good.url), question()) for _ in range(5)]
            wrecks = [ask(provider_for(bad.url), question(), "stream") for _ in range(5)]
            results = await asyncio.gather(*streams, *wrecks, return_exceptions=True)
        assert results[:5] == ["a" * 20] * 5
        assert all(isinstance(result, ProtocolError) for result in results[5:])


class TestCancellation:
    """The server sees its connection closed within 100 ms, wherever the call stood."""

    @pytest.mark.parametrize(
        ("answer", "way"),
        [
            (Answer(silent_before_head=True, ending="stall"), "stream"),
            (Answer(streamed=True, ending="stall"), "stream"),
            (Answer(body=b"Hel\n", streamed=True, ending="stall"), "stream"),
            (Answer(silent_before_head=True, ending="stall"), "complete"),
            (Answer(body=b"Hel\nlo\n", send_bytes=4, ending="stall"), "complete"),
        ],
    )
    async def test_closes_the_connection(self, provider_for: ProviderFor, question: Question, answer: Answer, way: str) -> None:
        async with ReplayServer(answer) as server:
            task = asyncio.create_task(ask(provider_for(server.url), question(), way))
            await server.requested()
            await server.sent()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(server.disconnected(), FAST_SECONDS)

    async def test_a_dripping_stream_can_be_left(self, provider_for: ProviderFor, question: Question) -> None:
        async with ReplayServer(Answer(body=b"a\n" * 1000, streamed=True, pieces=[2] * 1000, gap_seconds=0.01)) as server:
            stream = provider_for(server.url).stream_batches(question())
            for _ in range(3):
                await anext(stream)
            await stream.aclose()
            await asyncio.wait_for(server.disconnected(), FAST_SECONDS)


class TestConnection:
    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (Answer(status=401, body=b"invalid"), "Acme does not accept the key; check it, or set another (ACME_API_KEY): invalid"),
            (Answer(body=b"<html>"), "web page; check ACME_ENDPOINT (http://127.0.0.1"),
            (Answer(status=302, headers={"location": "https://login.example"}), "redirects to login.example"),
            (Answer(status=404, body=b"no such path"), "no such path; check ACME_ENDPOINT"),
            (Answer(status=500, body=b"broken"), "broken; the vendor is the one to act: try again later"),
            (Answer(status=429, body=b"slow down."), "slow down; the vendor is the one to act: try again later"),
            (
                Answer(headers={"content-type": "text/event-stream"}, body=b"data: {}\n\n"),
                "acme answered with an event stream where its list of models was asked for; check ACME_ENDPOINT (http://127.0.0.1",
            ),
        ],
    )
    async def test_says_what_a_person_can_do(self, provider_for: ProviderFor, listing_dialect: Dialect, answer: Answer, words: str) -> None:
        async with ReplayServer(answer) as server:
            status = await provider_for(server.url, dialect=listing_dialect).test_connection()
        assert (status.success, status.provider) == (False, "acme")
        assert status.error is not None
        assert words in status.error

    async def test_nothing_listens(self, provider_for: ProviderFor) -> None:
        port = free_port()
        status = await provider_for(f"http://127.0.0.1:{port}/v1").test_connection()
        assert status.error is not None
        assert f"nothing listens at http://127.0.0.1:{port} (connection refused); is the server running" in status.error

    async def test_silence(self, provider_for: ProviderFor, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("parley.transport.http_provider.TEST_SECONDS", 0.05)
        async with ReplayServer(Answer(silent_before_head=True, ending="stall")) as server:
            status = await provider_for(server.url).test_connection()
            await asyncio.wait_for(server.disconnected(), FAST_SECONDS)
        assert status.error is not None
        assert "did not answer within 0.05 s" in status.error

    async def test_lists_models(self, provider_for: ProviderFor, listing_dialect: Dialect) -> None:
        async with ReplayServer(Answer(body=b"a b")) as server:
            provider = provider_for(server.url, dialect=listing_dialect, model="")
            assert [model.id for model in await provider.list_models()] == ["a", "b"]
            status = await provider.test_connection()
        assert status.success
        assert status.latency_ms is not None
        assert server.requests[0].path == "/v1/models"

    async def test_one_token_where_there_is_no_list(self, provider_for: ProviderFor, listing_dialect: Dialect) -> None:
        async with ReplayServer(Answer(status=404), COMPLETE) as server:
            status = await provider_for(server.url, dialect=listing_dialect).test_connection()
        assert status.success
        assert [request.path for request in server.requests] == ["/v1/models", "/v1/talk"]

    async def test_a_server_that_knows_no_responses_is_told_by_what_to_set(self) -> None:
        missing = Answer(status=404, body=b'{"detail": "Not Found"}', headers={"content-type": "application/json"})
        unknown = Answer(status=404, body=b'{"error": {"message": "The model gpt-5-mini does not exist", "code": "model_not_found"}}')
        async with ReplayServer(missing, unknown, missing) as server:
            told: list[str] = []
            for api in ("responses", "responses", "chat"):
                provider = openai.create(OpenAIConfig(api_key="k", endpoint=server.url, api=api))
                with pytest.raises(ParleyError) as raised:
                    await provider.complete_events(ChatRequest(messages=[Message(role="user", content="Hi")]))
                told.append(str(raised.value))
                await provider.aclose()
        assert [request.path for request in server.requests] == ["/v1/responses", "/v1/responses", "/v1/chat/completions"]
        assert told[0].endswith("; where this server knows no openai_responses, set OPENAI_API=chat")
        assert "OPENAI_API" not in told[1] + told[2]

    async def test_a_wire_without_a_list(self, provider_for: ProviderFor) -> None:
        async with ReplayServer(COMPLETE) as server:
            provider = provider_for(server.url)
            with pytest.raises(UnsupportedFeatureError, match="acme does not list its models"):
                await provider.list_models()
            assert (await provider.test_connection()).success


class TestConnectTimeout:
    @pytest.mark.parametrize(
        ("options", "config", "declared", "local", "seconds"),
        [
            (Timeouts(connect=1), Timeouts(connect=3), Timeouts(connect=4), False, 1),
            (5.0, Timeouts(connect=3), Timeouts(connect=4), False, 3),
            (None, Timeouts(), Timeouts(connect=4), True, 4),
            (None, Timeouts(), Timeouts(), True, 2),
            (None, Timeouts(), Timeouts(), False, 10),
        ],
    )
    def test_the_nearest_setting_wins(
        self, dialect: Dialect, question: Question, options: Any, config: Timeouts, declared: Timeouts, *, local: bool, seconds: float
    ) -> None:
        slow = Dialect(name="acme", config=dialect.config, wire=dialect.wire, timeouts=declared, local=local)
        provider = slow.create(slow.config(api_key=KEY, endpoint="http://h", timeouts=config))
        assert provider._connect_seconds(question(timeout=options)) == seconds  # pyright: ignore[reportPrivateUsage]


class TestLog:
    async def run(self, server: ReplayServer, provider: HttpProvider, question: Question) -> None:
        await ask(provider, question(), "complete")
        await server.requested()

    async def test_debug_shows_the_traffic_and_no_secret(
        self, provider_for: ProviderFor, question: Question, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        async with ReplayServer(COMPLETE) as server:
            provider = provider_for(server.url, headers={"X-Team": "team-secret-1"})
            await self.run(server, provider, question)
            (sent, received) = [record.getMessage() for record in caplog.records if record.name == "parley.transport.client"]
        assert sent.startswith(f'"http request" method=POST url={server.url}/talk headers=') or f"method=POST url={server.url}/talk" in sent
        assert "authorization" in sent
        assert "status=200" in received
        assert "bytes=9" in received
        assert not any(word in caplog.text for word in (KEY, "team-secret-1", "Hel"))

    async def test_contents_only_when_asked_for(
        self, provider_for: ProviderFor, question: Question, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(telemetry._process, "content", True)  # pyright: ignore[reportPrivateUsage]
        caplog.set_level(logging.DEBUG)
        async with ReplayServer(Answer(body=f"Hel\n{KEY}\n.\n".encode())) as server:
            await self.run(server, provider_for(server.url), question)
        assert '\\"text\\":\\"Hi\\"' in caplog.text
        assert "Hel\\n***" in caplog.text
        assert KEY not in caplog.text

    async def test_a_vendor_that_quotes_the_key(self, provider_for: ProviderFor, question: Question) -> None:
        async with ReplayServer(Answer(status=401, body=f"wrong key {KEY}".encode())) as server:
            with pytest.raises(AuthenticationError) as raised:
                await ask(provider_for(server.url), question(), "complete")
        assert raised.value.message == "wrong key ***"
        assert KEY not in str(raised.value) + repr(raised.value) + str(raised.value.to_dict())


def test_importing_it_does_not_load_the_http_library() -> None:
    code = "import sys, parley.transport.http_provider; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def ask(provider: HttpProvider, request: ChatRequest, way: str) -> None:
    if way == "complete":
        await provider.complete_events(request)
    else:
        async for _ in provider.stream_batches(request):
            pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
