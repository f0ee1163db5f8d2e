"""Which exchanges show what a provider can do: one small question for each, and what is left out because it cannot. Asks nobody."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Collection, Iterator
from typing import Any

from msgspec import Struct, structs

from parley.contract.capabilities import Capabilities
from parley.contract.messages import ImagePart, Message, Part, TextPart
from parley.contract.options import NamedToolChoice, Options, SchemaFormat, Tool
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse

SUBJECTS = ("text", "stream", "tools", "image", "structured", "reasoning", "error")
TEXT_TOKENS, TOOL_TOKENS, REASONING_TOKENS = 128, 256, 2048
UNKNOWN_MODEL = "parley-no-such-model"
WRONG_KEY = "parley-wrong-key"

_TOOL = Tool(
    name="get_weather",
    description="The weather in a city for some days.",
    parameters={
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
)
_SCHEMA = SchemaFormat(
    name="capital",
    schema={
        "type": "object",
        "properties": {"country": {"type": "string"}, "capital": {"type": "string"}},
        "required": ["country", "capital"],
        "additionalProperties": False,
    },
)
_IMAGE_SIDE = 64


class Exchange(Struct, frozen=True, kw_only=True):
    """One thing to ask. `kind` is what its recording shows, without `-stream`; `fails` says that an error is what is wanted."""

    subject: str
    name: str
    kind: str
    request: ChatRequest
    streamed: bool = False
    fails: bool = False
    wrong_key: bool = False

    @property
    def max_tokens(self) -> int:
        """How many tokens the answer may have."""
        return self.request.options.max_tokens or 0

    def shown_by(self, reply: ChatResponse) -> str:
        """The kind that the reply really shows: a model may answer in words where a tool was offered."""
        missing = (self.kind == "tools" and not reply.tool_calls) or (self.kind == "reasoning" and not reply.reasoning)
        return "generate" if missing else self.kind


def plan(
    capabilities: Capabilities, *, model: str, has_key: bool = True, only: Collection[str] = ()
) -> tuple[list[Exchange], dict[str, str]]:
    """What to ask of this model, and what is left out and why. `only` names SUBJECTS; empty means all of them."""
    wanted = [exchange for exchange in _all(capabilities, model) if not only or exchange.subject in only]
    left_out: dict[str, str] = {}
    exchanges: list[Exchange] = []
    for exchange in wanted:
        if reason := _reason_against(exchange, capabilities, has_key=has_key):
            left_out[exchange.name] = reason
        else:
            exchanges.append(exchange)
    return exchanges, left_out


def _all(capabilities: Capabilities, model: str) -> Iterator[Exchange]:
    def ask(text: str, *parts: ImagePart, **options: Any) -> ChatRequest:
        content: str | list[Part] = [TextPart(text=text), *parts] if parts else text
        asked = structs.replace(Options(model=model, max_tokens=TEXT_TOKENS), **options)
        return ChatRequest(messages=[Message(role="user", content=content)], options=asked)

    hello = ask("Greet the town of Tromsø in two short sentences, one of them with an emoji.")
    forced = {"tool_choice": NamedToolChoice(name=_TOOL.name)} if capabilities.tool_choice else {}
    weather = ask("What will the weather in Tromsø be for the next 2 days? Use the tool.", max_tokens=TOOL_TOKENS, tools=[_TOOL], **forced)
    effort = {} if capabilities.reasoning_effort is False else {"reasoning_effort": "low"}
    riddle = ask("How many days are there from 27 February to 2 March of a leap year?", max_tokens=REASONING_TOKENS, **effort)
    yield Exchange(subject="text", name="text", kind="generate", request=hello)
    yield Exchange(subject="stream", name="stream", kind="generate", request=hello, streamed=True)
    yield Exchange(subject="tools", name="tool-call", kind="tools", request=weather)
    yield Exchange(subject="tools", name="tool-call-streamed", kind="tools", request=weather, streamed=True)
    yield Exchange(subject="image", name="image", kind="vision", request=ask("Which colour is this? One word.", _red_square()))
    yield Exchange(
        subject="structured", name="structured", kind="structured", request=ask("The capital of Norway.", response_format=_SCHEMA)
    )
    yield Exchange(subject="reasoning", name="reasoning", kind="reasoning", request=riddle)
    yield Exchange(subject="reasoning", name="reasoning-streamed", kind="reasoning", request=riddle, streamed=True)
    unknown = ask("Greet the town of Tromsø.", model=UNKNOWN_MODEL)
    yield Exchange(subject="error", name="unknown-model", kind="error", request=unknown, fails=True)
    yield Exchange(subject="error", name="wrong-key", kind="error", request=hello, fails=True, wrong_key=True)


def _reason_against(exchange: Exchange, capabilities: Capabilities, *, has_key: bool) -> str | None:
    """Why it is not asked, None where it is."""
    if exchange.streamed and capabilities.streaming is False:
        return "it does not stream"
    if exchange.wrong_key and not has_key:
        return "it needs no key"
    if exchange.kind == "tools" and capabilities.tools is False:
        return "it knows no tools"
    if exchange.kind == "vision" and capabilities.images is False:
        return "it takes no images"
    if exchange.kind == "structured" and (capabilities.structured_output is None or capabilities.response_format is False):
        return "structured output is not declared"
    if exchange.kind == "reasoning" and not capabilities.reasoning:
        return "reasoning is not declared"
    return None


def _red_square() -> ImagePart:
    """A PNG of one colour: large enough for vendors that refuse tiny images, and a hundred bytes long."""
    rows = (b"\0" + b"\xe0\x20\x20" * _IMAGE_SIDE) * _IMAGE_SIDE
    head = struct.pack(">IIBBBBB", _IMAGE_SIDE, _IMAGE_SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    parts = [struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks]
    return ImagePart(media_type="image/png", data=base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts)).decode())
