"""Providers of contract version 1 as their authors wrote them: what is in the museum, and that this Parley still runs all of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

import parley
from parley.registry.loading import Registry
from parley.testing.replay import Answer, ReplayServer
from parley.testing.samples import sample_of

MUSEUM = Path(__file__).parent
RELEASED = re.search(r"^## \[\d", (MUSEUM.parents[1] / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE) is not None
# SHA-256 of each exhibit. After the first release a line is added here, never changed: see README.md beside this file.
FROZEN: dict[str, str] = {
    "v1/acme.py": "e4f9a69608ed46b31f62c12e24b61527a8e4664b088db4e464b5cf39d8ddccdf",
    "v1/oracle.py": "73b2452c9c2117c4eb12e50d5eeaa47ddfc98e4e2d45094095b61bb8f6c0824e",
    "v1/parrot.py": "c60eadfbfec64412ad16f85a3ecbe4eea9d025d06c8cdc7eae0ae5333f18efcf",
    "v1/recordings/telegraph/error-stream.json": "e7b9af294a395a7d61b697e8b1b686178c6d5a7d4fbfea7bcedd6b806f3edd13",
    "v1/recordings/telegraph/generate.json": "8dbef3e3e069b725bc73c009bf236b0bb01fff3631e74c3fe4a8a59fb894f98b",
    "v1/recordings/telegraph/stream.json": "4a3e782fc9259d4d29e09117e45a8dd253215364e17cab483aa9642c8cc7f94e",
    "v1/recordings/telegraph/tools-stream.json": "f0ead4c90f1a0820b769527fa9952ba19d5c8eddf4cc7d19cc4dc97979ea702f",
    "v1/recordings/telegraph/tools.json": "6798ae3e1be667f01fa0df9a1775c9b2a24674b02af7993bcefd28ee23ba66df",
    "v1/sdk/your_provider_sdk.py": "75704e181a8d267f2f49375ddc2f2450fd2751e918fe6d2d65fe823b85d52068",
    "v1/telegraph.py": "013c1cbb19935e57e5ff9d1a73ea7eefe71de3b4f0da3efd5ef43052e13c48b4",
    "v1/your_provider.py": "b8efbfc251d2dd0b4def8da1e43dd3b75e516451ce1a08d7adaed5127fb17637",
}

MESSAGES = [{"role": "user", "content": "good day"}]
TOOL = {"name": "look", "description": "Looks", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}}
KEY = "museum-key-0123456789"


def event(name: str, **value: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), json.dumps(value).encode())


def line(**value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


def streamed(*pieces: bytes, **changes: Any) -> Answer:
    return Answer(headers={"content-type": "text/event-stream"}, body=b"".join(pieces), streamed=True, **changes)


def whole(value: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status=status, headers={"content-type": "application/json", **headers}, body=json.dumps(value).encode())


class Exhibit(Struct, frozen=True, kw_only=True):
    """A frozen provider, and what its vendor answers: "good day" streamed and whole, the same cut off, and a refusal of the key."""

    name: str
    usage: tuple[int, int]
    stream: Answer = Answer()
    complete: Answer = Answer()
    cut: Answer = Answer()
    refusal: Answer = Answer()
    cut_error: type[parley.ParleyError] = parley.StreamTruncatedError
    refusal_error: type[parley.ParleyError] = parley.AuthenticationError
    text: str = "good day"


OPENAI = sample_of("openai_chat", pieces=("good ", "day"))
assert OPENAI is not None
WORDS = [event("thought", say="hm"), event("words", say="good "), event("words", say="day"), event("count", read=11, wrote=7)]
SENT = {"id": "t1", "by": "telegraph-2", "because": "end"}
TOKENS = [line(token="good "), line(token="day")]
SEED_USAGE = {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18}

EXHIBITS = [
    Exhibit(
        name="acme",
        usage=(11, 7),
        stream=OPENAI.streamed(),
        complete=OPENAI.complete(),
        cut=OPENAI.cut(),
        refusal=OPENAI.error(401, "no such key"),
    ),
    Exhibit(
        name="telegraph",
        usage=(11, 7),
        stream=streamed(*WORDS, event("sent", **SENT)),
        complete=whole({**SENT, "words": "good day", "count": {"read": 11, "wrote": 7}}),
        cut=streamed(*WORDS),
        refusal=whole({"fault": {"code": "bad_key", "why": "no such key"}}, 401),
    ),
    Exhibit(
        name="your-provider",
        usage=(11, 7),
        stream=streamed(*TOKENS, line(usage=SEED_USAGE)),
        complete=whole({"text": "good day", "usage": SEED_USAGE, "id": "c1", "model": "default-model"}),
        # Its wire has no mark of its end, so that only a broken line is seen as a cut.
        cut=streamed(*TOKENS, b'{"tok'),
        cut_error=parley.ProtocolError,
        refusal=whole("no such key", 401),
        refusal_error=parley.ProtocolError,
    ),
]
every_exhibit = pytest.mark.parametrize("exhibit", EXHIBITS, ids=lambda exhibit: exhibit.name)


def visited(server: ReplayServer | None = None, directory: Path = MUSEUM / "v1") -> Registry:
    """A registry that finds the exhibits, set up by variables as an operator would."""
    environ = {"PARLEY_PROVIDER_PATH": str(directory)}
    for name in ("ACME", "TELEGRAPH", "YOUR_PROVIDER"):
        environ |= {f"{name}_API_KEY": KEY} | ({f"{name}_ENDPOINT": server.url} if server else {})
    return Registry.from_environment(environ=environ, directory=directory)


class Heard:
    """What the callbacks of one call were told, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    @property
    def callbacks(self) -> dict[str, Callable[[Any], None]]:
        return {name: self._listener(name) for name in ("on_token", "on_done", "on_error")}

    def _listener(self, name: str) -> Callable[[Any], None]:
        return lambda said: self.calls.append((name, said))


def exhibits_on_disk() -> dict[str, str]:
    return {
        path.relative_to(MUSEUM).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(MUSEUM.glob("v*/**/*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_no_exhibit_was_changed_or_taken_away() -> None:
    """Before the first release an exhibit may still be bettered: put its new hash into FROZEN. After it, never."""
    found = exhibits_on_disk()
    touched = sorted(place for place, digest in FROZEN.items() if found.get(place) != digest)
    advice = (
        "they are never edited: mend what you changed in Parley instead (tests/museum/README.md)"
        if RELEASED
        else "no release is in CHANGELOG.md yet, so that they may still change: if you mean it, put the new hash into FROZEN"
    )
    assert touched == [], f"{touched} are not as they were; {advice}: { {place: found.get(place) for place in touched} }"


def test_every_exhibit_is_under_seal() -> None:
    unsealed = {place: digest for place, digest in exhibits_on_disk().items() if place not in FROZEN}
    assert unsealed == {}, "new exhibits are welcome; add these lines to FROZEN"


def test_the_dialect_is_the_one_that_the_readme_shows() -> None:
    readme = (MUSEUM.parents[1] / "README.md").read_text(encoding="utf-8")
    (shown,) = [block for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "AcmeConfig" in block]

    def code(source: str) -> str:
        return re.sub(r"[\s()\[\],]", "", re.sub(r"#.*", "", source))

    assert code(shown) == code((MUSEUM / "v1" / "acme.py").read_text(encoding="utf-8"))


def test_everything_that_they_declare_is_told_as_it_was() -> None:
    registry = visited()
    told = {name: registry.describe(name) for name in registry.names()}
    assert {name: told[name].reason for name in ("acme", "telegraph", "parrot", "oracle", "your-provider")} == dict.fromkeys(
        ("acme", "telegraph", "parrot", "oracle", "your-provider")
    )
    acme, telegraph, parrot = told["acme"], told["telegraph"], told["parrot"]
    assert (acme.label, acme.description, acme.model, acme.docs_url) == (
        "Acme",
        "Fast European models",
        "acme-fast",
        "https://docs.acme.example",
    )
    assert (acme.models[0].context_tokens, acme.limits.requests_per_minute) == (128_000, 1000)
    assert (acme.capabilities.tools, acme.capabilities.images) == (True, False)
    station = next(field for field in telegraph.fields if field.name == "station")
    assert (station.variables, station.example, station.help) == (
        ["TELEGRAPH_STATION", "TELEGRAPH_OFFICE"],
        "Paddington",
        "the station that sends",
    )
    assert [option.name for option in telegraph.extra_options] == ["priority"]
    assert (parrot.local, parrot.limits.concurrency, [model.id for model in parrot.models]) == (True, 2, ["grey", "macaw"])
    assert told["oracle"].label == "oracle"


@every_exhibit
async def test_streamed_and_complete_answers_are_alike(exhibit: Exhibit) -> None:
    heard = Heard()
    async with ReplayServer(exhibit.stream, exhibit.complete) as server, visited(server).get(exhibit.name) as provider:
        stream = await provider.stream_response(messages=MESSAGES, system_prompt="Be brief", **heard.callbacks)
        complete = await provider.generate_response(messages=MESSAGES, system_prompt="Be brief")
        assert not provider.violations
    assert heard.calls == [("on_token", "good "), ("on_token", "day"), ("on_done", stream)]
    for reply in (stream, complete):
        assert (reply.text, reply.provider, reply.complete) == (exhibit.text, exhibit.name, True)
        assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.source) == (*exhibit.usage, "reported")
        assert (reply.finish_reason, bool(reply.id), bool(reply.model)) == ("stop", True, True) or exhibit.name == "your-provider"
    assert all(KEY in str(request.headers) for request in server.requests)
    assert all(b"Be brief" in request.body for request in server.requests)


@every_exhibit
async def test_any_split_of_the_bytes_is_the_same_answer(exhibit: Exhibit) -> None:
    body = exhibit.stream.body
    crumbs = Answer(headers=exhibit.stream.headers, body=body, streamed=True, pieces=[1] * len(body))
    async with ReplayServer(exhibit.stream, crumbs) as server, visited(server).get(exhibit.name) as provider:
        first = await provider.stream_response(messages=MESSAGES)
        second = await provider.stream_response(messages=MESSAGES)
    assert (first.parts, first.usage, first.finish_reason) == (second.parts, second.usage, second.finish_reason)


@every_exhibit
async def test_an_answer_that_is_cut_is_an_error_with_what_came(exhibit: Exhibit) -> None:
    heard = Heard()
    async with ReplayServer(exhibit.cut) as server, visited(server).get(exhibit.name) as provider:
        with pytest.raises(exhibit.cut_error) as caught:
            await provider.stream_response(messages=MESSAGES, **heard.callbacks)
    assert heard.calls[-1] == ("on_error", caught.value)
    assert [name for name, _ in heard.calls].count("on_error") == 1
    assert caught.value.partial is not None
    assert caught.value.partial.text == "".join(said for name, said in heard.calls if name == "on_token") != ""


@every_exhibit
async def test_a_refused_key_is_told_once_and_never_shown(exhibit: Exhibit) -> None:
    heard = Heard()
    async with ReplayServer(exhibit.refusal) as server, visited(server).get(exhibit.name) as provider:
        with pytest.raises(exhibit.refusal_error, match="no such key") as streaming:
            await provider.stream_response(messages=MESSAGES, **heard.callbacks)
        with pytest.raises(exhibit.refusal_error, match="no such key"):
            await provider.generate_response(messages=MESSAGES)
        status = await provider.test_connection()
    assert heard.calls == [("on_error", streaming.value)]
    assert (status.success, status.provider) == (False, exhibit.name)
    assert "no such key" in str(status.error)
    assert KEY not in f"{status} {streaming.value!r} {provider!r}"


@every_exhibit
async def test_leaving_in_the_middle_closes_the_connection(exhibit: Exhibit) -> None:
    unended = Answer(headers=exhibit.stream.headers, body=exhibit.cut.body.removesuffix(b'{"tok'), streamed=True, ending="stall")
    async with ReplayServer(unended) as server, visited(server).get(exhibit.name) as provider:
        begun = asyncio.Event()
        call = asyncio.create_task(provider.stream_response(messages=MESSAGES, on_token=lambda _: begun.set()))
        await begun.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await server.disconnected()


async def test_a_new_wire_calls_tools_and_takes_back_what_it_said() -> None:
    order = [
        event("order", no=0, id="o1", do="look", **{"with": '{"at": '}),
        event("order", no=0, **{"with": '"sea"}'}),
        event("count", read=1, wrote=1),
        event("sent", id="t2", by="telegraph-2", because="order"),
    ]
    async with ReplayServer(streamed(*order), EXHIBITS[1].complete) as server, visited(server).get("telegraph") as provider:
        called = await provider.stream_response(messages=MESSAGES, options={"tools": [TOOL], "extra": {"priority": "urgent"}})
        (call,) = called.tool_calls
        result = {"type": "tool_result", "tool_call_id": call.id, "content": "waves"}
        answered = await provider.generate_response(
            messages=[*MESSAGES, called.to_message(), {"role": "tool", "content": [result]}], options={"tools": [TOOL]}
        )
    assert (called.finish_reason, call.name, json.loads(call.arguments)) == ("tool_calls", "look", {"at": "sea"})
    assert answered.text == "good day"
    first, second = (json.loads(request.body) for request in server.requests)
    assert (first["priority"], first["may"][0]["do"]) == ("urgent", "look")
    assert second["telegrams"][1:] == [
        {"from": "you", "order": {"id": "o1", "do": "look", "with": call.arguments}},
        {"from": "me", "done": "o1", "words": "waves"},
    ]


async def test_an_error_inside_a_stream_of_a_new_wire_has_its_class_and_time_to_wait() -> None:
    busy = streamed(event("words", say="good"), event("fault", code="line_busy", why="try later"))
    busy = Answer(headers={**busy.headers, "retry-after": "9"}, body=busy.body, streamed=True)
    async with ReplayServer(busy) as server, visited(server).get("telegraph") as provider:
        with pytest.raises(parley.RateLimitError, match="try later") as caught:
            await provider.stream_response(messages=MESSAGES)
    assert (caught.value.retry_after, caught.value.provider_code, caught.value.phase) == (9, "line_busy", "streaming")


async def test_a_new_wire_lists_its_models_and_refuses_what_it_cannot_say() -> None:
    async with ReplayServer(whole({"operators": ["telegraph-2", "telegraph-3"]})) as server, visited(server).get("telegraph") as provider:
        assert [model.id for model in await provider.list_models()] == ["telegraph-2", "telegraph-3"]
        assert (await provider.test_connection()).success
        asked = len(server.requests)
        with pytest.raises(parley.UnsupportedFeatureError, match="stop"):
            await provider.generate_response(messages=MESSAGES, options={"stop": ["x"]})
        with pytest.raises(parley.InvalidRequestError, match="priority"):
            await provider.generate_response(messages=MESSAGES, options={"extra": {"priority": "never"}})
        assert len(server.requests) == asked


async def test_a_derived_class_streams_and_is_complete_without_having_written_it() -> None:
    heard = Heard()
    async with visited().get("parrot") as provider:
        options = {"tools": [TOOL], "extra": {"loud": True}}
        stream = await provider.stream_response(messages=MESSAGES, options=options, **heard.callbacks)
        complete = await provider.generate_response(messages=MESSAGES, options=options)
        assert not provider.violations
        assert [model.id for model in await provider.list_models()] == ["grey", "macaw"]
        assert await provider.embed(["abc"]) == [[3.0, 1.0]]
        assert (await provider.test_connection()).success
    assert heard.calls == [("on_token", "GOOD "), ("on_token", "DAY "), ("on_done", stream)]
    for reply in (stream, complete):
        assert (reply.text, reply.reasoning, reply.model, reply.finish_reason) == ("GOOD DAY ", "what was that?", "grey", "tool_calls")
        assert [call.arguments for call in reply.tool_calls] == ['{"word": "polly"}']
        assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.source) == (8, 2, "reported")
    assert stream.id == "squawk-1"


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ("good day (cut)", parley.StreamTruncatedError, "fell asleep"),
        ("good day (crash)", parley.ProtocolError, "KeyError"),
    ],
)
async def test_what_a_derived_class_raises_arrives_once_and_typed(said: str, error: type[parley.ParleyError], words: str) -> None:
    heard = Heard()
    async with visited().get("parrot") as provider:
        with pytest.raises(error, match=words) as caught:
            await provider.stream_response(messages=[{"role": "user", "content": said}], **heard.callbacks)
    assert [name for name, _ in heard.calls] == ["on_token", "on_token", "on_error"]
    assert caught.value.partial is not None
    assert caught.value.partial.text == "good day "


async def test_a_class_that_cannot_stream_is_streamed_all_the_same() -> None:
    heard = Heard()
    async with visited().get("oracle") as provider:
        stream = await provider.stream_response(messages=MESSAGES, options={"tools": [TOOL]}, **heard.callbacks)
        short = await provider.generate_response(messages=[{"role": "user", "content": "(short)"}])
        with pytest.raises(parley.ContentFilterError, match="does not speak"):
            await provider.generate_response(messages=[{"role": "user", "content": "(forbidden)"}])
    assert heard.calls == [("on_token", "You ask: good day"), ("on_done", stream)]
    assert (stream.id, stream.model, stream.finish_reason, stream.usage.total_tokens) == ("vision-1", "pythia", "tool_calls", 7)
    assert (short.text, short.finish_reason, short.usage.source) == ("perhaps", "stop", "estimated")


async def test_the_first_guides_class_sees_the_dicts_that_it_knows() -> None:
    async with ReplayServer(EXHIBITS[2].stream) as server, visited(server).get("your-provider") as provider:
        history = [*MESSAGES, {"role": "assistant", "content": "and to you"}, {"role": "user", "content": "again"}]
        options = {"max_tokens": 5, "model": "model-2", "temperature": 0.2}
        await provider.stream_response(messages=history, system_prompt="Be brief", options=options)
    assert json.loads(server.requests[0].body) == {
        "messages": [
            {"role": "system", "content": "Be brief"},
            {"role": "user", "content": "good day"},
            {"role": "assistant", "content": "and to you"},
            {"role": "user", "content": "again"},
        ],
        "model": "model-2",
        "temperature": 0.2,
        "max_tokens": 5,
    }


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("2", r"contract version 2, and Parley \S+ knows versions up to 1; upgrade Parley \(pip install --upgrade parley-ai\)"),
        ("0", "its contract_version is 0; write the number of the contract"),
        ('"1"', "its contract_version is '1'; write the number"),
        ("None", "its contract_version is None; write the number"),
        ("True", "its contract_version is True; write the number"),
    ],
)
@pytest.mark.parametrize("kind", ["dialect", "derived", "class", "constructor"])
async def test_a_provider_of_another_version_is_refused_by_name_and_harms_nobody(
    kind: str, version: str, words: str, tmp_path: Path
) -> None:
    sources = {
        "dialect": "from parley.provider import *\nclass C(Config):\n    endpoint: str = 'http://127.0.0.1:1'\n"
        f"provider = Dialect(name='late', config=C, wire=OpenAIChat(), contract_version={version})\n",
        "derived": "import parley\nclass Late(parley.Provider):\n    name = 'late'\n"
        f"    contract_version = {version}\n    async def generate(self, request):\n        return 'x'\n",
        "class": f"class Late:\n    contract_version = {version}\n    def generate_response(self):\n        return 'x'\n",
        "constructor": "class Late:\n    def __init__(self):\n"
        f"        self.contract_version = {version}\n    def generate_response(self):\n        return 'x'\n",
    }
    (tmp_path / "late.py").write_text(sources[kind], encoding="utf-8")
    (tmp_path / "oracle.py").write_bytes((MUSEUM / "v1" / "oracle.py").read_bytes())
    registry = Registry.from_environment(environ={"PARLEY_PROVIDER_PATH": str(tmp_path), "LATE_API_KEY": KEY}, directory=tmp_path)
    with pytest.raises(parley.ConfigurationError, match=words) as caught:
        registry.get("late")
    assert caught.value.message.startswith("late (")
    if kind != "constructor":
        assert registry.describe("late").status == "quarantined"
        assert re.search(words, registry.describe("late").reason or "")
    assert (await registry.get("oracle").generate_response(messages=MESSAGES)).text == "You ask: good day"
    await registry.aclose()


def test_who_says_nothing_has_written_version_1() -> None:
    registry = visited()
    assert {name: registry.get(name).contract_version for name in ("acme", "oracle", "your-provider")} == {
        "acme": 1,
        "oracle": 1,
        "your-provider": 1,
    }
