"""What becomes of a field that a client sends to us: the words for it, as data, and the table that documents them. Knows no wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from parley.contract.capabilities import ExtraOption

Treatment: TypeAlias = Literal["translated", "passed", "needed", "refused"]
_PLACES = frozenset({"messages", "user_id", "system_prompt"})
_WORDS: dict[Treatment, str] = {
    "translated": "translated",
    "passed": "passed on where the provider takes it, else left out and named in `x-parley-warnings`",
    "needed": "passed on where the provider takes it, else refused with 400",
    "refused": "refused with 400",
}


class FieldPolicy(Struct, frozen=True, kw_only=True):
    """One field. `becomes` is its place in the contract; `harmless` are the values that ask for nothing (null always is one).

    `translated` fields mean the same behind every provider. `passed` fields go to a provider that declares an option of that name, or
    that takes any, and are else left out and named in a warning; `needed` ones are refused there, since the answer would be another.
    `refused` fields would change the answer's form.
    """

    name: str
    treatment: Treatment
    becomes: str = ""
    note: str = ""
    harmless: tuple[Any, ...] = ()


class Behind(Struct, frozen=True, kw_only=True):
    """Who answers a request: the provider, the wire it speaks ("" where it speaks none), and the options of its own (None: any)."""

    provider: str
    wire: str = ""
    options: Sequence[ExtraOption] | None = None


def translated(name: str, becomes: str, note: str = "") -> FieldPolicy:
    """A field that means the same behind every provider."""
    return FieldPolicy(name=name, treatment="translated", becomes=becomes, note=note)


def passed(name: str, note: str = "") -> FieldPolicy:
    """A field that goes to who takes it."""
    return FieldPolicy(name=name, treatment="passed", becomes=f"options.extra.{name}", note=note)


def needed(name: str, note: str = "") -> FieldPolicy:
    """A field without which the answer would be another."""
    return FieldPolicy(name=name, treatment="needed", becomes=f"options.extra.{name}", note=note)


def refused(name: str, note: str, *, harmless: tuple[Any, ...] = ()) -> FieldPolicy:
    """A field that is not served, unless it has one of the harmless values."""
    return FieldPolicy(name=name, treatment="refused", note=note, harmless=harmless)


def accepted_options(fields: Mapping[str, Any], accepted: Sequence[ExtraOption] | None) -> dict[str, Any]:
    """Those of the fields that a provider with these options takes."""
    if accepted is None:
        return dict(fields)
    types = {option.name: option.type for option in accepted}
    return {name: value for name, value in fields.items() if name in types and _fits(value, types[name])}


def table_of(fields: Sequence[FieldPolicy]) -> str:
    """The fields as a Markdown table."""
    rows = ["| Field | What becomes of it | Place in the contract | Note |", "|---|---|---|---|"]
    for field in fields:
        place = f"`{field.becomes}`" if "." in field.becomes or field.becomes in _PLACES else field.becomes
        notes = [field.note] if field.note else []
        if field.harmless:
            notes.append("accepted as " + ", ".join(f"`{_json(value)}`" for value in field.harmless))
        rows.append(f"| `{field.name}` | {_WORDS[field.treatment]} | {place} | {'; '.join(notes)} |")
    return "\n".join(rows) + "\n"


def _fits(value: Any, wanted: Any) -> bool:
    try:
        msgspec.convert(value, wanted)
    except msgspec.ValidationError:
        return False
    return True


def _json(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value).replace("'", '"')
