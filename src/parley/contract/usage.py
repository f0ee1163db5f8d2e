"""Token counts: what was reported, and what a reply shows. Knows no prices."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

UsageSource: TypeAlias = Literal["reported", "estimated", "mixed"]


class UsageReport(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Counts as a vendor reported them, normalised; None = not reported (which is never 0).

    `prompt_tokens` counts all input, cached included; `completion_tokens` all output, reasoning included.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None

    def merge(self, newer: UsageReport) -> UsageReport:
        """The last non-null value per field, as several reports in one stream mean it."""
        return UsageReport(
            **{
                name: getattr(self, name) if getattr(newer, name) is None else getattr(newer, name)
                for name in UsageReport.__struct_fields__
            }
        )


class Usage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Token counts of one reply. `source` says whether the vendor reported them or we estimated (mixed: some of each)."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    source: UsageSource = "reported"
