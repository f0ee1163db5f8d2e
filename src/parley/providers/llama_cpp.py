"""llama.cpp's server. Wire: https://github.com/ggml-org/llama.cpp/tree/master/tools/server (read 2026-11-22)."""

from typing import Annotated

from parley.provider import GRAMMAR_SCHEMA, Capabilities, Config, Dialect, OpenAIChat, Setting


class LlamaCppConfig(Config):
    """LLAMA_CPP_ENDPOINT, LLAMA_CPP_MODEL; LLAMA_CPP_API_KEY where the server was started with --api-key."""

    api_key: Annotated[str, Setting("the server's --api-key, if it has one", secret=True)] = ""
    model: Annotated[str, Setting("any name: the server answers with the model it has loaded")] = "default"
    endpoint: str = "http://127.0.0.1:8080/v1"


provider = Dialect(
    name="llama-cpp",
    label="llama.cpp",
    description="A GGUF model on your own machine, served by llama-server",
    config=LlamaCppConfig,
    wire=OpenAIChat(max_tokens_field="max_tokens", rules=(), schema_subset=GRAMMAR_SCHEMA),
    capabilities=Capabilities(streaming=True, temperature=True, top_p=True, top_k=True, seed=True),
    docs_url="https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
    local=True,
    extra_options=None,
)
