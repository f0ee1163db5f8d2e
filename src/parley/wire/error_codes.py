"""What vendors' own words for an error mean, as data. Reads no reply; docs/reference/provider-errors.md is this table.

A word means the same wherever it comes from. Numbers, and words that one vendor means otherwise, are that vendor's own: they stand in
its provider file (`error_codes` of the wire), or beside the shape that only it sends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

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


class Codes(Struct, frozen=True, kw_only=True):
    """Words that mean one class of error. `general` ones say so little that a message says more, and a status too. `said_by` names who
    is known for them; whoever else says them means the same.
    """

    error_class: type[ProviderError]
    codes: str
    said_by: str
    general: bool = False


OPENAI, ANTHROPIC, GOOGLE, AMAZON, AZURE = "OpenAI", "Anthropic", "Google", "Amazon Bedrock", "Azure"
GROQ, COHERE, MOONSHOT, ALIBABA, DATABRICKS = "Groq", "Cohere", "Moonshot AI", "Alibaba Cloud", "Databricks"
SEVERAL = "several vendors and servers"

TABLE: tuple[Codes, ...] = (
    Codes(error_class=ContextLengthError, codes="context_length_exceeded", said_by=OPENAI),
    Codes(error_class=ContextLengthError, codes="exceed_context_size_error model_max_prompt_tokens_exceeded", said_by=SEVERAL),
    Codes(error_class=ContextLengthError, codes="context_window_exceeded tokens_limit_reached", said_by=AZURE),
    Codes(error_class=ContextLengthError, codes="TOO_MANY_TOKENS", said_by=COHERE),
    Codes(error_class=ContentFilterError, codes="content_filter ResponsibleAIPolicyViolation content_filtered", said_by=AZURE),
    Codes(error_class=ContentFilterError, codes="content_policy_violation image_content_policy_violation", said_by=OPENAI),
    Codes(error_class=ContentFilterError, codes="DataInspectionFailed", said_by=ALIBABA),
    Codes(error_class=ModelNotFoundError, codes="model_not_found invalid_model", said_by=OPENAI),
    Codes(error_class=ModelNotFoundError, codes="DeploymentNotFound unknown_model unavailable_model", said_by=AZURE),
    Codes(error_class=ModelNotFoundError, codes="ResourceNotFoundException", said_by=AMAZON),
    Codes(error_class=ModelNotFoundError, codes="model_decommissioned", said_by=GROQ),
    Codes(error_class=ModelNotFoundError, codes="model_not_exist model_not_supported model_not_available", said_by=SEVERAL),
    Codes(error_class=ModelNotFoundError, codes="resource_not_found_error", said_by=MOONSHOT),
    Codes(error_class=ModelNotFoundError, codes="ENDPOINT_NOT_FOUND", said_by=DATABRICKS),
    Codes(error_class=QuotaExceededError, codes="insufficient_quota billing_hard_limit_reached billing_not_active", said_by=OPENAI),
    Codes(error_class=QuotaExceededError, codes="billing_error", said_by=ANTHROPIC),
    Codes(error_class=QuotaExceededError, codes="BILLING_DISABLED", said_by=GOOGLE),
    Codes(error_class=QuotaExceededError, codes="ServiceQuotaExceededException", said_by=AMAZON),
    Codes(error_class=QuotaExceededError, codes="exceeded_current_quota_error", said_by=MOONSHOT),
    Codes(error_class=QuotaExceededError, codes="Arrearage PrepaidBillOverdue PostpaidBillOverdue CommodityNotPurchased", said_by=ALIBABA),
    Codes(error_class=QuotaExceededError, codes="AllocationQuota.FreeTierOnly", said_by=ALIBABA),
    Codes(error_class=QuotaExceededError, codes="insufficient_balance insufficient_funds insufficient_credits", said_by=SEVERAL),
    Codes(error_class=AuthenticationError, codes="invalid_api_key invalid_authentication account_deactivated", said_by=OPENAI),
    Codes(error_class=AuthenticationError, codes="authentication_error", said_by=ANTHROPIC),
    Codes(error_class=AuthenticationError, codes="API_KEY_INVALID UNAUTHENTICATED", said_by=GOOGLE),
    Codes(
        error_class=AuthenticationError,
        codes="UnrecognizedClientException ExpiredTokenException InvalidSignatureException IncompleteSignatureException "
        "MissingAuthenticationTokenException",
        said_by=AMAZON,
    ),
    Codes(error_class=AuthenticationError, codes="invalid_authentication_error incorrect_api_key_error", said_by=MOONSHOT),
    Codes(error_class=AuthenticationError, codes="wrong_api_key", said_by=SEVERAL),
    Codes(error_class=PermissionDeniedError, codes="unsupported_country_region_territory", said_by=OPENAI),
    Codes(error_class=PermissionDeniedError, codes="permission_error", said_by=ANTHROPIC),
    Codes(error_class=PermissionDeniedError, codes="PERMISSION_DENIED SERVICE_DISABLED API_KEY_SERVICE_BLOCKED", said_by=GOOGLE),
    Codes(error_class=PermissionDeniedError, codes="AccessDeniedException OptInRequired NotAuthorized", said_by=AMAZON),
    Codes(error_class=PermissionDeniedError, codes="permission_denied_error access_terminated_error", said_by=MOONSHOT),
    Codes(error_class=PermissionDeniedError, codes="AccessDenied AccessDenied.Unpurchased", said_by=ALIBABA),
    Codes(error_class=RateLimitError, codes="rate_limit_exceeded", said_by=OPENAI, general=True),
    Codes(error_class=RateLimitError, codes="rate_limit_error", said_by=ANTHROPIC),
    Codes(error_class=RateLimitError, codes="RESOURCE_EXHAUSTED", said_by=GOOGLE),
    Codes(error_class=RateLimitError, codes="ThrottlingException", said_by=AMAZON),
    Codes(error_class=RateLimitError, codes="RateLimitReached too_many_requests", said_by=AZURE),
    Codes(error_class=RateLimitError, codes="rate_limit_reached_error", said_by=MOONSHOT),
    Codes(
        error_class=RateLimitError,
        codes="Throttling Throttling.RateQuota Throttling.BurstRate Throttling.AllocationQuota limit_requests limit_burst_rate",
        said_by=ALIBABA,
    ),
    Codes(error_class=RateLimitError, codes="REQUEST_LIMIT_EXCEEDED", said_by=DATABRICKS),
    Codes(error_class=RateLimitError, codes="rate_limited too_many_requests_error", said_by=SEVERAL),
    Codes(error_class=OverloadedError, codes="slow_down engine_overloaded", said_by=OPENAI),
    Codes(error_class=OverloadedError, codes="overloaded_error", said_by=ANTHROPIC),
    Codes(error_class=OverloadedError, codes="UNAVAILABLE", said_by=GOOGLE),
    Codes(error_class=OverloadedError, codes="ServiceUnavailableException ModelNotReadyException", said_by=AMAZON),
    Codes(error_class=OverloadedError, codes="capacity_exceeded over_capacity", said_by=GROQ),
    Codes(error_class=OverloadedError, codes="engine_overloaded_error", said_by=MOONSHOT),
    Codes(error_class=OverloadedError, codes="TEMPORARILY_UNAVAILABLE", said_by=DATABRICKS),
    Codes(error_class=OverloadedError, codes="overloaded service_unavailable", said_by=SEVERAL),
    Codes(error_class=ServerError, codes="server_error", said_by=OPENAI, general=True),
    Codes(error_class=ServerError, codes="api_error", said_by=ANTHROPIC, general=True),
    Codes(error_class=ServerError, codes="INTERNAL internal_error internal_server_error", said_by=GOOGLE, general=True),
    Codes(error_class=ServerError, codes="timeout_error", said_by=ANTHROPIC),
    Codes(error_class=ServerError, codes="DEADLINE_EXCEEDED", said_by=GOOGLE),
    Codes(
        error_class=ServerError,
        codes="InternalServerException ModelErrorException ModelStreamErrorException ModelTimeoutException",
        said_by=AMAZON,
    ),
    Codes(error_class=RequestRejectedError, codes="invalid_request_error", said_by=OPENAI, general=True),
    Codes(error_class=RequestRejectedError, codes="INVALID_ARGUMENT", said_by=GOOGLE, general=True),
    Codes(error_class=RequestRejectedError, codes="ValidationException", said_by=AMAZON, general=True),
    Codes(error_class=RequestRejectedError, codes="request_too_large", said_by=ANTHROPIC),
    Codes(error_class=RequestRejectedError, codes="tool_use_failed json_validate_failed", said_by=GROQ),
)


def plain(code: str) -> str:
    """A word as it is looked for: `RateLimitReached`, `rate_limit_reached` and `rate-limit-reached` are the same."""
    return "".join(character for character in code.lower() if character.isalnum())


def by_code(table: Iterable[Codes]) -> Mapping[str, Codes]:
    """The rows by each of their words."""
    return {plain(code): row for row in table for code in row.codes.split()}


BY_CODE = by_code(TABLE)

# https://platform.minimax.io/docs/api-reference/errorcode (read 2026-11-25): the only vendor that says it in `base_resp`.
BASE_RESP_CODES: Mapping[str, type[ProviderError]] = {
    "1000": ServerError,
    "1001": ServerError,
    "1002": RateLimitError,
    "1004": AuthenticationError,
    "1008": QuotaExceededError,
    "1024": ServerError,
    "1026": ContentFilterError,
    "1027": ContentFilterError,
    "1033": ServerError,
    "1039": RateLimitError,
    "1041": RateLimitError,
    "2013": RequestRejectedError,
    "2045": RateLimitError,
    "2049": AuthenticationError,
    "2056": QuotaExceededError,
}
SHAPES: Mapping[str, Mapping[str, type[ProviderError]]] = {"MiniMax (`base_resp`)": BASE_RESP_CODES}
"""Codes of a shape of body that only one vendor sends, by whom and where."""
