"""Puts tool calls together from whatever fragments a wire delivers. Knows no wire's field names and runs no tool."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from msgspec import Struct

from parley.contract.errors import ProtocolError
from parley.contract.events import Event, ToolCallDelta, ToolCallEnded, ToolCallStarted
from parley.contract.messages import ProviderData, ToolCall
from parley.wire.json_values import json_text

MAX_TOOL_CALLS = 1024


class ToolCallFragment(Struct, frozen=True, kw_only=True):
    """One piece of a call. `index` is the wire's own number, None where it gives none; `arguments` text, a whole object, or None.

    `whole` says that this wire never splits a call, so that each fragment without an index is a call by itself; `splits_names` that
    a name may come in pieces too, so that a call is not started before its name is known to be over.
    """

    index: int | None = None
    id: str = ""
    name: str = ""
    arguments: str | dict[str, Any] | None = None
    provider_data: ProviderData | None = None
    whole: bool = False
    splits_names: bool = False


class _Call:
    __slots__ = ("arguments", "id", "name", "position", "provider_data", "started", "vendor_id", "waiting")

    def __init__(self, position: int) -> None:
        self.position = position
        self.vendor_id = ""
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []
        self.waiting: list[str] = []
        self.provider_data: ProviderData | None = None
        self.started = False


class ToolCallAssembler:
    """One per reply. `add` gives Started and Delta events, `end`/`close` Ended ones.

    `seed` (the reply's id) goes into the ids made for calls that come without one, so that they differ from reply to reply and are
    the same for the same bytes.
    """

    __slots__ = ("_calls", "_current", "_ended", "seed")

    def __init__(self, seed: str = "") -> None:
        self.seed = seed
        self._calls: list[_Call] = []
        self._current: dict[int, _Call] = {}
        self._ended = 0

    @property
    def open(self) -> bool:
        """Whether a call has begun that has not ended."""
        return self._ended < len(self._calls)

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, fragment: ToolCallFragment) -> list[Event]:
        """The events of one more fragment. Raises ProtocolError for too many calls."""
        call = self._call_of(fragment)
        call.vendor_id = call.vendor_id or fragment.id
        call.name = call.name if call.started else _grown(call.name, fragment.name)
        call.provider_data = fragment.provider_data or call.provider_data
        arguments = fragment.arguments
        if isinstance(arguments, dict):
            arguments = json_text(arguments)
        if arguments:
            call.waiting.append(arguments)
        if not call.name or (fragment.splits_names and not call.waiting and call is self._calls[-1]):
            return []
        # Calls whose names were still open begin before the ones after them.
        earlier = [known for known in self._calls[self._ended : call.position] if known.name and not known.started]
        return [event for ready in (*earlier, call) for event in self._deliver(ready)]

    def close(self) -> list[Event]:
        """Ends every call that is still open, in order. Raises ProtocolError for a call that never got a name."""
        events: list[Event] = []
        for call in self._calls[self._ended :]:
            if not call.name:
                raise ProtocolError("the provider sent a tool call without a name")
            events += self._deliver(call)
            arguments = "".join(call.arguments)
            whole = ToolCall(
                id=call.id, name=call.name, arguments=arguments if arguments.strip() else "{}", provider_data=call.provider_data
            )
            events.append(ToolCallEnded(index=call.position, call=whole))
        self._ended = len(self._calls)
        self._current.clear()
        return events

    def _deliver(self, call: _Call) -> list[Event]:
        events: list[Event] = []
        if not call.started:
            call.started = True
            call.id = call.vendor_id or self._made_id(call)
            events.append(ToolCallStarted(index=call.position, id=call.id, name=call.name, provider_data=call.provider_data))
        for arguments in call.waiting:
            call.arguments.append(arguments)
            events.append(ToolCallDelta(index=call.position, arguments=arguments))
        call.waiting.clear()
        return events

    def _call_of(self, fragment: ToolCallFragment) -> _Call:
        if fragment.index is None:
            known = self._unnumbered(fragment)
            return known if known is not None else self._new_call(len(self._calls))
        known = self._current.get(fragment.index)
        if known is None or _begins_another(known, fragment):
            return self._new_call(fragment.index)
        return known

    def _unnumbered(self, fragment: ToolCallFragment) -> _Call | None:
        """The open call that a fragment without an index goes on with: the one with its id, else the last unless it names a new one."""
        open_calls = self._calls[self._ended :]
        if fragment.whole or not open_calls:
            return None
        if fragment.id:
            known = next((call for call in reversed(open_calls) if call.vendor_id == fragment.id), None)
            if known is not None:
                return known
        return None if _begins_another(open_calls[-1], fragment) else open_calls[-1]

    def _new_call(self, index: int) -> _Call:
        if len(self._calls) >= MAX_TOOL_CALLS:
            raise ProtocolError(f"the provider sent more than {MAX_TOOL_CALLS} tool calls in one reply")
        call = _Call(len(self._calls))
        self._calls.append(call)
        self._current[index] = call
        return call

    def _made_id(self, call: _Call) -> str:
        digest = hashlib.sha256(f"{self.seed}\0{call.position}\0{call.name}".encode("utf-8", "surrogatepass")).hexdigest()
        return f"call_{digest[:24]}"


def _begins_another(known: _Call, fragment: ToolCallFragment) -> bool:
    """Vendors repeat an index (Gemini's compatible API numbers every call 0), repeat ids and names in each fragment, or make a new id
    for each fragment of the same call (older vLLM). A name beside another id, or after arguments that are whole, is another call;
    under the index of a call that has no arguments yet it is more of that call's name.
    """
    if not fragment.name:
        return False
    if fragment.id and known.vendor_id:
        return fragment.id != known.vendor_id
    if fragment.splits_names and fragment.index is not None and not fragment.id and not known.started:
        return False
    return bool(known.name) and (fragment.name != known.name or (bool(fragment.arguments) and _is_whole(known)))


def _grown(name: str, piece: str) -> str:
    """The name with one more piece. Most vendors repeat the name whole, some send all of it so far, and gateways to Gemini split it
    (https://github.com/continuedev/continue/pull/5849, read 2026-11-22).
    """
    return piece if piece.startswith(name) else name + piece


def _is_whole(call: _Call) -> bool:
    try:
        return isinstance(msgspec.json.decode("".join(call.arguments)), dict)
    except (msgspec.DecodeError, RecursionError):
        return False
