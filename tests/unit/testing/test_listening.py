from __future__ import annotations

import asyncio

import pytest

from parley.testing.listening import HOST, Address
from parley.testing.replay import Answer

WELL = Answer(body=b"well")


async def body_from(url: str) -> bytes:
    port = int(url.split(":")[2].split("/", maxsplit=1)[0])
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
    body = await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()
    return body


async def test_a_closed_address_refuses_until_it_recovers() -> None:
    async with Address("closed", [WELL]) as address:
        with pytest.raises(ConnectionRefusedError):
            await body_from(address.url)
        await address.recover(WELL)
        assert await body_from(address.url) == b"well"
        assert len(address.requests) == 1


async def test_a_full_address_lets_nobody_in_until_it_recovers() -> None:
    async with Address("full", [WELL]) as address:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(body_from(address.url), 0.2)
        await address.recover(WELL)
        assert await body_from(address.url) == b"well"


async def test_an_open_address_answers_in_turn() -> None:
    async with Address("open", [Answer(body=b"first"), WELL]) as address:
        assert [await body_from(address.url) for _ in range(3)] == [b"first", b"well", b"well"]
        await address.recover(Answer(body=b"after"))
        assert await body_from(address.url) == b"after"
        assert [request.received_at for request in address.requests] == sorted(request.received_at for request in address.requests)
