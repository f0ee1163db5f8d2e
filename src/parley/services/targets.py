"""Whom a request's fields `provider` and `model` mean, and who asks; what is wrong is told of the field that was sent. Knows no vendor."""

from __future__ import annotations

from parley.contract.errors import FieldProblem, UnknownModelError, UnknownProviderError
from parley.dispatch.admission import Caller
from parley.dispatch.client import Client
from parley.guard.suggestions import did_you_mean
from parley.services.principals import Principal


def caller_of(principal: Principal) -> Caller:
    """Who asks, as limits count it: a key of a user's counts for both. People at the page go before programs, which can wait."""
    key = principal.token_id if principal.kind == "key" else ""
    return Caller(user_id=principal.user_id, api_key_id=key, tenant=principal.user_id, priority=0 if key else 1)


def resolved(client: Client, *, provider: str | None, model: str | None) -> tuple[str, str]:
    """The provider's name and its model (a route's name, and ""); both are the default's where neither is given.

    `provider` may also be whatever a model's name may be: `provider/model`, a route, a listed model. Raises UnknownProviderError
    and UnknownModelError.
    """
    try:
        return client.resolve(f"{provider}/{model}" if provider and model else provider or model or "")
    except (UnknownProviderError, UnknownModelError) as error:
        names = client.registry.names()
        if not provider or provider.partition("/")[0] in names:
            raise
        problem = f'no provider is called "{provider}".{did_you_mean(provider, names)}'
        raise UnknownProviderError(problem, provider=provider, fields=[FieldProblem(path="provider", message=problem)]) from error
