"""The shipped kit over every provider that ships: each rule, on every one of them, with every recording that is its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse
from parley.providers import COMPATIBLE
from parley.registry.definition import Definition, define
from parley.registry.discovery import built_in_candidates
from parley.testing import ProviderContract
from parley.testing.proof import is_of, speaks
from parley.testing.recordings import read_index, recordings_directory
from parley.testing.rules.history import conversation, history_problem, replies_of, shipped, target_of
from parley.testing.samples import WRITERS
from parley.testing.subject import subject_of

# Two generations in one stream, the first one cut: an intermediary had lost its connection and tried again. It is read as cut.
NOT_WHOLE = "spliced"
DEFINITIONS = [define(candidate) for candidate in built_in_candidates()]


def reader_of(label: str, family: str) -> str:
    """Who reads the recordings of this label: the vendor itself, else the provider for any server of that wire, else the wire's first."""
    speaking = [each for each in DEFINITIONS if each.wire is not None and speaks(each.wire.name, family)]
    own = [each.name for each in speaking if each.wire is not None and is_of(each.name, each.wire.name, label)]
    return next(iter([*own, *(each.name for each in speaking if each.name == COMPATIBLE), *(each.name for each in speaking)]), "")


def recordings_of(definition: Definition) -> Iterator[Path]:
    """What is read by this provider's wire."""
    directory = recordings_directory()
    if directory is None:
        return
    for row in read_index(directory):
        if NOT_WHOLE not in row.file and reader_of(row.provider, row.wire_family) == definition.name:
            yield directory / row.file


def contract_of(definition: Definition) -> type[ProviderContract]:
    name = "Test" + definition.name.title().replace("-", "")
    # Which wire meets which fault is tests/unit/testing/test_faults.py's business, a test for each.
    once_per_wire = {"test_every_fault": None}
    recorded = tuple(recordings_of(definition))
    return type(name, (ProviderContract,), {"provider": definition, "recordings": recorded, "everything": True, **once_per_wire})


CONTRACTS = {definition.name: contract_of(definition) for definition in DEFINITIONS}
globals().update({contract.__name__: contract for contract in CONTRACTS.values()})


def test_every_wire_that_ships_is_spoken_by_a_provider_here() -> None:
    assert {definition.wire.name for definition in DEFINITIONS if definition.wire is not None} >= set(WRITERS)
    assert set(shipped()) == set(WRITERS)


@pytest.mark.skipif(recordings_directory() is None, reason="no recordings: PARLEY_RECORDINGS names no folder")
def test_recordings_are_found_for_most_vendors() -> None:
    with_recordings = {name for name, contract in CONTRACTS.items() if contract.recordings}
    assert with_recordings >= {"openai", "anthropic", "gemini", "groq", "deepseek", "openrouter", "mistral", "ollama"}


# What two wires ask of the ids of calls, which nobody can read off the bodies.
ID_RULES = {"mistral": r"[a-zA-Z0-9]{9}", "anthropic": r"[a-zA-Z0-9_-]+"}


def ids_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (each for name, each in value.items() if name in {"tool_call_id", "tool_use_id"})
        if value.get("type") in {"function", "tool_use"} and "id" in value:
            yield value["id"]
        for each in value.values():
            yield from ids_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from ids_in(each)


@cache
def everything_said() -> list[tuple[str, ChatResponse]]:
    """Every reply there is, recorded or made up, with who gave it."""
    subjects = [subject_of(definition, recordings=tuple(recordings_of(definition))) for definition in DEFINITIONS]
    return [(each.name, reply) for each in subjects if each.codec is not None for reply in replies_of(each, each.codec)]


@pytest.mark.parametrize("name", [definition.name for definition in DEFINITIONS if definition.wire is not None])
def test_every_reply_goes_on_at_every_provider(name: str) -> None:
    definition: Any = next(each for each in DEFINITIONS if each.name == name)
    target = target_of(name, definition.wire, definition.capabilities)
    for origin, reply in everything_said():
        assert history_problem(reply, definition.wire, target) == "", f"{origin}: {reply}"
        if name in ID_RULES and origin != name:
            request = ChatRequest(messages=conversation(reply))
            ids = list(ids_in(json.loads(definition.wire.encode(request, target=target, stream=False).body)))
            assert len(ids) == 2 * len(reply.tool_calls)
            assert all(re.fullmatch(ID_RULES[name], each) for each in ids)
