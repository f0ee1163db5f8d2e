"""The author's door: everything a provider file or a new wire needs, from contract, wire and transport. Knows no provider.

Names are loaded when they are first used: a provider of one wire does not pay for the others.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parley.contract.capabilities import Capabilities, ExtraOption, Limits, Model
    from parley.contract.codec import Auth, Codec, Decoder, Embeds, ListsModels
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
        error_class_for_status,
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
        TextDelta,
        ToolCallDelta,
        ToolCallEnded,
        ToolCallStarted,
        UsageReported,
        WarningRaised,
    )
    from parley.contract.http import AuthScheme, HttpRequest, ResponseHead, Target
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
    from parley.contract.provider import Provider
    from parley.contract.request import ChatRequest
    from parley.contract.response import ChatResponse, Citation, ConnectionStatus, FinishReason, RateLimits, ResponseWarning
    from parley.contract.usage import Usage, UsageReport, UsageSource
    from parley.transport.amazon import AmazonSignature
    from parley.transport.auth import HeaderAuth, NoAuth
    from parley.transport.google import GoogleToken
    from parley.transport.http_provider import Dialect, HttpProvider
    from parley.transport.settings import host_label
    from parley.wire.anthropic_messages import AnthropicMessages
    from parley.wire.anthropic_messages_clouds import AnthropicOnBedrock, AnthropicOnVertex
    from parley.wire.anthropic_messages_extra import MESSAGES_OPTIONS, hosted_messages_options
    from parley.wire.bedrock_converse import BedrockConverse
    from parley.wire.cohere_v2 import CohereV2
    from parley.wire.dialogflow_detect_intent import DialogflowDetectIntent
    from parley.wire.errors import plain_words, provider_error
    from parley.wire.gemini_generate import GeminiGenerate
    from parley.wire.history import EncodingWarnings, ToolIds, Turn, data_url, join_system, own_data, result_text, short_id, turns
    from parley.wire.image_types import USUAL_TYPES, check_image_types
    from parley.wire.json_events import decode_object
    from parley.wire.json_values import count_of, list_of, object_of, text_of
    from parley.wire.model_rules import ModelRule, apply_model_rules
    from parley.wire.ndjson import JsonLinesParser
    from parley.wire.ollama_chat import OllamaChat
    from parley.wire.openai_chat import OpenAIChat, url_of
    from parley.wire.openai_chat_errors import decode_error_body
    from parley.wire.openai_responses import OpenAIResponses
    from parley.wire.reply_reader import ReplyReader
    from parley.wire.schema import Downgraded, SchemaSubset, downgrade
    from parley.wire.schema_report import SchemaReport
    from parley.wire.schema_subsets import GRAMMAR_SCHEMA, STRICT_SCHEMA
    from parley.wire.sse import SseEvent, SseParser
    from parley.wire.structured_output import json_instruction, structured_tool_name
    from parley.wire.tool_calls import ToolCallAssembler, ToolCallFragment
    from parley.wire.vertex_embeddings import VertexEmbeddings

_NAMES = {
    "parley.contract.capabilities": "Capabilities ExtraOption Limits Model",
    "parley.contract.codec": "Auth Codec Decoder Embeds ListsModels",
    "parley.contract.config": "Config Setting",
    "parley.contract.embeddings": "EmbeddingOptions EmbeddingPurpose EmbeddingRequest Embeddings",
    "parley.contract.errors": (
        "AuthenticationError BudgetExceededError CallerError ConfigurationError ConnectError ConnectionLostError "
        "ContentFilterError ContextLengthError ErrorCode FieldProblem InvalidRequestError LimitExceededError "
        "MissingCredentialError ModelNotFoundError OverloadedError ParleyError PermissionDeniedError PolicyError ProtocolError "
        "ProviderError ProviderTimeoutError QueueFullError QuotaExceededError RateLimitError RequestRejectedError ServerError "
        "StreamTruncatedError TransportError UnknownModelError UnknownProviderError UnsupportedFeatureError error_class_for_status"
    ),
    "parley.contract.events": (
        "CitationAdded Event PartAdded ReasoningDelta ReasoningEnded RefusalDelta ResponseFinished ResponseStarted TextDelta "
        "ToolCallDelta ToolCallEnded ToolCallStarted UsageReported WarningRaised"
    ),
    "parley.contract.http": "AuthScheme HttpRequest ResponseHead Target",
    "parley.contract.messages": (
        "CacheLifetime FilePart ImagePart Message Part ProviderData ReasoningPart Role TextPart ToolCall ToolResult"
    ),
    "parley.contract.options": "NamedToolChoice Options ReasoningEffort SchemaFormat Timeouts Tool",
    "parley.contract.provider": "Provider",
    "parley.contract.request": "ChatRequest",
    "parley.contract.response": "ChatResponse Citation ConnectionStatus FinishReason RateLimits ResponseWarning",
    "parley.contract.usage": "Usage UsageReport UsageSource",
    "parley.transport.auth": "HeaderAuth NoAuth",
    "parley.transport.http_provider": "Dialect HttpProvider",
    "parley.transport.settings": "host_label",
    "parley.wire.anthropic_messages": "AnthropicMessages",
    "parley.wire.anthropic_messages_extra": "MESSAGES_OPTIONS hosted_messages_options",
    "parley.wire.errors": "plain_words provider_error",
    "parley.wire.gemini_generate": "GeminiGenerate",
    "parley.wire.history": "EncodingWarnings ToolIds Turn data_url join_system own_data result_text short_id turns",
    "parley.wire.image_types": "USUAL_TYPES check_image_types",
    "parley.wire.json_events": "decode_object",
    "parley.wire.json_values": "count_of list_of object_of text_of",
    "parley.transport.amazon": "AmazonSignature",
    "parley.transport.google": "GoogleToken",
    "parley.wire.anthropic_messages_clouds": "AnthropicOnBedrock AnthropicOnVertex",
    "parley.wire.bedrock_converse": "BedrockConverse",
    "parley.wire.cohere_v2": "CohereV2",
    "parley.wire.model_rules": "ModelRule apply_model_rules",
    "parley.wire.dialogflow_detect_intent": "DialogflowDetectIntent",
    "parley.wire.ollama_chat": "OllamaChat",
    "parley.wire.openai_responses": "OpenAIResponses",
    "parley.wire.ndjson": "JsonLinesParser",
    "parley.wire.openai_chat": "OpenAIChat url_of",
    "parley.wire.openai_chat_errors": "decode_error_body",
    "parley.wire.reply_reader": "ReplyReader",
    "parley.wire.schema": "Downgraded SchemaSubset downgrade",
    "parley.wire.schema_report": "SchemaReport",
    "parley.wire.schema_subsets": "GRAMMAR_SCHEMA STRICT_SCHEMA",
    "parley.wire.sse": "SseEvent SseParser",
    "parley.wire.structured_output": "json_instruction structured_tool_name",
    "parley.wire.tool_calls": "ToolCallAssembler ToolCallFragment",
    "parley.wire.vertex_embeddings": "VertexEmbeddings",
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = [
    "GRAMMAR_SCHEMA",
    "MESSAGES_OPTIONS",
    "STRICT_SCHEMA",
    "USUAL_TYPES",
    "AmazonSignature",
    "AnthropicMessages",
    "AnthropicOnBedrock",
    "AnthropicOnVertex",
    "Auth",
    "AuthScheme",
    "AuthenticationError",
    "BedrockConverse",
    "BudgetExceededError",
    "CacheLifetime",
    "CallerError",
    "Capabilities",
    "ChatRequest",
    "ChatResponse",
    "Citation",
    "CitationAdded",
    "Codec",
    "CohereV2",
    "Config",
    "ConfigurationError",
    "ConnectError",
    "ConnectionLostError",
    "ConnectionStatus",
    "ContentFilterError",
    "ContextLengthError",
    "Decoder",
    "Dialect",
    "DialogflowDetectIntent",
    "Downgraded",
    "EmbeddingOptions",
    "EmbeddingPurpose",
    "EmbeddingRequest",
    "Embeddings",
    "Embeds",
    "EncodingWarnings",
    "ErrorCode",
    "Event",
    "ExtraOption",
    "FieldProblem",
    "FilePart",
    "FinishReason",
    "GeminiGenerate",
    "GoogleToken",
    "HeaderAuth",
    "HttpProvider",
    "HttpRequest",
    "ImagePart",
    "InvalidRequestError",
    "JsonLinesParser",
    "LimitExceededError",
    "Limits",
    "ListsModels",
    "Message",
    "MissingCredentialError",
    "Model",
    "ModelNotFoundError",
    "ModelRule",
    "NamedToolChoice",
    "NoAuth",
    "OllamaChat",
    "OpenAIChat",
    "OpenAIResponses",
    "Options",
    "OverloadedError",
    "ParleyError",
    "Part",
    "PartAdded",
    "PermissionDeniedError",
    "PolicyError",
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
    "ReplyReader",
    "RequestRejectedError",
    "ResponseFinished",
    "ResponseHead",
    "ResponseStarted",
    "ResponseWarning",
    "Role",
    "SchemaFormat",
    "SchemaReport",
    "SchemaSubset",
    "ServerError",
    "Setting",
    "SseEvent",
    "SseParser",
    "StreamTruncatedError",
    "Target",
    "TextDelta",
    "TextPart",
    "Timeouts",
    "Tool",
    "ToolCall",
    "ToolCallAssembler",
    "ToolCallDelta",
    "ToolCallEnded",
    "ToolCallFragment",
    "ToolCallStarted",
    "ToolIds",
    "ToolResult",
    "TransportError",
    "Turn",
    "UnknownModelError",
    "UnknownProviderError",
    "UnsupportedFeatureError",
    "Usage",
    "UsageReport",
    "UsageReported",
    "UsageSource",
    "VertexEmbeddings",
    "WarningRaised",
    "apply_model_rules",
    "check_image_types",
    "count_of",
    "data_url",
    "decode_error_body",
    "decode_object",
    "downgrade",
    "error_class_for_status",
    "host_label",
    "hosted_messages_options",
    "join_system",
    "json_instruction",
    "list_of",
    "object_of",
    "own_data",
    "plain_words",
    "provider_error",
    "result_text",
    "short_id",
    "structured_tool_name",
    "text_of",
    "turns",
    "url_of",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'parley.provider' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
