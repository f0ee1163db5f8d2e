from __future__ import annotations

import pytest

from parley.contract.capabilities import Limits
from parley.contract.config import Config, config_fields
from parley.contract.options import Timeouts
from parley.registry.checks import endpoint_problem, setting_problem

_FIELDS = {field.name: field for field in config_fields(Config)}


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://api.openai.com/v1",
        "http://127.0.0.1:8080/v1/",
        "http://[::1]:11434/v1",
        "https://api.deepseek.com",
        "https://gateway.example/openai/v1?api-version=2025-01-01",
        "http://localhost/models-proxy/v1",
    ],
)
def test_a_base_url_is_taken(endpoint: str) -> None:
    assert endpoint_problem(endpoint) is None


def test_a_key_in_the_place_of_the_base_url_is_not_shown() -> None:
    assert endpoint_problem("sk-proj-1234567890abcdef") == 'has no scheme; write "https://***"'


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("api.example.com/v1", 'write "https://api.example.com/v1"'),
        ("localhost:8080", "no scheme"),
        ("ftp://api.example.com", "https://"),
        ("https://", "host"),
        ("https://api.example.com:99999/v1", "port"),
        ("https://api.example.com:port/v1", "port"),
        ("https://[::1/v1", "host"),
        ("https://api.example.com/v1 ", "space"),
        ("https://api.exa\nmple.com/v1", "line break"),
        ("https://user:hunter2@api.example.com/v1", "api_key"),
        ("https://api.example.com/v1?key=hunter2", "api_key"),
        ("https://api.example.com/v1#part", "#"),
        ("https://api.example.com/v1/chat/completions", "/chat/completions"),
        ("https://api.example.com/v1/messages/", "/messages"),
        ("https://api.example.com//v1", "//"),
    ],
)
def test_what_is_wrong_with_a_base_url_is_said_without_its_secrets(endpoint: str, words: str) -> None:
    problem = endpoint_problem(endpoint)
    assert problem is not None
    assert words in problem
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_key", "sk-abc\n"),
        ("api_key", "sk abc"),
        ("api_key", "sk-…"),
        ("headers", {"X Y": "1"}),
        ("headers", {"X-Y": "1\r\nEvil: 2"}),
        ("proxy", "proxy.local:3128"),
        ("ca_file", "/nowhere/ca.pem"),
        ("timeouts", Timeouts(idle=0)),
        ("timeouts", Timeouts(total=float("inf"))),
        ("limits", Limits(concurrency=-1)),
    ],
)
def test_a_value_of_the_right_type_that_cannot_work_is_told(name: str, value: object) -> None:
    assert setting_problem(_FIELDS[name], value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_key", "sk-abc_123"),
        ("api_key", ""),
        ("headers", {"X-Y": "1"}),
        ("proxy", "http://user:password@proxy.local:3128"),
        ("timeouts", Timeouts(idle=0.5)),
        ("limits", Limits(concurrency=3)),
    ],
)
def test_a_good_value_is_no_problem(name: str, value: object) -> None:
    assert setting_problem(_FIELDS[name], value) is None
