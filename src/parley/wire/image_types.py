"""Images of a type that a vendor does not take: refused by name before anything is sent. Knows no wire's field names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from parley.contract.errors import FieldProblem, UnsupportedFeatureError
from parley.contract.http import Target
from parley.contract.messages import ImagePart, Part, ToolResult
from parley.contract.request import ChatRequest

USUAL_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""What OpenAI, Anthropic, Bedrock, Cohere and Mistral take: https://platform.openai.com/docs/guides/images,
https://docs.claude.com/en/docs/build-with-claude/vision, https://docs.cohere.com/docs/image-inputs, https://docs.mistral.ai/capabilities/vision
(read 2026-11-25).
"""
GEMINI_TYPES = ("image/png", "image/jpeg", "image/webp", "image/heic", "image/heif")
"""https://ai.google.dev/gemini-api/docs/image-understanding#supported-formats (read 2026-11-25)."""
_OTHER_NAMES = {"image/jpg": "image/jpeg"}


def check_image_types(request: ChatRequest, types: Sequence[str], *, target: Target) -> None:
    """Raises UnsupportedFeatureError for the first image of another type. Of one that is only named by its address nobody knows."""
    for path, part in _images(request):
        kind = part.media_type.partition(";")[0].strip().lower()
        if part.data is not None and kind.startswith("image/") and _OTHER_NAMES.get(kind, kind) not in types:
            problem = f"{target.provider} takes no {kind}; it takes {', '.join(types)}"
            raise UnsupportedFeatureError(
                f"{path}.media_type: {problem}",
                provider=target.provider,
                model=target.model,
                fields=[FieldProblem(path=f"{path}.media_type", message=problem)],
            )


def _images(request: ChatRequest) -> Iterator[tuple[str, ImagePart]]:
    for number, message in enumerate(request.messages):
        # What a model drew itself is another matter: most wires leave it out.
        if not isinstance(message.content, str) and message.role != "assistant":
            yield from _among(message.content, f"messages[{number}].content")


def _among(parts: Sequence[Part], path: str) -> Iterator[tuple[str, ImagePart]]:
    for position, part in enumerate(parts):
        here = f"{path}[{position}]"
        if isinstance(part, ImagePart):
            yield here, part
        elif isinstance(part, ToolResult) and not isinstance(part.content, str):
            yield from _among(part.content, f"{here}.content")
