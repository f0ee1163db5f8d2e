"""Replays a recording through the provider of its wire, over a real local server. Knows no wire by name."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parley.cli.asking import follow, whole_reply
from parley.cli.documents import print_json, reply_document
from parley.cli.terminal import one_line
from parley.cli.views import answer_view
from parley.contract.errors import InvalidRequestError, UnknownProviderError
from parley.contract.messages import Message
from parley.contract.options import Options
from parley.contract.request import ChatRequest
from parley.registry.discovery import Candidate, built_in_candidates
from parley.registry.loading import Registry
from parley.testing import replay
from parley.testing.leaks import refuse_secrets
from parley.testing.recordings import Recording, load_recording

if TYPE_CHECKING:
    from parley.cli.views import AnswerView
    from parley.contract.response import ChatResponse
    from parley.guard.guarded import GuardedProvider

KEY = "replayed"


def read(file: Path) -> Recording:
    """The recording in a file. Raises InvalidRequestError where there is none, or where it holds what nobody should be shown."""
    recording = load_recording(file)
    refuse_secrets(recording)
    return recording


def reader_of(recording: Recording, chosen: str | None) -> str:
    """Who reads the recording: the one chosen, else the plugin or instance that it is of, else of those that speak its wire a namesake."""
    if chosen is not None:
        return Registry.from_environment().describe(chosen).name
    candidates = built_in_candidates()
    if all(candidate.name != recording.provider for candidate in candidates) and recording.provider in Registry.from_environment().names():
        return recording.provider
    family = _family(recording)
    speakers = [candidate.name for candidate in candidates if any(_is_of(family, wire) for wire in _wires_of(candidate).values())]
    for label in (recording.provider, recording.wire_family):
        if namesakes := [name for name in speakers if f"{label}-".startswith(f"{name}-")]:
            return max(namesakes, key=len)
    if speakers:
        return speakers[0]
    raise UnknownProviderError(f"no provider reads the wire {recording.wire_family!r} of this recording; name one with -p")


def _family(recording: Recording) -> str:
    return recording.wire_family.replace("-", "_")


def _is_of(family: str, wire: str) -> bool:
    return f"{wire}_".startswith(f"{family}_")


def _wires_of(candidate: Candidate) -> dict[str, str]:
    """The names of a dialect's wires, by the `api` that chooses each ("" for the one it speaks unasked); none of what is no dialect."""
    dialect: Any = getattr(candidate.load(), "provider", None)
    wires: dict[str, Any] = {"": getattr(dialect, "wire", None), **getattr(dialect, "apis", {})}
    return {api: wire.name for api, wire in wires.items() if hasattr(wire, "name")}


def _choice_of_api(recording: Recording, reader: str) -> dict[str, str]:
    """The `api` that makes this reader speak the recording's wire, where it would not unasked."""
    described = Registry.from_environment().describe(reader)
    candidate = next((candidate for candidate in built_in_candidates() if candidate.name == described.provider), None)
    wires = _wires_of(candidate) if candidate is not None else {}
    speaking = [api for api, wire in wires.items() if _is_of(_family(recording), wire)]
    return {"api": speaking[0]} if speaking and "" not in speaking else {}


def show(recording: Recording, reader: str, *, port: int, as_json: bool) -> None:
    """Print what the provider makes of the recording. Raises the typed error that it stands for."""
    view = None if as_json else answer_view(waiting_for=reader)
    reply = asyncio.run(_replayed(recording, reader, port=port, view=view))
    if as_json:
        print_json(reply_document(reply))


async def _replayed(recording: Recording, reader: str, *, port: int, view: AnswerView | None) -> ChatResponse:
    async with replay.ReplayServer(recording, port=port) as server:
        provider = Registry.from_environment().load(reader, {"endpoint": server.url, "api_key": KEY, **_choice_of_api(recording, reader)})
        async with provider:
            if view is None:
                return await _read(provider, recording, None)
            async with view:
                return await _read(provider, recording, view)


async def _read(provider: GuardedProvider, recording: Recording, view: AnswerView | None) -> ChatResponse:
    request = ChatRequest(messages=[Message(role="user", content="replay")], options=Options(model=recording.model or None))
    if recording.streaming:
        return await follow(provider.stream(request, attempts=1), view)
    reply = await provider.generate(request, attempts=1)
    if view is not None:
        for event in whole_reply(reply):
            view.show(event)
    return reply


def serve(recording: Recording, reader: str, *, port: int) -> None:
    """Serve the recording until interrupted; say which variables point a program to it."""
    choice = _choice_of_api(recording, reader)
    fields = {field.name: field.variables[0] for field in Registry.from_environment().describe(reader).fields}

    def ready(server: replay.ReplayServer) -> None:
        whole = "" if recording.streaming else " --no-stream"
        target = one_line(f"{reader}/{recording.model}" if recording.model else reader)
        settings = {"endpoint": server.url, "api_key": KEY, **choice}
        exported = " ".join(f"{fields[name]}={value}" for name, value in settings.items())
        sys.stdout.write(
            f"{recording.file} is served at {server.url} until Ctrl-C. In another terminal:\n\n"
            f"  export {exported}\n"
            f"  parley chat -p {target}{whole} Hi\n"
        )
        sys.stdout.flush()

    try:
        replay.serve(recording, port=port, ready=ready)
    except OSError as error:
        raise InvalidRequestError(f"port {port} cannot be used: {error.strerror}; choose another with --port") from error
