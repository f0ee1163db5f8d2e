"""The rules of a conversation: which part stands in whose message, and every tool result after its call. Knows no vendor."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeAlias

from parley.contract.messages import FilePart, ImagePart, Message, Part, ReasoningPart, Role, TextPart, ToolCall, ToolResult

Refuse: TypeAlias = Callable[[str, str], NoReturn]
"""Given a path and what is wrong there; raises."""

_PLACES: dict[type, frozenset[Role]] = {
    TextPart: frozenset({"user", "assistant", "system"}),
    ImagePart: frozenset({"user", "assistant"}),
    FilePart: frozenset({"user", "assistant"}),
    ReasoningPart: frozenset({"assistant"}),
    ToolCall: frozenset({"assistant"}),
    ToolResult: frozenset({"tool"}),
}


def check_conversation(messages: list[Message], refuse: Refuse) -> None:
    """Go through the messages once, in order."""
    calls = _Calls(refuse)
    for number, message in enumerate(messages):
        content = message.content
        if message.role == "user":
            calls.check_answered(number)
        if isinstance(content, str):
            _check_plain(message.role, content, number, refuse)
        else:
            _check_parts(message, number, calls, refuse)


class _Calls:
    """The tool calls that wait for their results."""

    __slots__ = ("_answered", "_open", "_refuse")

    def __init__(self, refuse: Refuse) -> None:
        self._refuse = refuse
        self._open: dict[str, str] = {}
        self._answered: set[str] = set()

    def called(self, call: ToolCall, path: str) -> None:
        """The assistant asks."""
        if not call.id or not call.name:
            self._refuse(f"{path}.{'name' if call.id else 'id'}", "is empty")
        if call.id in self._open:
            self._refuse(f"{path}.id", f'the tool call "{call.id}" is there twice')
        self._open[call.id] = path
        # Vendors without ids of their own count from the start in every reply.
        self._answered.discard(call.id)

    def answered(self, result: ToolResult, path: str) -> None:
        """A tool answers."""
        call_id = result.tool_call_id
        if self._open.pop(call_id, None) is None:
            twice = call_id in self._answered
            problem = "has already been answered" if twice else "is no call of an earlier assistant message"
            self._refuse(f"{path}.tool_call_id", f'"{call_id}" {problem}')
        self._answered.add(call_id)

    def check_answered(self, number: int) -> None:
        """The user speaks: by then every call has its result."""
        for call_id, path in self._open.items():
            self._refuse(path, f'the tool call "{call_id}" has no result before messages[{number}]')


def _check_plain(role: Role, content: str, number: int, refuse: Refuse) -> None:
    path = f"messages[{number}].content"
    if role == "tool":
        refuse(path, "a tool's message is a list of tool_result parts")
    # An assistant may have said nothing; anyone else has no reason to send it.
    if not content and role != "assistant":
        refuse(path, "is empty")
    _check_text(content, path, refuse)


def _check_parts(message: Message, number: int, calls: _Calls, refuse: Refuse) -> None:
    path = f"messages[{number}].content"
    if not message.content and message.role != "assistant":
        refuse(path, "is empty")
    for position, part in enumerate(message.parts):
        here = f"{path}[{position}]"
        if message.role not in _PLACES[type(part)]:
            refuse(f"{here}.type", f"a message of role {message.role} cannot hold this part")
        _check_part(part, here, message.role, refuse)
        if isinstance(part, ToolCall):
            calls.called(part, here)
        elif isinstance(part, ToolResult):
            calls.answered(part, here)


def _check_part(part: Part, path: str, role: Role, refuse: Refuse) -> None:
    if isinstance(part, TextPart | ReasoningPart):
        _check_text(part.text, f"{path}.text", refuse)
        if not part.text and role != "assistant" and part.provider_data is None:
            refuse(f"{path}.text", "is empty")
    elif isinstance(part, ToolCall):
        _check_text(part.arguments, f"{path}.arguments", refuse)
    elif isinstance(part, ToolResult):
        _check_result(part, path, refuse)
    else:
        _check_media(part, path, refuse)


def _check_result(result: ToolResult, path: str, refuse: Refuse) -> None:
    if isinstance(result.content, str):
        _check_text(result.content, f"{path}.content", refuse)
        return
    for position, part in enumerate(result.content):
        _check_part(part, f"{path}.content[{position}]", "tool", refuse)


def _check_media(part: ImagePart | FilePart, path: str, refuse: Refuse) -> None:
    sources = [name for name in ("data", "url", "id") if getattr(part, name, None)]
    if len(sources) > 1:
        refuse(path, f"has {' and '.join(sources)}; give one of them")
    if not sources and part.provider_data is None:
        refuse(path, f"has neither {'data nor url' if isinstance(part, ImagePart) else 'data, url nor id'}")
    if part.data and not part.media_type:
        refuse(f"{path}.media_type", "is missing; data needs it")
    for name in sources:
        _check_text(getattr(part, name), f"{path}.{name}", refuse)


def _check_text(text: str, path: str, refuse: Refuse) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            refuse(path, "holds half a surrogate pair, which is no character")
