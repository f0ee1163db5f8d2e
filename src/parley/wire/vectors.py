"""Vectors as vendors write them: lists of numbers, or bytes in base64. Knows no vendor and no body around them.

Bytes are little-endian float32, as OpenAI sends them; float64 where a server took its numbers as they lay in memory (vLLM of 2024);
int8 where the vendor says so (https://docs.perplexity.ai/docs/embeddings/standard-embeddings). Recordings of 2024 to 2026.
"""

from __future__ import annotations

import base64
import binascii
import math
from array import array
from collections.abc import Sequence
from struct import pack, unpack
from typing import Any, Literal, TypeAlias

import msgspec

from parley.contract.errors import ProtocolError

Packing: TypeAlias = Literal["float32", "int8"]

MAX_DIMENSIONS = 65_536
_LARGEST = 3.4028234663852886e38
# A float64 that was made of a float32 has 29 bits of nothing at the end of its fraction.
_EMPTY_BITS = (1 << 29) - 1


def vector_of(value: Any, *, packing: Packing = "float32") -> list[float]:
    """The vector. Raises ProtocolError for what is none: empty, not numbers, not finite, no base64, longer than MAX_DIMENSIONS."""
    vector = unpacked(value, packing=packing) if isinstance(value, str) else _numbers(value)
    if not vector:
        raise ProtocolError("the provider sent an empty vector")
    if len(vector) > MAX_DIMENSIONS:
        raise ProtocolError(f"the provider sent a vector of {len(vector)} numbers; at most {MAX_DIMENSIONS} are read")
    if not math.isfinite(sum(vector)):
        raise ProtocolError("the provider sent a vector with something in it that is no ordinary number")
    return vector


def unpacked(text: str, *, packing: Packing = "float32") -> list[float]:
    """The numbers packed in base64."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProtocolError("the provider sent a vector that is neither a list of numbers nor base64") from error
    if packing == "int8":
        return [float(number) for number in array("b", data)]
    if len(data) % 4:
        raise ProtocolError(f"the provider sent a vector of {len(data)} bytes, which are no whole numbers of four bytes")
    words: tuple[int, ...] = unpack(f"<{len(data) // 4}I", data)
    if _are_doubles(words):
        return list(unpack(f"<{len(data) // 8}d", data))
    return list(unpack(f"<{len(data) // 4}f", data))


def packed(vector: Sequence[float]) -> str:
    """The numbers as float32 in base64, as OpenAI sends them. A number too large for one becomes the largest."""
    numbers = [min(max(number, -_LARGEST), _LARGEST) for number in vector]
    return base64.b64encode(pack(f"<{len(numbers)}f", *numbers)).decode()


def ordered(found: Sequence[tuple[Any, list[float]]], count: int) -> list[list[float]]:
    """Vectors by their indexes, which vendors may send in any order; as they came where none has one. Raises ProtocolError where
    they are not as many as the texts, or an index is missing, twice there or out of range.
    """
    if len(found) != count:
        raise ProtocolError(f"the provider sent {len(found)} vectors for {count} texts")
    if all(index is None for index, _ in found):
        return [vector for _, vector in found]
    by_index = {index: vector for index, vector in found if isinstance(index, int) and not isinstance(index, bool)}
    if by_index.keys() != set(range(count)):
        raise ProtocolError("the provider sent vectors whose indexes do not fit the texts")
    return [by_index[index] for index in range(count)]


def _numbers(value: Any) -> list[float]:
    try:
        return msgspec.convert(value, list[float])
    except msgspec.ValidationError as error:
        raise ProtocolError("the provider sent a vector that is no list of numbers") from error


def _are_doubles(words: tuple[int, ...]) -> bool:
    return len(words) % 2 == 0 and all(word & _EMPTY_BITS == 0 for word in words[::2]) and any(words[1::2]) and len(words) >= 8
