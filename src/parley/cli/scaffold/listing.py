"""Asks a running server that speaks OpenAI's chat completions which models it has, over Parley's own transport. Writes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Struct, structs

from parley.cli.scaffold.drafts import compatible_dialect
from parley.contract.errors import AuthenticationError, ParleyError, ProviderTimeoutError
from parley.provider import Config, Model, Setting

ASK_SECONDS = 15.0
_PREFIX = "/v1"


class Listing(Struct, frozen=True, kw_only=True):
    """Where the list was found, and what stands in it."""

    endpoint: str
    models: Sequence[Model]


class _AskedConfig(Config):
    api_key: Annotated[str, Setting("the server's key, if it wants one", secret=True)] = ""


async def list_models_at(url: str, *, name: str, key: str) -> Listing:
    """The server's models. Where the URL has no path, its `/v1` is asked first. Raises the ParleyError that says what came instead."""
    base = url.rstrip("/")
    endpoints = [base] if urlsplit(base).path else [base + _PREFIX, base]
    try:
        async with asyncio.timeout(ASK_SECONDS):
            for endpoint in endpoints[:-1]:
                try:
                    return await _listed(endpoint, name, key)
                except ParleyError as error:
                    if error.status is None or isinstance(error, AuthenticationError):
                        raise
            return await _listed(endpoints[-1], name, key)
    except TimeoutError as error:
        message = f"{base} did not answer within {ASK_SECONDS:.0f} s; nothing was written"
        raise ProviderTimeoutError(message, phase="first_token", provider=name) from error
    except ParleyError as error:
        variable = f"{name.replace('-', '_').upper()}_API_KEY"
        hint = f"; set {variable} to its key" if isinstance(error, AuthenticationError) and not key else ""
        error.message = f"{error.message.rstrip('.?')}{hint}; nothing was written"
        error.args = (error.message,)
        raise


async def _listed(endpoint: str, name: str, key: str) -> Listing:
    """Without the guard, which would try again: somebody waits, and can."""
    dialect = structs.replace(compatible_dialect(), name=name, label=name, config=_AskedConfig)
    provider = dialect.create(_AskedConfig(api_key=key, endpoint=endpoint))
    try:
        return Listing(endpoint=endpoint, models=await provider.list_models())
    finally:
        await provider.aclose()
