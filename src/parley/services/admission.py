"""Who may make an account: the first with the one-time set-up code, later ones as the operator says. Knows no user."""

from __future__ import annotations

import base64
import hmac
from pathlib import Path
from typing import Final, Literal, TypeAlias

from parley.services.errors import ForbiddenError
from parley.services.secrets import stored_secret
from parley.telemetry import register_secrets

Registration: TypeAlias = Literal["closed", "invite", "open"]

SETUP_FILE: Final = "setup-code"


class Admission:
    """The set-up code is kept, 0600, in `directory` until the first account is made; None (development) asks for none.

    With a `common_secret`, which all replicas have, the code is derived from that: whichever is asked knows the link of any.
    """

    def __init__(
        self, registration: Registration, *, invite_code: str = "", directory: Path | None, url: str = "", common_secret: str = ""
    ) -> None:
        self._common_secret = common_secret
        self._registration = registration
        self._invite_code = invite_code
        self._setup_file = directory / SETUP_FILE if directory is not None else None
        self._setup_code: str | None = None
        self._url = url.rstrip("/")

    def __repr__(self) -> str:
        return f"Admission({self._registration!r})"

    def open_setup(self) -> None:
        """There is no account yet: make the code, or read the one that was made before."""
        if self._setup_file is not None:
            self._setup_code = _derived(self._common_secret) if self._common_secret else stored_secret(self._setup_file)
            register_secrets([self._setup_code])

    def close_setup(self) -> None:
        """There is an account: the code opens nothing any more."""
        self._setup_code = None
        if self._setup_file is not None:
            self._setup_file.unlink(missing_ok=True)

    def setup_link(self) -> str:
        """Where the first account is made. The code stands behind the #, which no browser sends and no proxy logs."""
        return f"{self._url}/setup#{self._setup_code}" if self._setup_code else f"{self._url}/setup"

    def admit_first(self, setup_code: str | None) -> None:
        """Raise ForbiddenError unless this may make the first account."""
        if self._setup_file is not None and not _same(self._setup_code, setup_code):
            raise ForbiddenError("the first account needs the set-up code: open the link that the server printed when it started")

    def admit(self, setup_code: str | None, invite_code: str | None) -> None:
        """Raise ForbiddenError unless this may make one more account."""
        if setup_code is not None and self._setup_file is not None:
            raise ForbiddenError("the set-up code has been used; sign in with the account that was made with it")
        if self._registration == "closed":
            raise ForbiddenError("nobody can sign up here; ask the administrator for an account")
        if self._registration == "invite" and not _same(self._invite_code, invite_code):
            raise ForbiddenError("signing up needs an invite code; ask the administrator for it")


def _derived(secret: str) -> str:
    return base64.urlsafe_b64encode(hmac.digest(secret.encode(), b"the set-up code of Parley", "sha256")).decode().rstrip("=")


def _same(code: str | None, given: str | None) -> bool:
    """Compared in the same time wherever they differ."""
    return bool(code and given) and hmac.compare_digest((code or "").encode(), (given or "").encode("utf-8", "surrogatepass"))
