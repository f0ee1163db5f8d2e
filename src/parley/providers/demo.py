"""The offline demo: scripted answers that show every state a UI or a test wants to see. Knows no model, no network, no clock."""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeAlias, cast

import msgspec
from msgspec import Struct

from parley.provider import (
    Capabilities,
    ChatRequest,
    ChatResponse,
    Citation,
    CitationAdded,
    Config,
    ConnectError,
    ConnectionLostError,
    ConnectionStatus,
    ContentFilterError,
    ContextLengthError,
    Event,
    FilePart,
    FinishReason,
    ImagePart,
    Message,
    Model,
    ModelNotFoundError,
    ParleyError,
    PartAdded,
    ProtocolError,
    Provider,
    ProviderTimeoutError,
    QuotaExceededError,
    ReasoningDelta,
    ReasoningEnded,
    ReasoningPart,
    RefusalDelta,
    ResponseFinished,
    ResponseStarted,
    ResponseWarning,
    StreamTruncatedError,
    TextDelta,
    TextPart,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolCallEnded,
    ToolCallStarted,
    ToolResult,
    UsageReport,
    UsageReported,
    WarningRaised,
    error_class_for_status,
)

MARK = "[demo] "
STALL_SECONDS = 3600.0
RETRY_AFTER_SECONDS = 30.0

FREE_TEXT = (
    MARK + "This is Parley's offline demo: there is no model behind it, so it cannot answer what you wrote.{attachments}\n\n"
    "To talk to a real model:\n\n"
    "- **a vendor's**: paste its key in *Settings*, *Providers*, or set `OPENAI_API_KEY`, `ANTHROPIC_API_KEY` or its like in `.env`;\n"
    "- **one on this machine**: start a local server, Ollama or llama.cpp's `llama-server`.\n\n"
    "`parley doctor` says what was found and what to set. Send `help` for the words that this demo knows.\n"
)

TABLE = (
    MARK + "A table:\n\n"
    "| Kind | What it holds | Grows with |\n|:--|:--|--:|\n"
    "| `text` | what is read | every word |\n| `reasoning` | what was thought *aloud* | effort |\n"
    "| `tool_call` | a name and **JSON** arguments | tools |\n| `usage` | tokens in and out | 1,024 |\n"
)

CODE = (
    MARK + "A function, and how to call it from a shell:\n\n"
    "```python\ndef fibonacci(count: int) -> list[int]:\n"
    '    """The first `count` Fibonacci numbers."""\n'
    "    numbers = [0, 1]\n"
    "    while len(numbers) < count:\n"
    "        numbers.append(numbers[-1] + numbers[-2])\n"
    "    return numbers[:count]\n"
    "```\n\n```sh\npython -c 'from fibonacci import fibonacci; print(fibonacci(10))'\n```\n\n"
    "A line that is wider than most screens:\n\n"
    "```text\n" + " ".join(f"column-{number:02}" for number in range(1, 25)) + "\n```\n"
)

MARKDOWN = (
    "# " + MARK + "Markdown, all of it\n\n"
    "**Bold**, *italic*, ***both***, ~~struck~~, `code`, and [a link](https://example.com/demo).\n\n"
    "## Lists\n\n1. first\n   - nested\n     - deeper\n2. second\n\n- [x] done\n- [ ] open\n\n"
    "### Quote\n\n> A quotation\n>\n> > within a quotation.\n\n---\n\n"
    "A line with a hard break  \nand a formula: $e^{i\\pi} + 1 = 0$\n\n$$\\int_0^1 x^2\\,dx = \\tfrac{1}{3}$$\n\n"
    '```json\n{"nested": {"list": [1, 2.5, null, true]}}\n```\n'
)

UNICODE = (
    MARK + "Scripts and signs that break careless programs:\n\n"
    "- Greek Ελληνικά, Cyrillic Кириллица, Japanese 日本語のテキスト, Korean 한국어, Thai ภาษาไทย, Hindi हिन्दी\n"
    "- right to left: עברית and العربية within a line\n"
    "- composed é and combining e\u0301; the same word twice: café cafe\u0301\n"
    "- emoji 🙂, with a skin tone 👍🏽, a family 👨‍👩‍👧‍👦, a flag 🇪🇺; beyond the basic plane 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈\n"
    "- a zero-width\u200bspace, a no-break\u00a0space, a soft\u00adhyphen\n"
)

HOSTILE = (
    MARK + "Text that tries to harm whoever shows it; none of it may act:\n\n"
    "<script>document.title = 'demo'</script> <img src=x onerror=\"document.title='demo'\">\n\n"
    "[a link that is a script](javascript:document.title='demo') ![a beacon](https://example.com/demo.png)\n\n"
    "Terminal: \x1b[31mred\x1b[0m, a new title \x1b]0;demo\x07, a bell \x07, back\x08space, \x9b2J clear.\n\n"
    "Reversed by an override: \u202etxet siht\u202c.\n"
)

SLOW = MARK + "These words come slowly, one by one, so that an answer can be watched, and cancelled, while it is being written.\n"

JSON_TEXT = (
    '{\n  "demo": true,\n  "answer": null,\n  "reason": "offline demo, no model",\n  "numbers": [0, -2.5e8],\n  "text": "é \\u2713"\n}\n'
)

REASONING = (
    "[demo] First, what is asked: nothing that needs thought, since there is no model here. "
    "Second, what can be shown: how reasoning looks before an answer.\n\nThird, when to stop: now."
)

CHECKERBOARD_PNG = "iVBORw0KGgoAAAANSUhEUgAAABgAAAAYAQAAAADIDABVAAAAFklEQVR42mNg/mDPgA3/4T+AFZOoHgBj6iPdtTAyYwAAAABJRU5ErkJggg=="


class DemoConfig(Config):
    """The demo needs no key; there is one model, and no endpoint."""

    api_key: str = ""
    model: str = "demo"


class Pause(Struct, frozen=True):
    """Time that passes before the next step."""

    seconds: float


Step: TypeAlias = str | Event | Pause
Play: TypeAlias = Callable[[ChatRequest], Iterator[Step]]


class Scene(Struct, frozen=True):
    """What one word makes the demo do. Strings among the steps are text, sent in word pieces with `pause_seconds` between."""

    explanation: str
    play: Play
    pause_seconds: float = 0.0
    finish_reason: FinishReason = "stop"
    reports_usage: bool = True


def _say(text: str) -> Play:
    def play(_request: ChatRequest) -> Iterator[Step]:
        yield text

    return play


def _pieces(text: str) -> list[str]:
    """Words with the white space after them, as models send them."""
    return re.findall(r"\s*\S+\s*|\s+", text)


def _long(_request: ChatRequest) -> Iterator[Step]:
    yield "# " + MARK + "A long answer\n\n"
    subjects = ("scrolling", "memory", "rendering", "search", "copying", "resuming", "cancelling", "printing", "folding", "translation")
    for number, subject in enumerate(subjects, start=1):
        yield f"## {number}. On {subject}\n\n"
        for paragraph in ("first", "second", "third"):
            yield (
                f"This is the {paragraph} paragraph on {subject}. It says nothing that a model would say; it only takes up the room "
                f"that a long answer takes, so that {subject} can be seen and measured with text that is always the same. "
                f"A reader may stop here, go back up to section {max(1, number - 1)}, or stay at the end while more arrives.\n\n"
            )
        yield f"- one thing to note on {subject}\n- and another\n\n"
    yield "That was the whole of it.\n"


def _free_text(request: ChatRequest) -> Iterator[Step]:
    parts = request.messages[-1].parts
    counts = {"image": sum(isinstance(part, ImagePart) for part in parts), "file": sum(isinstance(part, FilePart) for part in parts)}
    named = " and ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in counts.items() if count)
    yield FREE_TEXT.format(attachments=f" It did not look at the {named} that came with it." if named else "")


def _reason(_request: ChatRequest) -> Iterator[Step]:
    yield ReasoningDelta(REASONING)
    yield ReasoningEnded()
    yield MARK + "What stands above was the reasoning; this is the answer.\n"


def _example(schema: Any) -> Any:
    """A small value of the kind that a JSON Schema asks for; what it does not understand becomes the string "demo"."""
    if not isinstance(schema, dict):
        return "demo"
    described = cast("dict[str, Any]", schema)
    if "const" in described:
        return described["const"]
    if described.get("enum"):
        return described["enum"][0]
    for keyword in ("anyOf", "oneOf"):
        if described.get(keyword):
            return _example(described[keyword][0])
    kind: Any = described.get("type")
    if isinstance(kind, list) and kind:
        kind = cast("list[Any]", kind)[0]
    if kind == "object" or "properties" in described:
        return {name: _example(inner) for name, inner in described.get("properties", {}).items() if name in described.get("required", ())}
    plain: dict[Any, Any] = {"integer": 1, "number": 1.5, "boolean": True, "null": None, "array": []}
    return plain.get(kind, "demo")


def _chosen_tools(request: ChatRequest) -> Sequence[Tool]:
    options = request.options
    tools = options.tools or [
        Tool(
            name="demo_weather",
            description="The weather in a city.",
            parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        )
    ]
    named = getattr(options.tool_choice, "name", None)
    return [tool for tool in tools if tool.name == named] or tools


def _call_tools(request: ChatRequest) -> Iterator[Step]:
    count = 2 if "tools" in request.messages[-1].text.casefold() and request.options.parallel_tool_calls is not False else 1
    if request.options.tool_choice == "none":
        yield MARK + "No tool is called, because `tool_choice` is none.\n"
        return
    tools = _chosen_tools(request)
    earlier = sum(isinstance(part, ToolCall) for message in request.messages for part in message.parts)
    yield MARK + "Calling " + ("a tool" if count == 1 else f"{count} tools at once") + ".\n"
    for index in range(count):
        tool = tools[index % len(tools)]
        arguments = msgspec.json.encode(_example(tool.parameters)).decode()
        call = ToolCall(id=f"demo_call_{earlier + index + 1}", name=tool.name, arguments=arguments)
        yield ToolCallStarted(index=index, id=call.id, name=call.name)
        for start in range(0, len(arguments), 8):
            yield ToolCallDelta(index=index, arguments=arguments[start : start + 8])
        yield ToolCallEnded(index=index, call=call)


def _tool_results(request: ChatRequest) -> Iterator[Step]:
    for part in request.messages[-1].parts:
        if isinstance(part, ToolResult):
            said = part.content if isinstance(part.content, str) else Message(role="tool", content=list(part.content)).text
            verb = "failed" if part.is_error else "answered"
            yield MARK + f"The tool call `{part.tool_call_id}` {verb}: {said or 'nothing'}\n\n"


def _image(_request: ChatRequest) -> Iterator[Step]:
    yield MARK + "A picture of 24 by 24 pixels:\n"
    yield PartAdded(part=ImagePart(media_type="image/png", data=CHECKERBOARD_PNG))


def _cite(_request: ChatRequest) -> Iterator[Step]:
    yield MARK + "Example domains are reserved for documentation.\n"
    yield CitationAdded(
        citation=Citation(url="https://www.rfc-editor.org/rfc/rfc2606", title="Reserved Top Level DNS Names", start_index=7, end_index=54)
    )
    yield CitationAdded(citation=Citation(url="https://example.com/", title="[demo] Example Domain"))


def _refuse(_request: ChatRequest) -> Iterator[Step]:
    for piece in _pieces(MARK + "I cannot help with that: the demo was asked to refuse."):
        yield RefusalDelta(piece)


def _warn(_request: ChatRequest) -> Iterator[Step]:
    yield MARK + "This answer carries two warnings, one of which says that it is not whole.\n"
    yield WarningRaised(warning=ResponseWarning(code="demo", message="[demo] an option was dropped"))
    yield WarningRaised(warning=ResponseWarning(code="demo", message="[demo] an event was skipped"), incomplete=True)


def _stall(_request: ChatRequest) -> Iterator[Step]:
    yield MARK + "After this sentence nothing comes any more "
    yield Pause(STALL_SECONDS)


def _cut(_request: ChatRequest) -> Iterator[Step]:
    yield MARK + "This answer is cut in the middle of its"
    raise StreamTruncatedError(MARK + "the stream ended without its end, as `cut` asks for")


def _help(_request: ChatRequest) -> Iterator[Step]:
    yield MARK + "Send one of these words as the whole message:\n\n"
    for name, scene in SCENES.items():
        yield f"- `{name}` – {scene.explanation}\n"
    yield f"- `error 429` – an error: any status from 400 to 599, or {', '.join(f'`{name}`' for name in ERRORS)}\n\n"
    yield "Anything else is answered with the ways to a real model.\n"


SCENES: dict[str, Scene] = {
    "help": Scene("this list", _help),
    "table": Scene("a table", _say(TABLE)),
    "code": Scene("code blocks, one with a very long line", _say(CODE)),
    "markdown": Scene("every element of Markdown", _say(MARKDOWN)),
    "unicode": Scene("many scripts, emoji, right to left", _say(UNICODE)),
    "json": Scene("a JSON document and nothing else", _say(JSON_TEXT)),
    "long": Scene("an answer of some two thousand words", _long),
    "slow": Scene("a word every 0.4 seconds", _say(SLOW), pause_seconds=0.4),
    "stall": Scene("some words, then silence until a timer ends it", _stall),
    "reason": Scene("reasoning before the answer", _reason),
    "tool": Scene("a tool call (the first of your tools); send its result back to go on", _call_tools),
    "tools": Scene("two tool calls at once", _call_tools),
    "image": Scene("a generated picture", _image),
    "cite": Scene("an answer with sources", _cite),
    "refuse": Scene("a refusal", _refuse),
    "filter": Scene("an answer stopped by a content filter", _say(MARK + "This answer was stopped by"), finish_reason="content_filter"),
    "length": Scene("an answer that reached its limit of tokens", _say(MARK + "This answer ends before its"), finish_reason="length"),
    "empty": Scene("an answer without a word", _say("")),
    "warn": Scene("warnings, and an incomplete answer", _warn),
    "estimate": Scene("usage not reported but estimated", _say(MARK + "The tokens of this answer are estimated.\n"), reports_usage=False),
    "hostile": Scene("scripts and terminal codes that must not act", _say(HOSTILE)),
    "cut": Scene("a stream that breaks off in the middle", _cut),
}

ERRORS: dict[str, Callable[[str], ParleyError]] = {
    "timeout": lambda message: ProviderTimeoutError(message, phase="first_token"),
    "connect": lambda message: ConnectError(message, phase="connect"),
    "lost": lambda message: ConnectionLostError(message, phase="first_token"),
    "quota": lambda message: QuotaExceededError(message, status=429, provider_code="insufficient_quota"),
    "context": lambda message: ContextLengthError(message, status=400, provider_code="context_length_exceeded"),
    "filter": lambda message: ContentFilterError(message, status=400, provider_code="content_filter"),
    "model": lambda message: ModelNotFoundError(message, status=404, provider_code="model_not_found"),
    "protocol": ProtocolError,
}


def _error(word: str) -> ParleyError | None:
    message = f"{MARK}the error that `error {word}` asks for"
    if word in ERRORS:
        return ERRORS[word](message)
    if re.fullmatch(r"[45]\d\d", word):
        status = int(word)
        return error_class_for_status(status)(message, status=status, retry_after=RETRY_AFTER_SECONDS if status == 429 else None)
    return None


def _scene_for(request: ChatRequest) -> Scene:
    last, options = request.messages[-1], request.options
    if any(isinstance(part, ToolResult) for part in last.parts):
        return Scene("tool results", _tool_results)
    if options.tools and options.tool_choice not in {None, "auto", "none"}:
        return SCENES["tool"]
    word = last.text.strip().casefold() if last.role == "user" else ""
    if word in SCENES:
        return SCENES[word]
    if word.startswith("error ") and (error := _error(word.removeprefix("error ").strip())):
        raise error
    return Scene("any other text", _free_text)


class _Performance:
    """One scene, cut into pieces, within the request's `max_tokens` and `stop`; counts what it says, a piece being a token."""

    def __init__(self, scene: Scene, request: ChatRequest) -> None:
        self._scene = scene
        self._request = request
        self._left = math.inf if request.options.max_tokens is None else request.options.max_tokens
        self._said = 0
        self._thought = 0
        self._finish_reason: FinishReason = scene.finish_reason
        self._over = False

    def steps(self) -> Iterator[Event | Pause]:
        for step in self._script():
            yield from self._text(step) if isinstance(step, str) else self._event(step)
            if self._over:
                break
        if self._scene.reports_usage:
            yield UsageReported(usage=self._usage())
        finished = ChatResponse(finish_reason=self._finish_reason, raw_finish_reason=f"demo_{self._finish_reason}")
        yield ResponseFinished(response=finished)

    def _script(self) -> Iterator[Step]:
        if self._request.options.reasoning_effort not in {None, "none"} and self._scene is not SCENES["reason"]:
            yield ReasoningDelta(REASONING)
            yield ReasoningEnded()
        yield from self._scene.play(self._request)

    def _text(self, text: str) -> Iterator[Event | Pause]:
        stops = [position for stop in self._request.options.stop or () if (position := text.find(stop)) >= 0]
        for piece in _pieces(text[: min(stops, default=len(text))]):
            if self._spent():
                return
            yield Pause(self._scene.pause_seconds)
            yield TextDelta(piece)
        self._over = bool(stops)

    def _event(self, step: Event | Pause) -> Iterator[Event | Pause]:
        if not isinstance(step, ReasoningDelta):
            self._finish_reason = "tool_calls" if isinstance(step, ToolCallEnded) else self._finish_reason
            self._said += isinstance(step, RefusalDelta)
            yield step
            return
        for piece in _pieces(step.text):
            if self._spent():
                return
            self._thought += 1
            yield Pause(self._scene.pause_seconds)
            yield ReasoningDelta(piece)

    def _spent(self) -> bool:
        if self._said >= self._left:
            self._over, self._finish_reason = True, "length"
        else:
            self._said += 1
        return self._over

    def _usage(self) -> UsageReport:
        prompt = _count_tokens(self._request)
        said = max(1, self._said)
        return UsageReport(
            prompt_tokens=prompt, completion_tokens=said, total_tokens=prompt + said, cached_tokens=0, reasoning_tokens=self._thought
        )


def _count_tokens(request: ChatRequest) -> int:
    texts = [request.system_prompt or ""]
    for message in request.messages:
        for part in message.parts:
            if isinstance(part, TextPart | ReasoningPart):
                texts.append(part.text)
            elif isinstance(part, ToolResult) and isinstance(part.content, str):
                texts.append(part.content)
    return max(1, sum(len(_pieces(text)) for text in texts))


class DemoProvider(Provider):
    """Plays the scene that the last message names. The same request gives the same events; `sleep` takes seconds."""

    name = "demo"
    label = "Demo (offline)"
    description = "Scripted answers without any model: for a first look, and for tests of every state"
    capabilities = Capabilities(
        streaming=True,
        tools=True,
        tool_choice=True,
        parallel_tool_calls=True,
        response_format=False,
        images=True,
        image_urls=True,
        files=True,
        stop=True,
        reasoning=True,
        reasoning_effort=True,
        temperature=False,
        top_p=False,
        top_k=False,
        max_tokens=True,
        seed=False,
        frequency_penalty=False,
        presence_penalty=False,
        citations=True,
        list_models=True,
        embeddings=False,
        count_tokens=True,
    )
    models = (Model("demo", label="Demo", description="No model: scripted answers", context_tokens=1_000_000),)
    config_type = DemoConfig

    def __init__(self, config: Config | None = None, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        super().__init__(config)
        self._sleep = sleep

    async def stream(self, request: ChatRequest) -> AsyncIterator[Event | str]:
        """The scene's events. Raises the error that `error …` and `cut` ask for."""
        if request.options.model not in {None, "", "demo"}:
            raise ERRORS["model"](f'{MARK}there is no model "{request.options.model}" here, only "demo"')
        scene = _scene_for(request)
        digest = hashlib.sha256(msgspec.json.encode(request)).hexdigest()[:16]
        yield ResponseStarted(id=f"demo-{digest}", model="demo", request_id=f"demo-request-{digest}")
        for step in _Performance(scene, request).steps():
            if isinstance(step, Pause):
                await self._sleep(step.seconds)
            else:
                yield step

    async def test_connection(self) -> ConnectionStatus:
        """Always reachable: there is nothing to reach."""
        return ConnectionStatus(success=True, provider=self.name, latency_ms=0.0)

    async def list_models(self) -> Sequence[Model]:
        """The one model, which is none."""
        return self.models

    async def count_tokens(self, request: ChatRequest) -> int:
        """Words, as the demo's own usage counts them."""
        return _count_tokens(request)
