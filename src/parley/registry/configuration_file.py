"""`parley.toml` as structs: the operator's providers, routes and default. Knows no provider and reads no variable."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence, Set
from math import inf
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from msgspec import Struct, structs

from parley.contract.capabilities import Capabilities, Limits
from parley.contract.errors import ConfigurationError, FieldProblem
from parley.contract.pricing import Price
from parley.registry.conversion import INVALID, convert, convert_struct, report_unknown
from parley.registry.limit_tables import CacheTable, LimitTable, limit_problems, read_cache_table, read_limit_table

PROVIDER_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
NAME_RULE = "must start with a letter and hold only a-z, 0-9 and -, at most 40 characters"

Strategy: TypeAlias = Literal["priority", "weighted", "least_busy"]
StreamGuard: TypeAlias = Literal["error", "hold"]


class OperatorPrice(Struct, frozen=True, kw_only=True):
    """US dollars per million tokens; what is cached costs as other input where nothing else is said."""

    input: float = 0
    output: float = 0
    cached: float | None = None

    def as_price(self) -> Price:
        """The same as it is reckoned with."""
        return Price(input=self.input, output=self.output, cached=self.cached, source="operator")


class ModelEntry(Struct, frozen=True, kw_only=True):
    """A model that the operator lists. `context_tokens` 0 = unknown."""

    id: str
    label: str = ""
    description: str = ""
    context_tokens: int = 0
    price: OperatorPrice | None = None


class RouteTarget(Struct, frozen=True, kw_only=True):
    """One place where a route may find its answer: `provider/model`, and its share under the strategy "weighted"."""

    model: str
    weight: float = 1


class Route(Struct, frozen=True, kw_only=True):
    """A name that stands for several targets."""

    name: str
    strategy: Strategy = "priority"
    stream_guard: StreamGuard = "error"
    targets: list[RouteTarget]


class ProviderEntry(Struct, frozen=True, kw_only=True):
    """One `[[providers]]` table. `settings` holds the fields of the provider's own Config, not yet converted.

    `path` is where the table stands ("parley.toml: providers[0]"); `provider` is what it configures (default: its own name);
    `key_limits` hold for each of several keys.
    """

    path: str
    name: str
    provider: str
    label: str = ""
    description: str = ""
    docs_url: str = ""
    capabilities: Capabilities = Capabilities()
    keys: list[str] = []
    key_limits: Limits = Limits()
    models: list[ModelEntry] | None = None
    settings: Mapping[str, Any] = {}

    @property
    def file_name(self) -> str:
        """The file in which the table stands."""
        return self.path.partition(":")[0]

    def without(self, names: Set[str]) -> ProviderEntry:
        """The same table without these settings."""
        settings = {name: value for name, value in self.settings.items() if name not in names}
        return structs.replace(self, keys=[] if "api_key" in names else self.keys, settings=settings)

    def __repr__(self) -> str:
        return f"ProviderEntry(name={self.name!r}, provider={self.provider!r})"


class ConfigurationFile(Struct, frozen=True, kw_only=True):
    """A whole `parley.toml`; empty where there is none."""

    path: Path | None = None
    default: str = ""
    providers: list[ProviderEntry] = []
    routes: list[Route] = []
    limits: LimitTable = LimitTable()
    cache: CacheTable = CacheTable()


class _EntryHead(Struct, frozen=True, kw_only=True):
    """The keys of a `[[providers]]` table that are the same for every provider."""

    name: str
    provider: str = ""
    label: str = ""
    description: str = ""
    docs_url: str = ""
    capabilities: Capabilities = Capabilities()
    keys: list[str] = []
    key_limits: Limits = Limits()
    models: list[ModelEntry] | None = None


FILE_KEYS = ("default", "providers", "routes", "limits", "cache")
ENTRY_KEYS = _EntryHead.__struct_fields__


def read_configuration_file(path: Path, *, problems: list[FieldProblem]) -> ConfigurationFile:
    """The file as structs; what is wrong in its values is added to the problems, what is no TOML raises at once."""
    table = _toml(path)
    report_unknown(table, FILE_KEYS, path=f"{path.name}: ", problems=problems)
    default = convert(table.get("default", ""), str, path=f"{path.name}: default", problems=problems)
    entries = [
        _entry(item, path=item_path, problems=problems) for item_path, item in _tables(table, "providers", file=path, problems=problems)
    ]
    routes = [
        convert_struct(item, Route, path=item_path, problems=problems)
        for item_path, item in _tables(table, "routes", file=path, problems=problems)
    ]
    return ConfigurationFile(
        path=path,
        default="" if default is INVALID else default,
        providers=[entry for entry in entries if entry is not None],
        routes=[route for route in routes if route is not INVALID],
        limits=read_limit_table(table.get("limits", {}), path=f"{path.name}: limits", problems=problems),
        cache=read_cache_table(table.get("cache", {}), path=f"{path.name}: cache", problems=problems),
    )


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        raise ConfigurationError(f"{path} {reason}", fields=[FieldProblem(path=str(path), message=reason)]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = f"is not valid TOML: {error}" if isinstance(error, tomllib.TOMLDecodeError) else "is not valid TOML in UTF-8"
        raise ConfigurationError(f"{path} {reason}", fields=[FieldProblem(path=str(path), message=reason)]) from error


def _tables(table: dict[str, Any], key: str, *, file: Path, problems: list[FieldProblem]) -> list[tuple[str, Any]]:
    items = table.get(key, [])
    if not isinstance(items, list):
        problems.append(FieldProblem(path=f"{file.name}: {key}", message=f"must be a list of tables; write [[{key}]] above each"))
        return []
    return [(f"{file.name}: {key}[{index}]{_named(item)}", item) for index, item in enumerate(cast("list[Any]", items))]


def _named(item: Any) -> str:
    """The name that stands in a table, since nobody counts tables."""
    name: Any = cast("dict[str, Any]", item).get("name") if isinstance(item, dict) else None
    return f" ({name})" if isinstance(name, str) and PROVIDER_NAME.fullmatch(name) else ""


def _entry(item: Any, *, path: str, problems: list[FieldProblem]) -> ProviderEntry | None:
    if not isinstance(item, dict):
        problems.append(FieldProblem(path=path, message="must be a table; write [[providers]] above it"))
        return None
    table = cast("dict[str, Any]", item)
    head = convert_struct({key: value for key, value in table.items() if key in ENTRY_KEYS}, _EntryHead, path=path, problems=problems)
    if head is INVALID:
        return None
    if not PROVIDER_NAME.fullmatch(head.name):
        problems.append(FieldProblem(path=f"{path}.name", message=NAME_RULE))
        return None
    problems += [*_price_problems(head.models or (), path), *limit_problems(head.key_limits, f"{path}.key_limits")]
    return ProviderEntry(
        path=path,
        name=head.name,
        provider=head.provider or head.name,
        label=head.label,
        description=head.description,
        docs_url=head.docs_url,
        capabilities=head.capabilities,
        keys=head.keys,
        key_limits=head.key_limits,
        models=head.models,
        settings={key: value for key, value in table.items() if key not in ENTRY_KEYS},
    )


def _price_problems(models: Sequence[ModelEntry], path: str) -> Iterator[FieldProblem]:
    for index, model in enumerate(models):
        for name in OperatorPrice.__struct_fields__ if model.price else ():
            dollars = getattr(model.price, name)
            if dollars is not None and not 0 <= dollars < inf:
                message = "must be a number of US dollars per million tokens, 0 or more"
                yield FieldProblem(path=f"{path}.models[{index}].price.{name}", message=message)
