"""Reads what a GGUF file says of itself, and whether it is whole, without loading it. Knows no engine and keeps nothing.

https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (read 2026-11-25).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from msgspec import Struct

from parley.contract.errors import ConfigurationError, FieldProblem

MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_MAX_ENTRIES = 1_000_000
_MAX_STRING_BYTES = 64 * 1024 * 1024
_STRING, _ARRAY = 8, 9
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_DEFAULT_ALIGNMENT = 32
# Tensor type: values in a block, bytes of a block.
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40), 10: (256, 84), 11: (256, 110),
    12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50),
    20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8),
    29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip
_QUANTISATIONS = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L",
    14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS",
    23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M",
    32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4_MOE",
}  # fmt: skip


class ModelFile(Struct, frozen=True, kw_only=True):
    """What a file says of itself. Empty or 0 where it says nothing; `chat_template` None where reading stopped before it could stand.

    `file_bytes` is how long the file has to be for its tensors; 0 where that cannot be known (a tensor type that came later).
    """

    architecture: str = ""
    name: str = ""
    quantisation: str = ""
    context_tokens: int = 0
    chat_template: bool | None = None
    file_bytes: int = 0


class _EndOfBytesError(Exception):
    """The bytes end where more are needed."""


def read_model_file(path: Path) -> ModelFile:
    """The file's own words. Raises ConfigurationError where it cannot be read, is no GGUF, is damaged or is cut short."""
    try:
        size_bytes = path.stat().st_size
        with path.open("rb") as file:
            found = _read(file, path.name, beginning=False)
    except OSError as error:
        raise _unusable(path.name, f"cannot be read: {error.strerror}") from error
    if size_bytes < found.file_bytes:
        raise _unusable(path.name, f"is cut short: it has {size_bytes:,} bytes of {found.file_bytes:,}; fetch it again")
    return found


def read_beginning(data: bytes, name: str) -> ModelFile:
    """As much as these first bytes of a file tell. Raises ConfigurationError where they are those of no GGUF."""
    return _read(BytesIO(data), name, beginning=True)


def _read(file: BinaryIO, name: str, *, beginning: bool) -> ModelFile:
    magic = file.read(4)
    if magic != MAGIC:
        shown = "a web page" if magic.lstrip()[:1] == b"<" else "empty" if not magic else f"something that begins with {magic!r}"
        raise _unusable(name, f"is no GGUF file but {shown}")
    metadata: dict[str, Any] = {}
    file_bytes, whole = 0, False
    try:
        version, tensor_count, entry_count = (_number(file, "<I"), _number(file, "<Q"), _number(file, "<Q"))
        if version not in _VERSIONS:
            raise _unusable(name, f"has version {version} of the format; {' and '.join(map(str, _VERSIONS))} can be read")
        if max(tensor_count, entry_count) > _MAX_ENTRIES:
            raise _unusable(name, "is damaged: it claims more entries than any model has")
        for _ in range(entry_count):
            key = _text(file)
            metadata[key] = _value(file, _number(file, "<I"))
        whole = True
        file_bytes = _needed_bytes(file, tensor_count, metadata)
    except _EndOfBytesError:
        if not beginning:
            raise _unusable(name, "is cut short in its first part; fetch it again") from None
    except (UnicodeDecodeError, KeyError, ValueError) as error:
        raise _unusable(name, f"is damaged: its first part cannot be read ({error})") from error
    parts: Any = metadata.get("split.count", 0)
    if isinstance(parts, int) and parts > 1:
        raise _unusable(name, f"is one of {parts} parts; merge them to one file first (llama-gguf-split --merge)")
    return _described(metadata, whole=whole, file_bytes=file_bytes)


def _described(metadata: dict[str, Any], *, whole: bool, file_bytes: int) -> ModelFile:
    architecture = _string(metadata, "general.architecture")
    context: Any = metadata.get(f"{architecture}.context_length", 0)
    kind: Any = metadata.get("general.file_type")
    return ModelFile(
        architecture=architecture,
        name=_string(metadata, "general.name"),
        quantisation=_QUANTISATIONS.get(kind, "") if isinstance(kind, int) else "",
        context_tokens=context if isinstance(context, int) else 0,
        chat_template=bool(_string(metadata, "tokenizer.chat_template")) if whole or "tokenizer.chat_template" in metadata else None,
        file_bytes=file_bytes,
    )


def _string(metadata: dict[str, Any], key: str) -> str:
    value = metadata.get(key)
    return value if isinstance(value, str) else ""


def _needed_bytes(file: BinaryIO, tensor_count: int, metadata: dict[str, Any]) -> int:
    """Where the last tensor ends; 0 where a type is not known."""
    ends = list(_tensor_ends(file, tensor_count))
    alignment: Any = metadata.get("general.alignment", _DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or not 0 < alignment <= 1 << 20:
        raise ValueError("its alignment is no number of bytes")
    data_start = -(-file.tell() // alignment) * alignment
    return data_start + max(ends) if ends and 0 not in ends else 0


def _tensor_ends(file: BinaryIO, tensor_count: int) -> Iterator[int]:
    for _ in range(tensor_count):
        _text(file)
        dimensions = _number(file, "<I")
        if dimensions > 8:
            raise ValueError("a tensor of more than eight dimensions")
        values = 1
        for _ in range(dimensions):
            values *= _number(file, "<Q")
        kind, offset = _number(file, "<I"), _number(file, "<Q")
        block_values, block_bytes = _BLOCKS.get(kind, (1, 0))
        yield offset + values // block_values * block_bytes if block_bytes else 0


def _bytes(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise _EndOfBytesError
    return data


def _number(file: BinaryIO, kind: str) -> Any:
    return struct.unpack(kind, _bytes(file, struct.calcsize(kind)))[0]


def _text(file: BinaryIO) -> str:
    length = _number(file, "<Q")
    if length > _MAX_STRING_BYTES:
        raise ValueError("a text longer than any model has")
    return _bytes(file, length).decode()


def _value(file: BinaryIO, kind: int) -> Any:
    """A value; an array is passed over, for nothing that is asked for here is one."""
    if kind == _STRING:
        return _text(file)
    if kind != _ARRAY:
        return _number(file, _SCALARS[kind])
    item_kind, count = _number(file, "<I"), _number(file, "<Q")
    if count > _MAX_STRING_BYTES:
        raise ValueError("a list longer than any model has")
    if item_kind in _SCALARS:
        _bytes(file, struct.calcsize(_SCALARS[item_kind]) * count)
    elif item_kind == _STRING:
        for _ in range(count):
            length = _number(file, "<Q")
            if length > _MAX_STRING_BYTES:
                raise ValueError("a text longer than any model has")
            _bytes(file, length)
    else:
        raise ValueError("a list of lists")
    return None


def _unusable(name: str, problem: str) -> ConfigurationError:
    return ConfigurationError(f"{name} {problem}", fields=[FieldProblem(path=name, message=problem)])
