"""A wire of an author's own, small but whole, its recordings, and the ways in which such a codec goes wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from parley.contract.errors import error_class_for_status
from parley.provider import (
    AuthScheme,
    Capabilities,
    ChatResponse,
    Config,
    Dialect,
    HttpRequest,
    ParleyError,
    ProtocolError,
    ProviderError,
    ResponseFinished,
    ServerError,
    StreamTruncatedError,
    TextDelta,
    ToolCall,
    ToolCallEnded,
    ToolIds,
    ToolResult,
    UsageReport,
    UsageReported,
    WarningRaised,
)
from parley.provider import ResponseWarning as Warning_
from parley.wire.json_events import JsonEvents, is_cut
from parley.wire.ndjson import JsonLinesParser

CAPABILITIES = Capabilities(
    streaming=True,
    tools=True,
    usage=True,
    tool_choice=False,
    parallel_tool_calls=False,
    response_format=False,
    images=False,
    image_urls=False,
    files=False,
    stop=False,
    reasoning_effort=False,
    top_p=False,
    top_k=False,
    seed=False,
    frequency_penalty=False,
    presence_penalty=False,
    cache_markers=False,
)


class MarsDecoder:
    """Lines of JSON in a stream, one document otherwise."""

    def __init__(self) -> None:
        self.lines = JsonLinesParser()
        self.objects = JsonEvents()
        self.ended = False
        self.held: Exception | None = None

    def feed(self, data: bytes) -> list[Any]:
        if self.held is not None:
            raise self.held
        events: list[Any] = []
        try:
            for line in self.lines.feed(data):
                events += self.read(line)
        except ParleyError as error:
            if not events:
                raise
            self.held = error
        return events

    def close(self) -> list[Any]:
        if self.held is not None:
            raise self.held
        last = [event for line in self.lines.close() if not is_cut(line) for event in self.read(line)]
        if not self.ended:
            raise StreamTruncatedError("the answer has no end")
        return last

    def read(self, line: bytes) -> list[Any]:
        if self.ended:
            return []
        said = self.objects.decode(line)
        if isinstance(said, WarningRaised):
            return [said]
        if "fault" in said or "error" in said:
            raise ServerError(f"Mars says: {said.get('fault') or said['error']}")
        return self.events(said)

    def events(self, said: dict[str, Any]) -> list[Any]:
        found: list[Any] = []
        if said.get("words"):
            found.append(TextDelta(said["words"]))
        for place, call in enumerate(said.get("calls", [])):
            arguments = json.dumps(call["with"])
            found.append(ToolCallEnded(index=place, call=ToolCall(id=call["id"], name=call["do"], arguments=arguments)))
        if said.get("end"):
            self.ended = True
            counts = said.get("counts", {})
            report = UsageReport(prompt_tokens=counts.get("heard_tokens"), completion_tokens=counts.get("said_tokens"))
            reason = "tool_calls" if said["end"] == "your turn" else "stop"
            found += [
                UsageReported(usage=report),
                ResponseFinished(response=ChatResponse(finish_reason=reason, raw_finish_reason=said["end"])),
            ]
        return found


class Mars:
    """The codec."""

    name = "mars"
    capabilities = CAPABILITIES
    auth_scheme = AuthScheme(header="x-mars-key", prefix="")

    def encode(self, request, *, target, stream):
        ids, warnings, lines = ToolIds(), [], []
        for message in request.messages:
            said: dict[str, Any] = {"who": message.role, "words": message.text}
            calls = [part for part in message.parts if isinstance(part, ToolCall)]
            if calls:
                said["calls"] = [{"id": ids.call(call.id), "do": call.name, "with": call.arguments} for call in calls]
            results = [part for part in message.parts if isinstance(part, ToolResult)]
            if results:
                said["results"] = [{"id": ids.result(each.tool_call_id), "gave": each.content} for each in results]
            if any(part.provider_data for part in message.parts):
                warnings.append(Warning_(code="provider_data_dropped", message="data of another provider was left out"))
            lines.append(said)
        options = request.options
        body: dict[str, Any] = {"model": target.model, "lines": lines, "stream": stream}
        for name in ("temperature", "max_tokens"):
            if getattr(options, name) is not None:
                body[name] = getattr(options, name)
        if request.system_prompt:
            body["role"] = request.system_prompt
        if options.tools:
            body["tools"] = [tool.name for tool in options.tools]
        headers = {"content-type": "application/json"}
        return HttpRequest(method="POST", url=f"{target.endpoint}/say", headers=headers, body=json.dumps(body).encode(), warnings=warnings)

    def decoder(self, request, head):
        if "html" in head.headers.get("content-type", ""):
            raise ProtocolError("a page of HTML is no answer of Mars")
        return MarsDecoder()

    def decode_error(self, head, body) -> ProviderError:
        after = head.headers.get("retry-after", "")
        retry_after = float(after) if after.isdigit() else None
        return error_class_for_status(head.status)(f"Mars answers {head.status}", status=head.status, retry_after=retry_after)


class MarsConfig(Config):
    model: str = "phobos"
    endpoint: str = "https://api.mars.example/v1"


def dialect(wire: Any = None, **changes: Any) -> Dialect:
    return Dialect(**{"name": "mars", "label": "Mars", "config": MarsConfig, "wire": wire or Mars(), **changes})


END = {"end": "over", "counts": {"heard_tokens": 5, "said_tokens": 9}}
STREAM = [{"words": "Red "}, {"words": "dust "}, {"words": "ünd 🪐 "}, {"words": "rocks"}, END]
CALLS = {"calls": [{"id": "c1", "do": "get_weather", "with": {"city": "Olympus"}}], "end": "your turn", "counts": END["counts"]}


def write(folder: Path, kind: str, lines: list[Any], *, status: int = 200) -> Path:
    streaming = kind.endswith("stream")
    body = "".join(json.dumps(line) + "\n" for line in lines)
    headers = {"content-type": "application/x-ndjson" if streaming else "application/json"}
    document = {
        "provider": "mars",
        "wire_family": "mars",
        "kind": kind,
        "model": "phobos",
        "streaming": streaming,
        "status": status,
        "notes": [],
        "request": None,
        "response": {"status": status, "headers": headers, "body_text": body, "body_exact": True},
    }
    path = folder / f"{kind}.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def recordings(folder: Path) -> Path:
    """What Mars once sent, of every kind."""
    write(folder, "stream", STREAM)
    write(folder, "generate", [{"words": "Red dust", **END}])
    write(folder, "tools-stream", [CALLS])
    write(folder, "tools", [CALLS])
    write(folder, "error", [{"fault": "no such planet"}], status=404)
    write(folder, "error-stream", [{"words": "Red "}, {"fault": "a storm"}])
    return folder


# How such a codec goes wrong.


class LineDecoder(MarsDecoder):
    """Takes each piece of bytes for whole lines."""

    def feed(self, data: bytes) -> list[Any]:
        found: list[Any] = []
        for line in data.splitlines():
            try:
                found += self.read(line)
            except ProtocolError:
                continue
        return found


class HastyDecoder(MarsDecoder):
    """Raises at once, so that what came before in the same bytes is lost."""

    def feed(self, data: bytes) -> list[Any]:
        return [event for line in self.lines.feed(data) for event in self.read(line)]


class HopefulDecoder(MarsDecoder):
    """Ends every answer well, cut or not."""

    def close(self) -> list[Any]:
        try:
            return super().close()
        except StreamTruncatedError:
            return [ResponseFinished(response=ChatResponse(finish_reason="stop"))]


class ForgetfulDecoder(MarsDecoder):
    """Loses the counts."""

    def events(self, said: dict[str, Any]) -> list[Any]:
        return [event for event in super().events(said) if not isinstance(event, UsageReported)]


class ForeignDecoder(MarsDecoder):
    """Raises what comes."""

    def read(self, line: bytes) -> list[Any]:
        return self.events(json.loads(line))


class DeafToErrorsDecoder(MarsDecoder):
    """Takes an error inside the stream for something unknown."""

    def read(self, line: bytes) -> list[Any]:
        try:
            return super().read(line)
        except ServerError:
            return [WarningRaised(warning=Warning_(code="odd", message="something odd came"))]


def with_decoder(decoder: type[MarsDecoder]) -> Dialect:
    class Sloppy(Mars):
        def decoder(self, request, head):
            return decoder()

    return dialect(Sloppy())
