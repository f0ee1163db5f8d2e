from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from parley.contract.errors import ConfigurationError
from parley.services.secrets import SealedError, SecretBox, stored_secret, weakness

OLD, NEW = "old-key-0123456789-abcdefghij-ABCDEF", "new-key-9876543210-jihgfedcba-FEDCBA"


def test_what_was_sealed_opens_again_and_shows_nothing() -> None:
    box = SecretBox([OLD])
    sealed = box.seal("canary-key", context="acme")
    assert "canary" not in sealed + repr(box)
    assert sealed != box.seal("canary-key", context="acme")
    assert box.open(sealed, context="acme") == "canary-key"


@pytest.mark.parametrize("sealed", ["", "s1.", "s1.AAAA", "canary", "s1.!!!", "s1.\ud800", "s1." + "A" * 100])
def test_what_was_not_sealed_does_not_open(sealed: str) -> None:
    with pytest.raises(SealedError) as caught:
        SecretBox([OLD]).open(sealed, context="acme")
    assert "canary" not in str(caught.value)


def test_it_opens_neither_elsewhere_nor_changed_nor_with_another_key() -> None:
    sealed = SecretBox([OLD]).seal("key", context="acme")
    changed = sealed[:-5] + ("A" if sealed[-5] != "A" else "B") + sealed[-4:]
    for box, text, context in ((SecretBox([OLD]), sealed, "beta"), (SecretBox([OLD]), changed, "acme"), (SecretBox([NEW]), sealed, "acme")):
        with pytest.raises(SealedError):
            box.open(text, context=context)


def test_keys_are_rotated_by_sealing_again() -> None:
    sealed = SecretBox([OLD]).seal("key", context="acme")
    both = SecretBox([NEW, OLD])
    renewed = both.resealed(sealed, context="acme")
    assert renewed is not None
    assert SecretBox([NEW]).open(renewed, context="acme") == "key"
    assert both.resealed(renewed, context="acme") is None


def test_a_stored_secret_is_made_once_even_by_many_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"
    with ThreadPoolExecutor(8) as threads:
        secrets = set(threads.map(stored_secret, [path] * 32))
    assert len(secrets) == 1
    assert weakness(secrets.pop()) is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["secret"]


@pytest.mark.parametrize("content", [b"", b"short", b"\xff\xfe" * 40])
def test_a_file_that_holds_no_secret_is_refused_without_being_shown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        stored_secret(tmp_path / "secret")
    assert "short\n" not in caught.value.message
