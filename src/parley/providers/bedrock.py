"""Amazon Bedrock. Wire: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html (read 2026-11-25)."""

from typing import Annotated, Any, Literal

from parley.provider import (
    AmazonSignature,
    AnthropicOnBedrock,
    Auth,
    AuthScheme,
    BedrockConverse,
    Capabilities,
    Config,
    Dialect,
    ExtraOption,
    HeaderAuth,
    Model,
    Setting,
    host_label,
    hosted_messages_options,
)


class BedrockConfig(Config):
    """BEDROCK_REGION, and keys of Amazon's or an API key of Bedrock's; without any, credentials are found as Amazon's tools do."""

    api_key: Annotated[str, Setting("an API key of Amazon Bedrock", secret=True, aliases=("AWS_BEARER_TOKEN_BEDROCK",))] = ""
    region: Annotated[str, Setting("the region", aliases=("AWS_REGION", "AWS_DEFAULT_REGION"), example="eu-central-1")]  # pyright: ignore[reportGeneralTypeIssues] - fields are given by name
    access_key_id: Annotated[str, Setting("an access key", aliases=("AWS_ACCESS_KEY_ID",), secret=True, example="AKIA…")] = ""
    secret_access_key: Annotated[str, Setting("its secret", aliases=("AWS_SECRET_ACCESS_KEY",), secret=True)] = ""
    session_token: Annotated[str, Setting("the token of a temporary key", aliases=("AWS_SESSION_TOKEN",), secret=True)] = ""
    model: str = "us.amazon.nova-2-lite-v1:0"
    api: Annotated[
        Literal["converse", "invoke"], Setting("which of Bedrock's APIs is spoken: one for all models, or Anthropic's own for Claude")
    ] = "converse"


def authorise(config: BedrockConfig) -> Auth:
    """An API key travels as a bearer token; else each request is signed."""
    if config.api_key:
        return HeaderAuth(AuthScheme(), config.api_key)
    return AmazonSignature(
        service="bedrock",
        region=config.region,
        access_key_id=config.access_key_id,
        secret_access_key=config.secret_access_key,
        session_token=config.session_token,
    )


provider = Dialect(
    name="bedrock",
    label="Amazon Bedrock",
    description="Models of many makers in your own Amazon account",
    config=BedrockConfig,
    wire=BedrockConverse(),
    apis={"invoke": AnthropicOnBedrock()},
    auth=authorise,
    base_url=lambda config: config.endpoint or f"https://bedrock-runtime.{host_label(config.region, field='region')}.amazonaws.com",
    capabilities=Capabilities(tools=True, images=True),
    models=[
        Model("us.anthropic.claude-sonnet-4-5-20250929-v1:0", label="Claude Sonnet 4.5", description="Capable, for agents and code"),
        Model("us.anthropic.claude-haiku-4-5-20251001-v1:0", label="Claude Haiku 4.5", description="Fast and affordable"),
        Model("us.amazon.nova-2-lite-v1:0", label="Amazon Nova 2 Lite", description="Amazon's fast reasoning model"),
        Model("us.amazon.nova-pro-v1:0", label="Amazon Nova Pro", description="Amazon's capable multimodal model"),
        Model("us.amazon.nova-micro-v1:0", label="Amazon Nova Micro", description="Text alone, cheapest"),
        Model("openai.gpt-oss-120b-1:0", label="GPT-OSS 120B", description="OpenAI's open model"),
        Model("qwen.qwen3-32b-v1:0", label="Qwen3 32B", description="Open model with reasoning"),
    ],
    embedding_models=[
        Model("amazon.titan-embed-text-v2:0", label="Titan Embed Text 2", description="Amazon's, 1024 long", context_tokens=8192),
        Model("cohere.embed-v4:0", label="Cohere Embed 4", description="Cohere's, 1536 long", context_tokens=128_000),
    ],
    docs_url="https://docs.aws.amazon.com/bedrock/latest/userguide/models-supported.html",
    extra_options=[
        ExtraOption(name="guardrailConfig", type=dict[str, Any], description="a guardrail to apply", api="converse"),
        ExtraOption(name="performanceConfig", type=dict[str, Any], description="latency standard or optimized", api="converse"),
        ExtraOption(name="serviceTier", type=dict[str, Any], description="priority, default, flex or reserved", api="converse"),
        ExtraOption(name="requestMetadata", type=dict[str, str], description="labels for the account's logs", api="converse"),
        *hosted_messages_options(api="invoke"),
    ],
)
