"""The lines for `.env` that set up one provider: each variable with its explanation. Knows no value that anybody set.

What a provider cannot do without stands as an empty assignment, which counts as not set until somebody fills it; the rest is
commented out with its default or an example. So the block may be copied whole and changes nothing by itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from parley.contract.config import Config, config_fields
from parley.registry.description import FieldDescription, ProviderDescription

_FOR_EACH_PROVIDER_ANEW = ("api_key", "model", "endpoint")
SHARED_FIELDS = tuple(field.name for field in config_fields(Config) if field.name not in _FOR_EACH_PROVIDER_ANEW)
"""Fields that every provider has and few set: headers, proxy, timeouts …"""


def environment_block(description: ProviderDescription, *, shared: bool = True) -> str:
    """The block of one provider, ending in a line break; without `shared` it leaves SHARED_FIELDS out.

    Each variable comes under a comment that explains it. Nothing that a plugin's author wrote can begin a line of its own.
    """
    lines = [*(f"# {_one_line(text)}" for text in (_heading(description), description.docs_url) if text), ""]
    for field in description.fields:
        if shared or field.name not in SHARED_FIELDS:
            lines += _lines(field)
    return "\n".join(lines) + "\n"


def _heading(description: ProviderDescription) -> str:
    return ": ".join(text for text in (description.label or description.name, description.description) if text)


def _lines(field: FieldDescription) -> Iterator[str]:
    variable, *aliases = field.variables
    remarks = [field.help or field.name.replace("_", " ")]
    if field.required:
        remarks += ["required", f"for example {field.example}"] if field.example else ["required"]
    if aliases:
        remarks.append(f"{', '.join(aliases)} will do as well")
    shown = "" if field.secret else field.default
    yield f"# {_one_line('; '.join(remarks))}"
    yield f"{variable}=" if field.required else f"# {variable}={_assigned(shown or field.example)}"


def _assigned(value: str) -> str:
    """The value as a `.env` file takes it: quoted where a bare one would end early or be read as a quotation."""
    value = _one_line(value)
    if value[:1] not in {"'", '"'} and "#" not in value:
        return value
    if "'" not in value:
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _one_line(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
