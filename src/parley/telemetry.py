"""Logs without secrets: one scrubber for whatever is shown, one line per event. Stands at the bottom and knows no other part of Parley."""

from __future__ import annotations

import base64
import json
import logging
import re
import sys
from collections.abc import Iterable
from typing import TextIO
from urllib.parse import quote, quote_plus

REPLACEMENT = "***"
MAX_VALUE_CHARACTERS = 16_384
LEVELS = ("debug", "info", "warning", "error")

_SHORTEST_SECRET_FOUND_ANYWHERE = 6
_SHORTEST_SECRET = 3

# Keys as vendors make them, wherever they stand: a vendor's error may quote a key that we were never told (of a proxy, of a colleague).
_KEY_SHAPES = re.compile(
    r"\b(?:sk|pk|rk|gsk|csk|pplx|nvapi|tgp|fw|r8|hf|ghp|glpat)[-_][A-Za-z0-9_*.-]{6,}"
    r"|\bx[a-z]{2}-[A-Za-z0-9]{12,}"
    r"|\bAIza[A-Za-z0-9_*-]{6,}"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{12,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"
)
# What follows a name that announces a credential. The name itself is kept: it tells a person what was wrong.
_ANNOUNCED = re.compile(
    r"(?i)(?P<announcement>\b(?:Bearer|Basic)\s+(?!(?:token|auth\w*|realm)\b)"
    r"|[?&](?:api[-_]?key|key|access[-_]?token|token|signature|sig|x-amz-signature|x-amz-security-token)="
    r"""|\b(?:x-)?(?:goog-)?(?:api[-_]?key|access[-_]?token|client[-_]?secret|password)["']?\s*[:=]\s*["']?"""
    r"|://(?=[^/\s@]*:[^/\s@]*@))"
    r"""(?P<value>(?<=://)[^/\s@]+|[^\s"'&,;<>(){}]{3,})"""
)


class Scrubber:
    """Takes secrets out of text: those it was given, in plain, percent-encoded, JSON-escaped and base64 form, and any shape of key.

    A secret of fewer than 6 characters is replaced only where it stands as a word by itself, of fewer than 3 not at all:
    it would else take ordinary letters out of every message.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        patterns: set[str] = set()
        for secret in secrets:
            if len(secret) >= _SHORTEST_SECRET_FOUND_ANYWHERE:
                patterns.update(re.escape(form) for form in _forms(secret))
            elif len(secret) >= _SHORTEST_SECRET:
                patterns.add(rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])")
        # Longest first: where one secret begins with another, all of it must go.
        self._known = re.compile("|".join(sorted(patterns, key=len, reverse=True))) if patterns else None

    def find(self, text: str) -> int | None:
        """Where the first of the given secrets stands in the text, in any of its forms; None where none does. Shapes are not looked for."""
        match = self._known.search(text) if self._known is not None else None
        return match.start() if match else None

    def scrub_known(self, text: str) -> str:
        """The text with *** in the place of each secret that was given; whatever only looks like one stays."""
        return text if self._known is None else self._known.sub(REPLACEMENT, text)

    def scrub(self, text: str) -> str:
        """The text with *** in the place of each secret."""
        text = _ANNOUNCED.sub(_keep_announcement, self.scrub_known(text))
        return _KEY_SHAPES.sub(REPLACEMENT, text)


def _keep_announcement(match: re.Match[str]) -> str:
    return match["announcement"] + REPLACEMENT


def _forms(secret: str) -> set[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    forms = {
        secret,
        quote(raw, safe=""),
        quote(raw),
        quote_plus(raw),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    }
    forms |= {form.lower() for form in forms if "%" in form}
    for padding in range(3):
        # Inside "user:secret" base64 begins at any of three alignments; the characters that mix with neighbours are left off.
        encoded = base64.b64encode(b"\0" * padding + raw).decode("ascii").rstrip("=")
        whole_characters = (len(raw) + padding) * 8 // 6
        form = encoded[(0, 2, 3)[padding] : whole_characters]
        forms |= {form, form.replace("+", "-").replace("/", "_")}
    return {form for form in forms if len(form) >= _SHORTEST_SECRET_FOUND_ANYWHERE}


class _Process:
    """What this process has been told: every secret of every configured provider, and whether contents may be logged."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self.scrubber = Scrubber()
        self.content = False


_process = _Process()


def register_secrets(values: Iterable[str]) -> None:
    """From now on these never appear in what `scrub` returns or a logger writes, in the whole process."""
    new = set(values) - _process.secrets
    if new:
        _process.secrets |= new
        _process.scrubber = Scrubber(_process.secrets)


def scrub(text: str) -> str:
    """The text without any secret that this process knows of, and without anything that looks like a key."""
    return _process.scrubber.scrub(text)


def content_is_logged() -> bool:
    """Whether the contents of messages may be written to the log (LOG_CONTENT=on)."""
    return _process.content


def debugging() -> bool:
    """Whether whoever runs this process looks for a fault (LOG_LEVEL=debug)."""
    return logging.getLogger("parley").isEnabledFor(logging.DEBUG)


def configure(level: str = "warning", content: bool = False) -> None:
    """Set what is logged, for the program that owns the process. Writes to standard error unless logging is already set up.

    Raises ValueError for a level that is not one of LEVELS.
    """
    if level.lower() not in LEVELS:
        raise ValueError(f"LOG_LEVEL is {level!r}; use one of {', '.join(LEVELS)}")
    root = logging.getLogger("parley")
    root.setLevel(level.upper())
    if not root.hasHandlers():
        handler = _StandardError()
        handler.setFormatter(logging.Formatter("%(asctime)s level=%(levelname)s logger=%(name)s %(message)s"))
        root.addHandler(handler)
    _process.content = content


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to whatever standard error is at the moment, as a program may redirect it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


class Logger:
    """One line per event: its name, then `key=value`. Each value is scrubbed and its control characters are escaped.

    Scrubbing happens before the line reaches Python's logging, so it holds for every handler that an application installs. A record
    also carries `event` and `fields` (texts, scrubbed but not escaped), for a handler that shows them in its own way.
    """

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    @property
    def debug_enabled(self) -> bool:
        """Whether a debug line would be written; ask before preparing an expensive one."""
        return self._logger.isEnabledFor(logging.DEBUG)

    def debug(self, event: str, **fields: object) -> None:
        """For whoever looks for a fault."""
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        """For whoever watches."""
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        """Something was survived that somebody should know."""
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, **fields: object) -> None:
        """Something failed."""
        self._write(logging.ERROR, event, fields)

    def _write(self, level: int, event: str, fields: dict[str, object]) -> None:
        if self._logger.isEnabledFor(level):
            texts = {name: _scrubbed(value) for name, value in fields.items() if value is not None}
            words = [_quoted(event) if _UNSAFE.search(event) else event]
            words += [f"{name}={_shown(text)}" for name, text in texts.items()]
            self._logger.log(level, "%s", " ".join(words), extra={"event": event, "fields": texts})


def get_logger(name: str) -> Logger:
    """The logger of a module (`__name__`)."""
    return Logger(logging.getLogger(name))


# C0, DEL, C1, line and paragraph separators, and the marks that turn the direction of text: each can forge or hide a line.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_NEEDS_QUOTES = re.compile(r"[\s\"'=\\]|^$")


def _scrubbed(value: object) -> str:
    if isinstance(value, BaseException):
        value = f"{type(value).__name__}: {value}"
    elif isinstance(value, float):
        value = round(value, 3)
    text = str(value)
    # Cut before scrubbing to bound the work, with room so that no half of a secret is left at the end.
    text = scrub(text[: 2 * MAX_VALUE_CHARACTERS])
    if len(text) > MAX_VALUE_CHARACTERS:
        text = text[:MAX_VALUE_CHARACTERS] + "…"
    return text


def _shown(text: str) -> str:
    return _quoted(text) if _NEEDS_QUOTES.search(text) or _UNSAFE.search(text) else text


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + _UNSAFE.sub(_escape, escaped) + '"'


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return {9: "\\t", 10: "\\n", 13: "\\r"}.get(code) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
