"""Gathers what `parley doctor` says: versions, configuration with its sources, who answers. Holds no value of any setting."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from msgspec import Struct

from parley.cli.providers import what_to_set
from parley.contract.errors import FieldProblem, ParleyError
from parley.registry.description import ProviderDescription
from parley.registry.instances import COMPATIBLE
from parley.registry.loading import Registry
from parley.telemetry import scrub

TEST_SECONDS = 15.0
PROBE_SECONDS = 1.0
# Servers without a provider of their own, on the ports where their makers put them.
_OTHER_LOCAL_SERVERS = (
    ("Jan", "http://127.0.0.1:1337/v1"),
    ("GPT4All", "http://127.0.0.1:4891/v1"),
    ("KoboldCpp", "http://127.0.0.1:5001/v1"),
)
_MOST_MODELS_SHOWN = 5


class Checked(Struct, frozen=True, kw_only=True):
    """One provider that somebody set up: whether it answers, or why it cannot be used."""

    name: str
    success: bool
    message: str
    origin: str | None = None
    latency_ms: float | None = None


class LocalServer(Struct, frozen=True, kw_only=True):
    """What listens where a local inference server usually does. `message` says what, and what to do with it."""

    name: str
    endpoint: str
    listening: bool
    success: bool
    message: str


class Checkup(Struct, frozen=True, kw_only=True):
    """Everything, without any value of a setting. `origins` says of each field that is set where from."""

    version: str
    python: str
    platform: str
    files: list[str]
    default: str
    default_problem: str | None
    origins: dict[str, str]
    problems: list[str]
    mistyped: dict[str, str]
    literal_secrets: list[str]
    providers: list[Checked]
    unconfigured: dict[str, str]
    local_servers: list[LocalServer]

    @property
    def healthy(self) -> bool:
        """Whether all that was set up works."""
        return not self.problems and self.default_problem is None and all(checked.success for checked in self.providers)


async def check_up() -> Checkup:
    """Look at everything; providers and local servers are tried at the same time. a file that cannot be read is one of the problems."""
    from parley import __version__

    registry = Registry.from_environment(forgiving=True)
    problems = registry.problems()
    descriptions = registry.descriptions()
    default, default_problem = _default(registry)
    # The demo is always ready; it says something only where it is what answers.
    configured = [each for each in descriptions if each.configured or each.name == default.partition("/")[0]]
    try:
        checked, local_servers = await asyncio.gather(
            asyncio.gather(*(_check(registry, description, problems) for description in configured)),
            asyncio.gather(*(_probe(registry, name, label, endpoint) for name, label, endpoint in _local_endpoints(descriptions))),
        )
    finally:
        await registry.aclose()
    return Checkup(
        version=__version__,
        python=f"{platform.python_implementation()} {platform.python_version()}",
        platform=platform.platform(),
        files=[str(path) for path in (registry.environment.dotenv_path, registry.file.path) if path is not None],
        default=default,
        default_problem=default_problem,
        origins=registry.origins(),
        problems=[f"{problem.path}: {problem.message}" for problem in problems],
        mistyped=registry.mistyped_variables(),
        literal_secrets=registry.literal_secrets(),
        providers=list(checked),
        unconfigured={each.name: what_to_set(each) for each in descriptions if not each.configured and each.status == "unconfigured"},
        local_servers=list(local_servers),
    )


def _default(registry: Registry) -> tuple[str, str | None]:
    try:
        return registry.default, None
    except ParleyError as error:
        # Only the first sentence: the reasons stand beside the providers.
        return "", error.message.partition(". ")[0]


async def _check(registry: Registry, description: ProviderDescription, problems: Sequence[FieldProblem]) -> Checked:
    name = description.name
    origin = next((field.origin for field in description.fields if field.name == "api_key"), None)
    if description.status != "ready":
        reason = description.reason or description.status
        told = any(problem.message in reason for problem in problems)
        return Checked(name=name, success=False, origin=origin, message="cannot be used; see its problem above" if told else reason)
    try:
        async with asyncio.timeout(TEST_SECONDS):
            status = await registry.get(name).test_connection()
    except TimeoutError:
        message = f"does not answer within {TEST_SECONDS:.0f} s; check the network, a proxy, or its endpoint"
        return Checked(name=name, success=False, origin=origin, message=message)
    except ParleyError as error:
        return Checked(name=name, success=False, origin=origin, message=error.message)
    message = "answers" if status.success else status.error or "does not answer"
    return Checked(name=name, success=status.success, origin=origin, message=message, latency_ms=status.latency_ms)


def _local_endpoints(descriptions: Sequence[ProviderDescription]) -> list[tuple[str, str, str]]:
    """Provider, label and endpoint of each local server on its usual port; those that are set up are tested as providers."""
    own = [
        (description.name, description.label, field.default)
        for description in descriptions
        if description.local and not description.configured
        for field in description.fields
        if field.name == "endpoint" and field.default
    ]
    return own + [(COMPATIBLE, label, endpoint) for label, endpoint in _OTHER_LOCAL_SERVERS]


async def _probe(registry: Registry, name: str, label: str, endpoint: str) -> LocalServer:
    if not await _listens(endpoint):
        return LocalServer(name=label, endpoint=endpoint, listening=False, success=False, message="nothing listens here")
    try:
        async with asyncio.timeout(TEST_SECONDS), registry.load(name, {"endpoint": endpoint, "api_key": "none"}) as provider:
            models = [model.id for model in await provider.list_models()]
    except (ParleyError, TimeoutError) as error:
        reason = error.message if isinstance(error, ParleyError) else "no answer"
        message = f"something listens here, but does not answer as {label} would: {reason}"
        return LocalServer(name=label, endpoint=endpoint, listening=True, success=False, message=message)
    prefix = name.replace("-", "_").upper()
    setting = f"{prefix}_ENDPOINT={endpoint}" if name == COMPATIBLE else f"{prefix}_MODEL={models[0] if models else 'NAME'}"
    shown = ", ".join(models[:_MOST_MODELS_SHOWN]) + (" …" if len(models) > _MOST_MODELS_SHOWN else "")
    message = f"answers, with {shown or 'no model yet'}; to use it, set {setting}"
    return LocalServer(name=label, endpoint=endpoint, listening=True, success=True, message=message)


async def _listens(endpoint: str) -> bool:
    address = urlsplit(endpoint)
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            _, writer = await asyncio.open_connection(address.hostname, address.port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


def scrubbed(value: Any) -> Any:
    """A document for a bug report: in no text of it a secret, or the name of the person's home directory."""
    if isinstance(value, str):
        return scrub(value).replace(str(Path.home()), "~")
    if isinstance(value, dict):
        return {key: scrubbed(item) for key, item in cast("dict[str, Any]", value).items()}
    return [scrubbed(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value
