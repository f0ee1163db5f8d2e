from __future__ import annotations

from typing import Any

import pytest

from parley.contract.errors import UnsupportedFeatureError
from parley.wire.history import EncodingWarnings
from parley.wire.model_rules import ModelRule, apply_model_rules

RULE = ModelRule(match="big-*", unless=("big-chat*",), rename={"max_tokens": "max_completion_tokens"}, drop=("temperature",))


def applied(model: str, *rules: ModelRule, **body: Any) -> tuple[dict[str, Any], list[str]]:
    warnings = EncodingWarnings()
    apply_model_rules(rules, model, body=body, warnings=warnings)
    return body, [warning.code for warning in warnings.warnings]


@pytest.mark.parametrize("model", ["big-1", "vendor/big-1", "a/b/BIG-1"])
def test_a_rule_knows_the_last_segment_of_the_id_in_any_case(model: str) -> None:
    assert applied(model, RULE, max_tokens=5, temperature=0) == ({"max_completion_tokens": 5}, ["temperature_dropped"])


@pytest.mark.parametrize("model", ["small-1", "big-chat-2", "big-1/small"])
def test_other_models_are_left_alone(model: str) -> None:
    assert applied(model, RULE, max_tokens=5, temperature=0) == ({"max_tokens": 5, "temperature": 0}, [])


def test_a_rule_may_wait_for_a_value() -> None:
    rule = ModelRule(match="*", drop=("top_p",), when={"effort": ("low", "high")})
    assert applied("m", rule, top_p=1, effort="none") == ({"top_p": 1, "effort": "none"}, [])
    assert applied("m", rule, top_p=1, effort="low") == ({"effort": "low"}, ["top_p_dropped"])


def test_strict_options_refuse_what_would_be_dropped() -> None:
    with pytest.raises(UnsupportedFeatureError, match="big-1 does not take temperature"):
        apply_model_rules([RULE], "big-1", body={"temperature": 1}, warnings=EncodingWarnings(), strict=True)
