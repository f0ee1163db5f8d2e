"""The table itself: every rule says what it is, looks at something, and never calls passed what it could not see."""

from __future__ import annotations

import asyncio
from typing import get_args

import pytest

from parley.provider import InvalidRequestError, Provider
from parley.testing import examine, look, rules_for, subject_of
from parley.testing.findings import Section, failed, passed
from parley.testing.rules import RULES, Rule

from ..examining import YourProvider, findings


def test_names_are_unique_and_every_rule_has_its_place() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert {rule.section for rule in RULES} <= set(get_args(Section))
    assert {rule.number for rule in RULES} - {None} == set(range(1, 12)) - {0}, "each rule of the contract's list has one here"
    assert all(rule.look.__doc__ for rule in RULES)
    assert RULES[-1].name == "conduct", "it tells of the calls of all others"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_finds_something_even_where_nothing_can_be_seen(rule: Rule) -> None:
    class Silent(Provider):
        name = "silent"

        async def generate(self, request):
            return "Hi"

    for given in (Silent, YourProvider):
        found = asyncio.run(look(rule, subject_of(given)))
        assert found
        assert {(finding.rule, finding.section) for finding in found} == {(rule.name, rule.section)}
        assert all(finding.evidence for finding in found)


def rule(look_at) -> Rule:
    return Rule(name="made-up", section="contract", title="Made up", look=look_at, seconds=0.1)


def test_a_provider_that_fails_where_no_failure_is_expected_has_failed() -> None:
    async def raising(subject):
        yield passed("so far")
        raise InvalidRequestError("no such thing")

    async def endless(subject):
        await asyncio.Event().wait()
        yield failed("never")

    subject = subject_of(YourProvider)
    assert [finding.verdict for finding in asyncio.run(look(rule(raising), subject))] == ["passed", "failed"]
    (late,) = asyncio.run(look(rule(endless), subject))
    assert (late.verdict, late.evidence) == ("failed", "it came to no end within 0.1 s")


def test_a_dialect_of_a_shipped_wire_is_looked_at_by_the_rules_of_a_provider() -> None:
    groq = subject_of("groq")
    assert {each.scope for each in rules_for(groq)} == {"provider"}
    assert rules_for(groq, everything=True) == list(RULES)
    assert rules_for(subject_of("mistral")) == list(RULES), "it overrides a method of its wire"


def test_findings_are_in_the_order_of_the_table() -> None:
    found = findings("groq", "conduct", "interface", "usage")
    order = [each.name for each in RULES]
    assert [order.index(finding.rule) for finding in found] == sorted(order.index(finding.rule) for finding in found)


def test_a_subject_may_be_examined_in_several_event_loops() -> None:
    subject = subject_of("groq")
    first = asyncio.run(examine(subject, rules_for(subject)[:6]))
    second = asyncio.run(examine(subject, rules_for(subject)[:6]))
    assert first == second
