"""What a provider says of itself, before anybody asks it: its types, its capabilities, its models, what people will look for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from parley.contract.capabilities import Capabilities, ExtraOption, Limits, Model
from parley.contract.codec import Codec, ListsModels
from parley.contract.options import Timeouts
from parley.contract.provider import Provider
from parley.testing.findings import Finding, Findings, advice, failed, passed
from parley.testing.subject import Subject
from parley.transport.http_provider import HttpProvider

_TYPES: dict[str, tuple[type, str]] = {
    "label": (str, '"Acme"'),
    "description": (str, '"Fast models"'),
    "capabilities": (Capabilities, "Capabilities(…)"),
    "limits": (Limits, "Limits(…)"),
    "timeouts": (Timeouts, "Timeouts(…)"),
    "docs_url": (str, '"https://…"'),
    "local": (bool, "True"),
}
_METHODS = ("stream_response", "generate_response", "test_connection")


async def interface(subject: Subject) -> Findings:
    """It can be asked: its methods are there, and what it declares has the right types."""
    author = subject.author
    problems = [*_wrong_types(author), *_wrong_lists(author)]
    for finding in problems:
        yield finding
    if not problems:
        yield passed(_methods_of(author))


def _wrong_types(author: Any) -> Iterator[Finding]:
    for name, (expected, example) in _TYPES.items():
        value = getattr(author, name, None)
        if value is not None and not isinstance(value, expected):
            yield failed(f"{name} is of the type {type(value).__name__}", f"write {name} = {example}")


def _wrong_lists(author: Any) -> Iterator[Finding]:
    models: Any = getattr(author, "models", ())
    if isinstance(models, str) or not hasattr(models, "__iter__"):
        yield failed(f"models is of the type {type(models).__name__}", "write a list of Model(…)")
        return
    listed = list(models)
    if isinstance(author, Provider) and (odd := [model for model in listed if not isinstance(model, Model)]):
        yield failed(f"models holds a {type(odd[0]).__name__}", "write a list of Model(…)")
    ids = [model.id for model in listed if isinstance(model, Model)]
    if doubled := sorted({name for name in ids if ids.count(name) > 1}):
        yield failed(f"the model {doubled[0]} is listed twice", "list each model once")
    extra: Any = getattr(author, "extra_options", None)
    if extra is not None and not all(isinstance(option, ExtraOption) for option in extra):
        yield failed("extra_options holds something else than ExtraOption(…)", "write a list of ExtraOption(…)")


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
        yield passed(_declared(own))


def _methods_behind(author: HttpProvider, codec: Codec) -> dict[str, bool]:
    """What no option asks for, and whether there is something that does it; the rule about options tells of all others."""
    return {
        "streaming": codec.capabilities.streaming is not False,
        "list_models": isinstance(codec, ListsModels) or type(author).list_models is not HttpProvider.list_models,
        "embeddings": type(author).embed is not Provider.embed,
        "count_tokens": type(author).count_tokens is not Provider.count_tokens,
        "usage": codec.capabilities.usage is not False,
    }


def _declared(declared: Capabilities) -> str:
    said = [f"{name}={getattr(declared, name)!r}" for name in Capabilities.__struct_fields__ if getattr(declared, name) is not None]
    return f"declares {', '.join(said)}" if said else "declares nothing: everything is handed over"


async def completeness(subject: Subject) -> Findings:
    """What people will look for: a label, models, limits, documentation."""
    definition = subject.definition
    wanted = {
        "label": (definition.label and definition.label != subject.name, 'label="Acme", as people write the name'),
        "description": (definition.description, "description, in a few words"),
        "models": (definition.models, "models=[Model(…), …], the ones that people should choose from"),
        "docs_url": (definition.docs_url, "docs_url, where the vendor lists its models"),
    }
    missing = {name: remedy for name, (there, remedy) in wanted.items() if not there}
    for name, remedy in missing.items():
        yield advice(f"{name} is not given", f"add {remedy}")
    if not missing:
        yield passed("label, description, models and documentation are given")


async def limits(subject: Subject) -> Findings:
    """Its rate limits are written down, so that they can be kept to."""
    if subject.definition.limits == Limits():
        yield advice("no limits are given", "add limits=Limits(requests_per_minute=…) as the vendor documents them")
    else:
        yield passed(str(subject.definition.limits))
