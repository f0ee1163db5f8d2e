"""Every error is told with what to do, and ends the program with the right code."""

from __future__ import annotations

import re

import pytest
import typer

from parley.cli.problems import describe, exit_code, problem_document, problems_shown, remedy
from parley.contract import errors
from parley.contract.messages import TextPart
from parley.contract.response import ChatResponse

ERROR_CLASSES = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.ParleyError)]


@pytest.mark.parametrize("error_class", ERROR_CLASSES, ids=lambda each: each.__name__)
def test_every_error_is_described_and_has_an_exit_code(error_class: type[errors.ParleyError]) -> None:
    error = error_class("it is broken\x1b[2J", provider="acme", status=418, request_id="r-1")
    text = "\n".join(line for _, line in describe(error))
    assert text.startswith("acme: it is broken␛[2J")
    assert f"HTTP 418 · {error.code} · request r-1" in text
    at_fault = issubclass(error_class, errors.CallerError | errors.ConfigurationError)
    assert exit_code(error) == (2 if at_fault else 1)
    if error.action in {"retry", "retry_later", "fix_credentials"}:
        assert remedy(error)


def test_a_cut_stream_is_told_with_what_is_really_there() -> None:
    assert remedy(errors.StreamTruncatedError("cut")) == "Nothing came before that; ask again."
    shown = remedy(errors.StreamTruncatedError("cut", partial=ChatResponse(parts=[TextPart(text="half")])))
    assert shown == "What came before is shown; ask again for the whole answer."


def test_what_an_authors_code_raised_is_told_with_its_place() -> None:
    def authors_code() -> None:
        raise KeyError("text")

    error = errors.ProtocolError("acme failed with KeyError: 'text'")
    try:
        authors_code()
    except KeyError as raised:
        error.__cause__ = raised
    assert re.fullmatch(r"It was raised in test_problems\.py, line \d+; with LOG_LEVEL=debug .+", remedy(error) or "")
    assert remedy(errors.ProtocolError("no JSON")) is None


def test_waiting_is_told_in_whole_seconds_never_too_short() -> None:
    assert remedy(errors.RateLimitError("slow down", retry_after=0.7)) == "Try again in 1 s."


def test_fields_are_listed_unless_the_message_names_them() -> None:
    fields = [errors.FieldProblem(path="a.b", message="is wrong"), errors.FieldProblem(path="c", message="is known")]
    lines = [line for _, line in describe(errors.ConfigurationError("c is known", fields=fields))]
    assert "  a.b: is wrong" in lines
    assert "  c: is known" not in lines


def test_the_document_carries_what_had_been_delivered() -> None:
    error = errors.StreamTruncatedError("cut", partial=ChatResponse(parts=[TextPart(text="half")]))
    document = problem_document(error)
    assert document["error"]["code"] == "stream_truncated"
    assert document["partial"]["text"] == "half"


def test_an_interrupt_ends_with_the_shells_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as left, problems_shown():
        raise KeyboardInterrupt
    assert left.value.exit_code == 130
    assert capsys.readouterr().err == "cancelled\n"
