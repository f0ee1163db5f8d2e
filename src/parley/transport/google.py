"""Google's access tokens on a request: one that was given, or those of a service account or of the machine, renewed in time.

Tokens are google-auth's (the extra `google`), imported when the first one is needed. Knows no service and no wire.
https://cloud.google.com/docs/authentication/application-default-credentials (read 2026-11-25).
"""

from __future__ import annotations

import asyncio
import http.client
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from parley.contract.errors import AuthenticationError, ConfigurationError, MissingCredentialError
from parley.contract.http import AuthScheme, HttpRequest
from parley.transport.auth import HeaderAuth

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TOKEN_SECONDS = 30


class GoogleToken:
    """A fresh token for each attempt. Raises MissingCredentialError, AuthenticationError, or ConfigurationError without the extra."""

    def __init__(self, *, access_token: str = "", credentials_file: str = "") -> None:
        self._given = access_token
        self._file = credentials_file
        self._credentials: Any = None
        self._renewing = threading.Lock()

    def __repr__(self) -> str:
        return f"GoogleToken({'given' if self._given else self._file or 'default'})"

    async def apply(self, request: HttpRequest) -> HttpRequest:
        """The request with its token."""
        token = self._given or await asyncio.to_thread(self._token)  # it may have to be fetched
        return await HeaderAuth(AuthScheme(), token).apply(request)

    def _token(self) -> str:
        try:
            import google.auth
            from google.auth import exceptions
        except ImportError as error:
            raise ConfigurationError("credentials of Google need the extra google: pip install 'parley-ai[google]'") from error
        with self._renewing:  # one renewal for many calls
            try:
                if self._credentials is None:
                    self._credentials = self._load(google.auth)
                if not self._credentials.valid:
                    self._credentials.refresh(_fetch)
            except exceptions.DefaultCredentialsError as error:
                raise MissingCredentialError(f"no credentials of Google were found on this machine: {error}") from error
            except exceptions.GoogleAuthError as error:
                raise AuthenticationError(f"Google gave no token for these credentials: {error}") from error
            return self._credentials.token

    def _load(self, auth: Any) -> Any:
        if not self._file:
            return auth.default(scopes=[SCOPE], request=_fetch)[0]
        from google.oauth2 import credentials, service_account

        accounts: Any = service_account.Credentials
        users: Any = credentials.Credentials
        kinds = {"service_account": accounts.from_service_account_info, "authorized_user": users.from_authorized_user_info}
        try:
            document = msgspec.json.decode(Path(self._file).read_bytes(), type=dict[str, Any])
            return kinds[document["type"]](document, scopes=[SCOPE])
        except OSError as error:
            raise MissingCredentialError(f"the credentials file {self._file} cannot be read: {error.strerror}") from error
        except (KeyError, ValueError) as error:  # msgspec's and google-auth's own are ValueErrors
            kind = "it must be the JSON file of a service account or of a user"
            raise MissingCredentialError(f"the credentials file {self._file} cannot be used: {kind}") from error


class _Answer:
    """What google-auth reads of an answer."""

    def __init__(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self.status = status
        self.headers = headers
        self.data = data


def _fetch(
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float | None = None,
    **_: Any,
) -> _Answer:
    """One request of google-auth's, by the standard library: it renews a token about once an hour, in a thread."""
    from google.auth.exceptions import TransportError

    if not url.startswith(("https://", "http://")):
        raise TransportError(f"{url} is no web address")
    request = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)  # noqa: S310 - checked above
    try:
        with urllib.request.urlopen(request, timeout=timeout or TOKEN_SECONDS) as answer:  # noqa: S310
            return _Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        return _Answer(error.code, dict(error.headers), error.read())
    except (OSError, http.client.HTTPException) as error:
        raise TransportError(str(error)) from error
