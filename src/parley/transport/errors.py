"""What can go wrong between two machines, as typed errors with a plain remedy. Knows no HTTP library and no vendor."""

from __future__ import annotations

import errno
import socket
import ssl

from parley.contract.errors import ConnectError, ConnectionLostError, ProtocolError, ProviderTimeoutError
from parley.telemetry import scrub


def connect_error(cause: OSError, *, place: str, proxy: bool = False) -> ConnectError:
    """No connection to `place` (host and port), which is the proxy where `proxy` says so. `cause` is what the system said."""
    whom = f"the proxy {place}" if proxy else place
    setting = "proxy" if proxy else "endpoint"
    if isinstance(cause, socket.gaierror):
        message = f"the name of {whom} was not found; is this machine connected, and is the {setting} spelled correctly?"
    elif isinstance(cause, ssl.SSLCertVerificationError):
        reason = getattr(cause, "verify_message", "") or "verification failed"
        message = f"the certificate of {whom} is not trusted ({reason}); if it is signed by your own authority, name its file in ca_file"
    elif isinstance(cause, ssl.SSLError):
        reason = getattr(cause, "reason", None) or "handshake failed"
        message = f"{whom} does not speak TLS as expected ({reason}); should the {setting} begin with http://?"
    elif cause.errno == errno.ECONNREFUSED:
        message = f"nothing listens at {whom} (connection refused); is the server running, and is the {setting} right?"
    elif cause.errno in {errno.ENETUNREACH, errno.EHOSTUNREACH}:
        message = f"there is no route to {whom}; check the network and the {setting}"
    elif cause.errno in {errno.EMFILE, errno.ENFILE}:
        message = f"no connection to {whom}: this process has too many files open; raise its limit (ulimit -n)"
    else:
        message = f"no connection to {whom} ({_words(cause)}); check the network and the {setting}"
    return ConnectError(message, phase="connect")


def proxy_refused(*, status: int, place: str) -> ConnectError:
    """The proxy answered, but does not let us through to `place`."""
    remedy = "check the user and password in the proxy setting" if status == 407 else "check the proxy setting"
    return ConnectError(f"the proxy refuses the way to {place} (status {status}); {remedy}", phase="connect")


def not_permitted(*, place: str) -> ConnectError:
    """The name leads to an address that requests must not go to; nothing was sent."""
    message = f"{place} leads to an address that this server must not call; ask its operator to allow it"
    return ConnectError(message, phase="connect", retryable=False)


def connect_timeout(*, place: str, seconds: float) -> ProviderTimeoutError:
    """No connection within the limit."""
    return ProviderTimeoutError(f"no connection to {place} within {seconds:g} s; check the network and the endpoint", phase="connect")


def lost_before_answer(cause: Exception, *, place: str) -> ConnectionLostError:
    """The request went out and the connection broke before the head of an answer was whole."""
    return ConnectionLostError(f"{place} closed the connection before it answered ({_words(cause)})")


def cut_body(*, place: str, received_bytes: int) -> ConnectionLostError:
    """The connection broke inside the body, by its own framing (length or chunks).

    For a stream the decoder decides: what its wire calls whole is whole, else it is StreamTruncatedError.
    """
    return ConnectionLostError(f"{place} closed the connection in the middle of the answer, after {received_bytes} bytes", phase="complete")


def malformed_answer(reason: str, *, place: str) -> ProtocolError:
    """What came back is not HTTP/1.1, or is compressed in a way that we did not ask for."""
    return ProtocolError(f"{place} does not answer in proper HTTP ({_first_line(reason)}); is the endpoint the address of an API?")


def too_large(*, place: str, max_bytes: int) -> ProtocolError:
    """A body beyond its bound."""
    return ProtocolError(f"the answer of {place} is larger than {max_bytes} bytes; the rest was not read")


def redirected(*, place: str, status: int, location: str) -> ProtocolError:
    """A redirect: never followed, since it would carry the key elsewhere. `location` is a host, nothing more."""
    whither = f"to {location}" if location else "without saying where"
    return ProtocolError(f"{place} redirects {whither} (status {status}), which is not followed; correct the endpoint", status=status)


def _words(cause: BaseException) -> str:
    return _first_line(str(cause)) or type(cause).__name__


def _first_line(text: str) -> str:
    return scrub(text.strip().partition("\n")[0])[:200]
