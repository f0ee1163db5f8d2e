"""A conversation may change its provider in the middle: a reply of any wire is encodable for every other. Knows no wire's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from msgspec import json

from parley.contract.capabilities import Capabilities
from parley.contract.codec import Codec
from parley.contract.errors import CallerError, ParleyError
from parley.contract.http import ResponseHead, Target
from parley.contract.messages import Message, ProviderData, ReasoningPart, ToolCall, ToolResult
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse
from parley.guard.fold import Fold
from parley.guard.foreign import place_of
from parley.registry.definition import define
from parley.registry.discovery import built_in_candidates
from parley.testing.findings import Findings, failed, not_run, passed
from parley.testing.samples import WRITERS, Sample, sample_of
from parley.testing.subject import Subject, subject_of
from parley.transport.http_provider import Dialect, HttpProvider

_USE_THE_PIECES = "use `parley.provider.ToolIds` for the ids of calls, and drop provider_data of other wires with a warning"
_MEND_IT = "write what the codec can say of such a conversation: options may be None, a message may hold parts of any kind"
_QUESTION = ChatRequest(messages=[Message(role="user", content="Hi")])


async def history(subject: Subject) -> Findings:
    """A conversation may come from any other wire, and go to any other: calls keep their results, foreign data is left out and said so."""
    codec = subject.codec
    if codec is None:
        async for finding in _history_of_a_class(subject):
            yield finding
        return
    own = list(replies_of(subject, codec))
    foreign = [(wire, reply) for wire, other in shipped().items() for reply in replies_of_sample(other.wire, sample_of(wire), other.name)]
    targets = {"this wire": (codec, subject.name, subject.capabilities)}
    others = {wire: (other.wire, other.name, other.capabilities) for wire, other in shipped().items() if other.wire.name != codec.name}
    found = {
        problem: f"{origin} → {name}: {problem}"
        for origin, reply, places in (
            *((wire, reply, targets) for wire, reply in foreign),
            *((codec.name, reply, targets | others) for reply in own),
        )
        for name, (wire, provider, capabilities) in places.items()
        if (problem := history_problem(reply, wire, target_of(provider, wire, capabilities)))
    }
    for problem in found.values():
        yield failed(problem, _MEND_IT if " encode raises " in problem else _USE_THE_PIECES)
    if not found:
        yield passed(f"{len(foreign)} replies of other wires and {len(own)} of its own, each encodable")
    if not own:
        yield not_run("recordings with a reply in them, for the other direction")


async def _history_of_a_class(subject: Subject) -> Findings:
    if subject.observation == "none":
        yield not_run(subject.needs)
        return
    async with subject.serve(*subject.complete()) as served:
        for wire, other in shipped().items():
            for reply in replies_of_sample(other.wire, sample_of(wire), other.name):
                if reply.tool_calls and subject.capabilities.tools is False:
                    continue
                request = ChatRequest(messages=conversation(reply))
                try:
                    await served.provider.generate(request)
                except CallerError:
                    continue
                except ParleyError as error:
                    yield failed(f"a conversation that began on {wire} ends in {type(error).__name__}: {error.message}")
                    return
    yield passed(f"conversations that began on {', '.join(shipped())}")


@cache
def shipped() -> dict[str, Dialect]:
    """A provider of each wire that ships and that there is a sample of, by the wire's name."""
    found: dict[str, Dialect] = {}
    for candidate in built_in_candidates():
        author = subject_of(define(candidate)).author
        if isinstance(author, HttpProvider) and author.wire.name in WRITERS:
            found.setdefault(author.wire.name, author.dialect)
    return found


def replies_of(subject: Subject, codec: Codec) -> Iterator[ChatResponse]:
    """What this provider said: in its recordings, and in its wire's sample."""
    for recording in subject.recordings:
        reply = reply_of(codec, recording.body, status=recording.status, headers=recording.headers, provider=subject.name)
        if reply is not None:
            yield reply
    yield from replies_of_sample(codec, subject.sample, subject.name)


def replies_of_sample(codec: Codec, sample: Sample | None, provider: str) -> Iterator[ChatResponse]:
    """The sample's text, its tool call, and both with data that only their provider understands."""
    if sample is None:
        return
    bodies = [sample.text_events, sample.tool_events]
    for events in bodies:
        reply = reply_of(codec, b"".join(events), status=200, headers=sample.stream_headers, provider=provider) if events else None
        if reply is not None:
            yield reply
            secret = ProviderData(wire=codec.name, provider=provider, data={"only": "its own provider may see this again", "at": provider})
            thought = ReasoningPart(text="thinking", signature="a signature of its own", provider_data=secret)
            yield ChatResponse(parts=[thought, *reply.parts])


def reply_of(codec: Codec, body: bytes, *, status: int, headers: dict[str, str], provider: str) -> ChatResponse | None:
    """The reply in these bytes; None where they hold none."""
    head = ResponseHead(status=status, headers=headers, provider=provider, model="model-1")
    if not 200 <= status < 300:
        return None
    fold = Fold()
    try:
        decoder = codec.decoder(_QUESTION, head)
        fold.add([*decoder.feed(body), *decoder.close()])
        parts = fold.parts()
    except Exception:  # noqa: BLE001 - an author's codec may raise anything; the rule about recordings tells of it
        return None
    return ChatResponse(parts=parts) if parts else None


def conversation(reply: ChatResponse) -> list[Message]:
    """The reply in its place: asked for, its calls answered, and a next question."""
    question = Message(role="user", content="What now?")
    results = [ToolResult(tool_call_id=call.id, content=f"result of {call.name}, {n}") for n, call in enumerate(reply.tool_calls)]
    answered = [Message(role="tool", content=list(results))] if results else []
    return [question, reply.to_message(), *answered, question]


def history_problem(reply: ChatResponse, codec: Codec, target: Target) -> str:
    """What goes wrong when a conversation with this reply is encoded there; empty where nothing does."""
    request = ChatRequest(messages=conversation(reply), system_prompt="Go on.")
    if reply.tool_calls and target.capabilities.tools is False:
        return ""
    try:
        encoded = codec.encode(request, target=target, stream=True)
    except Exception as error:  # noqa: BLE001 - an author's codec may raise anything
        place = place_of(error)
        return f"encode raises {type(error).__name__}: {error}" + (f" ({place})" if place else "")
    try:
        body: Any = json.decode(encoded.body)
    except ValueError:
        return ""  # a body that is no JSON cannot be looked into
    if problem := _calls_problem(reply.tool_calls, body):
        return problem
    for part in reply.parts:
        data = part.provider_data
        if data is not None and (data.wire, data.provider) != (codec.name, target.provider):
            text = json.encode(data.data)
            if len(text) > 40 and text in json.encode(body):
                return f"what {data.provider} attached for itself is sent to {target.provider}"
            if data.data and not encoded.warnings:
                return f"what {data.provider} attached for itself is dropped without a warning"
    return ""


def target_of(name: str, codec: Codec, capabilities: Capabilities) -> Target:
    """Where a provider with these capabilities sends its requests."""
    return Target(provider=name, model="model-1", endpoint="http://127.0.0.1/v1", capabilities=capabilities.over(codec.capabilities))


def _calls_problem(calls: Sequence[ToolCall], body: Any) -> str:
    """Each result must be there, and bear an id or a name by which its call goes, and no other."""
    places = list(_places(body))
    names = {call.name for call in calls}
    ids: list[frozenset[str]] = []
    for number, call in enumerate(calls):
        results = [chain for words, chain in places if f"result of {call.name}, {number}" in words]
        if not results:
            return f"the result of the call {call.name} is not sent"
        inside = {id(holder) for holder in results[0]}
        called = [chain for words, chain in places if words == call.name and id(chain[0]) not in inside]
        shared = _marks(results[0]) & {mark for chain in called for mark in _marks(chain)}
        if not shared:
            return f"the result of the call {call.name} bears no name or id by which the call goes"
        ids.append(frozenset(shared - names))
    if any(ids) and len(set(ids)) < len(calls):
        return "two results bear the same id"
    return ""


def _places(value: Any, chain: tuple[dict[str, Any], ...] = ()) -> Iterator[tuple[str, tuple[dict[str, Any], ...]]]:
    """Every text in a JSON value, with the objects that it stands in, the nearest first."""
    if isinstance(value, str):
        yield value, chain
    elif isinstance(value, Mapping):
        holder: dict[str, Any] = dict(value)  # pyright: ignore[reportUnknownArgumentType]
        for each in holder.values():
            yield from _places(each, (holder, *chain))
    elif isinstance(value, list):
        for each in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _places(each, chain)


_LEVELS = 3
_STRUCTURE = frozenset({"type", "role"})


def _marks(chain: Sequence[dict[str, Any]]) -> set[str]:
    """The texts that stand directly in the nearest objects (not the whole body), but for those that say what kind of thing they are."""
    return {
        value
        for holder in chain[:-1][:_LEVELS]
        for name, value in holder.items()
        if isinstance(value, str) and value and name not in _STRUCTURE
    }
