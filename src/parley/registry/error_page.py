"""The documentation page of vendors' errors: what each word and status becomes, and what to do. Knows no vendor; writes Markdown from
the tables by which errors are really told apart, and from the recordings' proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from parley.contract import errors
from parley.contract.errors import STATUS_TABLE, ProviderError
from parley.registry.proof import Proof
from parley.wire.error_codes import SHAPES, TABLE, Codes
from parley.wire.errors import PHRASES

REMEDIES: dict[type[ProviderError], str] = {
    errors.ContextLengthError: "shorten the conversation, or choose a model with more context",
    errors.ContentFilterError: "word it otherwise: neither another try nor another vendor is asked by itself",
    errors.ModelNotFoundError: "check the model's id, and that your account may use it",
    errors.QuotaExceededError: "pay, or raise the budget: waiting does not help. Another provider may answer",
    errors.AuthenticationError: "check the key: copied whole, not revoked, of this vendor and region",
    errors.PermissionDeniedError: "the key is good but may not do this: give it the permission, or choose another model",
    errors.RateLimitError: "wait `retry_after` seconds where it is set; tried again by itself where that is soon",
    errors.OverloadedError: "the vendor has no room: tried again by itself; later, or another provider",
    errors.ServerError: "the vendor's fault: tried again by itself",
    errors.RequestRejectedError: "change the request: the message says what the vendor refuses",
}
_OPENING = """\
Every answer that is no answer becomes one class, whatever its vendor calls it: a body that is nested, flat, a list, a web page or empty,
an error inside a 200, and one in the middle of a stream. `provider_code` keeps the vendor's own word, `request_id` what its support
asks for, `retry_after` the seconds it wants you to wait. [Errors](errors.md) draws the tree of classes.

In this order, the first that says something counts:

1. a code that this vendor alone means so ([below](#codes-of-one-vendor)),
2. status 401 or 402,
3. the vendor's word, except that 429, 503 and 529 stay what they are unless the word says that the quota is used up,
4. what the message says, where the status says little (an error inside a stream, 400, 403, 404, 410, 413, 422, 498, 500),
5. the status, then a general word such as `server_error`.
"""


def provider_errors_page(own_codes: Mapping[str, Mapping[str, type[ProviderError]]], proof: Proof) -> str:
    """The page, ending in a line break. `own_codes` are those of each provider that has any."""
    lines = ["# Vendors' errors\n", _OPENING]
    lines += ["## What to do\n", "| class | `code` | what to do |", "|---|---|---|"]
    lines += [f"| `{kind.__name__}` | `{kind.code}` | {words} |" for kind, words in REMEDIES.items()]
    lines += ["\n## Vendors' words\n", "Upper and lower case, `_`, `-` and `.` make no difference.\n"]
    lines += ["| word | class | known from |", "|---|---|---|", *_words()]
    lines += ["\n## What messages say\n", "| class | a message that says |", "|---|---|"]
    lines += [f"| `{kind.__name__}` | {told} |" for kind, told, _ in PHRASES]
    lines += ["\n## Statuses\n", "| status | class |", "|---|---|"]
    lines += [f"| {status} | `{kind.__name__}` |" for status, kind in STATUS_TABLE.items()]
    lines += ["| other 5xx | `ServerError` |", "| other 4xx | `RequestRejectedError` |"]
    lines += ["\n## Codes of one vendor\n", "| vendor | its code | class |", "|---|---|---|"]
    for vendor, codes in {**own_codes, **SHAPES}.items():
        lines += _own(vendor, codes)
    lines += ["\n## Recorded\n", "What these vendors really sent, and what it became.\n"]
    lines += ["| provider | status | its own code | class |", "|---|---|---|---|", *_seen(proof)]
    return "\n".join(lines) + "\n"


def _words() -> Iterator[str]:
    for (kind, source), rows in groupby(TABLE, key=lambda row: (row.error_class, row.said_by)):
        yield f"| {_listed(rows)} | `{kind.__name__}` | {source} |"


def _listed(rows: Iterable[Codes]) -> str:
    return " ".join(f"`{code}`{' (general)' if row.general else ''}" for row in rows for code in row.codes.split())


def _own(vendor: str, codes: Mapping[str, type[ProviderError]]) -> Iterator[str]:
    by_class: dict[type[ProviderError], list[str]] = {}
    for code, kind in codes.items():
        by_class.setdefault(kind, []).append(code)
    for kind, found in by_class.items():
        yield f"| {vendor} | {' '.join(f'`{code}`' for code in found)} | `{kind.__name__}` |"


def _seen(proof: Proof) -> Sequence[str]:
    return [
        f"| {name} | {seen.status} | {f'`{seen.provider_code}`' if seen.provider_code else ''} | `{seen.error}` |"
        for name, proven in sorted(proof.providers.items())
        for seen in proven.errors
    ]
