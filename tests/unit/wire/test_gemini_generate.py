"""The generateContent wire: what a request becomes, and what replies of every shape (broken ones too) are read as."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.capabilities import Capabilities
from parley.contract.codec import Codec, ListsModels
from parley.contract.errors import (
    AuthenticationError,
    ContextLengthError,
    InvalidRequestError,
    ModelNotFoundError,
    OverloadedError,
    ParleyError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitError,
    ServerError,
    StreamTruncatedError,
    UnsupportedFeatureError,
)
from parley.contract.events import PartAdded, ReasoningEnded, RefusalDelta, ToolCallEnded, ToolCallStarted
from parley.contract.http import ResponseHead, Target
from parley.contract.messages import FilePart, ImagePart, Message, ProviderData, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.options import NamedToolChoice, Options, SchemaFormat, Tool
from parley.contract.request import ChatRequest
from parley.wire.gemini_generate import GeminiGenerate

CODEC = GeminiGenerate()
HEAD = ResponseHead(status=200, headers={}, provider="gemini", model="gemini-3.5-flash")
SCHEMA = SchemaFormat(name="dog", schema={"type": "object", "$schema": "x", "properties": {"age": {"type": ["integer", "null"]}}})
LOOK = Tool(name="look", description="Looks", parameters={"type": "object", "properties": {"at": {"type": "string"}}})


def encoded(request: ChatRequest, model: str = "gemini-3.5-flash", **capabilities: Any) -> tuple[dict[str, Any], set[str]]:
    target = Target(provider="gemini", model=model, endpoint="https://example.test/v1beta/", capabilities=Capabilities(**capabilities))
    written = CODEC.encode(request, target=target, stream=False)
    return json.loads(written.body), {warning.code for warning in written.warnings}


def asking(*messages: Message, system: str | None = None, **options: Any) -> ChatRequest:
    return ChatRequest(messages=list(messages) or [Message(role="user", content="Hi")], system_prompt=system, options=Options(**options))


def chunk(*parts: dict[str, Any], finish: Any = None, **more: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": list(parts)}, **({"finishReason": finish} if finish is not None else {})}
    return {"candidates": [candidate], "responseId": "r1", "modelVersion": "gemini", **more}


def stream(*chunks: dict[str, Any]) -> bytes:
    return b"".join(b"data: " + json.dumps(value).encode() + b"\r\n\r\n" for value in chunks)


def call(name: str, **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, **more}}


def test_it_is_a_codec_that_lists_models() -> None:
    codec: Codec = CODEC
    assert isinstance(codec, ListsModels)
    listing = CODEC.encode_list_models(target=Target(provider="g", model="", endpoint="https://example.test/v1beta"))
    assert listing.url.startswith("https://example.test/v1beta/models")
    body = b'{"models": [{"name": "models/a"}, {"name": "models/b", "supportedGenerationMethods": ["embedContent"]}, 3]}'
    assert [model.id for model in CODEC.decode_models(HEAD, body)] == ["a"]
    with pytest.raises(ProtocolError):
        CODEC.decode_models(HEAD, b"{}")


@pytest.mark.parametrize(
    ("model", "stream", "path"),
    [
        ("gemini-3.5-flash", False, "models/gemini-3.5-flash:generateContent"),
        ("gemini-3.5-flash", True, "models/gemini-3.5-flash:streamGenerateContent?alt=sse"),
        ("models/gemini-2.5-pro", False, "models/gemini-2.5-pro:generateContent"),
        ("tunedModels/mine", False, "tunedModels/mine:generateContent"),
        ("a?b#c", False, "models/a%3Fb%23c:generateContent"),
    ],
)
def test_the_model_is_part_of_the_address(model: str, stream: bool, path: str) -> None:
    target = Target(provider="gemini", model=model, endpoint="https://example.test/v1beta/")
    assert CODEC.encode(asking(), target=target, stream=stream).url == f"https://example.test/v1beta/{path}"


def test_roles_system_and_generation_options() -> None:
    body, warnings = encoded(
        asking(
            Message(role="user", content="one"),
            Message(role="system", content="and kind"),
            Message(role="user", content="two"),
            Message(role="assistant", content="yes"),
            system="Be brief",
            temperature=0,
            top_p=0.5,
            top_k=4,
            max_tokens=9,
            stop=["x"],
            seed=0,
            frequency_penalty=0.1,
            presence_penalty=0.2,
        )
    )
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief\n\nand kind"}]}
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "one"}, {"text": "two"}]},
        {"role": "model", "parts": [{"text": "yes"}]},
    ]
    assert body["generationConfig"] == {
        "temperature": 0,
        "topP": 0.5,
        "topK": 4,
        "maxOutputTokens": 9,
        "stopSequences": ["x"],
        "seed": 0,
        "frequencyPenalty": 0.1,
        "presencePenalty": 0.2,
    }
    assert not warnings
    assert "generationConfig" not in encoded(asking())[0]


def test_gemma_reads_the_system_prompt_as_the_first_words() -> None:
    body, _ = encoded(asking(system="Be brief"), "gemma-3-27b-it")
    assert "systemInstruction" not in body
    assert [part["text"] for part in body["contents"][0]["parts"]] == ["Be brief", "Hi"]


@pytest.mark.parametrize(
    ("model", "effort", "config"),
    [
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
        ("gemini-2.5-pro", "minimal", {"includeThoughts": True, "thinkingBudget": 512}),
        ("gemini-2.5-flash", "high", {"includeThoughts": True, "thinkingBudget": 24_576}),
        ("gemini-3-flash-preview", "minimal", {"includeThoughts": True, "thinkingLevel": "minimal"}),
        ("gemini-3.1-pro-preview", "minimal", {"includeThoughts": True, "thinkingLevel": "low"}),
        ("gemini-flash-latest", "high", {"includeThoughts": True, "thinkingLevel": "high"}),
    ],
)
def test_reasoning_effort_is_a_budget_or_a_level(model: str, effort: Any, config: Any) -> None:
    body, warnings = encoded(asking(reasoning_effort=effort), model)
    assert body["generationConfig"]["thinkingConfig"] == config
    assert not warnings


def test_reasoning_that_cannot_be_had_or_stopped() -> None:
    with pytest.raises(UnsupportedFeatureError, match="reasoning_effort"):
        encoded(asking(reasoning_effort="low"), "gemini-2.0-flash")
    assert "generationConfig" not in encoded(asking(reasoning_effort="none"), "gemini-2.0-flash")[0]
    body, warnings = encoded(asking(reasoning_effort="none"), "gemini-2.5-pro")
    assert body["generationConfig"]["thinkingConfig"] == {"thinkingBudget": 128}
    assert warnings == {"reasoning_not_off"}
    assert encoded(asking(reasoning_effort="none"))[0]["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "minimal"}


def test_tools_and_choices() -> None:
    body, warnings = encoded(asking(tools=[LOOK, Tool(name="now")], tool_choice="required", parallel_tool_calls=True))
    assert body["tools"] == [
        {"functionDeclarations": [{"name": "look", "description": "Looks", "parametersJsonSchema": LOOK.parameters}, {"name": "now"}]}
    ]
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "ANY"}}
    assert warnings == {"parallel_tool_calls_dropped"}

    def mode(**options: Any) -> Any:
        return encoded(asking(tools=[LOOK], **options))[0].get("toolConfig", {}).get("functionCallingConfig")

    assert mode() is None
    assert mode(tool_choice="auto") == {"mode": "AUTO"}
    assert mode(tool_choice="none") == {"mode": "NONE"}
    assert mode(tool_choice=NamedToolChoice(name="look")) == {"mode": "ANY", "allowedFunctionNames": ["look"]}
    strict = Tool(name="look", strict=True)
    assert encoded(asking(tools=[strict]))[0]["toolConfig"]["functionCallingConfig"] == {"mode": "VALIDATED"}


def test_structured_output_by_the_vendor() -> None:
    config = encoded(asking(response_format=SCHEMA))[0]["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert config["responseJsonSchema"] == {"type": "object", "properties": {"age": {"type": ["integer", "null"]}}}
    older = encoded(asking(response_format=SCHEMA), "gemini-1.5-flash")[0]["generationConfig"]
    assert older["responseSchema"] == {"type": "object", "properties": {"age": {"type": "integer", "nullable": True}}}
    assert encoded(asking(response_format="json"))[0]["generationConfig"] == {"responseMimeType": "application/json"}
    assert "generationConfig" not in encoded(asking(response_format="text"))[0]


def test_structured_output_by_tool_comes_back_as_text(decode: Any, fold: Any) -> None:
    request = asking(response_format=SCHEMA, tools=[LOOK])
    body, _ = encoded(request, "gemini-2.5-flash")
    assert "generationConfig" not in body
    name = body["tools"][0]["functionDeclarations"][-1]["name"]
    assert body["toolConfig"]["functionCallingConfig"]["mode"] == "ANY"
    reply = fold(decode(CODEC, HEAD, [stream(chunk(call(name, args={"age": 3}), finish="STOP"))], request)[0])
    assert json.loads(reply.reply.text) == {"age": 3}
    assert (reply.reply.tool_calls, reply.finished.finish_reason) == ([], "stop")


def test_plain_json_beside_functions_is_asked_for_in_words() -> None:
    assert "JSON" in encoded(asking(response_format="json", tools=[LOOK]), "gemini-2.5-flash")[0]["systemInstruction"]["parts"][0]["text"]
    assert "JSON" in encoded(asking(response_format=SCHEMA), structured_output="prompt")[0]["systemInstruction"]["parts"][0]["text"]


def test_extra_options_join_what_is_there() -> None:
    body, _ = encoded(asking(temperature=1, extra={"generationConfig": {"logprobs": 2}, "cachedContent": "c"}))
    assert body["generationConfig"] == {"temperature": 1, "logprobs": 2}
    assert body["cachedContent"] == "c"


def foreign_history(content: Any = "ok", *, is_error: bool = False) -> list[Message]:
    return [
        Message(role="user", content="Hi"),
        Message(role="assistant", content=[ToolCall(id="x/1", name="look", arguments='{"at": 1}'), ToolCall(id="x/2", name="go")]),
        Message(role="tool", content=[ToolResult(tool_call_id="x/2", content=content, is_error=is_error), ToolResult(tool_call_id="x/1")]),
    ]


def test_results_find_the_name_of_their_call_and_foreign_calls_a_signature() -> None:
    contents = encoded(asking(*foreign_history()))[0]["contents"]
    first, second = contents[1]["parts"]
    assert first == {"functionCall": {"name": "look", "args": {"at": 1}}, "thoughtSignature": "skip_thought_signature_validator"}
    assert second == {"functionCall": {"name": "go", "args": {}}}
    assert contents[2]["parts"] == [
        {"functionResponse": {"name": "go", "response": {"result": "ok"}}},
        {"functionResponse": {"name": "look", "response": {"result": ""}}},
    ]
    assert "thoughtSignature" not in encoded(asking(*foreign_history()), "gemini-2.5-flash")[0]["contents"][1]["parts"][0]
    with pytest.raises(InvalidRequestError, match="lost"):
        encoded(asking(Message(role="tool", content=[ToolResult(tool_call_id="lost")])))


@pytest.mark.parametrize(
    ("content", "is_error", "response"),
    [
        ('{"a": 1}', False, {"a": 1}),
        ('{"a": 1}', True, {"error": '{"a": 1}'}),
        ("[1]", False, {"result": "[1]"}),
        ([TextPart(text="a"), TextPart(text="b")], False, {"result": "a\nb"}),
    ],
)
def test_a_result_is_an_object(content: Any, is_error: bool, response: Any) -> None:
    answers = encoded(asking(*foreign_history(content, is_error=is_error)))[0]["contents"][2]["parts"]
    assert answers[0]["functionResponse"]["response"] == response


def test_images_in_results_go_inside_or_behind() -> None:
    messages = foreign_history([TextPart(text="see"), ImagePart(media_type="image/png", data="aGk=")])
    inline = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
    assert encoded(asking(*messages))[0]["contents"][2]["parts"][0]["functionResponse"]["parts"] == [inline]
    assert encoded(asking(*messages), "gemini-2.5-flash")[0]["contents"][2]["parts"][2] == inline


def test_files_and_images_in_every_form() -> None:
    content: list[Any] = [
        ImagePart(data="aGk="),
        ImagePart(url="https://example.test/a.png"),
        FilePart(media_type="video/mp4", url="https://example.test/v"),
        FilePart(id="files/abc"),
    ]
    assert encoded(asking(Message(role="user", content=content)))[0]["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        {"fileData": {"fileUri": "https://example.test/a.png"}},
        {"fileData": {"fileUri": "https://example.test/v", "mimeType": "video/mp4"}},
        {"fileData": {"fileUri": "https://example.test/v1beta/files/abc"}},
    ]
    with pytest.raises(InvalidRequestError):
        encoded(asking(Message(role="user", content=[ImagePart()])))


def test_signatures_go_back_only_to_their_author(decode: Any, fold: Any) -> None:
    parts = [
        {"text": "hm", "thought": True},
        {"text": "A"},
        {"text": "B", "thoughtSignature": "s1"},
        {**call("look", id="v1"), "thoughtSignature": "s2"},
        {"text": "", "thoughtSignature": "s3"},
        {"executableCode": {"code": "1"}},
    ]
    reply = fold(decode(CODEC, HEAD, [stream(*[chunk(part) for part in parts], chunk(finish="STOP"))])[0])
    assert reply.reply.text == "AB"
    answer = Message(role="tool", content=[ToolResult(tool_call_id="v1", content="x")])
    sent = encoded(asking(reply.reply.to_message(), answer))[0]["contents"]
    parts[3] = {"functionCall": {"name": "look", "args": {}, "id": "v1"}, "thoughtSignature": "s2"}
    assert sent[0]["parts"] == parts
    assert sent[1]["parts"][0]["functionResponse"]["id"] == "v1"
    vertex = Target(provider="vertex", model="gemini-3.5-flash", endpoint="https://example.test")
    other = CODEC.encode(asking(reply.reply.to_message(), answer), target=vertex, stream=False)
    assert not any(signature.encode() in other.body for signature in ("s1", "s2", "s3"))
    assert [warning.code for warning in other.warnings] == ["provider_data_dropped"]
    foreign = ReasoningPart(text="hm", provider_data=ProviderData(wire="anthropic_messages", provider="a", data={"kind": "thinking"}))
    assert encoded(asking(Message(role="assistant", content=[foreign, TextPart(text="x")])))[0]["contents"][0]["parts"] == [{"text": "x"}]


def test_streamed_arguments_are_put_together_by_path(decode: Any) -> None:
    pieces = [
        chunk(call("plan", willContinue=True)),
        chunk({"functionCall": {"partialArgs": [{"jsonPath": "$.to", "stringValue": "Bos", "willContinue": True}], "willContinue": True}}),
        chunk({"functionCall": {"partialArgs": [{"jsonPath": "$.to", "stringValue": "ton"}], "willContinue": True}}),
        chunk(
            {
                "functionCall": {
                    "partialArgs": [
                        {"jsonPath": "$.days[0]['from']", "numberValue": 1},
                        {"jsonPath": "$.days[1].ok", "boolValue": True},
                        {"jsonPath": "$.note", "nullValue": "NULL_VALUE"},
                    ],
                    "willContinue": True,
                }
            }
        ),
        chunk({"functionCall": {}}),
        chunk(call("now"), finish="STOP"),
    ]
    events, error = decode(CODEC, HEAD, [stream(*pieces)])
    assert error is None
    calls = [event.call for event in events if isinstance(event, ToolCallEnded)]
    assert json.loads(calls[0].arguments) == {"to": "Boston", "days": [{"from": 1}, {"ok": True}], "note": None}
    assert (calls[1].name, calls[1].arguments) == ("now", "{}")
    assert len({entry.id for entry in calls}) == 2


@pytest.mark.parametrize("path", ["", "to", "$", "$.a[", "$[5]", "$.a[999999999]", "$" + ".a" * 100])
def test_paths_that_lead_nowhere_are_refused(path: str, decode: Any) -> None:
    body = stream(chunk(call("plan", partialArgs=[{"jsonPath": path, "numberValue": 1}])))
    assert isinstance(decode(CODEC, HEAD, [body])[1], ProtocolError)


def test_calls_without_ids_get_ids_that_differ_between_replies(decode: Any) -> None:
    def ids(reply_id: str) -> list[str]:
        events, _ = decode(CODEC, HEAD, [stream({**chunk(call("a"), call("a"), finish="STOP"), "responseId": reply_id})])
        return [event.id for event in events if isinstance(event, ToolCallStarted)]

    assert len({*ids("r1"), *ids("r2")}) == 4
    assert ids("r1") == ids("r1")


def test_images_and_hosted_blocks_are_parts(decode: Any, fold: Any) -> None:
    image = {"inlineData": {"mimeType": "image/png", "data": "aGk="}, "thoughtSignature": "s"}
    draft = {"inlineData": {"mimeType": "image/png", "data": "aGk="}, "thought": True}
    reply = fold(
        decode(CODEC, HEAD, [stream(chunk(draft, image, {"inlineData": {"mimeType": "audio/wav", "data": "aGk="}}, finish="STOP"))])[0]
    )
    kinds = [type(part) for part in reply.parts]
    assert kinds == [TextPart, ImagePart, FilePart]
    sent = encoded(asking(reply.reply.to_message()))[0]["contents"][0]["parts"]
    assert sent[:2] == [draft, image]


@pytest.mark.parametrize(
    ("finish", "expected"),
    [
        ("STOP", "stop"),
        (2, "length"),
        ("RECITATION", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "error"),
        ("OTHER", "unknown"),
        (99, "unknown"),
    ],
)
def test_finish_reasons(finish: Any, expected: str, decode: Any, fold: Any) -> None:
    finished = fold(decode(CODEC, HEAD, [stream(chunk({"text": "A"}, finish=finish))])[0]).finished
    assert (finished.finish_reason, finished.raw_finish_reason) == (expected, str(finish))


def test_calls_make_a_stop_a_tool_call(decode: Any, fold: Any) -> None:
    assert fold(decode(CODEC, HEAD, [stream(chunk(call("a"), finish="STOP"))])[0]).finished.finish_reason == "tool_calls"


def test_a_blocked_prompt_is_a_filter(decode: Any, fold: Any) -> None:
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT", "blockReasonMessage": "No."}, "modelVersion": "gemini"}
    events, error = decode(CODEC, HEAD, [stream(blocked)])
    assert error is None
    assert RefusalDelta("No.") in events
    assert (fold(events).finished.finish_reason, fold(events).finished.raw_finish_reason) == ("content_filter", "PROHIBITED_CONTENT")


def test_usage_missing_is_not_zero(decode: Any, fold: Any) -> None:
    usage = {"promptTokenCount": 5, "toolUsePromptTokenCount": 2, "totalTokenCount": 9}
    report = fold(decode(CODEC, HEAD, [stream(chunk({"text": "A"}, finish="STOP", usageMetadata=usage))])[0]).usage
    assert (report.prompt_tokens, report.completion_tokens, report.reasoning_tokens, report.total_tokens) == (7, None, None, 9)
    later = {"promptTokenCount": 5, "candidatesTokenCount": 3, "thoughtsTokenCount": 4}
    body = stream(chunk({"text": "A"}, usageMetadata=usage), chunk(finish="STOP"), {"usageMetadata": later})
    report = fold(decode(CODEC, HEAD, [body])[0]).usage
    assert (report.prompt_tokens, report.completion_tokens, report.reasoning_tokens, report.total_tokens) == (7, 7, 4, 9)


def test_places_of_sources_count_characters(decode: Any, fold: Any) -> None:
    metadata = {
        "groundingChunks": [{"web": {"uri": "u1", "title": "One"}}, {"retrievedContext": {"uri": "u2"}}, {"web": {}}],
        "groundingSupports": [
            {"segment": {"startIndex": 3, "endIndex": 6, "text": "äb"}, "groundingChunkIndices": [0, 7]},
            {"segment": {"startIndex": 90, "endIndex": 99, "text": "b"}, "groundingChunkIndices": [0]},
        ],
    }
    sources = {"citationSources": [{"uri": "u3", "startIndex": 0, "endIndex": 3}, {}]}
    last = chunk({"text": "b"}, finish="STOP")
    last["candidates"][0] |= {"groundingMetadata": metadata, "citationMetadata": sources}
    found = fold(decode(CODEC, HEAD, [stream(chunk({"text": "€ä"}), last)])[0]).citations
    assert [(cite.url, cite.title, cite.text, cite.start_index, cite.end_index) for cite in found] == [
        ("u1", "One", "äb", 1, 3),
        ("u1", "One", "b", 2, 3),
        ("u3", None, None, 0, 1),
        ("u2", None, None, None, None),
    ]


def test_a_json_array_reads_like_a_stream(decode: Any, fold: Any) -> None:
    chunks = [chunk({"text": "hm", "thought": True, "thoughtSignature": "s"}), chunk({"text": "A"}, finish="STOP")]
    streamed, _ = decode(CODEC, HEAD, [stream(*chunks)])
    assert decode(CODEC, HEAD, [json.dumps(chunks, indent=1).encode()]) == (streamed, None)
    assert any(isinstance(event, ReasoningEnded) and event.signature == "s" for event in streamed)
    assert isinstance(decode(CODEC, HEAD, [json.dumps(chunks[:1]).encode()])[1], StreamTruncatedError)
    assert isinstance(decode(CODEC, HEAD, [json.dumps(chunks)[:-20].encode()])[1], StreamTruncatedError)


def test_a_json_array_comes_object_by_object(decode: Any, fold: Any) -> None:
    body = json.dumps([chunk({"text": "Hel"}), chunk({"text": 'l"]}o'}, finish="STOP")], indent=1).encode()
    decoder = CODEC.decoder(asking(), HEAD)
    received = decoder.feed(body[: body.index(b"]}o")])
    assert fold(received).reply.text == "Hel"
    whole, error = decode(CODEC, HEAD, [body])
    assert (fold(whole).reply.text, error) == ('Hell"]}o', None)
    events, cut = decode(CODEC, HEAD, [body[:-3]])
    assert (fold(events).reply.text, type(cut)) == ("Hel", StreamTruncatedError)
    broken = json.dumps([chunk({"text": "Hel"}), {"error": {"code": 503, "status": "UNAVAILABLE", "message": "busy"}}]).encode()
    events, error = decode(CODEC, HEAD, [broken])
    assert (fold(events).reply.text, type(error)) == ("Hel", OverloadedError)


@pytest.mark.parametrize("arguments", [{"a": 1}, '{"a":1}'])
def test_arguments_are_an_object_or_its_text(arguments: Any, decode: Any, fold: Any) -> None:
    (found,) = fold(decode(CODEC, HEAD, [stream(chunk(call("f", args=arguments), finish="STOP"))])[0]).reply.tool_calls
    assert found.arguments == '{"a":1}'


def test_no_error_is_no_error(decode: Any, fold: Any) -> None:
    events, error = decode(CODEC, HEAD, [stream({**chunk({"text": "a"}, finish="STOP"), "error": None})])
    assert (fold(events).reply.text, error) == ("a", None)


def test_of_several_candidates_the_first_is_read(decode: Any, fold: Any) -> None:
    def numbered(index: int, text: str, **more: Any) -> dict[str, Any]:
        return {"index": index, "content": {"parts": [{"text": text}]}, **more}

    together = {"candidates": [numbered(1, "other", finishReason="SAFETY"), numbered(0, "A")]}
    apart = [{"candidates": [numbered(1, "other", finishReason="SAFETY")]}, {"candidates": [numbered(0, "B", finishReason="STOP")]}]
    reply = fold(decode(CODEC, HEAD, [stream(together, *apart)])[0])
    assert (reply.reply.text, reply.finished.finish_reason) == ("AB", "stop")


def test_a_cut_stream_is_no_success(decode: Any, fold: Any) -> None:
    events, error = decode(CODEC, HEAD, [stream(chunk({"text": "so far"}))])
    assert isinstance(error, StreamTruncatedError)
    assert fold(events).reply.text == "so far"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}, OverloadedError),
        ({"code": 429, "message": "x", "status": "RESOURCE_EXHAUSTED"}, RateLimitError),
        ({"code": 400, "message": "x", "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}, AuthenticationError),
        ({"code": 403, "message": "x", "status": "PERMISSION_DENIED"}, PermissionDeniedError),
        ({"code": 404, "message": "models/x is not found", "status": "NOT_FOUND"}, ModelNotFoundError),
        ({"code": 400, "message": "The input token count (9) exceeds the maximum number of tokens allowed (8)."}, ContextLengthError),
        ({"code": 500, "message": "x", "status": "INTERNAL"}, ServerError),
        ("words", ServerError),
    ],
)
def test_errors_inside_and_outside_of_streams(error: Any, expected: type[ParleyError], decode: Any, fold: Any) -> None:
    events, raised = decode(CODEC, HEAD, [stream(chunk({"text": "so far"}), {"error": error})])
    assert type(raised) is expected
    assert fold(events).reply.text == "so far"
    for body in ({"error": error}, [{"error": error}]):
        status = error["code"] if isinstance(error, dict) else 500
        outside = CODEC.decode_error(ResponseHead(status=status, provider="gemini"), json.dumps(body).encode())
        assert (type(outside), outside.status) == (expected, status)


@pytest.mark.parametrize(("delay", "seconds"), [("34.4s", 34.4), ("48s", 48), ("soon", None), (3, None)])
def test_retry_delay_is_read(delay: Any, seconds: float | None) -> None:
    body = {"error": {"code": 429, "message": "x", "details": [{"@type": "RetryInfo", "retryDelay": delay}]}}
    assert CODEC.decode_error(ResponseHead(status=429), json.dumps(body).encode()).retry_after == seconds


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"null", b"{}", b"[]", b'{"candidates": ', b"[" * 100_000, b"data: \xff\n\n", b'{"type": "message"}']
)
def test_what_is_no_reply_is_a_typed_error(body: bytes, decode: Any) -> None:
    assert isinstance(decode(CODEC, HEAD, [body])[1], ProtocolError)


def test_too_much_of_anything_is_refused(decode: Any) -> None:
    flood = [b"x" * 1_000_000] * 20
    assert isinstance(decode(CODEC, HEAD, [b"data: ", *flood])[1], ProtocolError)
    assert isinstance(decode(CODEC, HEAD, [stream(chunk(*[call("a") for _ in range(2000)]))])[1], ProtocolError)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["uri", "text", "web", "data", "segment", "code"]), inner, max_size=4)
    ),
    max_leaves=8,
)
NAMES = ["text", "thought", "thoughtSignature", "functionCall", "inlineData", "fileData", "executableCode"]
PART = st.dictionaries(st.sampled_from(NAMES), JSON, max_size=3)
CALL = st.fixed_dictionaries(
    {}, optional={"name": st.just("a") | JSON, "args": JSON, "partialArgs": JSON, "willContinue": JSON, "id": JSON}
)
FIELDS = ["finishReason", "groundingMetadata", "citationMetadata", "urlContextMetadata", "finishMessage"]
CANDIDATE = st.builds(
    lambda parts, more: {"content": {"parts": parts}, **more},
    st.lists(PART | st.builds(lambda value: {"functionCall": value}, CALL), max_size=3),
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=2),
)
CHUNK = st.builds(
    lambda candidate, more: {"candidates": [candidate], **more},
    CANDIDATE | JSON,
    st.dictionaries(st.sampled_from(["usageMetadata", "promptFeedback", "responseId", "modelVersion", "candidates"]), JSON, max_size=3),
)


@given(chunks=st.lists(CHUNK, max_size=6), cuts=st.lists(st.integers(0, 2000), max_size=5))
def test_odd_shapes_are_events_or_typed_errors_in_any_split(chunks: list[dict[str, Any]], cuts: list[int], decode: Any) -> None:
    body = stream(*chunks, chunk(finish="STOP"))
    whole = decode(CODEC, HEAD, [body])
    points = sorted({min(cut, len(body)) for cut in cuts})
    split = decode(CODEC, HEAD, [body[start:end] for start, end in zip([0, *points], [*points, len(body)], strict=True)])
    assert (split[0], repr(split[1])) == (whole[0], repr(whole[1]))


@given(body=st.binary(max_size=300))
def test_any_bytes_are_events_or_typed_errors(body: bytes, decode: Any) -> None:
    decode(CODEC, HEAD, [body])
    assert isinstance(CODEC.decode_error(HEAD, body), ParleyError)


TURN = st.lists(
    st.builds(TextPart, text=st.text(max_size=5))
    | st.builds(ToolCall, id=st.text(min_size=1, max_size=3), name=st.sampled_from(["a", "b"])),
    max_size=3,
)


@given(turns=st.lists(st.tuples(st.sampled_from(["user", "assistant"]), TURN), min_size=1, max_size=6))
def test_any_conversation_alternates_and_every_call_is_answered_by_name(turns: list[tuple[Any, list[Any]]]) -> None:
    messages: list[Message] = []
    for role, parts in turns:
        kept = parts if role == "assistant" else [part for part in parts if isinstance(part, TextPart)]
        messages.append(Message(role=role, content=kept))
        calls = [part for part in kept if isinstance(part, ToolCall)]
        if calls:
            messages.append(Message(role="tool", content=[ToolResult(tool_call_id=entry.id, content="r") for entry in calls]))
    contents = encoded(asking(*messages))[0]["contents"]
    assert all(first["role"] != second["role"] for first, second in pairwise(contents))
    parts = [part for content in contents for part in content["parts"]]
    asked = [part["functionCall"]["name"] for part in parts if "functionCall" in part]
    answered = [part["functionResponse"]["name"] for part in parts if "functionResponse" in part]
    assert sorted(asked) == sorted(answered)


def test_empty_text_with_a_signature_is_a_part_of_its_own(decode: Any) -> None:
    events, _ = decode(CODEC, HEAD, [stream(chunk({"text": "", "thoughtSignature": "s"}, finish="STOP"))])
    parts = [event.part for event in events if isinstance(event, PartAdded)]
    assert [(part.text, part.provider_data.data) for part in parts] == [("", {"part": {"text": "", "thoughtSignature": "s"}})]


def test_the_detail_of_an_image_is_left_out_with_a_warning() -> None:
    for detail, codes in (("low", {"image_detail_dropped"}), ("auto", set()), (None, set())):
        image = ImagePart(media_type="image/png", data="AAAA", detail=detail)
        assert encoded(asking(Message(role="user", content=[image])))[1] == codes
