"""How an answer ends: tokens, then exactly one end, streamed and complete alike, with its usage and its tool calls. Knows no wire."""

from __future__ import annotations

import json
import re
from typing import Any

from parley.contract.errors import ParleyError
from parley.contract.messages import Message, ToolResult
from parley.contract.response import ChatResponse
from parley.testing.findings import Finding, Findings, advice, failed, not_run, passed
from parley.testing.rules.asking import MESSAGES, Heard, outcome, shortened, told
from parley.testing.samples import MODEL, REPLY_ID
from parley.testing.subject import Subject

_COUNT_NAME = re.compile(rb'"[A-Za-z_]*[tT]oken[A-Za-z_]*"\s*:\s*[1-9]\d*')
_CITY_TOOL = {"type": "object", "properties": {"city": {"type": "string"}}}


async def one_ending(subject: Subject) -> Findings:
    """The tokens are the text; then on_done once, or on_error once before the error is raised."""
    if needs := subject.cannot("stream"):
        yield not_run(needs)
        return
    heard = Heard()
    async with subject.serve(*subject.streamed()) as served:
        reply = await outcome(served.provider.stream_response(messages=MESSAGES, **heard.callbacks))
    if isinstance(reply, ParleyError):
        yield failed(f"a question of one word, streamed, ends in {told(reply)}", "its stream must answer a plain question")
        return
    if heard.text != reply.text:
        yield failed(f"the tokens say {shortened(heard.text)!r}, the reply {shortened(reply.text)!r}")
    if heard.done != [reply] or heard.errors:
        yield failed(f"on_done was called {len(heard.done)} times and on_error {len(heard.errors)} times")
    if finding := _streams(subject, reply, heard):
        yield finding
    yield passed(f"{len(heard.tokens)} tokens, then on_done once")


def _streams(subject: Subject, reply: ChatResponse, heard: Heard) -> Finding | None:
    if subject.sample is None:
        return None
    if reply.text != subject.sample.text:
        return failed(f"the answer reads {shortened(reply.text)!r}; what was sent is {shortened(subject.sample.text)!r}")
    if len(heard.tokens) < 2 < len(subject.sample.text_events) and subject.speaks_a_shipped_wire:
        problem = "a stream of several pieces came as one token: nobody sees the answer grow"
        remedy = "yield each piece as it arrives, or declare Capabilities(streaming=False)"
        return advice(problem, remedy) if subject.capabilities.streaming is not True else failed(problem, remedy)
    return None


async def one_error(subject: Subject) -> Findings:
    """A refused call tells on_error once, with the error that is then raised, and neither token nor on_done."""
    if needs := subject.cannot("watch"):
        yield not_run(needs)
        return
    heard = Heard()
    async with subject.serve(subject.known.error(400, "no")) as served:
        result = await outcome(served.provider.stream_response(messages=MESSAGES, **heard.callbacks))
    if not isinstance(result, ParleyError):
        yield failed(f"the service refused with 400, and the call gave {told(result)}", "raise an error of parley.provider")
    elif (heard.tokens, heard.done, heard.errors) != ([], [], [result]):
        counted = f"{len(heard.tokens)} tokens, on_done {len(heard.done)} times, on_error {len(heard.errors)} times"
        yield failed(f"{counted}; expected on_error once and nothing else")
    else:
        yield passed(f"on_error once, with the {type(result).__name__} that is raised")


async def streamed_and_complete(subject: Subject) -> Findings:
    """A complete call normalises like a stream of the same answer."""
    if needs := subject.cannot("stream") or subject.cannot("complete"):
        yield not_run(needs)
        return
    async with subject.serve(*subject.streamed(), *subject.complete()) as served:
        streamed = await outcome(served.provider.stream_response(messages=MESSAGES))
        complete = await outcome(served.provider.generate_response(messages=MESSAGES))
    if isinstance(streamed, ParleyError) or isinstance(complete, ParleyError):
        yield failed(f"streamed: {told(streamed)}; complete: {told(complete)}")
        return
    different = list(_differences(subject, streamed, complete))
    for difference in different:
        yield failed(difference, "read both forms of the answer in the same way")
    if not different:
        yield passed(f"streamed and complete: the same text, finish reason {complete.finish_reason}, usage {complete.usage.source}")


def _differences(subject: Subject, streamed: ChatResponse, complete: ChatResponse) -> list[str]:
    """For a wire of known answers all that is known; for two recordings only what any two answers have in common."""
    found = [
        f"{name} is {getattr(streamed, name)!r} in the stream and {getattr(complete, name)!r} in the complete answer"
        for name in ("finish_reason", "provider", "complete")
        if getattr(streamed, name) != getattr(complete, name)
    ]
    if streamed.usage.source != complete.usage.source:
        found.append(f"usage is {streamed.usage.source} in the stream and {complete.usage.source} in the complete answer")
    if subject.speaks_a_shipped_wire and streamed.text != complete.text:
        found.append(f"the text is {shortened(streamed.text)!r} in the stream and {shortened(complete.text)!r} in the complete answer")
    if subject.speaks_a_shipped_wire and subject.codec is not None:
        wanted: dict[str, Any] = {"finish_reason": "stop", "model": MODEL, "provider": subject.name, "complete": True}
        if REPLY_ID.encode() in subject.known.text_complete:  # some wires number nothing
            wanted["id"] = REPLY_ID
        found += [
            f"{name} is {getattr(reply, name)!r}; what was sent means {value!r}"
            for reply in (streamed, complete)
            for name, value in wanted.items()
            if getattr(reply, name) != value
        ]
    return found


async def usage(subject: Subject) -> Findings:
    """The counts that the service sends are the reply's usage, streamed and complete."""
    lost = "read the counts where the service sends them; or declare Capabilities(usage=False) if it sends none"
    calls = [("stream", subject.streamed()), ("complete", subject.complete())]
    for kind, answers in calls:
        if needs := subject.cannot("stream" if kind == "stream" else "complete"):
            yield not_run(needs)
            continue
        async with subject.serve(*answers) as served:
            ask = served.provider.stream_response if kind == "stream" else served.provider.generate_response
            reply = await outcome(ask(messages=MESSAGES))
        if isinstance(reply, ParleyError):
            yield failed(f"the {kind} call ends in {told(reply)}")
        elif problem := _usage_problem(subject, reply, kind=kind):
            undeclared = subject.codec is None and subject.capabilities.usage is not True
            yield advice(problem, lost) if undeclared else failed(problem, lost)
        else:
            yield passed(f"{kind}: {reply.usage.prompt_tokens} + {reply.usage.completion_tokens} tokens, {reply.usage.source}")


def _usage_problem(subject: Subject, reply: ChatResponse, *, kind: str) -> str:
    found, sample = reply.usage, subject.sample
    if subject.capabilities.usage is False:
        return ""
    if sample is not None and sample.prompt_tokens is not None:
        counts, wanted = (found.prompt_tokens, found.completion_tokens), (sample.prompt_tokens, sample.completion_tokens)
        if counts != wanted or found.source != "reported":
            return f"{kind}: usage is {counts[0]} + {counts[1]} tokens ({found.source}); what was sent is {wanted[0]} + {wanted[1]}"
    if found.source != "estimated":
        return ""
    if subject.capabilities.usage is True:
        return f"{kind}: usage is declared, but the reply has none, so that it was estimated"
    form = subject.form_of("complete" if kind == "complete" else "stream")
    sent = b"" if sample is None else sample.text_complete if form == "complete" else b"".join(sample.text_events)
    count = _COUNT_NAME.search(sent)
    return f"{kind}: the service sent {count[0].decode()}, but the reply's usage is estimated" if count else ""


async def tool_calls(subject: Subject) -> Findings:
    """A tool call arrives whole, streamed and complete, and its result goes back."""
    if needs := subject.cannot("watch"):
        yield not_run(needs)
        return
    sample = subject.sample
    assert sample is not None  # noqa: S101 - what is watched has one
    if subject.capabilities.tools is False:
        yield not_run("tools; it declares that it has none")
        return
    if not sample.tool_events or not sample.tool_complete:
        yield not_run("recordings of the kinds tools and tools-stream")
        return
    options: dict[str, Any] = {"tools": [{"name": sample.call_name, "parameters": _CITY_TOOL}]}
    async with subject.serve(subject.answer("stream", tools=True), subject.answer("complete", tools=True), *subject.complete()) as served:
        streamed = await outcome(served.provider.stream_response(messages=MESSAGES, options=options))
        complete = await outcome(served.provider.generate_response(messages=MESSAGES, options=options))
        problem = _call_problem(subject, streamed, kind="stream") or _call_problem(subject, complete, kind="complete answer")
        if problem or isinstance(streamed, ParleyError):
            yield _for_a_class(subject, failed(problem, "give each call its id, its name and its whole arguments"))
            return
        results = [ToolResult(tool_call_id=call.id, content="14 °C, said the tool") for call in streamed.tool_calls]
        conversation = [Message(role="user", content="Hello"), streamed.to_message(), Message(role="tool", content=list(results))]
        follow = await outcome(served.provider.generate_response(messages=conversation, options=options))
        sent = json.dumps(served.server.requests[-1].json(), ensure_ascii=False) if served.server.requests[-1].body else ""
    if isinstance(follow, ParleyError) or (subject.speaks_a_shipped_wire and follow.text != sample.text):
        yield failed(f"with the tool's result the call ends in {told(follow)}")
    elif "14 °C, said the tool" not in sent or sample.call_name not in sent:
        yield _for_a_class(subject, failed("the call or its result is not in what was sent back", "send both with the conversation"))
    else:
        yield passed(f"{sample.call_name} arrives whole in both forms, and its result goes back")


def _call_problem(subject: Subject, reply: ChatResponse | ParleyError, *, kind: str) -> str:
    if isinstance(reply, ParleyError):
        return f"a tool call in a {kind} ends in {told(reply)}"
    calls = [(call.name, _parsed(call.arguments)) for call in reply.tool_calls]
    wanted = (subject.known.call_name, subject.known.call_arguments)
    if wanted not in calls:
        return f"the tool call in a {kind} is {calls!r}; what was sent is {wanted!r}"
    return "" if reply.finish_reason == "tool_calls" else f"the finish reason of a {kind} with a tool call is {reply.finish_reason}"


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def _for_a_class(subject: Subject, finding: Finding) -> Finding:
    """A class that claims no tools is merely advised to say so."""
    if subject.codec is not None or subject.capabilities.tools is True:
        return finding
    return advice(finding.evidence, "declare Capabilities(tools=False), so that a request with tools is refused in words")
