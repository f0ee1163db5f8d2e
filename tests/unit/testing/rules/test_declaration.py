"""What a provider says of itself: wrong types are told by name, what people will miss is advice."""

from __future__ import annotations

from typing import Any

import pytest

from parley.provider import Capabilities, Limits, Model, Provider

from .. import mars
from ..examining import YourProvider, failures, findings, of_verdict


def provider(**attributes: Any) -> type:
    async def generate(self, request):
        return "Hi"

    return type("Acme", (Provider,), {"name": "acme", "generate": generate, **attributes})


@pytest.mark.parametrize(
    ("attributes", "evidence"),
    [
        ({"label": 7}, "label is of the type int"),
        ({"capabilities": {"tools": True}}, "capabilities is of the type dict"),
        ({"limits": 60}, "limits is of the type int"),
        ({"models": "one-model"}, "models is of the type str"),
        ({"models": ["one-model"]}, "models[0] is of the type str"),
        ({"models": [Model("a"), Model("a")]}, "the model a is listed twice"),
        ({"extra_options": ["safe"]}, "extra_options[0] is of the type str"),
    ],
)
def test_a_wrong_type_is_told_by_name(attributes: dict[str, Any], evidence: str) -> None:
    assert evidence in failures(provider(**attributes), "interface")["interface"]


def test_a_class_that_the_guard_refuses_is_told_once_and_not_asked() -> None:
    wrong = type("Wrong", (YourProvider,), {"capabilities": "all of them"})
    found = findings(wrong, "interface", "one_ending", "conduct")
    assert of_verdict(found, "failed").keys() == {"interface"}
    assert "a provider that can be used" in of_verdict(found, "not_run")["one_ending"]


def test_what_people_will_miss_is_advice() -> None:
    found = findings(mars.dialect(), "interface", "completeness", "limits")
    assert of_verdict(found, "failed") == {}
    assert "models is not given" in of_verdict(found, "advice")["completeness"]
    assert "no limits are given" in of_verdict(found, "advice")["limits"]


def test_what_answers_by_itself_has_no_limits_to_write_down() -> None:
    assert of_verdict(findings(provider(), "limits"), "advice") == {}


def test_a_provider_that_says_it_all_needs_no_advice() -> None:
    whole = mars.dialect(description="Red", models=[Model("phobos")], docs_url="https://mars.example", limits=Limits(requests_per_minute=9))
    assert of_verdict(findings(whole, "interface", "completeness", "limits"), "advice") == {}


def test_an_instance_is_asked_by_every_rule_and_closed_by_none() -> None:
    closed: list[int] = []

    class Kept(Provider):
        name = "kept"
        capabilities = Capabilities(tools=False)

        async def generate(self, request):
            assert not closed
            return "Hi"

        async def aclose(self) -> None:
            closed.append(1)

    assert failures(Kept()) == {}
    assert closed == []
