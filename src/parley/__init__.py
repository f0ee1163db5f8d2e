"""Parley: one contract for every AI chat provider. Names are loaded when they are first used, so that importing stays cheap."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parley import sync
    from parley.contract.capabilities import Capabilities, ExtraOption, Limits, Model
    from parley.contract.config import Config, Setting
    from parley.contract.embeddings import EmbeddingOptions, EmbeddingPurpose, EmbeddingRequest, Embeddings
    from parley.contract.errors import (
        AuthenticationError,
        BudgetExceededError,
        CallerError,
        ConfigurationError,
        ConnectError,
        ConnectionLostError,
        ContentFilterError,
        ContextLengthError,
        ErrorCode,
        FieldProblem,
        InvalidRequestError,
        LimitExceededError,
        MissingCredentialError,
        ModelNotFoundError,
        OverloadedError,
        ParleyError,
        PermissionDeniedError,
        PolicyError,
        ProtocolError,
        ProviderError,
        ProviderTimeoutError,
        QueueFullError,
        QuotaExceededError,
        RateLimitError,
        RequestRejectedError,
        ServerError,
        StreamTruncatedError,
        TransportError,
        UnknownModelError,
        UnknownProviderError,
        UnsupportedFeatureError,
    )
    from parley.contract.events import (
        CitationAdded,
        Event,
        PartAdded,
        ReasoningDelta,
        ReasoningEnded,
        RefusalDelta,
        ResponseFinished,
        ResponseStarted,
        Restarted,
        TextDelta,
        ToolCallDelta,
        ToolCallEnded,
        ToolCallStarted,
        UsageReported,
        WarningRaised,
    )
    from parley.contract.messages import (
        CacheLifetime,
        FilePart,
        ImagePart,
        Message,
        Part,
        ProviderData,
        ReasoningPart,
        Role,
        TextPart,
        ToolCall,
        ToolResult,
    )
    from parley.contract.options import NamedToolChoice, Options, ReasoningEffort, SchemaFormat, Timeouts, Tool
    from parley.contract.pricing import Price
    from parley.contract.provider import Provider
    from parley.contract.request import ChatRequest
    from parley.contract.response import (
        Attempt,
        ChatResponse,
        Citation,
        ConnectionStatus,
        Fallback,
        FinishReason,
        RateLimits,
        ResponseWarning,
    )
    from parley.contract.usage import Usage, UsageReport, UsageSource
    from parley.dispatch.client import Client
    from parley.registry.loading import load_provider
    from parley.transport.http_provider import Dialect

    __version__: str

_NAMES = {
    "parley.contract.capabilities": "Capabilities ExtraOption Limits Model",
    "parley.contract.config": "Config Setting",
    "parley.contract.pricing": "Price",
    "parley.contract.embeddings": "EmbeddingOptions EmbeddingPurpose EmbeddingRequest Embeddings",
    "parley.contract.errors": (
        "AuthenticationError BudgetExceededError CallerError ConfigurationError ConnectError ConnectionLostError "
        "ContentFilterError ContextLengthError ErrorCode FieldProblem InvalidRequestError LimitExceededError "
        "MissingCredentialError ModelNotFoundError OverloadedError ParleyError PermissionDeniedError PolicyError ProtocolError "
        "ProviderError ProviderTimeoutError QueueFullError QuotaExceededError RateLimitError RequestRejectedError ServerError "
        "StreamTruncatedError TransportError UnknownModelError UnknownProviderError UnsupportedFeatureError"
    ),
    "parley.contract.events": (
        "CitationAdded Event PartAdded ReasoningDelta ReasoningEnded RefusalDelta ResponseFinished ResponseStarted Restarted TextDelta "
        "ToolCallDelta ToolCallEnded ToolCallStarted UsageReported WarningRaised"
    ),
    "parley.contract.messages": (
        "CacheLifetime FilePart ImagePart Message Part ProviderData ReasoningPart Role TextPart ToolCall ToolResult"
    ),
    "parley.contract.options": "NamedToolChoice Options ReasoningEffort SchemaFormat Timeouts Tool",
    "parley.contract.provider": "Provider",
    "parley.contract.request": "ChatRequest",
    "parley.contract.response": "Attempt ChatResponse Citation ConnectionStatus Fallback FinishReason RateLimits ResponseWarning",
    "parley.contract.usage": "Usage UsageReport UsageSource",
    "parley.dispatch.client": "Client",
    "parley.registry.loading": "load_provider",
    "parley.transport.http_provider": "Dialect",
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = [
    "Attempt",
    "AuthenticationError",
    "BudgetExceededError",
    "CacheLifetime",
    "CallerError",
    "Capabilities",
    "ChatRequest",
    "ChatResponse",
    "Citation",
    "CitationAdded",
    "Client",
    "Config",
    "ConfigurationError",
    "ConnectError",
    "ConnectionLostError",
    "ConnectionStatus",
    "ContentFilterError",
    "ContextLengthError",
    "Dialect",
    "EmbeddingOptions",
    "EmbeddingPurpose",
    "EmbeddingRequest",
    "Embeddings",
    "ErrorCode",
    "Event",
    "ExtraOption",
    "Fallback",
    "FieldProblem",
    "FilePart",
    "FinishReason",
    "ImagePart",
    "InvalidRequestError",
    "LimitExceededError",
    "Limits",
    "Message",
    "MissingCredentialError",
    "Model",
    "ModelNotFoundError",
    "NamedToolChoice",
    "Options",
    "OverloadedError",
    "ParleyError",
    "Part",
    "PartAdded",
    "PermissionDeniedError",
    "PolicyError",
    "Price",
    "ProtocolError",
    "Provider",
    "ProviderData",
    "ProviderError",
    "ProviderTimeoutError",
    "QueueFullError",
    "QuotaExceededError",
    "RateLimitError",
    "RateLimits",
    "ReasoningDelta",
    "ReasoningEffort",
    "ReasoningEnded",
    "ReasoningPart",
    "RefusalDelta",
    "RequestRejectedError",
    "ResponseFinished",
    "ResponseStarted",
    "ResponseWarning",
    "Restarted",
    "Role",
    "SchemaFormat",
    "ServerError",
    "Setting",
    "StreamTruncatedError",
    "TextDelta",
    "TextPart",
    "Timeouts",
    "Tool",
    "ToolCall",
    "ToolCallDelta",
    "ToolCallEnded",
    "ToolCallStarted",
    "ToolResult",
    "TransportError",
    "UnknownModelError",
    "UnknownProviderError",
    "UnsupportedFeatureError",
    "Usage",
    "UsageReport",
    "UsageReported",
    "UsageSource",
    "WarningRaised",
    "__version__",
    "load_provider",
    "sync",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("parley-ai")
    elif name == "sync":
        return import_module("parley.sync")
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'parley' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
