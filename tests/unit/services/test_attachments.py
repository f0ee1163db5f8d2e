from __future__ import annotations

import pytest

from parley.contract.errors import InvalidRequestError, LimitExceededError
from parley.services import attachments as module
from parley.services.attachments import INLINE, MAX_BYTES, Attachments, safe_name, sniffed
from parley.services.errors import BodyTooLargeError, NotFoundError
from parley.services.principals import Principal
from parley.storage.database import Database

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(17)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.fixture
def attachments(database: Database) -> Attachments:
    return Attachments(database)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
        (b"GIF89a" + bytes(20), "image/gif"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp"),
        ("Grüße, 世界 👋\r\n\tx".encode(), "text/plain"),
        ("\ufeffwith a mark".encode(), "text/plain"),
        (b"", "text/plain"),
        (SVG, "text/plain"),
        (b"<!doctype html><script>alert(1)</script>", "text/plain"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", None),
        (b"PK\x03\x04\x14\x00\x00\x00", None),
        (b"\x7fELF\x02\x01\x01\x00", None),
        (b"MZ\x90\x00", None),
        (b"text with a \x00 in it", None),
        (b"\x89PNG\r\n\x1a\n<script>", None),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", None),
        ("text".encode("utf-16"), None),
        (b"\xff\xfe\xfd", None),
    ],
)
def test_the_bytes_say_what_it_is(data: bytes, media_type: str | None) -> None:
    assert sniffed(data) == media_type


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("photo.png", "photo.png"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/absolute/path.txt", "path.txt"),
        ('a"; filename="b.html', "a; filename=b.html"),
        ("a\r\nSet-Cookie: x", "aSet-Cookie x"),
        ("..", "attachment"),
        ("", "attachment"),
        ("nul\x00byte\ud800.txt", "nulbyte.txt"),
        ("invoice\u202egpj.exe", "invoicegpj.exe"),
        ("x" * 500 + ".png", "x" * 196 + ".png"),
    ],
)
def test_a_name_is_only_a_name(name: str, shown: str) -> None:
    assert safe_name(name) == shown


async def test_what_was_stored_comes_back_under_the_type_of_its_bytes(attachments: Attachments, user: Principal) -> None:
    stored = await attachments.add(user, name="evil.html", data=PNG)
    record, data = await attachments.read(user, stored.id)
    assert (record.media_type, record.size, data) == ("image/png", len(PNG), PNG)


async def test_an_svg_is_text_and_never_shown_in_place(attachments: Attachments, user: Principal) -> None:
    record = await attachments.add(user, name="picture.svg", data=SVG)
    assert record.media_type == "text/plain"
    assert record.media_type not in INLINE


async def test_another_users_attachment_is_not_there(attachments: Attachments, admin: Principal, user: Principal) -> None:
    record = await attachments.add(user, name="a.txt", data=b"mine")
    for use in (attachments.read, attachments.remove):
        with pytest.raises(NotFoundError):
            await use(admin, record.id)
    assert (await attachments.list(admin)).items == []
    assert (await attachments.read(user, record.id))[0].name == "a.txt"


@pytest.mark.parametrize("attachment_id", ["", "../../data/jwt-secret", "' OR 1=1 --", "x" * 10_000])
async def test_an_id_is_no_path(attachments: Attachments, user: Principal, attachment_id: str) -> None:
    with pytest.raises(NotFoundError):
        await attachments.read(user, attachment_id)


async def test_it_can_be_removed(attachments: Attachments, user: Principal) -> None:
    record = await attachments.add(user, name="a.txt", data=b"mine")
    await attachments.remove(user, record.id)
    with pytest.raises(NotFoundError):
        await attachments.read(user, record.id)


async def test_one_byte_too_many_and_what_is_no_image_nor_text_are_refused(attachments: Attachments, user: Principal) -> None:
    with pytest.raises(BodyTooLargeError, match="20 MiB"):
        await attachments.add(user, name="big.txt", data=b"x" * (MAX_BYTES + 1))
    with pytest.raises(InvalidRequestError) as caught:
        await attachments.add(user, name="archive.png", data=b"PK\x03\x04" + bytes(100))
    assert [field.path for field in caught.value.fields] == ["file"]


async def test_all_together_stay_within_the_quota(attachments: Attachments, user: Principal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ATTACHMENT_BYTES", 10)
    await attachments.add(user, name="a.txt", data=b"12345")
    with pytest.raises(LimitExceededError):
        await attachments.add(user, name="b.txt", data=b"123456")


async def test_they_are_listed_newest_first_page_by_page(attachments: Attachments, user: Principal) -> None:
    added = [(await attachments.add(user, name=f"{number}.txt", data=b"text")).id for number in range(5)]
    first = await attachments.list(user, limit=3)
    second = await attachments.list(user, limit=3, cursor=first.next_cursor)
    assert [record.id for record in [*first.items, *second.items]] == added[::-1]
    assert second.next_cursor is None
    with pytest.raises(InvalidRequestError, match="cursor"):
        await attachments.list(user, cursor="nonsense")
