"""Reads the input items of a Responses request into the contract's messages. Knows no option and fetches no URL.

https://platform.openai.com/docs/api-reference/responses/create (read 2026-11-25).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from parley.contract.messages import FilePart, ImagePart, Message, Part, ProviderData, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.wire.carried_state import unseal
from parley.wire.json_values import list_of, object_of, text_of
from parley.wire.openai_chat_server_messages import Recall, source_of
from parley.wire.server_fields import Behind
from parley.wire.server_values import Dropped, invalid, list_at, name_at, object_at, optional_text, text_at, unsupported

WIRE = "openai_responses"
_CALL_FIELDS = frozenset({"type", "status", "call_id", "name", "arguments", "input"})
_ROLES = ("user", "assistant", "system", "developer")
_Media = TextPart | ImagePart | FilePart


class ItemReader:
    """Reads one request's items, in order. What an assistant said, thought and called until somebody else spoke is one message.

    `positions` says of each message at which item it began. An item without a common form stays what it is where this wire is spoken.
    """

    def __init__(self, *, behind: Behind, dropped: Dropped, recall: Recall | None) -> None:
        self._same_wire = behind.wire == WIRE
        self._provider = behind.provider if self._same_wire else WIRE
        self._dropped = dropped
        self._recall = recall
        self._said: list[Part] = []
        self._said_from = 0
        self.messages: list[Message] = []
        self.positions: list[int] = []
        self._readers: dict[str, Callable[[dict[str, Any], str], Sequence[Part]]] = {
            "reasoning": self._reasoning,
            "function_call": self._call,
            "custom_tool_call": self._call,
            "function_call_output": self._output,
            "custom_tool_call_output": self._output,
        }

    def read(self, value: Any) -> None:
        """All of them. Raises InvalidRequestError naming the place in the wire's terms."""
        if isinstance(value, str):
            self._add("user", value, 0)
            return
        items = list_at(value, "input")
        for position, raw in enumerate(items):
            path = f"input[{position}]"
            item = object_at(raw, path)
            kind = item.get("type", "message" if "role" in item else None)
            if kind == "message":
                self._message(item, position, path)
                continue
            if kind == "item_reference" or kind is None:
                unsupported(f"{path}.type", "is a reference, and nothing is kept between requests; send the item itself")
            reader = self._readers.get(kind) if isinstance(kind, str) else None
            parts = self._foreign(item, path) if reader is None else reader(item, path)
            if kind in ("function_call_output", "custom_tool_call_output"):
                self._add("tool", list(parts), position)
            else:
                self._say(parts, position)
        self._end_said()
        if not self.messages:
            invalid("input", "expected a text or at least one item")

    def _add(self, role: Any, content: str | list[Part], position: int) -> None:
        self._end_said()
        self.messages.append(Message(role=role, content=content))
        self.positions.append(position)

    def _say(self, parts: Sequence[Part], position: int) -> None:
        if not self._said:
            self._said_from = position
        self._said += parts

    def _end_said(self) -> None:
        if self._said:
            said, self._said = self._said, []
            self.messages.append(Message(role="assistant", content=self._recalled(said)))
            self.positions.append(self._said_from)

    def _recalled(self, parts: list[Part]) -> list[Part]:
        """What a client cannot bring back with a call: the data of a vendor on another wire, and thought that it dropped."""
        if self._recall is None:
            return parts
        thought = any(isinstance(part, ReasoningPart) for part in parts)
        found: list[Part] = []
        for part in parts:
            state = self._recall(part.id) if isinstance(part, ToolCall) else None
            if isinstance(part, ToolCall) and state is not None:
                found += [] if thought else state.reasoning
                known = state.provider_data if state.provider_data is not None and state.provider_data.wire != WIRE else None
                found.append(ToolCall(id=part.id, name=part.name, arguments=part.arguments, provider_data=known or part.provider_data))
            else:
                found.append(part)
        return found

    def _own(self, data: Any) -> ProviderData:
        return ProviderData(wire=WIRE, provider=self._provider, data=data)

    def _message(self, item: dict[str, Any], position: int, path: str) -> None:
        role, content, here = item.get("role"), item.get("content"), f"{path}.content"
        if role not in _ROLES:
            invalid(f"{path}.role", f"is {role!r}; use one of {', '.join(_ROLES)}")
        if role == "assistant":
            self._say(self._assistant(item, content, here), position)
        elif role == "user":
            self._add("user", content if isinstance(content, str) else self._content(content, here), position)
        elif content := content if isinstance(content, str) else self._content(content, here):
            self._add("system", content, position)

    def _assistant(self, item: dict[str, Any], content: Any, path: str) -> list[Part]:
        own = {name: item[name] for name in ("id", "phase") if item.get(name)}
        data = self._own(own) if own.get("id") and self._same_wire else None
        if isinstance(content, str):
            return [TextPart(text=content, provider_data=data)] if content else []
        parts: list[Part] = []
        for number, raw in enumerate(list_at(content, path)):
            here = f"{path}[{number}]"
            given = object_at(raw, here)
            kind = given.get("type")
            if kind not in ("output_text", "refusal", "input_text", "text"):
                invalid(f"{here}.type", f"is {kind!r}; use output_text or refusal")
            name = "refusal" if kind == "refusal" else "text"
            if text := text_at(given.get(name), f"{here}.{name}"):
                parts.append(TextPart(text=text, provider_data=data))
        return parts

    def _content(self, value: Any, path: str) -> list[Part]:
        return [self._part(item, f"{path}[{number}]") for number, item in enumerate(list_at(value, path))]

    def _part(self, value: Any, path: str) -> _Media:
        fields = object_at(value, path)
        kind = fields.get("type")
        cache = "5m" if fields.get("prompt_cache_breakpoint") is not None else None
        if kind in ("input_text", "output_text", "text"):
            return TextPart(text=text_at(fields.get("text"), f"{path}.text"), cache=cache)
        if kind == "input_image":
            detail = fields.get("detail")
            if detail is not None and detail not in ("auto", "low", "high"):
                self._dropped.add("input_image.detail", f"{detail!r} became high", code="field_changed")
                detail = "high"
            if file_id := optional_text(fields, "file_id", f"{path}.file_id"):
                return FilePart(media_type="image/*", id=file_id, cache=cache)
            media_type, data, url = source_of(name_at(fields.get("image_url"), f"{path}.image_url"), f"{path}.image_url")
            return ImagePart(media_type=media_type, data=data, url=url, detail=detail, cache=cache)
        if kind == "input_file":
            name = optional_text(fields, "filename", f"{path}.filename") or ""
            if file_id := optional_text(fields, "file_id", f"{path}.file_id"):
                return FilePart(name=name, id=file_id, cache=cache)
            place = "file_url" if fields.get("file_url") else "file_data"
            media_type, data, url = source_of(name_at(fields.get(place), f"{path}.{place}"), f"{path}.{place}")
            return FilePart(media_type=media_type, name=name, data=data, url=url, cache=cache)
        return invalid(f"{path}.type", f"is {kind!r}; use one of input_text, input_image, input_file")

    def _reasoning(self, item: dict[str, Any], path: str) -> list[Part]:
        encrypted = optional_text(item, "encrypted_content", f"{path}.encrypted_content") or ""
        thoughts = [*list_of(item.get("summary")), *list_of(item.get("content"))]
        text = "".join(text_of(object_of(thought).get("text")) for thought in thoughts)
        try:
            sealed = unseal(encrypted, text=text)
        except ValueError:
            invalid(f"{path}.encrypted_content", "is not as it was given; send it back unchanged or leave the item out")
        if sealed is not None:
            return [sealed]
        if self._same_wire:
            return [ReasoningPart(text=text, redacted=None if text else encrypted or None, provider_data=self._own({"item": item}))]
        return [ReasoningPart(text=text)] if text else []

    def _call(self, item: dict[str, Any], path: str) -> list[Part]:
        custom = item["type"] == "custom_tool_call"
        own = {name: value for name, value in item.items() if name not in _CALL_FIELDS and value is not None}
        own |= {"custom": True} if custom else {}
        field = "input" if custom else "arguments"
        return [
            ToolCall(
                id=name_at(item.get("call_id"), f"{path}.call_id"),
                name=name_at(item.get("name"), f"{path}.name"),
                arguments=text_at(item.get(field), f"{path}.{field}") or "{}",
                provider_data=self._own(own) if own and self._same_wire else None,
            )
        ]

    def _output(self, item: dict[str, Any], path: str) -> list[Part]:
        output: Any = item.get("output")
        if not isinstance(output, str):
            output = self._content(output, f"{path}.output")
        return [ToolResult(tool_call_id=name_at(item.get("call_id"), f"{path}.call_id"), content=output)]

    def _foreign(self, item: dict[str, Any], path: str) -> list[Part]:
        """An item of the vendor's own: a hosted tool's call, its output, a compacted history."""
        if self._same_wire:
            return [TextPart(text="", provider_data=self._own({"item": item}))]
        self._dropped.add(f"input.{item['type']}", "means nothing to this provider and was left out")
        return []
