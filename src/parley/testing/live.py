"""What can only be seen at the real service, with its author's key: connection, models, one call, one stream, what it can do.

Costs money; whoever runs these rules says so first. Knows no vendor.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from parley.contract.errors import ParleyError, RequestRejectedError, UnsupportedFeatureError
from parley.contract.response import ChatResponse
from parley.guard.guarded import GuardedProvider
from parley.registry.loading import Registry
from parley.testing.findings import Findings, advice, failed, not_run, passed
from parley.testing.rules import Rule
from parley.testing.rules.asking import outcome, told
from parley.testing.subject import Subject

MAX_TOKENS = 200
_QUESTION: list[dict[str, Any]] = [{"role": "user", "content": "Say hello in five words."}]
_TOOL: dict[str, Any] = {
    "name": "get_weather",
    "description": "Tells the weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"greeting": {"type": "string"}},
    "required": ["greeting"],
    "additionalProperties": False,
}
# A red square of 32 by 32: small models refuse smaller ones.
_IMAGE = "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAIAAAD8GO2jAAAAJ0lEQVR42u3NsQkAAAjAsP7/tF7hIASyp6lTCQQCgUAgEAgEgi/BAjLD/C5w/SM9AAAAAElFTkSuQmCC"
_PROBES: dict[str, dict[str, Any]] = {
    "tools": {"messages": [{"role": "user", "content": "What is the weather in Oslo?"}], "options": {"tools": [_TOOL]}},
    "tool_choice": {"options": {"tools": [_TOOL], "tool_choice": "required"}},
    "response_format": {
        "messages": [{"role": "user", "content": "Greet me, as JSON."}],
        "options": {"response_format": {"name": "greeting", "schema": _SCHEMA}},
    },
    "images": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "Which colour is this? One word."},
                    {"type": "image", "media_type": "image/png", "data": _IMAGE},
                ],
            }
        ]
    },
    "stop": {"options": {"stop": ["hello"]}},
    "temperature": {"options": {"temperature": 0.2}},
    "seed": {"options": {"seed": 7}},
}


def cost_of(subject: Subject) -> str:
    """What the rules below will cost, in words."""
    calls = 3 + len(_PROBES)
    model = subject.definition.name
    return f"--live asks {model} {calls} times for at most {MAX_TOKENS} tokens each, with your key: usually less than a cent."


@asynccontextmanager
async def _configured(subject: Subject) -> AsyncGenerator[GuardedProvider]:
    """The provider as its author has configured it. Raises ConfigurationError or MissingCredentialError where it is not."""
    registry = Registry.from_environment()
    try:
        yield registry.get(subject.name)
    finally:
        await registry.aclose()


async def connection(subject: Subject) -> Findings:
    """The service can be reached and takes the key."""
    async with _configured(subject) as provider:
        status = await provider.test_connection()
    if status.success:
        yield passed(f"it answers after {status.latency_ms:.0f} ms" if status.latency_ms is not None else "it answers")
    else:
        yield failed(status.error or "it gives no reason", "`parley doctor` shows what is configured and from where")


async def models(subject: Subject) -> Findings:
    """The models that are declared are on offer."""
    async with _configured(subject) as provider:
        try:
            offered = {model.id for model in await provider.list_models()}
        except UnsupportedFeatureError:
            yield not_run("a list of models, which this provider does not have")
            return
        except ParleyError as error:
            yield failed(f"the list of models cannot be read: {error.message}")
            return
    gone = [model.id for model in provider.models if model.id not in offered and f"models/{model.id}" not in offered]
    if gone:
        yield failed(f"declared, and not on offer: {', '.join(gone)}", "take them out of `models`")
    else:
        yield passed(f"{len(offered)} on offer, among them all {len(provider.models)} that are declared")


async def calls(subject: Subject) -> Findings:
    """One complete call and one stream, each a whole answer with its usage."""
    async with _configured(subject) as provider:
        for kind, ask in (("complete", provider.generate_response), ("stream", provider.stream_response)):
            reply = await outcome(ask(messages=_QUESTION, options={"max_tokens": MAX_TOKENS}))
            if isinstance(reply, ChatResponse) and (reply.text or reply.finish_reason == "length"):
                counts = f"{reply.usage.prompt_tokens} + {reply.usage.completion_tokens} tokens, {reply.usage.source}"
                yield passed(f"{kind}: {reply.model}, {counts}, {reply.finish_reason}")
            else:
                yield failed(f"{kind}: {told(reply)}")
        for violation in provider.violations:
            yield failed(f"the guard had to mend: {violation.rule}: {violation.detail}")


async def abilities(subject: Subject) -> Findings:
    """What is declared works; what works may be declared."""
    async with _configured(subject) as provider:
        for name, probe in _PROBES.items():
            declared = getattr(provider.capabilities, name)
            arguments: dict[str, Any] = {"messages": _QUESTION, **probe}
            arguments["options"] = {"max_tokens": MAX_TOKENS, **probe.get("options", {})}
            if declared is False:
                continue
            reply = await outcome(provider.generate_response(**arguments))
            works = _works(name, reply)
            if works is None:
                yield not_run(f"another try: {name} gave {told(reply)}")
            elif declared and not works:
                yield failed(f"{name} is declared, and gives {told(reply)}", f"declare Capabilities({name}=False), or mend it")
            elif works and declared is None:
                yield advice(f"{name} works, and is not declared", f"add {name}=True")
            elif not works:
                yield advice(f"{name} does not work ({told(reply)}), and is not declared as missing", f"add {name}=False")
            else:
                yield passed(f"{name} works")


def _works(name: str, reply: ChatResponse | ParleyError) -> bool | None:
    """Whether it did; None where the answer says nothing about it (no connection, a rate limit)."""
    if isinstance(reply, ChatResponse):
        return bool(reply.tool_calls) if name in {"tools", "tool_choice"} else True
    return False if isinstance(reply, (RequestRejectedError, UnsupportedFeatureError)) else None


LIVE_RULES: tuple[Rule, ...] = (
    Rule(name="live_connection", section="live", title="The service takes the key", look=connection),
    Rule(name="live_models", section="live", title="The models are on offer", look=models),
    Rule(name="live_calls", section="live", title="One call, one stream", look=calls),
    Rule(name="live_abilities", section="live", title="What it declares works", look=abilities),
)
