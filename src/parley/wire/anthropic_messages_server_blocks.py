"""Reads the content blocks of a Messages request into the contract's parts. Knows no option and fetches no URL.

https://docs.claude.com/en/api/messages (read 2026-11-22).
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from parley.contract.messages import (
    CacheLifetime,
    FilePart,
    ImagePart,
    Part,
    ProviderData,
    ReasoningPart,
    TextPart,
    ToolCall,
    ToolResult,
)
from parley.wire.carried_state import unseal
from parley.wire.json_values import json_text
from parley.wire.server_fields import Behind
from parley.wire.server_values import Dropped, boolean, invalid, list_at, name_at, object_at, optional_text, text_at

WIRE = "anthropic_messages"

_Media = TextPart | ImagePart | FilePart


class BlockReader:
    """Reads blocks for the provider behind. On the same wire what the contract has no place for stays with the part, and goes on as it
    came; elsewhere it is left out and named.
    """

    def __init__(self, *, behind: Behind, dropped: Dropped) -> None:
        self._same_wire = behind.wire == WIRE
        self._provider = behind.provider if self._same_wire else WIRE
        self._dropped = dropped
        self._readers: dict[str, Callable[[dict[str, Any], str], list[Part]]] = {
            "text": self._text,
            "image": self._image,
            "document": self._document,
            "search_result": self._search_result,
            "thinking": self._thinking,
            "redacted_thinking": self._redacted,
            "tool_use": self._call,
            "tool_result": self._result,
        }

    def read(self, value: Any, path: str) -> list[Part]:
        """The parts of one block; none where it was left out. Raises InvalidRequestError naming the place in the wire's terms."""
        block = object_at(value, path)
        kind = name_at(block.get("type"), f"{path}.type")
        reader = self._readers.get(kind)
        if reader is not None:
            return reader(block, path)
        if self._same_wire:
            return [TextPart(text="", cache=_cache(block, path), provider_data=self._own({"block": _unmarked(block)}))]
        self._dropped.add(f"messages.content.{kind}", "means nothing to this provider and was left out")
        return []

    def _own(self, data: Any) -> ProviderData:
        return ProviderData(wire=WIRE, provider=self._provider, data=data)

    def _rest(self, block: dict[str, Any], *known: str) -> ProviderData | None:
        """The whole block, where it says more than its part can."""
        more = {name for name in block.keys() - {"type", "cache_control", *known} if block[name] is not None}
        if not more:
            return None
        if self._same_wire:
            return self._own({"block": _unmarked(block)})
        for name in sorted(more):
            self._dropped.add(f"messages.content.{block['type']}.{name}")
        return None

    def _text(self, block: dict[str, Any], path: str) -> list[Part]:
        text, cache = text_at(block.get("text"), f"{path}.text"), _cache(block, path)
        citations = block.get("citations")
        more = self._rest(block, "text", "citations")
        if more is None and citations and self._same_wire:
            more = self._own({"citations": list_at(citations, f"{path}.citations")})
        return [TextPart(text=text, cache=cache, provider_data=more)]

    def _image(self, block: dict[str, Any], path: str) -> list[Part]:
        source = object_at(block.get("source"), f"{path}.source")
        kind, cache, more = source.get("type"), _cache(block, path), self._rest(block, "source")
        if kind == "base64":
            media_type, data = _data(source, f"{path}.source")
            return [ImagePart(media_type=media_type, data=data, cache=cache, provider_data=more)]
        if kind == "url":
            return [ImagePart(url=name_at(source.get("url"), f"{path}.source.url"), cache=cache, provider_data=more)]
        if kind == "file":
            file_id = name_at(source.get("file_id"), f"{path}.source.file_id")
            return [FilePart(media_type="image/*", id=file_id, cache=cache, provider_data=more)]
        return invalid(f"{path}.source.type", f"is {kind!r}; use base64, url or file")

    def _document(self, block: dict[str, Any], path: str) -> list[Part]:
        source, here = object_at(block.get("source"), f"{path}.source"), f"{path}.source"
        kind = source.get("type")
        if kind == "content":
            return self._inline_document(block, source, path)
        name, cache = optional_text(block, "title", f"{path}.title") or "", _cache(block, path)
        more = self._rest(block, "source", "title")
        if kind == "base64":
            media_type, data = _data(source, here)
            return [FilePart(media_type=media_type, name=name, data=data, cache=cache, provider_data=more)]
        if kind == "text":
            data = base64.b64encode(text_at(source.get("data"), f"{here}.data").encode("utf-8", "surrogatepass")).decode()
            return [FilePart(media_type="text/plain", name=name, data=data, cache=cache, provider_data=more)]
        if kind == "url":
            url = name_at(source.get("url"), f"{here}.url")
            return [FilePart(media_type="application/pdf", name=name, url=url, cache=cache, provider_data=more)]
        if kind == "file":
            return [FilePart(name=name, id=name_at(source.get("file_id"), f"{here}.file_id"), cache=cache, provider_data=more)]
        return invalid(f"{here}.type", f"is {kind!r}; use base64, text, url, file or content")

    def _inline_document(self, block: dict[str, Any], source: dict[str, Any], path: str) -> list[Part]:
        """A document of blocks: its text, for vendors that know no such thing."""
        if self._same_wire:
            return [TextPart(text="", cache=_cache(block, path), provider_data=self._own({"block": _unmarked(block)}))]
        content, here = source.get("content"), f"{path}.source.content"
        title = optional_text(block, "title", f"{path}.title")
        parts: list[Part] = [TextPart(text=title)] if title else []
        if isinstance(content, str):
            return [*parts, TextPart(text=content, cache=_cache(block, path))]
        return parts + [part for position, item in enumerate(list_at(content, here)) for part in self.read(item, f"{here}[{position}]")]

    def _search_result(self, block: dict[str, Any], path: str) -> list[Part]:
        if self._same_wire:
            return [TextPart(text="", cache=_cache(block, path), provider_data=self._own({"block": _unmarked(block)}))]
        heading = f"{text_at(block.get('title'), f'{path}.title')}\n{text_at(block.get('source'), f'{path}.source')}"
        content = list_at(block.get("content"), f"{path}.content")
        texts = [object_at(item, f"{path}.content[{position}]").get("text") for position, item in enumerate(content)]
        return [TextPart(text="\n".join([heading, *(text for text in texts if isinstance(text, str))]), cache=_cache(block, path))]

    def _thinking(self, block: dict[str, Any], path: str) -> list[Part]:
        text = text_at(block.get("thinking"), f"{path}.thinking")
        signature = optional_text(block, "signature", f"{path}.signature") or ""
        sealed = _unsealed(signature, text, f"{path}.signature")
        if sealed is not None:
            return [sealed]
        if not signature:
            return [ReasoningPart(text=text)] if text else []
        return [ReasoningPart(text=text, signature=signature, provider_data=self._own({"kind": "thinking"}))]

    def _redacted(self, block: dict[str, Any], path: str) -> list[Part]:
        data = text_at(block.get("data"), f"{path}.data")
        sealed = _unsealed(data, "", f"{path}.data")
        if sealed is not None:
            return [sealed]
        if self._same_wire:
            return [ReasoningPart(redacted=data, provider_data=self._own({"kind": "redacted_thinking"}))]
        self._dropped.add("messages.content.redacted_thinking", "can be read by its vendor alone and was left out")
        return []

    def _call(self, block: dict[str, Any], path: str) -> list[Part]:
        more = {name: value for name, value in block.items() if name not in {"type", "id", "name", "input", "cache_control"}}
        return [
            ToolCall(
                id=name_at(block.get("id"), f"{path}.id"),
                name=name_at(block.get("name"), f"{path}.name"),
                arguments=json_text(object_at(block.get("input", {}), f"{path}.input")),
                cache=_cache(block, path),
                provider_data=self._own({"fields": more}) if more and self._same_wire else None,
            )
        ]

    def _result(self, block: dict[str, Any], path: str) -> list[Part]:
        content: Any = block.get("content")
        if content is None:
            content = ""
        elif not isinstance(content, str):
            content = self._result_content(list_at(content, f"{path}.content"), f"{path}.content")
        return [
            ToolResult(
                tool_call_id=name_at(block.get("tool_use_id"), f"{path}.tool_use_id"),
                content=content,
                is_error=boolean(block, "is_error", f"{path}.is_error") is True,
                cache=_cache(block, path),
            )
        ]

    def _result_content(self, blocks: list[Any], path: str) -> list[_Media]:
        content: list[_Media] = []
        for position, item in enumerate(blocks):
            here = f"{path}[{position}]"
            for part in self.read(item, here):
                if not isinstance(part, TextPart | ImagePart | FilePart):
                    invalid(f"{here}.type", "a tool result holds text, images and documents")
                content.append(part)
        return content


def _data(source: dict[str, Any], path: str) -> tuple[str, str]:
    return name_at(source.get("media_type"), f"{path}.media_type"), name_at(source.get("data"), f"{path}.data")


def _unsealed(sealed: str, text: str, path: str) -> ReasoningPart | None:
    try:
        return unseal(sealed, text=text)
    except ValueError:
        return invalid(path, "is not as it was given; send it back unchanged or leave the block out")


def _unmarked(block: dict[str, Any]) -> dict[str, Any]:
    """The marker is the part's own matter: whoever encodes it counts markers."""
    return {name: value for name, value in block.items() if name != "cache_control"}


def _cache(block: dict[str, Any], path: str) -> CacheLifetime | None:
    marker = block.get("cache_control")
    if marker is None:
        return None
    lifetime = object_at(marker, f"{path}.cache_control").get("ttl")
    if lifetime not in (None, "5m", "1h"):
        invalid(f"{path}.cache_control.ttl", f"is {lifetime!r}; use 5m or 1h")
    return "1h" if lifetime == "1h" else "5m"
