"""Telegraph: a wire of its own. Server-sent events named after what they bring; an error comes as `fault`, also inside a stream.

    event: words     {"say": "STOP"}                       event: fault  {"code": "line_busy", "why": "…"}
    event: thought   {"say": "…"}                          event: count  {"read": 11, "wrote": 7}
    event: order     {"no": 0, "id": "o1", "do": "…", "with": "{…"}      (the text of `with` may be split over several)
    event: sent      {"id": "t1", "by": "telegraph-2", "because": "end" | "paper" | "order"}

A complete answer is one document: {"id", "by", "because", "words", "orders": [{"id", "do", "with"}], "count": {…}}.
"""

import json
from typing import Annotated, Literal

from parley.provider import (
    AuthScheme,
    Capabilities,
    ChatResponse,
    Config,
    Dialect,
    EncodingWarnings,
    ExtraOption,
    HttpRequest,
    Limits,
    Model,
    ProtocolError,
    RateLimitError,
    ReasoningDelta,
    ReasoningEnded,
    ReplyReader,
    ResponseFinished,
    Setting,
    StreamTruncatedError,
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

REASONS = {"end": "stop", "paper": "length", "order": "tool_calls"}


class TelegraphConfig(Config):
    model: str = "telegraph-2"
    endpoint: str = "https://telegraph.example/v2"
    station: Annotated[str, Setting("the station that sends", aliases=("TELEGRAPH_OFFICE",), example="Paddington")] = ""


def telegraph_error(head, value):
    code = text_of(value.get("code"))
    kind = RateLimitError if code == "line_busy" else None
    return provider_error(head, message=text_of(value.get("why")) or "the telegraph gave no reason", provider_code=code or None, error_class=kind)


class TelegraphReader(ReplyReader):
    def __init__(self, request, head, *, wire):
        super().__init__(request, head, wire=wire)
        self._orders = ToolCallAssembler()
        self._thinking = False
        self._because = None

    def read(self, value, event):
        if event == "fault" or "fault" in value:
            raise telegraph_error(self.head, object_of(value.get("fault")) or value)
        if event in ("words", "thought"):
            yield from self._say(event, text_of(value.get("say")))
        elif event == "order":
            yield from self._order(value, count_of(value.get("no")))
        elif event == "count":
            yield self._count(value)
        elif "because" in value:
            yield from self._document(value)

    def inside_call(self):
        return self._orders.open

    def finish(self):
        if self._because is None:
            raise StreamTruncatedError("the telegram ended before it was sent off")
        yield from self._end_thought()
        yield from self._orders.close()
        reason = REASONS.get(self._because, "unknown")
        yield ResponseFinished(response=ChatResponse(finish_reason=reason, raw_finish_reason=self._because))

    def _document(self, value):
        """A whole answer, or the event that ends a stream: the same fields, where a stream has brought the words before."""
        yield from self.started(reply_id=value.get("id"), model=value.get("by"))
        yield from self._say("words", text_of(value.get("words")))
        for order in map(object_of, list_of(value.get("orders"))):
            yield from self._order(order, None)
        if "count" in value:
            yield self._count(object_of(value["count"]))
        self._because = text_of(value.get("because"))

    def _say(self, kind, text):
        if not text:
            return
        if kind == "thought":
            self._thinking = True
            yield ReasoningDelta(text)
            return
        yield from self._end_thought()
        yield TextDelta(text)

    def _end_thought(self):
        if self._thinking:
            self._thinking = False
            yield ReasoningEnded(provider_data=self.own({"ink": "invisible"}))

    def _order(self, value, number):
        yield from self._end_thought()
        fragment = ToolCallFragment(
            index=number,
            id=text_of(value.get("id")),
            name=text_of(value.get("do")),
            arguments=text_of(value.get("with")),
            whole=self.is_document,
        )
        yield from self._orders.add(fragment)

    def _count(self, value):
        usage = UsageReport(prompt_tokens=count_of(value.get("read")), completion_tokens=count_of(value.get("wrote")))
        return UsageReported(usage=usage)


class Telegraph:
    name = "telegraph"
    auth_scheme = AuthScheme(header="x-telegraph-key", prefix="")
    capabilities = Capabilities(
        streaming=True,
        tools=True,
        tool_choice=False,
        parallel_tool_calls=False,
        response_format=False,
        images=False,
        files=False,
        stop=False,
        reasoning=True,
        reasoning_effort=False,
        temperature=True,
        top_p=False,
        top_k=False,
        max_tokens=True,
        seed=False,
        frequency_penalty=False,
        presence_penalty=False,
        cache_markers=False,
        usage=True,
        list_models=True,
        embeddings=False,
        count_tokens=False,
    )

    def encode(self, request, *, target, stream):
        warnings = EncodingWarnings()
        options = request.options
        body = {"by": target.model, "telegrams": self._telegrams(request, target, warnings)}
        if system := join_system(request):
            body["manner"] = system
        if options.temperature is not None:
            body["warmth"] = options.temperature
        if options.max_tokens is not None:
            body["paper"] = options.max_tokens
        if options.tools:
            body["may"] = [{"do": tool.name, "why": tool.description or "", "with": tool.parameters} for tool in options.tools]
        body.update(options.extra)
        return HttpRequest(
            method="POST",
            url=f"{target.endpoint}/telegrams{'?tick=1' if stream else ''}",
            headers={"content-type": "application/json"},
            body=json.dumps(body).encode(),
            warnings=warnings.warnings,
        )

    def decoder(self, request, head):
        return TelegraphReader(request, head, wire=self.name)

    def decode_error(self, head, body):
        value = decode_object(body)
        if value is None:
            return provider_error(head, message=plain_words(head, body))
        return telegraph_error(head, object_of(value.get("fault")) or value)

    def encode_list_models(self, *, target):
        return HttpRequest(method="GET", url=f"{target.endpoint}/operators")

    def decode_models(self, head, body):
        value = decode_object(body)
        if value is None:
            raise ProtocolError(plain_words(head, body))
        return [Model(text_of(operator)) for operator in list_of(value.get("operators")) if text_of(operator)]

    def _telegrams(self, request, target, warnings):
        ids = ToolIds()
        telegrams = []
        for turn in turns(request):
            for part in turn.parts:
                own_data(part, self.name, provider=target.provider, warnings=warnings)  # says what of another's data is left out
                if isinstance(part, TextPart) and part.text:
                    telegrams.append({"from": "me" if turn.role == "user" else "you", "words": part.text})
                elif isinstance(part, ToolCall):
                    telegrams.append({"from": "you", "order": {"id": ids.call(part.id), "do": part.name, "with": part.arguments}})
                elif isinstance(part, ToolResult):
                    telegrams.append({"from": "me", "done": ids.result(part.tool_call_id), "words": result_text(part)})
        return telegrams


provider = Dialect(
    name="telegraph",
    label="Telegraph",
    description="Short messages, quickly",
    config=TelegraphConfig,
    wire=Telegraph(),
    models=[Model("telegraph-2", label="Telegraph 2", description="Two needles", context_tokens=1000)],
    limits=Limits(requests_per_minute=60, tokens_per_day=100_000),
    docs_url="https://telegraph.example/docs",
    extra_options=[ExtraOption(name="priority", type=Literal["slow", "urgent"], description="how soon it is sent")],
)
