"""OpenRouter's `reasoning_details`: pieces of thought with signatures, which must come back to the vendor unchanged. Knows no event.

https://openrouter.ai/docs/use-cases/reasoning-tokens#preserving-reasoning-blocks (read 2026-11-22).
"""

from __future__ import annotations

from typing import Any

from parley.wire.json_values import list_of, object_of, text_of

_GROWING = ("text", "summary", "data")
_READABLE = ("thinking", "summary", "reasoning", "reasoning_content", "text", "content")


def thought_text(value: Any, *, depth: int = 3) -> str:
    """The readable thought in a value: text, an object that holds some, or a list of either, at most `depth` levels deep."""
    if isinstance(value, str):
        return value
    if depth == 0:
        return ""
    if isinstance(value, dict):
        texts = (thought_text(object_of(value).get(name), depth=depth - 1) for name in _READABLE)
        return next(filter(None, texts), "")
    return "".join(thought_text(item, depth=depth - 1) for item in list_of(value))


class ReasoningDetails:
    """Puts the fragments of a stream together: those of one type and index that follow each other are one detail."""

    __slots__ = ("_details", "_pieces")

    def __init__(self) -> None:
        self._details: list[dict[str, Any]] = []
        self._pieces: list[dict[str, list[str]]] = []

    def __bool__(self) -> bool:
        return bool(self._details)

    def add(self, fragments: list[Any]) -> str:
        """Take more of them; the readable text in them."""
        readable: list[str] = []
        for fragment in map(object_of, fragments):
            readable.append(text_of(fragment.get("text")) or text_of(fragment.get("summary")))
            if not self._details or not _belongs(self._details[-1], fragment):
                self._details.append({})
                self._pieces.append({})
            detail, pieces = self._details[-1], self._pieces[-1]
            for field, value in fragment.items():
                if field in _GROWING and isinstance(value, str):
                    pieces.setdefault(field, []).append(value)
                    detail.setdefault(field, "")
                elif value not in {None, ""} if isinstance(value, (str, type(None))) else True:
                    detail[field] = value
                else:
                    detail.setdefault(field, value)
        return "".join(readable)

    def take(self) -> list[dict[str, Any]]:
        """The details so far, whole, without those that hold nothing; begins anew."""
        for detail, pieces in zip(self._details, self._pieces, strict=True):
            detail.update({field: "".join(texts) for field, texts in pieces.items()})
        whole = [detail for detail in self._details if any(detail.get(field) for field in (*_GROWING, "signature"))]
        self._details, self._pieces = [], []
        return whole


def _belongs(last: dict[str, Any], fragment: dict[str, Any]) -> bool:
    same_id = not last.get("id") or not fragment.get("id") or last["id"] == fragment["id"]
    return same_id and last.get("type") == fragment.get("type") and last.get("index") == fragment.get("index")
