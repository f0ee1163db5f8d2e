from __future__ import annotations

from typing import Any, Literal

import pytest

from parley.contract.capabilities import Limits
from parley.contract.errors import FieldProblem
from parley.contract.options import Timeouts
from parley.registry.configuration_file import ModelEntry, OperatorPrice
from parley.registry.conversion import INVALID, convert, convert_struct


def _convert(value: Any, hint: Any, *, text: bool = False) -> tuple[Any, list[tuple[str, str]]]:
    problems: list[FieldProblem] = []
    converted = convert(value, hint, path="ACME_X", problems=problems, text=text)
    return converted, [(problem.path, problem.message) for problem in problems]


@pytest.mark.parametrize(
    ("text", "hint", "value"),
    [
        ("plain", str, "plain"),
        ("12", int, 12),
        (" 1.5 ", float, 1.5),
        ("on", bool, True),
        ("No", bool, False),
        ("chat", Literal["chat", "responses"], "chat"),
        ('{"idle": 3}', Timeouts, Timeouts(idle=3)),
        ('{"X-Team": "a"}', dict[str, str], {"X-Team": "a"}),
        ('["a", "b"]', list[str], ["a", "b"]),
    ],
)
def test_text_of_the_environment_becomes_the_fields_type(text: str, hint: Any, value: object) -> None:
    assert _convert(text, hint, text=True) == (value, [])


@pytest.mark.parametrize(
    ("value", "hint", "words"),
    [
        ("many", int, "a whole number"),
        ("1.5", int, "a whole number"),
        ("perhaps", bool, "true or false"),
        ("chatt", Literal["chat", "responses"], 'Did you mean "chat"?'),
        ("60", Timeouts, "JSON"),
        ("not json", dict[str, str], "JSON"),
        ("a, b", list[str], '["one", "two"]'),
    ],
)
def test_wrong_text_is_told_in_words_and_without_the_value(value: str, hint: Any, words: str) -> None:
    converted, problems = _convert(value, hint, text=True)
    assert converted is INVALID
    assert [path for path, _ in problems] == ["ACME_X"]
    assert words in problems[0][1]


def test_a_number_in_toml_is_no_text_and_text_no_number() -> None:
    assert _convert("12", int) == (INVALID, [("ACME_X", "must be a whole number, not text")])
    assert _convert(12, str) == (INVALID, [("ACME_X", "must be text, not a whole number")])
    assert _convert(True, int)[0] is INVALID


def test_every_problem_of_a_table_is_told_at_once() -> None:
    problems: list[FieldProblem] = []
    table = {"idel": 3, "total": "long", "connect": [1]}
    assert convert_struct(table, Timeouts, path="timeouts", problems=problems) is INVALID
    assert [problem.path for problem in problems] == ["timeouts.idel", "timeouts.connect", "timeouts.total"]
    assert 'Did you mean "idle"?' in problems[0].message


def test_lists_of_tables_are_converted_one_by_one() -> None:
    value = [{"id": "m1", "price": {"input": 1, "output": 2.5}}, {"label": "no id"}, {"id": "m3", "price": {"inputs": 1}}]
    converted, problems = _convert(value, list[ModelEntry])
    assert converted is INVALID
    assert [path for path, _ in problems] == ["ACME_X[1].id", "ACME_X[2].price.inputs"]
    assert _convert(value[:1], list[ModelEntry])[0] == [ModelEntry(id="m1", price=OperatorPrice(input=1, output=2.5))]


def test_a_table_is_needed_where_a_struct_is() -> None:
    converted, problems = _convert(3, Limits)
    assert converted is INVALID
    assert "requests_per_minute" in problems[0][1]
