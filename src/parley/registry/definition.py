"""What a provider's module offers, in one form: a dialect, a Provider, or a class written after the first guide. Knows no source."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import Any, TypeAlias, cast

from msgspec import Struct, structs

from parley.contract.capabilities import Capabilities, ExtraOption, Limits, Model
from parley.contract.codec import Codec
from parley.contract.config import Config
from parley.contract.provider import CONTRACT_VERSION, FIRST_CONTRACT_VERSION, Provider
from parley.registry.configuration_file import NAME_RULE, PROVIDER_NAME
from parley.registry.discovery import Candidate
from parley.telemetry import scrub
from parley.transport.http_provider import Dialect

_FREE_METHODS = ("stream_response", "generate_response")


Create: TypeAlias = Callable[[Config, Mapping[str, Any]], Any]


class UnusableProviderError(Exception):
    """A module offers nothing that can be used; the message says why. Only for the registry: it becomes a quarantine."""


class PlainConfig(Config):
    """What a class that declares no configuration of its own may still be given; nothing of it is required."""

    api_key: str = ""


class Definition(Struct, frozen=True, kw_only=True):
    """A provider as its author wrote it.

    `create` takes a Config of `config_type`, and what this instance declares otherwise (its name, its models), and gives an
    unguarded provider. `capabilities` are those of a dialect over its wire's; `wire` is its codec, None for what is no dialect; `apis`
    are the codecs that its configuration's `api` chooses instead.
    """

    name: str
    origin: str
    config_type: type[Config]
    create: Create
    label: str = ""
    description: str = ""
    capabilities: Capabilities = Capabilities()
    models: Sequence[Model] = ()
    embedding_models: Sequence[Model] = ()
    extra_options: Sequence[ExtraOption] = ()
    limits: Limits = Limits()
    docs_url: str = ""
    local: bool = False
    wire: Codec | None = None
    apis: Mapping[str, Codec] = {}


def define(candidate: Candidate) -> Definition:
    """Import the candidate and read what it offers. Raises UnusableProviderError, whatever the module does."""
    if candidate.conflict is not None:
        raise UnusableProviderError(candidate.conflict)
    try:
        loaded = candidate.load()
        offered = offered_by(loaded) if isinstance(loaded, ModuleType) else loaded
        return _definition(offered, candidate)
    except UnusableProviderError:
        raise
    except SystemExit as error:
        raise UnusableProviderError("it ends the program while it is imported (SystemExit)") from error
    except Exception as error:
        # A plugin may raise anything, and must not take the others with it.
        raise UnusableProviderError(scrub(f"it cannot be imported: {told(error, candidate)}")) from error


def told(error: BaseException, candidate: Candidate) -> str:
    """What a plugin raised, with the line of its own file that led to it where there is one."""
    words = f"{type(error).__name__}: {error}{_perhaps_too_old(error)}"
    if isinstance(error, SyntaxError):
        return words  # it names its line itself
    stem = candidate.name.replace("-", "_")
    frames = [(Path(frame.f_code.co_filename), line) for frame, line in walk_tb(error.__traceback__)]
    own = [(file.name, line) for file, line in frames if file.stem == stem or str(file) == candidate.origin]
    return f"{words} ({own[-1][0]}, line {own[-1][1]})" if own else words


def offered_by(module: ModuleType) -> Any:
    """The provider that a module offers: its `provider`, else its one provider class. Raises UnusableProviderError where there is none."""
    if hasattr(module, "provider"):
        return module.provider
    own = [value for value in vars(module).values() if _is_provider_class(value) and value.__module__ == module.__name__]
    if len(own) == 1:
        return own[0]
    if not own:
        raise UnusableProviderError("it offers no provider; assign one to `provider`, or define one class with stream_response")
    names = ", ".join(sorted(value.__name__ for value in own))
    raise UnusableProviderError(f"it defines several providers ({names}); assign the one that counts to `provider`")


def _is_provider_class(value: object) -> bool:
    return isinstance(value, type) and not value.__name__.startswith("_") and _is_provider(value)


def _is_provider(value: Any) -> bool:
    derived = issubclass(value, Provider) if isinstance(value, type) else isinstance(value, Provider)
    return (derived and value is not Provider) or any(callable(getattr(value, name, None)) for name in _FREE_METHODS)


def _definition(offered: Any, candidate: Candidate) -> Definition:
    if not isinstance(offered, Dialect) and not _is_provider(offered):
        raise UnusableProviderError(
            f"`provider` is {type(offered).__name__}; it must be a Dialect, a Provider, or a class with stream_response"
        )
    name = _declared_name(offered, candidate)
    _check_version(offered)
    if isinstance(offered, Dialect):
        declared = _declared(offered, name=name, origin=candidate.origin, config_type=offered.config, create=_from_dialect(offered))
        capabilities = offered.capabilities.over(offered.wire.capabilities)
        return structs.replace(declared, capabilities=capabilities, wire=offered.wire, apis=offered.apis)
    config_type: Any = getattr(offered, "config_type", None)
    if not (isinstance(config_type, type) and issubclass(config_type, Config)) or config_type is Config:
        config_type = PlainConfig
    create = _from_class(cast("Any", offered), name) if isinstance(offered, type) else _from_instance(offered)
    return _declared(offered, name=name, origin=candidate.origin, config_type=config_type, create=create)


def _check_version(offered: Any) -> None:
    """Raise UnusableProviderError for a provider that this Parley is too old for, or whose version is none."""
    written_for: Any = getattr(offered, "contract_version", FIRST_CONTRACT_VERSION)
    if isinstance(written_for, bool) or not isinstance(written_for, int) or written_for < FIRST_CONTRACT_VERSION:
        raise UnusableProviderError(
            f"its contract_version is {written_for!r}; write the number of the contract that it is written for, or leave it out for "
            f"{FIRST_CONTRACT_VERSION} ({_what_this_parley_knows()})"
        )
    if written_for > CONTRACT_VERSION:
        raise UnusableProviderError(
            f"it is written for contract version {written_for}, and {_what_this_parley_knows()}; upgrade Parley "
            "(pip install --upgrade parley-ai), or install a release of this provider that was made for this Parley"
        )


def _perhaps_too_old(error: BaseException) -> str:
    """A name that Parley does not offer may be one that a later Parley does."""
    missing = isinstance(error, ImportError) and (error.name or "").partition(".")[0] == "parley"
    return f"; is it written for a later Parley than {version('parley-ai')}?" if missing else ""


def _what_this_parley_knows() -> str:
    return f"Parley {version('parley-ai')} knows versions up to {CONTRACT_VERSION}"


def _declared_name(offered: Any, candidate: Candidate) -> str:
    """The name, which must be the file's or the entry point's. A class may set it in its constructor only: then it is theirs."""
    name = getattr(offered, "name", "")
    if not isinstance(name, str) or not name:
        if isinstance(offered, type) and not issubclass(offered, Provider):
            return candidate.name
        raise UnusableProviderError("it has no name; set `name`")
    if not PROVIDER_NAME.fullmatch(name):
        raise UnusableProviderError(f"its name {name!r} {NAME_RULE}")
    if name != candidate.name:
        raise UnusableProviderError(f"its name {name!r} differs from {candidate.name!r}, under which it was found; make them the same")
    return name


def _from_dialect(dialect: Dialect) -> Create:
    return lambda config, declared: structs.replace(dialect, **declared).create(config)


def _from_class(provider_class: Callable[..., Any], name: str) -> Create:
    """Call the class with its config where its constructor has a place for it, else with nothing."""
    takes_config = "config" in inspect.signature(provider_class).parameters

    def create(config: Config, declared: Mapping[str, Any]) -> Any:
        provider = provider_class(config=config) if takes_config else provider_class()
        own_name = getattr(provider, "name", None)
        if not own_name:
            provider.name = name
        elif own_name != name:
            raise UnusableProviderError(f"it calls itself {own_name!r}, but was found as {name!r}; make them the same")
        _check_version(provider)  # a constructor may set it
        return _redeclared(provider, declared)

    return create


def _from_instance(provider: Any) -> Create:
    return lambda _config, declared: _redeclared(copy.copy(provider), declared) if declared else provider


def _redeclared(provider: Any, declared: Mapping[str, Any]) -> Any:
    for name, value in declared.items():
        setattr(provider, name, value)
    return provider


def _declared(offered: Any, *, name: str, origin: str, config_type: type[Config], create: Create) -> Definition:
    """What is declared beside the name, where it has the right type; a free class may declare nothing."""
    declared: dict[str, Any] = {
        "label": _of_type(offered, "label", str) or name,
        "description": _of_type(offered, "description", str),
        "capabilities": _of_type(offered, "capabilities", Capabilities),
        "limits": _of_type(offered, "limits", Limits),
        "docs_url": _of_type(offered, "docs_url", str),
        "local": _of_type(offered, "local", bool),
    }
    for name_of_list in ("models", "embedding_models"):
        models: Any = getattr(offered, name_of_list, ())
        if isinstance(models, (list, tuple)) and all(isinstance(model, Model) for model in cast("Sequence[Any]", models)):
            declared[name_of_list] = models
    extra: Any = getattr(offered, "extra_options", ())
    if isinstance(extra, (list, tuple)) and all(isinstance(option, ExtraOption) for option in cast("Sequence[Any]", extra)):
        declared["extra_options"] = extra
    return Definition(
        name=name,
        origin=origin,
        config_type=config_type,
        create=create,
        **{key: value for key, value in declared.items() if value is not None},
    )


def _of_type(offered: Any, name: str, expected: type) -> Any:
    value = getattr(offered, name, None)
    return value if isinstance(value, expected) else None
