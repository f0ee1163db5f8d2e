"""What every wire needs to write down a conversation that another wire may have begun. Knows no wire's field names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from parley.contract.errors import FieldProblem, InvalidRequestError
from parley.contract.messages import FilePart, ImagePart, Part, TextPart, ToolResult
from parley.contract.request import ChatRequest
from parley.contract.response import ResponseWarning

_SHORT_ID_CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Turn(Struct, frozen=True, kw_only=True):
    """What one side said before the other spoke; tool results are the user's."""

    role: Literal["user", "assistant"]
    parts: list[Part]


class EncodingWarnings:
    """Collects what encoding had to drop; each code is said once about the same thing."""

    __slots__ = ("_said", "warnings")

    def __init__(self) -> None:
        self.warnings: list[ResponseWarning] = []
        self._said: set[tuple[str, str]] = set()

    def add(self, code: str, message: str, *, about: str = "") -> None:
        """Say it, unless this code was said before about the same thing."""
        if (code, about) not in self._said:
            self._said.add((code, about))
            self.warnings.append(ResponseWarning(code=code, message=message))


def join_system(request: ChatRequest) -> str:
    """The system prompt, then the system messages in order, joined by blank lines: for wires with one slot."""
    texts = [request.system_prompt or ""] + [message.text for message in request.messages if message.role == "system"]
    return "\n\n".join(text for text in texts if text)


def turns(request: ChatRequest) -> list[Turn]:
    """The conversation without its system messages, neighbours of one side merged: for wires whose sides must alternate."""
    found: list[Turn] = []
    for message in request.messages:
        if message.role == "system" or not message.parts:
            continue
        role: Literal["user", "assistant"] = "assistant" if message.role == "assistant" else "user"
        if found and found[-1].role == role:
            found[-1].parts.extend(message.parts)
        else:
            found.append(Turn(role=role, parts=list(message.parts)))
    return found


def own_data(part: Part, wire: str, *, provider: str, warnings: EncodingWarnings) -> Any:
    """The part's opaque data if this wire and provider wrote it, else None, with one warning where another's data is left out."""
    data = part.provider_data
    if data is None:
        return None
    if data.wire == wire and data.provider == provider:
        return data.data
    if data.data:
        warnings.add(
            "provider_data_dropped", f"data that {data.provider} attached to the conversation means nothing to {provider} and was left out"
        )
    return None


class ToolIds:
    """Rewrites the ids of tool calls to what a wire accepts, the same for a call and its result.

    An id that `pattern` matches whole stays; another becomes `make(id)`. An id used by several calls is told apart: results
    belong to the calls with their id in order, a further one to the last of them.
    """

    __slots__ = ("_answered", "_make", "_pattern", "_sent", "_waiting")

    def __init__(self, pattern: str = r"[A-Za-z0-9_-]{1,64}", make: Callable[[str], str] | None = None) -> None:
        self._pattern = re.compile(pattern)
        self._make = make or made_id
        self._sent: set[str] = set()
        self._waiting: dict[str, list[str]] = {}
        self._answered: dict[str, str] = {}

    def call(self, call_id: str) -> str:
        """The id to send for a call."""
        sent = call_id if self._pattern.fullmatch(call_id) else self._make(call_id)
        attempt = 1
        while sent in self._sent:
            attempt += 1
            sent = self._make(f"{call_id}\0{attempt}")
        self._sent.add(sent)
        self._waiting.setdefault(call_id, []).append(sent)
        return sent

    def result(self, call_id: str) -> str:
        """The id to send for a result. Raises InvalidRequestError where no call with this id came before."""
        waiting = self._waiting.get(call_id)
        if waiting:
            self._answered[call_id] = waiting.pop(0)
        if call_id not in self._answered:
            problem = f'a tool result answers the call "{call_id}", but no assistant message before it makes that call'
            raise InvalidRequestError(problem, fields=[FieldProblem(path="messages", message=problem)])
        return self._answered[call_id]


def made_id(call_id: str) -> str:
    """An id that every wire takes, always the same for the same foreign id."""
    return f"call_{hashlib.sha256(call_id.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"


def short_id(call_id: str) -> str:
    """Nine letters and digits, all that Mistral takes, always the same for the same foreign id."""
    number = int.from_bytes(hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).digest()[:16], "big")
    characters: list[str] = []
    for _ in range(9):
        number, remainder = divmod(number, len(_SHORT_ID_CHARACTERS))
        characters.append(_SHORT_ID_CHARACTERS[remainder])
    return "".join(characters)


ResultPart: TypeAlias = TextPart | ImagePart | FilePart


def result_text(result: ToolResult) -> str:
    """A tool result's text, for wires whose results are text alone; an error is marked in words."""
    text = (
        result.content if isinstance(result.content, str) else "\n".join(part.text for part in result.content if isinstance(part, TextPart))
    )
    return f"Error: {text}" if result.is_error and not text.lower().startswith("error") else text


def result_media(result: ToolResult) -> list[ResultPart]:
    """A tool result's images and files."""
    return [] if isinstance(result.content, str) else [part for part in result.content if not isinstance(part, TextPart)]


def data_url(part: ImagePart | FilePart) -> str:
    """The part's own data as a data URL, or its URL; empty where it has neither."""
    if part.data is not None:
        return f"data:{part.media_type or 'application/octet-stream'};base64,{part.data}"
    return part.url or ""
