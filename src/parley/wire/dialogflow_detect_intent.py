"""Dialogflow's detectIntent, of ES agents and of CX ones: the newest turn goes up, the service remembers the rest. Knows no token and
opens nothing.

https://docs.cloud.google.com/dialogflow/es/docs/reference/rest/v2/projects.agent.sessions/detectIntent and
…/dialogflow/cx/docs/reference/rest/v3/projects.locations.agents.sessions/detectIntent (read 2026-11-25); no recordings.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from parley.contract.capabilities import Capabilities
from parley.contract.codec import Decoder
from parley.contract.errors import FieldProblem, InvalidRequestError, ParleyError, ProtocolError
from parley.contract.events import Event, ResponseFinished, TextDelta, WarningRaised
from parley.contract.http import AuthScheme, HttpRequest, ResponseHead, Target
from parley.contract.messages import Message
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, ResponseWarning
from parley.wire.history import EncodingWarnings, join_system
from parley.wire.json_values import first_text, list_of, object_of, text_of
from parley.wire.openai_chat_errors import decode_error_body, error_in
from parley.wire.reply_decoder import ReplyDecoder

WIRE_NAME = "dialogflow_detect_intent"
MAX_SESSION_CHARACTERS = 36
DEFAULT_LANGUAGE = "en"
AGENT = "agent"
"""What stands where a model is named: the agent, which has whatever models it was built with."""

_SESSION = re.compile(r"[A-Za-z0-9_.~-]{1,36}")
# What beside text a message may be without a reader missing anything: signals, and the same words as sound.
_WORDLESS = frozenset({"conversationSuccess", "endInteraction", "outputAudioText", "mixedAudio", "playAudio"})
_NO_KINDS = frozenset({"text", "platform", "responseType", "channel", "source"})
_NO_PLATFORM = frozenset({"", "PLATFORM_UNSPECIFIED"})


class DialogflowDetectIntent:
    """The codec.

    The endpoint is an agent's address, with the language in its query:
    `https://…/v2/projects/p/locations/l/agent?languageCode=en` (ES), `https://…/v3/projects/p/locations/l/agents/a?languageCode=en` (CX).
    Which of the two it is, its path says.
    """

    name = WIRE_NAME
    auth_scheme = AuthScheme()
    capabilities = Capabilities(
        streaming=False,
        tools=False,
        tool_choice=False,
        parallel_tool_calls=False,
        response_format=False,
        images=False,
        image_urls=False,
        files=False,
        stop=False,
        reasoning=False,
        reasoning_effort=False,
        temperature=False,
        top_p=False,
        top_k=False,
        max_tokens=False,
        seed=False,
        frequency_penalty=False,
        presence_penalty=False,
        cache_markers=False,
        citations=False,
        usage=False,
        list_models=False,
        embeddings=False,
        count_tokens=False,
    )

    def encode(self, request: ChatRequest, *, target: Target, stream: bool) -> HttpRequest:
        """See parley.contract.codec.Codec. There is one form of call; it is never a stream."""
        warnings = EncodingWarnings()
        if join_system(request):
            words = f"{target.provider} has its instructions in its agent; the system prompt was left out"
            warnings.add("system_prompt_dropped", words)
        if request.options.model not in {None, "", AGENT}:
            warnings.add("model_ignored", f"{target.provider} takes no model: its agent has its own; the model {target.model} was left out")
        address = urlsplit(target.endpoint)
        base = address._replace(query="", fragment="").geturl().rstrip("/")
        return HttpRequest(
            method="POST",
            url=f"{base}/sessions/{quote(session_key(request), safe='')}:detectIntent",
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            body=msgspec.json.encode(_body(request, is_cx="/agents/" in address.path, language=_language(address.query))),
            warnings=warnings.warnings,
        )

    def decoder(self, request: ChatRequest, head: ResponseHead) -> Decoder:
        """See parley.contract.codec.Codec."""
        return DetectIntentDecoder(request, head, wire=self.name)

    def decode_error(self, head: ResponseHead, body: bytes) -> ParleyError:
        """See parley.contract.codec.Codec."""
        return decode_error_body(head, body)


def session_key(request: ChatRequest) -> str:
    """Under what the service keeps its state: the request's session id; without one, what only this very conversation has."""
    if request.session_id and _SESSION.fullmatch(request.session_id):
        return request.session_id
    whole: Any = request.session_id or [request.user_id, request.system_prompt, request.messages]
    return hashlib.sha256(msgspec.json.encode(whole)).hexdigest()[:MAX_SESSION_CHARACTERS]


def _language(query: str) -> str:
    return parse_qs(query).get("languageCode", [DEFAULT_LANGUAGE])[-1]


def _body(request: ChatRequest, *, is_cx: bool, language: str) -> dict[str, Any]:
    extra = dict(request.options.extra)
    language = first_text(extra.pop("languageCode", None), language)
    text: dict[str, Any] = {"text": _newest_turn(request.messages)}
    said: dict[str, Any] = {"text": text, "languageCode": language} if is_cx else {"text": {**text, "languageCode": language}}
    return {"queryInput": said, **extra}


def _newest_turn(messages: list[Message]) -> str:
    """What the user said after the agent spoke last. Raises InvalidRequestError where that is nothing."""
    said: list[str] = []
    for message in reversed(messages):
        if message.role in {"assistant", "tool"}:
            break
        if message.role == "user":
            said.insert(0, message.text)
    text = "\n".join(words for words in said if words.strip())
    if not text:
        problem = "must end with a message of the user that has text: it alone is sent to the agent"
        raise InvalidRequestError(f"messages {problem}", fields=[FieldProblem(path="messages", message=problem)])
    return text


class DetectIntentDecoder(ReplyDecoder):
    """One reply: a document that is whole once its query result came. The texts of its messages are one piece, a line each."""

    def __init__(self, request: ChatRequest, head: ResponseHead, *, wire: str) -> None:
        super().__init__(request, head, wire=wire)
        self._answered = False
        self._match: str | None = None

    def _read(self, value: dict[str, Any], name: str, events: list[Event]) -> None:
        if value.get("error"):
            raise error_in(self._head, value)
        result = object_of(value.get("queryResult"))
        if not result or self._answered:
            return
        self._answered = True
        self._match = text_of(object_of(result.get("match")).get("matchType")) or None
        self._start(events, reply_id=text_of(value.get("responseId")) or None, model=None)
        statuses = [object_of(status) for status in [value.get("webhookStatus"), *list_of(result.get("webhookStatuses"))]]
        events += (_warning("webhook_failed", _webhook_words(status)) for status in statuses if status.get("code"))
        listed = list_of(result.get("responseMessages")) or list_of(result.get("fulfillmentMessages"))
        messages = _for_everybody([object_of(item) for item in listed])
        text = _text(messages) or text_of(result.get("fulfillmentText"))
        if text:
            events.append(TextDelta(text))
        left_out = sorted({kind for message in messages for kind in message} - _NO_KINDS - _WORDLESS)
        if left_out:
            events.append(_warning("messages_left_out", f"the agent also answered with what is no text: {', '.join(left_out)}"))

    def _finish(self, events: list[Event]) -> None:
        if not self._answered:
            raise ProtocolError("the service answered with JSON that holds no query result; check that its endpoint is right")
        events.append(ResponseFinished(response=ChatResponse(finish_reason="stop", raw_finish_reason=self._match)))


def _for_everybody(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """ES repeats an answer for each chat platform; what is for no certain one is meant, where there is any."""
    general = [message for message in messages if text_of(message.get("platform")) in _NO_PLATFORM]
    return general or messages


def _text(messages: list[dict[str, Any]]) -> str:
    lines = [text_of(line) for message in messages for line in list_of(object_of(message.get("text")).get("text"))]
    return "\n".join(line for line in lines if line)


def _warning(code: str, message: str) -> WarningRaised:
    return WarningRaised(warning=ResponseWarning(code=code, message=message))


def _webhook_words(status: dict[str, Any]) -> str:
    return f"the agent's webhook failed: {first_text(status.get('message')) or 'it did not say why'}"
