from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from parley.contract.capabilities import Capabilities
from parley.contract.errors import ConfigurationError
from parley.provider import AnthropicMessages, OpenAIChat
from parley.registry import proof as proofs
from parley.registry.discovery import built_in_candidates, load_file
from parley.registry.loading import Registry
from parley.registry.proof import Evidence, Proof, ProviderProof, codec_hash, grade_of, problems_of, read_proof

SHOWN = Evidence(grade="vendor-proven", verdict="read", recording="acme/tools/a.json", sha256="00")


def proof_of(wire: object, **cells: Evidence) -> Proof:
    return Proof(version=1, providers={"acme": ProviderProof(wire="openai_chat", codec=codec_hash(wire), capabilities=cells)})


def test_the_proof_that_ships_has_every_provider_and_capability() -> None:
    proof = read_proof()
    names = [candidate.name for candidate in built_in_candidates()]
    assert list(problems_of(proof, names, Capabilities.__struct_fields__)) == []
    registry = Registry.from_environment(environ={}, directory="/nonexistent")
    graded = {name: grade_of(proof, name, "tools", declared=True, wire=registry.wire(name)).grade for name in names}
    assert graded["groq"] == "vendor-proven"
    assert graded["openai-compatible"] == "wire-proven"
    assert graded["demo"] == "claimed"


def test_a_cell_is_stale_once_its_codec_is_another() -> None:
    proof = proof_of(OpenAIChat(), tools=SHOWN, seed=Evidence(grade="claimed"))
    assert not grade_of(proof, "acme", "tools", declared=True, wire=OpenAIChat(max_tokens_field="max_tokens")).stale
    assert grade_of(proof, "acme", "tools", declared=True, wire=AnthropicMessages()).stale
    assert not grade_of(proof, "acme", "seed", declared=True, wire=AnthropicMessages()).stale, (
        "nothing was proven that could be out of date"
    )


def test_who_was_never_proven_has_claims_alone() -> None:
    for declared, grade in ((True, "claimed"), ("native", "claimed"), (None, "not claimed"), (False, "not claimed")):
        graded = grade_of(proof_of(None), "nobody", "tools", declared=declared)
        assert (graded.grade, graded.recording, graded.stale) == (grade, "", False)


OWN_CODEC = '''
from parley.provider import OpenAIChat
class Own(OpenAIChat, frozen=True):
    """One."""
'''


def test_the_hash_is_of_all_that_the_codec_is_made_of(tmp_path: Path) -> None:
    def hash_of(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return codec_hash(load_file(tmp_path / name).Own())

    first, same, other = (hash_of(f"{name}.py", text) for name, text in (("a", OWN_CODEC), ("b", OWN_CODEC), ("c", OWN_CODEC + "#")))
    assert first != codec_hash(OpenAIChat()), "its own file counts"
    assert first == same != other
    assert codec_hash(OpenAIChat()) == codec_hash(OpenAIChat(stream_usage=False)) != codec_hash(AnthropicMessages())
    assert codec_hash(None) == ""


def test_the_hash_follows_what_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = proofs._source_of

    def source_of(name: str, kind: type) -> bytes:
        read.append(name)
        return original(name, kind)

    monkeypatch.setattr(proofs, "_source_of", source_of)
    proofs._hash_of.cache_clear()
    codec_hash(OpenAIChat())
    assert {"parley.wire.openai_chat", "parley.wire.openai_chat_decode", "parley.wire.sse"} <= set(read)
    assert not {name for name in read if "server" in name or not name.startswith("parley.wire")}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        (b"{", "is no proof"),
        (b'{"version": 1, "providers": {"acme": {"capabilities": {"tools": {"grade": "sworn"}}}}}', "sworn"),
        (b'{"version": 2, "providers": {}}', "version 2"),
        (b'{"version": 1, "providers": {}, "extra": 1}', "extra"),
    ],
)
def test_a_file_that_is_no_proof_is_told_with_the_remedy(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "proof.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="make proof") as raised:
        read_proof(path)
    assert words in raised.value.message


def test_what_is_missing_and_what_is_too_much_is_named() -> None:
    proof = proof_of(None, tools=SHOWN)
    assert list(problems_of(proof, ["acme"], ["tools"])) == []
    assert list(problems_of(proof, ["acme", "other"], ["tools", "seed"])) == ["acme lacks seed", "other is not in it"]
    assert list(problems_of(proof, [], [])) == ["acme is in it, but no provider is called so"]


def test_the_file_keeps_what_was_written(tmp_path: Path) -> None:
    proof: Any = proof_of(OpenAIChat(), tools=SHOWN)
    (tmp_path / "proof.json").write_bytes(msgspec.json.encode(proof))
    assert read_proof(tmp_path / "proof.json") == proof
