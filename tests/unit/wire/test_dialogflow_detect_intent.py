"""Dialogflow's detectIntent, over bodies written after its documentation: there are no recordings of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

import parley
from parley.contract.events import Event, ResponseFinished, ResponseStarted, TextDelta, WarningRaised
from parley.contract.http import HttpRequest, ResponseHead, Target
from parley.provider import DialogflowDetectIntent
from parley.registry.loading import Registry
from parley.testing.replay import Answer, ReplayServer

WIRE = DialogflowDetectIntent()
ES = "https://dialogflow.googleapis.com/v2/projects/p/locations/global/agent?languageCode=de"
CX = "https://eu-dialogflow.googleapis.com/v3/projects/p/locations/eu/agents/a-1?languageCode=en-GB"

ES_ANSWER: dict[str, Any] = {
    "responseId": "r-1",
    "queryResult": {
        "queryText": "I want a pony",
        "parameters": {"animal": "pony"},
        "allRequiredParamsPresent": True,
        "fulfillmentText": "A pony it is.",
        "fulfillmentMessages": [{"text": {"text": ["A pony it is."]}}, {"text": {"text": ["What colour?"]}}],
        "intent": {"name": "projects/p/agent/intents/1", "displayName": "pony"},
        "intentDetectionConfidence": 0.9,
        "languageCode": "en",
    },
}
CX_ANSWER: dict[str, Any] = {
    "responseId": "r-2",
    "queryResult": {
        "text": "hello",
        "languageCode": "en",
        "responseMessages": [
            {"text": {"text": ["Hello!"], "allowPlaybackInterruption": False}, "responseType": "HANDLER_PROMPT"},
            {"text": {"text": ["How can I help?"]}},
            {"endInteraction": {}},
        ],
        "currentPage": {"displayName": "Start Page"},
        "match": {"matchType": "INTENT", "confidence": 1, "resolvedInput": "hello"},
    },
    "responseType": "FINAL",
}


def said(*texts: str, **fields: Any) -> parley.ChatRequest:
    roles = ["user" if (len(texts) - index) % 2 else "assistant" for index in range(len(texts))]
    messages = [parley.Message(role=role, content=text) for role, text in zip(roles, texts, strict=True)]  # type: ignore[arg-type]
    return parley.ChatRequest(messages=messages, **fields)


def encode(request: parley.ChatRequest, endpoint: str = ES) -> HttpRequest:
    return WIRE.encode(request, target=Target(provider="dialogflow", model="agent", endpoint=endpoint), stream=False)


def decode(answer: Any, *, pieces: int = 0) -> list[Event]:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    decoder = WIRE.decoder(said("Hi"), ResponseHead(status=200, provider="dialogflow"))
    parts = [body[index : index + pieces] for index in range(0, len(body), pieces)] if pieces else [body]
    return [event for part in parts for event in decoder.feed(part)] + decoder.close()


def test_an_es_agent_is_asked_at_its_address_with_the_language_beside_the_text() -> None:
    sent = encode(said("I want a pony", session_id="s-1"))
    assert sent.url == "https://dialogflow.googleapis.com/v2/projects/p/locations/global/agent/sessions/s-1:detectIntent"
    assert json.loads(sent.body) == {"queryInput": {"text": {"text": "I want a pony", "languageCode": "de"}}}


def test_a_cx_agent_is_asked_at_its_address_with_the_language_of_the_input() -> None:
    sent = encode(said("hello", session_id="s-1"), CX)
    assert sent.url == "https://eu-dialogflow.googleapis.com/v3/projects/p/locations/eu/agents/a-1/sessions/s-1:detectIntent"
    assert json.loads(sent.body) == {"queryInput": {"text": {"text": "hello"}, "languageCode": "en-GB"}}


def test_the_newest_turn_alone_goes_up() -> None:
    request = parley.ChatRequest(
        messages=[
            parley.Message(role="user", content="my secret is 42"),
            parley.Message(role="assistant", content="Noted."),
            parley.Message(role="user", content="and"),
            parley.Message(role="user", content="goodbye"),
        ]
    )
    assert json.loads(encode(request).body)["queryInput"]["text"]["text"] == "and\ngoodbye"


@pytest.mark.parametrize("texts", [("Hi", "Hello"), ("   ",)], ids=["the agent spoke last", "blank"])
def test_without_a_new_turn_nothing_is_sent(texts: tuple[str, ...]) -> None:
    roles = ["user", "assistant"]
    messages = [parley.Message(role=role, content=text) for role, text in zip(roles, texts, strict=False)]  # type: ignore[arg-type]
    with pytest.raises(parley.InvalidRequestError) as raised:
        encode(parley.ChatRequest(messages=messages))
    assert raised.value.fields[0].path == "messages"


def test_a_system_prompt_is_left_out_and_said_to_be() -> None:
    sent = encode(said("Hi", system_prompt="Be brief"))
    assert b"brief" not in sent.body
    assert [warning.code for warning in sent.warnings] == ["system_prompt_dropped"]


def test_a_model_that_is_named_is_said_to_mean_nothing() -> None:
    warnings = [encode(said("Hi", options=parley.Options(model=model))).warnings for model in (None, "agent", "gemini-3.5-flash")]
    assert [[warning.code for warning in each] for each in warnings] == [[], [], ["model_ignored"]]


def session(request: parley.ChatRequest) -> str:
    return encode(request).url.rpartition("/sessions/")[2].removesuffix(":detectIntent")


def test_a_session_id_is_the_key_of_the_state_and_always_a_valid_one() -> None:
    assert session(said("one", session_id="abc")) == session(said("one", "two", "three", session_id="abc")) == "abc"
    odd = session(said("one", session_id="a/b?c"))
    assert odd == session(said("another", session_id="a/b?c"))
    assert odd.isalnum()
    assert len(odd) == 36


def test_without_a_session_id_no_two_conversations_share_a_state() -> None:
    keys = [session(request) for request in (said("Hi"), said("Hi", user_id="eve"), said("Ho"), said("Hi", "Hello", "Hi"))]
    assert len(set(keys)) == 4
    assert all(len(key) == 36 for key in keys)
    assert session(said("Hi")) == keys[0], "a second try of the same call finds the same state"


def test_options_of_its_own_travel_beside_the_input() -> None:
    options = parley.Options(extra={"languageCode": "fr", "queryParams": {"timeZone": "Europe/Paris"}})
    body = json.loads(encode(said("Salut", options=options)).body)
    assert body == {"queryInput": {"text": {"text": "Salut", "languageCode": "fr"}}, "queryParams": {"timeZone": "Europe/Paris"}}


@pytest.mark.parametrize("pieces", [0, 1, 7])
def test_the_texts_of_all_messages_are_one_piece_a_line_each(pieces: int) -> None:
    assert decode(ES_ANSWER, pieces=pieces) == [
        ResponseStarted(id="r-1"),
        TextDelta("A pony it is.\nWhat colour?"),
        ResponseFinished(response=parley.ChatResponse(finish_reason="stop")),
    ]
    started, text, finished = decode(CX_ANSWER, pieces=pieces)
    assert (started, text) == (ResponseStarted(id="r-2"), TextDelta("Hello!\nHow can I help?"))
    assert isinstance(finished, ResponseFinished)
    assert finished.response.raw_finish_reason == "INTENT"


def test_an_answer_for_a_chat_platform_is_not_repeated() -> None:
    messages = [{"text": {"text": ["for all"]}}, {"text": {"text": ["for one"]}, "platform": "TELEGRAM"}]
    assert decode({"queryResult": {"fulfillmentMessages": messages}})[1] == TextDelta("for all")
    assert decode({"queryResult": {"fulfillmentMessages": messages[1:]}})[1] == TextDelta("for one")


def test_the_legacy_text_counts_where_there_is_no_message() -> None:
    assert decode({"queryResult": {"fulfillmentText": "old"}})[1] == TextDelta("old")


def test_what_is_no_text_is_named_and_a_failed_webhook_told() -> None:
    answer = {
        "responseId": "r",
        "webhookStatus": {"code": 4, "message": "Webhook call failed. Error: DEADLINE_EXCEEDED."},
        "queryResult": {"fulfillmentMessages": [{"card": {"title": "A card"}}, {"payload": {"a": 1}}]},
    }
    warnings = [event.warning for event in decode(answer) if isinstance(event, WarningRaised)]
    assert [warning.code for warning in warnings] == ["webhook_failed", "messages_left_out"]
    assert "DEADLINE_EXCEEDED" in warnings[0].message
    assert "card, payload" in warnings[1].message


@pytest.mark.parametrize("body", [{}, {"unheard": 1}, []])
def test_json_that_is_no_answer_is_never_an_empty_one(body: Any) -> None:
    with pytest.raises(parley.ProtocolError, match="no query result"):
        decode(body)


def test_a_cut_answer_is_no_answer() -> None:
    with pytest.raises(parley.StreamTruncatedError):
        decode(json.dumps(ES_ANSWER).encode()[:80])


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, {"code": 400, "message": "Input text exceeds 256 characters.", "status": "INVALID_ARGUMENT"}, parley.RequestRejectedError),
        (401, {"code": 401, "message": "Invalid credentials.", "status": "UNAUTHENTICATED"}, parley.AuthenticationError),
        (403, {"code": 403, "message": "IAM permission denied.", "status": "PERMISSION_DENIED"}, parley.PermissionDeniedError),
        (429, {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED"}, parley.RateLimitError),
    ],
)
def test_googles_errors_get_their_class(status: int, error: dict[str, Any], kind: type) -> None:
    raised = WIRE.decode_error(ResponseHead(status=status, provider="dialogflow"), json.dumps({"error": error}).encode())
    assert type(raised) is kind
    assert raised.provider_code == error["status"]
    assert error["message"] in raised.message


async def test_the_answer_arrives_as_one_token_with_usage_that_is_marked_as_estimated() -> None:
    tokens: list[str] = []
    fields = {"project": "p", "agent": "a", "access_token": "ya29.t", "language": "de"}
    async with ReplayServer(Answer(headers={"content-type": "application/json"}, body=json.dumps(CX_ANSWER).encode())) as server:
        async with parley.load_provider("dialogflow", endpoint=f"{server.url}/v3", **fields) as provider:
            reply = await provider.stream_response(messages=[{"role": "user", "content": "hello"}], on_token=tokens.append)
        (request,) = server.requests
    assert tokens == ["Hello!\nHow can I help?"] == [reply.text]
    assert (reply.usage.source, reply.finish_reason, reply.id) == ("estimated", "stop", "r-2")
    assert request.headers["authorization"] == "Bearer ya29.t"
    assert request.path.partition("/sessions/")[0].endswith("/v3/projects/p/locations/global/agents/a")
    assert json.loads(request.body)["queryInput"]["languageCode"] == "de"


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({}, "https://dialogflow.googleapis.com/v2/projects/p/locations/global/agent"),
        ({"location": "europe-west2"}, "https://europe-west2-dialogflow.googleapis.com/v2/projects/p/locations/europe-west2/agent"),
        ({"agent": "a"}, "https://dialogflow.googleapis.com/v3/projects/p/locations/global/agents/a"),
        ({"environment": "live"}, "https://dialogflow.googleapis.com/v2/projects/p/locations/global/agent/environments/live/users/-"),
        ({"agent": "a", "environment": "e"}, "https://dialogflow.googleapis.com/v3/projects/p/locations/global/agents/a/environments/e"),
    ],
)
def test_each_edition_and_place_has_its_address(fields: dict[str, str], url: str) -> None:
    from parley.providers.dialogflow import DialogflowConfig, base_url

    assert base_url(DialogflowConfig(project="p", **fields)) == f"{url}?languageCode=en"


def test_without_a_project_it_is_told_which_variable_to_set() -> None:
    with pytest.raises(parley.ParleyError, match="DIALOGFLOW_PROJECT"):
        parley.load_provider("dialogflow", access_token="t")


def test_a_project_that_another_service_of_google_was_set_up_with_does_not_set_it_up() -> None:
    vertex = Registry.from_environment(environ={"GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_APPLICATION_CREDENTIALS": "/a.json"})
    assert vertex.default == "vertex"
    assert not vertex.is_configured("dialogflow")
    config: Any = vertex.get("dialogflow").config
    assert (config.project, config.credentials_file) == ("p", "/a.json")
    assert Registry.from_environment(environ={"DIALOGFLOW_PROJECT": "p"}).default == "dialogflow"
