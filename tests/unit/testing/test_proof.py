"""What a recording proves, and of whom: over a small folder of recordings written for these tests."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parley.contract.capabilities import Capabilities
from parley.provider import OpenAIChat
from parley.registry.proof import Proof, read_proof
from parley.testing import proof as proving
from parley.testing.payload_diff import PayloadDiff
from parley.testing.proof import Subject, altered, check, is_of, prove, speaks, stale
from parley.testing.replay import Answer
from parley.testing.samples import openai_chat

SAMPLE = openai_chat()
COLUMNS = ["file", "provider", "wire_family", "kind", "status", "streaming", "bytes", "model", "recorded", "body_exact", "notes"]


class Folder:
    """A folder of recordings, with its index."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.rows: list[dict[str, Any]] = []

    def add(self, name: str, answer: Answer, *, vendor: str = "acme", request: Any = None, **row: Any) -> str:
        file = f"{vendor}/{row.get('kind', 'generate')}/{name}.json"
        path = self.directory / file
        path.parent.mkdir(parents=True, exist_ok=True)
        response = {"status": row.get("status", 200), "headers": answer.headers, "body_text": answer.body.decode(), "body_exact": True}
        head = {"provider": vendor, "wire_family": "openai-chat", "kind": "generate", "model": "m", "streaming": answer.streamed}
        path.write_text(json.dumps({**head, "response": response, "request": {"body": request} if request else None, "notes": []}))
        usual = {"file": file, **head, "status": 200, "bytes": len(answer.body), "recorded": True, "body_exact": True}
        written = {column: (usual | row).get(column, "") for column in COLUMNS}
        self.rows.append({name: str(value).lower() if isinstance(value, bool) else value for name, value in written.items()})
        with (self.directory / "INDEX.csv").open("w", newline="") as index:
            writer = csv.DictWriter(index, COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)
        return file


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def proven(folder: Folder) -> Callable[..., dict[str, Any]]:
    """The cells of a provider named acme: grade, verdict, recording."""

    def of(*diffs: PayloadDiff, name: str = "acme", declared: Capabilities | None = None) -> dict[str, Any]:
        subject = Subject(name=name, wire=OpenAIChat(), declared=declared or Capabilities(), diffs={"m": list(diffs)})
        cells = prove([subject], folder.directory).providers[name].capabilities
        return {capability: (cell.grade, cell.verdict, cell.recording) for capability, cell in cells.items()}

    return of


SEED = PayloadDiff(option="seed", capability="seed", outcome="sent", paths=["body.seed"], added=["seed"])


def test_a_vendors_own_recording_proves_what_its_reply_shows(folder: Folder, proven: Any) -> None:
    called = folder.add("called", SAMPLE.tool_called())
    streamed = folder.add("streamed", SAMPLE.streamed())
    cells = proven(declared=Capabilities(citations=True))
    assert cells["tools"] == ("vendor-proven", "read", called)
    assert cells["streaming"] == ("vendor-proven", "read", streamed)
    assert cells["usage"][:2] == ("vendor-proven", "read")
    assert cells["citations"] == ("claimed", "not shown", "")
    assert cells["reasoning"] == ("not claimed", "not shown", "")


def test_another_vendors_recording_proves_the_wire_alone(folder: Folder, proven: Any) -> None:
    called = folder.add("called", SAMPLE.tool_called(), vendor="other")
    assert proven()["tools"] == ("wire-proven", "read", called)
    assert proven(name="other")["tools"] == ("vendor-proven", "read", called)


def test_an_option_is_proven_by_a_request_that_had_it_and_was_answered(folder: Folder, proven: Any) -> None:
    folder.add("without", SAMPLE.complete(), request={"messages": []})
    file = folder.add("with", SAMPLE.complete(), request={"messages": [], "seed": 7})
    assert proven(SEED)["seed"] == ("vendor-proven", "accepted", file)
    assert proven(name="other")["seed"] == ("not claimed", "not shown", ""), "who does not send it proves nothing by it"
    refused = PayloadDiff(option="seed", capability="seed", outcome="warned", declared=False)
    assert proven(refused)["seed"] == ("not claimed", "left out", "")


def test_structured_output_must_be_answered_in_json(folder: Folder, proven: Any) -> None:
    asked = {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": True}}}
    added = ["jsonschema", "responseformat", "type=json_schema"]
    diff = PayloadDiff(option="response_format={schema}", capability="structured_output", outcome="sent", added=added)
    folder.add("prose", SAMPLE.complete(), request=asked)
    assert proven(diff)["structured_output"][0] == "not claimed"
    file = folder.add("json", openai_chat(['{"a":', "1}"]).complete(), request=asked)
    assert proven(diff)["structured_output"] == ("vendor-proven", "accepted", file)


def test_what_was_made_up_cut_off_or_refused_proves_nothing(folder: Folder, proven: Any) -> None:
    folder.add("made-up", SAMPLE.tool_called(), recorded=False)
    folder.add("cut-off", SAMPLE.stream_of(SAMPLE.tool_events[:-3]))
    folder.add("refused", SAMPLE.tool_called(), status=400)
    folder.add("error", SAMPLE.tool_called(), kind="error")
    assert proven()["tools"] == ("not claimed", "not shown", "")


def test_the_smallest_exact_recording_is_named(folder: Folder, proven: Any) -> None:
    folder.add("long", openai_chat(["word "] * 50).complete())
    folder.add("rebuilt", SAMPLE.complete(), body_exact=False)
    file = folder.add("short", SAMPLE.complete())
    assert proven()["usage"][2] == file


@pytest.mark.parametrize(
    ("wire", "family", "expected"),
    [
        ("openai_chat", "openai-chat", True),
        ("openai_chat", "openai-models", True),
        ("openai_chat", "openai-embeddings", True),
        ("openai_chat", "openai-responses", False),
        ("gemini_generate", "gemini", True),
        ("gemini_generate", "gemini-interactions", False),
        ("anthropic_messages", "openai-chat", False),
    ],
)
def test_which_recordings_are_on_a_wire(wire: str, family: str, expected: bool) -> None:
    assert speaks(wire, family) is expected


@pytest.mark.parametrize(
    ("provider", "wire", "label", "expected"),
    [
        ("groq", "openai_chat", "groq", True),
        ("mistral", "openai_chat", "mistral-chat", True),
        ("mistral", "openai_chat", "mistral-models", True),
        ("ollama", "openai_chat", "ollama-openai", True),
        ("openai", "openai_chat", "openai-chat", True),
        ("openai", "openai_chat", "openai-compat-anthropic", False),
        ("openai", "openai_chat", "azure-openai", False),
        ("openai-compatible", "openai_chat", "openai-chat", False),
        ("gemini", "gemini_generate", "vertex-gemini", False),
    ],
)
def test_whose_recordings_they_are(provider: str, wire: str, label: str, expected: bool) -> None:
    assert is_of(provider, wire, label) is expected


def test_a_recording_that_was_changed_or_is_gone_is_told(folder: Folder) -> None:
    file = folder.add("called", SAMPLE.tool_called())
    proof = prove([Subject(name="acme", wire=OpenAIChat(), declared=Capabilities(), diffs={})], folder.directory)
    assert list(altered(proof, folder.directory)) == []
    with (folder.directory / file).open("a") as changed:
        changed.write(" ")
    assert list(altered(proof, folder.directory)) == [f"{file} has changed"]
    (folder.directory / file).unlink()
    assert list(altered(proof, folder.directory)) == [f"{file} is gone"]


def test_a_wire_of_which_nothing_was_recorded_is_not_let_pass() -> None:
    proof = read_proof()
    assert list(check(proof)) == []
    bare = {
        name: type(each)(wire=each.wire, codec=each.codec, capabilities={cell: proving._claim(True) for cell in each.capabilities})
        for name, each in proof.providers.items()
    }
    assert "of gemini and its wire gemini_generate nothing was recorded; all of it is claimed" in list(
        check(Proof(version=1, providers=bare))
    )


def test_a_changed_codec_is_found() -> None:
    proof = read_proof()
    old = {name: type(each)(wire=each.wire, codec="0", capabilities=each.capabilities) for name, each in proof.providers.items()}
    assert "groq" in list(stale(Proof(version=1, providers=old)))


@pytest.mark.parametrize("recordings", [True, False])
def test_the_check_fails_on_stale_cells_only_where_they_could_be_proven_anew(
    recordings: bool, folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.add("called", SAMPLE.tool_called())
    monkeypatch.setenv("PARLEY_RECORDINGS", str(folder.directory if recordings else tmp_path / "nowhere"))
    monkeypatch.setattr(proving, "stale", lambda _: ["groq"])
    monkeypatch.setattr(proving, "altered", lambda *_: [])
    assert proving._check(proving.recordings_directory()) == int(recordings)
    told = capsys.readouterr().err
    assert "groq" in told
    assert ("make proof" in told) is recordings
