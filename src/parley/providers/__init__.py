"""Who Parley can talk to: one declarative file per provider, called like it. Nothing is imported until it is asked for."""

COMPATIBLE = "openai-compatible"
"""The provider behind a name that exists by its variables alone (`PARLEY_PROVIDERS=acme`)."""
