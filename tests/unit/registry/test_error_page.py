"""The page of vendors' errors says what the classifier does."""

from __future__ import annotations

import re

from parley.contract import errors
from parley.contract.errors import QuotaExceededError
from parley.registry.error_page import REMEDIES, provider_errors_page
from parley.registry.proof import Proof, ProviderProof, SeenError
from parley.wire.error_codes import TABLE
from parley.wire.errors import classify

PROOF = Proof(
    version=1,
    providers={
        "acme": ProviderProof(
            capabilities={}, errors=[SeenError(status=402, provider_code="no_money", error="QuotaExceededError", recording="a")]
        )
    },
)


def test_every_word_stands_on_it_with_the_class_that_it_becomes() -> None:
    page = provider_errors_page({}, PROOF)
    for row in TABLE:
        for code in row.codes.split():
            line = next(line for line in page.splitlines() if line.startswith("|") and f"`{code}`" in line and row.said_by in line)
            assert f"`{row.error_class.__name__}`" in line
            assert row.general or classify(418, "", codes=(code,)) is row.error_class


def test_each_class_says_what_to_do() -> None:
    assert {row.error_class for row in TABLE} == REMEDIES.keys()
    page = provider_errors_page({}, PROOF)
    for kind, words in REMEDIES.items():
        assert f"| `{kind.__name__}` | `{kind.code}` | {words} |" in page


def test_codes_of_one_vendor_and_what_was_recorded() -> None:
    page = provider_errors_page({"beta": {"1113": QuotaExceededError}}, PROOF)
    assert "| beta | `1113` | `QuotaExceededError` |" in page
    assert "| MiniMax (`base_resp`) | `1008` `2056` | `QuotaExceededError` |" in page
    assert "| acme | 402 | `no_money` | `QuotaExceededError` |" in page


def test_every_class_on_it_exists() -> None:
    named = set(re.findall(r"`(\w+Error)`", provider_errors_page({}, PROOF)))
    assert all(issubclass(getattr(errors, name), errors.ProviderError) for name in named)
