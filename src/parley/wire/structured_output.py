"""Structured output where a wire has no field for it: by a tool that the model must call, or by words. Knows no wire's field names.

The tool's arguments come back as the reply's text; encoder and decoder agree on its name from the request alone.
"""

from __future__ import annotations

from parley.contract.options import SchemaFormat
from parley.contract.request import ChatRequest
from parley.wire.json_values import json_text

TOOL_DESCRIPTION = "Gives the answer. Call this tool exactly once, with the whole answer as its arguments."
_TOOL_NAME = "structured_output"


def structured_tool_name(request: ChatRequest) -> str:
    """The name of that tool, told apart from the request's own tools; empty where no schema is asked for."""
    if not isinstance(request.options.response_format, SchemaFormat):
        return ""
    taken = {tool.name for tool in request.options.tools or ()}
    name = _TOOL_NAME
    while name in taken:
        name += "_"
    return name


def json_instruction(request: ChatRequest) -> str:
    """What the system prompt must say where nothing but words can ask for JSON; empty where text is asked for."""
    wanted = request.options.response_format
    if isinstance(wanted, SchemaFormat):
        return f"Answer with one JSON object that fits this JSON Schema, and with nothing else:\n{json_text(wanted.schema)}"
    return "Answer with one JSON object and nothing else." if wanted == "json" else ""
