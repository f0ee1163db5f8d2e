"""Proves from recordings what the providers that ship can do, and writes it down: `python -m parley.testing.proof`, or `--check`.

Which recordings are whose follows from their names and the wire's; what one shows, from the events that the codec reads out of it and
from the request that was recorded with it. Knows no vendor.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from parley.contract.capabilities import Capabilities
from parley.contract.codec import Codec, Embeds, ListsModels
from parley.contract.config import config_fields
from parley.contract.embeddings import EmbeddingRequest
from parley.contract.errors import ConfigurationError, ParleyError, ProtocolError
from parley.contract.events import (
    CitationAdded,
    Event,
    ReasoningDelta,
    ReasoningEnded,
    ResponseFinished,
    TextDelta,
    ToolCallEnded,
    UsageReported,
    WarningRaised,
)
from parley.contract.http import ResponseHead
from parley.contract.messages import Message
from parley.contract.request import ChatRequest
from parley.guard.guarded import GuardedProvider, guard
from parley.registry.definition import Definition, define
from parley.registry.discovery import built_in_candidates
from parley.registry.proof import FORMAT_VERSION, PATH, Evidence, Proof, ProviderProof, SeenError, codec_hash, problems_of, read_proof
from parley.testing.made_up import made_up_config, sample_for
from parley.testing.payload_diff import PayloadDiff, marks_of, payload_diffs
from parley.testing.recordings import IndexRow, Recording, load_recording, read_index, recordings_directory

CAPABILITIES = Capabilities.__struct_fields__
_QUESTION = ChatRequest(messages=[Message(role="user", content="Hi")])
_BYTE_BY_BYTE_UP_TO = 64 * 1024
_MOST_TEXTS = 8
# A recording without these has no reply that could show anything.
_NO_REPLIES = frozenset({"error", "error-stream"})
# Options whose effect must show in the reply as well: the text is JSON.
_ANSWERED_IN_JSON = frozenset({"response_format", "structured_output"})
# What only a reply can show, whatever was asked for.
_READ = frozenset({"streaming", "tools", "reasoning", "citations", "usage", "list_models", "embeddings"})
# What many a request holds anyway is no sign of an option.
_COMMON_MARKS = frozenset({"system", "systeminstruction", "text", "type=text", "parts"})


class Shown(Struct, frozen=True, kw_only=True):
    """What one recording shows. `read`: capabilities in its reply; `marks`: what its request speaks of; `in_json`: the text is JSON."""

    row: IndexRow
    read: frozenset[str]
    marks: frozenset[str]
    in_json: bool
    sha256: str


def speaks(wire: str, family: str) -> bool:
    """Whether a family of recordings is on this wire: its words begin the wire's ("gemini", "gemini_generate"); or it is the list of
    models of the vendor whom the wire is named after ("openai-models"), or its embeddings ("openai-embeddings").
    """
    words, named = wire.split("_"), family.split("-")
    return words[: len(named)] == named or named in ([words[0], "models"], [words[0], "embeddings"])


def is_of(provider: str, wire: str, label: str, *, called: str = "") -> bool:
    """Whether recordings of this label are the provider's own: its name, or what it is `called` ("Acme Cloud": "acme-cloud"), and after
    the name words of its wire alone ("mistral-chat").

    "openai-compat-anthropic" is thus nobody's: somebody else's imitation of a wire proves nothing of its inventor.
    """
    if called and label == called.lower().replace(" ", "-"):
        return True
    own = [*wire.split("_"), "chat", "models", "embeddings"]
    return label == provider or (label.startswith(f"{provider}-") and all(word in own for word in label[len(provider) + 1 :].split("-")))


def _is_on(wire: Codec, row: IndexRow) -> bool:
    """Whether a recording is on this wire. Vectors often come from another address of the same vendor."""
    return speaks(wire.name, row.wire_family) or (row.kind == "embeddings" and row.wire_family.split("-")[0] == wire.name.split("_")[0])


def _is_own(subject: Subject, wire: Codec, row: IndexRow) -> bool:
    """Whether a recording is of the subject's own vendor."""
    of_vectors = row.kind == "embeddings" and row.provider.startswith(f"{subject.name}-") and row.provider.endswith("-embeddings")
    return of_vectors or is_of(subject.name, wire.name, row.provider, called=subject.label)


def shown_by(row: IndexRow, wire: Codec, directory: Path) -> Shown | None:
    """What a recording shows through this codec; None where it shows nothing: constructed, an error, or not read whole."""
    if not row.recorded or row.kind in _NO_REPLIES or not 200 <= row.status < 300:
        return None
    path = directory / row.file
    recording = load_recording(path)
    read, in_json = _capabilities_read(recording, wire)
    if not read:
        return None
    body = recording.request.body if recording.request else None
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Shown(row=row, read=read, marks=marks_of(body), in_json=in_json, sha256=sha256)


def _capabilities_read(recording: Recording, wire: Codec) -> tuple[frozenset[str], bool]:
    head = ResponseHead(status=recording.status, headers=recording.headers, provider="vendor", model=recording.model)
    if recording.kind == "models":
        lists = isinstance(wire, ListsModels) and bool(wire.decode_models(head, recording.body))
        return frozenset({"list_models"} if lists else ()), False
    if recording.kind == "embeddings":
        return frozenset({"embeddings"} if isinstance(wire, Embeds) and _embeds(recording, wire, head) else ()), False
    events = _events(recording, wire, head)
    if not events or not isinstance(events[-1], ResponseFinished):
        return frozenset(), False
    found = {"streaming"} if recording.streaming else {"complete"}
    for event in events:
        found |= _shown_by_event(event)
    if any(isinstance(event, WarningRaised) and event.incomplete for event in events):
        return frozenset(), False
    return frozenset(found), _is_json("".join(event.text for event in events if isinstance(event, TextDelta)))


def _embeds(recording: Recording, wire: Embeds, head: ResponseHead) -> bool:
    """Whether the reply holds a vector for each text, however many there were."""
    for count in range(1, _MOST_TEXTS + 1):
        try:
            wire.decode_embeddings(EmbeddingRequest(texts=["text"] * count), head, recording.body)
        except ProtocolError:
            continue
        return True
    return False


def _events(recording: Recording, wire: Codec, head: ResponseHead) -> list[Event]:
    """The events of the reply, where they are the same in one piece and byte by byte; else none."""
    splits = [[recording.body]]
    if len(recording.body) <= _BYTE_BY_BYTE_UP_TO:
        splits.append([recording.body[index : index + 1] for index in range(len(recording.body))])
    found: list[list[Event]] = []
    for pieces in splits:
        decoder = wire.decoder(_QUESTION, head)
        try:
            found.append([event for piece in pieces for event in decoder.feed(piece)] + decoder.close())
        except ParleyError:
            return []
    return found[0] if all(events == found[0] for events in found) else []


def _shown_by_event(event: Event) -> set[str]:
    if isinstance(event, ToolCallEnded):
        return {"tools"}
    if isinstance(event, (ReasoningDelta, ReasoningEnded)):
        return {"reasoning"}
    if isinstance(event, CitationAdded):
        return {"citations"}
    if isinstance(event, UsageReported) and None not in {event.usage.prompt_tokens, event.usage.completion_tokens}:
        return {"usage"}
    return set()


def _is_json(text: str) -> bool:
    try:
        return isinstance(msgspec.json.decode(text.encode("utf-8", "replace")), (dict, list))
    except msgspec.DecodeError:
        return False


class Subject(Struct, frozen=True, kw_only=True):
    """A provider that ships, by one of its APIs (`api` is empty for the one it speaks unasked): what it declares, and by model what
    becomes of each option. `label` is what people call it.
    """

    name: str
    wire: Codec | None
    declared: Capabilities
    diffs: dict[str, list[PayloadDiff]]
    api: str = ""
    label: str = ""


async def subjects() -> list[Subject]:
    """Every provider that ships, by each of its APIs, its options tried out with each of its models."""
    return [
        await _subject(definition, api=api, wire=wire)
        for definition in _built_in()
        for api, wire in (("", definition.wire), *definition.apis.items())
    ]


def _built_in() -> list[Definition]:
    return [define(candidate) for candidate in built_in_candidates()]


async def _subject(definition: Definition, *, api: str, wire: Codec | None) -> Subject:
    diffs: dict[str, list[PayloadDiff]] = {}
    default = next((str(field.default) for field in config_fields(definition.config_type) if field.name == "model"), "")
    for model in [listed.id for listed in definition.models] or [default or "model"]:
        if wire is not None and (sample := sample_for(wire, model)):
            diffs[model] = await payload_diffs(partial(_made, definition, model, {"api": api} if api else {}), sample.complete())
    provider = _made(definition, "model", {"api": api} if api else {}, "http://127.0.0.1:9/v1") if wire else None
    declared = provider.capabilities if provider is not None else definition.capabilities
    return Subject(name=definition.name, wire=wire, declared=declared, diffs=diffs, api=api, label=definition.label)


def _made(definition: Definition, model: str, chosen: Mapping[str, str], url: str) -> GuardedProvider:
    config = made_up_config(definition.config_type, endpoint=url, key="k-proof", model=model, **chosen)
    return guard(definition.create(config, {}))


def prove(everybody: Sequence[Subject], directory: Path) -> Proof:
    """The proof of these providers from the recordings in a folder."""
    rows = list(read_index(directory))
    by_wire: dict[str, list[Shown]] = {}
    proofs: dict[str, ProviderProof] = {}
    for subject in everybody:
        wire = subject.wire
        if wire is None:
            cells = {name: _claim(getattr(subject.declared, name)) for name in CAPABILITIES}
            proofs[subject.name] = ProviderProof(capabilities=cells)
            continue
        if wire.name not in by_wire:
            found = (shown_by(row, wire, directory) for row in rows if row.kind != "embeddings" and _is_on(wire, row))
            by_wire[wire.name] = sorted(filter(None, found), key=lambda shown: (not shown.row.body_exact, shown.row.bytes, shown.row.file))
        # How vectors are packed is a dialect's own, so each reads for itself.
        vectors = [row for row in rows if row.kind == "embeddings" and subject.declared.embeddings and _is_on(wire, row)]
        shown = [*filter(None, (shown_by(row, wire, directory) for row in vectors)), *by_wire[wire.name]]
        cells = {name: _cell(subject, wire, shown, capability=name) for name in CAPABILITIES}
        own = (row for row in rows if speaks(wire.name, row.wire_family) and _is_own(subject, wire, row))
        errors = list(errors_seen(own, wire, directory))
        proven = ProviderProof(wire=wire.name, codec=codec_hash(wire), capabilities=cells, errors=errors)
        if subject.api:
            proven = structs.replace(proofs[subject.name], apis=proofs[subject.name].apis | {subject.api: proven})
        proofs[subject.name] = proven
    return Proof(version=FORMAT_VERSION, providers=proofs)


def errors_seen(rows: Iterable[IndexRow], wire: Codec, directory: Path) -> Iterator[SeenError]:
    """Each error of these recordings once, in order of status and the vendor's word."""
    found: dict[tuple[int, str, str], str] = {}
    for row in sorted(rows, key=lambda row: row.file):
        if row.recorded and row.kind in _NO_REPLIES:
            error = _error_of(load_recording(directory / row.file), wire)
            if error is not None:
                found.setdefault((error.status or row.status, error.provider_code or "", type(error).__name__), row.file)
    for (status, provider_code, name), file in sorted(found.items()):
        yield SeenError(status=status, provider_code=provider_code, error=name, recording=file)


def _error_of(recording: Recording, wire: Codec) -> ParleyError | None:
    head = ResponseHead(status=recording.status, headers=recording.headers, provider="vendor", model=recording.model)
    if recording.status >= 400:
        return wire.decode_error(head, recording.body)
    decoder = wire.decoder(_QUESTION, head)
    try:
        decoder.feed(recording.body)
        decoder.close()
    except ParleyError as error:
        return error
    return None


def _claim(declared: object) -> Evidence:
    return Evidence(grade="claimed" if declared else "not claimed")


def _cell(subject: Subject, wire: Codec, shown: Sequence[Shown], *, capability: str) -> Evidence:
    """The best evidence for one capability: the vendor's own recording, then one of its wire, then none."""
    tried = {model: [diff for diff in diffs if diff.capability == capability] for model, diffs in subject.diffs.items()}
    sent = [diff for diffs in tried.values() for diff in diffs if diff.outcome == "sent"]
    if any(tried.values()) and not sent:
        refused = any(diff.outcome == "refused" for diffs in tried.values() for diff in diffs)
        claim = _claim(getattr(subject.declared, capability))
        return structs.replace(claim, verdict="refused" if refused else "left out")
    not_by = [model for model, diffs in tried.items() if diffs and not any(diff.outcome == "sent" for diff in diffs)]
    own = [each for each in shown if _is_own(subject, wire, each.row)]
    for grade, candidates in (("vendor-proven", own), ("wire-proven", shown)):
        for each in candidates:
            if verdict := _verdict(each, capability, sent):
                file, sha256 = each.row.file, each.sha256
                return Evidence(grade=grade, verdict=verdict, recording=file, sha256=sha256, not_by=not_by)  # pyright: ignore[reportArgumentType]
    return structs.replace(_claim(getattr(subject.declared, capability)), not_by=not_by)


def _verdict(shown: Shown, capability: str, sent: Iterable[PayloadDiff]) -> str:
    """How a recording speaks for a capability; empty where it does not."""
    if capability in _READ:
        return "read" if capability in shown.read else ""
    if capability in _ANSWERED_IN_JSON and not shown.in_json:
        return ""
    return "accepted" if any(_signs(diff) and _signs(diff) <= shown.marks for diff in sent) else ""


def _signs(diff: PayloadDiff) -> set[str]:
    """What a request that asks for the same must speak of."""
    added = set(diff.added) - _COMMON_MARKS
    if diff.added:
        return added
    # A field that is always there, like the limit that some wires demand: its name.
    return {path.rpartition(".")[2].replace("_", "").lower() for path in diff.paths if path.startswith("body.")} - {"messages", "contents"}


def check(proof: Proof) -> Iterator[str]:
    """What is wrong with the proof as a whole: providers or capabilities missing, a wire of which nothing was ever recorded and much is
    claimed. One that claims nothing beyond an answer is merely listed as claimed.
    """
    yield from problems_of(proof, [definition.name for definition in _built_in()], CAPABILITIES)
    for name, proven in proof.providers.items():
        cells = proven.capabilities.values()
        if proven.wire and any(cell.grade == "claimed" for cell in cells) and not any(cell.recording for cell in cells):
            yield f"of {name} and its wire {proven.wire} nothing was recorded; all of it is claimed"


def stale(proof: Proof) -> Iterator[str]:
    """The providers of which a codec has changed since."""
    for definition in _built_in():
        proven = proof.providers.get(definition.name)
        now = {api: codec_hash(wire) for api, wire in definition.apis.items()}
        if proven is None:
            continue
        if proven.codec != codec_hash(definition.wire) or {api: each.codec for api, each in proven.apis.items()} != now:
            yield definition.name


def altered(proof: Proof, directory: Path) -> Iterator[str]:
    """Recordings that are no longer what they were when they proved something."""
    every = [each for proven in proof.providers.values() for each in (proven, *proven.apis.values())]
    hashes = {each.recording: each.sha256 for proven in every for each in proven.capabilities.values() if each.recording}
    for file, sha256 in sorted(hashes.items()):
        path = directory / file
        if not path.is_file():
            yield f"{file} is gone"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            yield f"{file} has changed"


def written(proof: Proof) -> bytes:
    """The proof as its file has it: one capability a line, so that a change can be read."""
    return msgspec.json.format(msgspec.json.encode(proof), indent=1) + b"\n"


def _check(directory: Path | None) -> int:
    try:
        proof = read_proof()
    except ConfigurationError as error:
        return _say(error.message)
    problems = list(check(proof))
    changed = list(stale(proof))
    if directory is None:
        if changed:
            _say(f"warning: {PATH.name} is stale for {', '.join(changed)}; there are no recordings here to prove it anew")
    else:
        problems += [f"the codec of {name} has changed since" for name in changed] + list(altered(proof, directory))
    return _say(f"{PATH.name}: {'; '.join(problems)}. Run 'make proof'.") if problems else 0


def _say(text: str) -> int:
    sys.stderr.write(text + "\n")
    return 1


def main() -> int:
    """Write `proof.json`, or with `--check` say what is wrong with it."""
    ask = argparse.ArgumentParser(description="Prove from recordings what the providers that ship can do.")
    ask.add_argument("--check", action="store_true", help="write nothing; fail where proof.json misses something or is stale")
    directory = recordings_directory()
    if ask.parse_args().check:
        return _check(directory)
    if directory is None:
        return _say("there are no recordings here: set PARLEY_RECORDINGS to their folder")
    everybody = asyncio.run(subjects())
    if problems := [
        f"{each.name}: {diff.problem}" for each in everybody for diffs in each.diffs.values() for diff in diffs if diff.problem
    ]:
        return _say("\n".join(problems))
    proof = prove(everybody, directory)
    PATH.write_bytes(written(proof))
    grades = [evidence.grade for proven in proof.providers.values() for evidence in proven.capabilities.values()]
    counts = ", ".join(f"{grades.count(grade)} {grade}" for grade in ("vendor-proven", "wire-proven", "claimed"))
    sys.stdout.write(f"{PATH.name}: {len(proof.providers)} providers, {counts}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
