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


def advice_for(error: ParleyError, *, provider: str) -> str:
    """The error's own words, and the remedy."""
    variable = provider.replace("-", "_").upper()
    remedies: dict[type[ParleyError], str] = {
        MissingCredentialError: f"Set {variable}_API_KEY.",
        AuthenticationError: f"Check {variable}_API_KEY: the key is wrong, expired or of another account.",
        PermissionDeniedError: "The key is valid, but may not do this: check its rights and the model's access in the vendor's console.",
        QuotaExceededError: "Add credit to the account, or use another key.",
        RateLimitError: "Wait a moment and try again, or raise the account's limits.",
        OverloadedError: "The provider has too much to do: try again later.",
        ServerError: "The provider failed: try again later.",
        ModelNotFoundError: f"Choose another model, or correct {variable}_MODEL.",
        ProviderTimeoutError: f"Check that {variable}_ENDPOINT is right and that the server is not too busy.",
        ConnectError: f"Check {variable}_ENDPOINT, the network and whether the server runs.",
        ProtocolError: f"Check that {variable}_ENDPOINT is an API of this kind and not a web page.",
    }
    remedy = next((text for kind, text in remedies.items() if isinstance(error, kind)), "")
    return scrub(f"{error.message.rstrip('.')}. {remedy}".rstrip())
