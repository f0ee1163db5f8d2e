"""That a request is signed as the service checks it: the signature is made once more here, from what arrived."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from urllib.parse import quote

import pytest

from parley.contract.errors import MissingCredentialError
from parley.contract.http import HttpRequest
from parley.transport.amazon import AmazonSignature

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REQUEST = HttpRequest(
    method="POST",
    url="https://bedrock-runtime.eu-north-1.amazonaws.com/model/us.amazon.nova-2-lite-v1%3A0/converse-stream",
    headers={"Content-Type": "application/json"},
    body=b'{"messages":[]}',
)


def signature_of(request: HttpRequest, *, service: str, region: str, secret: str) -> str:
    """The signature that the service would compute for this request."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    signed = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    host, _, path = request.url.removeprefix("https://").partition("/")
    headers["host"] = host
    canonical = "\n".join(
        [
            request.method,
            quote(f"/{path}", safe="/~"),
            "",
            *(f"{name}:{headers[name]}" for name in signed.split(";")),
            "",
            signed,
            hashlib.sha256(request.body).hexdigest(),
        ]
    )
    moment = headers["x-amz-date"]
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in (moment[:8], region, service, "aws4_request", to_sign):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return key.hex()


async def test_the_signature_is_the_services() -> None:
    auth = AmazonSignature(
        service="bedrock", region="eu-north-1", access_key_id="AKIDEXAMPLE", secret_access_key=SECRET, session_token="tok"
    )
    signed = await auth.apply(REQUEST)
    expected = signature_of(signed, service="bedrock", region="eu-north-1", secret=SECRET)
    headers = {name.lower(): value for name, value in signed.headers.items()}
    assert headers["authorization"].endswith(f"Signature={expected}")
    assert "AKIDEXAMPLE" in headers["authorization"]
    assert headers["x-amz-security-token"] == "tok"
    assert (signed.body, signed.url) == (REQUEST.body, REQUEST.url)
    assert SECRET not in repr(auth) + str(signed.headers)


async def test_credentials_are_found_as_amazons_own_tools_find_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "credentials"
    file.write_text(f"[work]\naws_access_key_id = AKIDOFPROFILE\naws_secret_access_key = {SECRET}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "work")
    signed = await AmazonSignature(service="bedrock", region="us-east-1").apply(REQUEST)
    assert "AKIDOFPROFILE" in str(signed.headers)


async def test_without_credentials_it_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(MissingCredentialError, match="AWS_ACCESS_KEY_ID"):
        await AmazonSignature(service="bedrock", region="us-east-1").apply(REQUEST)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(MissingCredentialError, match="nobody"):
        await AmazonSignature(service="bedrock", region="us-east-1").apply(REQUEST)
