"""Downloads over a real connection to a local server."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parley.contract.errors import ConfigurationError, ConnectError, ConnectionLostError, InvalidRequestError, ProtocolError
from parley.local.download import fetch, look_at
from parley.testing.replay import Answer, ReplayServer

Make = Callable[..., bytes]
TAG = '"v1"'


@pytest.fixture
def model(make_gguf: Make) -> bytes:
    return make_gguf(tensor_bytes=400_000)


def whole(model: bytes, **changes: Any) -> Answer:
    return Answer(headers={"content-type": "application/octet-stream", "etag": TAG}, body=model, **changes)


def part(model: bytes, start: int, end: int | None = None) -> Answer:
    body = model[start:end]
    headers = {"content-range": f"bytes {start}-{start + len(body) - 1}/{len(model)}", "etag": TAG}
    return Answer(status=206, headers=headers, body=body)


def names_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


async def fetched(server: ReplayServer, target: Path, *, sha256: str = "", heard: list[tuple[int, int]] | None = None) -> None:
    heard = [] if heard is None else heard
    offer = await asyncio.to_thread(look_at, f"{server.url}/models/tiny.gguf")
    await asyncio.to_thread(fetch, offer, target, sha256=sha256, progress=lambda done, total: heard.append((done, total)))


async def test_an_offer_is_looked_at_before_it_is_taken(model: bytes) -> None:
    async with ReplayServer(part(model, 0, 65536)) as server:
        offer = await asyncio.to_thread(look_at, f"{server.url}/models/tiny.gguf?secret=x")
        (request,) = server.requests
    assert (offer.host, offer.size_bytes, offer.file.architecture) == (f"127.0.0.1:{server.port}", len(model), "llama")
    assert request.headers["range"] == "bytes=0-65535"


async def test_a_file_is_fetched_verified_and_its_progress_told(model: bytes, tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    async with ReplayServer(whole(model), whole(model)) as server:
        await fetched(server, tmp_path / "m.gguf", sha256=hashlib.sha256(model).hexdigest().upper(), heard=heard)
    assert (tmp_path / "m.gguf").read_bytes() == model
    assert heard[-1] == (len(model), len(model))
    assert names_in(tmp_path) == ["m.gguf"]


async def test_an_interrupted_download_goes_on_where_it_stopped(model: bytes, tmp_path: Path) -> None:
    target, got = tmp_path / "m.gguf", 100_000
    broken = whole(model, send_bytes=got, ending="close")
    async with ReplayServer(part(model, 0, 65536), broken, part(model, 0, 65536), part(model, got)) as server:
        with pytest.raises(ConnectionLostError, match=r"after 100,000 bytes of 40\d,\d+; the same command goes on"):
            await fetched(server, target)
        assert not target.exists(), "nothing that is not whole stands under the name"
        await fetched(server, target, sha256=hashlib.sha256(model).hexdigest())
        last = server.requests[-1]
    assert target.read_bytes() == model
    assert (last.headers["range"], last.headers["if-range"]) == (f"bytes={got}-", TAG)


async def test_where_the_file_has_changed_it_begins_anew(model: bytes, tmp_path: Path) -> None:
    target, other = tmp_path / "m.gguf", model[:-1] + b"!"
    broken = whole(model, send_bytes=100_000, ending="close")
    async with ReplayServer(part(model, 0, 65536), broken, part(other, 0, 65536), whole(other)) as server:
        with pytest.raises(ConnectionLostError):
            await fetched(server, target)
        await fetched(server, target)
    assert target.read_bytes() == other


async def test_another_file_than_was_meant_is_deleted(model: bytes, tmp_path: Path) -> None:
    async with ReplayServer(whole(model), whole(model)) as server:
        with pytest.raises(ConfigurationError, match=f"its SHA-256 is {hashlib.sha256(model).hexdigest()}"):
            await fetched(server, tmp_path / "m.gguf", sha256="0" * 64)
    assert names_in(tmp_path) == []


async def test_a_server_cannot_send_more_than_it_announced(model: bytes, tmp_path: Path) -> None:
    endless = Answer(headers={"etag": TAG}, body=model, streamed=True, repeat=1000)
    async with ReplayServer(part(model, 0, 65536), endless) as server:
        with pytest.raises(ProtocolError, match="sends more than"):
            await fetched(server, tmp_path / "m.gguf")
    assert (tmp_path / "m.gguf.part").stat().st_size <= len(model)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Answer(headers={"content-type": "text/html"}, body=b"\n<!doctype html><title>Sign in</title>"), ProtocolError, "a web page"),
        (Answer(body=b""), ProtocolError, "with nothing"),
        (Answer(body=b"PK\x03\x04"), ProtocolError, "something else, not with a GGUF file"),
        (Answer(status=404, body=b"no"), InvalidRequestError, "status 404"),
        (Answer(status=401, body=b"no"), InvalidRequestError, "status 401; it may want an account"),
        (Answer(silent_before_head=True, ending="reset"), ConnectError, "cannot be reached"),
    ],
)
async def test_what_is_no_model_is_told_before_anything_is_fetched(answer: Answer, kind: type, words: str) -> None:
    async with ReplayServer(answer) as server:
        with pytest.raises(kind, match=words) as raised:
            await asyncio.to_thread(look_at, f"{server.url}/m.gguf?token=sk-verysecretvalue1")
    assert "verysecret" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://", "http:///m.gguf", "http://127.0.0.1:1/m.gguf"])
def test_an_address_where_nobody_is_is_told(url: str) -> None:
    with pytest.raises((InvalidRequestError, ConnectError)):
        look_at(url)
