"""What --json prints: replies and events as JSON documents. Knows no console."""

from __future__ import annotations

import re
import sys
from typing import Any

import msgspec
from msgspec import structs

from parley.contract.response import ChatResponse

# JSON escapes the C0 controls by itself; these are allowed in it, yet a terminal may obey them.
_UNESCAPED = re.compile("[\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def reply_document(reply: ChatResponse) -> dict[str, Any]:
    """A reply whole: its views (text, reasoning, tool_calls) beside its parts, unknown values as null."""
    fields = {name: msgspec.to_builtins(getattr(reply, name)) for name in ChatResponse.__struct_fields__}
    fields["usage"] = structs.asdict(reply.usage)
    views = {"text": reply.text, "reasoning": reply.reasoning, "tool_calls": msgspec.to_builtins(reply.tool_calls)}
    return views | fields


def print_json(document: Any, *, indent: int = 2) -> None:
    """Write one document to standard output, on one line where `indent` is 0."""
    encoded = msgspec.json.encode(document)
    text = (msgspec.json.format(encoded, indent=indent) if indent else encoded).decode()
    sys.stdout.write(_UNESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n")
    sys.stdout.flush()
