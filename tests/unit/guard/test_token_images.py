"""What images cost, by the formulas of the vendors' documents."""

from __future__ import annotations

import base64
import struct

import pytest

from parley.contract.messages import ImagePart
from parley.guard.token_families import ImageTokens, family_of
from parley.guard.token_images import UNKNOWN_SIZE, image_size, image_tokens


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def png(width: int, height: int) -> str:
    return text(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height) + b"\x08\x06\x00\x00\x00")


def jpeg(width: int, height: int) -> str:
    start = b"\xff\xd8\xff\xe0" + struct.pack(">H", 16) + b"JFIF\x00" + bytes(9)
    return text(start + b"\xff\xff\xc2" + struct.pack(">HBHHB", 17, 8, height, width, 3) + bytes(9))


def webp(kind: bytes, body: bytes) -> str:
    return text(b"RIFF\x00\x00\x00\x00WEBP" + kind + struct.pack("<I", len(body)) + body)


@pytest.mark.parametrize(
    "data",
    [
        png(640, 480),
        jpeg(640, 480),
        text(b"GIF89a" + struct.pack("<HH", 640, 480)),
        webp(b"VP8X", bytes(4) + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")),
        webp(b"VP8L", b"\x2f" + (639 | 479 << 14).to_bytes(4, "little")),
        webp(b"VP8 ", bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", 640, 480)),
    ],
    ids=["png", "jpeg", "gif", "webp extended", "webp lossless", "webp lossy"],
)
def test_the_size_is_read_from_the_first_bytes(data: str) -> None:
    assert image_size(data) == (640, 480)
    assert image_size(data + text(bytes(300)) * 1000) == (640, 480)


@pytest.mark.parametrize("data", ["", "not base64!", "ü", "AAAA", text(b"\xff\xd8"), text(b"\xff\xd8\xff\xe0\xff\xff"), png(0, 9)])
def test_what_cannot_be_read_is_of_the_usual_size(data: str) -> None:
    assert image_size(data) == UNKNOWN_SIZE


# https://platform.openai.com/docs/guides/images-vision (read 2026-11-25): its worked examples.
@pytest.mark.parametrize(
    ("model", "width", "height", "detail", "tokens"),
    [
        ("gpt-4o", 1024, 1024, "high", 765),
        ("gpt-4o", 2048, 4096, "high", 1105),
        ("gpt-4o", 4096, 8192, "low", 85),
        ("gpt-4o-mini", 1024, 1024, "low", 2833),
        ("gpt-4.1-mini", 1024, 1024, None, 1659),
        ("o4-mini", 1024, 1024, None, 1762),
    ],
)
def test_an_image_costs_what_its_vendor_says(model: str, width: int, height: int, detail: str | None, tokens: int) -> None:
    part = ImagePart(media_type="image/png", data=png(width, height), detail=detail)  # type: ignore[arg-type]
    assert image_tokens(part, family_of(model).image) == tokens


def test_patches_never_cost_more_than_the_most() -> None:
    costs = ImageTokens(method="patches", size=32, most=1536, edge=2048)
    for width, height in ((1800, 2400), (10_000, 10), (8000, 8000), (2048, 768)):
        assert 1 <= image_tokens(ImagePart(data=png(width, height)), costs) <= 1536


def test_an_address_costs_as_a_usual_image() -> None:
    assert image_tokens(ImagePart(url="https://example.com/a.png"), family_of("gpt-4o").image) == 765
