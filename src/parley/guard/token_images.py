"""What an image costs in tokens, by its size. Reads the size from the first bytes of PNG, JPEG, GIF and WebP; decodes no picture."""

from __future__ import annotations

import base64
import binascii
from math import ceil, sqrt

from parley.contract.messages import ImagePart
from parley.guard.token_families import ImageTokens

UNKNOWN_SIZE = (1024, 1024)
"""What is assumed of an image that is only named by its address, or cannot be read."""
MAX_HEADER_CHARACTERS = 256 * 1024

_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def image_tokens(part: ImagePart, costs: ImageTokens) -> int:
    """Tokens of one image."""
    if costs.method == "fixed":
        return costs.base
    if costs.method == "tiles" and part.detail == "low":
        return costs.base
    width, height = image_size(part.data) if part.data else UNKNOWN_SIZE
    return _tiles(width, height, costs) if costs.method == "tiles" else _patches(width, height, costs)


def image_size(data: str) -> tuple[int, int]:
    """Width and height in pixels of an image in base64; UNKNOWN_SIZE where its first bytes do not say."""
    start = data[: MAX_HEADER_CHARACTERS - MAX_HEADER_CHARACTERS % 4]
    try:
        header = base64.b64decode(start + "=" * (-len(start) % 4))
    except (binascii.Error, ValueError):
        return UNKNOWN_SIZE
    size = _read_size(header)
    return size if min(size) > 0 else UNKNOWN_SIZE


def _read_size(header: bytes) -> tuple[int, int]:
    if header.startswith(b"\x89PNG\r\n\x1a\n"):
        return _number(header[16:20]), _number(header[20:24])
    if header.startswith((b"GIF87a", b"GIF89a")):
        return int.from_bytes(header[6:8], "little"), int.from_bytes(header[8:10], "little")
    if header.startswith(b"RIFF") and header[8:12] == b"WEBP":
        return _webp_size(header)
    return _jpeg_size(header) if header.startswith(b"\xff\xd8") else (0, 0)


def _number(field: bytes) -> int:
    return int.from_bytes(field, "big")


def _webp_size(header: bytes) -> tuple[int, int]:
    kind = header[12:16]
    if kind == b"VP8X":
        return int.from_bytes(header[24:27], "little") + 1, int.from_bytes(header[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(header[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(header[26:28], "little") & 0x3FFF, int.from_bytes(header[28:30], "little") & 0x3FFF


def _jpeg_size(header: bytes) -> tuple[int, int]:
    place = 2
    while place + 9 <= len(header) and header[place] == 0xFF:
        marker = header[place + 1]
        if marker in _JPEG_FRAMES:
            return _number(header[place + 7 : place + 9]), _number(header[place + 5 : place + 7])
        place += 1 if marker == 0xFF else 2 + _number(header[place + 2 : place + 4])
    return 0, 0


def _tiles(width: float, height: float, costs: ImageTokens) -> int:
    scale = min(1.0, costs.edge / max(width, height))
    if costs.short_edge:
        scale = min(scale, costs.short_edge / min(width, height))
    tiles = _pieces(width * scale, costs.size) * _pieces(height * scale, costs.size)
    return round(costs.base + costs.per_piece * tiles)


def _patches(width: float, height: float, costs: ImageTokens) -> int:
    scale = min(1.0, costs.edge / max(width, height))
    scale = min(scale, sqrt(costs.most * costs.size**2 / (width * height)))
    columns, rows = _pieces(width * scale, costs.size), _pieces(height * scale, costs.size)
    return ceil(min(columns * rows, costs.most) * costs.per_piece + costs.per_row * rows + costs.base)


def _pieces(length: float, size: int) -> int:
    """How many pieces cover a length; a hair's breadth is rounding, not another piece."""
    return max(1, ceil(length / size - 1e-6))
