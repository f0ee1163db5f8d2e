"""What a service's refusals become: the typed error of the table, whatever the body looks like and whenever it comes. Knows no wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from msgspec import Struct, json

from parley.contract.codec import ListsModels
from parley.contract.errors import ParleyError, ProtocolError, ProviderError, StreamTruncatedError, error_class_for_status
from parley.contract.response import ConnectionStatus
from parley.guard.guarded import GuardedProvider
from parley.testing.findings import Finding, Findings, advice, failed, not_run, passed
from parley.testing.replay import Answer
from parley.testing.rules.asking import MESSAGES, Heard, Outcome, first_findings, outcome, told, wrong_class
from parley.testing.samples import JSON_DOCUMENT, REQUEST_ID
from parley.testing.subject import Subject

STATUSES = (400, 401, 402, 403, 418, 429, 500, 502, 503, 529)
WORDS = "something happened"
RETRY_AFTER_SECONDS = 7200.0
_RETRY = {"retry-after": f"{RETRY_AFTER_SECONDS:.0f}"}
_RAISE = "raise the error that `parley.contract.errors.error_class_for_status` gives for the status, with the vendor's words"


async def statuses(subject: Subject) -> Findings:
    """Each status is the class of the error table, with its action, its retry-after, and the vendor's words."""
    if needs := subject.cannot("watch") or subject.cannot("complete"):
        yield not_run(needs)
        return
    found: list[Finding] = []
    async with subject.serve(*(subject.known.error(status, WORDS, _RETRY) for status in STATUSES)) as served:
        for status in STATUSES:
            result = await outcome(served.provider.generate_response(messages=MESSAGES))
            problem = _status_problem(subject, status, result)
            if problem:
                found.append(wrong_class(subject, result, f"{status}: {problem}", _RAISE))
    for finding in found:
        yield finding
    if not found:
        yield passed(f"{', '.join(map(str, STATUSES))}: each its own class")


def _status_problem(subject: Subject, status: int, error: Outcome) -> str:
    if problem := _class_problem(subject, status, error):
        return problem
    expected = error_class_for_status(status)
    if not isinstance(error, ParleyError):
        return told(error)
    if (error.action, error.retryable) != (expected.action, expected.retryable):
        return f"action {error.action}, retryable {error.retryable}; expected {expected.action}, {expected.retryable}"
    if error.retry_after != RETRY_AFTER_SECONDS and (error.retryable or subject.speaks_a_shipped_wire):
        return f"retry-after said 7200 seconds, the error says {error.retry_after}"
    if not subject.speaks_a_shipped_wire or subject.codec is None:
        return ""
    if type(error) is not expected or error.model != subject.model:
        return f"the error is {told(error)} of the model {error.model}; expected {expected.__name__} of {subject.model}"
    if WORDS not in error.message:
        return f"the vendor's words are lost: {error.message!r}"
    return "" if error.request_id == REQUEST_ID else f"the request id is {error.request_id!r}, not {REQUEST_ID!r}"


def _class_problem(subject: Subject, status: int, error: Outcome) -> str:
    expected = error_class_for_status(status)
    if not isinstance(error, ParleyError):
        return f"the call gave {told(error)}"
    if not isinstance(error, expected):
        return f"the error is {told(error)}; the table says {expected.__name__}"
    if error.status != status:
        return f"the error's status is {error.status}"
    if error.provider != subject.name or not error.model:
        return f"the error names provider {error.provider!r} and model {error.model!r}"
    if not error.message.strip():
        return "the error has no message"
    return "the message repeats a page's HTML" if "<h1" in error.message or "<html" in error.message.lower() else ""


class _Body(Struct, frozen=True):
    name: str
    content: bytes
    media_type: str = "application/json"


BODIES = (
    _Body("flat", json.encode({"message": WORDS, "code": "unheard_of"})),
    _Body("nested", json.encode({"error": {"type": "unheard_of", "message": WORDS, "code": None}})),
    _Body("a list", json.encode([{"error": {"message": WORDS}}])),
    _Body("a string", json.encode(WORDS)),
    _Body("an error that is a string", json.encode({"error": WORDS})),
    _Body("a page of HTML", b"<!DOCTYPE html><html><body><h1>Welcome to nginx!</h1></body></html>", "text/html"),
    _Body("nothing", b""),
    _Body("JSON of another shape", json.encode({"detail": [{"loc": ["body", 0], "msg": WORDS, "type": 7}], "error": None})),
    _Body("JSON that breaks off", b'{"error": {"message": "some'),
    _Body("no UTF-8", b"\xff\xfe\x00{"),
)


async def bodies(subject: Subject) -> Findings:
    """Whatever the body of a refusal looks like, its status decides the class, in a stream and in a complete call."""
    if needs := subject.cannot("watch"):
        yield not_run(needs)
        return
    cases = [(status, body) for status in STATUSES for body in BODIES]
    for kind in ("stream", "complete"):
        found: list[Finding] = []
        answers = [Answer(status=status, headers={"content-type": body.media_type, **_RETRY}, body=body.content) for status, body in cases]
        async with subject.serve(*answers) as served:
            for status, body in cases:
                result = await _ask(served.provider, kind)
                if problem := _class_problem(subject, status, result):
                    found.append(wrong_class(subject, result, f"{kind}, {status} with {body.name}: {problem}", _RAISE))
        for finding in first_findings(found):
            yield finding
        if not found:
            yield passed(f"{kind}: {len(STATUSES)} statuses with {len(BODIES)} bodies each")


async def no_answer(subject: Subject) -> Findings:
    """A page of HTML, an empty body or a foreign document where an answer was expected is an error in plain words, never an answer."""
    if needs := subject.cannot("watch"):
        yield not_run(needs)
        return
    problems: list[str] = []
    for kind in ("stream", "complete"):
        async with subject.serve(*(answer for _, answer in _no_answers())) as served:
            for name, _ in _no_answers():
                result = await _ask(served.provider, kind)
                problems += [f"{kind}, {name}: {problem}" for problem in _no_answer_problems(result)]
    for problem in problems:
        yield failed(problem, "raise ProtocolError (or StreamTruncatedError) where what came is no answer of this wire")
    if not problems:
        yield passed("a page of HTML, nothing, and a foreign document are each a ProtocolError")


def _no_answers() -> Iterator[tuple[str, Answer]]:
    page = b"<html><body><h1>Welcome to nginx!</h1></body></html>"
    yield "a page of HTML", Answer(headers={"content-type": "text/html"}, body=page)
    yield "nothing", Answer(headers=JSON_DOCUMENT, body=b"")
    yield "a foreign document", Answer(headers=JSON_DOCUMENT, body=b'{"weather": "rain"}')


def _no_answer_problems(result: Outcome) -> Iterator[str]:
    if not isinstance(result, ProtocolError):
        yield f"it is {told(result)}, not ProtocolError"
    elif "<h1>" in result.message:
        yield "the message repeats the page"


async def error_inside(subject: Subject) -> Findings:
    """An error inside an answer of status 200, complete or in mid-stream, is that error, with what came before it."""
    if needs := subject.cannot("pieces"):
        yield not_run(needs)
        return
    sample = subject.known
    recorded = [each for each in subject.recordings if each.kind in {"error", "error-stream"} and each.status == 200]
    if not sample.error_event and not recorded:
        yield not_run("a recording of the kind error-stream, if this wire can report an error inside a stream")
        return
    if sample.error_event:
        async for finding in _known_error_inside(subject):
            yield finding
    for recording in recorded:
        heard = Heard()
        async with subject.serve(recording) as served:
            ask: Any = served.provider.stream_response(messages=MESSAGES, **heard.callbacks)
            result = await outcome(ask if recording.streaming else served.provider.generate_response(messages=MESSAGES))
        if isinstance(result, StreamTruncatedError):
            # Right where the recording is of a stream that was cut; of a wire that we do not know, only its author can tell.
            yield advice(f"{recording.file}: {told(result)}", "if there is an error event in it, raise the error that it stands for")
        elif isinstance(result, ProviderError):
            yield passed(f"{recording.file}: {told(result)}")
        else:
            yield failed(f"{recording.file}: {told(result)}", "raise the typed error that the event stands for")


async def _known_error_inside(subject: Subject) -> AsyncIterator[Finding]:
    sample, heard = subject.known, Heard()
    stream = sample.stream_of([*sample.text_events[: sample.cut_events], sample.error_event])
    document = Answer(headers=JSON_DOCUMENT, body=json.encode({"error": {"message": WORDS, "code": "unheard_of"}}))
    async with subject.serve(stream, document) as served:
        inside = await outcome(served.provider.stream_response(messages=MESSAGES, **heard.callbacks))
        results = {"in mid-stream": inside}
        if subject.form_of("complete") == "complete":
            results["in a complete answer of status 200"] = await outcome(served.provider.generate_response(messages=MESSAGES))
    for name, result in results.items():
        if not isinstance(result, ProviderError) or isinstance(result, StreamTruncatedError):
            yield failed(f"an error {name} becomes {told(result)}", "raise the typed error that it stands for")
        elif WORDS not in result.message:
            yield wrong_class(subject, result, f"an error {name} loses the vendor's words: {result.message!r}", "keep them in the error")
        else:
            yield passed(f"an error {name} is {told(result)}")
    if isinstance(inside, ParleyError) and (inside.partial is None or inside.partial.text != heard.text or not heard.text):
        yield failed("an error in mid-stream does not carry the text that had come")


async def _ask(provider: GuardedProvider, kind: str) -> Outcome:
    ask = provider.stream_response if kind == "stream" else provider.generate_response
    return await outcome(ask(messages=MESSAGES))


async def connection(subject: Subject) -> Findings:
    """A connection test says in a sentence what to do, and raises nothing: no server, a wrong key, a page, and when all is well."""
    async with subject.serve(*subject.complete()) as served:
        fine = await _tested(served.provider)
    if not isinstance(fine, ConnectionStatus):
        yield failed(f"test_connection raised {fine}", "return {success: false, error: what to do} instead")
        return
    yield passed(f"it says {'success' if fine.success else fine.error}")
    if needs := subject.cannot("watch"):
        yield not_run(needs)
        return
    refusals = {
        "a wrong key": subject.known.error(401, "no such key"),
        "a page of HTML": Answer(headers={"content-type": "text/html"}, body=b"<html><h1>Hi</h1></html>"),
    }
    for name, answer in refusals.items():
        async with subject.serve(answer) as served:
            yield _connection_finding(subject, name, await _tested(served.provider))
    async with subject.serve(endpoint="http://127.0.0.1:1/v1") as served:
        yield _connection_finding(subject, "no server", await _tested(served.provider), naming="127.0.0.1:1")


async def _tested(provider: GuardedProvider) -> ConnectionStatus | str:
    try:
        return await provider.test_connection()
    except Exception as error:  # noqa: BLE001 - that nothing is raised is the rule
        return f"{type(error).__name__}: {error}"


def _connection_finding(subject: Subject, name: str, status: ConnectionStatus | str, *, naming: str = "") -> Finding:
    if isinstance(status, str):
        return failed(f"{name}: test_connection raised {status}", "return {success: false, error: what to do} instead")
    if status.success:
        lists = isinstance(subject.codec, ListsModels)
        wanted = (
            "raise ProtocolError in decode_models where the body is no list" if lists else "ask the service something that needs the key"
        )
        return failed(f"{name}: the connection test says success", wanted)
    if status.provider != subject.name or not status.error:
        return failed(f"{name}: it names {status.provider!r} and says {status.error!r}")
    if naming and naming not in status.error:
        problem = f"{name}: it does not say where it tried to connect: {status.error}"
        return failed(problem) if subject.codec is not None else advice(problem, f"name the place: {naming}")
    return passed(f"{name}: {status.error}")
