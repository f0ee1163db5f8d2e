"""Classes that do their own requests: seen at a local server where they take their endpoint, and never passed where they do not."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.error
import urllib.request
from typing import Any

import aiohttp
import pytest

from parley.contract.errors import error_class_for_status
from parley.provider import (
    Capabilities,
    ChatResponse,
    Config,
    ConnectError,
    Provider,
    ResponseFinished,
    StreamTruncatedError,
    TextDelta,
    UsageReport,
    UsageReported,
)
from parley.testing import subject_of

from ..examining import failures, findings, of_verdict


class Own(Provider):
    """Speaks a wire that ships, by its own client; whose wire that is, it does not say."""

    name = "own"
    capabilities = Capabilities(streaming=True, tools=False, usage=True)

    def url(self) -> str:
        return f"{self.config.endpoint}/chat/completions"

    async def stream(self, request):
        body = {"messages": [{"role": each.role, "content": each.text} for each in request.messages], "stream": True}
        for option in ("model", "temperature", "max_tokens"):
            if getattr(request.options, option) is not None:
                body[option] = getattr(request.options, option)
        headers = {"authorization": f"Bearer {self.config.api_key}"}
        try:
            async with aiohttp.ClientSession() as session, session.post(self.url(), json=body, headers=headers) as response:
                if response.status != 200:
                    after = response.headers.get("retry-after")
                    retry_after = float(after) if after else None
                    raise error_class_for_status(response.status)("refused", status=response.status, retry_after=retry_after)
                async for event in self.read(response):
                    yield event
        except aiohttp.ClientPayloadError as error:
            raise StreamTruncatedError("the connection broke") from error
        except aiohttp.ClientConnectionError as error:
            raise ConnectError(f"nobody answers at {self.config.endpoint}") from error

    async def read(self, response):
        finish = None
        async for line in response.content:
            if not line.startswith(b"data: {"):
                continue
            try:
                chunk = json.loads(line[6:])
            except ValueError:
                continue
            for choice in chunk.get("choices", []):
                if choice["delta"].get("content"):
                    yield TextDelta(choice["delta"]["content"])
                finish = choice.get("finish_reason") or finish
            if usage := chunk.get("usage"):
                yield UsageReported(usage=UsageReport(prompt_tokens=usage["prompt_tokens"], completion_tokens=usage["completion_tokens"]))
        if finish is None:
            raise StreamTruncatedError("the answer has no end")
        yield ResponseFinished(response=ChatResponse(finish_reason=finish))


def test_a_class_that_takes_its_endpoint_is_seen_at_the_server() -> None:
    subject = subject_of(Own)
    found = findings(subject, "one_ending", "usage", "every_cut", "any_split", "statuses", "cancellation", "redaction")
    assert (subject.observation, subject.known.wire) == ("http", "openai_chat"), "the wire is found by what it reads right"
    assert of_verdict(found, "failed") == {}
    passed = of_verdict(found, "passed")
    assert "11 + 7 tokens, reported" in passed["usage"]
    assert "in mid-stream: the connection closed" in passed["cancellation"]
    assert "429" in passed["statuses"]


class Careless(Own):
    name = "careless"

    async def read(self, response):
        async for event in super().read(response):
            yield event

    async def stream(self, request):
        try:
            async for event in super().stream(request):
                yield event
        except StreamTruncatedError:
            yield ResponseFinished(response=ChatResponse(finish_reason="stop"))


def test_what_it_does_wrong_there_is_told() -> None:
    assert "as if nothing were missing" in failures(Careless, "one_cut")["one_cut"]


class Migrated:
    """As the migration guide writes it: dicts, callbacks, and errors of the language alone."""

    name = "migrated"

    def __init__(self, config):
        self.config = config

    async def stream_response(self, messages, system_prompt=None, options=None, on_token=None, on_done=None, on_error=None):
        try:
            text, usage = await self.ask(messages, on_token)
            on_done({"text": text, "usage": usage})
        except Exception as error:
            on_error(error)
            raise

    async def ask(self, messages, on_token):
        body = {"model": self.config.model, "messages": messages, "stream": True}
        headers = {"authorization": f"Bearer {self.config.api_key}"}
        text, usage, ended = "", {}, False
        url = f"{self.config.endpoint}/chat/completions"
        async with aiohttp.ClientSession() as session, session.post(url, json=body, headers=headers) as response:
            if response.status != 200:
                raise Exception(f"Migrated API error: {response.status}")  # noqa: TRY002 - as the guide has it
            async for line in response.content:
                chunk = json.loads(line[6:]) if line.startswith(b"data: {") else {}
                if chunk.get("error"):
                    raise Exception("Migrated API error: it broke off")  # noqa: TRY002
                for choice in chunk.get("choices", []):
                    token = choice["delta"].get("content")
                    text += token or ""
                    on_token(token) if token else None
                    ended = ended or bool(choice.get("finish_reason"))
                counts = chunk.get("usage") or {}
                usage |= {"promptTokens": counts["prompt_tokens"], "completionTokens": counts["completion_tokens"]} if counts else {}
        if not ended:
            raise Exception("Migrated API error: the answer has no end")  # noqa: TRY002
        return text, usage


def test_the_plain_errors_of_the_migration_guide_are_advice() -> None:
    rules = ("one_ending", "one_error", "one_cut", "every_cut", "statuses", "bodies", "error_inside", "conduct")
    found = findings(Migrated, *rules)
    assert of_verdict(found, "failed") == {}
    advised = of_verdict(found, "advice")
    assert "429: the error is ProtocolError" in advised["statuses"]
    assert advised.keys() >= {"statuses", "bodies", "one_cut", "conduct"}
    careless = type("Forgetful", (Migrated,), {"name": "forgetful", "ask": forgetful})
    assert "as if nothing were missing" in failures(careless, "one_cut")["one_cut"], "what misleads people is no advice"


async def forgetful(self, messages, on_token):
    try:
        return await Migrated.ask(self, messages, lambda token: None)
    except Exception:
        on_token("something")
        return "something", {}


def test_options_that_a_bare_class_ignores_are_advice_and_declared_ones_a_failure() -> None:
    claims = type("Claims", (Own,), {"name": "claims", "capabilities": Capabilities(streaming=True, tools=False, seed=True)})
    bare, claiming = findings(Own, "options"), findings(claims, "options")
    assert "seed is not known to be missing" in of_verdict(bare, "advice")["options"]
    assert "options" not in of_verdict(bare, "failed")
    assert "seed is declared as supported" in of_verdict(claiming, "failed")["options"]


class Elsewhere:
    """Its SDK knows one address."""

    def __init__(self) -> None:
        self.name = "elsewhere"

    def generate_response(self, messages):
        with urllib.request.urlopen("https://api.vendor.example/v1/chat", data=b"{}", timeout=5) as response:
            return {"text": response.read().decode()}


def test_a_class_that_ignores_its_endpoint_is_kept_offline_and_never_passed() -> None:
    found = findings(Elsewhere)
    unseen = of_verdict(found, "not_run")
    for rule in ("one_ending", "usage", "any_split", "cancellation", "options", "conduct"):
        assert "it connects to api.vendor.example:443, whatever its endpoint says" in unseen[rule]
        assert rule not in of_verdict(found, "passed")
    assert of_verdict(found, "failed") == {}


class FromVariables:
    """Reads its configuration from the environment, when it asks."""

    name = "from-variables"

    def generate_response(self, messages):
        key, endpoint = os.environ["FROM_VARIABLES_API_KEY"], os.environ["FROM_VARIABLES_ENDPOINT"]
        request = urllib.request.Request(f"{endpoint}/chat/completions", data=b"{}", headers={"x-key": key})
        try:
            with urllib.request.urlopen(request, timeout=5) as response:
                document = json.load(response)
        except urllib.error.HTTPError as error:
            error.close()
            raise error_class_for_status(error.code)("refused", status=error.code) from None
        return {"text": document["choices"][0]["message"]["content"]}


def test_a_class_that_reads_its_variables_is_seen_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_VARIABLES_API_KEY", "the author's own key")
    subject = subject_of(FromVariables)
    found = findings(subject, "one_ending", "redaction")
    assert subject.observation == "http"
    assert of_verdict(found, "failed") == {}
    assert os.environ["FROM_VARIABLES_API_KEY"] == "the author's own key", "what was set is set again"


class Unknown:
    """Speaks something that nobody here knows."""

    name = "unknown"

    def __init__(self, config: Config) -> None:
        self.config = config

    async def generate_response(self, messages):
        async with aiohttp.ClientSession() as session, session.get(self.config.endpoint) as response:
            said: Any = await response.json(content_type=None)
        await asyncio.sleep(0)
        return {"text": said["martian"]}


def test_a_class_whose_wire_nobody_knows_needs_recordings() -> None:
    assert "to know what its service answers" in of_verdict(findings(Unknown, "one_ending"), "not_run")["one_ending"]
