from __future__ import annotations

import asyncio

import pytest

from parley.contract.errors import InvalidRequestError
from parley.services.endpoints import EndpointPolicy, parse_allowed

NAMES = {
    "api.vendor.example": ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"],
    "inside.example": ["10.1.2.3"],
    "both.example": ["93.184.215.14", "127.0.0.1"],
    "gpu.internal": ["10.1.2.3"],
    "localhost": ["::1", "127.0.0.1"],
    "nothing.example": [],
}


async def resolve(host: str, port: int) -> list[str]:
    if host in NAMES:
        return NAMES[host]
    found = await asyncio.get_running_loop().getaddrinfo(host, port, flags=4)  # AI_NUMERICHOST: the system's own reading of numbers
    return [str(entry[4][0]) for entry in found]


async def refused(endpoint: str, *allowed: str) -> str | None:
    try:
        await EndpointPolicy(allowed, resolve=resolve).check(endpoint)
    except InvalidRequestError as error:
        return error.message if [field.path for field in error.fields] == ["endpoint"] else None
    return None


async def test_a_public_address_is_fine() -> None:
    assert await refused("https://api.vendor.example/v1") is None
    assert await refused("https://93.184.215.14/v1") is None


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:22/v1",
        "http://127.1:22/v1",
        "http://2130706433:22/v1",
        "http://0x7f000001:22/v1",
        "http://0177.0.0.1:22/v1",
        "http://0.0.0.0:22/v1",
        "http://[::1]:22/v1",
        "http://[::]:22/v1",
        "http://[::ffff:127.0.0.1]:22/v1",
        "http://[::ffff:10.0.0.1]/v1",
        "http://[64:ff9b::a00:1]/v1",
        "http://[2002:a00:1::1]/v1",
        "http://[::10.0.0.1]/v1",
        "http://[fe80::1]/v1",
        "http://[fe80::1%25eth0]/v1",
        "http://[fd00::1]/v1",
        "http://10.0.0.1/v1",
        "http://172.16.0.1/v1",
        "http://192.168.0.1/v1",
        "http://100.64.0.1/v1",
        "http://169.254.169.254/latest/meta-data",
        "http://224.0.0.1/v1",
        "http://255.255.255.255/v1",
        "https://inside.example/v1",
        "https://INSIDE.example./v1",
        "https://both.example/v1",
        "http://localhost:22/v1",
    ],
)
async def test_every_way_into_a_private_network_is_refused_with_what_the_operator_can_do(endpoint: str) -> None:
    message = await refused(endpoint)
    assert message is not None
    assert "PARLEY_ALLOW_ENDPOINTS" in message or "cannot be found" in message


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "api.vendor.example",
        "ftp://api.vendor.example",
        "file:///etc/passwd",
        "gopher://10.0.0.1",
        "http://",
        "http://user:pass@api.vendor.example",
        "http://api.vendor.example:99999",
        "http://[::1",
        "https://nothing.example/v1",
        "https://" + "a" * 5000,
        "https://a\x00b.example",
        "https://\ud800.example",
    ],
)
async def test_what_leads_nowhere_is_refused(endpoint: str) -> None:
    assert await refused(endpoint) is not None


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:11434/v1", "http://localhost:11434/v1", "http://[::1]:8080/v1"])
async def test_inference_servers_of_this_machine_are_allowed_from_the_start(endpoint: str) -> None:
    assert await refused(endpoint) is None


@pytest.mark.parametrize(
    ("entry", "endpoint", "fine"),
    [
        ("10.0.0.0/8", "http://10.9.8.7:1/v1", True),
        ("10.0.0.0/8", "http://inside.example/v1", True),
        ("10.0.0.0/8", "http://192.168.0.1/v1", False),
        ("10.1.2.3:8000", "http://10.1.2.3:8000/v1", True),
        ("10.1.2.3:8000", "http://10.1.2.3:22/v1", False),
        ("gpu.internal", "http://gpu.internal:9/v1", True),
        ("GPU.internal:8000", "http://gpu.internal:8000/v1", True),
        ("gpu.internal:8000", "http://gpu.internal:8001/v1", False),
        ("gpu.internal", "http://inside.example/v1", False),
        ("[fd00::1]:8000", "http://[fd00::1]:8000/v1", True),
        ("fd00::/8", "http://[fd00::2]/v1", True),
    ],
)
async def test_the_operator_allows_hosts_and_networks(entry: str, endpoint: str, fine: bool) -> None:
    assert (await refused(endpoint, entry) is None) is fine


@pytest.mark.parametrize("entry", ["", "http://gpu", "gpu:99999", "10.0.0.0/99", "a b", "gpu:port", "*"])
def test_an_entry_that_allows_nothing_is_told(entry: str) -> None:
    with pytest.raises(ValueError, match="is neither a host"):
        parse_allowed(entry)


@pytest.mark.parametrize(
    ("address", "fine"), [("93.184.215.14", True), ("10.0.0.1", False), ("::ffff:10.0.0.1", False), ("fe80::1%eth0", False)]
)
def test_an_address_is_judged_again_when_the_connection_stands(address: str, fine: bool) -> None:
    policy = EndpointPolicy()
    permits = policy.permits_for("https://api.vendor.example/v1")
    assert permits is not None
    assert permits(address, 443) is fine


def test_a_host_that_the_operator_names_may_have_any_address() -> None:
    policy = EndpointPolicy(["gpu.internal:8000"])
    assert policy.permits_for("http://GPU.internal:8000/v1") is None
    assert policy.permits_for("http://gpu.internal/v1") is not None
