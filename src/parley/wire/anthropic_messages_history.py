"""Writes a conversation as Anthropic's Messages wire wants it: alternating turns of content blocks. Knows no option and no model.

https://docs.claude.com/en/api/messages (read 2026-11-22).
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from parley.contract.errors import FieldProblem, InvalidRequestError, UnsupportedFeatureError
from parley.contract.http import Target
from parley.contract.messages import FilePart, ImagePart, Part, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.request import ChatRequest
from parley.wire.history import EncodingWarnings, ToolIds, join_system, own_data, turns
from parley.wire.json_values import list_of, object_of

MAX_CACHE_MARKERS = 4
FILES_BETA = "files-api-2025-04-14"
TOOL_ID_PATTERN = r"[a-zA-Z0-9_-]+"


class MessagesHistory:
    """Encodes one request's conversation. `betas` holds the vendor's beta names that what was encoded needs."""

    def __init__(self, request: ChatRequest, target: Target, *, wire: str, warnings: EncodingWarnings) -> None:
        self._request = request
        self._target = target
        self._wire = wire
        self._warnings = warnings
        self._ids = ToolIds(TOOL_ID_PATTERN)
        self.betas: set[str] = set()

    def system(self, instruction: str) -> str | list[dict[str, Any]]:
        """The system prompt, the system messages and our own `instruction`: text, or blocks where one is marked for the cache."""
        parts = [part for message in self._request.messages if message.role == "system" for part in message.parts]
        if not any(part.cache for part in parts):
            return "\n\n".join(text for text in (join_system(self._request), instruction) if text)
        blocks: list[dict[str, Any]] = [{"type": "text", "text": self._request.system_prompt}] if self._request.system_prompt else []
        blocks += [_marked({"type": "text", "text": part.text}, part) for part in parts if isinstance(part, TextPart) and part.text]
        return [*blocks, {"type": "text", "text": instruction}] if instruction else blocks

    def messages(self) -> list[dict[str, Any]]:
        """The turns. Tool results stand first in theirs, as the vendor demands; a turn of which nothing is left is left out."""
        encoded: list[dict[str, Any]] = []
        for turn in turns(self._request):
            if turn.role == "user":
                parts = sorted(turn.parts, key=lambda part: not isinstance(part, ToolResult))
            else:
                parts = self._without_media(turn.parts)
            blocks = [block for part in parts for block in self._blocks(part)]
            if not blocks:
                continue
            if encoded and encoded[-1]["role"] == turn.role:
                encoded[-1]["content"] += blocks
            else:
                encoded.append({"role": turn.role, "content": blocks})
        return encoded

    def _without_media(self, parts: list[Part]) -> list[Part]:
        """The vendor takes no images or files in an assistant's turn; what another vendor's model drew or spoke is left out."""
        kept: list[Part] = [part for part in parts if not isinstance(part, (ImagePart, FilePart))]
        if len(kept) < len(parts):
            self._warnings.add(
                "assistant_media_dropped",
                f"{self._target.provider} takes no images or files in an assistant's message; they were left out",
            )
        return kept

    def _blocks(self, part: Part) -> list[dict[str, Any]]:
        data = object_of(own_data(part, self._wire, provider=self._target.provider, warnings=self._warnings))
        if "block" in data:
            return [_marked(dict(data["block"]), part)]
        if isinstance(part, ReasoningPart):
            return self._reasoning(part)
        if isinstance(part, ToolCall):
            call = {"type": "tool_use", "id": self._ids.call(part.id), "name": part.name, "input": self._arguments(part)}
            return [_marked({**call, **object_of(data.get("fields"))}, part)]
        if isinstance(part, ToolResult):
            return [self._result(part)]
        if isinstance(part, TextPart):
            citations = {"citations": data["citations"]} if "citations" in data else {}
            return [_marked({"type": "text", "text": part.text, **citations}, part)] if part.text else []
        return [_marked(self._image(part) if isinstance(part, ImagePart) else self._file(part), part)]

    def _reasoning(self, part: ReasoningPart) -> list[dict[str, Any]]:
        """Thought goes back only to whom it came from, and only with its signature; nobody else's can be verified."""
        own = part.provider_data is not None and part.provider_data.wire == self._wire
        own = own and part.provider_data is not None and part.provider_data.provider == self._target.provider
        if own and part.redacted is not None:
            return [{"type": "redacted_thinking", "data": part.redacted}]
        if own and part.signature:
            return [{"type": "thinking", "thinking": part.text, "signature": part.signature}]
        if part.provider_data is None or own:
            self._warnings.add("reasoning_dropped", f"reasoning without a signature of {self._target.provider} was left out")
        return []

    def _arguments(self, call: ToolCall) -> dict[str, Any]:
        try:
            arguments = msgspec.json.decode(call.arguments)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            arguments = None
        if isinstance(arguments, dict):
            return object_of(arguments)
        self._warnings.add(
            "tool_arguments_wrapped", f'the arguments of the call "{call.name}" are no JSON object; they were sent as text in one'
        )
        return {"arguments": call.arguments}

    def _result(self, result: ToolResult) -> dict[str, Any]:
        encoded: dict[str, Any] = {"type": "tool_result", "tool_use_id": self._ids.result(result.tool_call_id)}
        if isinstance(result.content, str):
            encoded["content"] = result.content
        else:
            encoded["content"] = [block for part in result.content for block in self._blocks(part)]
        if result.is_error:
            encoded["is_error"] = True
        return _marked(encoded, result)

    def _image(self, part: ImagePart | FilePart) -> dict[str, Any]:
        if isinstance(part, ImagePart) and part.detail not in {None, "auto"}:
            self._warnings.add("image_detail_dropped", f"{self._target.provider} knows no detail of images; it was left out")
        return {"type": "image", "source": self._source(part, default="image/png")}

    def _file(self, part: FilePart) -> dict[str, Any]:
        kind = part.media_type.partition(";")[0].strip().lower()
        if kind.startswith("image/"):
            return self._image(part)
        if part.data is not None and kind.startswith(("text/", "application/json")):
            source: dict[str, Any] = {"type": "text", "media_type": "text/plain", "data": _plain_text(part)}
        elif part.data is not None and kind not in {"", "application/pdf"}:
            raise UnsupportedFeatureError(
                f"{self._target.provider} takes images, PDF and text files, not {kind}", provider=self._target.provider
            )
        else:
            source = self._source(part, default="application/pdf")
        return {"type": "document", "source": source, **({"title": part.name} if part.name else {})}

    def _source(self, part: ImagePart | FilePart, *, default: str) -> dict[str, Any]:
        if part.data is not None:
            return {"type": "base64", "media_type": part.media_type or default, "data": part.data}
        if part.url:
            return {"type": "url", "url": part.url}
        if isinstance(part, FilePart) and part.id:
            self.betas.add(FILES_BETA)
            return {"type": "file", "file_id": part.id}
        kind = "an image" if isinstance(part, ImagePart) else "a file"
        problem = f"{kind} has neither data nor a URL{'' if isinstance(part, ImagePart) else ' nor an id'}"
        raise InvalidRequestError(problem, fields=[FieldProblem(path="messages", message=problem)])


def limit_cache_markers(body: dict[str, Any], warnings: EncodingWarnings) -> None:
    """The vendor refuses a fifth marker; the last four stay, since each covers all that stands before it."""
    system = body.get("system")
    blocks: list[dict[str, Any]] = list_of(system)[:]
    for message in body["messages"]:
        blocks += message["content"]
    marked = [block for block in blocks if "cache_control" in block]
    for block in marked[:-MAX_CACHE_MARKERS]:
        del block["cache_control"]
        warnings.add("cache_marker_dropped", f"only {MAX_CACHE_MARKERS} parts can be marked for the cache; the earlier marks were left out")


def _marked(block: dict[str, Any], part: Part) -> dict[str, Any]:
    if part.cache is not None:
        block["cache_control"] = {"type": "ephemeral", "ttl": part.cache}
    return block


def _plain_text(part: FilePart) -> str:
    try:
        return base64.b64decode(part.data or "", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        problem = f'the file "{part.name}" is said to be text but is not base64 of UTF-8'
        raise InvalidRequestError(problem, fields=[FieldProblem(path="messages", message=problem)]) from error
