"""Acme. Wire: https://docs.acme.example/chat (read 2026-11-20)."""
from parley.provider import Capabilities, Config, Dialect, Limits, Model, OpenAIChat

class AcmeConfig(Config):                    # ACME_API_KEY, ACME_MODEL, ACME_ENDPOINT
    model: str = "acme-fast"
    endpoint: str = "https://api.acme.example/v1"

provider = Dialect(
    name="acme", label="Acme", description="Fast European models", config=AcmeConfig,
    wire=OpenAIChat(max_tokens_field="max_tokens"), capabilities=Capabilities(tools=True, images=False),    # not named = unknown
    models=[Model("acme-fast", label="Acme Fast", description="Fast and efficient", context_tokens=128_000)],
    limits=Limits(requests_per_minute=1000), docs_url="https://docs.acme.example")
