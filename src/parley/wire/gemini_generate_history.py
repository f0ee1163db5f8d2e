"""Writes a conversation as Gemini's generateContent wire wants it: contents of parts. Knows no option.

https://ai.google.dev/api/caching#Content and /gemini-api/docs/thought-signatures (read 2026-11-22).
"""

from __future__ import annotations

from typing import Any

import msgspec

from parley.contract.errors import FieldProblem, InvalidRequestError
from parley.contract.http import Target
from parley.contract.messages import FilePart, ImagePart, Part, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.request import ChatRequest
from parley.wire.gemini_generate_models import GeminiTraits
from parley.wire.history import EncodingWarnings, ToolIds, join_system, own_data, result_media, turns
from parley.wire.json_values import object_of, text_of

FOREIGN_SIGNATURE = "skip_thought_signature_validator"
"""The vendor's own word for calls that it did not make itself; without it a new model refuses them."""


class GenerateHistory:
    """Encodes one request's conversation."""

    def __init__(self, request: ChatRequest, target: Target, *, wire: str, traits: GeminiTraits, warnings: EncodingWarnings) -> None:
        self._request = request
        self._target = target
        self._wire = wire
        self._traits = traits
        self._warnings = warnings
        self._ids = ToolIds(r"[\s\S]+")
        self._called: dict[str, tuple[str, str]] = {}

    def system_text(self, instruction: str) -> str:
        """The system prompt, the system messages and our own `instruction`."""
        return "\n\n".join(text for text in (join_system(self._request), instruction) if text)

    def contents(self, *, before: str = "") -> list[dict[str, Any]]:
        """The turns; `before` is text to put in front of the first one, for models without a system instruction."""
        encoded: list[dict[str, Any]] = []
        for turn in turns(self._request):
            role = "user" if turn.role == "user" else "model"
            parts = self._user_parts(turn.parts) if role == "user" else self._model_parts(turn.parts)
            if parts and encoded and encoded[-1]["role"] == role:
                encoded[-1]["parts"] += parts
            elif parts:
                encoded.append({"role": role, "parts": parts})
        if before:
            if not encoded or encoded[0]["role"] != "user":
                encoded.insert(0, {"role": "user", "parts": []})
            encoded[0]["parts"].insert(0, {"text": before})
        return encoded

    def _user_parts(self, parts: list[Part]) -> list[dict[str, Any]]:
        """Function responses first; what they cannot hold themselves follows them."""
        responses: list[dict[str, Any]] = []
        media: list[dict[str, Any]] = []
        others: list[dict[str, Any]] = []
        for part in parts:
            if isinstance(part, ToolResult):
                responses.append(self._response(part, media))
            else:
                others += self._parts(part)
        return responses + media + others

    def _model_parts(self, parts: list[Part]) -> list[dict[str, Any]]:
        encoded = [written for part in parts for written in self._parts(part)]
        first_call = next((part for part in encoded if "functionCall" in part), None)
        if first_call is not None and self._traits.needs_signatures:
            first_call.setdefault("thoughtSignature", FOREIGN_SIGNATURE)
        return encoded

    def _parts(self, part: Part) -> list[dict[str, Any]]:
        data = object_of(own_data(part, self._wire, provider=self._target.provider, warnings=self._warnings))
        if "part" in data:
            return [data["part"]]
        signature = {"thoughtSignature": data["thoughtSignature"]} if "thoughtSignature" in data else {}
        if isinstance(part, TextPart):
            return [{"text": part.text, **signature}] if part.text else []
        if isinstance(part, ReasoningPart):
            return self._thought(part, is_own="thought" in data)
        if isinstance(part, ToolCall):
            return [{"functionCall": self._call(part, text_of(data.get("id"))), **signature}]
        return [] if isinstance(part, ToolResult) else [{**self._media(part), **signature}]

    def _thought(self, part: ReasoningPart, *, is_own: bool) -> list[dict[str, Any]]:
        if is_own:
            return [{"text": part.text, "thought": True, **({"thoughtSignature": part.signature} if part.signature else {})}]
        if part.provider_data is None:
            self._warnings.add("reasoning_dropped", f"reasoning that {self._target.provider} did not write was left out")
        return []

    def _call(self, call: ToolCall, vendor_id: str) -> dict[str, Any]:
        """Only an id that the vendor gave goes back: not every version of this wire knows the field."""
        self._called[self._ids.call(call.id)] = (call.name, vendor_id)
        return {"name": call.name, "args": self._arguments(call), **({"id": vendor_id} if vendor_id else {})}

    def _arguments(self, call: ToolCall) -> dict[str, Any]:
        arguments = _json(call.arguments)
        if isinstance(arguments, dict):
            return object_of(arguments)
        self._warnings.add(
            "tool_arguments_wrapped", f'the arguments of a call of "{call.name}" are no JSON object; they were wrapped in one'
        )
        return {"arguments": call.arguments}

    def _response(self, result: ToolResult, media: list[dict[str, Any]]) -> dict[str, Any]:
        """A result that is a JSON object is the response itself, anything else its `result` (or `error`)."""
        name, vendor_id = self._called[self._ids.result(result.tool_call_id)]
        content = result.content
        text = content if isinstance(content, str) else "\n".join(part.text for part in content if isinstance(part, TextPart))
        answer = _json(text)
        response = (
            object_of(answer) if isinstance(answer, dict) and not result.is_error else {"error" if result.is_error else "result": text}
        )
        encoded: dict[str, Any] = {"name": name, "response": response, **({"id": vendor_id} if vendor_id else {})}
        files = [self._media(part) for part in result_media(result) if not isinstance(part, TextPart)]
        if files and self._traits.media_in_results:
            encoded["parts"] = files
        else:
            media += files
        return {"functionResponse": encoded}

    def _media(self, part: ImagePart | FilePart) -> dict[str, Any]:
        if isinstance(part, ImagePart) and part.detail not in {None, "auto"}:
            self._warnings.add("image_detail_dropped", f"{self._target.provider} was not sent the detail of images: this wire has none")
        media_type = part.media_type or ("image/png" if isinstance(part, ImagePart) else "application/pdf")
        if part.data is not None:
            return {"inlineData": {"mimeType": media_type, "data": part.data}}
        uri = part.url or self._uploaded(part)
        if not uri:
            problem = "an image or file has neither data nor a URL nor an id"
            raise InvalidRequestError(problem, fields=[FieldProblem(path="messages", message=problem)])
        return {"fileData": {"fileUri": uri, **({"mimeType": part.media_type} if part.media_type else {})}}

    def _uploaded(self, part: ImagePart | FilePart) -> str:
        """The address of an uploaded file ("files/…")."""
        name = part.id if isinstance(part, FilePart) else None
        return f"{self._target.endpoint.rstrip('/')}/{name}" if name and name.startswith("files/") else name or ""


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
