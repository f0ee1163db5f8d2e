"""What a caller asks for reaches the service, or is refused, or is told: options, malformed requests, zero. Knows no wire."""

from __future__ import annotations

import json
from typing import Any

from parley.contract.errors import InvalidRequestError, ParleyError, UnsupportedFeatureError
from parley.contract.messages import Message
from parley.contract.options import Options
from parley.contract.request import ChatRequest
from parley.testing.findings import Finding, Findings, advice, failed, not_run, passed
from parley.testing.offline import kept_offline
from parley.testing.payload_diff import PayloadDiff, payload_diffs
from parley.testing.rules.asking import MESSAGES, outcome, told
from parley.testing.subject import Subject

TUNING: dict[str, Any] = {
    "temperature": 0.5,
    "top_p": 0.5,
    "top_k": 5,
    "seed": 5,
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
}


async def options(subject: Subject) -> Findings:
    """Each option that is declared changes what is sent; each other one is sent, refused or told, never lost in silence."""
    if needs := subject.cannot("watch"):
        yield not_run(needs)
        return
    told_already: set[str] = set()
    for kind in ("stream", "complete"):
        answers = subject.streamed() if kind == "stream" else subject.complete()
        if needs := subject.cannot("stream" if kind == "stream" else "complete"):
            yield not_run(needs)
            continue
        with kept_offline():
            diffs = await payload_diffs(subject.guarded, answers[0], stream=kind == "stream")
        # What is wrong in both calls is told once.
        for finding in (_finding(subject, diff) for diff in diffs if diff.problem and diff.problem not in told_already):
            told_already.add(finding.evidence)
            yield finding
        sent = [diff.option for diff in diffs if diff.outcome == "sent"]
        refused = [diff.option for diff in diffs if diff.outcome in {"refused", "warned"}]
        yield passed(f"{kind}: sent: {', '.join(sent) or 'none'}; refused or told: {', '.join(refused) or 'none'}")


def _finding(subject: Subject, diff: PayloadDiff) -> Finding:
    """A class that declares nothing is handed everything; what it does with it is advice."""
    name = diff.capability or diff.option
    remedy = f"send it, or declare Capabilities({name}=False)" if diff.capability else "send it, or warn"
    if subject.codec is None and diff.declared is None:
        return advice(diff.problem or "", remedy)
    return failed(diff.problem or "", remedy)


async def strictness(subject: Subject) -> Findings:
    """Tuning that is known to be missing is dropped with a warning that names it, and refused under strict_options; zero is a value."""
    if needs := subject.cannot("watch") or subject.cannot("complete"):
        yield not_run(needs)
        return
    missing = [name for name in TUNING if getattr(subject.capabilities, name) is False]
    async with subject.serve(*subject.complete()) as served:
        for name in missing:
            loose = await outcome(served.provider.generate_response(messages=MESSAGES, options={name: TUNING[name]}))
            if isinstance(loose, ParleyError) or not any(name in warning.message for warning in loose.warnings):
                yield failed(f"{name} is declared as missing, and asking for it gives {told(loose)} without a warning that names it")
            strict = await outcome(served.provider.generate(_strict(name)))
            if not isinstance(strict, UnsupportedFeatureError):
                yield failed(f"{name} is declared as missing; under strict_options it gives {told(strict)}, not UnsupportedFeatureError")
        if subject.capabilities.temperature is False:
            yield passed(f"dropped with a warning, refused under strict_options: {', '.join(missing)}")
            return
        served.server.requests.clear()
        await outcome(served.provider.generate_response(messages=MESSAGES, options={"temperature": 0}))
        await outcome(served.provider.generate_response(messages=MESSAGES))
        bodies = [request.body for request in served.server.requests]
    if len(bodies) == 2 and not _zeros(bodies[0]) > _zeros(bodies[1]):
        problem = "temperature 0 is sent as if it had not been asked for"
        remedy = "compare with None: `if temperature is not None`"
        yield failed(problem, remedy) if subject.codec is not None else advice(problem, remedy)
    else:
        yield passed(f"temperature 0 is sent; known to be missing: {', '.join(missing) or 'nothing'}")


def _zeros(body: bytes) -> int:
    """How many numbers in a JSON body are 0; a body that is no JSON counts its characters."""
    try:
        document = json.loads(body)
    except ValueError:
        return body.count(b"0")
    return _zeros_in(document)


def _zeros_in(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, list):
        return sum(_zeros_in(each) for each in value)  # pyright: ignore[reportUnknownVariableType]
    return int(isinstance(value, (int, float)) and not isinstance(value, bool) and value == 0)


def _strict(name: str) -> ChatRequest:
    return ChatRequest(messages=[Message(role="user", content="x")], options=Options(**{name: TUNING[name]}), strict_options=True)


def _dangling() -> dict[str, Any]:
    result = {"type": "tool_result", "tool_call_id": "x", "content": ""}
    return {"messages": [{"role": "tool", "content": [result]}]}


MALFORMED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"messages": []}, "messages"),
    ({"messages": "Hello"}, "messages"),
    ({"messages": None}, "messages"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [{"type": "video", "text": "x"}]}]}, "messages[0].content[0].type"),
    (_dangling(), "messages[0].content[0]"),
    ({"messages": MESSAGES, "options": {"temprature": 1}}, "options.temprature"),
    ({"messages": MESSAGES, "options": {"temperature": "hot"}}, "options.temperature"),
    ({"messages": MESSAGES, "options": {"max_tokens": 0}}, "options.max_tokens"),
)


async def malformed(subject: Subject) -> Findings:
    """A malformed request is InvalidRequestError that names the field, before anything is sent."""
    problems: list[str] = []
    async with subject.serve(*subject.complete()) as served:
        for arguments, field in MALFORMED:
            for ask in (served.provider.generate_response, served.provider.stream_response):
                result = await outcome(ask(**arguments))
                if not isinstance(result, InvalidRequestError):
                    problems.append(f"{json.dumps(arguments)} gives {told(result)}")
                elif not result.fields or not result.fields[0].path.startswith(field):
                    problems.append(f"{json.dumps(arguments)} does not name {field}")
        if served.server.requests:
            problems.append(f"{len(served.server.requests)} of them were sent")
    for problem in problems:
        yield failed(problem)
    if not problems:
        yield passed(f"{len(MALFORMED)} malformed requests, each refused by its field, none sent")


async def unsupported(subject: Subject) -> Findings:
    """What is declared as missing (tools, images, stop …) is UnsupportedFeatureError, before anything is sent."""
    missing = {name: asked for name, asked in _asked_for().items() if getattr(subject.capabilities, name) is False}
    if not missing:
        yield passed("nothing is declared as missing that would have to be refused")
        return
    problems: list[str] = []
    async with subject.serve(*subject.complete()) as served:
        for name, arguments in missing.items():
            result = await outcome(served.provider.generate_response(**_asking(arguments)))
            if not isinstance(result, UnsupportedFeatureError):
                problems.append(f"{name} gives {told(result)}")
        if served.server.requests:
            problems.append(f"{len(served.server.requests)} of them were sent")
    for problem in problems:
        yield failed(problem)
    if not problems:
        yield passed(f"refused before anything is sent: {', '.join(missing)}")


def _asking(arguments: dict[str, Any]) -> dict[str, Any]:
    return {"messages": MESSAGES, **arguments}


def _asked_for() -> dict[str, dict[str, Any]]:
    tool: dict[str, Any] = {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}

    def saying(part: dict[str, Any]) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": [{"type": "text", "text": "?"}, part]}]}

    return {
        "tools": {"options": {"tools": [tool]}},
        "tool_choice": {"options": {"tools": [tool], "tool_choice": "required"}},
        "response_format": {"options": {"response_format": "json"}},
        "stop": {"options": {"stop": ["END"]}},
        "reasoning_effort": {"options": {"reasoning_effort": "high"}},
        "images": saying({"type": "image", "media_type": "image/png", "data": "iVBORw0KGgo="}),
        "image_urls": saying({"type": "image", "url": "https://example.com/a.png"}),
        "files": saying({"type": "file", "media_type": "text/plain", "name": "a.txt", "data": "aGk="}),
    }
