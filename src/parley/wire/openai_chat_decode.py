"""Reads replies of OpenAI's chat wire and its dialects, streamed and complete, into events. Knows nothing of how a request is written.

https://platform.openai.com/docs/api-reference/chat-streaming; recordings of 2024 to 2026 from 27 vendors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from parley.contract.errors import ProtocolError, ProviderError, StreamTruncatedError
from parley.contract.events import (
    CitationAdded,
    Event,
    PartAdded,
    ReasoningDelta,
    ReasoningEnded,
    RefusalDelta,
    ResponseFinished,
    ResponseStarted,
    TextDelta,
    UsageReported,
)
from parley.contract.http import ResponseHead
from parley.contract.messages import ImagePart, ProviderData
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, Citation
from parley.contract.usage import UsageReport
from parley.wire.errors import NO_CODES, plain_words, request_id
from parley.wire.json_values import count_of, first_text, json_text, list_of, object_of, text_of
from parley.wire.openai_chat_errors import error_in, is_error
from parley.wire.openai_chat_media import AudioAssembler, image_part
from parley.wire.openai_chat_reasoning import ReasoningDetails, thought_text
from parley.wire.openai_chat_usage import finish_reason_of, usage_of
from parley.wire.rate_limits import rate_limits
from parley.wire.reply_decoder import ReplyDecoder
from parley.wire.sse import SseEvent
from parley.wire.structured_output import structured_tool_name
from parley.wire.tool_calls import ToolCallAssembler, ToolCallFragment

MAX_CITATIONS = 4096
_ENDS = frozenset({b"[DONE]", b'"[DONE]"'})
_REASONING_FIELDS = ("reasoning_content", "reasoning", "reasoning_text", "thinking")
_THOUGHT_CHUNKS = ("thinking", "reasoning")


class OpenAIChatDecoder(ReplyDecoder):
    """One reply; of several choices the first.

    It is whole once a finish reason or `[DONE]` came. `[DONE]` without a finish reason is the vendor's own end (Snowflake's Claude
    streams never give a reason): the reply is complete, its finish reason unknown. Neither of them: StreamTruncatedError.
    """

    def __init__(
        self, request: ChatRequest, head: ResponseHead, *, wire: str, own_codes: Mapping[str, type[ProviderError]] = NO_CODES
    ) -> None:
        super().__init__(request, head, wire=wire)
        self._own_codes = own_codes
        self._answer_tool = structured_tool_name(request)
        self._answer_index: int | None = None
        self._answered = False
        self._calls = ToolCallAssembler()
        self._details = ReasoningDetails()
        self._reasoning_field = ""
        self._audio = AudioAssembler(request)
        self._usage: UsageReport | None = None
        self._cited: set[tuple[str | None, int | None, int | None]] = set()
        self._id = self._model = ""
        self._finish_reason: str | None = None
        self._extra_content: Any = None
        self._has_deltas = False
        self._done = False

    def _read_event(self, event: SseEvent, events: list[Event]) -> None:
        if self._done:
            return
        if event.data[:1] != b"{" and event.data.strip() in _ENDS:
            self._done = True
            self._end(events)  # a server may keep the connection open after it
        else:
            super()._read_event(event, events)

    def _inside_call(self) -> bool:
        return self._finish_reason is None and self._calls.open

    def _read(self, value: dict[str, Any], name: str, events: list[Event]) -> None:
        choices = value.get("choices")
        if value.get("error") or name == "error" or value.get("object") == "error" or (not choices and is_error(value)):
            raise error_in(self._head, value, own_codes=self._own_codes)
        if not (self._id and self._model):
            self._name(value, events)
        if choices:
            for choice in list_of(choices):
                # `__class__` and not object_of(): this is the token path.
                if choice.__class__ is dict and not choice.get("index"):
                    self._read_choice(choice, events)
                    break
            else:
                self._read_renumbered(list_of(choices), events)
        elif self._document is not None:
            raise self._no_reply()
        usage = value.get("usage")
        if "x_groq" in value:
            usage = self._read_aside(object_of(value["x_groq"])) or usage
        if usage:
            self._report_usage(usage, events)
        if "citations" in value or "search_results" in value:
            self._read_sources(value, events)

    def _read_aside(self, aside: dict[str, Any]) -> Any:
        """Groq tells the usage, and why it stopped early, beside the reply."""
        if aside.get("error"):
            raise error_in(self._head, aside, own_codes=self._own_codes)
        return aside.get("usage")

    def _name(self, value: dict[str, Any], events: list[Event]) -> None:
        """Azure's first chunk has an empty id and model, Snowflake's chunks never have an id."""
        reply_id = "" if self._id else text_of(value.get("id"))
        model = "" if self._model else text_of(value.get("model"))
        if self._started and not reply_id and not model:
            return
        headers: Mapping[str, str] = {} if self._started else self._head.headers
        request = request_id(headers) or text_of(object_of(value.get("x_groq")).get("id")) or None
        events.append(ResponseStarted(id=reply_id or None, model=model or None, request_id=request, rate_limits=rate_limits(headers)))
        self._started = True
        self._id, self._model = self._id or reply_id, self._model or model
        self._calls.seed = self._id

    def _read_renumbered(self, choices: list[Any], events: list[Event]) -> None:
        """No choice is number 0: in a stream another of several, in a document the first, whatever it is called."""
        if self._document is not None:
            known = [choice for choice in map(object_of, choices) if choice]
            if not known:
                raise self._no_reply()
            self._read_choice(known[0], events)

    def _read_choice(self, choice: dict[str, Any], events: list[Event]) -> None:
        if choice.get("error"):
            raise error_in(self._head, choice, own_codes=self._own_codes)
        delta: Any = choice.get("delta")
        if delta.__class__ is dict and self._document is None:
            known = len(events)
            self._read_delta(delta, events)
            self._has_deltas = self._has_deltas or len(events) > known or "tool_calls" in delta
        elif not self._has_deltas:
            self._read_delta(_whole_delta(choice), events)
        finish_reason = choice.get("finish_reason") or choice.get("native_finish_reason")
        if isinstance(finish_reason, str) and finish_reason:
            self._finish_reason = finish_reason
        usage = choice.get("usage")
        if usage:
            self._report_usage(usage, events)

    def _read_delta(self, delta: dict[str, Any], events: list[Event]) -> None:
        content = delta.get("content")
        if len(delta) == 1 and isinstance(content, str):
            if content:
                self._add_text(content, events)
            return
        self._read_reasoning(delta, events)
        if content is not None and content != "":
            self._read_content(content, events)
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            events.append(RefusalDelta(refusal))
        calls = delta.get("tool_calls")
        if calls:
            for call in list_of(calls) or [calls]:
                self._read_call(object_of(call), events)
        elif delta.get("function_call"):
            self._read_call({"index": 0, "function": delta["function_call"]}, events)
        self._read_rarities(delta, events)

    def _read_rarities(self, delta: dict[str, Any], events: list[Event]) -> None:
        if delta.get("images"):
            for image in list_of(delta["images"]):
                self._add_image(object_of(image), events)
        if delta.get("audio"):
            self._audio.add(object_of(delta["audio"]))
        if delta.get("annotations"):
            for annotation in list_of(delta["annotations"]):
                self._read_annotation(object_of(annotation), events)
        if delta.get("citations"):
            self._read_sources(delta, events)
        if delta.get("context"):
            # Azure's answers from the caller's own data.
            self._read_sources(object_of(delta["context"]), events)
        if delta.get("extra_content"):
            self._extra_content = delta["extra_content"]

    def _read_reasoning(self, delta: dict[str, Any], events: list[Event]) -> None:
        """`reasoning_content` (DeepSeek and its kin), `reasoning` (OpenRouter, Groq, Ollama), both alike (vLLM), `reasoning_text`
        (GitHub), `thinking`, or only within `reasoning_details` (Snowflake).
        """
        details = delta.get("reasoning_details")
        readable = self._details.add(list_of(details)) if details else ""
        for field in _REASONING_FIELDS:
            text = thought_text(delta[field]) if field in delta else ""
            if text:
                self._add_reasoning(text, field, events)
                return
        if readable:
            self._add_reasoning(readable, "reasoning_details", events)

    def _read_content(self, content: Any, events: list[Event]) -> None:
        if isinstance(content, str):
            self._add_text(content, events)
        elif isinstance(content, list):
            for chunk in list_of(content):
                self._read_chunk(chunk, events)
        elif text_of(object_of(content).get("type")) == "text":
            self._read_chunk(content, events)
        else:
            # Cloudflare gives structured output as the object itself.
            self._add_text(json_text(content), events)

    def _read_chunk(self, chunk: Any, events: list[Event]) -> None:
        """Typed chunks: text, thinking (Mistral: a list of text chunks), reasoning (Databricks: its summary), a refusal, an image, and
        references, which stand for no text.
        """
        if isinstance(chunk, str):
            self._add_text(chunk, events)
            return
        typed = object_of(chunk)
        kind = text_of(typed.get("type"))
        if kind.startswith(_THOUGHT_CHUNKS):
            text = thought_text(typed)
            if text:
                self._add_reasoning(text, kind, events)
        elif kind == "refusal":
            events.append(RefusalDelta(text_of(typed.get("refusal"))))
        elif kind == "image_url":
            self._add_image(typed, events)
        elif text_of(typed.get("text")):
            self._add_text(typed["text"], events)

    def _read_call(self, call: dict[str, Any], events: list[Event]) -> None:
        custom = call.get("custom")
        # Some hosts of open models leave out the level between.
        function = object_of(custom) or object_of(call.get("function")) or call
        name = text_of(function.get("name"))
        given = function.get("input") if custom else function.get("arguments")
        arguments = text_of(given) or (json_text(given) if isinstance(given, dict) else "")
        index = None if self._document is not None else _index_of(call.get("index"))
        if self._is_answer(name, index):
            self._answered = True
            self._answer_index = index
            if arguments:
                self._add_text(arguments, events)
            return
        if not (name or arguments or text_of(call.get("id"))):
            return
        own: dict[str, Any] = {"custom": True} if custom else {}
        if call.get("extra_content"):
            own["extra_content"] = call["extra_content"]
        self._end_reasoning(events)
        events += self._calls.add(
            ToolCallFragment(
                index=index,
                id=text_of(call.get("id")),
                name=name,
                arguments=arguments,
                provider_data=self._own(own) if own else None,
                whole=self._document is not None,
                splits_names=self._document is None,
            )
        )

    def _is_answer(self, name: str, index: int | None) -> bool:
        """Whether this fragment belongs to the call that stands for structured output."""
        if not self._answer_tool:
            return False
        return name == self._answer_tool or (not name and self._answered and index == self._answer_index)

    def _add_text(self, text: str, events: list[Event]) -> None:
        if self._reasoning_field or self._details:
            self._end_reasoning(events)
        events.append(TextDelta(text))

    def _add_reasoning(self, text: str, field: str, events: list[Event]) -> None:
        self._reasoning_field = field
        events.append(ReasoningDelta(text))

    def _end_reasoning(self, events: list[Event]) -> None:
        details = self._details.take()
        if details:
            events.append(ReasoningEnded(provider_data=self._own({"details": details})))
        elif self._reasoning_field:
            events.append(ReasoningEnded(provider_data=self._own({"field": self._reasoning_field})))
        self._reasoning_field = ""

    def _add_image(self, image: dict[str, Any], events: list[Event]) -> None:
        part = image_part(image)
        if part is not None:
            self._end_reasoning(events)
            own: ProviderData = self._own({"image": image})
            events.append(PartAdded(part=ImagePart(media_type=part.media_type, data=part.data, url=part.url, provider_data=own)))

    def _read_annotation(self, annotation: dict[str, Any], events: list[Event]) -> None:
        source = object_of(annotation.get("url_citation"))
        if source:
            start, end = count_of(source.get("start_index")), count_of(source.get("end_index"))
            self._cite(source, source.get("content"), span=(start, end), events=events)

    def _read_sources(self, value: dict[str, Any], events: list[Event]) -> None:
        """Perplexity's lists, which each chunk repeats: `citations` are URLs in the order of the text's [1] (elsewhere objects),
        `search_results` know more.
        """
        results = [object_of(result) for result in list_of(value.get("search_results"))]
        known = {text_of(result.get("url")): result for result in results}
        cited = list_of(value.get("citations"))
        for source in [known.get(url, {"url": url}) if isinstance(url, str) else object_of(url) for url in cited] + results:
            self._cite(source, first_text(source.get("snippet"), source.get("content")), span=(None, None), events=events)

    def _cite(self, source: dict[str, Any], text: Any, *, span: tuple[int | None, int | None], events: list[Event]) -> None:
        url = text_of(source.get("url")) or None
        key = (url, *span)
        if url is None or key in self._cited or len(self._cited) >= MAX_CITATIONS:
            return
        self._cited.add(key)
        title = text_of(source.get("title")) or None
        citation = Citation(url=url, title=title, text=text_of(text) or None, start_index=span[0], end_index=span[1])
        events.append(CitationAdded(citation=citation))

    def _report_usage(self, raw: Any, events: list[Event]) -> None:
        usage = usage_of(object_of(raw))
        if usage is not None and usage != self._usage:
            self._usage = usage
            events.append(UsageReported(usage=usage))

    @property
    def whole(self) -> bool:
        """See parley.contract.codec.KnowsWhole."""
        return self._finish_reason is not None

    def _finish(self, events: list[Event]) -> None:
        if self._document is not None and not self._started:
            raise self._no_reply()
        if self._document is None and not self._done and self._finish_reason is None:
            if not self._started and self._parser is not None and self._parser.ignored:
                raise ProtocolError(plain_words(self._head, self._parser.ignored))
            raise StreamTruncatedError("the stream ended before its finish reason and before [DONE]; the reply may be cut")
        self._end_reasoning(events)
        if self._extra_content:
            # Google's signature of hidden thought, which must come back with the message that it belongs to.
            events.append(ReasoningEnded(provider_data=self._own({"message": {"extra_content": self._extra_content}})))
        events += self._calls.close()
        audio = self._audio.part(self._own)
        if audio is not None:
            events.append(PartAdded(part=audio))
        reason = finish_reason_of(self._finish_reason, called_tools=len(self._calls) > 0)
        events.append(ResponseFinished(response=ChatResponse(finish_reason=reason, raw_finish_reason=self._finish_reason)))

    def _no_reply(self) -> ProtocolError:
        who = self._head.provider or "the provider"
        return ProtocolError(f"{who} answered with JSON that holds no choices; check that its endpoint is right")


def _whole_delta(choice: dict[str, Any]) -> dict[str, Any]:
    """Of a document, its message; of a stream, what Writer sends under `message`. Perplexity sends both, and MiniMax closes a stream of
    deltas with a message (https://github.com/GCWing/OpenBitFun/pull/792, read 2026-11-22): there it repeats all that came. Servers that
    grew out of text completions write `text`.
    """
    return object_of(choice.get("message")) or object_of(choice.get("delta")) or {"content": choice.get("text")}


def _index_of(value: Any) -> int | None:
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 10 else count_of(value)
