"""Writes a request's schemas in the words that a wire takes, and says in a warning what each lost. Knows no wire's field names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from parley.contract.errors import FieldProblem, UnsupportedFeatureError
from parley.wire.history import EncodingWarnings
from parley.wire.schema import SchemaSubset, downgrade

FORMAT_PATH = "options.response_format.schema"
MAX_NAMED = 8


def tool_path(number: int) -> str:
    """Where a tool's schema stands in a request."""
    return f"options.tools[{number}].parameters"


class SchemaReport:
    """Reports for one request. Where `strict` (its `strict_options`) allows no losses, UnsupportedFeatureError names them."""

    def __init__(self, *, provider: str, strict: bool, warnings: EncodingWarnings) -> None:
        self._provider = provider
        self._strict = strict
        self._warnings = warnings

    def write(self, schema: dict[str, Any], subset: SchemaSubset, *, where: str) -> dict[str, Any]:
        """The schema as the wire takes it; what it does not take is left out and named."""
        written = downgrade(schema, subset, where=where)
        if written.losses:
            self._say("schema_reduced", where, f"{self._provider} does not enforce all of it, and was not sent {_named(written.losses)}")
        return written.schema

    def enforce(
        self, schema: dict[str, Any], subset: SchemaSubset | None, *, where: str, strict: bool | None
    ) -> tuple[dict[str, Any], bool | None]:
        """The schema to send, and whether to ask that it be enforced: not where the vendor could only enforce another shape."""
        if subset is None:
            return schema, strict
        if not subset.when_strict:
            return self.write(schema, subset, where=where), strict
        if not strict:
            return _as_hint(schema, subset, where), strict
        misshapen = downgrade(schema, subset, where=where).misshapen
        if not misshapen:
            return self.write(schema, subset, where=where), strict
        self.not_enforced(misshapen, where=where, instead="a hint")
        return _as_hint(schema, subset, where), False

    def not_enforced(self, losses: Sequence[str], *, where: str, instead: str) -> None:
        """Say that a schema goes in a way that does not bind the model."""
        self._say("schema_not_enforced", where, f"{self._provider} cannot enforce {_named(losses)}; it was sent as {instead}")

    def _say(self, code: str, where: str, what: str) -> None:
        if self._strict:
            problem = f"{what}; change the schema or allow options to be dropped"
            raise UnsupportedFeatureError(
                f"{where}: {problem}", provider=self._provider, fields=[FieldProblem(path=where, message=problem)]
            )
        self._warnings.add(code, f"{where}: {what}", about=where)


def _as_hint(schema: dict[str, Any], subset: SchemaSubset, where: str) -> dict[str, Any]:
    return downgrade(schema, SchemaSubset(root_object=subset.root_object), where=where).schema


def _named(losses: Sequence[str]) -> str:
    more = len(losses) - MAX_NAMED
    return ", ".join(losses[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
