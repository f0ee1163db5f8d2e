"""Amazon's signature on a request, over its final bytes and URL. Knows no service and no wire.

Signing is botocore's (the extra `aws`), imported when the first request is signed. Where no key is configured, the credentials are
found as Amazon's own tools find them: variables, shared files, the role of the machine.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html (read 2026-11-25).
"""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec import structs

from parley.contract.errors import ConfigurationError, MissingCredentialError
from parley.contract.http import HttpRequest


class AmazonSignature:
    """Signs each attempt. Raises MissingCredentialError where there is nothing to sign with, ConfigurationError without the extra."""

    def __init__(self, *, service: str, region: str, access_key_id: str = "", secret_access_key: str = "", session_token: str = "") -> None:
        self._service = service
        self._region = region
        self._given = (access_key_id, secret_access_key, session_token)
        self._found: Any = None

    def __repr__(self) -> str:
        return f"AmazonSignature({self._service}, {self._region})"

    async def apply(self, request: HttpRequest) -> HttpRequest:
        """The request with its signature, date and session token."""
        return await asyncio.to_thread(self._signed, request)  # the credentials may be fetched, which takes its time

    def _signed(self, request: HttpRequest) -> HttpRequest:
        try:
            from botocore.auth import SigV4Auth
            from botocore.awsrequest import AWSRequest
        except ImportError as error:
            raise ConfigurationError("signing for Amazon needs the extra aws: pip install 'parley-ai[aws]'") from error
        signed = AWSRequest(method=request.method, url=request.url, data=request.body, headers=dict(request.headers))
        signer: Any = SigV4Auth(self._credentials(), self._service, self._region)
        signer.add_auth(signed)
        return structs.replace(request, headers=dict(signed.headers.items()))

    def _credentials(self) -> Any:
        from botocore.credentials import ReadOnlyCredentials
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session

        key, secret, token = self._given
        if key and secret:
            return ReadOnlyCredentials(key, secret, token or None)
        try:
            session: Any = Session()
            found: Any = self._found or session.get_credentials()
            self._found = found
            if found is not None:
                return found.get_frozen_credentials()
        except BotoCoreError as error:
            raise MissingCredentialError(f"Amazon's credentials cannot be read: {error}") from error
        raise MissingCredentialError(
            "no credentials for Amazon were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile, or an API key"
        )
