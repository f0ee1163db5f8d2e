"""Each way not to get an answer is a typed error that says what a person can do."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from parley.contract.errors import ConnectError
from parley.transport import errors


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (
            socket.gaierror(-2, "Name or service not known"),
            "name of http://h was not found; is this machine connected, and is the endpoint spelled correctly?",
        ),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "is the server running"),
        (OSError(errno.ECONNREFUSED, "Multiple exceptions"), "is the server running"),
        (OSError(errno.EHOSTUNREACH, "no route"), "no route"),
        (OSError(errno.EMFILE, "too many"), "ulimit"),
        (ssl.SSLCertVerificationError(1, "self-signed"), "ca_file"),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), "http://?"),
        (OSError("something\nelse sk-abcdefghijkl"), "something"),
    ],
)
def test_connect_errors_name_the_place_and_the_remedy(cause: OSError, words: str) -> None:
    error = errors.connect_error(cause, place="http://h")
    assert isinstance(error, ConnectError)
    assert error.phase == "connect"
    assert words in error.message
    assert "http://h" in error.message
    assert "\n" not in error.message
    assert "sk-abc" not in error.message


def test_a_proxy_is_called_one() -> None:
    error = errors.connect_error(ConnectionRefusedError(errno.ECONNREFUSED, ""), place="http://p:3128", proxy=True)
    assert "the proxy http://p:3128" in error.message
    assert "proxy right" in error.message


def test_a_proxy_that_wants_a_password() -> None:
    assert "user and password" in errors.proxy_refused(status=407, place="https://h").message
    assert "password" not in errors.proxy_refused(status=502, place="https://h").message


def test_a_redirect_names_the_host_only() -> None:
    error = errors.redirected(place="http://h", status=302, location="login.example")
    assert "to login.example" in error.message
    assert error.status == 302
    assert "without saying where" in errors.redirected(place="http://h", status=304, location="").message
