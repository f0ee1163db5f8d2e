"""How well it is proven that a provider can what it says: reads `proof.json`, which ships with the providers. Knows no recording and
no wire; what a codec's proof was made with is known by the hash of its source files.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from parley import providers
from parley.contract.errors import ConfigurationError

Grade: TypeAlias = Literal["vendor-proven", "wire-proven", "claimed", "not claimed"]
Proven: TypeAlias = Literal["vendor", "wire", "claimed"]
PATH = Path(providers.__path__[0]) / "proof.json"
FORMAT_VERSION = 1
_WIRE_PACKAGE = "parley.wire."


class Evidence(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What speaks for one capability of one provider.

    `grade`: "vendor-proven" (a recording of this vendor shows it), "wire-proven" (one of another vendor on the same wire does, and
    where it is asked for by an option, this provider sends it), "claimed" (declared, and nothing shows it), "not claimed" (declared
    as missing, or unknown and not shown). `recording` is a path in the folder of recordings, `sha256` its hash. `verdict`: "read" (the
    reply shows it and is read alike in one piece and byte by byte), "accepted" (the vendor answered a request that asks for it),
    "left out" (with a warning), "refused" (before anything is sent), "not shown". `not_by` are models of this provider that cannot.
    """

    grade: Grade
    verdict: Literal["read", "accepted", "left out", "refused", "not shown"] = "not shown"
    recording: str = ""
    sha256: str = ""
    not_by: list[str] = []


class SeenError(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An error that this vendor was recorded with: its HTTP status, its own word, and the class that the codec makes of them."""

    status: int
    provider_code: str = ""
    error: str
    recording: str


class ProviderProof(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One provider's evidence by capability, its recorded errors, and what its codec was then: `wire` and `codec` are empty where it
    has none of ours. `apis` holds the same of each further API that its configuration may choose.
    """

    wire: str = ""
    codec: str = ""
    capabilities: dict[str, Evidence]
    errors: list[SeenError] = []
    apis: dict[str, ProviderProof] = {}


class Proof(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole of `proof.json`."""

    version: int
    providers: dict[str, ProviderProof]


class Graded(Struct, frozen=True, kw_only=True):
    """One cell as it stands today: `stale` where the codec's source has changed since the proof was made."""

    evidence: Evidence
    stale: bool = False

    @property
    def recording(self) -> str:
        """The recording's path in its folder; empty where there is none."""
        return self.evidence.recording

    @property
    def grade(self) -> Grade:
        """How well it is proven."""
        return self.evidence.grade


def read_proof(path: Path | None = None) -> Proof:
    """The proof in a file, or this Parley's own. Raises ConfigurationError where there is none, or none that this version reads."""
    path = path or PATH
    try:
        proof = msgspec.json.decode(path.read_bytes(), type=Proof)
    except OSError as error:
        raise ConfigurationError(f"{path.name} cannot be read ({error.strerror}); `make proof` writes it") from error
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise ConfigurationError(f"{path.name} is no proof: {error}; `make proof` writes it anew") from error
    if proof.version != FORMAT_VERSION:
        raise ConfigurationError(
            f"{path.name} has version {proof.version}; this Parley reads {FORMAT_VERSION}: `make proof` writes it anew"
        )
    return proof


def grade_of(proof: Proof, provider: str, capability: str, *, declared: object, wire: object = None) -> Graded:
    """The cell of a provider and a capability. `wire` is its codec as it is now; of a provider that nobody proved there is only what it
    has `declared`.
    """
    proven = proof.providers.get(provider)
    evidence = proven.capabilities.get(capability) if proven else None
    if proven is None or evidence is None:
        return Graded(evidence=Evidence(grade="claimed" if declared else "not claimed"))
    return Graded(evidence=evidence, stale=bool(evidence.recording) and proven.codec != codec_hash(wire))


@cache
def shipped_proof() -> Proof:
    """The proof that ships; where it is lost, nothing is proven."""
    try:
        return read_proof()
    except ConfigurationError:
        return Proof(version=FORMAT_VERSION, providers={})


def proven_by(proof: Proof, provider: str) -> Proven:
    """How well a provider is proven as a whole, any of its APIs: by its vendor's recordings, by others of a wire that it speaks, or not."""
    proven = proof.providers.get(provider)
    asked = [proven, *proven.apis.values()] if proven else []
    grades = {evidence.grade for each in asked for evidence in each.capabilities.values()}
    return "vendor" if "vendor-proven" in grades else "wire" if "wire-proven" in grades else "claimed"


def codec_hash(wire: object) -> str:
    """SHA-256 over the source of everything that this codec is made of: its classes' modules, and what of `parley.wire` they import.

    Empty for None, and for a codec whose source is not at hand.
    """
    return "" if wire is None else _hash_of(type(wire))


@cache
def _hash_of(kind: type) -> str:
    sources: dict[str, bytes] = {}
    waiting = [each.__module__ for each in kind.__mro__ if each.__module__.startswith("parley.") or each is kind]
    try:
        while waiting:
            name = waiting.pop()
            if name not in sources:
                sources[name] = _source_of(name, kind)
                waiting += _wire_imports(sources[name])
    except OSError:
        return ""
    whole = hashlib.sha256()
    for name in sorted(sources):
        # A provider file of the operator's is imported under a name of its own each time.
        known = name if name.startswith("parley.") else ""
        whole.update(f"{known}\n{len(sources[name])}\n".encode() + sources[name])
    return whole.hexdigest()


def _source_of(module_name: str, kind: type) -> bytes:
    if module_name == kind.__module__:
        path = inspect.getsourcefile(kind)
    else:
        spec = importlib.util.find_spec(module_name)
        path = spec.origin if spec else None
    if path is None:
        raise FileNotFoundError(module_name)
    return Path(path).read_bytes().replace(b"\r\n", b"\n")


def _wire_imports(source: bytes) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_WIRE_PACKAGE):
            yield node.module or ""


def problems_of(proof: Proof, expected: Sequence[str], capabilities: Sequence[str]) -> Iterator[str]:
    """What the proof lacks: a provider of these names, or a capability of one; and what it holds too much."""
    for name in expected:
        if name not in proof.providers:
            yield f"{name} is not in it"
            continue
        missing = set(capabilities) - proof.providers[name].capabilities.keys()
        if missing:
            yield f"{name} lacks {', '.join(sorted(missing))}"
    for name in proof.providers.keys() - set(expected):
        yield f"{name} is in it, but no provider is called so"
