"""Messages and their parts: what a conversation is made of. Knows no vendor's spelling and no transport."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from msgspec import Struct

Role: TypeAlias = Literal["user", "assistant", "system", "tool"]
CacheLifetime: TypeAlias = Literal["5m", "1h"]


class ProviderData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Opaque vendor data (signatures, item ids, hosted tool blocks), returned unchanged to the same wire and provider, else dropped.

    `wire` and `provider` say who wrote it; `data` is that codec's own JSON-able object, never read by anyone else.
    """

    wire: str
    provider: str
    data: Any


class TextPart(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="text"):
    """Plain text. An empty text with `provider_data` stands for a vendor's block that has no common form (a hosted tool's result)."""

    text: str
    cache: CacheLifetime | None = None
    provider_data: ProviderData | None = None


class ImagePart(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="image"):
    """An image: `data` (base64 text) or `url` (never fetched by a codec). `media_type` as in MIME, e.g. "image/png"."""

    media_type: str = ""
    data: str | None = None
    url: str | None = None
    detail: Literal["auto", "low", "high"] | None = None
    cache: CacheLifetime | None = None
    provider_data: ProviderData | None = None


class FilePart(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="file"):
    """A file (document, audio, video): `data` (base64 text), `url`, or the vendor's own `id` of an uploaded file."""

    media_type: str = ""
    name: str = ""
    data: str | None = None
    url: str | None = None
    id: str | None = None
    cache: CacheLifetime | None = None
    provider_data: ProviderData | None = None


class ReasoningPart(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="reasoning"):
    """What the model thought aloud. `signature` proves it to its vendor; `redacted` is encrypted thought without readable text."""

    text: str = ""
    signature: str | None = None
    redacted: str | None = None
    cache: CacheLifetime | None = None
    provider_data: ProviderData | None = None


class ToolCall(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="tool_call"):
    """A call the model asks for. `arguments` is JSON text exactly as the vendor sent it ("{}" when it sent none)."""

    id: str
    name: str
    arguments: str = "{}"
    cache: CacheLifetime | None = None
    provider_data: ProviderData | None = None


class ToolResult(Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="tool_result"):
    """The answer to one tool call, by its id: text, or parts (text, image, file) for wires that take them."""

    tool_call_id: str
    content: str | list[TextPart | ImagePart | FilePart] = ""
    is_error: bool = False
    cache: CacheLifetime | None = None
    provider_data: ProviderData | None = None


Part: TypeAlias = TextPart | ImagePart | FilePart | ReasoningPart | ToolCall | ToolResult


class Message(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One turn. `content` is text or an ordered list of parts; tool results stand in a message of role "tool"."""

    role: Role
    content: str | list[Part]

    @property
    def parts(self) -> list[Part]:
        """The content as parts: a string becomes one text part, an empty string none."""
        if isinstance(self.content, str):
            return [TextPart(text=self.content)] if self.content else []
        return self.content

    @property
    def text(self) -> str:
        """All text parts joined, nothing else."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, TextPart))
