"""Ollama, on this machine. Wires: https://docs.ollama.com/api/chat and …/openai-compatibility (read 2026-11-25)."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from parley.provider import Capabilities, Config, Dialect, OllamaChat, OpenAIChat, Setting


def written_out(host: str) -> str:
    """OLLAMA_HOST is written for the server: `0.0.0.0`, `:11434` or `host:port` mean a place where it listens."""
    parts = urlsplit(host if "://" in host else f"http://{host}")
    place = parts.netloc.removeprefix("0.0.0.0")  # noqa: S104  # nothing is bound here: it is what a server was told
    place = f"127.0.0.1{place}" if place.startswith(":") or not place else place
    place = place if ":" in place.rpartition("]")[2] or parts.scheme == "https" else f"{place}:11434"
    return f"{parts.scheme}://{place}{parts.path.rstrip('/')}"


class OllamaConfig(Config):
    """OLLAMA_ENDPOINT (or OLLAMA_HOST), OLLAMA_MODEL, OLLAMA_API; OLLAMA_API_KEY only behind a proxy that wants one."""

    api_key: Annotated[str, Setting("a key, where a proxy before the server wants one", secret=True)] = ""
    model: Annotated[str, Setting("a model that was pulled", example="qwen3:0.6b")] = ""
    endpoint: Annotated[
        str, Setting("base URL, or host and port", aliases=("OLLAMA_HOST",), example="http://127.0.0.1:11434", normalize=written_out)
    ] = "http://127.0.0.1:11434"
    api: Annotated[Literal["ollama", "openai"], Setting("Ollama's own API, or the one compatible with OpenAI's")] = "ollama"


def base_url(config: OllamaConfig) -> str:
    """OpenAI's API has a version in its address; Ollama's own finds its paths beside whatever was written."""
    if config.api == "openai" and not urlsplit(config.endpoint).path.rstrip("/"):
        return f"{config.endpoint.rstrip('/')}/v1"
    return config.endpoint


provider = Dialect(
    name="ollama",
    label="Ollama",
    description="Open models on your own machine",
    config=OllamaConfig,
    wire=OllamaChat(),
    apis={"openai": OpenAIChat(max_tokens_field="max_tokens", reasoning_field="reasoning", rules=())},
    base_url=base_url,
    capabilities=Capabilities(streaming=True, image_urls=False, files=False),
    docs_url="https://ollama.com/library",
    local=True,
    extra_options=None,
)
