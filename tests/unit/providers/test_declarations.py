"""What every built-in declaration has in common, and the quirks that one of them has alone."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from typing import Any

import msgspec
import pytest

from parley.contract.capabilities import Capabilities
from parley.contract.codec import Codec
from parley.contract.config import config_fields
from parley.contract.http import HttpRequest, Target
from parley.contract.messages import Message, ToolCall, ToolResult
from parley.contract.options import Options, SchemaFormat
from parley.contract.request import ChatRequest
from parley.registry.discovery import built_in_candidates
from parley.registry.loading import Registry
from parley.transport.http_provider import Dialect

DIALECTS = [candidate.name for candidate in built_in_candidates() if candidate.name != "demo"]
EXPECTED_URLS = {
    "openai": "https://api.openai.com/v1/chat/completions",
    "anthropic": "https://api.anthropic.com/v1/messages",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/models/gemini-3.5-flash:generateContent",
    "groq": "https://api.groq.com/openai/v1/chat/completions",
    "deepseek": "https://api.deepseek.com/chat/completions",
    "openrouter": "https://openrouter.ai/api/v1/chat/completions",
    "mistral": "https://api.mistral.ai/v1/chat/completions",
    "ollama": "http://127.0.0.1:11434/v1/chat/completions",
    "llama-cpp": "http://127.0.0.1:8080/v1/chat/completions",
    "openai-compatible": "http://127.0.0.1:8000/v1/chat/completions",
}


def _dialect(name: str) -> Dialect:
    return import_module(f"parley.providers.{name.replace('-', '_')}").provider


def _encode(name: str, request: ChatRequest, *, stream: bool = False) -> HttpRequest:
    dialect = _dialect(name)
    wire: Codec = dialect.wire
    model = next((field.default for field in config_fields(dialect.config) if field.name == "model"), "") or "m"
    endpoint = next(field.default for field in config_fields(dialect.config) if field.name == "endpoint") or "http://127.0.0.1:8000/v1"
    known = next((listed.capabilities for listed in dialect.models if listed.id == model), Capabilities())
    target = Target(provider=name, model=model, endpoint=endpoint, capabilities=known.over(dialect.capabilities).over(wire.capabilities))
    return wire.encode(request, target=target, stream=stream)


def _body(name: str, request: ChatRequest, *, stream: bool = False) -> dict[str, Any]:
    return msgspec.json.decode(_encode(name, request, stream=stream).body)


def _say(text: str = "Hi", **options: Any) -> ChatRequest:
    return ChatRequest(messages=[Message(role="user", content=text)], options=Options(**options))


@pytest.mark.parametrize("name", DIALECTS)
def test_a_declaration_is_complete(name: str) -> None:
    dialect = _dialect(name)
    assert dialect.name == name
    assert dialect.label
    assert dialect.description
    assert dialect.docs_url.startswith("https://")
    assert len(dialect.models) <= 10
    assert all(model.label and model.description for model in dialect.models)
    default = next(field.default for field in config_fields(dialect.config) if field.name == "model")
    assert not dialect.models or default in {model.id for model in dialect.models}
    module = import_module(f"parley.providers.{name.replace('-', '_')}")
    assert "read 2026-11-22" in (module.__doc__ or "")


@pytest.mark.parametrize("name", DIALECTS)
def test_a_declaration_can_be_loaded_and_asks_at_the_vendors_address(name: str) -> None:
    environ = {f"{name.replace('-', '_').upper()}_API_KEY": "k-test"}
    if name == "openai-compatible":
        environ["OPENAI_COMPATIBLE_ENDPOINT"] = "http://127.0.0.1:8000/v1"
    provider = Registry.from_environment(environ=environ).get(name)
    assert provider.name == name
    assert _encode(name, _say()).url == EXPECTED_URLS[name]


@pytest.mark.parametrize("name", sorted(set(DIALECTS) - {"ollama", "llama-cpp", "openai-compatible"}))
def test_a_vendor_wants_a_key_and_shows_what_one_looks_like(name: str) -> None:
    key = next(field for field in config_fields(_dialect(name).config) if field.name == "api_key")
    assert key.required
    assert key.setting.secret
    assert key.setting.example


def test_no_two_declarations_list_the_same_model_so_that_a_bare_id_means_one() -> None:
    listed = Counter(model.id for name in DIALECTS for model in _dialect(name).models)
    assert [identifier for identifier, count in listed.items() if count > 1] == []


@pytest.mark.parametrize("name", DIALECTS)
def test_extra_options_have_types_that_can_be_checked(name: str) -> None:
    for option in _dialect(name).extra_options or ():
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(object(), option.type)


@pytest.mark.parametrize(
    ("name", "field"),
    [("openai", "max_completion_tokens"), ("groq", "max_completion_tokens")]
    + [(name, "max_tokens") for name in ("deepseek", "mistral", "ollama", "llama-cpp", "openai-compatible")],
)
def test_the_length_is_limited_in_the_vendors_own_field(name: str, field: str) -> None:
    body = _body(name, _say(max_tokens=7))
    assert body[field] == 7
    assert not {"max_tokens", "max_completion_tokens"} - {field} & body.keys()


def test_mistral_calls_the_seed_otherwise_and_takes_no_stream_options() -> None:
    body = _body("mistral", _say(seed=3), stream=True)
    assert body["random_seed"] == 3
    assert not {"seed", "stream_options"} & body.keys()


def test_mistral_gets_tool_ids_of_nine_letters_and_digits() -> None:
    call = ToolCall(id="call_from_somewhere_else", name="weather")
    own = ToolCall(id="rEJDoePqM", name="weather")
    messages = [
        Message(role="user", content="Weather?"),
        Message(role="assistant", content=[call, own]),
        Message(role="tool", content=[ToolResult(tool_call_id=call.id, content="sun"), ToolResult(tool_call_id=own.id, content="rain")]),
    ]
    written = _body("mistral", ChatRequest(messages=messages))["messages"]
    sent = [tool_call["id"] for tool_call in written[1]["tool_calls"]]
    assert sent[1] == "rEJDoePqM"
    assert len(sent[0]) == 9
    assert sent[0].isalnum()
    assert [message["tool_call_id"] for message in written[2:]] == sent


def test_deepseek_is_asked_for_json_by_the_prompt_because_it_takes_no_schema() -> None:
    schema = SchemaFormat(name="city", schema={"type": "object", "properties": {"name": {"type": "string"}}})
    body = _body("deepseek", _say(response_format=schema))
    assert body["response_format"] == {"type": "json_object"}
    assert '"name"' in body["messages"][0]["content"]


def test_groqs_llama_answers_a_schema_by_a_tool() -> None:
    body = _body("groq", _say(response_format=SchemaFormat(name="city", schema={"type": "object", "properties": {}})))
    assert body["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {}}
    assert "response_format" not in body


def test_openrouter_takes_its_effort_in_an_object() -> None:
    assert _body("openrouter", _say(reasoning_effort="low"))["reasoning"] == {"effort": "low"}


@pytest.mark.parametrize(
    ("host", "endpoint"),
    [
        ("127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
        ("http://127.0.0.1:11434/", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0:8000", "http://127.0.0.1:8000/v1"),
        (":8000", "http://127.0.0.1:8000/v1"),
        ("gpu-box", "http://gpu-box:11434/v1"),
        ("[::1]:8000", "http://[::1]:8000/v1"),
        ("[::1]", "http://[::1]:11434/v1"),
        ("https://ollama.example", "https://ollama.example/v1"),
        ("https://ollama.example/proxy/v1", "https://ollama.example/proxy/v1"),
    ],
)
def test_ollamas_host_may_be_written_as_for_its_server(host: str, endpoint: str) -> None:
    registry = Registry.from_environment(environ={"OLLAMA_HOST": host})
    registry.check()
    config = registry.get("ollama").config
    assert config is not None
    assert config.endpoint == endpoint


@pytest.mark.parametrize("host", ["[::1", "two words", "http://user:password@host"])
def test_a_host_that_is_none_is_told_by_its_variable(host: str) -> None:
    problems = Registry.from_environment(environ={"OLLAMA_HOST": host}).problems()
    assert [problem.path for problem in problems] == ["OLLAMA_HOST"]
