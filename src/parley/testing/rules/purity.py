"""What a codec must be by itself: pure, so that it can be tested byte by byte and used by anything. Knows no wire's words."""

from __future__ import annotations

import dis
import threading
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any, TypeVar

from parley.contract.codec import Codec
from parley.contract.errors import CallerError
from parley.contract.http import ResponseHead, Target
from parley.contract.messages import ImagePart, Message, TextPart
from parley.contract.options import Options, Tool
from parley.contract.request import ChatRequest
from parley.testing.findings import Findings, failed, not_run, passed
from parley.testing.offline import input_and_output, kept_offline
from parley.testing.samples import JSON_DOCUMENT, MODEL, Sample
from parley.testing.subject import Subject

_IMPURE = frozenset(
    {"aiohttp", "asyncio", "http", "httpx", "multiprocessing", "requests", "select", "socket", "ssl", "subprocess", "urllib3"}
)
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
_Result = TypeVar("_Result")


async def purity(subject: Subject) -> Findings:
    """The codec does no I/O: it works in a thread without an event loop, with every socket, file, process and sleep watched."""
    codec = subject.codec
    if codec is None:
        yield not_run("a codec; it is a class that does its own requests")
        return
    for place in _impure_names(codec):
        yield failed(place, "a codec is given bytes and gives bytes; leave sending, fetching and waiting to the transport")
    work = _work_of(codec, subject)
    _in_thread(lambda: _watched(work))  # what is imported late is imported here, before anybody looks
    seen, problem = _in_thread(lambda: _watched(work))
    for what in sorted(set(seen)):
        yield failed(f"encode or decode uses {what}", "keep a codec pure: no I/O and no waiting")
    if problem:
        yield failed(f"without an event loop it raises {problem}", "a codec's methods are plain functions")
    if not seen and not problem:
        yield passed("encode, decode and decode_error without an event loop: no socket, file, process or sleep")


def _work_of(codec: Codec, subject: Subject) -> Callable[[], None]:
    target = Target(provider=subject.name, model=MODEL, endpoint="http://127.0.0.1/v1", capabilities=subject.capabilities)
    head = ResponseHead(status=200, headers=JSON_DOCUMENT, provider=subject.name, model=target.model)
    sample = subject.sample

    def work() -> None:
        for request in _requests():
            for stream in (True, False):
                try:
                    codec.encode(request, target=target, stream=stream)
                except CallerError:
                    continue  # what a wire cannot say it may refuse
        codec.decode_error(ResponseHead(status=500, headers=JSON_DOCUMENT), b'{"error": {"message": "no"}}')
        for headers, body in _bodies(sample):
            decoder = codec.decoder(_requests()[0], ResponseHead(status=200, headers=headers, provider=head.provider, model=head.model))
            decoder.feed(body)
            decoder.close()

    return work


def _bodies(sample: Sample | None) -> Iterator[tuple[dict[str, str], bytes]]:
    if sample is not None and sample.text_events:
        yield sample.stream_headers, b"".join(sample.text_events)
    if sample is not None and sample.text_complete:
        yield sample.complete_headers, sample.text_complete


def _requests() -> list[ChatRequest]:
    picture = Message(role="user", content=[TextPart(text="?"), ImagePart(url="https://vendor.example/picture.png")])
    pixel = Message(role="user", content=[TextPart(text="?"), ImagePart(media_type="image/png", data=_PIXEL)])
    plain = Message(role="user", content="Hello")
    options = Options(tools=[Tool(name="get_weather")], temperature=0.5, max_tokens=9, stop=["END"])
    return [ChatRequest(messages=[message], options=options, system_prompt="Be brief") for message in (plain, picture, pixel)]


def _watched(work: Callable[[], None]) -> tuple[list[str], str]:
    with kept_offline(), input_and_output() as seen:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - an author's codec may raise anything
            return seen, f"{type(error).__name__}: {error}"
    return seen, ""


def _in_thread(function: Callable[[], _Result]) -> _Result:
    """Its result, from a thread that has no event loop. Waited for: what it does takes milliseconds."""
    results: list[_Result] = []
    thread = threading.Thread(target=lambda: results.append(function()), name="parley-codec", daemon=True)
    thread.start()
    thread.join()
    return results[0]


def _impure_names(codec: Codec) -> Iterator[str]:
    """Where the codec's own code, or its decoder's, names a module that does I/O; what else stands in its file is nobody's business."""
    decoder: object = None
    try:
        decoder = codec.decoder(_requests()[0], ResponseHead(status=200, headers=JSON_DOCUMENT))
    except Exception:  # noqa: BLE001 - that it cannot be made is told where it is asked to work
        decoder = None
    for thing in (codec, decoder):
        for parent in type(thing).__mro__:
            if parent.__module__.partition(".")[0] in {"builtins", "typing", "msgspec", "parley"}:
                continue
            for function in vars(parent).values():
                if isinstance(function, FunctionType):
                    for name in _modules_named(function.__code__, function.__globals__):
                        yield f"{parent.__qualname__}.{function.__name__} uses {name}"


def _modules_named(code: CodeType, names: dict[str, Any]) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        root = ""
        if instruction.opname == "IMPORT_NAME":
            root = str(instruction.argval)
        elif instruction.opname in {"LOAD_GLOBAL", "LOAD_NAME"}:
            value = names.get(str(instruction.argval))
            root = value.__name__ if isinstance(value, ModuleType) else str(getattr(value, "__module__", ""))
        if root.partition(".")[0] in _IMPURE or root == "urllib.request":
            yield root
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _modules_named(constant, names)
