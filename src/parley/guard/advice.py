"""What a person can do about an error, in a sentence. Knows no vendor's pages."""

from __future__ import annotations

from parley.contract.errors import (
    AuthenticationError,
    ConnectError,
    MissingCredentialError,
    ModelNotFoundError,
    OverloadedError,
    ParleyError,
    PermissionDeniedError,
    ProtocolError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
)
from parley.telemetry import scrub


def advice_for(error: ParleyError, *, provider: str, configured: bool) -> str:
    """The error's own words, and the remedy. Only a `configured` provider has variables to look at; any other is its author's code."""
    prefix = provider.replace("-", "_").upper()
    key, model, endpoint = (f"{prefix}_{name}" if configured else f"its {name.lower()}" for name in ("API_KEY", "MODEL", "ENDPOINT"))
    author = f"This is a fault in the code of {provider}: tell its author."
    remedies: dict[type[ParleyError], str] = {
        MissingCredentialError: f"Set {key}.",
        AuthenticationError: f"Check {key}: the key is wrong, expired or of another account.",
        PermissionDeniedError: "The key is valid, but may not do this: check its rights and the model's access in the vendor's console.",
        QuotaExceededError: "Add credit to the account, or use another key.",
        RateLimitError: "Wait a moment and try again, or raise the account's limits.",
        OverloadedError: "The provider has too much to do: try again later.",
        ServerError: "The provider failed: try again later.",
        ModelNotFoundError: f"Choose another model, or correct {model}.",
        ProviderTimeoutError: f"Check {endpoint}, and whether the server is too busy.",
        ConnectError: f"Check {endpoint}, the network and whether the server runs.",
        ProtocolError: f"Check that {endpoint} is an API of this kind and not a web page." if configured else author,
    }
    remedy = next((text for kind, text in remedies.items() if isinstance(error, kind)), "")
    return scrub(f"{error.message.rstrip('.')}. {remedy}".rstrip())
