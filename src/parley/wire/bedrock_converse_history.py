"""Writes a conversation as Amazon Bedrock's Converse wire wants it: alternating turns of content blocks. Knows no option.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html (read 2026-11-25).
"""

from __future__ import annotations

import re
from typing import Any

from parley.contract.errors import FieldProblem, InvalidRequestError, UnsupportedFeatureError
from parley.contract.http import Target
from parley.contract.messages import CacheLifetime, FilePart, ImagePart, Part, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.request import ChatRequest
from parley.wire.history import EncodingWarnings, ToolIds, join_system, own_data, turns
from parley.wire.json_events import decode_object
from parley.wire.json_values import object_of

TOOL_ID_PATTERN = r"[a-zA-Z0-9_.:-]{1,64}"
_IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_VIDEOS = {"video/mp4": "mp4", "video/quicktime": "mov", "video/webm": "webm", "video/x-matroska": "mkv", "video/mpeg": "mpeg"}
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9 ()\[\]-]+|\s{2,}")


class ConverseHistory:
    """Encodes one request's conversation. `has_calls` says, afterwards, whether it holds calls or results."""

    def __init__(self, target: Target, *, wire: str, warnings: EncodingWarnings) -> None:
        self._target = target
        self._wire = wire
        self._warnings = warnings
        self._ids = ToolIds(TOOL_ID_PATTERN)
        self._names: set[str] = set()
        self.has_calls = False

    def system(self, request: ChatRequest, instruction: str) -> list[dict[str, Any]]:
        """The system prompt, the system messages and our own `instruction`."""
        text = "\n\n".join(part for part in (join_system(request), instruction) if part)
        if not text:
            return []
        lifetimes: list[CacheLifetime] = [
            part.cache for message in request.messages if message.role == "system" for part in message.parts if part.cache
        ]
        return [{"text": text}, cache_point(lifetimes[0])] if lifetimes and self._takes_markers else [{"text": text}]

    def messages(self, request: ChatRequest) -> list[dict[str, Any]]:
        """The turns; one of which nothing is left is left out, and its neighbours become one."""
        encoded: list[dict[str, Any]] = []
        for turn in turns(request):
            parts = sorted(turn.parts, key=lambda part: not isinstance(part, ToolResult)) if turn.role == "user" else turn.parts
            if turn.role == "assistant":
                parts = self._without_media(parts)
            blocks = [block for part in parts for block in self._marked(part)]
            if blocks and encoded and encoded[-1]["role"] == turn.role:
                encoded[-1]["content"] += blocks
            elif blocks:
                encoded.append({"role": turn.role, "content": blocks})
        return encoded

    def _without_media(self, parts: list[Part]) -> list[Part]:
        """What the model said: images and files that another one made cannot be said by it."""
        kept: list[Part] = [part for part in parts if not isinstance(part, (ImagePart, FilePart))]
        if len(kept) < len(parts):
            self._warnings.add(
                "assistant_media_dropped",
                f"{self._target.provider} takes no images or files in an assistant's message; they were left out",
            )
        return kept

    @property
    def _takes_markers(self) -> bool:
        return self._target.capabilities.cache_markers is not False

    def _marked(self, part: Part) -> list[dict[str, Any]]:
        blocks = self._blocks(part)
        return [*blocks, cache_point(part.cache)] if part.cache and blocks and self._takes_markers else blocks

    def _blocks(self, part: Part) -> list[dict[str, Any]]:
        own = object_of(own_data(part, self._wire, provider=self._target.provider, warnings=self._warnings))
        if own.get("block"):
            return [own["block"]]
        if isinstance(part, TextPart):
            return [{"text": part.text}] if part.text.strip() else []
        if isinstance(part, ReasoningPart):
            return self._thought(part) if own else []
        if isinstance(part, ToolCall):
            self.has_calls = True
            arguments = decode_object(part.arguments.encode("utf-8", "replace"))
            given = {"input": part.arguments} if arguments is None else arguments
            return [{"toolUse": {"toolUseId": self._ids.call(part.id), "name": part.name, "input": given}}]
        if isinstance(part, ToolResult):
            return [self._result(part)]
        return [self._media(part)]

    def _thought(self, part: ReasoningPart) -> list[dict[str, Any]]:
        if part.redacted:
            return [{"reasoningContent": {"redactedContent": part.redacted}}]
        signature = {"signature": part.signature} if part.signature else {}
        return [{"reasoningContent": {"reasoningText": {"text": part.text, **signature}}}]

    def _result(self, result: ToolResult) -> dict[str, Any]:
        self.has_calls = True
        if isinstance(result.content, str):
            content: list[dict[str, Any]] = [{"text": result.content or "(empty)"}]
        else:
            content = [block for part in result.content for block in self._blocks(part)]
        status = "error" if result.is_error else "success"
        return {"toolResult": {"toolUseId": self._ids.result(result.tool_call_id), "content": content, "status": status}}

    def _media(self, part: ImagePart | FilePart) -> dict[str, Any]:
        if isinstance(part, ImagePart) and part.detail not in {None, "auto"}:
            self._warnings.add("image_detail_dropped", f"{self._target.provider} knows no detail of images; it was left out")
        kind = part.media_type.partition(";")[0].strip().lower()
        if isinstance(part, ImagePart) or kind.startswith("image/"):
            return {"image": {"format": self._format(_IMAGES, kind or "image/png"), "source": self._source(part)}}
        if kind.startswith("video/"):
            return {"video": {"format": self._format(_VIDEOS, kind), "source": self._source(part)}}
        document = {"name": self._name(part.name), "format": self._format(_DOCUMENTS, kind or "application/pdf")}
        return {"document": {**document, "source": self._source(part)}}

    def _format(self, known: dict[str, str], kind: str) -> str:
        if kind not in known:
            problem = f"{self._target.provider} takes no {kind}; it takes {', '.join(known)}"
            raise UnsupportedFeatureError(problem, provider=self._target.provider)
        return known[kind]

    def _name(self, name: str) -> str:
        """The service takes few characters in the name of a document, and each name once."""
        plain = _NOT_IN_A_NAME.sub(" ", name.rsplit(".", 1)[0]).strip()[:180] or "Document"
        number, chosen = 1, plain
        while chosen in self._names:
            number += 1
            chosen = f"{plain} {number}"
        self._names.add(chosen)
        return chosen

    def _source(self, part: ImagePart | FilePart) -> dict[str, Any]:
        if part.data is not None:
            return {"bytes": part.data}
        if part.url and part.url.startswith("s3://"):
            return {"s3Location": {"uri": part.url}}
        problem = f"{self._target.provider} takes images and files by their data (or an s3:// address), not by a URL or an id"
        raise InvalidRequestError(problem, fields=[FieldProblem(path="messages", message=problem)])


def cache_point(lifetime: CacheLifetime) -> dict[str, Any]:
    """Marks all that stands before it; five minutes is the default."""
    return {"cachePoint": {"type": "default", **({"ttl": lifetime} if lifetime != "5m" else {})}}
