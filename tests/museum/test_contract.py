"""The contract's rules over the exhibits: what their authors were promised to be tested by still passes them."""

from __future__ import annotations

from pathlib import Path

from parley.testing import ProviderContract

EXHIBITS = Path(__file__).parent / "v1"


class TestAcme(ProviderContract):
    provider = EXHIBITS / "acme.py"


class TestTelegraph(ProviderContract):
    provider = EXHIBITS / "telegraph.py"
    recordings = "v1/recordings/telegraph"


class TestParrot(ProviderContract):
    provider = EXHIBITS / "parrot.py"


class TestOracle(ProviderContract):
    provider = EXHIBITS / "oracle.py"


class TestYourProvider(ProviderContract):
    """Without recordings: its wire has no mark of its end, and its errors are its SDK's, which the guard makes typed ones of."""

    provider = EXHIBITS / "your_provider.py"
