"""What a reply costs: the operator's own price, else what the vendor said, else the price list. Unknown stays unknown. Sends nothing."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from parley.contract.pricing import Price
from parley.contract.response import ChatResponse
from parley.registry import price_list
from parley.registry.loading import Registry
from parley.registry.price_list import Seller


class ProviderPricing:
    """The prices of one provider's models. A server on the operator's own machine has none, unless the operator says so."""

    def __init__(self, seller: Seller | None, *, operator: Mapping[str, Price] | None = None) -> None:
        """`operator` holds prices of the operator's own by model; without a `seller` there are no others."""
        self._seller = seller
        self._operator = dict(operator or {})

    def ready(self, model: str) -> bool:
        """Whether the price list is not needed, or was read."""
        return self._seller is None or model in self._operator or price_list.is_settled()

    def prepare(self) -> None:
        """Read the price list."""
        price_list.load()

    def appraise(self, reply: ChatResponse, *, asked: str) -> ChatResponse:
        """The reply with its cost and the price that it was reckoned with."""
        price = self._operators_price(reply.model, asked)
        if price is None and reply.cost is not None:
            return reply
        price = price or self._list_price(reply.model, asked, prompt_tokens=reply.usage.prompt_tokens)
        return reply if price is None else structs.replace(reply, cost=price.cost(reply.usage), price=price)

    def price(self, model: str) -> Price | None:
        """What a model costs, for a request of usual length; None where that is unknown."""
        return self._operators_price(model) or self._list_price(model)

    def context_tokens(self, model: str) -> int:
        """How much a model reads at once, by the price list; 0 where that is unknown."""
        listed = None if self._seller is None else price_list.find_model(self._seller, model)
        return 0 if listed is None else listed.context_tokens

    def _operators_price(self, *models: str) -> Price | None:
        return next((self._operator[model] for model in models if model in self._operator), None)

    def _list_price(self, *models: str, prompt_tokens: int = 0) -> Price | None:
        """Of the model that answered; where the list does not know it, of the one that was asked for."""
        if self._seller is None:
            return None
        found = (price_list.find_model(self._seller, model) for model in models)
        return next((price for listed in found if listed is not None and (price := listed.price(prompt_tokens))), None)


def pricing_of(registry: Registry, name: str) -> ProviderPricing:
    """The prices of a provider, under the name that it has in the registry. Raises UnknownProviderError."""
    return ProviderPricing(registry.seller(name), operator=registry.operator_prices(name))
