"""A dialect of several wires is held to the contract by each of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from parley.provider import Capabilities, Config, Dialect, OpenAIChat, OpenAIResponses, Setting
from parley.testing import ProviderContract, subject_of

from ..examining import findings, of_verdict


class TwoConfig(Config):
    api_key: str
    model: str = "m"
    endpoint: str = "https://two.example/v1"
    api: Annotated[Literal["responses", "chat"], Setting("which of the two")] = "responses"


class Forgetful(OpenAIChat, frozen=True):
    """A quirk that was meant for another option."""

    def finish_body(self, body: dict[str, Any], request: Any, *, target: Any) -> dict[str, Any]:
        return {name: value for name, value in body.items() if name != "temperature"}


def two(chat: OpenAIChat) -> Dialect:
    return Dialect(name="two", config=TwoConfig, wire=OpenAIResponses(), apis={"chat": chat}, capabilities=Capabilities(temperature=True))


def test_what_is_wrong_on_the_other_wire_alone_is_found_and_says_on_which() -> None:
    failed = of_verdict(findings(two(Forgetful()), "options", "one_ending"), "failed")
    assert failed.keys() == {"options"}
    assert failed["options"].startswith("with api=chat: temperature is declared as supported, but nothing that is sent changes with it")
    both = of_verdict(findings(two(OpenAIChat()), "one_ending"), "passed")["one_ending"]
    assert "with api=chat: " in both
    assert not both.startswith("with api=chat: ")


def test_each_is_a_subject_with_its_own_wire() -> None:
    subject = subject_of(two(OpenAIChat()))
    assert [(other.api, other.codec and other.codec.name) for other in subject.others] == [("chat", "openai_chat")]
    assert subject.codec is not None
    assert (subject.codec.name, subject.others[0].others) == ("openai_responses", [])


class TestTwo(ProviderContract):
    provider = two(OpenAIChat())
