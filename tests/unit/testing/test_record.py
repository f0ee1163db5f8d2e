"""What is recorded of a vendor can at once be replayed, and gives the same answers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from msgspec import json

from parley.cli.replaying import reader_of
from parley.contract.errors import ConfigurationError, InvalidRequestError, MissingCredentialError, ParleyError
from parley.contract.messages import Message
from parley.contract.options import Options
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse
from parley.registry.loading import Registry
from parley.testing.record import NothingPassedError, Outcome, prepare, record
from parley.testing.recordings import Recording, find_recordings, load_recording
from parley.testing.replay import Answer, ReplayServer
from parley.testing.samples import Sample, sample_of

KEY = "sk-quiet-Ab3dEf6hIj9kLm2n"
WIRES = {"openai": "openai_chat", "anthropic": "anthropic_messages", "gemini": "gemini_generate"}
ANSWERED = ("text", "stream", "tool-call", "tool-call-streamed")
TALKS = """
import json, urllib.request
class Acme:
    name = 'acme'
    def __init__(self, config):
        self.config = config
    def generate_response(self, **_):
        request = urllib.request.Request(self.config.endpoint + '/say', data=b'{}', method='POST')
        with urllib.request.urlopen(request) as reply:
            return {'text': json.load(reply)['words']}
"""
KINDS = {"text": "generate", "stream": "stream", "tool-call": "tools", "tool-call-streamed": "tools-stream"}


def sample(name: str) -> Sample:
    found = sample_of(WIRES[name])
    assert found is not None
    return found


def registry(name: str, endpoint: str, **variables: str) -> Registry:
    own = name.upper().replace("-", "_")
    environ = {f"{own}_API_KEY": KEY, f"{own}_ENDPOINT": endpoint, f"{own}_MODEL": "model-1"} | variables
    return Registry.from_environment(environ=environ, directory=Path.cwd())


async def recorded(source: Registry, name: str, folder: Path, *only: str) -> list[Outcome]:
    return [outcome async for outcome in record(prepare(source, name, folder=folder, only=only))]


async def replayed(recording: Recording) -> ChatResponse:
    name = reader_of(recording, None)
    async with ReplayServer(recording) as server, registry(name, server.url).load(name) as provider:
        request = ChatRequest(messages=[Message(role="user", content="x")], options=Options(model=recording.model))
        if not recording.streaming:
            return await provider.generate(request, attempts=1)
        events = [event async for event in provider.stream(request, attempts=1)]
        return events[-1].response  # type: ignore[union-attr]


def write(name: str, text: str) -> None:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(text, encoding="utf-8")


def own_provider(code: str) -> None:
    write("parley_providers/acme.py", code)


def files_in(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", WIRES)
async def test_what_is_recorded_is_replayed_with_the_same_answers(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor = sample(name)
    answers = [vendor.complete(), vendor.streamed(), vendor.tool_called(), vendor.tool_streamed()]
    async with ReplayServer(*answers, pieces=[7, 5, 11]) as server:
        outcomes = await recorded(registry(name, server.url), name, tmp_path, "text", "stream", "tools")
    assert [(outcome.name, outcome.verdict) for outcome in outcomes] == [(each, "saved") for each in ANSWERED]
    assert {outcome.name: outcome.kind for outcome in outcomes} == KINDS
    monkeypatch.setenv("PARLEY_RECORDINGS", str(tmp_path))
    recordings = [load_recording(path) for path in find_recordings(name)]
    assert [recording.body for recording in recordings] == [answer.body for answer in answers]
    assert all(recording.exact and recording.headers["x-request-id"] == "request-1" for recording in recordings)
    assert [recording.streaming for recording in recordings] == [False, True, False, True]
    for recording in recordings:
        reply = await replayed(recording)
        if recording.kind.startswith("tools"):
            (call,) = reply.tool_calls
            assert (call.name, json.decode(call.arguments)) == (vendor.call_name, vendor.call_arguments)
        else:
            assert reply.text == vendor.text
        assert reply.usage.prompt_tokens == vendor.prompt_tokens


@pytest.mark.parametrize("name", WIRES)
async def test_errors_are_asked_for_with_a_wrong_model_and_a_wrong_key(name: str, tmp_path: Path) -> None:
    vendor = sample(name)
    answers = [vendor.error(404, "no such model in organization org-AbC123xyz456"), vendor.error(401, f"no: {KEY[:9]}")]
    async with ReplayServer(*answers) as server:
        outcomes = await recorded(registry(name, server.url), name, tmp_path, "error")
        sent = [json.encode([request.path, request.headers, request.body.decode()]).decode() for request in server.requests]
    assert [(outcome.name, outcome.status, outcome.verdict) for outcome in outcomes] == [
        ("unknown-model", 404, "saved"),
        ("wrong-key", 401, "saved"),
    ]
    assert "parley-no-such-model" in sent[0]
    assert KEY in sent[0]
    assert KEY not in sent[1]
    assert "parley-wrong-key" in sent[1]
    recordings = [load_recording(path) for outcome in outcomes for path in outcome.files]
    assert [(recording.kind, recording.status) for recording in recordings] == [("error", 404), ("error", 401)]
    assert b"org-AbC" not in recordings[0].body
    for recording in recordings:
        with pytest.raises(ParleyError) as caught:
            await replayed(recording)
        assert caught.value.status == recording.status


@pytest.mark.parametrize("name", WIRES)
async def test_the_key_is_in_no_file(name: str, tmp_path: Path) -> None:
    vendor = sample(name)
    echo = Answer(headers=vendor.complete_headers | {"set-cookie": KEY, "x-request-id": KEY}, body=vendor.text_complete)
    async with ReplayServer(echo) as server:
        await recorded(registry(name, server.url, GITHUB_TOKEN="another-quiet-one"), name, tmp_path, "text")
        assert KEY in str(server.requests[0].headers)
    assert len(files_in(tmp_path)) == 2
    for text in files_in(tmp_path).values():
        assert KEY not in text


async def test_one_failure_stops_no_other(tmp_path: Path) -> None:
    vendor = sample("openai")
    answers = [vendor.error(429, "Slow down."), vendor.cut(), vendor.cut(ending="reset"), vendor.tool_streamed()]
    async with ReplayServer(*answers) as server:
        outcomes = await recorded(registry("openai", server.url), "openai", tmp_path, "text", "stream", "tools")
        assert len(server.requests) == 4
    assert [outcome.verdict for outcome in outcomes] == ["failed", "doubtful", "failed", "saved"]
    assert "Slow down." in outcomes[0].reason
    assert "could not read it" in outcomes[1].reason
    assert "closed the connection" in outcomes[2].reason
    assert [len(outcome.files) for outcome in outcomes] == [0, 1, 0, 1]


async def test_a_secret_that_comes_back_in_pieces_is_not_written(tmp_path: Path) -> None:
    leaking, clean = sample_of("openai_chat", pieces=["It is ", KEY[:9], KEY[9:], "."]), sample("openai")
    assert leaking is not None
    async with ReplayServer(leaking.streamed(), clean.tool_called(), clean.tool_streamed()) as server:
        outcomes = await recorded(registry("openai", server.url), "openai", tmp_path, "stream", "tools")
    assert [outcome.verdict for outcome in outcomes] == ["failed", "saved", "saved"]
    assert "not written, a secret is still in it: response body, choices[0].delta.content" in outcomes[0].reason
    assert KEY[9:] not in outcomes[0].reason
    assert not (tmp_path / "openai/stream").exists()


@pytest.mark.parametrize("quiet", ["quiet-words-of-a-variable", "the-second-quiet-words"])
async def test_a_secret_of_another_provider_is_one_too(tmp_path: Path, quiet: str) -> None:
    table = 'name = "other"\nprovider = "openai-compatible"\nendpoint = "http://127.0.0.1:9/v1"'
    write("parley.toml", f'[[providers]]\n{table}\nkeys = ["the-first-quiet-words", "the-second-quiet-words"]\n')
    leaking = sample_of("openai_chat", pieces=[quiet[:7], quiet[7:]])
    assert leaking is not None
    async with ReplayServer(leaking.streamed()) as server:
        source = registry("openai", server.url, SOMEBODYS_PASSWORD="quiet-words-of-a-variable")
        outcomes = await recorded(source, "openai", tmp_path / "to", "stream")
    assert [outcome.verdict for outcome in outcomes] == ["failed"]
    assert files_in(tmp_path / "to") == {}


async def test_a_credential_that_was_made_a_moment_ago_is_one_too(tmp_path: Path) -> None:
    own_provider(TALKS.replace("method='POST'", "method='POST', headers={'authorization': 'Bearer minted moment-ago-42'}"))
    echo = b'{"words": "You are moment-ago-42."}'
    async with ReplayServer(Answer(headers={"content-type": "application/json"}, body=echo)) as server:
        (outcome,) = await recorded(registry("acme", server.url), "acme", tmp_path / "to", "text")
    assert load_recording(outcome.files[0]).body == b'{"words":"You are ***."}'
    assert not any("moment-ago" in text for text in files_in(tmp_path / "to").values())


async def test_a_mere_word_in_the_place_of_a_key_is_no_secret(tmp_path: Path) -> None:
    vendor = sample("openai")
    async with ReplayServer(vendor.complete()) as server:
        outcomes = await recorded(registry("openai", server.url, OPENAI_API_KEY="openai"), "openai", tmp_path, "text")
    assert [outcome.verdict for outcome in outcomes] == ["saved"]


async def test_words_in_the_place_of_a_tool_call_are_not_called_one(tmp_path: Path) -> None:
    vendor = sample("openai")
    async with ReplayServer(vendor.complete(), vendor.streamed()) as server:
        outcomes = await recorded(registry("openai", server.url), "openai", tmp_path, "tools")
    assert [(outcome.kind, outcome.verdict) for outcome in outcomes] == [("generate", "doubtful"), ("stream", "doubtful")]
    assert all("did not call the tool" in outcome.reason for outcome in outcomes)


async def test_a_server_that_takes_any_key_has_no_error_to_record(tmp_path: Path) -> None:
    vendor = sample("openai")
    async with ReplayServer(vendor.complete()) as server:
        outcomes = await recorded(registry("openai", server.url), "openai", tmp_path, "error")
    assert Counter(outcome.verdict for outcome in outcomes) == {"failed": 2}
    assert all("answered all the same" in outcome.reason for outcome in outcomes)
    assert files_in(tmp_path) == {}


async def test_a_provider_that_ignores_its_endpoint_is_told_so_after_one_question(tmp_path: Path) -> None:
    own_provider(
        "class Acme:\n    name = 'acme'\n    def __init__(self, config):\n        self.config = config\n"
        "    def generate_response(self, **_):\n        return {'text': 'Hi'}\n"
    )
    session = prepare(registry("acme", "http://127.0.0.1:9/v1"), "acme", folder=tmp_path / "to")
    assert len(session.exchanges) > 2
    with pytest.raises(NothingPassedError, match="nothing passed through; acme does not use its endpoint"):
        assert [outcome async for outcome in record(session)] == []
    assert files_in(tmp_path / "to") == {}


def test_a_provider_without_configuration_is_not_asked_at_all(tmp_path: Path) -> None:
    own_provider("class Acme:\n    name = 'acme'\n    def generate_response(self, **_):\n        return {'text': 'Hi'}\n")
    with pytest.raises(NothingPassedError, match="nothing would pass through; acme takes no configuration"):
        prepare(registry("acme", "http://127.0.0.1:9/v1"), "acme", folder=tmp_path / "to")


async def test_a_provider_without_codec_is_recorded_under_its_own_name_and_read_by_it(tmp_path: Path) -> None:
    own_provider(TALKS)
    async with ReplayServer(Answer(headers={"content-type": "application/json"}, body=b'{"words": "Good day."}')) as server:
        outcomes = await recorded(registry("acme", server.url), "acme", tmp_path / "to", "text")
    recording = load_recording(outcomes[0].files[0])
    assert (recording.wire_family, recording.body) == ("acme", b'{"words": "Good day."}')
    assert reader_of(recording, None) == "acme"


def test_what_cannot_begin_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    nothing = Registry.from_environment(environ={}, directory=tmp_path)
    with pytest.raises(MissingCredentialError, match="OPENAI_API_KEY"):
        prepare(nothing, "openai", folder=tmp_path)
    with pytest.raises(ConfigurationError, match="demo has no endpoint"):
        prepare(nothing, "demo", folder=tmp_path)
    with pytest.raises(InvalidRequestError, match=r"--model"):
        prepare(registry("openai-compatible", "http://127.0.0.1:9/v1", OPENAI_COMPATIBLE_MODEL=""), "openai-compatible", folder=tmp_path)
    with pytest.raises(InvalidRequestError, match=r'--only knows no \'texts\'.*Did you mean "text"'):
        prepare(registry("openai", "http://127.0.0.1:9/v1"), "openai", folder=tmp_path, only=["texts"])
