"""Every recorded exchange of every vendor, through the provider of that vendor, over a real connection: what a caller is given is what a
naive reader reads in the recording, however the bytes arrive; and what was asked then is what is sent now.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

import parley
from parley.provider import Dialect
from parley.registry.discovery import built_in_candidates
from parley.testing.made_up import made_up_fields
from parley.testing.proof import is_of, speaks
from parley.testing.recordings import IndexRow, Recording, load_recording, read_index, recordings_directory
from parley.testing.replay import ReplayServer
from parley.wire.openai_chat_server import ChatCall, decode_request

from .recordings_table import OUT_OF_SCOPE, in_scope

DIRECTORY = recordings_directory()
KEY = "k-of-the-test"
QUESTION = parley.ChatRequest(messages=[parley.Message(role="user", content="Hi")])
# Vendors without a provider of their own: whoever uses them takes the one for everybody.
FOR_EVERYBODY = {"openai-chat": ("openai-compatible", ""), "openai-responses": ("openai", "")}
# What each vendor calls the end of a reply; all else means that it is whole, and stops or calls a tool.
REASONS = {
    "length": "length",
    "max_tokens": "length",
    "MAX_TOKENS": "length",
    "max_output_tokens": "length",
    "content_filter": "content_filter",
    "SAFETY": "content_filter",
    "refusal": "content_filter",
    "guardrail_intervened": "content_filter",
    "UNEXPECTED_TOOL_CALL": "error",
    None: "unknown",
}


@cache
def dialects() -> dict[str, Dialect]:
    loaded = {candidate.name: candidate.load() for candidate in built_in_candidates()}
    return {name: module.provider for name, module in loaded.items() if isinstance(getattr(module, "provider", None), Dialect)}


def owners(row: IndexRow) -> Iterator[tuple[str, str]]:
    """Provider and API whose own this recording is."""
    for name, dialect in dialects().items():
        for api, wire in (("", dialect.wire), *dialect.apis.items()):
            if speaks(wire.name, row.wire_family) and is_of(name, wire.name, row.provider, called=dialect.label):
                yield name, api


def cases(*, lists: bool = False) -> list[Any]:
    if DIRECTORY is None:
        return [pytest.param("", "", "", marks=pytest.mark.skip(reason="the recordings are not here (PARLEY_RECORDINGS)"))]
    found: list[Any] = []
    for row in read_index(DIRECTORY):
        if in_scope(row) and (row.kind == "models") is lists:
            whose = list(owners(row)) or [FOR_EVERYBODY[row.wire_family]] if not lists else list(owners(row))
            found += [
                pytest.param(name, api, row.file, id=f"{name}-{api}-{row.file}" if api else f"{name}-{row.file}") for name, api in whose
            ]
    return found


def load(file: str) -> Recording:
    assert DIRECTORY is not None
    return load_recording(DIRECTORY / file)


def provider_of(name: str, api: str, server: ReplayServer, *, model: str) -> Any:
    more = dict(made_up_fields(dialects()[name].config, key=KEY)) | ({"api": api} if api else {})
    return parley.load_provider(name, **({"api_key": KEY, "endpoint": server.url, "model": model or "m"} | more))


async def ask(provider: Any, request: parley.ChatRequest, *, stream: bool) -> parley.ChatResponse:
    if not stream:
        return await provider.generate(request, attempts=1)
    return [event async for event in provider.stream(request, attempts=1)][-1].response


def wire_of(name: str, api: str, model: str) -> str:
    wire: Any = dialects()[name].apis.get(api, dialects()[name].wire)
    return (wire.of(model) if hasattr(wire, "of") else wire).name


def ways(recording: Recording) -> Iterator[Any]:
    """Whole, and cut anywhere, the same in every run."""
    yield None
    chance = random.Random(recording.file)
    for cuts in (3, 25):
        sizes = [chance.randrange(1, max(2, 2 * len(recording.body) // cuts)) for _ in range(cuts)]
        yield sizes


def as_value(arguments: Any) -> Any:
    """Arguments as what they mean; what is no JSON stays as it is."""
    try:
        value = json.loads(arguments or "{}") if isinstance(arguments, str | None) else arguments
    except json.JSONDecodeError:
        return arguments
    return {} if value is None else value


@pytest.mark.parametrize(("name", "api", "file"), cases())
async def test_a_caller_is_given_what_the_vendor_said(
    name: str, api: str, file: str, read_naively: Callable[..., Any], record_property: Callable[[str, Any], None]
) -> None:
    recording, right = load(file), list[str]()
    is_error = recording.kind in {"error", "error-stream"} or "spliced" in file
    told = {"recording": file, "wire": wire_of(name, api, recording.model), "ways": ["error"] if is_error else ["whole", "split"]}
    for field, value in (told | {"right": right}).items():
        record_property(field, value)
    if is_error:
        await assert_refused(name, api, recording)
        right.append("error")
        return
    said = read_naively(wire_of(name, api, recording.model), recording)
    async with ReplayServer(recording) as server, provider_of(name, api, server, model=recording.model) as provider:
        for pieces in ways(recording):
            server.answer_with(recording, pieces=pieces)
            reply = await ask(provider, QUESTION, stream=recording.streaming)
            assert reply.text == said.text or as_value(reply.text) == as_value(said.text) != {}
            assert reply.reasoning == said.reasoning
            assert [[call.name, as_value(call.arguments)] for call in reply.tool_calls] == [
                [called, as_value(arguments)] for called, arguments in said.calls
            ]
            counted = (said.prompt_tokens, said.completion_tokens)
            given = (reply.usage.prompt_tokens, reply.usage.completion_tokens)
            assert [mine for mine, theirs in zip(given, counted, strict=True) if theirs is not None] == [
                theirs for theirs in counted if theirs is not None
            ]
            assert (reply.usage.source == "reported") is (None not in counted)
            assert reply.raw_finish_reason == said.reason
            ended = REASONS.get(said.reason, "stop")
            # "end_turn" is said of a whole turn, whose calls the vendor has answered itself.
            calls = said.calls and ended in {"stop", "unknown"} and said.reason != "end_turn"
            assert reply.finish_reason == ("tool_calls" if calls else ended)
            assert (reply.provider, reply.complete) == (name, True)
            right += ["whole"] if pieces is None else []
    right.append("split")


async def assert_refused(name: str, api: str, recording: Recording) -> None:
    async with ReplayServer(recording) as server, provider_of(name, api, server, model=recording.model) as provider:
        for stream in {recording.streaming, True} if recording.kind == "error" else {True}:
            with pytest.raises(parley.ParleyError) as caught:
                await ask(provider, QUESTION, stream=stream)
            assert caught.value.provider == name
            assert KEY not in str(caught.value)
            assert isinstance(caught.value, parley.ProviderError)
            if recording.kind == "error":
                assert caught.value.status == recording.status


@pytest.mark.parametrize(("name", "api", "file"), cases(lists=True))
async def test_the_vendors_list_of_models_is_read(name: str, api: str, file: str) -> None:
    recording = load(file)
    document = json.loads(recording.body)
    chats = "generateContent"  # one vendor says of each model what it is for
    items = document.get("data") or document["models"]
    listed = [item.get("id") or item["name"] for item in items if chats in item.get("supportedGenerationMethods", [chats])]
    async with ReplayServer(recording) as server, provider_of(name, api, server, model="m") as provider:
        assert [model.id for model in await provider.list_models()] == [model.removeprefix("models/") for model in listed]


def test_each_recording_is_somebodys_or_out_of_scope_for_a_reason() -> None:
    if DIRECTORY is None:
        pytest.skip("the recordings are not here (PARLEY_RECORDINGS)")
    rows = list(read_index(DIRECTORY))
    chats = [row for row in rows if in_scope(row) and row.kind != "models"]
    lost = sorted({row.provider for row in chats if not list(owners(row)) and row.wire_family not in FOR_EVERYBODY})
    assert lost == []
    assert len(chats) >= 560
    assert {row.wire_family for row in rows} >= OUT_OF_SCOPE.keys()


PLAIN = ("temperature", "top_p", "top_k", "seed", "frequency_penalty", "presence_penalty", "parallel_tool_calls", "response_format")
# What our own door for this wire does not take; each in words of its refusal.
NOT_ASKABLE = (
    "functions are the only tools here",
    "one answer a request",
    "answers are text",
    "use auto, none, required or a function",
    "type: is 'thinking'",
    "type: is 'file_url'",
    "json_schema.name: expected a string",
    "tool_calls[0].id: expected a string",
)
LIMITS = ("max_tokens", "max_completion_tokens")


def asked() -> list[Any]:
    """Recorded requests of the chat wire, each with its vendor's provider."""
    found: list[Any] = []
    for case in cases():
        name, api, file = case.values
        if not file or wire_of(name, api, "") == "openai_chat":
            recording = load(file) if file else None
            if recording is None or (
                not recording.kind.startswith("error") and recording.request and isinstance(recording.request.body, dict)
            ):
                found.append(case)
    return found


def messages_of(body: dict[str, Any]) -> list[Any]:
    """Who said what: role, text, how many other parts, calls by name and arguments, and which call is answered."""
    found: list[Any] = []
    for message in body["messages"]:
        content = message.get("content") or ""
        parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
        text = "".join(part.get("text", "") for part in parts if part["type"] == "text")
        calls = [[call["function"]["name"], as_value(call["function"]["arguments"])] for call in message.get("tool_calls") or []]
        others = [part["type"] for part in parts if part["type"] not in {"text", "thinking"}]
        role = "system" if message["role"] == "developer" else message["role"]
        found.append([role, text, others, calls, bool(message.get("tool_call_id"))])
    return found


def options_of(body: dict[str, Any], more: set[str]) -> dict[str, Any]:
    """The fields that mean the same for every vendor, and those that this one's provider declares."""
    found = {name: body[name] for name in {*PLAIN, *more} if body.get(name) is not None}
    limits = [body[name] for name in LIMITS if body.get(name) is not None]
    if limits:
        found["limit"] = limits[0]
    wanted = found.pop("response_format", {"type": "text"})
    if wanted["type"] != "text":
        found["response_format"] = [wanted["type"], (wanted.get("json_schema") or {}).get("schema")]
    if body.get("stop"):
        found["stop"] = [body["stop"]] if isinstance(body["stop"], str) else body["stop"]
    if body.get("reasoning_effort") or body.get("reasoning"):
        found["effort"] = body.get("reasoning_effort") or body["reasoning"].get("effort")
    if body.get("tools"):
        found["tools"] = [
            [tool["function"]["name"], tool["function"].get("description"), tool["function"].get("parameters") or {}]
            for tool in body["tools"]
        ]
        if body.get("tool_choice") not in {None, "auto"} if isinstance(body.get("tool_choice"), str | None) else True:
            found["tool_choice"] = body["tool_choice"]
    return found


def as_call(body: dict[str, Any]) -> ChatCall | None:
    """What our own door for this wire makes of the request; None where it does not take it, for a reason that is known."""
    try:
        return decode_request(json.dumps(body).encode())
    except parley.CallerError as refusal:
        if any(words in refusal.message for words in NOT_ASKABLE):
            return None
        raise


@pytest.mark.parametrize(("name", "api", "file"), asked())
async def test_what_was_asked_then_is_what_is_sent_now(name: str, api: str, file: str) -> None:
    recording = load(file)
    assert recording.request is not None
    then = recording.request.body
    call = as_call({**then, "model": then.get("model") or recording.model or "m"})
    if call is None:
        return
    async with ReplayServer(recording) as server, provider_of(name, api, server, model="m") as provider:
        request, dropped = call.fit(call.model, provider.extra_options)
        reply = await ask(provider, request, stream=recording.streaming)
        (received,) = server.requests
    now: Any = received.json()
    declared = {option.name for option in provider.extra_options or ()} - {"reasoning_effort", "reasoning", "user"}
    assert now["model"] == call.model
    assert bool(now.get("stream")) is recording.streaming
    by_prompt = provider.capabilities.structured_output == "prompt" and "response_format" in then
    assert messages_of(now)[1 if by_prompt else 0 :] == messages_of(then)
    told = " ".join(f"{warning.code} {warning.message}" for warning in [*dropped, *reply.warnings])
    sent, wanted = options_of(now, declared), options_of(then, declared)
    lost = {field for field in wanted if field not in sent and not (field in told or any(limit in told for limit in LIMITS))}
    assert lost == set()
    assert sent == {field: value for field, value in wanted.items() if field in sent}
