"""No secret and no forged line in what is logged or shown."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley import telemetry
from parley.telemetry import Scrubber, configure, get_logger, register_secrets, scrub

SECRET = 's3cret/kéy+of=Acme "q"'


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger("parley")
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers
    configure_content_off(level)


def configure_content_off(level: int) -> None:
    configure("warning", content=False)
    logging.getLogger("parley").setLevel(level)


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        quote(SECRET, safe="").lower(),
        "k\\u00e9y".join(SECRET.split("kéy")).replace('"', '\\"'),
        SECRET.replace('"', '\\"'),
    ],
)
def test_scrubs_every_written_form(form: str) -> None:
    assert Scrubber([SECRET]).scrub(f"<{form}>") == "<***>"


@pytest.mark.parametrize("user", ["", "u:", "us:", "use:", "user:"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_scrubs_base64_at_any_alignment(user: str, encode: object) -> None:
    assert callable(encode)
    encoded = encode(f"{user}{SECRET}:end".encode()).decode()
    scrubbed = Scrubber([SECRET]).scrub(encoded)
    assert "***" in scrubbed
    assert len(scrubbed) < len(encoded) / 2


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("Incorrect API key provided: sk-proj-abc***xyz. See", "Incorrect API key provided: *** See"),
        ("sk-ant-api03-AAAAbbbb", "***"),
        ("gsk_AAAABBBBCCCC", "***"),
        ("xai-AAAABBBBCCCC", "***"),
        ("AIzaSyA1234567890abcdefgh", "***"),
        ("Authorization: Bearer abcdefgh123", "Authorization: Bearer ***"),
        ("https://h/v1?alt=sse&key=abcdef", "https://h/v1?alt=sse&key=***"),
        ("https://h/v1?api_key=abcdef&alt=sse", "https://h/v1?api_key=***&alt=sse"),
        ("http://user:pass@proxy:3128", "http://***@proxy:3128"),
        ('{"x-api-key": "abcdef"}', '{"x-api-key": "***"}'),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_", "***"),
    ],
)
def test_scrubs_the_shapes_of_keys_it_was_never_told(text: str, scrubbed: str) -> None:
    assert Scrubber().scrub(text) == scrubbed


@pytest.mark.parametrize(
    "text",
    [
        "the endpoint http://127.0.0.1:8080/v1 refuses; set OPENAI_API_KEY",
        "a risk-assessment for task-management",
        "missing Bearer token",
        "mail to person@example.com",
        "max_tokens must be at most 4096",
    ],
)
def test_leaves_ordinary_words_alone(text: str) -> None:
    assert Scrubber().scrub(text) == text


def test_short_secrets_go_only_as_words() -> None:
    scrubber = Scrubber(["abc", "a", ""])
    assert scrubber.scrub("abc, a key; abcdef") == "***, a key; abcdef"


def test_the_longer_of_two_secrets_goes_whole() -> None:
    assert Scrubber(["secret1", "secret1-and-more"]).scrub("secret1-and-more") == "***"


@given(st.text(min_size=6), st.text(), st.text())
def test_no_secret_survives(secret: str, before: str, after: str) -> None:
    scrubbed = Scrubber([secret]).scrub(before + secret + after)
    assert secret not in scrubbed or secret in before or secret in after or secret in telemetry.REPLACEMENT * 3


def test_what_is_registered_is_scrubbed_from_all_that_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    register_secrets(["hunter2-hunter2"])
    with caplog.at_level(logging.DEBUG, "parley"):
        get_logger("parley.test").debug("asked", url="http://h/hunter2-hunter2", error=ValueError("hunter2-hunter2"), none=None)
    assert caplog.messages == ['asked url=http://h/*** error="ValueError: ***"']
    assert scrub("hunter2-hunter2") == "***"


def test_a_value_cannot_forge_a_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "parley"):
        get_logger("parley.test").info("said", words='x"\r\nlevel=ERROR \x1b[31m\u2028\u202e\x85')
    assert caplog.messages == ['said words="x\\"\\r\\nlevel=ERROR \\x1b[31m\\u2028\\u202e\\x85"']


def test_long_values_are_cut(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "parley"):
        get_logger("parley.test").info("said", words="x" * 10_000_000)
    assert len(caplog.messages[0]) < telemetry.MAX_VALUE_CHARACTERS + 100


def test_numbers_are_short(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "parley"):
        get_logger("parley.test").info("took", ms=1.23456, empty="")
    assert caplog.messages == ['took ms=1.235 empty=""']


def test_configure_names_the_levels() -> None:
    with pytest.raises(ValueError, match=r"LOG_LEVEL is 'loud'; use one of debug, info"):
        configure("loud")


def test_configure_sets_level_and_content() -> None:
    assert not telemetry.content_is_logged()
    configure("DEBUG", content=True)
    assert telemetry.content_is_logged()
    assert get_logger("parley.test").debug_enabled
    configure("error")
    assert not telemetry.content_is_logged()
    assert not get_logger("parley.test").debug_enabled
