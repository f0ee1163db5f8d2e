"""Whether a new provider may be called so, and what to call it else. Knows what is taken from the registry, and asks nobody."""

from __future__ import annotations

import keyword
import re
import unicodedata

from parley.contract.errors import FieldProblem, InvalidRequestError
from parley.registry.configuration_file import NAME_RULE, PROVIDER_NAME
from parley.registry.discovery import BUILT_IN, TEST_PREFIX
from parley.registry.loading import Registry

# HTTP_PROXY, NO_PROXY and their kind are every program's.
_OF_THE_SYSTEM = frozenset({"http", "https", "ftp", "all", "no"})
_OF_TESTS = frozenset({"test", "tests", "conftest"})


def suggested_name(text: str) -> str | None:
    """The nearest name that keeps the rule: "Acme AI" is acme-ai. None where nothing of the text can be kept."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).lstrip("-0123456789")[:40].rstrip("-")
    return name or None


def malformed(name: str) -> InvalidRequestError | None:
    """What to say of a name that breaks the rule, with one that keeps it."""
    if PROVIDER_NAME.fullmatch(name) and not name.endswith("-") and "--" not in name:
        return None
    rule = NAME_RULE if not PROVIDER_NAME.fullmatch(name) else "must not end with - nor hold two of them in a row"
    suggestion = suggested_name(name)
    hint = f"; call it {suggestion}" if suggestion else ", for example acme-ai"
    return _refused(f'NAME "{name[:80]}" {rule}{hint}')


def check_name(name: str, registry: Registry) -> None:
    """Raise InvalidRequestError, in words and with a suggestion, where the name is malformed, reserved or taken."""
    if problem := malformed(name):
        raise problem
    reason = _reserved(name) or _taken(name, registry)
    if reason is not None:
        raise _refused(f'NAME cannot be "{name}": {reason}; choose another, for example {_free(name, registry)}')


def _reserved(name: str) -> str | None:
    module = name.replace("-", "_")
    if keyword.iskeyword(module) or keyword.iskeyword(name.capitalize()):
        return "it is a word of the language Python"
    if name in _OF_TESTS or module.startswith(TEST_PREFIX):
        return f"files that begin with {TEST_PREFIX} are tests, and this would be taken for one"
    if name == "parley" or name.startswith("parley-"):
        return "variables that begin with PARLEY_ are Parley's own"
    if name in _OF_THE_SYSTEM:
        return f"{name.upper()}_PROXY is a variable of the whole system"
    return None


def _taken(name: str, registry: Registry) -> str | None:
    if any(route.name == name for route in registry.routes):
        return "a route of parley.toml is called so"
    if name not in registry.names():
        return None
    origin = registry.describe(name).origin
    return "a built-in provider is called so, which nothing replaces" if origin == BUILT_IN else f"{origin} has a provider of this name"


def _free(name: str, registry: Registry) -> str:
    """A name like it that can be had."""
    stem = name.removeprefix("parley-").removeprefix("test-")
    endings = ("ai", "own", *map(str, range(2, 100)))
    for candidate in (stem, *(f"{stem[:36].strip('-')}-{ending}" for ending in endings)):
        if malformed(candidate) is None and _reserved(candidate) is None and _taken(candidate, registry) is None:
            return candidate
    return "acme-ai"


def _refused(message: str) -> InvalidRequestError:
    return InvalidRequestError(message, fields=[FieldProblem(path="NAME", message=message)])
