"""The server's own settings: one table of variables, read once and handed down. Knows no provider's settings (the registry does)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias, get_origin, get_type_hints
from urllib.parse import urlsplit

from msgspec import Struct, structs

from parley.bus.connection import url_problem
from parley.contract.errors import ConfigurationError, FieldProblem
from parley.registry.conversion import INVALID, convert
from parley.registry.environment import Environment
from parley.services.admission import Registration
from parley.services.endpoints import parse_allowed
from parley.services.secrets import MIN_SECRET_CHARACTERS, stored_secret, weakness
from parley.telemetry import register_secrets

Surroundings: TypeAlias = Literal["local", "development", "production"]

SIGNING_FILE: Final = "jwt-secret"
SEALING_FILE: Final = "secret-key"
MIN_INVITE_CHARACTERS: Final = 8

_LIST_SEPARATOR = re.compile(r"[,\s]+")


class Variable:
    """Says which variable fills a field of Settings, in `Annotated[str, Variable(…)]`; `shown` is the default in words."""

    __slots__ = ("help", "name", "secret", "shown")

    def __init__(self, name: str, explanation: str, *, secret: bool = False, shown: str = "") -> None:
        self.name = name
        self.help = explanation
        self.secret = secret
        self.shown = shown


class SettingDescription(Struct, frozen=True, kw_only=True):
    """One line of the configuration table."""

    variable: str
    default: str
    help: str
    secret: bool


class Settings(Struct, frozen=True, kw_only=True):
    """Everything the server is told. `warnings` are what its operator should know before it starts."""

    host: Annotated[str, Variable("HOST", "the address to listen on; 0.0.0.0 for every network")] = "127.0.0.1"
    port: Annotated[int, Variable("PORT", "the port to listen on")] = 4000
    public_url: Annotated[
        str, Variable("PUBLIC_URL", "the address people open, where a proxy stands before the server", shown="http://HOST:PORT")
    ] = ""
    surroundings: Annotated[
        Surroundings, Variable("PARLEY_ENV", "local, development (the first account needs no set-up code) or production")
    ] = "local"
    data_directory: Annotated[
        Path, Variable("PARLEY_DATA_DIR", "where the database, attachments and generated secrets are kept", shown="./data")
    ] = Path("data")
    database_url: Annotated[
        str,
        Variable(
            "DATABASE_URL",
            "sqlite:///path, or postgresql://user:password@host/name for several servers",
            secret=True,
            shown="parley.db in PARLEY_DATA_DIR",
        ),
    ] = ""
    redis_url: Annotated[
        str,
        Variable("REDIS_URL", "redis://… of Redis or Valkey, by which several servers on one database work together", secret=True),
    ] = ""
    redis_prefix: Annotated[str, Variable("REDIS_PREFIX", "what every key and channel begins with, where others use the same Redis")] = (
        "parley:"
    )
    answer_heartbeat_seconds: Annotated[
        float, Variable("ANSWER_HEARTBEAT_SECONDS", "how often a server says in the database that the answers it makes are alive")
    ] = 5.0
    answer_dead_after_seconds: Annotated[
        float,
        Variable("ANSWER_DEAD_AFTER_SECONDS", "after what silence another server marks an answer as interrupted; its text is kept"),
    ] = 30.0
    jwt_secret: Annotated[
        str,
        Variable("JWT_SECRET", "signs access tokens; at least 32 random characters", secret=True, shown="made and kept in PARLEY_DATA_DIR"),
    ] = ""
    sealing_keys: Annotated[
        list[str],
        Variable(
            "PARLEY_SECRET_KEY",
            "seals provider keys; at least 32 random characters. To rotate give the new one first, then the old",
            secret=True,
            shown="made and kept in PARLEY_DATA_DIR",
        ),
    ] = []
    registration: Annotated[
        Registration,
        Variable("REGISTRATION", "who may sign up after the first account: closed, invite or open", shown="closed; open in development"),
    ] = "closed"
    invite_code: Annotated[str, Variable("INVITE_CODE", "what REGISTRATION=invite asks for; at least 8 characters", secret=True)] = ""
    metrics_token: Annotated[
        str, Variable("METRICS_TOKEN", "the bearer token for /metrics; without one only this machine may read it", secret=True)
    ] = ""
    allowed_endpoints: Annotated[
        list[str],
        Variable(
            "PARLEY_ALLOW_ENDPOINTS",
            "hosts (gpu.internal:8000) or networks (10.0.0.0/8) that a provider set in the panel may point to besides public addresses",
            shown="the usual inference ports of this machine",
        ),
    ] = []
    cors_origins: Annotated[
        list[str], Variable("CORS_ORIGINS", "origins of other pages that may call the API, exactly as browsers send them")
    ] = []
    trusted_proxies: Annotated[list[str], Variable("TRUSTED_PROXIES", "addresses or networks whose X-Forwarded-For is believed")] = []
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Variable("LOG_LEVEL", "debug, info, warning or error")] = "info"
    log_content: Annotated[bool, Variable("LOG_CONTENT", "on writes prompts and answers to the log; the page says so")] = False
    warnings: list[str] = []

    def __repr__(self) -> str:
        table = _table()
        shown = (f"{name}={'…' if name in table and table[name].secret else repr(getattr(self, name))}" for name in self.__struct_fields__)
        return f"Settings({', '.join(shown)})"

    @property
    def url(self) -> str:
        """The address people open, without a slash at its end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 - compared, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def production(self) -> bool:
        """Whether nothing may be left to a generated or missing secret."""
        return self.surroundings == "production" or self.database_url.startswith("postgresql")

    @property
    def development(self) -> bool:
        """Whether the first account is made without a set-up code."""
        return self.surroundings == "development"


def load_settings(*, environ: Mapping[str, str] | None = None, directory: Path | None = None) -> Settings:
    """Read every variable from the process and `.env` (`environ` and `directory` stand for the process's own).

    Generates the two secrets where none are needed from outside. Raises ConfigurationError with every problem at once.
    """
    place = directory or Path.cwd()
    environment = Environment.read(directory=place, variables=environ)
    problems: list[FieldProblem] = []
    values = _values(environment, problems)
    settings = Settings(**values)
    settings = structs.replace(settings, data_directory=(place / settings.data_directory.expanduser()).resolve())
    settings = structs.replace(settings, database_url=_database_url(settings, problems), registration=_registration(settings, values))
    _check(settings, problems)
    settings = _with_secrets(settings, problems)
    if problems:
        listed = "\n".join(f"  {problem.path} {problem.message}" for problem in problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ConfigurationError(f"the server's settings have {count}:\n{listed}", fields=problems)
    register_secrets([settings.jwt_secret, *settings.sealing_keys, settings.metrics_token, settings.invite_code, *_passwords(settings)])
    return settings


def changed_variables(before: Settings, after: Settings) -> list[str]:
    """Which variables say something else than before."""
    return [variable.name for name, variable in _table().items() if getattr(before, name) != getattr(after, name)]


def describe() -> list[SettingDescription]:
    """Every variable of the server, in order, for the configuration table and `.env.example`."""
    fields = {field.name: field for field in structs.fields(Settings)}
    return [
        SettingDescription(
            variable=variable.name,
            default=variable.shown or _shown_default(fields[name]),
            help=variable.help,
            secret=variable.secret,
        )
        for name, variable in _table().items()
    ]


def _table() -> dict[str, Variable]:
    hints = get_type_hints(Settings, include_extras=True)
    return {
        name: extra
        for name in Settings.__struct_fields__
        for extra in getattr(hints[name], "__metadata__", ())
        if isinstance(extra, Variable)
    }


def _shown_default(field: structs.FieldInfo) -> str:
    default: Any = field.default_factory() if callable(field.default_factory) else field.default
    if isinstance(default, bool):
        return "on" if default else "off"
    return str(default) if default not in ("", []) else ""


def _values(environment: Environment, problems: list[FieldProblem]) -> dict[str, Any]:
    hints = get_type_hints(Settings)
    values: dict[str, Any] = {}
    for name, variable in _table().items():
        text = environment.get(variable.name)
        if text is None:
            continue
        hint = hints[name]
        if hint == list[str]:
            values[name] = [item for item in _LIST_SEPARATOR.split(text.strip()) if item]
        elif hint is Path:
            values[name] = Path(text.strip())
        elif (
            value := convert(
                text.strip().lower() if get_origin(hint) is Literal else text.strip(),
                hint,
                path=variable.name,
                problems=problems,
                text=True,
            )
        ) is not INVALID:
            values[name] = value
    return values


def _database_url(settings: Settings, problems: list[FieldProblem]) -> str:
    """The URL without a driver's name: which driver is used is the storage's to say."""
    url = settings.database_url
    if not url:
        return f"sqlite:///{settings.data_directory / 'parley.db'}"
    scheme, separator, rest = url.partition("://")
    kind = scheme.partition("+")[0]
    if separator and kind == "sqlite":
        return f"sqlite://{rest}"
    if separator and kind in {"postgresql", "postgres"}:
        return f"postgresql://{rest}"
    problems.append(FieldProblem(path="DATABASE_URL", message="must begin with sqlite:/// or postgresql://"))
    return ""


def _registration(settings: Settings, values: Mapping[str, Any]) -> Registration:
    return "open" if settings.development and "registration" not in values else settings.registration


def _check(settings: Settings, problems: list[FieldProblem]) -> None:
    def report(variable: str, message: str) -> None:
        problems.append(FieldProblem(path=variable, message=message))

    if not 0 <= settings.port <= 65535:
        report("PORT", "must be between 0 and 65535 (0 takes any free port)")
    if settings.public_url and (problem := _origin_problem(settings.public_url.rstrip("/"))):
        report("PUBLIC_URL", problem)
    if settings.registration == "invite" and len(settings.invite_code) < MIN_INVITE_CHARACTERS:
        report("INVITE_CODE", f"must have at least {MIN_INVITE_CHARACTERS} characters where REGISTRATION=invite")
    if settings.metrics_token and len(settings.metrics_token) < 16:
        report("METRICS_TOKEN", "must have at least 16 characters")
    for origin in settings.cors_origins:
        if problem := _origin_problem(origin):
            report("CORS_ORIGINS", f"holds {origin!r}, which {problem}")
    _check_each(settings.allowed_endpoints, "PARLEY_ALLOW_ENDPOINTS", parse_allowed, problems)
    _check_each(settings.trusted_proxies, "TRUSTED_PROXIES", _network, problems)
    _check_replicas(settings, report)


def _check_replicas(settings: Settings, report: Callable[[str, str], None]) -> None:
    if settings.redis_url and (problem := url_problem(settings.redis_url)):
        report("REDIS_URL", problem)
    if not 0.1 <= settings.answer_heartbeat_seconds <= 3600:
        report("ANSWER_HEARTBEAT_SECONDS", "must be between 0.1 and 3600")
    elif settings.answer_dead_after_seconds < 3 * settings.answer_heartbeat_seconds:
        report("ANSWER_DEAD_AFTER_SECONDS", "must be at least three times ANSWER_HEARTBEAT_SECONDS: one beat may be late, and one be lost")


def _check_each(entries: list[str], variable: str, parse: Callable[[str], object], problems: list[FieldProblem]) -> None:
    for entry in entries:
        try:
            parse(entry)
        except ValueError as error:
            problems.append(FieldProblem(path=variable, message=f"holds {entry!r}, which {error}"))


def _network(entry: str) -> object:
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError as error:
        raise ValueError("is neither an address nor a network; write 10.0.0.5 or 10.0.0.0/8") from error


def _origin_problem(origin: str) -> str | None:
    example = "write scheme, host and port alone, like https://chat.example.com"
    try:
        parts = urlsplit(origin)
        well_formed = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return f"is no origin; {example}"
    if not well_formed or "@" in parts.netloc or parts.path or parts.query or parts.fragment or "*" in origin:
        return f"is no origin; {example}"
    return None


def _with_secrets(settings: Settings, problems: list[FieldProblem]) -> Settings:
    """The settings with a sound secret for each purpose: the operator's, else, on a machine of one's own, a generated one."""
    warnings: list[str] = []
    loopback = _is_loopback(settings.host)
    jwt_secrets = _secrets(
        [settings.jwt_secret] if settings.jwt_secret else [], "JWT_SECRET", settings, problems=problems, warnings=warnings
    )
    sealing = _secrets(settings.sealing_keys, "PARLEY_SECRET_KEY", settings, problems=problems, warnings=warnings)
    if not loopback and not settings.production and not settings.jwt_secret:
        warnings.append(f"HOST={settings.host} can be reached from other machines; set PARLEY_ENV=production and a JWT_SECRET of your own")
    if settings.database_url.startswith("postgresql") and not settings.redis_url:
        warnings.append(
            "REDIS_URL is not set: this server takes itself for the only one, and each further one would count limits by itself"
        )
    return structs.replace(settings, jwt_secret=jwt_secrets[0] if jwt_secrets else "", sealing_keys=sealing, warnings=warnings)


def _secrets(given: list[str], variable: str, settings: Settings, *, problems: list[FieldProblem], warnings: list[str]) -> list[str]:
    weak = next((problem for secret in given if (problem := weakness(secret))), None)
    if given and weak is None:
        return given
    advice = f"give at least {MIN_SECRET_CHARACTERS} random characters, for example from `openssl rand -base64 48`"
    if settings.production:
        problems.append(FieldProblem(path=variable, message=f"{weak or 'is not set'}; {advice}"))
        return []
    if weak is not None:
        warnings.append(f"{variable} {weak} and is not used; a generated one takes its place. To have your own, {advice}")
    name = SIGNING_FILE if variable == "JWT_SECRET" else SEALING_FILE
    try:
        return [stored_secret(settings.data_directory / name)]
    except ConfigurationError as error:
        problems += [FieldProblem(path="PARLEY_DATA_DIR", message=f"{problem.path} {problem.message}") for problem in error.fields]
        return []


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _passwords(settings: Settings) -> list[str]:
    found: list[str] = []
    for url in (settings.database_url, settings.redis_url):
        try:
            password = urlsplit(url).password
        except ValueError:
            continue
        if password:
            found.append(password)
    return found
