"""What belongs to somebody goes; every other byte stays."""

from __future__ import annotations

import json

import pytest

from parley.testing.leaks import secrets_in
from parley.testing.recordings import find_recordings, load_recording, recordings_directory
from parley.testing.scrubbing import Cleaner

SECRET = 'a "quiet" secret/42+ü'
PRETTY = '{\n  "id": "x-1",\n  "n": 1.0e-7,\n  "text": "Grüße"\n}\n'


@pytest.mark.parametrize(
    ("text", "cleaned", "what"),
    [
        (f"key {SECRET} is wrong", "key *** is wrong", "key"),
        ("Incorrect API key provided: sk-proj-abcd********1234.", "Incorrect API key provided: ***.", "key"),
        ("limit for gpt-4o in organization org-AbC123xyz456 on tokens", "limit for gpt-4o in organization *** on tokens", "account"),
        ("(org: 01234567-89ab-cdef-0123-456789abcdef, model: x)", "(org: ***, model: x)", "account"),
        ("in organization `org_01hx9abcdefgh` service", "in organization `***` service", "account"),
        ("consumer projects/123456789012 has no access", "consumer projects/*** has no access", "account"),
        ("arn:aws:bedrock:us-east-1:123456789012:model/x", "arn:aws:bedrock:us-east-1:***:model/x", "account"),
        ("ask jane.doe+x@mail.example.com for it", "ask *** for it", "e-mail address"),
        ("blocked: 203.0.113.7 and 2001:db8::8:800:200c:417a.", "blocked: *** and ***.", "network address"),
    ],
)
def test_what_belongs_to_somebody_is_taken_out(text: str, cleaned: str, what: str) -> None:
    cleaner = Cleaner([SECRET])
    assert cleaner.text(text) == cleaned
    assert cleaner.taken_out == {what}


@pytest.mark.parametrize(
    "text",
    [
        "version 1.2.3 of 10:20:30, std::vector, 127.0.0.1:8080, ::1, v1.2.3.4",
        "an organization: the projects/roadmap and user_preferences_dialog",
        "Basic arithmetic; password: required",
        "pip install package@1.0.0, @decorator, a@b",
        "request req_011CQkYajyQnyY9eu2Fgbk1o, chatcmpl-DcaTzd484DLuGhV63WMUd5rpihQey, 619f3702-e30e-6ba5-7b57-466db8036365",
    ],
)
def test_what_is_nobodys_stays(text: str) -> None:
    cleaner = Cleaner([SECRET])
    assert cleaner.text(text) == text
    assert not cleaner.taken_out


def test_a_body_without_anything_keeps_its_very_bytes() -> None:
    for body in (PRETTY.encode(), f"data: {PRETTY!r}\r\n\r\n".encode(), b"\xff\x00 not text", b"\xef\xbb\xbfdata: {}\n\n"):
        assert Cleaner([SECRET]).body(body) == body


def test_only_the_document_that_holds_something_is_written_anew() -> None:
    first, last = 'data: {"n":  1.0}\r\n\r\n', "data: [DONE]\r\n\r\n"
    middle = {"error": {"message": f'the key "{SECRET}" of a@example.com', "organization_id": "abc", "account_number": 42, "user_id": None}}
    body = f"{first}data: {json.dumps(middle)}\r\n\r\n{last}".encode()
    cleaner = Cleaner([SECRET])
    lines = cleaner.body(body).decode()
    assert lines.startswith(first)
    assert lines.endswith(last)
    error = json.loads(lines.removeprefix(first).removesuffix(last).removeprefix("data: "))["error"]
    assert error == {"message": 'the key "***" of ***', "organization_id": "***", "account_number": 0, "user_id": None}
    assert cleaner.taken_out == {"key", "account", "e-mail address"}


def test_what_is_cleaned_twice_is_the_same() -> None:
    once = Cleaner([SECRET]).body(json.dumps({"a": SECRET, "orgId": "x"}).encode())
    cleaner = Cleaner([SECRET])
    assert cleaner.body(once) == once
    assert not cleaner.taken_out


def test_only_the_headers_that_matter_are_kept() -> None:
    kept = {
        "content-type": "application/json",
        "retry-after": "3",
        "x-request-id": "req-1",
        "x-ratelimit-remaining-tokens": "5",
        "anthropic-ratelimit-requests-reset": "2026-01-01T00:00:00Z",
        "anthropic-version": "2023-06-01",
        "openai-processing-ms": "12",
    }
    dropped = {
        "authorization": "Bearer x",
        "x-api-key": "x",
        "x-goog-api-key": "x",
        "cookie": "a=b",
        "set-cookie": "a=b",
        "openai-organization": "acme",
        "anthropic-organization-id": "1",
        "x-ratelimit-key": "acme",
        "cf-ray": "1",
        "x-forwarded-for": "203.0.113.7",
        "user-agent": "x",
    }
    assert Cleaner().headers(kept | dropped) == kept
    assert Cleaner([SECRET]).headers({"x-request-id": f"of {SECRET}"}) == {"x-request-id": "of ***"}


@pytest.mark.parametrize(
    ("path", "cleaned"),
    [
        ("/v1beta/models/g:generate?key=abc&alt=sse", "/v1beta/models/g:generate?key=***&alt=sse"),
        ("/client/v4/accounts/0123abcd/ai/v1/chat", "/client/v4/accounts/***/ai/v1/chat"),
        ("/v1/projects/acme-prod/locations/eu/x", "/v1/projects/***/locations/eu/x"),
        ("/v1/chat/completions?api-version=2024-10-21", "/v1/chat/completions?api-version=2024-10-21"),
    ],
)
def test_a_path_keeps_its_form_without_credentials_and_accounts(path: str, cleaned: str) -> None:
    assert Cleaner().path(path) == cleaned


@pytest.mark.skipif(recordings_directory() is None, reason="no recordings: PARLEY_RECORDINGS names no folder")
def test_what_real_vendors_answered_is_not_harmed() -> None:
    for path in find_recordings():
        recording = load_recording(path)
        cleaner = Cleaner([SECRET])
        if cleaner.body(recording.body) != recording.body:
            assert cleaner.taken_out == {"account"}, path
            assert b"user_id" in recording.body, path
        assert secrets_in(recording) == []
