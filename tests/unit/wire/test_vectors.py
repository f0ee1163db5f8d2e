"""Vectors in every form that vendors give them, and in none."""

from __future__ import annotations

import base64
import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.errors import ProtocolError
from parley.wire.vectors import ordered, packed, vector_of

SINGLES = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=64)


def encoded(letter: str, numbers: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}{letter}", *numbers)).decode()


@given(SINGLES)
def test_float32_in_base64_and_back(numbers: list[float]) -> None:
    # Eight numbers of which every other is 0, 2, … could be four float64: no model makes them.
    if len(numbers) % 2 == 0 and all(struct.unpack("<I", struct.pack("<f", number))[0] & 0x1FFFFFFF == 0 for number in numbers[::2]):
        numbers = [*numbers, 0.1, 0.3]
        numbers = [struct.unpack("<f", struct.pack("<f", number))[0] for number in [0.1, *numbers]][: len(numbers)]
    assert vector_of(packed(numbers)) == numbers


def test_float64_made_of_float32_is_told_from_float32() -> None:
    singles = [struct.unpack("<f", struct.pack("<f", number))[0] for number in (0.1, -0.25, 3.5, 1e-7, 0.0, 2.0)]
    assert vector_of(encoded("d", singles)) == singles
    assert vector_of(encoded("f", singles)) == singles


def test_a_vector_of_zeros_keeps_its_length() -> None:
    assert vector_of(encoded("f", [0.0] * 16)) == [0.0] * 16


def test_int8_where_it_is_declared() -> None:
    assert vector_of(base64.b64encode(bytes([0, 1, 127, 128, 255])).decode(), packing="int8") == [0.0, 1.0, 127.0, -128.0, -1.0]


def test_whole_numbers_in_json_are_numbers() -> None:
    assert vector_of(json.loads("[0, 1, -2.5]")) == [0.0, 1.0, -2.5]
    assert all(type(number) is float for number in vector_of([0, 1]))


@pytest.mark.parametrize(
    "value",
    [
        None, [], "", {}, 7, True, ["0.1"], [None], [[0.1]], [{}], "not base64!", "AAAA" * 3 + "AA", "AAA",
        base64.b64encode(b"abcde").decode(), encoded("f", [math.nan, 1.0]), encoded("f", [math.inf]), [math.nan], [1e308, 1e308],
        [0.0] * 65_537, "é" * 8, [10**400],
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_what_is_no_vector_is_a_protocol_error(value: Any) -> None:
    with pytest.raises(ProtocolError, match="the provider sent"):
        vector_of(value)


def test_vectors_come_back_in_the_order_of_the_texts() -> None:
    assert ordered([(2, [2.0]), (0, [0.0]), (1, [1.0])], 3) == [[0.0], [1.0], [2.0]]
    assert ordered([(None, [5.0]), (None, [6.0])], 2) == [[5.0], [6.0]]


@pytest.mark.parametrize(
    ("indexes", "count"),
    [([0], 2), ([0, 1, 2], 2), ([0, 0], 2), ([0, 2], 2), ([-1, 0], 2), ([0, None], 2), ([0, "1"], 2), ([True], 1)],
)
def test_indexes_that_do_not_fit_are_refused(indexes: list[Any], count: int) -> None:
    with pytest.raises(ProtocolError):
        ordered([(index, [1.0]) for index in indexes], count)
