"""A recording is written once, whole and clean, or not at all; the index names what is there."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.errors import ConfigurationError, InvalidRequestError
from parley.testing.recording_files import Origin, check_folder, document_of, host_of, save, slug
from parley.testing.recording_proxy import Passed
from parley.testing.recordings import find_recordings, load_recording
from parley.testing.replay import ReceivedRequest

SECRET = "a-quiet-secret-42"
ORIGIN = Origin(provider="acme", wire_family="openai-chat", host="api.acme.example", secrets=frozenset({SECRET}))


def passed(reply: bytes = b'{"id": 1}', *, status: int = 200, content_type: str = "application/json", **changes: Any) -> Passed:
    received: dict[str, Any] = {
        "method": "POST",
        "path": "/v1/chat",
        "headers": {"authorization": f"Bearer {SECRET}", "content-type": "application/json", "user-agent": "parley"},
        "body": b'{"model":"m","messages":[]}',
        "connection": 0,
    } | changes
    headers = {"content-type": content_type, "set-cookie": "a=b", "x-request-id": "r-1", "openai-organization": "acme-inc"}
    return Passed(request=ReceivedRequest(**received), status=status, headers=headers, reply=bytearray(reply), whole=True)


def saved(folder: Path, exchange: Passed, *, kind: str = "generate", name: str = "text", notes: tuple[str, ...] = ()) -> Path:
    return save(document_of(exchange, ORIGIN, kind=kind, model="m", notes=notes), folder, name=name, secrets=[SECRET])


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "INDEX.csv").open(encoding="utf-8", newline="") as index:
        return list(csv.DictReader(index))


@given(body=st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_body_comes_back_byte_for_byte(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    folder = tmp_path_factory.mktemp("recordings")
    document = document_of(passed(body), ORIGIN, kind="generate", model="m")
    if document.response.body_exact:
        assert load_recording(save(document, folder, name="x")).body == body
    else:
        assert document.response.taken_out


def test_what_is_written_is_what_happened_without_what_is_secret(tmp_path: Path) -> None:
    path = saved(tmp_path, passed(f"data: the key {SECRET} of a@example.com\n\n".encode(), content_type="text/event-stream"), kind="stream")
    assert path == tmp_path / "acme/stream/text.json"
    text = path.read_text(encoding="utf-8")
    for gone in (SECRET, "acme-inc", "a=b", "a@example.com", "Bearer"):
        assert gone not in text
    document = json.loads(text)
    assert document["request"] == {
        "method": "POST",
        "host": "api.acme.example",
        "path": "/v1/chat",
        "headers": {"content-type": "application/json"},
        "body": {"model": "m", "messages": []},
    }
    assert document["response"] == {
        "status": 200,
        "headers": {"content-type": "text/event-stream", "x-request-id": "r-1"},
        "body_exact": False,
        "body_text": "data: the key *** of ***\n\n",
        "taken_out": ["e-mail address", "key"],
    }
    assert (document["streaming"], document["stream_format"]) == (True, "sse")


def test_the_index_is_found_by_the_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = saved(tmp_path, passed(), notes=("cut, at 5",))
    second = saved(tmp_path, passed(status=429), kind="error", name="slow down")
    monkeypatch.setenv("PARLEY_RECORDINGS", str(tmp_path))
    assert list(find_recordings("acme")) == [first, second]
    row, error = rows(tmp_path)
    assert (row["status"], row["streaming"], row["bytes"], row["body_exact"], row["notes"]) == ("200", "false", "9", "true", "cut, at 5")
    assert (error["file"], error["status"], error["model"]) == ("acme/error/slow-down.json", "429", "m")


def test_nothing_is_written_over(tmp_path: Path) -> None:
    first = saved(tmp_path, passed(b"1"))
    second = saved(tmp_path, passed(b"2"))
    assert second.name == "text-2.json"
    assert [load_recording(path).body for path in (first, second)] == [b"1", b"2"]
    assert [row["file"] for row in rows(tmp_path)] == ["acme/generate/text.json", "acme/generate/text-2.json"]


def test_an_index_of_another_form_keeps_its_columns_and_loses_what_is_gone(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "INDEX.csv").write_text("file,provider,repo\na.json,beta,x/y\ngone.json,beta,z\n")
    saved(tmp_path, passed())
    assert [(row["file"], row["provider"], row["repo"]) for row in rows(tmp_path)] == [
        ("a.json", "beta", "x/y"),
        ("acme/generate/text.json", "acme", ""),
    ]


@pytest.mark.parametrize(
    ("reply", "place"),
    [
        (b"".join(b'data: {"t":"%b"}\n\n' % SECRET[cut : cut + 4].encode() for cut in range(0, 17, 4)), "t (over several events)"),
        (gzip.compress(SECRET.encode(), mtime=0), "response body (compressed)"),
        (b"token: hf_Ab3dEf6hIj9kLm2nOp5qRs8tUv", "response body, offset 7"),
        (b'{"password": "hunter2!"}', "response body, password"),
    ],
)
def test_nothing_is_written_while_a_secret_is_in_it(tmp_path: Path, reply: bytes, place: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        saved(tmp_path, passed(reply))
    assert place in caught.value.message
    assert SECRET not in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_a_secret_in_the_name_is_one_too(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="the name of the file"):
        saved(tmp_path, passed(), name=f"text-{SECRET}")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_used_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="--to"):
        check_folder(tmp_path / "file" / "below")
    (tmp_path / "INDEX.csv").write_text("no index\n")
    with pytest.raises(InvalidRequestError, match=r"INDEX\.csv"):
        check_folder(tmp_path)


def test_only_the_vendors_own_host_is_named() -> None:
    assert host_of("https://api.acme.example/v1", "https://api.acme.example/v1") == "api.acme.example"
    assert host_of("https://acme-inc.internal/v1", "https://api.acme.example/v1") == ""
    assert host_of("http://127.0.0.1:1/v1", "") == ""


@given(st.text(max_size=200))
def test_a_slug_is_a_file_name_on_any_system(name: str) -> None:
    made = slug(name)
    assert made == slug(made)
    assert made.isascii()
    assert 0 < len(made) <= 80
    assert not set(made) & set('/\\:*?"<>| ')
    assert made not in {".", ".."}
