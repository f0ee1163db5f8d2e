"""The rules of a conversation: which part stands in whose message, and every tool result after its call. Knows no vendor."""

from __future__ import annotations

import re

from parley.contract.messages import FilePart, ImagePart, Message, Part, ReasoningPart, Role, TextPart, ToolCall, ToolResult
from parley.guard.checks import check_text, invalid

_BASE64 = re.compile(r"[A-Za-z0-9+/=_\s-]*")
_BEGINNING = 4096

_PLACES: dict[type, frozenset[Role]] = {
    TextPart: frozenset({"user", "assistant", "system"}),
    ImagePart: frozenset({"user", "assistant"}),
    FilePart: frozenset({"user", "assistant"}),
    ReasoningPart: frozenset({"assistant"}),
    ToolCall: frozenset({"assistant"}),
    ToolResult: frozenset({"tool"}),
}


def check_conversation(messages: list[Message]) -> None:
    """Go through the messages once, in order."""
    calls = _Calls()
    for number, message in enumerate(messages):
        content = message.content
        if message.role == "user":
            calls.check_answered(number)
        if isinstance(content, str):
            _check_plain(message.role, content, number)
        else:
            _check_parts(message, number, calls)


class _Calls:
    """The tool calls that wait for their results."""

    __slots__ = ("_answered", "_open")

    def __init__(self) -> None:
        self._open: dict[str, str] = {}
        self._answered: set[str] = set()

    def called(self, call: ToolCall, path: str) -> None:
        """The assistant asks."""
        if not call.id or not call.name:
            invalid(f"{path}.{'name' if call.id else 'id'}", "is empty")
        if call.id in self._open:
            invalid(f"{path}.id", f'the tool call "{call.id}" is there twice')
        self._open[call.id] = path

    def answered(self, result: ToolResult, path: str) -> None:
        """A tool answers."""
        call_id = result.tool_call_id
        if self._open.pop(call_id, None) is None:
            twice = call_id in self._answered
            problem = "has already been answered" if twice else "is no call of an earlier assistant message"
            invalid(f"{path}.tool_call_id", f'"{call_id}" {problem}')
        self._answered.add(call_id)

    def check_answered(self, number: int) -> None:
        """The user speaks: by then every call has its result."""
        for call_id, path in self._open.items():
            invalid(path, f'the tool call "{call_id}" has no result before messages[{number}]')


def _check_plain(role: Role, content: str, number: int) -> None:
    path = f"messages[{number}].content"
    if role == "tool":
        invalid(path, "a tool's message is a list of tool_result parts")
    # An assistant may have said nothing; anyone else has no reason to send it.
    if not content and role != "assistant":
        invalid(path, "is empty")
    check_text(content, path)


def _check_parts(message: Message, number: int, calls: _Calls) -> None:
    path = f"messages[{number}].content"
    if not message.content and message.role != "assistant":
        invalid(path, "is empty")
    for position, part in enumerate(message.parts):
        here = f"{path}[{position}]"
        if message.role not in _PLACES[type(part)]:
            invalid(f"{here}.type", f"a message of role {message.role} cannot hold this part")
        _check_part(part, here, message.role)
        if isinstance(part, ToolCall):
            calls.called(part, here)
        elif isinstance(part, ToolResult):
            calls.answered(part, here)


def _check_part(part: Part, path: str, role: Role) -> None:
    if isinstance(part, TextPart | ReasoningPart):
        check_text(part.text, f"{path}.text")
        if not part.text and role != "assistant" and part.provider_data is None:
            invalid(f"{path}.text", "is empty")
    elif isinstance(part, ToolCall):
        check_text(part.arguments, f"{path}.arguments")
    elif isinstance(part, ToolResult):
        _check_result(part, path)
    else:
        _check_media(part, path)


def _check_result(result: ToolResult, path: str) -> None:
    if isinstance(result.content, str):
        check_text(result.content, f"{path}.content")
        return
    for position, part in enumerate(result.content):
        _check_part(part, f"{path}.content[{position}]", "tool")


def _check_media(part: ImagePart | FilePart, path: str) -> None:
    sources = [name for name in ("data", "url", "id") if getattr(part, name, None)]
    if len(sources) > 1:
        invalid(path, f"has {' and '.join(sources)}; give one of them")
    if not sources and part.provider_data is None:
        invalid(path, f"has neither {'data nor url' if isinstance(part, ImagePart) else 'data, url nor id'}")
    if part.data and not part.media_type:
        invalid(f"{path}.media_type", "is missing; data needs it")
    if part.data and (problem := _no_base64(part.data)):
        invalid(f"{path}.data", problem)
    for name in sources:
        check_text(getattr(part, name), f"{path}.{name}")


def _no_base64(data: str) -> str:
    """What is wrong with data that is no base64, as far as its beginning and its letters tell; decoding it all is the vendor's."""
    if data.startswith("data:"):
        return "is a data URL; give what stands behind its comma, in base64, or the whole as `url`"
    return "" if data.isascii() and _BASE64.fullmatch(data[:_BEGINNING]) else "is no base64"
