"""What the unit tests share."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def entry(key: str, value: Any) -> bytes:
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value, list):
        return text(key) + struct.pack("<IIQ", 9, 8, len(value)) + b"".join(text(item) for item in value)
    return text(key) + struct.pack("<II", 4, value)


def gguf(*, version: int = 3, tensor_bytes: int = 64, **more: Any) -> bytes:
    """A whole GGUF file of one tensor; `more` are entries by name ("_" for "."), None leaves one out."""
    entries: dict[str, Any] = {
        "general.architecture": "llama",
        "general.name": "Tiny",
        "general.file_type": 15,
        "llama.context_length": 4096,
        "tokenizer.ggml.tokens": ["<s>", "</s>", "a"],
        "tokenizer.chat_template": "{{ messages }}",
    }
    entries |= {name.replace("__", "."): value for name, value in more.items()}
    written = [entry(key, value) for key, value in entries.items() if value is not None]
    tensor = text("output.weight") + struct.pack("<IQIQ", 1, tensor_bytes // 4, 0, 0)
    head = b"GGUF" + struct.pack("<IQQ", version, 1, len(written)) + b"".join(written) + tensor
    return head + bytes(-len(head) % 32) + bytes(tensor_bytes)


@pytest.fixture
def make_gguf() -> Callable[..., bytes]:
    return gguf


@pytest.fixture
def write_gguf(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str = "tiny.gguf", **fields: Any) -> Path:
        path = tmp_path / name
        path.write_bytes(gguf(**fields))
        return path

    return write
