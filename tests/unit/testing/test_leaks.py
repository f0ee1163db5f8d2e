"""No secret hides in a recording, however it is written, split or packed; and a good recording is not refused."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from typing import Any
from urllib.parse import quote

import pytest
from msgspec import structs

from parley.contract.errors import InvalidRequestError
from parley.testing.leaks import refuse_secrets, secrets_in
from parley.testing.recordings import RecordedRequest, Recording, find_recordings, load_recording, recordings_directory

SECRET = 'my "quiet" secret/42+ü'
KEY = "sk-proj-Ab3dEf6hIj9kLm2nOp5q"
GOOD = Recording(
    file="acme/stream/a.json",
    provider="acme",
    wire_family="openai-chat",
    kind="stream",
    model="m-1",
    streaming=True,
    status=200,
    headers={"content-type": "text/event-stream", "x-request-id": "req_011CQkYajyQnyY9eu2Fgbk1o"},
    body=b'data: {"id":"chatcmpl-9xYz","choices":[{"delta":{"content":"Basic arithmetic; a Bearer token; sk-learn."}}]}\n\n',
    exact=True,
    request=RecordedRequest(path="/v1/chat/completions?alt=sse", headers={"accept": "application/json"}, body={"max_tokens": 5}),
)


def with_body(body: bytes | str) -> Recording:
    return structs.replace(GOOD, body=body.encode() if isinstance(body, str) else body)


def with_request(**changes: Any) -> Recording:
    assert GOOD.request is not None
    return structs.replace(GOOD, request=structs.replace(GOOD.request, **changes))


def events(*texts: str) -> str:
    return "".join(f"data: {json.dumps({'choices': [{'delta': {'content': text}}]})}\n\n" for text in texts)


def test_a_good_recording_has_none() -> None:
    assert secrets_in(GOOD, secrets=[SECRET, KEY]) == []
    refuse_secrets(GOOD)


def encoded(text: str) -> bytes:
    return base64.b64encode(text.encode())


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (SECRET, "response body, offset 0"),
        ("x" * 7 + quote(SECRET, safe=""), "response body, offset 7"),
        (json.dumps({"a": SECRET}), "response body"),
        (json.dumps({"a": [{"b": f"it is {SECRET}!"}]}, ensure_ascii=False), "response body"),
        (json.dumps({SECRET: 1}), "response body"),
        ('{"a": "' + "".join(f"\\u{ord(letter):04x}" for letter in SECRET) + '"}', "response body, a"),
        ("data: " + "".join(f"%{byte:02x}" for byte in SECRET.encode()), "response body (percent-encoded)"),
        (b"prefix:" + encoded(f"user:{SECRET}"), "response body, offset"),
        (b"prefix:" + encoded(f"ab{SECRET}") + b" after", "response body, offset"),
        (SECRET.encode("utf-16-le"), "response body (in a wide encoding)"),
        (gzip.compress(b"before" + SECRET.encode(), mtime=0), "response body (compressed)"),
        (zlib.compress(SECRET.encode()), "response body (compressed)"),
        (b'{"data":"' + base64.b64encode(gzip.compress(SECRET.encode() * 3, mtime=0)) + b'"}', "(in base64)"),
        (events(*SECRET), "choices[0].delta.content (over several events)"),
        (events('my "qui', 'et" secret/4', "2+ü, it is"), "choices[0].delta.content (over several events)"),
        (b"\xff\xfe" + SECRET.encode(), "response body, offset 2"),
    ],
)
def test_a_known_secret_is_found_in_every_form(body: bytes | str, place: str) -> None:
    found = secrets_in(with_body(body), secrets=[SECRET])
    assert len(found) == 1
    assert place in found[0]
    assert "quiet" not in found[0]


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        "sk-ant-api03-AbCdEfGh1234567890",
        "gsk_Ab3dEf6hIj9kLm2nOp5qRs8t",
        "AIzaSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
        "AKIAIOSFODNN7EXAMPLE",
        "xai-Ab3dEf6hIj9kLm2nOp5qRs8tUvWx",
        "hf_Ab3dEf6hIj9kLm2nOp5qRs8tUv",
        "ghp_Ab3dEf6hIj9kLm2nOp5qRs8tUv",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.s5X8a2Qw9Zk",
        "-----BEGIN RSA PRIVATE KEY-----",
    ],
)
@pytest.mark.parametrize("write", ['{{"error":"bad key {0}"}}', "{0}", "a\n{0}\nb", '{{"a":"\\n{0}"}}'])
def test_the_shape_of_a_key_is_found_though_nobody_told_of_it(key: str, write: str) -> None:
    assert len(secrets_in(with_body(write.format(key)))) == 1
    assert len(secrets_in(with_body(encoded(f"{{'key': '{key}'}}")))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "sk-xxxxxxxxxxxxxxxxxxxxxxxx",
        "sk-...",
        "pplx-embed-v1-0.6b",
        "xai-responses-v1",
        "hf-inference",
        "task-2024-01-01-report-final",
        "the password is required; api_key=***",
        '{"api_key": "***", "password": "a new password is asked for"}',
        "rs_619f3702-e30e-6ba5-7b57-466db8036365_us-east-1",
    ],
)
def test_what_only_resembles_a_key_is_let_be(text: str) -> None:
    assert secrets_in(with_body(text)) == []


@pytest.mark.parametrize(
    ("recording", "place"),
    [
        (with_request(headers={"authorization": "Bearer abc"}), "request header authorization"),
        (with_request(headers={"x-api-key": "abc"}), "request header x-api-key"),
        (with_request(headers={"x-goog-api-key": "abc"}), "request header x-goog-api-key"),
        (with_request(headers={"x-team": SECRET}), "request header x-team"),
        (with_request(path=f"/v1/{quote(SECRET)}/x"), "request path"),
        (with_request(path="/v1/models?key=abcdef"), "request path"),
        (with_request(host=KEY), "request host"),
        (with_request(body={"a": [1, {"b": f"x{SECRET}"}]}), "request body, a[1].b"),
        (with_request(body={"a": {SECRET: "x"}}), "request body (in the name of a field)"),
        (with_request(body={"api_key": "abcdef"}), "request body, api_key"),
        (with_request(body={"image": encoded(f"<svg>{KEY}</svg>").decode()}), "request body, image"),
        (structs.replace(GOOD, headers={"set-cookie": "session=1"}), "response header set-cookie"),
        (structs.replace(GOOD, headers={"x-request-id": KEY}), "response header x-request-id"),
        (structs.replace(GOOD, model=KEY), "model"),
        (structs.replace(GOOD, notes=["fine", f"made with {KEY}"]), "notes[1]"),
    ],
)
def test_every_part_of_a_recording_is_searched(recording: Recording, place: str) -> None:
    found = secrets_in(recording, secrets=[SECRET])
    assert [each.partition(", offset")[0] for each in found] == [place]


def test_a_placeholder_in_the_place_of_a_credential_is_none() -> None:
    for value in ("***", "Bearer ***", "REDACTED", "<key>", ""):
        assert secrets_in(with_request(headers={"authorization": value}, path=f"/v1?key={quote(value)}")) == []


def test_the_refusal_names_the_place_and_the_remedy_but_not_the_secret() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        refuse_secrets(with_body(f"x {KEY}"))
    assert "acme/stream/a.json" in caught.value.message
    assert "response body, offset 2" in caught.value.message
    assert "revoke" in caught.value.message
    assert KEY not in repr(caught.value.to_dict())


def test_packing_in_packing_comes_to_an_end() -> None:
    body = b"hello world, nothing is here to be found"
    for _ in range(40):
        body = base64.b64encode(body)
        if len(body) > 100_000:
            break
    assert secrets_in(with_body(body)) == []
    assert secrets_in(with_body(gzip.compress(b"\0" * 200_000_000))) == []


@pytest.mark.skipif(recordings_directory() is None, reason="no recordings: PARLEY_RECORDINGS names no folder")
def test_no_recording_of_a_real_vendor_is_refused() -> None:
    assert {path.name: found for path in find_recordings() if (found := secrets_in(load_recording(path), secrets=[SECRET]))} == {}
