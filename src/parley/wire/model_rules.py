"""Quirks of a model on a wire: fields it calls otherwise or refuses. Knows no vendor and no request, only a body's top-level fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from msgspec import Struct

from parley.contract.errors import UnsupportedFeatureError
from parley.wire.history import EncodingWarnings

# Each request asks the same few questions.
_matches = lru_cache(maxsize=4096)(fnmatchcase)


class ModelRule(Struct, frozen=True, kw_only=True):
    """For models whose id's last path segment matches `match` (shell pattern, lower case): fields to rename and to drop.

    Names are the wire's own. `unless` exempts models that match one of its patterns; `when` limits the rule to bodies whose fields
    have one of these values.
    """

    match: str
    rename: Mapping[str, str] = {}
    drop: Sequence[str] = ()
    unless: Sequence[str] = ()
    when: Mapping[str, Sequence[Any]] = {}


def apply_model_rules(
    rules: Sequence[ModelRule], model: str, *, body: dict[str, Any], warnings: EncodingWarnings, strict: bool = False
) -> None:
    """Change `body` as the rules for this model say; each field dropped is named in a warning.

    Raises UnsupportedFeatureError where `strict` (the request's `strict_options`) forbids to drop it.
    """
    name = model.rsplit("/", 1)[-1].lower()
    for rule in rules:
        if not _matches(name, rule.match) or any(_matches(name, pattern) for pattern in rule.unless):
            continue
        if any(body.get(field) not in values for field, values in rule.when.items()):
            continue
        for field, renamed in rule.rename.items():
            if field in body:
                body.setdefault(renamed, body.pop(field))
        for field in rule.drop:
            if field in body:
                if strict:
                    raise UnsupportedFeatureError(
                        f"{model} does not take {field}; leave it out or allow options to be dropped", model=model
                    )
                del body[field]
                warnings.add(f"{field}_dropped", f"{model} does not take {field}; it was left out")
