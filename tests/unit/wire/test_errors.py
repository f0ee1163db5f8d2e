from __future__ import annotations

import pytest

from parley.contract.errors import (
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    RequestRejectedError,
    ServerError,
)
from parley.contract.http import ResponseHead
from parley.wire.error_codes import TABLE, plain
from parley.wire.errors import MAX_MESSAGE_CHARACTERS, classify, is_html, plain_words, provider_error


@pytest.mark.parametrize(
    ("status", "codes", "message", "expected"),
    [
        (400, ("context_length_exceeded",), "", ContextLengthError),
        (400, (), "prompt is too long: 210000 tokens > 200000 maximum", ContextLengthError),
        (400, (), "This model's maximum context length is 8192 tokens.", ContextLengthError),
        (400, ("exceed_context_size_error",), "", ContextLengthError),
        (400, (), "Invalid request: Your request exceeded model token limit: 8192", ContextLengthError),
        (400, ("1261",), "Prompt exceeds max length", ContextLengthError),
        (400, (), "Range of input length should be [1, 30720]", ContextLengthError),
        (422, (), "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000", ContextLengthError),
        (500, (), "the request exceeds the available context size", ContextLengthError),
        (413, ("rate_limit_exceeded",), "Request too large on tokens per minute, please reduce your message size", ContextLengthError),
        (400, ("content_filter",), "", ContentFilterError),
        (400, (), "The response was filtered due to our content management policy", ContentFilterError),
        (403, (), "Your input was flagged", ContentFilterError),
        (404, ("invalid_request_error", "model_not_found"), "", ModelNotFoundError),
        (400, (), "Model Not Exist", ModelNotFoundError),
        (404, (), "model 'nope' not found, try pulling it first", ModelNotFoundError),
        (400, (), "nope is not a valid model ID", ModelNotFoundError),
        (404, (), "Not Found", RequestRejectedError),
        (429, ("insufficient_quota",), "You exceeded your current quota", QuotaExceededError),
        (400, (), "Your credit balance is too low to access the API", QuotaExceededError),
        (402, (), "Insufficient Balance", QuotaExceededError),
        (429, (), "Too many tokens, please wait before trying again.", RateLimitError),
        (429, ("overloaded",), "", RateLimitError),
        (400, (), "API key not valid. Please pass a valid API key.", AuthenticationError),
        (401, ("invalid_request_error",), "model not found", AuthenticationError),
        (403, (), "no", PermissionDeniedError),
        (529, ("overloaded_error",), "Overloaded", OverloadedError),
        (503, (), "context length", OverloadedError),
        (502, (), "", ServerError),
        (422, (), "field required", RequestRejectedError),
        (200, ("429",), "slow down", RateLimitError),
        (200, ("overloaded_error",), "Overloaded", OverloadedError),
        (200, ("invalid_request_error",), "bad", RequestRejectedError),
        (200, ("rate_limit_exceeded",), "", RateLimitError),
        (200, (), "something broke", ServerError),
        (200, ("server_error",), "The server is currently overloaded. Please try again later.", OverloadedError),
        (200, ("server_error",), "We are experiencing high demand", OverloadedError),
        (200, ("api_error",), "Internal server error", ServerError),
        (500, ("server_error",), "That model is currently overloaded with other requests.", OverloadedError),
        (500, ("server_error",), "The server had an error", ServerError),
        (400, ("server_error",), "messages: at least one is required", RequestRejectedError),
        (498, (), "Flex tier capacity exceeded", OverloadedError),
        (429, ("engine_overloaded_error",), "The engine is currently overloaded", RateLimitError),
        (503, ("ServiceUnavailableException",), "", OverloadedError),
        (200, (), "Rate limit exceeded, please slow down", RateLimitError),
        (200, (), "Too many requests", RateLimitError),
        (403, ("AccessDenied.Unpurchased",), "Access to model denied.", PermissionDeniedError),
        (403, (), "Content violates usage guidelines.", ContentFilterError),
        (403, (), "The security token included in the request is expired", AuthenticationError),
        (400, ("Arrearage",), "Access denied, please make sure your account is in good standing.", QuotaExceededError),
        (429, ("exceeded_current_quota_error",), "Your account is suspended", QuotaExceededError),
        (400, ("RateLimitReached",), "", RateLimitError),
        (400, ("rate-limit-reached",), "", RateLimitError),
        (404, (), "model 'command-r' was removed on September 15, 2025.", ModelNotFoundError),
        (400, (), "Model nonexistent is not supported. Supported models are ['a']", ModelNotFoundError),
        (400, (), "Tools are not supported by this model; the model fits no picture", RequestRejectedError),
        (408, ("ModelTimeoutException",), "Model timed out", ServerError),
        (424, ("ModelErrorException",), "", ServerError),
        (504, ("timeout_error",), "", ServerError),
    ],
)
def test_status_codes_and_words_mean_one_class(status: int, codes: tuple[str, ...], message: str, expected: type[ProviderError]) -> None:
    assert classify(status, message, codes=codes) is expected


def test_an_error_carries_what_a_person_and_a_program_need() -> None:
    head = ResponseHead(status=429, headers={"x-request-id": "req_1", "retry-after": "2"}, provider="acme", model="m")
    error = provider_error(head, message="x" * 5000, provider_code="rate_limit_exceeded")
    assert isinstance(error, RateLimitError)
    assert (error.status, error.request_id, error.retry_after, error.provider, error.model) == (429, "req_1", 2.0, "acme", "m")
    assert error.provider_code == "rate_limit_exceeded"
    assert len(error.message) == MAX_MESSAGE_CHARACTERS


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, b"<!DOCTYPE html><html><title> Not\n found </title>", 'web page titled "Not found" instead of JSON; check that its endpoint'),
        (502, b"<html><h1>502</h1></html>", "a web page instead of JSON"),
        (200, b"  ", "an empty body"),
        (503, b"upstream connect error", "status 503: upstream connect error"),
        (500, b"\xff\xfe", "status 500"),
        (404, b"404: Not Found", "status 404: 404: Not Found; check that its endpoint is right"),
        (405, b"", "status 405 and an empty body; check that its endpoint is right"),
    ],
)
def test_a_body_that_is_no_json_is_put_in_plain_words(status: int, body: bytes, words: str) -> None:
    said = plain_words(ResponseHead(status=status, provider="acme"), body)
    assert said.startswith("acme answered")
    assert words in said


def test_html_is_told_from_text() -> None:
    assert is_html(b"\xef\xbb\xbf\n<HTML>")
    assert not is_html(b"<thinking>")


def test_a_vendors_own_code_says_more_than_its_status() -> None:
    own = {"1113": QuotaExceededError, "insufficient_quota": RateLimitError}
    assert classify(429, "Insufficient balance or no resource package", codes=("1113",), own_codes=own) is QuotaExceededError
    assert classify(429, "Allocated quota exceeded", codes=("insufficient_quota",), own_codes=own) is RateLimitError
    assert classify(429, "", codes=("1113",)) is RateLimitError


def test_no_word_means_two_things() -> None:
    words = [plain(code) for row in TABLE for code in row.codes.split()]
    assert sorted(words) == sorted(set(words))
