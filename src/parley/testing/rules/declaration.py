"""What a provider says of itself, before anybody asks it: its types, its capabilities, its models, what people will look for."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from parley.contract.capabilities import Capabilities, Limits, Model
from parley.contract.codec import Codec, CountsTokens, Embeds, ListsModels
from parley.contract.config import config_fields
from parley.contract.errors import ConfigurationError
from parley.contract.events import ResponseStarted
from parley.contract.messages import Message
from parley.contract.provider import Provider
from parley.contract.request import ChatRequest
from parley.testing.findings import Findings, advice, failed, passed
from parley.testing.subject import Subject
from parley.transport.http_provider import HttpProvider

_METHODS = ("stream_response", "generate_response", "test_connection")


async def interface(subject: Subject) -> Findings:
    """It can be asked: its methods are there, and what it declares has the right types."""
    author = subject.author
    try:
        subject.guarded("http://127.0.0.1:9/v1")
    except ConfigurationError as error:
        yield failed(error.message, "give what is named there its type")
        return
    ids = [model.id for model in getattr(author, "models", ()) if isinstance(model, Model)]
    doubled = sorted({name for name in ids if ids.count(name) > 1})
    for name in doubled:
        yield failed(f"the model {name} is listed twice", "list each model once")
    if not doubled:
        yield passed(_methods_of(author))


def _methods_of(author: Any) -> str:
    names = _METHODS if not isinstance(author, Provider) else ("stream", "generate", "test_connection", "list_models")
    return f"{type(author).__name__} with " + ", ".join(name for name in names if callable(getattr(author, name, None)))


async def capabilities(subject: Subject) -> Findings:
    """It declares nothing that neither its wire nor its code can do."""
    codec = subject.codec
    if codec is None:
        yield passed(_declared(subject.capabilities))
        return
    own: Capabilities = subject.author.dialect.capabilities
    over_claimed = [name for name, there in _methods_behind(subject.author, codec).items() if getattr(own, name) is True and not there]
    for name in over_claimed:
        yield failed(f"{name} is declared, but nothing on the wire {codec.name} does it", f"leave {name} out of Capabilities(…)")
    if not over_claimed:
        yield passed(_declared(own) if _said(own) else f"what its wire declares: {', '.join(_said(codec.capabilities)) or 'nothing'}")


def _methods_behind(author: HttpProvider, codec: Codec) -> dict[str, bool]:
    """What no option asks for, and whether there is something that does it; the rule about options tells of all others."""
    return {
        "streaming": codec.capabilities.streaming is not False,
        "list_models": isinstance(codec, ListsModels) or type(author).list_models is not HttpProvider.list_models,
        "embeddings": isinstance(codec, Embeds) or _overrides(author, "embeddings", "embed"),
        "count_tokens": isinstance(codec, CountsTokens) or _overrides(author, "count_tokens"),
        "usage": codec.capabilities.usage is not False,
    }


def _overrides(author: HttpProvider, *names: str) -> bool:
    return any(getattr(type(author), name) is not getattr(HttpProvider, name) for name in names)


def _declared(declared: Capabilities) -> str:
    said = _said(declared)
    return f"declares {', '.join(said)}" if said else "declares nothing: everything is handed over"


def _said(declared: Capabilities) -> list[str]:
    return [f"{name}={getattr(declared, name)!r}" for name in Capabilities.__struct_fields__ if getattr(declared, name) is not None]


async def completeness(subject: Subject) -> Findings:
    """What people will look for: a label, models, limits, documentation."""
    definition = subject.definition
    listed = "" if definition.models or _has_its_models_elsewhere(subject) else "models=[Model(…), …], to choose from"
    documented = definition.docs_url or subject.observation == "direct"
    title = subject.name.replace("-", " ").title()
    wanted = {
        "label": "" if definition.label and definition.label != subject.name else f'label="{title}", as people write the name',
        "description": "" if definition.description else "description, in a few words",
        "models": listed,
        "docs_url": "" if documented else "docs_url, where the vendor lists its models",
    }
    missing = {name: remedy for name, remedy in wanted.items() if remedy}
    for name, remedy in missing.items():
        yield advice(f"{name} is not given", f"add {remedy}")
    if not missing:
        yield passed(f'"{definition.label}": {definition.description}')


def _has_its_models_elsewhere(subject: Subject) -> bool:
    """On this machine, in a list that it can be asked for, or under names that only its operator knows (no model is the default)."""
    default = next((field.default for field in config_fields(subject.definition.config_type) if field.name == "model"), "")
    named_by_operator = subject.codec is not None and not default
    return bool(subject.definition.local or subject.capabilities.list_models or named_by_operator)


_LIMITED = {"x-ratelimit-limit-requests": "100", "x-ratelimit-remaining-requests": "99"}


async def limits(subject: Subject) -> Findings:
    """Its rate limits are written down, or read from what the vendor says with each answer."""
    definition = subject.definition
    if definition.limits != Limits():
        said = {name: getattr(definition.limits, name) for name in Limits.__struct_fields__ if getattr(definition.limits, name)}
        yield passed(", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in said.items()))
    elif definition.local or subject.observation == "direct":
        yield passed("it runs on this machine; nobody limits it")
    elif await _reads_limits(subject):
        yield passed("none are fixed; what the vendor says of them with each answer is read")
    else:
        yield advice("no limits are given", "add limits=Limits(requests_per_minute=…) as the vendor documents them")


async def _reads_limits(subject: Subject) -> bool:
    if subject.cannot("watch") or subject.cannot("stream"):
        return False
    request = ChatRequest(messages=[Message(role="user", content="Hello")])
    limited = [structs.replace(answer, headers=answer.headers | _LIMITED) for answer in subject.streamed()]
    async with subject.serve(*limited) as served:
        events = [event async for event in served.provider.stream(request)]
    return any(isinstance(event, ResponseStarted) and event.rate_limits is not None for event in events)
