"""From a vendor's refusal to the one error it stands for, by its status, its codes and its words. Knows no body's shape: codecs take those
apart. The words are those of the recordings (2024 to 2026) and of the vendors' error pages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from parley.contract.errors import (
    STATUS_TABLE,
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    ModelNotFoundError,
    OverloadedError,
    ProtocolError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    error_class_for_status,
)
from parley.contract.http import ResponseHead
from parley.wire.error_codes import BY_CODE, plain
from parley.wire.rate_limits import retry_after_seconds

MAX_MESSAGE_CHARACTERS = 1000
NO_CODES: Mapping[str, type[ProviderError]] = {}
_REQUEST_ID_HEADERS = (
    "x-request-id",
    "request-id",
    "apim-request-id",
    "x-amzn-requestid",
    "x-groq-request-id",
    "mistral-correlation-id",
    "x-correlation-id",
    "x-generation-id",
    "x-ds-trace-id",
    "cf-ray",
)

# What messages say, most telling first: an error that is about something else may use the words of the last ones too.
PHRASES: tuple[tuple[type[ProviderError], str, re.Pattern[str]], ...] = tuple(
    (error_class, told, re.compile(pattern, re.IGNORECASE))
    for error_class, told, pattern in (
        (
            ContextLengthError,
            "that the context, prompt or input is too long, or that there are too many tokens",
            r"context (length|window|limit)|exceed.{0,40}context size|maximum (context|prompt|input) (length|size)|prompt is too long"
            r"|input is too long|input token count.{0,40}exceed|exceeds? the (maximum|max|limit).{0,30}tokens"
            r"|too many (input |prompt )?tokens|exceed(s|ed)? (the )?model('s)? token limit|exceed(s|ed)? max(imum)? (length|context)"
            r"|range of input length|`inputs` tokens|reduce (the length of|your) (the )?(messages?|prompt)",
        ),
        (
            ContentFilterError,
            "that a content policy, filter or safety system refused",
            r"content (management |usage |safety )?policy|content filter|safety system|input was flagged|inappropriate content"
            r"|potentially (violating|sensitive|unsafe)|violates (our |the )?(usage|content) (guidelines|polic)",
        ),
        (
            ModelNotFoundError,
            "that the model or deployment does not exist, was removed or is not supported",
            r"\bmodels?\b.{0,120}(does not exist|do not exist|not exist\b|not found|no longer available|decommissioned|was removed)"
            r"|^model \S+ is not supported"
            r"|(no such|unknown|invalid) model|not a valid model|no endpoints found|deployment .{0,80}(does not exist|not found)",
        ),
        (
            QuotaExceededError,
            "that balance, credit or quota is insufficient",
            r"insufficient (balance|credits?|quota|funds)|credit balance is too low|out of credits|billing hard limit",
        ),
        (
            AuthenticationError,
            "that the key or security token is wrong, missing or expired",
            r"(invalid|incorrect|wrong|missing|malformed) api[ _-]?key|api[ _-]?key (is )?(not valid|invalid|expired|missing)"
            r"|security token .{0,40}(invalid|expired)",
        ),
        (
            OverloadedError,
            "that the vendor is overloaded, at capacity or busy",
            r"\boverloaded\b|\b(at|over) (full )?capacity|capacity (temporarily )?exceeded|experiencing (very )?high (demand|load|traffic)"
            r"|servers? (is|are) (too )?busy",
        ),
        (
            RateLimitError,
            "that a rate limit is reached, or that there are too many requests",
            r"\brate[ -]?limit(s|ed)?\b.{0,40}(exceed|reached)|\brate[ -]limited\b|too many requests|request was throttled",
        ),
    )
)
_WORDED_STATUSES = frozenset({200, 400, 403, 404, 410, 413, 422, 498, 500})
_TITLE = re.compile(r"<title[^>]*>(.{1,200}?)</title>", re.IGNORECASE | re.DOTALL)
_HTML = re.compile(r"\s*(<!doctype|<html|<head|<body|<title|<h1)", re.IGNORECASE)


def provider_error(
    head: ResponseHead,
    *,
    message: str,
    provider_code: str | None = None,
    error_class: type[ProviderError] | None = None,
) -> ProviderError:
    """The error for this reply, complete with status, request id and the time to wait. Without `error_class` it is found by
    `classify`. `message` is the vendor's own sentence, or ours where it sent none.
    """
    chosen = error_class or classify(head.status, message, codes=(provider_code or "",))
    return chosen(
        message[:MAX_MESSAGE_CHARACTERS],
        status=head.status or None,
        provider_code=provider_code,
        request_id=request_id(head.headers),
        retry_after=retry_after_seconds(head.headers),
        provider=head.provider or None,
        model=head.model or None,
    )


def no_reply(head: ResponseHead, body: bytes) -> ProviderError:
    """The error for a body that is no JSON object: by its status, or that this is not the wire where the status is no error's."""
    return provider_error(head, message=plain_words(head, body), error_class=ProtocolError if head.status < 400 else None)


def classify(
    status: int, message: str, *, codes: tuple[str, ...] = (), own_codes: Mapping[str, type[ProviderError]] = NO_CODES
) -> type[ProviderError]:
    """The class that a status, a vendor's codes (most telling first) and its words mean; `own_codes` are what that vendor alone means
    by them, and say more than its status. An error inside a 200 takes the status that stands among its codes; where nothing tells, it
    is ServerError.
    """
    for code in codes:
        if code in own_codes:
            return own_codes[code]
    status = _status_among(codes) if status < 400 else status
    known = [BY_CODE[code] for code in map(plain, codes) if code in BY_CODE]
    named = [row.error_class for row in known if not row.general]
    if status in (401, 402):
        return STATUS_TABLE[status]
    if named and not (status in (429, 503, 529) and named[0] is not QuotaExceededError):
        return named[0]
    if status in _WORDED_STATUSES:
        for error_class, _, pattern in PHRASES:
            if pattern.search(message):
                return error_class
    if status >= 400:
        return error_class_for_status(status)
    return known[0].error_class if known else ServerError


def _status_among(codes: tuple[str, ...]) -> int:
    return next((int(code) for code in codes if len(code) == 3 and code.isascii() and code.isdigit() and code >= "400"), 200)


def request_id(headers: Mapping[str, str]) -> str | None:
    """The vendor's id of the exchange, for its support to find it (header names in lower case)."""
    return next((headers[name] for name in _REQUEST_ID_HEADERS if headers.get(name)), None)


def is_html(body: bytes) -> bool:
    """Whether these are the first bytes of a web page."""
    return _HTML.match(body[:200].decode("utf-8", "replace").lstrip("\ufeff")) is not None


def plain_words(head: ResponseHead, body: bytes) -> str:
    """A sentence for a body that is no JSON: a web page, nothing, or plain text."""
    who = head.provider or "the provider"
    # What answers at an address where no API is says so without the API's own words.
    elsewhere = "; check that its endpoint is right" if head.status in {404, 405} else ""
    if not body.strip():
        return f"{who} answered with status {head.status} and an empty body{elsewhere}"
    if is_html(body):
        title = _TITLE.search(body[:20_000].decode("utf-8", "replace"))
        named = f' titled "{" ".join(title.group(1).split())}"' if title else ""
        hint = "; check that its endpoint is right" if head.status < 500 else ""
        return f"{who} answered with status {head.status} and a web page{named} instead of JSON{hint}"
    text = " ".join(body[:2000].decode("utf-8", "replace").split())
    return f"{who} answered with status {head.status}: {text[:300]}{elsewhere}"
