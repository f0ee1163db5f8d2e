"""Where a key must never come to light: repr, errors, logs, output, connection status, URL. Knows no wire and no key but the kit's own."""

from __future__ import annotations

import io
import logging
import traceback
from collections.abc import Generator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

from parley.contract.errors import ParleyError
from parley.testing.findings import Findings, failed, not_run, passed
from parley.testing.rules.asking import MESSAGES, outcome
from parley.testing.subject import CANARY, Served, Subject
from parley.transport.http_provider import HttpProvider


async def redaction(subject: Subject) -> Findings:
    """A key that was configured is in no repr, error, log line, output, connection status or URL, nor in the author's own words."""
    places: dict[str, str] = {}
    with _listening() as written:
        async with subject.serve(*_answers(subject)) as served:
            await _collect(served, places)
            sent = [request.path for request in served.server.requests]
            headers = str([request.headers for request in served.server.requests])
            mended = [each.detail for each in served.provider.violations if each.rule == "secret_in_error"]
    places |= written()
    leaks = [name for name, text in places.items() if CANARY in text]
    for name in leaks:
        yield failed(f"the key is in {name}", _REMEDIES.get(name.split(" ")[0], "leave the key out of it"))
    if any(CANARY in path for path in sent):
        yield failed("the key is in the URL, and so in the logs of every proxy on the way", "send it in a header")
    for detail in mended[:1]:
        yield failed(f"{detail}; the guard took it out", _REMEDIES["error"])
    if leaks or mended:
        return
    if subject.observation == "http" and CANARY not in headers and not any(CANARY in path for path in sent):
        if isinstance(subject.author, HttpProvider) and not callable(subject.author.dialect.auth):
            yield failed("the key is in no request, so that no service would accept one", "name the header in `auth=AuthScheme(header=…)`")
        else:
            yield not_run("that the key is sent as it is: nothing of it was seen in a request, so that this shows little")
    yield passed(f"the key is in none of {', '.join(places)}")


_REMEDIES = {
    "repr": "write a __repr__ without the key, or keep the key in its Config, whose repr hides it",
    "str": "write a __str__ without the key",
    "error": "do not put the key, or what contains it, into an error",
    "log": "do not log the key, or what contains it",
    "output": "do not print",
}


def _answers(subject: Subject) -> list[Any]:
    if subject.cannot("watch"):
        return []
    refusal = subject.known.error(401, "no such key")
    echo = subject.known.error(401, f"Incorrect API key provided: {CANARY}")
    return [*subject.streamed(), refusal, refusal, echo if subject.codec is not None else refusal, refusal]


async def _collect(served: Served, places: dict[str, str]) -> None:
    provider, author = served.provider, served.author
    for number in range(2):
        for kind in ("stream_response", "generate_response"):
            result = await outcome(getattr(provider, kind)(messages=MESSAGES))
            if isinstance(result, ParleyError):
                name = f"error {type(result).__name__}"
                shown = [str(result), repr(result), str(result.to_dict()), "".join(traceback.format_exception(result))]
                places[name] = places.get(name, "") + "\n".join(shown)
        places.setdefault("answers", "")
        if number:
            places["connection status"] = repr(await provider.test_connection())
    places |= _descriptions(provider, author)


def _descriptions(provider: Any, author: Any) -> dict[str, str]:
    found: dict[str, str] = {"repr of the guarded provider": repr(provider), "repr of its configuration": repr(provider.config)}
    for name, describe in (("repr of the author's object", repr), ("str of the author's object", str)):
        try:
            found[name] = describe(author)
        except Exception as error:  # noqa: BLE001 - an author's own method
            found[name] = f"{type(error).__name__}: {error}"
    return found


@contextmanager
def _listening() -> Generator[Any]:
    """Everything that is logged, at every level, and printed; given as a function that tells it once it is over."""
    records: list[str] = []
    handler = _Remembering(records)
    output, root, ours = io.StringIO(), logging.getLogger(), logging.getLogger("parley")
    levels = root.level, ours.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    ours.setLevel(logging.DEBUG)
    try:
        with redirect_stdout(output), redirect_stderr(output):
            yield lambda: {"log": "\n".join(records), "output": output.getvalue()}
    finally:
        root.removeHandler(handler)
        root.setLevel(levels[0])
        ours.setLevel(levels[1])


class _Remembering(logging.Handler):
    def __init__(self, records: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._records = records

    def emit(self, record: logging.LogRecord) -> None:
        self._records.append(self.format(record))
