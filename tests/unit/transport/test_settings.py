"""What is wrong with a connection's settings is said before anything is sent, and without showing a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from parley.contract.errors import InvalidRequestError
from parley.transport.settings import ConnectionSettings, header_lines, header_problem, setting_problems, url_problem


@pytest.mark.parametrize("value", ["key\n", "key\r\nX-Admin: 1", "ke\ny"])
def test_a_line_break_in_a_header(value: str) -> None:
    assert "line break" in (header_problem("x-key", value) or "")


@pytest.mark.parametrize("value", ["clé\u0100", "“quoted”", "a\x00b", "\x1b[0m"])
def test_a_character_that_no_header_carries(value: str) -> None:
    problem = header_problem("x-key", value)
    assert problem is not None
    assert value not in problem


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\nb", "é"])
def test_a_name_that_is_none(name: str) -> None:
    assert header_problem(name, "v") == "is no valid header name"


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding"])
def test_headers_that_frame_the_request(name: str) -> None:
    assert "remove it" in (header_problem(name, "v") or "")


def test_good_headers() -> None:
    assert header_problem("X-Title", "Grüße 1 \t ok") is None


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("api.acme.example/v1", "such as http://api.acme.example/v1"),
        ("localhost:8080/v1", "http:// or https://"),
        ("ftp://h/v1", "http:// or https://"),
        ("http:///v1", "name a host"),
        ("http://h:port/v1", "no valid URL"),
        ("http://h:99999/v1", "no valid URL"),
        ("http://[::1/v1", "no valid URL"),
        ("http://h/v 1", "space"),
        ("http://h/v1\n", "space"),
    ],
)
def test_urls_that_lead_nowhere(url: str, words: str) -> None:
    assert words in (url_problem(url) or "")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/v1", "https://api.acme.example", "http://[::1]:1/v1"])
def test_good_urls(url: str) -> None:
    assert url_problem(url) is None


def test_every_problem_at_once(tmp_path: Path) -> None:
    no_certificate = tmp_path / "note.txt"
    no_certificate.write_text("hello")
    settings = ConnectionSettings(proxy="user:secret@proxy", ca_file=str(no_certificate))
    problems = {problem.path: problem.message for problem in setting_problems(settings, {"X-A": "a\n", "B C": "b", "X-D": "d"})}
    assert set(problems) == {"headers.X-A", "headers.'B C'", "proxy", "ca_file"}
    assert "no certificate" in problems["ca_file"]
    assert "secret" not in str(problems)


def test_a_file_that_is_not_there() -> None:
    (problem,) = setting_problems(ConnectionSettings(ca_file="/nowhere/ca.pem"), {})
    assert problem.message == "/nowhere/ca.pem cannot be read (No such file or directory)"


def test_headers_as_they_are_sent() -> None:
    for _ in range(2):
        assert header_lines({"X-A": "1", "x-b": "ü"}) == "X-A: 1\r\nx-b: ü\r\n"


@pytest.mark.parametrize(
    "headers",
    [{"X-A": "1\r\nX-Admin: 1"}, {"X-A": "1\n"}, {"X-A": "1\r"}, {"X-A": "\x00"}, {"X-A": "\u0100"}, {"Host": "h"}, {"X A": "1"}, {"": ""}],
)
def test_a_header_that_cannot_be_sent_is_named(headers: dict[str, str]) -> None:
    header_lines({"X-A": "known"})
    with pytest.raises(InvalidRequestError) as raised:
        header_lines({"X-B": "2"} | headers)
    assert raised.value.fields[0].path == f"headers.{next(iter(headers))!r}"
