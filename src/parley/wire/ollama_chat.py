"""Ollama's own chat wire, whole: requests, JSON-lines replies, errors and the list of models. Knows no key and opens nothing.

https://docs.ollama.com/api/chat (read 2026-11-25); recordings of 2024 to 2026.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from parley.contract.capabilities import Capabilities, Model
from parley.contract.codec import Decoder
from parley.contract.errors import ParleyError, ProtocolError, StreamTruncatedError
from parley.contract.events import Event, ReasoningDelta, ReasoningEnded, ResponseFinished, TextDelta, UsageReported, WarningRaised
from parley.contract.http import AuthScheme, HttpRequest, ResponseHead, Target
from parley.contract.messages import FilePart, ImagePart, Message, Part, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.options import SchemaFormat
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, FinishReason
from parley.contract.usage import UsageReport
from parley.wire.errors import plain_words
from parley.wire.history import EncodingWarnings, own_data, result_media, result_text
from parley.wire.json_events import decode_object, is_cut
from parley.wire.json_values import count_of, first_text, list_of, object_of, text_of
from parley.wire.ndjson import JsonLinesParser
from parley.wire.ollama_address import url_of
from parley.wire.ollama_embeddings import OllamaEmbeddings
from parley.wire.openai_chat_encode import misplaced
from parley.wire.openai_chat_errors import decode_error_body, error_in
from parley.wire.openai_chat_fallback import ChatFallback
from parley.wire.reply_decoder import ReplyDecoder
from parley.wire.schema_report import FORMAT_PATH, SchemaReport
from parley.wire.schema_subsets import GRAMMAR_SCHEMA
from parley.wire.sse import SseEvent
from parley.wire.structured_output import json_instruction
from parley.wire.tool_calls import ToolCallAssembler, ToolCallFragment

WIRE_NAME = "ollama_chat"
_MODEL_OPTIONS = ("temperature", "top_p", "top_k", "seed", "stop", "frequency_penalty", "presence_penalty")
_FINISH_REASONS: dict[str, FinishReason] = {"stop": "stop", "length": "length"}
_TOP_LEVEL = frozenset({"keep_alive", "format", "logprobs", "top_logprobs", "truncate", "shift"})


class OllamaChat(OllamaEmbeddings):
    """The codec. What a provider declares in `extra_options` and this wire does not know is an option of the model (`num_ctx`)."""

    name = WIRE_NAME
    auth_scheme = AuthScheme()
    capabilities = Capabilities(
        streaming=True,
        tool_choice=False,
        parallel_tool_calls=False,
        response_format=True,
        structured_output="native",
        image_urls=False,
        files=False,
        stop=True,
        temperature=True,
        top_p=True,
        top_k=True,
        max_tokens=True,
        seed=True,
        frequency_penalty=True,
        presence_penalty=True,
        cache_markers=False,
        usage=True,
        list_models=True,
        embeddings=True,
        count_tokens=False,
    )

    def encode(self, request: ChatRequest, *, target: Target, stream: bool) -> HttpRequest:
        """See parley.contract.codec.Codec."""
        warnings = EncodingWarnings()
        return HttpRequest(
            method="POST",
            url=url_of(target.endpoint, "/api/chat"),
            headers={"Content-Type": "application/json"},
            body=msgspec.json.encode(_body(request, target=target, stream=stream, warnings=warnings)),
            warnings=warnings.warnings,
        )

    def decoder(self, request: ChatRequest, head: ResponseHead) -> Decoder:
        """See parley.contract.codec.Codec."""
        return OllamaChatDecoder(request, head, wire=self.name)

    def decode_error(self, head: ResponseHead, body: bytes) -> ParleyError:
        """See parley.contract.codec.Codec."""
        return decode_error_body(head, body)

    def encode_list_models(self, *, target: Target) -> HttpRequest:
        """See parley.contract.codec.ListsModels."""
        return HttpRequest(method="GET", url=url_of(target.endpoint, "/api/tags"))

    def decode_models(self, head: ResponseHead, body: bytes) -> Sequence[Model]:
        """See parley.contract.codec.ListsModels."""
        document = decode_object(body)
        if document is None or not isinstance(document.get("models"), list):
            raise ProtocolError(plain_words(head, body) if document is None else "the provider's list of models is no list")
        listed = [object_of(item) for item in list_of(document["models"])]
        return [Model(name, description=_described(item)) for item in listed if (name := first_text(item.get("model"), item.get("name")))]


def _described(item: dict[str, Any]) -> str:
    details = object_of(item.get("details"))
    return ", ".join(text for text in (text_of(details.get("parameter_size")), text_of(details.get("quantization_level"))) if text)


def _body(request: ChatRequest, *, target: Target, stream: bool, warnings: EncodingWarnings) -> dict[str, Any]:
    options = request.options
    mode = target.capabilities.structured_output or "native"
    system = [request.system_prompt or "", json_instruction(request) if mode == "prompt" else ""]
    messages = _Conversation(target, warnings).write(request)
    if any(system):
        messages.insert(0, {"role": "system", "content": "\n\n".join(text for text in system if text)})
    body: dict[str, Any] = {"model": target.model, "messages": messages, "stream": stream}
    settings = {name: getattr(options, name) for name in _MODEL_OPTIONS if getattr(options, name) is not None}
    if options.max_tokens is not None:
        settings["num_predict"] = options.max_tokens
    if options.tools:
        body["tools"] = [
            {"type": "function", "function": {"name": tool.name, "description": tool.description or "", "parameters": tool.parameters}}
            for tool in options.tools
        ]
    wanted = options.response_format
    if isinstance(wanted, SchemaFormat) and mode != "prompt":
        report = SchemaReport(provider=target.provider, strict=request.strict_options, warnings=warnings)
        body["format"] = report.write(wanted.schema, GRAMMAR_SCHEMA, where=FORMAT_PATH)
    elif wanted == "json" and mode != "prompt":
        body["format"] = "json"
    if options.reasoning_effort is not None:
        body["think"] = _thinking(options.reasoning_effort, target.model)
    for name, value in options.extra.items():
        (body if name in _TOP_LEVEL else settings)[name] = value
    if settings:
        body["options"] = settings
    return body


def _thinking(effort: str, model: str) -> bool | str:
    """Only gpt-oss knows degrees of it, and does not know how to do without."""
    if "gpt-oss" in model.lower():
        return {"none": "low", "minimal": "low"}.get(effort, effort)
    return effort != "none"


class _Conversation:
    """Writes the messages of one request. This wire names tool results by their tool, and takes images beside the text."""

    def __init__(self, target: Target, warnings: EncodingWarnings) -> None:
        self._provider = target.provider
        self._warnings = warnings
        self._names: dict[str, str] = {}

    def write(self, request: ChatRequest) -> list[dict[str, Any]]:
        written: list[dict[str, Any]] = []
        for position, message in enumerate(request.messages):
            if message.role == "assistant":
                written.append(self._assistant(message, position))
            else:
                written += self._others(message, position)
        return written

    def _others(self, message: Message, position: int) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = []
        media: list[Part] = []
        rest: list[Part] = []
        for part in message.parts:
            if isinstance(part, ToolResult):
                named = {"tool_name": self._names.get(part.tool_call_id, ""), "tool_call_id": part.tool_call_id}
                results.append({"role": "tool", "content": result_text(part), **named})
                media += result_media(part)
            elif message.role == "tool" or not isinstance(part, (TextPart, ImagePart)):
                raise misplaced(part, message, position)
            else:
                rest.append(part)
        if media:
            results.append(self._said("user", [TextPart(text="Attached to the tool results:"), *media]))
        if rest or not results:
            results.append(self._said("system" if message.role == "system" else "user", rest))
        return results

    def _said(self, role: str, parts: list[Part]) -> dict[str, Any]:
        texts: list[str] = []
        images: list[str] = []
        for part in parts:
            own_data(part, WIRE_NAME, provider=self._provider, warnings=self._warnings)
            if isinstance(part, TextPart):
                texts.append(part.text)
            elif isinstance(part, ImagePart) and part.data is not None:
                images.append(part.data)
                if part.detail not in {None, "auto"}:
                    self._warnings.add("image_detail_dropped", f"{self._provider} knows no detail of images; it was left out")
            else:
                self._warnings.add("media_dropped", f"{self._provider} takes images by their data only; others were left out")
        return {"role": role, "content": "\n\n".join(texts), **({"images": images} if images else {})}

    def _assistant(self, message: Message, position: int) -> dict[str, Any]:
        written: dict[str, Any] = {"role": "assistant", "content": ""}
        for part in message.parts:
            own = own_data(part, WIRE_NAME, provider=self._provider, warnings=self._warnings)
            if isinstance(part, TextPart):
                written["content"] += part.text
            elif isinstance(part, ToolCall):
                self._names[part.id] = part.name
                written.setdefault("tool_calls", []).append(_call(part))
            elif isinstance(part, ReasoningPart):
                if own is not None:
                    written["thinking"] = written.get("thinking", "") + part.text
            elif isinstance(part, (ImagePart, FilePart)):
                self._warnings.add(
                    "assistant_media_dropped", f"{self._provider} takes no images or files in an assistant's message; they were left out"
                )
            else:
                raise misplaced(part, message, position)
        return written


def _call(call: ToolCall) -> dict[str, Any]:
    arguments = decode_object(call.arguments.encode("utf-8", "replace"))
    return {"id": call.id, "function": {"name": call.name, "arguments": {"input": call.arguments} if arguments is None else arguments}}


class OllamaChatDecoder(ReplyDecoder):
    """One reply: a JSON object a line, or just one. It is whole once a line said `done`."""

    def __init__(self, request: ChatRequest, head: ResponseHead, *, wire: str) -> None:
        super().__init__(request, head, wire=wire)
        self._lines: JsonLinesParser | None = None
        self._calls = ToolCallAssembler()
        self._thinking = False
        self._unreadable = b""
        self._reason: str | None = None
        self._done = False
        self._chat = ChatFallback(request, head)

    def _take(self, data: bytes, events: list[Event]) -> None:
        if self._lines is None:
            beginning = (self._beginning + data).lstrip()
            if self._document is not None or self._parser is not None or beginning[:1] != b"{":
                super()._take(data, events)
                return
            self._beginning, data, self._lines = b"", beginning, JsonLinesParser()
        for line in self._lines.feed(data):
            self._read_line(line, events)

    def _take_rest(self, events: list[Event]) -> None:
        if self._lines is None:
            super()._take_rest(events)
            return
        for line in self._lines.close():
            if not is_cut(line):  # by the end of the stream
                self._read_line(line, events)

    def _read_line(self, line: bytes, events: list[Event]) -> None:
        if self._ended:
            return
        self._read_event(SseEvent("", line), events)
        if events and isinstance(events[-1], WarningRaised) and not self._started:
            self._unreadable = line

    def _read(self, value: dict[str, Any], name: str, events: list[Event]) -> None:
        if self._ended:
            return
        if value.get("error"):
            raise error_in(self._head, value)
        if self._chat.takes(value):
            self._chat.read(value, events, document=self._lines is not None)
            return
        message = value.get("message")
        if not isinstance(message, dict) and "done" not in value:
            return
        self._start(events, reply_id=None, model=text_of(value.get("model")) or None)
        # Replies have no id here: their moment tells their calls apart.
        self._calls.seed = self._calls.seed or text_of(value.get("created_at"))
        self._read_message(object_of(message), events)
        if value.get("done") is True:
            self._done = True
            self._reason = text_of(value.get("done_reason")) or None
            self._report_usage(value, events)
            self._end(events)

    def _read_message(self, message: dict[str, Any], events: list[Event]) -> None:
        thought, text = text_of(message.get("thinking")), text_of(message.get("content"))
        if thought:
            self._thinking = True
            events.append(ReasoningDelta(thought))
        if text:
            self._end_thought(events)
            events.append(TextDelta(text))
        for call in map(object_of, list_of(message.get("tool_calls"))):
            function = object_of(call.get("function"))
            given = function.get("arguments")
            arguments = object_of(given) or text_of(given) or None
            self._end_thought(events)
            events += self._calls.add(
                ToolCallFragment(id=text_of(call.get("id")), name=text_of(function.get("name")), arguments=arguments, whole=True)
            )

    def _end_thought(self, events: list[Event]) -> None:
        if self._thinking:
            self._thinking = False
            events.append(ReasoningEnded(provider_data=self._own({})))

    def _report_usage(self, value: dict[str, Any], events: list[Event]) -> None:
        usage = UsageReport(prompt_tokens=count_of(value.get("prompt_eval_count")), completion_tokens=count_of(value.get("eval_count")))
        if usage != UsageReport():
            events.append(UsageReported(usage=usage))

    @property
    def whole(self) -> bool:
        """See parley.contract.codec.KnowsWhole. This wire's own last line ends the reply by itself."""
        return self._chat.whole

    def _finish(self, events: list[Event]) -> None:
        if self._chat.active:
            self._chat.close(events)
            return
        if not self._done:
            if self._unreadable and not self._started:
                raise ProtocolError(plain_words(self._head, self._unreadable))
            if self._document is not None:
                raise ProtocolError("the provider answered with JSON that is no reply; check that its endpoint is right")
            raise StreamTruncatedError("the reply ended before the line that says it is done")
        self._end_thought(events)
        events += self._calls.close()
        reason = _FINISH_REASONS.get(self._reason or "", "unknown")
        if len(self._calls) and reason in {"stop", "unknown"}:
            reason = "tool_calls"
        events.append(ResponseFinished(response=ChatResponse(finish_reason=reason, raw_finish_reason=self._reason)))
