from __future__ import annotations

from pathlib import Path

import pytest

from parley.contract.errors import ConfigurationError
from parley.registry.environment import MAX_DOTENV_BYTES, Environment, parse_dotenv


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("A=1", {"A": "1"}),
        ("export A = two words  # remark", {"A": "two words"}),
        ("A=b#c", {"A": "b#c"}),
        ("A=#c", {"A": ""}),
        ("A=", {"A": ""}),
        ("A='as $it \\n is' # remark", {"A": "as $it \\n is"}),
        ('A="line\\nnext \\"quoted\\" \\$5 \\\\ \\q"', {"A": 'line\nnext "quoted" $5 \\ \\q'}),
        ('A="over\nlines"\nB=2', {"A": "over\nlines", "B": "2"}),
        ("A='over\nlines'\r\nB=2\r\n", {"A": "over\nlines", "B": "2"}),
        ("A=${HOME}", {"A": "${HOME}"}),
        ("A=1\nA=2", {"A": "2"}),
        ("# A=1\n\n   \n\t# x", {}),
        ("A=ключ", {"A": "ключ"}),
        ("", {}),
    ],
)
def test_what_a_dotenv_file_says(text: str, values: dict[str, str]) -> None:
    assert parse_dotenv(text) == values


def test_every_bad_line_is_told_by_its_number_and_without_its_value() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_dotenv("GOOD=1\nhunter2\n=x\n2X=hunter2\nB=\"hunter2\nC='hunter2' more\nD=ok")
    assert [problem.path for problem in caught.value.fields] == [".env:2", ".env:3", ".env:4", ".env:5", ".env:6"]
    assert "hunter2" not in str(caught.value)


def test_lines_are_counted_over_values_that_span_them() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_dotenv('A="one\ntwo\nthree"\nbad line')
    assert [problem.path for problem in caught.value.fields] == [".env:4"]


def test_a_hostile_dotenv_file_is_read_in_time() -> None:
    text = 'A="\\' * 100_000
    with pytest.raises(ConfigurationError):
        parse_dotenv(text)


def test_the_real_environment_wins_over_dotenv_and_origins_are_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ACME_API_KEY=from-file\nACME_MODEL=m1\n", encoding="utf-8")
    environment = Environment.read(directory=tmp_path, variables={"ACME_API_KEY": "from-process", "ACME_MODEL": "  "})
    key, model = environment.find(["ACME_API_KEY"]), environment.find(["ACME_MODEL"])
    assert key is not None
    assert (key.value, key.origin) == ("from-process", "environment variable ACME_API_KEY")
    assert model is not None
    assert (model.value, model.origin) == ("m1", "ACME_MODEL in .env")
    assert "from-process" not in repr(key)


def test_an_alias_in_the_process_wins_over_the_name_in_dotenv(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("GEMINI_API_KEY=old", encoding="utf-8")
    environment = Environment.read(directory=tmp_path, variables={"GOOGLE_API_KEY": "new"})
    found = environment.find(["GEMINI_API_KEY", "GOOGLE_API_KEY"])
    assert found is not None
    assert found.variable == "GOOGLE_API_KEY"


@pytest.mark.parametrize("content", [b"A=\xff\xfe", b"A" * (MAX_DOTENV_BYTES + 1)])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"\.env"):
        Environment.read(directory=tmp_path, variables={})


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfA=1")
    assert Environment.read(directory=tmp_path, variables={}).get("A") == "1"
