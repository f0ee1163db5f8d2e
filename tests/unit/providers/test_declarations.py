"""What every built-in declaration has in common, and the quirks that one of them has alone."""

from __future__ import annotations

import re
from collections import Counter
from importlib import import_module
from typing import Any, get_args

import msgspec
import pytest

import parley
from parley.contract.capabilities import Capabilities
from parley.contract.codec import Codec
from parley.contract.config import config_fields
from parley.contract.http import HttpRequest, Target
from parley.contract.messages import Message, ToolCall, ToolResult
from parley.contract.options import Options, SchemaFormat
from parley.contract.request import ChatRequest
from parley.dispatch.resolution import resolve_model
from parley.registry.discovery import built_in_candidates
from parley.registry.loading import Registry
from parley.transport.http_provider import Dialect

DIALECTS = [candidate.name for candidate in built_in_candidates() if candidate.name != "demo"]
EXPECTED_URLS = {
    "alibaba": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions",
    "anthropic": "https://api.anthropic.com/v1/messages",
    "azure-ai": "https://my-resource.services.ai.azure.com/openai/v1/chat/completions",
    "azure-openai": "https://my-resource.openai.azure.com/openai/v1/responses",
    "bedrock": "https://bedrock-runtime.eu-central-1.amazonaws.com/model/us.amazon.nova-2-lite-v1%3A0/converse",
    "cerebras": "https://api.cerebras.ai/v1/chat/completions",
    "cloudflare": "https://api.cloudflare.com/client/v4/accounts/0123456789abcdef/ai/v1/chat/completions",
    "cohere": "https://api.cohere.com/v2/chat",
    "databricks": "https://adb-123.4.azuredatabricks.net/serving-endpoints/chat/completions",
    "deepseek": "https://api.deepseek.com/chat/completions",
    "dialogflow": "https://dialogflow.googleapis.com/v2/projects/my-project/locations/global/agent/sessions/"
    "4dfbb45f518bcfe78a939c8df401ae7895c2:detectIntent",
    "fireworks": "https://api.fireworks.ai/inference/v1/chat/completions",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/models/gemini-3.5-flash:generateContent",
    "groq": "https://api.groq.com/openai/v1/chat/completions",
    "huggingface": "https://router.huggingface.co/v1/chat/completions",
    "llama-cpp": "http://127.0.0.1:8080/v1/chat/completions",
    "lmstudio": "http://127.0.0.1:1234/v1/responses",
    "local": "http://127.0.0.1/v1/chat/completions",
    "mistral": "https://api.mistral.ai/v1/chat/completions",
    "moonshotai": "https://api.moonshot.ai/v1/chat/completions",
    "ollama": "http://127.0.0.1:11434/api/chat",
    "openai": "https://api.openai.com/v1/responses",
    "openai-compatible": "http://127.0.0.1:8000/v1/chat/completions",
    "openrouter": "https://openrouter.ai/api/v1/chat/completions",
    "perplexity": "https://api.perplexity.ai/chat/completions",
    "snowflake": "https://myorg-myaccount.snowflakecomputing.com/api/v2/cortex/v1/chat/completions",
    "together": "https://api.together.ai/v1/chat/completions",
    "vertex": "https://aiplatform.googleapis.com/v1/projects/my-project/locations/global/publishers/google/models/gemini-3.5-flash:generateContent",
    "vllm": "http://127.0.0.1:8000/v1/chat/completions",
    "writer": "https://api.writer.com/v1/chat",
    "xai": "https://api.x.ai/v1/responses",
    "zai": "https://api.z.ai/api/paas/v4/chat/completions",
}
LOCAL = {"local", "ollama", "llama-cpp", "vllm", "lmstudio", "openai-compatible"}
BY_OTHER_CREDENTIALS = {"bedrock", "dialogflow", "vertex"}


def _dialect(name: str) -> Dialect:
    return import_module(f"parley.providers.{name.replace('-', '_')}").provider


def _config(name: str, **given: Any) -> Any:
    config = _dialect(name).config
    examples = {field.name: field.setting.example or "k" for field in config_fields(config) if field.required}
    return Registry.from_environment(environ={}).load(name, examples | {"api_key": "k-test", **given}).config


def _encode(name: str, request: ChatRequest, *, stream: bool = False, **given: Any) -> HttpRequest:
    dialect, config = _dialect(name), _config(name, **given)
    wire: Codec = dialect.wire_for(config)
    model = config.model or "m"
    known = next((listed.capabilities for listed in dialect.models if listed.id == model), Capabilities())
    capabilities = known.over(dialect.capabilities).over(wire.capabilities)
    target = Target(provider=name, model=model, endpoint=dialect.endpoint_for(config).rstrip("/"), capabilities=capabilities)
    return wire.encode(request, target=target, stream=stream)


def _body(name: str, request: ChatRequest, *, stream: bool = False, **given: Any) -> dict[str, Any]:
    return msgspec.json.decode(_encode(name, request, stream=stream, **given).body)


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
    assert "https://" in (module.__doc__ or "")
    assert re.search(r"\(read 2026-1[12]-[0-9]{2}\)", " ".join((module.__doc__ or "").split()))


@pytest.mark.parametrize("name", DIALECTS)
def test_a_declaration_can_be_loaded_and_asks_at_the_vendors_address(name: str) -> None:
    prefix = name.replace("-", "_").upper()
    fields = config_fields(_dialect(name).config)
    required = [field for field in fields if field.required]
    environ = {f"{prefix}_{field.name.upper()}": "k-test" if field.setting.secret else field.setting.example for field in required}
    provider = Registry.from_environment(environ=environ).get(name)
    assert provider.name == name
    assert _encode(name, _say()).url == EXPECTED_URLS[name]


@pytest.mark.parametrize("name", sorted(set(DIALECTS) - LOCAL - BY_OTHER_CREDENTIALS))
def test_a_vendor_wants_a_key_and_shows_what_one_looks_like(name: str) -> None:
    key = next(field for field in config_fields(_dialect(name).config) if field.name == "api_key")
    assert key.required
    assert key.setting.secret
    assert key.setting.example


def test_a_model_that_two_list_is_its_makers_unless_the_cloud_alone_is_configured() -> None:
    listed = Counter(model.id for name in DIALECTS for model in _dialect(name).models)
    nobody = Registry.from_environment(environ={})
    makers = {resolve_model(nobody, identifier)[0] for identifier, count in listed.items() if count > 1}
    assert makers == {"anthropic", "gemini"}
    assert resolve_model(nobody, "gemini-3.5-flash") == ("gemini", "gemini-3.5-flash")
    cloud = Registry.from_environment(environ={"VERTEX_PROJECT": "p"})
    assert resolve_model(cloud, "gemini-3.5-flash") == ("vertex", "gemini-3.5-flash")


@pytest.mark.parametrize("name", [name for name in DIALECTS if _dialect(name).apis])
def test_each_api_of_a_vendor_is_chosen_by_its_name_and_has_its_own_options(name: str) -> None:
    dialect = _dialect(name)
    (choices,) = (get_args(field.type) for field in config_fields(dialect.config) if field.name == "api")
    assert set(choices) == {*dialect.apis, next(field.default for field in config_fields(dialect.config) if field.name == "api")}
    for api in choices:
        assert dialect.wire_for(_config(name, api=api)) is dialect.apis.get(api, dialect.wire)
    for option in dialect.extra_options or ():
        assert option.api in {"", *choices}


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "https://r.openai.azure.com/openai/v1/responses"),
        ({"api": "chat"}, "https://r.openai.azure.com/openai/v1/chat/completions"),
        ({"api": "chat", "endpoint": "https://r.openai.azure.com/openai/v1/"}, "https://r.openai.azure.com/openai/v1/chat/completions"),
        (
            {"api": "chat", "api_version": "2024-10-21"},
            "https://r.openai.azure.com/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21",
        ),
        ({"api_version": "2025-03-01-preview"}, "https://r.openai.azure.com/openai/responses?api-version=2025-03-01-preview"),
        ({"api_version": "preview"}, "https://r.openai.azure.com/openai/v1/responses?api-version=preview"),
        (
            {"api": "chat", "endpoint": "https://gateway.example/azure", "api_version": "2024-10-21"},
            "https://gateway.example/azure/chat/completions?api-version=2024-10-21",
        ),
        (
            {"api": "chat", "endpoint": "https://r.openai.azure.com/openai?api-version=2024-02-01"},
            "https://r.openai.azure.com/openai/deployments/my%20gpt/chat/completions?api-version=2024-02-01",
        ),
    ],
)
def test_azures_addresses_of_both_generations(given: dict[str, str], url: str) -> None:
    endpoint = {"endpoint": "https://r.openai.azure.com/"}
    assert _encode("azure-openai", _say(), model="my gpt", **(endpoint | given)).url == url


def test_azures_older_inference_api_is_asked_for_by_its_version() -> None:
    sent = _encode("azure-ai", _say(max_tokens=3), model="grok", api_version="2024-05-01-preview")
    assert sent.url == "https://my-resource.services.ai.azure.com/models/chat/completions?api-version=2024-05-01-preview"
    assert msgspec.json.decode(sent.body)["max_tokens"] == 3


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("adb-1.azuredatabricks.net", "https://adb-1.azuredatabricks.net/serving-endpoints/chat/completions"),
        ("https://adb-1.azuredatabricks.net/", "https://adb-1.azuredatabricks.net/serving-endpoints/chat/completions"),
        ("https://1.ai-gateway.cloud.databricks.com/mlflow/v1", "https://1.ai-gateway.cloud.databricks.com/mlflow/v1/chat/completions"),
    ],
)
def test_a_databricks_workspace_may_be_written_as_its_own_tools_take_it(host: str, url: str) -> None:
    registry = Registry.from_environment(environ={"DATABRICKS_HOST": host, "DATABRICKS_TOKEN": "dapi-k"})
    config: Any = registry.get("databricks").config
    assert config.api_key == "dapi-k"
    assert f"{_dialect('databricks').endpoint_for(config)}/chat/completions" == url


def test_snowflakes_account_is_written_as_its_address_has_it() -> None:
    assert _encode("snowflake", _say(), account="MYORG-MY_ACCOUNT").url.startswith("https://myorg-my-account.snowflakecomputing.com/")


@pytest.mark.parametrize("model", ["kimi-k3", "kimi-k2.6", "kimi-k2.7-code"])
def test_kimi_is_not_told_what_it_has_fixed(model: str) -> None:
    sent = _encode("moonshotai", _say(temperature=0.2, max_tokens=5), model=model)
    assert "temperature" not in msgspec.json.decode(sent.body)
    assert [warning.code for warning in sent.warnings] == ["temperature_dropped"]
    assert _body("moonshotai", _say(temperature=0.2), model="kimi-k2-turbo-preview")["temperature"] == 0.2


def test_xais_reasoning_models_are_spared_what_they_refuse() -> None:
    assert "presence_penalty" not in _body("xai", _say(presence_penalty=0.5), api="chat")
    assert _body("xai", _say(presence_penalty=0.5), api="chat", model="grok-4-1-fast-non-reasoning")["presence_penalty"] == 0.5
    assert _body("xai", _say(), model="grok-4.7")["include"] == ["reasoning.encrypted_content"]


def test_perplexity_and_databricks_are_not_asked_for_usage_which_comes_unasked() -> None:
    for name in ("perplexity", "databricks"):
        assert "stream_options" not in _body(name, _say(), stream=True)
    assert _body("together", _say(), stream=True)["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("name", DIALECTS)
def test_extra_options_have_types_that_can_be_checked(name: str) -> None:
    for option in _dialect(name).extra_options or ():
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(object(), option.type)


@pytest.mark.parametrize(
    ("name", "field"),
    [(name, "max_completion_tokens") for name in ("groq", "cerebras", "moonshotai", "snowflake")]
    + [("openai", "max_output_tokens"), ("xai", "max_output_tokens"), ("azure-openai", "max_output_tokens")]
    + [
        (name, "max_tokens") for name in ("deepseek", "mistral", "llama-cpp", "openai-compatible", "zai", "alibaba", "perplexity", "cohere")
    ],
)
def test_the_length_is_limited_in_the_vendors_own_field(name: str, field: str) -> None:
    body = _body(name, _say(max_tokens=20))
    assert body[field] == 20
    assert not {"max_tokens", "max_completion_tokens", "max_output_tokens"} - {field} & body.keys()


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
        ("127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("http://127.0.0.1:11434/", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8000", "http://127.0.0.1:8000"),
        (":8000", "http://127.0.0.1:8000"),
        ("gpu-box", "http://gpu-box:11434"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("[::1]", "http://[::1]:11434"),
        ("https://ollama.example", "https://ollama.example"),
        ("https://ollama.example/proxy/v1", "https://ollama.example/proxy"),
        ("127.0.0.1:11434/v1", "http://127.0.0.1:11434"),
    ],
)
def test_ollamas_host_may_be_written_as_for_its_server_with_either_api(host: str, endpoint: str) -> None:
    for api, path in (("ollama", "/api/chat"), ("openai", "/v1/chat/completions")):
        registry = Registry.from_environment(environ={"OLLAMA_HOST": host, "OLLAMA_API": api})
        registry.check()
        config: Any = registry.get("ollama").config
        assert _encode("ollama", _say(), endpoint=config.endpoint, api=api).url == f"{endpoint}{path}"


@pytest.mark.parametrize("host", ["[::1", "two words", "http://user:password@host"])
def test_a_host_that_is_none_is_told_by_its_variable(host: str) -> None:
    problems = Registry.from_environment(environ={"OLLAMA_HOST": host}).problems()
    assert [problem.path for problem in problems] == ["OLLAMA_HOST"]


@pytest.mark.parametrize(
    ("name", "field", "more"),
    [
        ("bedrock", "region", {}),
        ("vertex", "location", {"project": "p"}),
        ("dialogflow", "location", {"project": "p"}),
        ("snowflake", "account", {"api_key": "k"}),
    ],
)
def test_what_becomes_part_of_a_hosts_name_cannot_name_another_host(name: str, field: str, more: dict[str, str]) -> None:
    for elsewhere in ("evil.example/", "evil.example#", "a b", "-", "x@evil.example"):
        with pytest.raises(parley.ConfigurationError, match="cannot stand in the name of a host") as refused:
            parley.load_provider(name, **more, **{field: elsewhere})
        assert field in refused.value.fields[0].path.lower()


@pytest.mark.parametrize(
    ("name", "kind", "is_taken"),
    [
        ("openai", "image/tiff", False),
        ("openai", "image/jpg", True),
        ("azure-openai", "image/bmp", False),
        ("anthropic", "image/svg+xml", False),
        ("gemini", "image/gif", False),
        ("bedrock", "image/tiff", False),
        ("mistral", "image/bmp", False),
        ("cohere", "image/tiff", False),
        ("gemini", "image/heic", True),
        ("groq", "image/tiff", True),
    ],
)
def test_an_image_of_a_type_that_the_vendor_does_not_take_is_refused_with_its_place(name: str, kind: str, is_taken: bool) -> None:
    picture = parley.ImagePart(media_type=kind, data="AAAA")
    shown = parley.ToolResult(tool_call_id="c", content=[parley.TextPart(text="see"), picture])
    call = parley.Message(role="assistant", content=[parley.ToolCall(id="c", name="look", arguments="{}")])
    for messages, place in (
        ([parley.Message(role="user", content=[picture])], "messages[0].content[0].media_type"),
        (
            [parley.Message(role="user", content="?"), call, parley.Message(role="tool", content=[shown])],
            "messages[2].content[0].content[1].media_type",
        ),
    ):
        request = parley.ChatRequest(messages=messages)
        dialect = import_module(f"parley.providers.{name.replace('-', '_')}").provider
        for wire in (dialect.wire, *dialect.apis.values()):
            if is_taken:
                assert wire.encode(request, target=Target(provider=name, model="m", endpoint="https://x.example"), stream=False).body
                continue
            with pytest.raises(parley.UnsupportedFeatureError, match=f"takes no {re.escape(kind)}; it takes image/png") as refused:
                wire.encode(request, target=Target(provider=name, model="m", endpoint="https://x.example"), stream=False)
            assert refused.value.fields[0].path == place
