"""The providers of the tests of real clients: one for each wire of which there are recordings, and what a plain reader sees in those."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from parley.testing.recordings import Recording, find_recordings, load_recording, recordings_directory

from . import oracle
from .serving import Served, served

PROVIDERS = {
    "openai-chat": "openai",
    "anthropic-messages": "anthropic",
    "gemini-generate": "gemini",
    "openai-responses": "respondent",
    "xai-responses": "respondent",
}
READERS = {
    "openai": oracle.openai_chat,
    "anthropic": oracle.anthropic_messages,
    "gemini": oracle.gemini_generate,
    "respondent": oracle.openai_responses,
}
needs_recordings = pytest.mark.skipif(recordings_directory() is None, reason="no recordings: PARLEY_RECORDINGS names no folder")

# A vendor that speaks the Responses wire, whatever the built-in ones choose.
RESPONDENT = '''
"""Speaks OpenAI's Responses wire."""

from parley.provider import Config, Dialect, ExtraOption, OpenAIResponses


class RespondentConfig(Config):
    """RESPONDENT_API_KEY, RESPONDENT_MODEL, RESPONDENT_ENDPOINT."""

    model: str = "gpt-x"
    endpoint: str = "http://127.0.0.1:1/v1"


provider = Dialect(
    name="respondent",
    label="Respondent",
    description="Speaks the Responses wire",
    config=RespondentConfig,
    wire=OpenAIResponses(),
    extra_options=[ExtraOption(name=name) for name in ("hosted_tools", "include", "reasoning_summary", "verbosity")],
)
'''


@contextmanager
def serving_all_wires(directory: Path) -> Iterator[Served]:
    """A server with a provider of each wire, and one that takes anything."""
    files = directory / "parley_providers"
    files.mkdir()
    (files / "respondent.py").write_text(RESPONDENT)
    with served(directory, *dict.fromkeys(PROVIDERS.values()), "openai-compatible", OPENAI_API="chat") as running:
        yield running


def recorded(*kinds: str, each: int = 3) -> Iterator[Any]:
    """Of each vendor the first recordings of each kind."""
    counted: dict[tuple[str, str], int] = {}
    for path in find_recordings(*PROVIDERS):
        recording = load_recording(path)
        key = (recording.provider, recording.kind)
        if recording.kind in kinds and counted.setdefault(key, 0) < each:
            counted[key] += 1
            yield pytest.param(recording, id=recording.file)


def provider_of(recording: Recording) -> str:
    return PROVIDERS[recording.provider]


def model_of(recording: Recording) -> str:
    return f"{provider_of(recording)}/{recording.model or 'model-1'}"


def expected_of(recording: Recording) -> oracle.Expected:
    return READERS[provider_of(recording)](recording)
