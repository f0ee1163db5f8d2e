"""What a well-typed setting must still fulfil: base URLs, keys, headers, seconds, counts. Reads no variable and knows no vendor."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from parley.contract.capabilities import Limits
from parley.contract.config import ConfigField
from parley.contract.options import Timeouts
from parley.telemetry import scrub
from parley.transport.settings import ConnectionSettings, header_problem, setting_problems

_KEY_PARAMETERS = re.compile(r"(?i)(?:^|&)(?:api[-_]?key|key|token|access_token|sig|signature)=")
_VENDOR_PATHS = re.compile(r"(/chat/completions|/completions|/messages|/responses|/embeddings|/models|:\w*[gG]enerateContent)/?$")


def setting_problem(config_field: ConfigField, value: Any) -> str | None:
    """What is wrong with a value of the right type, in words that never repeat a secret; None where it is fine."""
    if check := _CHECKS.get(config_field.name):
        return check(value) if value else None
    if config_field.setting.secret and isinstance(value, str) and value:
        return _secret_problem(value)
    return None


def url_problem(value: str) -> str | None:
    """Why this is no URL that a request can be sent to."""
    if any(character.isspace() or not character.isprintable() for character in value):
        return "contains a space or a line break; remove it"
    if "@" in value.partition("://")[2].partition("/")[0]:
        return "contains a user name or password; put the key in api_key (or in headers) instead"
    scheme, separator, rest = value.partition("://")
    if not separator:
        # It may be a key that was pasted into the wrong field.
        return f'has no scheme; write "https://{scrub(value.lstrip("/:"))}"'
    if scheme.lower() not in {"http", "https"}:
        return f'starts with "{scheme}://"; use "https://" or "http://"'
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return "has a malformed host or port; write it like https://api.example.com:8443/v1"
    if not parts.hostname or port == 0:
        return f"has no {'host' if rest else 'host after ://'} or no valid port; write it like https://api.example.com/v1"
    return None


def endpoint_problem(value: str) -> str | None:
    """Why this is no base URL."""
    if problem := url_problem(value):
        return problem
    parts = urlsplit(value)
    if "#" in value:
        return "contains a # part; give the base URL alone, like https://api.example.com/v1"
    if _KEY_PARAMETERS.search(parts.query):
        return "contains a key in its query; put the key in api_key instead"
    if match := _VENDOR_PATHS.search(parts.path):
        return f'ends with "{match[1]}"; give the base URL alone: that path is added to it'
    if "//" in parts.path:
        return 'contains "//" in its path; write one slash'
    return None


def _proxy_problem(value: str) -> str | None:
    scheme, separator, rest = value.partition("://")
    return url_problem(f"{scheme}://{rest.rpartition('@')[2]}" if separator else value)


def _secret_problem(value: str) -> str | None:
    if value != value.strip():
        return "begins or ends with a space or line break; remove it"
    if not (value.isascii() and value.isprintable()) or " " in value:
        return "contains a space or a character that no key has; was it copied whole, or left from an example?"
    return None


def _headers_problem(headers: dict[str, str]) -> str | None:
    problems = (f"{name!r} {problem}" for name, value in headers.items() if (problem := header_problem(name, value)))
    return next(problems, None)


def _ca_file_problem(value: str) -> str | None:
    problem = next(setting_problems(ConnectionSettings(ca_file=value), {}), None)
    return problem.message if problem else None


def _timeouts_problem(timeouts: Timeouts) -> str | None:
    for name in Timeouts.__struct_fields__:
        seconds: float | None = getattr(timeouts, name)
        if seconds is not None and not (seconds > 0 and math.isfinite(seconds)):
            return f"has {name} = {seconds}; give seconds above 0"
    return None


def _limits_problem(limits: Limits) -> str | None:
    for name in Limits.__struct_fields__:
        if getattr(limits, name) < 0:
            return f"has {name} = {getattr(limits, name)}; give a count, or 0 for none"
    return None


_CHECKS: dict[str, Callable[[Any], str | None]] = {
    "endpoint": endpoint_problem,
    "proxy": _proxy_problem,
    "headers": _headers_problem,
    "ca_file": _ca_file_problem,
    "timeouts": _timeouts_problem,
    "limits": _limits_problem,
}
