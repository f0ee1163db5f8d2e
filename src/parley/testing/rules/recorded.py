"""An author's recordings, read through the provider: whole, a byte at a time and in random pieces, always the same. Knows no wire."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import structs

from parley.contract.codec import Codec
from parley.contract.errors import ParleyError, ProviderError
from parley.contract.http import ResponseHead
from parley.contract.messages import Message
from parley.contract.options import Options
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse
from parley.guard.fold import Fold
from parley.testing.findings import Findings, advice, failed, not_run, passed
from parley.testing.recordings import Recording
from parley.testing.replay import Answer, answer_of
from parley.testing.rules.asking import Outcome, comparable, outcome, told
from parley.testing.rules.pieces import RANDOM_SPLITS, SPLIT_REMEDY, Splitter, splitters
from parley.testing.subject import CANARY, Subject

NO_CALLS = frozenset({"count_tokens", "embeddings", "models", "moderation", "rerank"})
"""Kinds of recordings that answer another question than a call for a chat reply."""
# Over a connection a byte at a time is slow; a codec is fed directly.
_SENT_IN_BYTES_UP_TO = 4096


async def recordings(subject: Subject) -> Findings:
    """Every recording gives its answer, or its typed error, the same in any pieces, and never a foreign exception."""
    for damaged in subject.damaged:
        yield failed(damaged, "record it again, or remove it")
    chosen = [recording for recording in subject.recordings if recording.kind not in NO_CALLS]
    if not chosen:
        yield not_run("recordings: files or a folder of them, as `parley provider record` writes")
        return
    if subject.observation == "none" and subject.sample is not None:
        yield not_run(subject.needs)
        return
    if subject.observation == "direct":
        yield not_run(f"that its requests can be answered: it answers by itself, so that nobody reads its {len(chosen)} recordings")
        return
    fine = 0
    for recording in chosen:
        problem = await _problem(subject, recording)
        if problem:
            yield failed(f"{recording.file}: {problem}", SPLIT_REMEDY if "than whole" in problem or "; whole," in problem else "")
        fine += not problem
    if fine:
        yield passed(f"{fine} of {len(chosen)} recordings, each the same whole, a byte at a time and in {RANDOM_SPLITS} random splits")
    if not any(recording.exact for recording in chosen):
        yield advice("none of the recordings holds the very bytes that were sent", "record it with `parley provider record`")


async def _problem(subject: Subject, recording: Recording) -> str:
    if CANARY.encode() in recording.body:
        return "it holds the kit's own key"
    whole = await _read(subject, recording)
    if recording.kind.startswith("error"):
        if not isinstance(whole, ProviderError):
            return f"it is recorded as an error, and becomes {told(whole)}"
        if not whole.message or whole.status not in {recording.status, None}:
            return f"status {recording.status} becomes {told(whole)} with status {whole.status}"
    elif isinstance(whole, ParleyError):
        return f"it is recorded as an answer, and becomes {told(whole)}"
    if not recording.streaming or recording.status != 200:
        return ""
    return _splits_of_codec(subject.codec, recording) if subject.codec is not None else await _splits_of_class(subject, recording, whole)


async def _read(subject: Subject, recording: Recording, answer: Answer | None = None) -> Outcome:
    request = ChatRequest(messages=[Message(role="user", content="Hello")], options=Options(model=recording.model or None))
    async with subject.serve(answer or recording) as served:
        if not recording.streaming:
            return await outcome(served.provider.generate(request))
        return await outcome(served.provider.stream_response(messages=request.messages, options=Options(model=recording.model or None)))


def _splits_of_codec(codec: Codec, recording: Recording) -> str:
    whole = _decoded(codec, recording, [recording.body])
    for name, pieces in splitters(len(recording.body)):
        if _decoded(codec, recording, pieces(recording.body)) != whole:
            return f"{name}, it gives another answer than whole"
    return "" if not isinstance(whole, str) else f"the codec raises {whole}"


def _decoded(codec: Codec, recording: Recording, pieces: Sequence[bytes]) -> object:
    """What it says in the end; the words of a foreign exception."""
    head = ResponseHead(status=recording.status, headers=recording.headers, provider="vendor", model=recording.model)
    request = ChatRequest(messages=[Message(role="user", content="Hello")])
    fold = Fold()
    try:
        decoder = codec.decoder(request, head)
        for piece in pieces:
            fold.add(decoder.feed(piece))
        fold.add(decoder.close())
    except ParleyError as error:
        return type(error), error.message, fold.parts(aborted=True)
    except Exception as error:  # noqa: BLE001 - that an author's codec raises nothing else is the rule
        return f"{type(error).__name__}: {error}"
    finished = fold.finished or ChatResponse()
    warnings = [warning.code for warning in fold.warnings]
    return fold.parts(), fold.report, finished.finish_reason, finished.raw_finish_reason, fold.citations, fold.refusal, warnings


async def _splits_of_class(subject: Subject, recording: Recording, whole: Outcome) -> str:
    for name, pieces in _few(recording):
        result = await _read(subject, recording, structs.replace(answer_of(recording), pieces=pieces))
        if comparable(result) != comparable(whole):
            return f"{name}, it gives {told(result)}; whole, {told(whole)}"
    return ""


def _few(recording: Recording) -> Iterator[tuple[str, Splitter]]:
    size = len(recording.body)
    return ((name, pieces) for name, pieces in splitters(size) if size <= _SENT_IN_BYTES_UP_TO or name.startswith("random"))
