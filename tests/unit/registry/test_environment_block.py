"""The block for `.env`: explains every variable, changes nothing when it is copied whole, and is read back as it was meant."""

from __future__ import annotations

from parley.registry.description import FieldDescription, ProviderDescription
from parley.registry.environment import parse_dotenv
from parley.registry.environment_block import environment_block
from parley.registry.loading import Registry


def field(name: str = "region", **changes: object) -> FieldDescription:
    values: dict[str, object] = {
        "variables": [f"ACME_{name.upper()}"],
        "required": False,
        "secret": False,
        "help": "",
        "example": "",
        "default": "",
    }
    return FieldDescription(name=name, **(values | changes))  # type: ignore[arg-type]


def block(*fields: FieldDescription, **changes: str) -> str:
    return environment_block(ProviderDescription(name="acme", provider="acme", origin="built in", status="ready", fields=fields, **changes))


def uncommented(text: str) -> str:
    return "\n".join(line.removeprefix("# ") if line.startswith("# ACME_") else line for line in text.splitlines())


def test_a_required_variable_waits_for_its_value_and_says_what_it_is() -> None:
    written = block(field("api_key", required=True, secret=True, help="a key of Acme", example="ak-…"), label="Acme", docs_url="https://d")
    assert written == "# Acme\n# https://d\n\n# a key of Acme; required; for example ak-…\nACME_API_KEY=\n"


def test_the_rest_is_commented_out_with_its_default_or_else_an_example() -> None:
    written = block(field(help="where", default="eu", example="us"), field("proxy", example="http://p:1"), field("zone"))
    assert "# where\n# ACME_REGION=eu\n" in written
    assert "# ACME_PROXY=http://p:1\n" in written
    assert "# zone\n# ACME_ZONE=\n" in written


def test_a_default_that_is_secret_is_not_shown() -> None:
    assert "hidden" not in block(field("token", secret=True, default="hidden"))


def test_other_variables_that_fill_a_field_are_named() -> None:
    assert "GOOGLE_API_KEY will do as well" in block(field(variables=["ACME_REGION", "GOOGLE_API_KEY"]))


def test_every_default_is_read_back_as_it_was_once_its_line_is_uncommented() -> None:
    for value in ("plain", "two words", "#7", "a #b", "'quoted'", '"quoted"', "it's #1", '"it\'s" \\ #1', '{"a": "b"}'):
        assert parse_dotenv(uncommented(block(field(default=value)))) == {"ACME_REGION": value}


def test_what_an_author_wrote_cannot_become_a_line_of_its_own() -> None:
    hostile = "x\nEVIL_KEY=1\r\x1b[31m\u2028EVIL_KEY=2"
    written = block(field(help=hostile, default=hostile, example=hostile), label=hostile, description=hostile, docs_url=hostile)
    assert all(line.startswith("# ") for line in written.splitlines() if line)
    assert "\x1b" not in written
    assert parse_dotenv(written) == {}


def test_copied_whole_it_configures_nothing() -> None:
    bare = Registry.from_environment(environ={})
    copied = "\n".join(environment_block(description) for description in bare.descriptions())
    registry = Registry.from_environment(environ=parse_dotenv(copied))
    assert not registry.origins()
    assert registry.default == "demo"


def test_the_settings_that_all_providers_share_can_be_left_out() -> None:
    description = Registry.from_environment(environ={}).describe("ollama")
    written = environment_block(description, shared=False)
    assert [line.split("=")[0] for line in written.splitlines() if "=" in line] == [
        "# OLLAMA_API_KEY",
        "# OLLAMA_MODEL",
        "# OLLAMA_ENDPOINT",
        "# OLLAMA_API",
    ]
    assert "OLLAMA_TIMEOUTS" in environment_block(description)
