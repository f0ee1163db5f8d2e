"""Writes a conversation as the input items of OpenAI's Responses wire. Knows no option and no model.

https://platform.openai.com/docs/api-reference/responses/create; request bodies in recordings of 2025 and 2026.
"""

from __future__ import annotations

from typing import Any

from parley.contract.http import Target
from parley.contract.messages import FilePart, ImagePart, Message, Part, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.request import ChatRequest
from parley.wire.history import EncodingWarnings, ToolIds, data_url, own_data, result_media, result_text
from parley.wire.json_events import decode_object
from parley.wire.json_values import json_text, object_of
from parley.wire.openai_chat_encode import misplaced


class InputWriter:
    """Writes the items of one request, in order. An item of this vendor's own goes back as it came; anything else as plain text."""

    def __init__(self, target: Target, *, wire: str, warnings: EncodingWarnings) -> None:
        self._provider = target.provider
        self._wire = wire
        self._warnings = warnings
        self._ids = ToolIds()
        self._custom_calls: set[str] = set()

    def write(self, request: ChatRequest) -> list[dict[str, Any]]:
        """The wire's `input`. Raises InvalidRequestError where a part stands in a message that cannot hold it."""
        items: list[dict[str, Any]] = []
        for position, message in enumerate(request.messages):
            if message.role == "assistant":
                items += self._assistant(message, position)
            elif message.role == "system":
                items.append({"role": "system", "content": self._system(message, position)})
            else:
                items += self._user(message, position)
        return items

    def _system(self, message: Message, position: int) -> str:
        for part in message.parts:
            if not isinstance(part, TextPart):
                raise misplaced(part, message, position)
        return "\n\n".join(part.text for part in message.parts if isinstance(part, TextPart))

    def _user(self, message: Message, position: int) -> list[dict[str, Any]]:
        """Tool results first: they belong right behind their calls."""
        results: list[dict[str, Any]] = []
        content: list[dict[str, Any]] = []
        for part in message.parts:
            if isinstance(part, ToolResult):
                results.append(self._result(part))
            elif message.role == "tool" or isinstance(part, (ToolCall, ReasoningPart)):
                raise misplaced(part, message, position)
            else:
                content.append(self._content(part))
        if len(content) == 1 and content[0]["type"] == "input_text":
            return [*results, {"role": "user", "content": content[0]["text"]}]
        if content or not results:
            return [*results, {"role": "user", "content": content or ""}]
        return results

    def _result(self, result: ToolResult) -> dict[str, Any]:
        output: Any = result_text(result)
        if result_media(result) and not isinstance(result.content, str):
            output = [self._content(part) for part in result.content]
        sent = self._ids.result(result.tool_call_id)
        kind = "custom_tool_call_output" if sent in self._custom_calls else "function_call_output"
        return {"type": kind, "call_id": sent, "output": output}

    def _content(self, part: Part) -> dict[str, Any]:
        self._own(part)
        if isinstance(part, TextPart):
            return {"type": "input_text", "text": part.text}
        if isinstance(part, ImagePart):
            return {"type": "input_image", "image_url": data_url(part), "detail": part.detail or "auto"}
        if not isinstance(part, FilePart):
            return {}
        if part.id is not None:
            return {"type": "input_file", "file_id": part.id}
        if part.data is None and part.url:
            return {"type": "input_file", "file_url": part.url}
        return {"type": "input_file", "filename": part.name or "file", "file_data": data_url(part)}

    def _assistant(self, message: Message, position: int) -> list[dict[str, Any]]:
        """The reply's items. A thought must be followed by an item of the same reply, else the vendor refuses it."""
        items: list[dict[str, Any]] = []
        thought: dict[str, Any] | None = None
        for part in message.parts:
            if isinstance(part, ReasoningPart):
                thought = self._thought(part) or thought
                continue
            written = self._part(part, message, position)
            if not written:
                continue
            if thought is not None and written.get("id"):
                items.append(thought)
            thought = None
            if not _goes_on(items, written):
                items.append(written)
        return items

    def _part(self, part: Part, message: Message, position: int) -> dict[str, Any]:
        if isinstance(part, TextPart):
            return self._text(part)
        if isinstance(part, ToolCall):
            return self._call(part)
        if isinstance(part, (ImagePart, FilePart)):
            return self._generated(part)
        raise misplaced(part, message, position)

    def _thought(self, part: ReasoningPart) -> dict[str, Any] | None:
        """The item, if it can be read again: a vendor that stored nothing knows it by its encrypted or its open content only."""
        item = object_of(object_of(self._own(part)).get("item"))
        readable = item.get("encrypted_content") or item.get("content")
        return {name: value for name, value in item.items() if name != "status"} if readable else None

    def _text(self, part: TextPart) -> dict[str, Any]:
        own = object_of(self._own(part))
        if own.get("item"):
            return own["item"]
        if not part.text:
            return {}
        if not own.get("id"):
            return {"role": "assistant", "content": part.text}
        content: dict[str, Any] = {"type": "output_text", "text": part.text, "annotations": []}
        return {"type": "message", "role": "assistant", "status": "completed", "content": [content], **own}

    def _call(self, call: ToolCall) -> dict[str, Any]:
        own = dict(object_of(self._own(call)))
        sent = self._ids.call(call.id)
        if own.pop("custom", False):
            self._custom_calls.add(sent)
            return {"type": "custom_tool_call", "call_id": sent, "name": call.name, "input": call.arguments, **own}
        # What is no JSON object would be refused as history for ever.
        is_object = decode_object(call.arguments.encode("utf-8", "replace")) is not None
        arguments = call.arguments if is_object else json_text({"input": call.arguments})
        return {"type": "function_call", "call_id": sent, "name": call.name, "arguments": arguments, **own}

    def _generated(self, part: ImagePart | FilePart) -> dict[str, Any]:
        item = object_of(object_of(self._own(part)).get("item"))
        if item and isinstance(part, ImagePart):
            return {**item, "result": part.data}
        self._warnings.add(
            "assistant_media_dropped", f"{self._provider} takes no images or files in an assistant's message; they were left out"
        )
        return {}

    def _own(self, part: Part) -> Any:
        return own_data(part, self._wire, provider=self._provider, warnings=self._warnings)


def _goes_on(items: list[dict[str, Any]], written: dict[str, Any]) -> bool:
    """Whether this is more of the message before it, which it then joins."""
    last = items[-1] if items else {}
    if written.get("type") == "message" and last.get("type") == "message" and last.get("id") == written.get("id"):
        last["content"] += written["content"]
        return True
    return False
