"""The pages of the providers that ship, their index, and `.env.example`: from the same functions that a plugin's author calls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from parley.config import SettingDescription, describe
from parley.contract.config import Config, config_fields
from parley.registry.description import ProviderDescription
from parley.registry.environment_block import SHARED_FIELDS, environment_block
from parley.registry.loading import Registry
from parley.registry.proof import read_proof
from parley.registry.provider_page import index_page, provider_page

DEMO = "demo"
PRICES_AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
"""The pages tell the prices of this day, so that they do not change by themselves; move it on with a newer price list."""
OPENING = """\
# What Parley can be told by variables. Copy this file to .env and fill in what you need; the real environment goes before it.
# Nothing here is set as it stands: an empty value counts as not set, and the rest is commented out.
# Written by docs/generate.py from the code; `parley provider env NAME` prints the part of any provider, plugins included.
"""


def provider_pages(note: str) -> dict[str, str]:
    """Every page by its path below docs/; `note` says that it is written by a program."""
    registry = Registry.from_environment(environ={}, directory="/nonexistent")
    proof = read_proof()
    descriptions = in_order(registry)
    pages = {
        f"providers/{each.name}.md": note + provider_page(each, wire=registry.wire(each.name), proof=proof, prices_at=PRICES_AT)
        for each in descriptions
    }
    return {**pages, "providers/README.md": note + index_page(descriptions, proof)}


def shared_lines() -> Iterator[str]:
    """What every provider can be told besides, shown for one that is called ACME."""
    yield "# Every provider has more, here for one that is called ACME:"
    for field in config_fields(Config):
        if field.name in SHARED_FIELDS:
            assigned = f"{field.environment_variable('acme')}={field.setting.example}"
            yield f"#   {assigned:<42} {field.setting.help}"


def in_order(registry: Registry) -> list[ProviderDescription]:
    """By name, the demo last."""
    return sorted(registry.descriptions(), key=lambda each: (each.name == DEMO, each.name))


def environment_example(general: dict[str, str]) -> str:
    """`.env.example`: each provider that ships, then the server, then what concerns all of Parley."""
    registry = Registry.from_environment(environ={}, directory="/nonexistent")
    # The demo reads none of them.
    blocks = [OPENING, *(environment_block(each, shared=False) for each in in_order(registry) if each.name != DEMO)]
    blocks.append("\n".join(shared_lines()) + "\n")
    blocks.append("\n".join(["# The server", "", *(line for known in describe() for line in _server_lines(known))]) + "\n")
    lines = (line for name, text in general.items() for line in (f"# {text.replace('`', '')}", f"# {name}="))
    blocks.append("\n".join(["# Parley as a whole", "", *lines]) + "\n")
    return "\n".join(blocks)


def _server_lines(known: SettingDescription) -> Iterator[str]:
    """A default that is a value is shown as one; one that is told in words stands in the comment."""
    value = re.fullmatch(r"`?([^\s`;]+)`?", known.default)
    words = "" if value or not known.default else f"; by default {known.default}"
    yield f"# {known.help}{words}"
    yield f"# {known.variable}={value[1] if value else ''}"
