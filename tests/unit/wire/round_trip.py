"""A reply read by a codec and folded as the guard does it, to compare with what was read of our own writing of it."""

from __future__ import annotations

import json
from typing import Any, Protocol

from msgspec import Struct, structs

from parley.contract.codec import Codec
from parley.contract.events import Event, ResponseFinished, TextDelta
from parley.contract.http import ResponseHead
from parley.contract.messages import Message, Part, ToolCall
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse
from parley.contract.usage import UsageReport
from parley.guard.fold import Fold
from parley.guard.tokens import FamilyTokenCounter, settle_usage

REQUEST = ChatRequest(messages=[Message(role="user", content="Hi")])


class Writes(Protocol):
    def write(self, events: list[Event]) -> bytes: ...


class Read(Struct):
    """What a codec gave, its end made whole as the guard makes it."""

    events: list[Event]
    reply: ChatResponse
    report: UsageReport

    @property
    def text_deltas(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, TextDelta) and event.text]

    def told(self, *, exact_arguments: bool = True) -> dict[str, Any]:
        """Everything that a caller is told; arguments without their spaces where a wire has them as objects."""
        reply = self.reply
        return {
            "parts": reply.parts if exact_arguments else [compact(part) for part in reply.parts],
            "usage": self.report,
            "finish": (reply.finish_reason, reply.raw_finish_reason),
            "whose": (reply.id, reply.model),
            "citations": reply.citations,
            "refusal": reply.refusal,
            "warnings": reply.warnings,
        }


def compact(part: Part) -> Part:
    if isinstance(part, ToolCall):
        return structs.replace(part, arguments=json.dumps(json.loads(part.arguments)))
    return part


def whole_head(provider: str) -> ResponseHead:
    return ResponseHead(status=200, headers={}, provider=provider)


def read_reply(codec: Codec, body: bytes, head: ResponseHead, request: ChatRequest = REQUEST) -> Read:
    decoder = codec.decoder(request, head)
    events = [*decoder.feed(body), *decoder.close()]
    fold = Fold()
    fold.add(events)
    assert fold.finished is not None
    parts = fold.parts()
    usage = settle_usage(
        fold.report,
        request,
        output=lambda: fold.output(aborted=False),
        counter=FamilyTokenCounter(),
        model=fold.started.model or "",
        aborted=False,
    )
    reply = structs.replace(
        fold.finished,
        parts=parts,
        usage=usage,
        id=fold.started.id or "",
        model=fold.started.model or "",
        citations=fold.citations,
        refusal=fold.refusal,
        warnings=fold.warnings,
    )
    return Read(events=[*events[:-1], ResponseFinished(response=reply)], reply=reply, report=fold.report)


def streamed(writer: Writes, read: Read) -> bytes:
    """The stream that a client would see, an event at a time."""
    return b"".join(writer.write([event]) for event in read.events)
