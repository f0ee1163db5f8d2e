"""Every recorded error of every family: the right class, the vendor's own word, its id of the exchange, and when to come back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parley.contract.errors import ParleyError
from parley.contract.http import ResponseHead
from parley.contract.messages import Message
from parley.contract.request import ChatRequest
from parley.testing.recordings import Recording, find_recordings, load_recording, recordings_directory
from parley.wire.anthropic_messages import AnthropicMessages
from parley.wire.anthropic_messages_clouds import AnthropicOnBedrock
from parley.wire.bedrock_converse import BedrockConverse
from parley.wire.cohere_v2 import CohereV2
from parley.wire.gemini_generate import GeminiGenerate
from parley.wire.ollama_chat import OllamaChat
from parley.wire.openai_chat import OpenAIChat
from parley.wire.openai_responses import OpenAIResponses

pytestmark = pytest.mark.skipif(recordings_directory() is None, reason="no recordings (PARLEY_RECORDINGS)")

# Families whose replies are not read here have errors of a shape that is.
CODECS: dict[str, Any] = {
    "anthropic": AnthropicMessages(),
    "bedrock-converse": BedrockConverse(),
    "bedrock-invoke": AnthropicOnBedrock(),
    "cohere-v1": CohereV2(),
    "cohere-v2": CohereV2(),
    "gemini": GeminiGenerate(),
    "ollama": OllamaChat(),
    "openai-chat": OpenAIChat(),
    "openai-completions": OpenAIChat(),
    "openai-embeddings": OpenAIChat(),
    "openai-responses": OpenAIResponses(),
}
# What a person reads in each, by a piece of its name: the class, and the vendor's word where it has one. The first that fits counts.
EXPECTED: tuple[tuple[str, str, str | None], ...] = (
    ("anthropic-count-tokens/", "ModelNotFoundError", "not_found_error"),
    ("constructed-overloaded-mid-stream", "OverloadedError", "overloaded_error"),
    ("constructed-500-api-error", "ServerError", "api_error"),
    ("constructed-529-overloaded", "OverloadedError", "overloaded_error"),
    ("effort-xhigh-unsupport", "RequestRejectedError", "invalid_request_error"),
    ("error-handling-with-anthropic", "AuthenticationError", "authentication_error"),
    ("real-error-scenarios-anthropic", "ContextLengthError", "invalid_request_error"),
    ("azure-ai/", "RateLimitError", "RateLimitReached"),
    ("azure-openai/", "ModelNotFoundError", "DeploymentNotFound"),
    ("constructed-throttling-mid-stream", "RateLimitError", "throttlingException"),
    ("constructed-429-throttling", "RateLimitError", "ThrottlingException"),
    ("multimodal-tool-return-matrix", "RequestRejectedError", None),
    ("error-handling-with-bedrock", "AuthenticationError", "UnrecognizedClientException"),
    ("real-error-scenarios-bedrock", "ContextLengthError", "ValidationException"),
    ("bedrock-invoke/error/chatlas", "RequestRejectedError", "ValidationException"),
    ("dd-meta-invoke-error", "AuthenticationError", "ExpiredTokenException"),
    ("cohere-v1-chat/", "ModelNotFoundError", None),
    ("cohere-v2-chat/", "ContextLengthError", "TOO_MANY_TOKENS"),
    ("error-handling-with-deepseek", "AuthenticationError", "authentication_error"),
    ("gemini-count-tokens/", "ModelNotFoundError", "NOT_FOUND"),
    ("constructed-500-internal", "ServerError", "INTERNAL"),
    ("crew-test-google-streaming", "AuthenticationError", "API_KEY_INVALID"),
    ("suggestion-google", "ModelNotFoundError", "NOT_FOUND"),
    ("real-error-scenarios-gemini", "RateLimitError", "RESOURCE_EXHAUSTED"),
    ("vercel-google-429", "RateLimitError", "RESOURCE_EXHAUSTED"),
    ("gpustack/", "ServerError", None),
    ("pyd-test-tool-use-failed", "RequestRejectedError", "tool_use_failed"),
    ("pyd-test-tool-regular-error", "ModelNotFoundError", "model_not_found"),
    ("constructed-429-capacity", "RateLimitError", "3505"),
    ("ollama-chat/", "ModelNotFoundError", None),
    ("error-handling-with-ollama", "AuthenticationError", "api_error"),
    ("constructed-cut", "StreamTruncatedError", None),
    ("constructed-429-rate-limit", "RateLimitError", "rate_limit_exceeded"),
    ("constructed-500-server-error", "ServerError", "server_error"),
    ("constructed-502-html", "ServerError", None),
    ("crew-test-custom-llm-within-crew", "RequestRejectedError", "missing_required_parameter"),
    ("stop-is-unsupported", "RequestRejectedError", "unsupported_parameter"),
    ("crew-test-llm-call-with-error", "ModelNotFoundError", "model_not_found"),
    ("dd-chat-completion-error", "AuthenticationError", "invalid_api_key"),
    ("oinf-test-async-pipeline", "AuthenticationError", "invalid_api_key"),
    ("oinf-testinputvalueimagehiding", "RequestRejectedError", "invalid_image_url"),
    ("otel-test-async-chat-completion-404", "ModelNotFoundError", "model_not_found"),
    ("suggestion-openai-chat", "ModelNotFoundError", "model_not_found"),
    ("legacy-parameter-error", "RequestRejectedError", "unsupported_parameter"),
    ("dd-completion-error", "AuthenticationError", "invalid_api_key"),
    ("dd-openai-completions-post", "RequestRejectedError", "invalid_request_error"),
    ("embeddings-error-handling", "ModelNotFoundError", "model_not_found"),
    ("dd-response-create-error", "ModelNotFoundError", "model_not_found"),
    ("dd-response-error", "AuthenticationError", "invalid_api_key"),
    ("otel-test-responses-create-api-error", "ModelNotFoundError", "model_not_found"),
    ("inferred-model-name-suggestion", "ModelNotFoundError", "model_not_found"),
    ("thinking-with-modified-h", "RequestRejectedError", "invalid_request_error"),
    ("openai-responses/error/rubyllm-context", "AuthenticationError", "invalid_api_key"),
    ("vercel-openai-error", "QuotaExceededError", "insufficient_quota"),
    ("crew-test-agent-knowledege", "AuthenticationError", "401"),
    ("openrouter-errors-raised", "RateLimitError", "429"),
    ("real-error-scenarios-openrouter", "ContextLengthError", "400"),
    ("perplexity/", "AuthenticationError", "invalid_api_key"),
    ("invalid-role", "RequestRejectedError", "INVALID_ARGUMENT"),
    ("missing-model", "ModelNotFoundError", "NOT_FOUND"),
    ("real-error-scenarios-vertexai", "ContextLengthError", "INVALID_ARGUMENT"),
    ("voyage-embeddings/", "ModelNotFoundError", None),
    ("error-handling-with-xai", "AuthenticationError", "invalid-argument"),
)
ERRORS = [path for path in find_recordings() if path.parent.name.startswith("error")]
REQUEST_ID_HEADERS = ("x-request-id", "request-id", "apim-request-id", "x-amzn-requestid", "mistral-correlation-id", "x-ds-trace-id")
WAITS = {"azure-ai/": 1.0, "real-error-scenarios-gemini": 48.0, "vercel-google-429": 34.4, "constructed-429-rate-limit": 0.754}
QUESTION = ChatRequest(messages=[Message(role="user", content="Hi")])
every_error = pytest.mark.parametrize("path", ERRORS, ids=lambda path: "/".join(path.parts[-3:]))


def error_of(recording: Recording, size: int | None = None) -> ParleyError:
    """What the recording becomes; its body in pieces of that size where it is an error inside a reply."""
    codec = CODECS[recording.wire_family]
    head = ResponseHead(status=recording.status, headers=recording.headers, provider="acme", model="m")
    if recording.status >= 400:
        return codec.decode_error(head, recording.body)
    decoder = codec.decoder(QUESTION, head)
    length = size or len(recording.body)
    try:
        for start in range(0, len(recording.body), length):
            decoder.feed(recording.body[start : start + length])
        decoder.feed(b"")
        decoder.close()
    except ParleyError as error:
        return error
    raise AssertionError("the reply was read as if it were whole")


@every_error
def test_class_and_word(path: Path) -> None:
    recording = load_recording(path)
    name, code = next((name, code) for piece, name, code in EXPECTED if piece in recording.file)
    error = error_of(recording)
    assert (type(error).__name__, error.provider_code) == (name, code)
    assert error.message
    if recording.status < 400:
        split = error_of(recording, 7)
        assert (type(split), split.provider_code, split.message) == (type(error), error.provider_code, error.message)
    else:
        assert error.status == recording.status


@every_error
def test_request_id(path: Path) -> None:
    """From the header; else from the body."""
    recording = load_recording(path)
    error = error_of(recording)
    sent = next((recording.headers[name] for name in REQUEST_ID_HEADERS if name in recording.headers), None)
    if sent is None and recording.status >= 400 and recording.body.startswith(b"{"):
        body = json.loads(recording.body)
        sent = body.get("request_id") or (body.get("id") if "message" in body and recording.wire_family.startswith("cohere") else None)
    if type(error).__name__ != "StreamTruncatedError":
        assert error.request_id == sent


@every_error
def test_when_to_come_back(path: Path) -> None:
    recording = load_recording(path)
    assert error_of(recording).retry_after == next((wait for piece, wait in WAITS.items() if piece in recording.file), None)


def test_no_expectation_is_left_over() -> None:
    files = ["/".join(path.parts[-3:]) for path in ERRORS]
    assert [piece for piece, _, _ in EXPECTED if not any(piece in file for file in files)] == []
