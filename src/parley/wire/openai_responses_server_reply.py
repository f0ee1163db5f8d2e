"""Writes whole replies and errors as the Responses wire has them. Knows no HTTP and no provider.

https://platform.openai.com/docs/api-reference/responses/object (read 2026-11-25). A vendor's own items come back as they came from this
wire; thought of another wire travels sealed in `encrypted_content`.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from parley.contract.errors import ParleyError
from parley.contract.messages import ImagePart, Part, ProviderData, ReasoningPart, TextPart, ToolCall
from parley.contract.response import ChatResponse, Citation, FinishReason
from parley.contract.usage import Usage
from parley.wire.carried_state import seal
from parley.wire.json_values import object_of
from parley.wire.openai_chat_server_reply import error_object
from parley.wire.openai_responses_server_items import WIRE

_REASONS: dict[FinishReason, str] = {
    "length": "max_output_tokens",
    "content_filter": "content_filter",
    # The wire has no word for an answer that was cut by other means than its length.
    "cancelled": "max_output_tokens",
    "interrupted": "max_output_tokens",
    "error": "max_output_tokens",
}
_OWN_REASONS = frozenset({"max_output_tokens", "content_filter", "max_messages", "steered"})

encode = msgspec.json.Encoder().encode


class Frame(Struct, frozen=True, kw_only=True):
    """What all of a reply's forms share: what it repeats of its request, when it was made (Unix seconds), and a text that makes the ids
    of its items its own.
    """

    echo: dict[str, Any]
    created: int
    seed: str

    def response(self, *, reply_id: str, model: str, status: str, output: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
        """The response object."""
        return {
            "id": reply_id,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "model": model,
            "output": output,
            **self.echo,
            "usage": None,
            **fields,
        }

    def whole(self, response: ChatResponse, output: list[dict[str, Any]]) -> dict[str, Any]:
        """The response object of a reply that is over."""
        reason = incomplete_reason(response)
        more: dict[str, Any] = {} if response.cost is None else {"cost": response.cost}
        if response.cached:
            more["cached"] = True
        return self.response(
            reply_id=response.id,
            model=response.model,
            status="incomplete" if reason else "completed",
            output=output,
            incomplete_details={"reason": reason} if reason else None,
            usage={**usage_object(response.usage), **more},
        )


def encode_response(response: ChatResponse, frame: Frame) -> bytes:
    """A whole reply."""
    return encode(frame.whole(response, output_items(response, frame.seed)))


def encode_error_event(error: ParleyError, *, message: str, param: str | None, number: int) -> bytes:
    """An error that ends a stream, in the form that makes official clients raise it. `number` is its place in the stream."""
    told = error_object(error, message, param)
    if error.retry_after is not None:
        told["retry_after"] = error.retry_after
    event = {"type": "error", "sequence_number": number, "code": told["code"], "message": message, "param": param, "error": told}
    return b"event: error\ndata: " + encode(event) + b"\n\n"


def own_data(data: ProviderData | None) -> dict[str, Any]:
    """What this wire itself wrote, whoever speaks it; empty for anything else."""
    return object_of(data.data) if data is not None and data.wire == WIRE else {}


def output_items(response: ChatResponse, seed: str) -> list[dict[str, Any]]:
    """The reply's parts as items, sources and refusal in their places."""
    writer = _Items(seed)
    for part in response.parts:
        writer.add(part)
    if response.refusal is not None:
        writer.add_refusal(response.refusal)
    writer.cite(response.citations)
    return writer.items


class _Items:
    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._position = 0
        self._texts: list[tuple[int, dict[str, Any]]] = []
        self.items: list[dict[str, Any]] = []

    def add(self, part: Part) -> None:
        own = own_data(part.provider_data)
        if "item" in own:
            result = {"result": part.data} if isinstance(part, ImagePart) else {}
            self.items.append({**object_of(own["item"]), **result})
        elif isinstance(part, TextPart):
            self._add_text(part.text, own)
        elif isinstance(part, ReasoningPart):
            if not own:  # else it is a piece of an item that comes with its last one
                self.items.append(thought_item(self._made("rs"), part))
        elif isinstance(part, ToolCall):
            self.items.append(call_item(part, self._made("fc")))
        elif isinstance(part, ImagePart) and part.data is not None:
            self.items.append(image_item(part, self._made("ig")))

    def add_refusal(self, refusal: str) -> None:
        self._message({})["content"].append({"type": "refusal", "refusal": refusal})

    def cite(self, citations: list[Citation]) -> None:
        """Each source with the text that it stands in; the last one where it does not say."""
        for citation in citations:
            if not self._texts:
                return
            place = citation.start_index
            began, content = next(
                (known for known in self._texts if place is not None and known[0] <= place <= known[0] + len(known[1]["text"])),
                self._texts[-1],
            )
            content["annotations"].append(annotation(citation, began))

    def _add_text(self, text: str, own: dict[str, Any]) -> None:
        if not text:
            return
        content = text_content(text)
        self._message(own)["content"].append(content)
        self._texts.append((self._position, content))
        self._position += len(text)

    def _message(self, own: dict[str, Any]) -> dict[str, Any]:
        """The message that goes on, or another one."""
        last = self.items[-1] if self.items else {}
        if last.get("type") == "message" and own.get("id", last["id"]) == last["id"]:
            return last
        self.items.append(message_item(own, self._made("msg"), status="completed"))
        return self.items[-1]

    def _made(self, prefix: str) -> str:
        return f"{prefix}_{self._seed}{len(self.items):04x}"


def message_item(own: dict[str, Any], made_id: str, *, status: str) -> dict[str, Any]:
    """A message without content."""
    return {"id": made_id, "type": "message", "role": "assistant", "status": status, "content": [], **own}


def text_content(text: str) -> dict[str, Any]:
    """A piece of a message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def thought_item(made_id: str, part: ReasoningPart) -> dict[str, Any]:
    """Another wire's thought: what can be read as a summary, what must go back as encrypted content."""
    summary = [{"type": "summary_text", "text": part.text}] if part.text else []
    sealed = seal(part)
    return {"id": made_id, "type": "reasoning", "summary": summary, **({"encrypted_content": sealed} if sealed else {})}


def call_item(call: ToolCall, made_id: str) -> dict[str, Any]:
    """A tool call that is whole."""
    own = dict(own_data(call.provider_data))
    kind, field = ("custom_tool_call", "input") if own.pop("custom", False) else ("function_call", "arguments")
    return {"id": made_id, "type": kind, "status": "completed", "call_id": call.id, "name": call.name, field: call.arguments, **own}


def image_item(part: ImagePart, made_id: str) -> dict[str, Any]:
    """A picture that another wire's model drew."""
    form = part.media_type.rpartition("/")[2] or "png"
    return {"id": made_id, "type": "image_generation_call", "status": "completed", "result": part.data, "output_format": form}


def annotation(citation: Citation, began: int) -> dict[str, Any]:
    """A source; its place counts from where its text began. Strict clients want both places: an empty span where nobody gave them."""
    start, end = citation.start_index or began, citation.end_index or began
    span = {"start_index": max(0, start - began), "end_index": max(0, end - began)}
    if citation.url:
        return {"type": "url_citation", "url": citation.url, "title": citation.title or citation.url, **span}
    return {"type": "file_citation", "file_id": "", "filename": citation.title or "", "index": span["start_index"]}


def incomplete_reason(response: ChatResponse) -> str:
    """Why a reply is not whole, in the vendor's words; empty where it is."""
    reason = _REASONS.get(response.finish_reason, "")
    if response.raw_finish_reason in _OWN_REASONS and (reason or response.finish_reason == "unknown"):
        return response.raw_finish_reason
    return reason


def usage_object(usage: Usage) -> dict[str, Any]:
    """Counts as the wire has them, which demands them all. `source` stands there only where counts were estimated."""
    counts: dict[str, Any] = {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens or 0, "cache_write_tokens": usage.cache_write_tokens or 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": usage.total_tokens,
    }
    return counts if usage.source == "reported" else {**counts, "source": usage.source}
