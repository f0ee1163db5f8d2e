"""What is read from disk may be damaged or hostile: every file gives its recording, or one error with file, field and remedy."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.errors import InvalidRequestError
from parley.testing import recordings
from parley.testing.recordings import find_recordings, load_recording, read_index, read_recording

HEADER = "file,provider,wire_family,kind,status,streaming,bytes,recorded,body_exact\n"
REST = "openai-chat,generate,200,false,12,true,true"


def document(**changes: Any) -> dict[str, Any]:
    return {
        "provider": "acme",
        "wire_family": "openai-chat",
        "kind": "generate",
        "model": "m-1",
        "streaming": False,
        "request": None,
        "response": {"status": 200, "headers": {"Content-Type": "text/plain"}, "body_text": "Grüße", "body_exact": True},
    } | changes


def response(**changes: Any) -> dict[str, Any]:
    kept = document()["response"] | changes
    return document(response={name: value for name, value in kept.items() if value is not None})


def refused(data: bytes | dict[str, Any]) -> InvalidRequestError:
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    with pytest.raises(InvalidRequestError) as caught:
        read_recording(raw, path=Path("folder/damaged.json"))
    assert "damaged.json" in caught.value.message
    assert "record it again" in caught.value.message
    return caught.value


def test_a_recording_is_read_with_its_bytes() -> None:
    recording = read_recording(json.dumps(document()).encode(), path=Path("a/b/c/d.json"))
    assert (recording.file, recording.body, recording.headers) == ("b/c/d.json", "Grüße".encode(), {"content-type": "text/plain"})


def test_a_body_that_is_no_text_stands_in_base64() -> None:
    body = b"\xff\x00\xfe"
    raw = json.dumps(response(body_text=None, body_base64=base64.b64encode(body).decode())).encode()
    assert read_recording(raw, path=Path("x.json")).body == body


def test_what_a_later_version_adds_is_ignored() -> None:
    assert read_recording(json.dumps(document(weather="fine")).encode(), path=Path("x.json")).provider == "acme"


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        (document(provider=5), "provider", "must be text, not a whole number"),
        (document(streaming="yes"), "streaming", "must be true or false, not text"),
        (document(notes="x"), "notes", "must be a list, not text"),
        (document(request=[]), "request", "must be an object or null, not a list"),
        (document(request={"headers": {"a": "x\r\nb: y"}}), "request.headers.a", "line break"),
        (document(response="x"), "response", "must be an object, not text"),
        (response(status="200"), "response.status", "must be a whole number, not text"),
        (response(status=42), "response.status", "100"),
        (response(headers={"a b": "x"}), "response.headers", "no header can have"),
        (response(headers={"a": "x\nset-cookie: y"}), "response.headers.a", "line break"),
        (response(body_text=None), "response", "has no body"),
        (response(body_base64="eA=="), "response", "more than one body"),
        (response(body_text=None, body_base64="e?="), "response.body_base64", "is not base64"),
        (response(body_text=None, body_base64="ü"), "response.body_base64", "is not base64"),
        ({name: value for name, value in document().items() if name != "kind"}, "kind", "is missing"),
    ],
)
def test_a_field_that_is_wrong_is_named(changed: dict[str, Any], field: str, words: str) -> None:
    error = refused(changed)
    assert [problem.path for problem in error.fields] == [field]
    assert field in error.message
    assert words in error.message


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is not JSON"),
        (b'{"provider": "a"', "is not JSON"),
        (b"[]", "must be an object, not a list"),
        (json.dumps(document()).encode().replace(b"acme", b"ac\xff"), "is not UTF-8"),
        (json.dumps(document()).encode().replace(b"acme", b"\\ud800"), "is not JSON"),
        (json.dumps(document(request={"body": 0})).encode().replace(b"0}", b"[" * 100_000), "nested too deeply"),
    ],
)
def test_what_is_no_document_at_all_is_told(data: bytes, words: str) -> None:
    assert words in refused(data).message


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists).map(lambda value: json.dumps(value).encode())
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()) | st.dictionaries(st.text(), st.text())


def read_or_refused(data: bytes) -> None:
    """Either a recording, or the one error, which names the file; nothing else may be raised."""
    try:
        named = read_recording(data, path=Path("x.json")).file
    except InvalidRequestError as error:
        named = error.message if error.fields else ""
    assert "x.json" in named


@given(st.binary(max_size=400) | JSON)
def test_any_bytes_are_a_recording_or_one_typed_error(data: bytes) -> None:
    read_or_refused(data)


@given(st.data())
def test_any_value_in_any_field_is_read_or_refused(data: st.DataObject) -> None:
    changed = document()
    target = data.draw(st.sampled_from([changed, changed["response"]]))
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(VALUES)
    read_or_refused(json.dumps(changed).encode())


@given(st.integers(min_value=0, max_value=300), st.binary(min_size=1, max_size=4))
def test_a_file_with_flipped_bytes_is_read_or_refused(position: int, noise: bytes) -> None:
    raw = bytearray(json.dumps(document()).encode())
    raw[position : position + len(noise)] = noise
    read_or_refused(bytes(raw))


def test_what_cannot_be_read_is_told_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, words in (
        (tmp_path, "is a folder"),
        (tmp_path / "missing.json", "No such file"),
        (Path("/dev/zero"), "is no plain file"),
        (Path("a\0b"), "is no path"),
    ):
        with pytest.raises(InvalidRequestError, match=words):
            load_recording(path)
    monkeypatch.setattr(recordings, "MAX_RECORDING_BYTES", 10)
    (tmp_path / "large.json").write_text(json.dumps(document()))
    with pytest.raises(InvalidRequestError, match=r"large\.json is larger"):
        load_recording(tmp_path / "large.json")


def index(tmp_path: Path, text: str | bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_RECORDINGS", str(tmp_path))
    (tmp_path / "INDEX.csv").write_bytes(text.encode() if isinstance(text, str) else text)


def test_the_index_names_the_files_of_a_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index(tmp_path, f"{HEADER}acme/generate/a.json,acme,{REST}\nbeta/stream/b.json,beta,{REST}\n", monkeypatch)
    assert list(find_recordings("beta")) == [tmp_path / "beta/stream/b.json"]
    assert len(list(find_recordings())) == 2


@pytest.mark.parametrize("file", ["../secret.json", "a/../../secret.json", "/etc/passwd", "C:\\secret.json", "a\\..\\..\\b", "", "a\0b"])
def test_the_index_leads_to_no_file_outside_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    index(tmp_path, f"{HEADER}a.json,acme,{REST}\n{file},acme,{REST}\n", monkeypatch)
    with pytest.raises(InvalidRequestError, match=r"INDEX\.csv: line 3, file must be"):
        list(find_recordings())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no column"),
        ("name,kind\n", "has no column file and none provider"),
        (b"file,provider\n\xff,a\n", "is not UTF-8"),
        ('file,provider\n"a,b', "comma-separated"),
        ("file,provider\na,b\n", r"INDEX\.csv: line 2, wire_family is missing"),
        (f"{HEADER}a,b,{REST.replace('200', 'x')}\n", r"line 2, status must be a whole number, not text"),
    ],
)
def test_a_damaged_index_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | bytes, words: str) -> None:
    index(tmp_path, text, monkeypatch)
    with pytest.raises(InvalidRequestError, match=words):
        list(find_recordings())


def test_a_line_with_too_many_values_is_read_without_them(tmp_path: Path) -> None:
    (tmp_path / "INDEX.csv").write_text(f"{HEADER}a.json,acme,{REST},more,and more\n")
    (row,) = read_index(tmp_path)
    assert (row.file, row.status, row.streaming, row.recorded) == ("a.json", 200, False, True)
