"""The Mars wire: requests as JSON, answers as JSON lines or one document. Pure: opens nothing, waits for nothing, keeps nothing.

    {"mission": "m-1", "craft": "olympus-1"}              begins an answer
    {"think": "…"}  {"say": "…"}                          more reasoning, more text
    {"ask": {"ref": "a1", "tool": "…", "with": {…}}}      a tool call, always whole
    {"fuel": {"up": 11, "down": 7}}                       tokens read and written
    {"landed": "done" | "full" | "asks"}                  the end; without it the answer was cut
    {"mayday": {"code": "…", "text": "…"}}                an error: as a body with its status, or in the middle of an answer

A complete answer is one document with the same fields, its tool calls in a list `asks`.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from parley.provider import (
    AuthenticationError,
    AuthScheme,
    Capabilities,
    ChatRequest,
    ChatResponse,
    Decoder,
    EncodingWarnings,
    Event,
    FinishReason,
    HttpRequest,
    Model,
    OverloadedError,
    ParleyError,
    ProtocolError,
    ProviderError,
    ReasoningDelta,
    ReasoningEnded,
    ReplyReader,
    ResponseFinished,
    ResponseHead,
    StreamTruncatedError,
    Target,
    TextDelta,
    TextPart,
    ToolCall,
    ToolCallAssembler,
    ToolCallFragment,
    ToolIds,
    ToolResult,
    UsageReport,
    UsageReported,
    count_of,
    decode_object,
    join_system,
    list_of,
    object_of,
    own_data,
    plain_words,
    provider_error,
    result_text,
    text_of,
    turns,
)

LANDINGS: dict[str, FinishReason] = {"done": "stop", "full": "length", "asks": "tool_calls"}
# Only words that Parley cannot know: it finds the class of any other error by its status.
MAYDAYS: dict[str, type[ProviderError]] = {"bad_pass": AuthenticationError, "dust_storm": OverloadedError}


class Mars:
    """The codec."""

    name = "mars"
    auth_scheme = AuthScheme(header="x-mars-pass", prefix="")
    # False where the wire has no field for it: Parley then refuses the request, or drops the option with a warning, before anything
    # is sent. Leaving it out would promise to try.
    capabilities = Capabilities(
        streaming=True,
        tools=True,
        tool_choice=False,
        parallel_tool_calls=False,
        response_format=False,
        images=False,
        files=False,
        stop=False,
        reasoning_effort=False,
        max_tokens=True,
        top_p=False,
        top_k=False,
        seed=False,
        frequency_penalty=False,
        presence_penalty=False,
        cache_markers=False,
        usage=True,
        list_models=True,
        embeddings=False,
    )

    def encode(self, request: ChatRequest, *, target: Target, stream: bool) -> HttpRequest:
        """See parley.provider.Codec."""
        warnings, options = EncodingWarnings(), request.options
        body: dict[str, Any] = {"to": target.model, "live": stream, "log": _log(request, target, warnings)}
        if orders := join_system(request):
            body["orders"] = orders
        if options.temperature is not None:  # 0 is a value
            body["heat"] = options.temperature
        if options.max_tokens is not None:
            body["room"] = options.max_tokens
        if options.tools:
            body["tools"] = [{"tool": tool.name, "about": tool.description or "", "with": tool.parameters} for tool in options.tools]
        return HttpRequest(
            method="POST",
            url=f"{target.endpoint}/transmissions",
            headers={"content-type": "application/json"},
            body=json.dumps({**body, **options.extra}).encode(),
            warnings=warnings.warnings,
        )

    def decoder(self, request: ChatRequest, head: ResponseHead) -> Decoder:
        """See parley.provider.Codec."""
        return MarsReader(request, head, wire=self.name)

    def decode_error(self, head: ResponseHead, body: bytes) -> ParleyError:
        """See parley.provider.Codec. The body may be anything: a proxy in between answers with a web page, or with nothing."""
        value = decode_object(body)
        return provider_error(head, message=plain_words(head, body)) if value is None else _mayday(head, value)

    def encode_list_models(self, *, target: Target) -> HttpRequest:
        """See parley.provider.ListsModels."""
        return HttpRequest(method="GET", url=f"{target.endpoint}/crafts")

    def decode_models(self, head: ResponseHead, body: bytes) -> Sequence[Model]:
        """See parley.provider.ListsModels."""
        crafts = (decode_object(body) or {}).get("crafts")
        if not isinstance(crafts, list):
            raise ProtocolError("Mars sent no list of crafts; check that its endpoint is right")
        return [
            Model(text_of(craft["id"]), label=text_of(craft.get("name"))) for craft in map(object_of, crafts) if text_of(craft.get("id"))
        ]


class MarsReader(ReplyReader):
    """One answer. `ReplyReader` cuts the bytes into objects, forgives what it can and raises what it must; here they get a meaning."""

    def __init__(self, request: ChatRequest, head: ResponseHead, *, wire: str) -> None:
        super().__init__(request, head, wire=wire)
        self._calls = ToolCallAssembler()
        self._thinking = False
        self._landed = ""

    def read(self, value: dict[str, Any], event: str) -> Iterator[Event]:
        """See ReplyReader. A line has one of these fields, a document several, and a later version has fields that nobody knows yet."""
        if "mayday" in value:
            raise _mayday(self.head, value)
        if "mission" in value:
            yield from self.started(reply_id=value["mission"], model=value.get("craft"))
        if think := text_of(value.get("think")):
            self._thinking = True
            yield ReasoningDelta(think)
        if say := text_of(value.get("say")):
            yield from self._end_of_thought()
            yield TextDelta(say)
        for ask in map(object_of, [value["ask"]] if "ask" in value else list_of(value.get("asks"))):
            yield from self._end_of_thought()
            arguments = object_of(ask.get("with"))
            call = ToolCallFragment(id=text_of(ask.get("ref")), name=text_of(ask.get("tool")), arguments=arguments, whole=True)
            yield from self._calls.add(call)
        if fuel := object_of(value.get("fuel")):
            usage = UsageReport(prompt_tokens=count_of(fuel.get("up")), completion_tokens=count_of(fuel.get("down")))
            yield UsageReported(usage=usage)
        self._landed = text_of(value.get("landed")) or self._landed

    def finish(self) -> Iterator[Event]:
        """See ReplyReader. The bytes are over: an answer without its own end was cut, and must not pass for a whole one."""
        if not self._landed:
            raise StreamTruncatedError("the transmission broke off before it landed")
        yield from self._end_of_thought()
        yield from self._calls.close()
        response = ChatResponse(finish_reason=LANDINGS.get(self._landed, "unknown"), raw_finish_reason=self._landed)
        yield ResponseFinished(response=response)

    def _end_of_thought(self) -> Iterator[Event]:
        if self._thinking:
            self._thinking = False
            yield ReasoningEnded()


def _mayday(head: ResponseHead, value: dict[str, Any]) -> ProviderError:
    mayday = object_of(value.get("mayday"))
    code = text_of(mayday.get("code"))
    message = text_of(mayday.get("text")) or f"Mars answered with status {head.status} and did not say why"
    return provider_error(head, message=message, provider_code=code or None, error_class=MAYDAYS.get(code))


def _log(request: ChatRequest, target: Target, warnings: EncodingWarnings) -> list[dict[str, Any]]:
    """The conversation. It may have begun at another provider, whose ids are rewritten where Mars would not take them, and whose own data
    (signatures and the like) is left out with a warning.
    """
    ids, log = ToolIds(pattern=r"[A-Za-z0-9_-]{1,40}"), []
    for turn in turns(request):
        side = "earth" if turn.role == "user" else "mars"
        for part in turn.parts:
            own_data(part, Mars.name, provider=target.provider, warnings=warnings)
            if isinstance(part, TextPart) and part.text:
                log.append({"from": side, "say": part.text})
            elif isinstance(part, ToolCall):
                arguments = decode_object(part.arguments.encode()) or {}
                log.append({"from": side, "ask": {"ref": ids.call(part.id), "tool": part.name, "with": arguments}})
            elif isinstance(part, ToolResult):
                log.append({"from": side, "answer": ids.result(part.tool_call_id), "say": result_text(part)})
    return log
