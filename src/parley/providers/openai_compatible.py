"""Any server that speaks OpenAI's chat wire: vLLM, LM Studio, a gateway. Wire: https://platform.openai.com/docs/api-reference/chat
(read 2026-11-22); what such a server adds or leaves out is unknown, and is sent.
"""

from typing import Annotated

from parley.provider import Capabilities, Config, Dialect, OpenAIChat, Setting


class OpenAICompatibleConfig(Config):
    """OPENAI_COMPATIBLE_ENDPOINT, OPENAI_COMPATIBLE_MODEL, and OPENAI_COMPATIBLE_API_KEY where the server wants one."""

    api_key: Annotated[str, Setting("the server's key, if it wants one", secret=True)] = ""
    # Without a default: only the operator knows where the server is.
    endpoint: Annotated[str, Setting("base URL with its version prefix", example="http://127.0.0.1:8000/v1")]  # pyright: ignore[reportGeneralTypeIssues]


provider = Dialect(
    name="openai-compatible",
    label="OpenAI-compatible",
    description="Any server that speaks OpenAI's chat completions",
    config=OpenAICompatibleConfig,
    wire=OpenAIChat(max_tokens_field="max_tokens"),
    capabilities=Capabilities(),
    docs_url="https://platform.openai.com/docs/api-reference/chat",
    extra_options=None,
)
