"""Whatever frames the JSON of a body, its texts are found and its bytes stay where they are."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.testing.json_pieces import pieces_of, strings_in

EVENT = {"choices": [{"delta": {"content": "a\u2028b"}}, "x"], "id": 5}
TEXTS = [("choices[0].delta.content", "a\u2028b"), ("choices[1]", "x")]


@pytest.mark.parametrize(
    "frame",
    [
        "{}",
        "data: {}\n\n",
        "data:{}\r\n\r\n",
        "event: x\ndata: {}\n\n",
        ": ping\r\rdata: {}\r\r",
        "\n{}\n",
        "{}\nbroken {{\n",
        "\ufeffdata: {}\n\n",
    ],
)
def test_the_texts_are_found_in_every_frame(frame: str) -> None:
    body = frame.replace("{}", json.dumps(EVENT, ensure_ascii=False)).replace("{{", "{")
    found = [text for piece in pieces_of(body) for text in strings_in(piece.value)]
    assert found == TEXTS
    assert "".join(piece.text for piece in pieces_of(body)) == body


def test_a_document_over_several_lines_is_one_piece() -> None:
    assert [piece.value for piece in pieces_of(json.dumps(EVENT, indent=2))] == [EVENT]


@given(st.text(alphabet=st.sampled_from('{}[]":data \r\n\u2028x1,\\'), max_size=60))
def test_the_pieces_are_the_whole_body(body: str) -> None:
    pieces = list(pieces_of(body))
    assert "".join(piece.text for piece in pieces) == body
    for piece in pieces:
        if piece.is_json and len(pieces) > 1:
            assert piece.text.startswith(piece.before)
            assert piece.text.endswith(piece.after)
