"""What each option changes in what a provider sends: asked with it and without it, and the two requests compared. Knows no wire.

A declared yes must change the request; a declared no must be refused or told; what is unknown is sent or told. What goes missing in
silence is a defect. A provider whose code goes elsewhere than to its `endpoint` cannot be watched: then that is the outcome.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias, cast

import msgspec
from msgspec import Struct, inspect, structs

from parley.contract.capabilities import Capabilities, ExtraOption
from parley.contract.errors import ParleyError, UnsupportedFeatureError
from parley.contract.events import ResponseFinished
from parley.contract.messages import FilePart, ImagePart, Message, TextPart
from parley.contract.options import NamedToolChoice, Options, SchemaFormat, Tool
from parley.contract.request import ChatRequest
from parley.contract.response import ResponseWarning
from parley.guard.guarded import GuardedProvider
from parley.testing.recordings import Recording
from parley.testing.replay import Answer, ReceivedRequest, ReplayServer

Outcome: TypeAlias = Literal["sent", "warned", "refused", "silent", "failed", "not observed"]

_TEXT = "Say something."
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
_DOCUMENT = "JVBERi0xLjQKJSVFT0YK"
_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
_TOOLS = [Tool(name="get_weather", description="The weather of a city.", parameters=_SCHEMA)]
# How much was sent and by which connection says nothing of what was asked.
_PLUMBING = frozenset({"content-length", "connection", "host", "transfer-encoding"})
_SECRET_HEADERS = re.compile(r"(?i)authorization|key|token|cookie|signature")


class PayloadDiff(Struct, frozen=True, kw_only=True):
    """What became of one option. `option` may name a value, as in "tool_choice=none"; `capability` is its field of Capabilities.

    `outcome`: "sent" (the request changed at `paths`; `added` names what its body holds since, see `marks_of`), "warned" (left out, and
    said so), "refused" (UnsupportedFeatureError, nothing sent), "silent" (nothing changed, nothing said), "failed" (another error,
    nothing sent), "not observed" (nothing ever arrives at
    the endpoint). `told` holds the words of the warning or the error. `partly`: other values of the same option are sent, so that
    one that a model refuses in words breaks no claim.
    """

    option: str
    capability: str | None = None
    declared: bool | None = None
    outcome: Outcome
    paths: list[str] = []
    added: list[str] = []
    told: str = ""
    partly: bool = False

    @property
    def problem(self) -> str | None:
        """What is wrong with it, in a sentence; None where nothing is."""
        if self.outcome == "silent":
            claim = "is declared as supported, but" if self.declared else "is not known to be missing;"
            return f"{self.option} {claim} nothing that is sent changes with it, and no warning names it"
        if self.outcome == "failed":
            return f"{self.option} cannot be asked for: {self.told}"
        if self.declared is True and self.outcome in {"warned", "refused"} and not self.partly:
            return f"{self.option} is declared as supported, but it is {self.outcome}: {self.told}"
        if self.declared is False and self.outcome == "sent":
            return f"{self.option} is declared as not supported, but it is sent ({', '.join(self.paths)})"
        return None


class Probe(Struct, frozen=True, kw_only=True):
    """A request with an option and the same one without it. `names` are words of which a warning must contain one."""

    option: str
    capability: str | None
    without: ChatRequest
    given: ChatRequest
    names: Sequence[str]


async def payload_diffs(
    make_provider: Callable[[str], GuardedProvider], answer: Answer | Recording, *, model: str | None = None, stream: bool = False
) -> list[PayloadDiff]:
    """One result for each option, in the order of `Options`, then what messages can hold, then the provider's own options.

    `make_provider` takes the base URL of a local server, which gives `answer` to every request (a harmless reply on the provider's
    wire), and returns the provider that is to ask there; it is closed afterwards. `model` None asks its default model. Over-claims
    and silent losses are told by `PayloadDiff.problem`, never raised.
    """
    async with ReplayServer(answer) as server, make_provider(server.url) as provider:
        watcher = _Watcher(provider, server, stream=stream)
        capabilities = _capabilities(provider, model)
        diffs = [await watcher.diff(probe, capabilities) for probe in probes(provider.extra_options, model=model)]
    sent = {diff.capability for diff in diffs if diff.outcome == "sent"}
    return [structs.replace(diff, partly="=" in diff.option and diff.capability in sent) for diff in diffs]


def probes(extra_options: Sequence[ExtraOption] | None, *, model: str | None = None) -> Iterator[Probe]:
    """Every option that a request can carry. `timeout` is left out: it is ours, and no vendor hears of it."""
    plain = ChatRequest(messages=[Message(role="user", content=_TEXT)], options=Options(model=model))
    yield _probe("model", plain, _with_options(plain, model="another-model"), capability=None)
    for name, value in _VALUES.items():
        yield _probe(name, plain, _with_options(plain, **{name: value}))
    with_tools = _with_options(plain, tools=_TOOLS)
    yield _probe("tools", plain, with_tools)
    for choice in ("required", "none", NamedToolChoice(name=_TOOLS[0].name)):
        shown = choice if isinstance(choice, str) else "{name}"
        yield _probe(f"tool_choice={shown}", with_tools, _with_options(with_tools, tool_choice=choice))
    yield _probe("parallel_tool_calls", with_tools, _with_options(with_tools, parallel_tool_calls=False))
    yield _probe("response_format=json", plain, _with_options(plain, response_format="json"))
    schema = SchemaFormat(name="city", schema=_SCHEMA)
    given = _with_options(plain, response_format=schema)
    yield _probe("response_format={schema}", plain, given, capability="structured_output")
    for effort in ("low", "high"):
        yield _probe(f"reasoning_effort={effort}", plain, _with_options(plain, reasoning_effort=effort))
    yield _probe("system_prompt", plain, structs.replace(plain, system_prompt="Be brief."), capability=None)
    yield from _media_probes(plain)
    for option in extra_options or ():
        given = _with_options(plain, extra={option.name: sample_value(option.type)})
        yield _probe(f"extra.{option.name}", plain, given, capability=None, names=(option.name,))


_VALUES: dict[str, Any] = {
    "temperature": 0.37,
    "top_p": 0.83,
    "top_k": 17,
    "max_tokens": 1931,
    "stop": ["END-OF-IT"],
    "seed": 4711,
    "frequency_penalty": 0.29,
    "presence_penalty": 0.31,
}


def _media_probes(plain: ChatRequest) -> Iterator[Probe]:
    text = TextPart(text=_TEXT)
    image = ImagePart(media_type="image/png", data=_PIXEL)

    def saying(*parts: TextPart | ImagePart | FilePart) -> ChatRequest:
        return structs.replace(plain, messages=[Message(role="user", content=list(parts))])

    yield _probe("images", saying(text), saying(text, image), names=("image",))
    address = ImagePart(media_type="image/png", url="https://example.com/image.png")
    yield _probe("image_urls", saying(text), saying(text, address), names=("image",))
    detailed = structs.replace(image, detail="low")
    yield _probe("image.detail", saying(text, image), saying(text, detailed), capability=None, names=("detail",))
    document = FilePart(media_type="application/pdf", data=_DOCUMENT)
    yield _probe("files", saying(text), saying(text, document), names=("file",))
    yield _probe("cache_markers", saying(text), saying(structs.replace(text, cache="1h")), names=("cache",))


def _probe(option: str, without: ChatRequest, given: ChatRequest, *, capability: str | None = "", names: Sequence[str] = ()) -> Probe:
    name = option.partition("=")[0]
    return Probe(option=option, capability=name if capability == "" else capability, without=without, given=given, names=names or (name,))


def _with_options(request: ChatRequest, **options: Any) -> ChatRequest:
    return structs.replace(request, options=structs.replace(request.options, **options))


def _capabilities(provider: GuardedProvider, model: str | None) -> Capabilities:
    """The model's over the provider's."""
    asked = model or getattr(provider.config, "model", "") or next((listed.id for listed in provider.models), "")
    own = next((listed.capabilities for listed in provider.models if listed.id == asked), Capabilities())
    return own.over(provider.capabilities)


class _Seen(Struct, frozen=True, kw_only=True):
    """What one call led to: the request that arrived, the warnings of the reply, the error."""

    sent: Mapping[str, Any] | None
    warnings: Sequence[ResponseWarning] = ()
    error: ParleyError | None = None


class _Watcher:
    """Makes calls and sees what arrives. A request without the option is made twice, once: what differs then is noise."""

    def __init__(self, provider: GuardedProvider, server: ReplayServer, *, stream: bool) -> None:
        self._provider = provider
        self._server = server
        self._stream = stream
        self._plain: dict[bytes, tuple[_Seen, frozenset[str]]] = {}

    async def diff(self, probe: Probe, capabilities: Capabilities) -> PayloadDiff:
        """The option's result."""
        before, noise = await self._without(probe.without)
        seen = await self._call(probe.given)
        declared = getattr(capabilities, probe.capability) if probe.capability else None
        result = PayloadDiff(
            option=probe.option,
            capability=probe.capability,
            declared=bool(declared) if isinstance(declared, str) else declared,
            outcome="silent",
            told=_told(probe, seen, before),
        )
        if seen.sent is not None and before.sent is not None:
            paths = [path for path in changed_paths(before.sent, seen.sent) if path not in noise]
            outcome: Outcome = "sent" if paths else "warned" if result.told else "silent"
            added = marks_of(seen.sent["body"]) - marks_of(before.sent["body"]) - marks_of(_SCHEMA)
            return structs.replace(result, outcome=outcome, paths=paths, added=sorted(added))
        if seen.sent is None and seen.error is not None:
            refused = isinstance(seen.error, UnsupportedFeatureError)
            return structs.replace(result, outcome="refused" if refused else "failed", told=seen.error.message)
        if seen.sent is not None and before.error is not None:
            return structs.replace(result, outcome="failed", told=f"without it, already: {before.error.message}")
        return structs.replace(result, outcome="warned" if result.told else "not observed")

    async def _without(self, request: ChatRequest) -> tuple[_Seen, frozenset[str]]:
        key = msgspec.json.encode(request)
        if key not in self._plain:
            first, second = await self._call(request), await self._call(request)
            noise = changed_paths(first.sent, second.sent) if first.sent is not None and second.sent is not None else ()
            self._plain[key] = (first, frozenset(noise))
        return self._plain[key]

    async def _call(self, request: ChatRequest) -> _Seen:
        count = len(self._server.requests)
        warnings: Sequence[ResponseWarning] = ()
        error: ParleyError | None = None
        try:
            warnings = await self._warnings_of(request)
        except ParleyError as raised:
            # Whether the reply can be read is not asked here: an answer that does not fit the question is no fault of the request.
            error = raised
            warnings = raised.partial.warnings if raised.partial is not None else ()
        arrived = self._server.requests[count:]
        return _Seen(sent=_written(arrived[-1]) if arrived else None, warnings=warnings, error=error)

    async def _warnings_of(self, request: ChatRequest) -> Sequence[ResponseWarning]:
        if not self._stream:
            return (await self._provider.generate(request, attempts=1)).warnings
        warnings: Sequence[ResponseWarning] = ()
        async for event in self._provider.stream(request, attempts=1):
            if isinstance(event, ResponseFinished):
                warnings = event.response.warnings
        return warnings


def _told(probe: Probe, seen: _Seen, before: _Seen) -> str:
    """The first warning that names the option and was not there without it."""
    usual = {(warning.code, warning.message) for warning in before.warnings}
    for warning in seen.warnings:
        words = _letters(f"{warning.code} {warning.message}")
        if (warning.code, warning.message) not in usual and any(_letters(name) in words for name in probe.names):
            return warning.message
    return ""


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _written(request: ReceivedRequest) -> dict[str, Any]:
    """The request as a document that can be compared; of credentials only that they are there."""
    try:
        body = request.json()
    except msgspec.DecodeError:
        body = request.body.decode("utf-8", "replace")
    headers = {name: "…" if _SECRET_HEADERS.search(name) else value for name, value in request.headers.items() if name not in _PLUMBING}
    return {"method": request.method, "path": request.path, "headers": headers, "body": body}


def changed_paths(before: Any, after: Any, *, path: str = "") -> list[str]:
    """Where two JSON values differ, as deep as both have the same shape: `body.options.top_p`, `body.messages[0].content`."""
    pairs: list[tuple[str, Any, Any]]
    if isinstance(before, dict) and isinstance(after, dict):
        one, other = cast("dict[str, Any]", before), cast("dict[str, Any]", after)
        pairs = [(f"{path}.{name}".lstrip("."), one.get(name, _ABSENT), other.get(name, _ABSENT)) for name in {**one, **other}]
    elif isinstance(before, list) and isinstance(after, list) and len(cast("list[Any]", before)) == len(cast("list[Any]", after)):
        pairs = [(f"{path}[{index}]", *both) for index, both in enumerate(zip(before, after, strict=True))]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    else:
        return [] if type(before) is type(after) and before == after else [path]  # pyright: ignore[reportUnknownArgumentType]
    return [found for inner, item, other_item in pairs for found in changed_paths(item, other_item, path=inner)]


def marks_of(document: Any) -> frozenset[str]:
    """What a JSON document speaks of, whatever it says: its field names, and the kinds it names (`type=image`, `media=application`,
    `data:image`, `https:`). Spelling is levelled: `inline_data` and `inlineData` are one.
    """
    return frozenset(_marks(document))


def _marks(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            letters = _letters(name)
            yield letters
            if isinstance(inner, str):
                yield from _kinds(letters, inner)
            yield from _marks(inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _marks(inner)


def _kinds(name: str, value: str) -> Iterator[str]:
    if name == "type":
        yield f"type={value.lower()}"
    elif name in {"mimetype", "mediatype"}:
        yield f"media={value.partition('/')[0].lower()}"
    elif value.startswith("data:"):
        yield value[:100].partition("/")[0].lower()
    elif value.startswith(("http://", "https://")):
        yield "https:"


_ABSENT = object()


def sample_value(kind: Any) -> Any:
    """A JSON value of an option's declared type, no emptier than it must be: an empty one might be left out for good reason."""
    return _sample(inspect.type_info(kind))


def _sample(kind: inspect.Type) -> Any:
    if isinstance(kind, inspect.LiteralType):
        return kind.values[-1]
    if isinstance(kind, (inspect.CollectionType, inspect.VarTupleType)):
        return [_sample(kind.item_type)]
    if isinstance(kind, inspect.TupleType):
        return [_sample(item) for item in kind.item_types]
    if isinstance(kind, inspect.DictType):
        return {"sample": _sample(kind.value_type)}
    if isinstance(kind, inspect.UnionType):
        return _sample(next((each for each in kind.types if not isinstance(each, inspect.NoneType)), kind.types[0]))
    if isinstance(kind, (inspect.StructType, inspect.TypedDictType, inspect.DataclassType)):
        return {each.encode_name: _sample(each.type) for each in kind.fields if each.required} or {}
    if isinstance(kind, inspect.EnumType):
        return next(iter(kind.cls)).value
    return next((value for each, value in _SAMPLES.items() if isinstance(kind, each)), "sample")


_SAMPLES: dict[type[inspect.Type], Any] = {
    inspect.BoolType: True,
    inspect.IntType: 3,
    inspect.FloatType: 0.5,
    inspect.NoneType: None,
}
