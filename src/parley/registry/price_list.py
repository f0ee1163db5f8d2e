"""What vendors ask for their models, from the list in the package `genai-prices` (extra `prices`). Asks no network.

The list takes a fifth of a second to import: it is imported when first needed, and whoever has time calls `load` beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from threading import Lock
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from parley.contract.pricing import Price
from parley.telemetry import get_logger

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo

REMEMBERED_FOR = timedelta(minutes=5)
"""Some prices hold only for hours of the day, or from a day on."""
MAX_REMEMBERED = 1000
_PER_MODEL = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "reasoning": "output_reasoning_mtok",
}
_REQUESTS_PER_PRICE = 1000

_logger = get_logger(__name__)
_lock = Lock()


class Seller(Struct, frozen=True, kw_only=True):
    """Whose prices hold: a built-in provider's name; where that is "", the `endpoint` says who it is."""

    name: str = ""
    endpoint: str = ""


class ListedModel(Struct, frozen=True, kw_only=True):
    """A model in the list. `steps` are its prices by the input's tokens: each holds for all tokens of a request with more than its number.

    Empty where the list has no price for text; `context_tokens` 0 = unknown.
    """

    steps: tuple[tuple[int, Price], ...] = ()
    context_tokens: int = 0

    def price(self, prompt_tokens: int = 0) -> Price | None:
        """The price of a request with this much input."""
        return next((price for start, price in reversed(self.steps) if prompt_tokens > start), None)


class _Loaded:
    """The list, once it was read, and what was looked up in it."""

    def __init__(self) -> None:
        self.snapshot: DataSnapshot | None = None
        self.missing = False
        self.source = ""
        self.found: dict[tuple[Seller, str], tuple[ListedModel | None, datetime]] = {}


_loaded = _Loaded()


def is_settled() -> bool:
    """Whether `load` has nothing left to do: the list was read, or there is none to be had."""
    return _loaded.missing or _loaded.snapshot is not None


def load() -> bool:
    """Read the list; whether there is one. May be called from any thread."""
    with _lock:
        if not is_settled():
            try:
                from genai_prices.data_snapshot import get_snapshot

                _loaded.source = f"genai-prices {version('genai-prices')}"
                _loaded.snapshot = get_snapshot()
            except ImportError as error:
                _loaded.missing = True
                _logger.debug("no price list: costs are unknown", reason=str(error))
    return not _loaded.missing


def find_model(seller: Seller, model: str, *, at: datetime | None = None) -> ListedModel | None:
    """The model in the list, None where it is not there. `at` is the moment for which prices are asked (default: now)."""
    if not load() or not model:
        return None
    now = at or datetime.now(UTC)
    key = seller, model
    found = _loaded.found.get(key)
    if at is None and found is not None and now < found[1]:
        return found[0]
    listed = _look_up(seller, model, now)
    if at is None and (key in _loaded.found or len(_loaded.found) < MAX_REMEMBERED):
        _loaded.found[key] = listed, now + REMEMBERED_FOR
    return listed


def _look_up(seller: Seller, model: str, at: datetime) -> ListedModel | None:
    snapshot = _loaded.snapshot
    if snapshot is None:
        return None
    # "azure-ai" is sold by "azure": the list names the seller. A name that it has is meant, rather than one that looks like it.
    known = {each.id for each in snapshot.providers}
    names = sorted({seller.name, seller.name.partition("-")[0]}, key=lambda name: (name not in known, name != seller.name))
    for name in names if seller.name else [None]:
        try:
            _, info = snapshot.find_provider_model(model, None, name, None if name else seller.endpoint)
        except LookupError:
            continue
        return _read(info, at)
    return None


def _read(info: ModelInfo, at: datetime) -> ListedModel:
    rates = vars(info.get_prices(at))
    return ListedModel(steps=tuple(_steps(rates, at)), context_tokens=info.context_window or 0)


def _steps(rates: Mapping[str, Any], at: datetime) -> Iterable[tuple[int, Price]]:
    """One for any input, then one for each number of tokens from which on another price holds."""
    if rates.get("input_mtok") is None or rates.get("output_mtok") is None:
        return
    starts = {int(tier.start) for rate in rates.values() for tier in getattr(rate, "tiers", ())}
    for start in (-1, *sorted(starts)):
        fields = {name: _rate(rates.get(key), start) for name, key in _PER_MODEL.items()}
        per_request = (_rate(rates.get("requests_kcount"), start) or 0.0) / _REQUESTS_PER_PRICE
        known: dict[str, Any] = {name: rate for name, rate in fields.items() if rate is not None}
        yield start, Price(**known, per_request=per_request, source=_loaded.source, as_of=at.date().isoformat())


def _rate(rate: Any, start: int) -> float | None:
    """A rate as it stands above `start` tokens of input."""
    if rate is None:
        return None
    tiers = [tier.price for tier in getattr(rate, "tiers", ()) if tier.start <= start]
    return float(tiers[-1] if tiers else getattr(rate, "base", rate))
