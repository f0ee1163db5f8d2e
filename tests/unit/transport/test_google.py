"""That a service account's token is asked for, put on requests, kept while it holds and renewed when it does not."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from parley.contract.errors import AuthenticationError, MissingCredentialError
from parley.contract.http import HttpRequest
from parley.testing.replay import Answer, ReplayServer
from parley.transport.google import GoogleToken

REQUEST = HttpRequest(method="POST", url="https://aiplatform.googleapis.com/v1/x", headers={}, body=b"{}")


def token(value: str, seconds: int = 3600) -> Answer:
    body = json.dumps({"access_token": value, "expires_in": seconds, "token_type": "Bearer"}).encode()
    return Answer(headers={"content-type": "application/json"}, body=body)


@pytest.fixture(scope="module")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def account(folder: Path, key: str, url: str) -> str:
    file = folder / "account.json"
    document = {
        "type": "service_account",
        "client_email": "a@p.iam.gserviceaccount.com",
        "private_key": key,
        "token_uri": url,
        "project_id": "p",
    }
    file.write_text(json.dumps(document))
    return str(file)


async def test_a_given_token_is_used_as_it_is() -> None:
    auth = GoogleToken(access_token="ya29.given")
    assert (await auth.apply(REQUEST)).headers == {"Authorization": "Bearer ya29.given"}
    assert "ya29" not in repr(auth)


async def test_a_service_accounts_token_is_fetched_once_and_kept(tmp_path: Path, private_key: str) -> None:
    async with ReplayServer(token("first"), token("second")) as server:
        auth = GoogleToken(credentials_file=account(tmp_path, private_key, server.url))
        for _ in range(2):
            assert (await auth.apply(REQUEST)).headers["Authorization"] == "Bearer first"
        (asked,) = server.requests
    form = parse_qs(asked.body.decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    assert len(form["assertion"][0].split(".")) == 3


async def test_a_token_that_has_run_out_is_renewed(tmp_path: Path, private_key: str) -> None:
    async with ReplayServer(token("short", 1), token("next")) as server:
        auth = GoogleToken(credentials_file=account(tmp_path, private_key, server.url))
        assert (await auth.apply(REQUEST)).headers["Authorization"] == "Bearer short"
        assert (await auth.apply(REQUEST)).headers["Authorization"] == "Bearer next"


async def test_a_refusal_is_an_authentication_error_in_words(tmp_path: Path, private_key: str) -> None:
    refused = Answer(
        status=400, headers={"content-type": "application/json"}, body=b'{"error":"invalid_grant","error_description":"no such account"}'
    )
    async with ReplayServer(refused) as server:
        with pytest.raises(AuthenticationError, match="no such account"):
            await GoogleToken(credentials_file=account(tmp_path, private_key, server.url)).apply(REQUEST)


@pytest.mark.parametrize("content", ["{}", "no JSON", None])
async def test_a_file_that_holds_no_credentials_is_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "account.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(MissingCredentialError, match=r"account\.json"):
        await GoogleToken(credentials_file=str(file)).apply(REQUEST)


async def test_a_token_server_that_is_away_is_told(tmp_path: Path, private_key: str) -> None:
    file = account(tmp_path, private_key, "http://127.0.0.1:9/token")
    with pytest.raises(AuthenticationError, match="refused"):
        await GoogleToken(credentials_file=file).apply(REQUEST)
