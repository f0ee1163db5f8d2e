"""What a provider's configuration is: one struct per provider, whose fields name their environment variables. Reads nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, get_type_hints

from msgspec import Struct, structs

from parley.contract.capabilities import Limits
from parley.contract.options import Timeouts

_StructMeta = type(Struct)


class Setting:
    """Says more of a Config field, in `Annotated[str, Setting(…)]`.

    `aliases` are further environment variables that fill it (`GOOGLE_API_KEY`); `secret` keeps it out of every output;
    `help` explains it to a person; `example` is a value that a message may show; `normalize` brings a person's spelling
    (`localhost:11434` in `OLLAMA_HOST`) into the field's own form before it is checked. `shared` says that its aliases are set for
    others too (the server, another vendor): one that is set is taken, and is no sign that somebody set this provider up.
    """

    __slots__ = ("aliases", "example", "help", "normalize", "secret", "shared")

    def __init__(
        self,
        explanation: str = "",
        *,
        aliases: tuple[str, ...] = (),
        secret: bool = False,
        example: str = "",
        normalize: Callable[[str], str] | None = None,
        shared: bool = False,
    ) -> None:
        self.help = explanation
        self.aliases = aliases
        self.secret = secret
        self.example = example
        self.normalize = normalize
        self.shared = shared


class ConfigField(Struct, frozen=True, kw_only=True):
    """One configuration field, as everything derived from it (environment, docs, panel, checks) needs it."""

    name: str
    type: Any
    required: bool
    default: Any
    setting: Setting

    def environment_variable(self, provider_name: str) -> str:
        """`openai-compatible`, `api_key` → `OPENAI_COMPATIBLE_API_KEY`."""
        return f"{provider_name}_{self.name}".replace("-", "_").upper()


class _ConfigMeta(_StructMeta):
    """Makes every Config keyword-only, frozen and strict, so that an author's class is three plain lines."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        options.setdefault("kw_only", True)
        options.setdefault("frozen", True)
        options.setdefault("forbid_unknown_fields", True)
        return super().__new__(mcls, name, bases, namespace, **options)


class Config(Struct, metaclass=_ConfigMeta):
    """What one configured provider needs. Subclass it to set defaults or add fields; a provider that needs no key sets `api_key: str = ""`.

    `endpoint` is the base URL with its version prefix; `headers`, `proxy` and `ca_file` apply to this provider only.
    """

    api_key: Annotated[str, Setting("the vendor's API key", secret=True, example="sk-…")]
    model: Annotated[str, Setting("the model used where a request names none")] = ""
    endpoint: Annotated[str, Setting("base URL with its version prefix", example="https://api.example.com/v1")] = ""
    headers: Annotated[dict[str, str], Setting("more headers for each request", secret=True, example='{"X-Team": "blue"}')] = {}
    proxy: Annotated[str, Setting("HTTP proxy for this provider", example="http://proxy.local:3128", secret=True)] = ""
    ca_file: Annotated[str, Setting("PEM file with the certificate authority to trust", example="/etc/ssl/ours.pem")] = ""
    timeouts: Annotated[Timeouts, Setting("limits in seconds: connect, first_token, idle, total", example='{"first_token": 60}')] = (
        Timeouts()
    )
    limits: Annotated[
        Limits, Setting("requests and tokens per minute and day, concurrency; 0 = none", example='{"requests_per_minute": 60}')
    ] = Limits()

    def __repr__(self) -> str:
        secret = {config_field.name for config_field in config_fields(type(self)) if config_field.setting.secret}
        shown = (
            f"{name}={'…' if name in secret and getattr(self, name) else repr(getattr(self, name))}" for name in self.__struct_fields__
        )
        return f"{type(self).__name__}({', '.join(shown)})"

    def secrets(self) -> list[str]:
        """Every secret value, for the scrubber."""
        found: list[str] = []
        for config_field in config_fields(type(self)):
            if config_field.setting.secret:
                value: str | dict[str, str] = getattr(self, config_field.name)
                found += value.values() if isinstance(value, dict) else [value]
        return [value for value in found if value]


def config_fields(config_type: type[Config]) -> list[ConfigField]:
    """The fields of a Config class in order, with what `Setting` says of each (nearest definition wins, secrets stay secret)."""
    return list(_read_fields(config_type))


@cache
def _read_fields(config_type: type[Config]) -> tuple[ConfigField, ...]:
    settings: dict[str, Setting] = {}
    for parent in reversed(config_type.__mro__):
        if issubclass(parent, Config):
            for name, hint in get_type_hints(parent, include_extras=True).items():
                for extra in getattr(hint, "__metadata__", ()):
                    if isinstance(extra, Setting):
                        settings[name] = extra
    plain = get_type_hints(config_type)
    return tuple(
        ConfigField(
            name=info.name,
            type=plain[info.name],
            required=info.required,
            default=None if info.required else _default(info),
            setting=settings.get(info.name, Setting()),
        )
        for info in structs.fields(config_type)
    )


def _default(info: structs.FieldInfo) -> Any:
    if callable(info.default_factory):
        return info.default_factory()
    return info.default
