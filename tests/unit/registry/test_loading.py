from __future__ import annotations

import os
from pathlib import Path

import pytest

import parley
from parley.contract.errors import ConfigurationError, MissingCredentialError, UnknownProviderError
from parley.registry.instances import Override
from parley.registry.loading import Registry, load_provider

ACME = """
[[providers]]
name = "acme"
provider = "openai-compatible"
endpoint = "https://api.acme.example/v1"
api_key = "env:ACME_TOKEN"
models = [{id = "m1", label = "One"}]
"""


@pytest.fixture
def registry(tmp_path: Path) -> RegistryMaker:
    return RegistryMaker(tmp_path)


class RegistryMaker:
    """A registry of a directory with these files and of these variables, and of nothing else."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __call__(self, toml: str = "", *, plugins: dict[str, str] | None = None, **variables: str) -> Registry:
        if toml:
            (self.directory / "parley.toml").write_text(toml, encoding="utf-8")
        for name, text in (plugins or {}).items():
            path = self.directory / "parley_providers" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return Registry.from_environment(environ=variables, directory=self.directory)


def test_a_key_in_the_environment_is_enough() -> None:
    provider = Registry.from_environment(environ={"OPENAI_API_KEY": "sk-test"}).get("openai")
    assert (provider.name, provider.label) == ("openai", "OpenAI")


def test_load_provider_takes_arguments_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "from-environment")
    monkeypatch.setenv("ANTHROPIC_MODEL", "from-environment")
    provider = load_provider("anthropic", api_key="from-argument", endpoint="http://127.0.0.1:9000/v1")
    assert provider.config is not None
    config = provider.config
    assert (config.api_key, config.model, config.endpoint) == ("from-argument", "from-environment", "http://127.0.0.1:9000/v1")


def test_load_provider_reads_dotenv_and_parley_toml_of_the_working_directory() -> None:
    Path(".env").write_text("ACME_TOKEN=k\n", encoding="utf-8")
    Path("parley.toml").write_text(ACME, encoding="utf-8")
    provider = load_provider("acme")
    assert provider.name == "acme"
    assert [model.id for model in provider.models] == ["m1"]
    assert provider.config is not None
    assert provider.config.api_key == "k"


def test_arguments_may_be_structs_or_tables() -> None:
    for timeouts in (parley.Timeouts(idle=3), {"idle": 3}):
        config = load_provider("openai", api_key="k", timeouts=timeouts, limits=parley.Limits(concurrency=2)).config
        assert config is not None
        assert (config.timeouts, config.limits.concurrency) == (parley.Timeouts(idle=3), 2)


def test_a_missing_key_names_the_variable_with_an_example() -> None:
    with pytest.raises(MissingCredentialError) as caught:
        load_provider("anthropic")
    assert "ANTHROPIC_API_KEY=sk-ant-…" in caught.value.message
    assert caught.value.provider == "anthropic"
    assert caught.value.fields[0].path == "ANTHROPIC_API_KEY"


def test_a_missing_key_finds_the_mistyped_variable(registry: RegistryMaker) -> None:
    with pytest.raises(MissingCredentialError, match="GEMINI_APIKEY is set: did you mean GEMINI_API_KEY"):
        registry(GEMINI_APIKEY="k").get("gemini")
    with pytest.raises(MissingCredentialError) as rightly_set:
        registry(OPENAI_MODEL="m").get("openai")
    assert "Did you mean" not in rightly_set.value.message
    with pytest.raises(MissingCredentialError, match="GOOGLE_API_KEY"):
        registry().get("gemini")


@pytest.mark.parametrize("name", ["openai_compatible", "antropic", "OpenAI"])
def test_an_unknown_provider_gets_a_did_you_mean(name: str) -> None:
    with pytest.raises(UnknownProviderError, match="Did you mean"):
        load_provider(name)


def test_a_model_behind_the_name_is_explained() -> None:
    with pytest.raises(UnknownProviderError, match='"openai", model="gpt-5-mini"'):
        load_provider("openai/gpt-5-mini")


def test_unknown_and_wrong_arguments_are_all_told() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_provider("openai", api_kye="k", model=3, api="telegraph", timeouts={"idel": 1})
    assert {problem.path for problem in caught.value.fields} == {"api_kye", "model", "api", "timeouts.idel"}
    assert 'Did you mean "api_key"?' in caught.value.message
    assert '"chat"' in caught.value.message


def test_a_server_needs_its_address() -> None:
    with pytest.raises(ConfigurationError, match="OPENAI_COMPATIBLE_ENDPOINT=http"):
        load_provider("openai-compatible")
    assert load_provider("openai-compatible", endpoint="http://127.0.0.1:1/v1").name == "openai-compatible"


def test_providers_by_their_variables_alone(registry: RegistryMaker) -> None:
    made = registry(PARLEY_PROVIDERS="acme, beta", ACME_ENDPOINT="http://127.0.0.1:1/v1", ACME_API_KEY="k", ACME_MODEL="m")
    assert made.get("acme").name == "acme"
    assert made.default_model("acme") == "m"
    assert [problem.path for problem in made.problems()] == ["BETA_ENDPOINT"]


def test_one_vendor_configured_twice_keeps_the_keys_apart(registry: RegistryMaker) -> None:
    made = registry('[[providers]]\nname = "openai-eu"\nprovider = "openai"\nendpoint = "https://eu.example/v1"', OPENAI_API_KEY="us-key")
    with pytest.raises(MissingCredentialError, match="OPENAI_EU_API_KEY"):
        made.get("openai-eu")
    both = registry(OPENAI_API_KEY="us-key", OPENAI_EU_API_KEY="eu-key")
    configs = [both.get(name).config for name in ("openai", "openai-eu")]
    assert [(config.api_key, config.endpoint) for config in configs if config] == [
        ("us-key", "https://api.openai.com/v1"),
        ("eu-key", "https://eu.example/v1"),
    ]
    assert both.get("openai-eu").name == "openai-eu"


def test_every_problem_of_the_configuration_is_told_at_once(registry: RegistryMaker) -> None:
    made = registry(
        """
        [[providers]]
        name = "groq"
        provider = "openai"
        [[providers]]
        name = "acme"
        [[providers]]
        name = "beta"
        provider = "opnai"
        [[providers]]
        name = "gamma"
        provider = "openai-compatible"
        endpoint = "api.gamma.example"
        api_kye = "k"
        [[providers]]
        name = "gamma"
        provider = "openai"
        [[routes]]
        name = "mistral"
        targets = []
        [[routes]]
        name = "fast"
        targets = [{model = "gpt-5"}, {model = "opnai/gpt-5"}]
        """,
        OPENAI_API_KEY="k",
        OPENAI_ENDPOINT="https://api.openai.com/v1/chat/completions",
        PARLEY_PROVIDERS="groq Bad!",
        PARLEY_PROVIDER_PATH="/nowhere/at/all",
    )
    with pytest.raises(ConfigurationError) as caught:
        made.check()
    assert sorted(problem.path for problem in caught.value.fields) == sorted(
        [
            "PARLEY_PROVIDER_PATH",
            "parley.toml: providers[0] (groq).name",
            "parley.toml: providers[1] (acme).name",
            "parley.toml: providers[2] (beta).provider",
            "parley.toml: providers[4] (gamma).name",
            "PARLEY_PROVIDERS",
            "PARLEY_PROVIDERS",
            "parley.toml: routes[0] (mistral).name",
            "parley.toml: routes[0] (mistral).targets",
            "parley.toml: routes[1] (fast).targets[0].model",
            "parley.toml: routes[1] (fast).targets[1].model",
            "parley.toml: providers[3] (gamma).endpoint",
            "parley.toml: providers[3] (gamma).api_kye",
            "OPENAI_ENDPOINT",
        ]
    )
    assert 'Did you mean "openai"?' in caught.value.message
    assert 'Did you mean "api_key"?' in caught.value.message


def test_a_missing_key_is_no_problem_of_the_configuration(registry: RegistryMaker) -> None:
    made = registry(ACME)
    made.check()
    described = made.describe("acme")
    assert described.status == "unconfigured"
    assert described.reason is not None
    assert "ACME_TOKEN" in described.reason
    with pytest.raises(MissingCredentialError):
        made.get("acme")


@pytest.mark.parametrize("variables", [{"PARLEY_CONFIG": "other.toml"}, {"PARLEY_CONFIG": ""}])
def test_the_file_may_be_named(registry: RegistryMaker, variables: dict[str, str]) -> None:
    (registry.directory / "other.toml").write_text(ACME, encoding="utf-8")
    made = registry(**variables)
    assert ("acme" in made.names()) == bool(variables["PARLEY_CONFIG"])
    by_argument = Registry.from_environment("other.toml", environ={}, directory=registry.directory)
    assert "acme" in by_argument.names()


def test_a_named_file_must_exist(registry: RegistryMaker) -> None:
    with pytest.raises(ConfigurationError, match=r"gone\.toml"):
        registry(PARLEY_CONFIG="gone.toml")


def test_broken_plugins_are_quarantined_with_their_reasons_and_harm_nobody(registry: RegistryMaker) -> None:
    made = registry(
        plugins={
            "broken.py": "import nothing_of_this_name",
            "leaving.py": "raise SystemExit",
            "openai.py": "provider = 1",
            "good.py": "class Good:\n    name = 'good'\n    def generate_response(self, **_):\n        return {'text': 'hi'}",
            "thrower.py": "class T:\n    name = 'thrower'\n    def __init__(self): raise OSError('no disk')\n"
            "    def generate_response(self, **_): ...",
        }
    )
    made.check()
    described = {(item.name, item.origin): item for item in made.descriptions()}
    statuses = {(name, Path(origin).name): item.status for (name, origin), item in described.items() if item.origin != "built in"}
    assert statuses == {
        ("broken", "broken.py"): "quarantined",
        ("leaving", "leaving.py"): "quarantined",
        ("openai", "openai.py"): "quarantined",
        ("good", "good.py"): "ready",
        ("thrower", "thrower.py"): "quarantined",
    }
    assert "nothing_of_this_name" in (made.describe("broken").reason or "")
    with pytest.raises(ConfigurationError, match="nothing_of_this_name"):
        made.get("broken")
    with pytest.raises(ConfigurationError, match="no disk"):
        made.get("thrower")
    assert made.get("good").name == "good"
    with pytest.raises(MissingCredentialError):
        made.get("openai")


def test_the_path_of_provider_files_may_be_named(registry: RegistryMaker) -> None:
    for folder, name in (("a", "one"), ("b", "two")):
        (registry.directory / folder).mkdir()
        text = f"class P:\n    name = '{name}'\n    def generate_response(self, **_): ..."
        (registry.directory / folder / f"{name}.py").write_text(text, encoding="utf-8")
    made = registry(PARLEY_PROVIDER_PATH=os.pathsep.join(["a", "b"]))
    assert {"one", "two"} <= set(made.names())


def test_where_each_value_is_from_is_told_and_no_value(registry: RegistryMaker) -> None:
    (registry.directory / ".env").write_text("GROQ_API_KEY=hunter2\n", encoding="utf-8")
    made = registry(ACME, ACME_TOKEN="hunter3", GOOGLE_API_KEY="hunter4")
    assert made.origins() == {
        "acme.api_key": "environment variable ACME_TOKEN (named in parley.toml)",
        "acme.endpoint": "parley.toml",
        "gemini.api_key": "environment variable GOOGLE_API_KEY",
        "groq.api_key": "GROQ_API_KEY in .env",
    }
    assert "hunter" not in repr(made.descriptions())


def test_what_a_panel_needs_to_know_of_a_provider(registry: RegistryMaker) -> None:
    described = registry(ACME + 'label = "Acme Inc."\ncapabilities = {tools = false}', ACME_TOKEN="k", ACME_MODEL="m9").describe("acme")
    assert (described.label, described.provider, described.origin) == ("Acme Inc.", "openai-compatible", "parley.toml")
    assert (described.status, described.configured, described.model) == ("ready", True, "m9")
    assert [model.id for model in described.models] == ["m1", "m9"]
    assert described.capabilities.tools is False
    key = next(field for field in described.fields if field.name == "api_key")
    assert key.variables == ["ACME_API_KEY"]
    assert key.secret


def test_what_the_operator_declares_reaches_the_provider(registry: RegistryMaker) -> None:
    provider = registry(ACME + "capabilities = {tools = false}", ACME_TOKEN="k").get("acme")
    assert provider.capabilities.tools is False
    assert provider.capabilities.streaming is True


def test_literal_secrets_are_told_by_their_place(registry: RegistryMaker) -> None:
    made = registry('[[providers]]\nname = "openai"\napi_key = "sk-hunter2"')
    assert made.literal_secrets() == ["parley.toml: providers[0] (openai).api_key"]


async def test_a_provider_is_made_once_and_closed(registry: RegistryMaker) -> None:
    made = registry(OPENAI_API_KEY="k")
    provider = made.get("openai")
    assert made.get("openai") is provider
    await made.aclose()
    assert made.get("openai") is not provider
    await made.aclose()


def test_the_demo_is_the_default_only_where_nothing_is_configured(registry: RegistryMaker) -> None:
    assert registry().default == "demo"
    assert registry(OPENAI_API_KEY="k").default == "openai"
    assert registry(OLLAMA_HOST="127.0.0.1").default == "ollama"


@pytest.mark.parametrize("variables", [{"OPENAI_MODEL": "gpt-5"}, {"OPENAI_API_KEY": "k", "OPENAI_ENDPOINT": "nonsense"}])
def test_the_demo_never_stands_in_for_a_provider_that_does_not_work(registry: RegistryMaker, variables: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="openai"):
        _ = registry(**variables).default


def test_the_demo_never_stands_in_for_a_broken_plugin(registry: RegistryMaker) -> None:
    with pytest.raises(ConfigurationError, match="nothing_of_this_name"):
        _ = registry(plugins={"acme.py": "import nothing_of_this_name"}).default


def test_the_demo_is_off_in_production_unless_it_is_asked_for(registry: RegistryMaker) -> None:
    with pytest.raises(ConfigurationError, match="DEMO=on"):
        _ = registry(PARLEY_ENV="production").default
    with pytest.raises(ConfigurationError, match="DEMO=on"):
        registry(PARLEY_ENV="production").get("demo")
    assert registry(PARLEY_ENV="production", DEMO="on").default == "demo"
    assert registry(PARLEY_ENV="production").describe("demo").status == "unconfigured"
    with pytest.raises(ConfigurationError):
        _ = registry(DEMO="off").default


def test_the_operators_default_counts(registry: RegistryMaker) -> None:
    assert registry('default = "groq/llama-3.1-8b-instant"', OPENAI_API_KEY="k").default == "groq/llama-3.1-8b-instant"
    assert registry(PARLEY_DEFAULT="mistral", OPENAI_API_KEY="k").default == "mistral"


# The guide's own class, translated word for word: names in snake_case, a client of the vendor's in the place of its SDK.
SEED = """
import time


class YourProviderClient:
    def __init__(self, api_key):
        self.api_key = api_key

    async def create_stream(self, messages, model, temperature, max_tokens):
        for token in ("You ", "said ", messages[-1]["content"]):
            yield {"token": token}
        yield {"usage": {"prompt_tokens": 3, "completion_tokens": 3, "totalTokens": 6}}

    async def create_completion(self, messages, model, temperature, max_tokens):
        text = "You said " + messages[-1]["content"]
        return {"text": text, "id": "c-1", "model": model, "usage": {"inputTokens": 3, "outputTokens": 3, "totalTokens": 6}}

    async def test_connection(self):
        pass


class YourProvider:
    def __init__(self, config):
        self.name = "your-provider"
        self.client = YourProviderClient(api_key=config.api_key)

    async def stream_response(self, *, messages, system_prompt, options, on_token, on_done, on_error):
        try:
            formatted_messages = self._format_messages(messages, system_prompt)
            stream = self.client.create_stream(
                messages=formatted_messages,
                model=options.get("model") or "default-model",
                temperature=options.get("temperature") or 0.7,
                max_tokens=options.get("maxTokens") or 1000,
            )
            full_text = ""
            usage = {"promptTokens": 0, "completionTokens": 0, "totalTokens": 0}
            async for chunk in stream:
                if chunk.get("token"):
                    full_text += chunk["token"]
                    if on_token:
                        on_token(chunk["token"])
                if chunk.get("usage"):
                    usage = self._normalize_usage(chunk["usage"])
            result = {
                "text": full_text,
                "usage": usage,
                "id": f"your-provider-{int(time.time())}",
                "model": options.get("model") or "default-model",
            }
            if on_done:
                on_done(result)
            return result
        except Exception as error:
            if on_error:
                on_error(error)
            raise

    async def generate_response(self, *, messages, system_prompt, options):
        formatted_messages = self._format_messages(messages, system_prompt)
        response = await self.client.create_completion(
            messages=formatted_messages,
            model=options.get("model") or "default-model",
            temperature=options.get("temperature") or 0.7,
            max_tokens=options.get("maxTokens") or 1000,
        )
        return {
            "text": response["text"],
            "usage": self._normalize_usage(response["usage"]),
            "id": response["id"],
            "model": response["model"],
        }

    async def test_connection(self):
        try:
            await self.client.test_connection()
            return {"success": True, "provider": self.name}
        except Exception as error:
            return {"success": False, "provider": self.name, "error": str(error)}

    def _format_messages(self, messages, system_prompt):
        formatted = []
        if system_prompt:
            formatted.append({"role": "system", "content": system_prompt})
        for message in messages:
            formatted.append({"role": "user" if message["role"] == "user" else "assistant", "content": message["content"]})
        return formatted

    def _normalize_usage(self, usage):
        return {
            "promptTokens": usage.get("prompt_tokens") or usage.get("inputTokens") or 0,
            "completionTokens": usage.get("completion_tokens") or usage.get("outputTokens") or 0,
            "totalTokens": usage.get("total_tokens") or usage.get("totalTokens") or 0,
        }
"""


async def test_the_first_guides_own_class_loads_as_a_file_and_answers(registry: RegistryMaker) -> None:
    made = registry(plugins={"your_provider.py": SEED}, YOUR_PROVIDER_API_KEY="k")
    assert made.describe("your-provider").status == "ready"
    provider = made.get("your-provider")
    tokens: list[str] = []
    done: list[parley.ChatResponse] = []
    messages = [{"role": "user", "content": "hi"}]
    streamed = await provider.stream_response(
        messages=messages, system_prompt="Be brief", options={"model": "m"}, on_token=tokens.append, on_done=done.append
    )
    assert ("".join(tokens), streamed.text, done) == ("You said hi", "You said hi", [streamed])
    assert (streamed.usage.prompt_tokens, streamed.usage.completion_tokens, streamed.usage.source) == (3, 3, "reported")
    assert streamed.model == "m"
    complete = await provider.generate_response(messages=messages)
    assert (complete.text, complete.id, complete.model) == ("You said hi", "c-1", "default-model")
    assert (await provider.test_connection()).success
    await made.aclose()


def test_what_an_administrator_sets_stands_over_every_other_source_and_leaves_the_first_registry_alone(registry: RegistryMaker) -> None:
    before = registry(ACME, ACME_TOKEN="from-environment")
    after = before.with_overrides([Override(name="acme", settings={"api_key": "from-panel", "model": "m2"})])
    old, new = before.get("acme").config, after.get("acme").config
    assert old is not None
    assert new is not None
    assert (old.api_key, new.api_key, new.model, new.endpoint) == ("from-environment", "from-panel", "m2", "https://api.acme.example/v1")
    assert after.origins()["acme.api_key"] == "the settings panel"
    assert after.names() == before.names()


def test_an_administrator_adds_a_provider_under_a_name_of_its_own(registry: RegistryMaker) -> None:
    settings = {"endpoint": "https://api.beta.example/v1", "api_key": "k", "model": "b1"}
    after = registry().with_overrides([Override(name="beta", provider="openai-compatible", settings=settings)])
    assert after.describe("beta").status == "ready"
    assert after.names()[-1] == "beta"
    assert after.default == "beta"


def test_a_provider_that_an_administrator_switched_off_answers_nothing_and_is_no_default(registry: RegistryMaker) -> None:
    after = registry(OPENAI_API_KEY="sk-test").with_overrides([Override(name="openai", enabled=False)])
    assert "switched off" in str(after.describe("openai").reason)
    assert after.default == "demo"
    with pytest.raises(ConfigurationError, match="switched off"):
        after.get("openai")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (Override(name="beta"), "is missing"),
        (Override(name="beta", provider="opnai"), "openai"),
        (Override(name="anthropic", provider="openai"), "choose another name"),
    ],
)
def test_an_override_that_fits_no_provider_is_a_problem_of_the_field_provider(
    registry: RegistryMaker, override: Override, words: str
) -> None:
    problems = registry().with_overrides([override]).problems()
    assert [problem.path for problem in problems] == ["provider"]
    assert words in problems[0].message


def test_no_override_shows_its_key(registry: RegistryMaker) -> None:
    override = Override(name="openai", settings={"api_key": "canary-of-the-panel"})
    after = registry().with_overrides([override])
    assert "canary" not in repr(override) + repr(after.describe("openai")) + repr(after.get("openai").config)


async def test_a_provider_of_three_lines_needs_no_model_and_one_of_two_no_name(registry: RegistryMaker) -> None:
    head = "from parley.provider import Provider\nclass Short(Provider):\n    name = 'short'\n"
    short = head + "    async def generate(self, request):\n        return 'Hi'\n"
    nameless = "class Nameless:\n    def generate_response(self, messages):\n        return 'Hi'\n"
    made = registry(plugins={"short.py": short, "nameless.py": nameless})
    assert (await made.get("short").generate_response(messages=[{"role": "user", "content": "Hello"}])).text == "Hi"
    assert (await made.get("nameless").generate_response(messages=[{"role": "user", "content": "Hello"}])).provider == "nameless"


def test_no_key_of_another_source_leaves_for_an_endpoint_that_an_administrator_set(registry: RegistryMaker) -> None:
    override = Override(name="openai", settings={"endpoint": "https://other.example/v1"}, withhold_secrets=True)
    after = registry(OPENAI_API_KEY="sk-operators").with_overrides([override])
    assert after.describe("openai").status == "unconfigured"
    with pytest.raises(MissingCredentialError):
        after.get("openai")


def test_nor_does_a_key_or_header_of_the_file(registry: RegistryMaker) -> None:
    toml = ACME + 'headers = {x-team-key = "env:ACME_TOKEN"}\n'
    override = Override(name="acme", settings={"endpoint": "https://other.example/v1"}, withhold_secrets=True)
    config = registry(toml, ACME_TOKEN="operators").with_overrides([override]).get("acme").config
    assert config is not None
    assert (config.api_key, config.headers) == ("", {})


def test_a_plugin_that_cannot_be_made_is_never_ready_nor_the_default(registry: RegistryMaker) -> None:
    neither = "class P:\n    name = 'neither'\n    stream_response = None\n    generate_response = None\nprovider = P\n"
    broken = "class P:\n    name = 'broken'\n    def __init__(self): raise OSError('no disk')\n    def generate_response(self, **_): ..."
    made = registry(plugins={"broken.py": broken, "neither.py": neither}, OPENAI_API_KEY="k")
    described = made.describe("broken")
    assert (described.status, Path(described.origin).name) == ("quarantined", "broken.py")
    assert described.reason == "it cannot be made: OSError: no disk (broken.py, line 3)"
    assert made.describe("neither").status == "quarantined"
    assert made.default == "openai"


def test_an_unknown_name_finds_the_quarantined_file_that_says_it(registry: RegistryMaker) -> None:
    text = "class P:\n    name = 'acme-ai'\n    def generate_response(self, **_): ..."
    with pytest.raises(UnknownProviderError, match=r"acme\.py cannot be used: its name 'acme-ai' differs from 'acme'"):
        registry(plugins={"acme.py": text}).get("acme-ai")


def test_a_table_with_an_unknown_provider_is_listed(registry: RegistryMaker) -> None:
    made = registry('[[providers]]\nname = "beta"\nprovider = "opnai"')
    described = next(each for each in made.descriptions() if each.name == "beta")
    assert (described.status, described.reason) == ("quarantined", 'its provider, "opnai", is not known')


@pytest.mark.parametrize(("variable", "value"), [("PARLEY_ENV", "prod"), ("DEMO", "maybe")])
def test_a_switch_with_a_meaningless_word_is_a_problem(registry: RegistryMaker, variable: str, value: str) -> None:
    assert [problem.path for problem in registry(**{variable: value}).problems()] == [variable]


def test_what_is_set_and_looks_like_a_variable_that_is_not(registry: RegistryMaker) -> None:
    made = registry(OPENAI_APIKEY="k", GROQ_API_KEY="k", GROQ_API_KEYS="k", OPENAI_API_KEY_OLD="k", HOME="/root")
    assert made.mistyped_variables() == {"OPENAI_APIKEY": "OPENAI_API_KEY"}


def test_a_forgiving_registry_goes_on_without_what_cannot_be_read(registry: RegistryMaker) -> None:
    (registry.directory / ".env").write_text("nonsense\n", encoding="utf-8")
    (registry.directory / "parley.toml").write_text("= 1", encoding="utf-8")
    made = Registry.from_environment(environ={"OPENAI_API_KEY": "k"}, directory=registry.directory, forgiving=True)
    assert [Path(problem.path).name for problem in made.problems()] == [".env:1", "parley.toml"]
    assert made.default == "openai"
    with pytest.raises(ConfigurationError, match=r"\.env"):
        registry()
