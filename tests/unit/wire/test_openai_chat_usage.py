from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.usage import UsageReport
from parley.wire.openai_chat_usage import finish_reason_of, usage_of


def counts(prompt: Any, completion: Any, total: Any, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total, **more}


@pytest.mark.parametrize(
    ("raw", "prompt", "completion"),
    [
        (counts(10, 5, 15, completion_tokens_details={"reasoning_tokens": 3}), 10, 5),
        (counts(12, 26, 265, completion_tokens_details={"reasoning_tokens": 227}), 12, 253),
        (counts(35, 12, 109), 35, 74),
        (counts(9, 201, 585, prompt_tokens_details={"audio_tokens": 375}), 384, 201),
        (counts(10, 5, 115, cache_read_input_tokens=80, cache_creation_input_tokens=20), 110, 5),
        (counts(10, 5, 12), 10, 5),
        (counts(10, 5, None), 10, 5),
        (counts(None, 5, 12), None, 5),
        ({"input_tokens": 10, "output_tokens": 5, "total_tokens": None}, 10, 5),
    ],
)
def test_the_prompt_counts_all_input_and_the_completion_all_output(raw: dict[str, Any], prompt: int | None, completion: int | None) -> None:
    usage = usage_of(raw)
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (prompt, completion, raw["total_tokens"])


@pytest.mark.parametrize(
    ("more", "cached", "written"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2}}, 4, 2),
        ({"prompt_tokens_details": {"cached_tokens": 0}}, 0, None),
        ({"prompt_tokens_details": None, "prompt_cache_hit_tokens": 3}, 3, None),
        ({"cached_tokens": 7}, 7, None),
        ({"num_cached_tokens": 6}, 6, None),
        ({"cache_read_input_tokens": 1, "cache_creation_input_tokens": 2}, 1, 2),
        ({"prompt_tokens_details": []}, None, None),
        ({"input_tokens_details": {"cached_tokens": 5}}, 5, None),
    ],
)
def test_cached_tokens_are_found_and_missing_is_never_zero(more: dict[str, Any], cached: int | None, written: int | None) -> None:
    usage = usage_of(counts(10, 5, 15, **more))
    assert usage is not None
    assert (usage.cached_tokens, usage.cache_write_tokens) == (cached, written)


def test_an_object_without_counts_is_no_report() -> None:
    assert usage_of({"cost": 1}) is None
    assert usage_of(counts("3", -1, True)) is None
    assert usage_of({"total_tokens": 0, "total_characters": 0}) is None
    assert usage_of(counts(0, 0, 0)) is None


@given(
    st.dictionaries(
        st.sampled_from([*counts(0, 0, 0), "prompt_tokens_details"]), st.one_of(st.none(), st.integers(), st.floats(), st.text())
    )
)
def test_odd_counts_never_crash(raw: dict[str, Any]) -> None:
    usage = usage_of(raw) or UsageReport()
    assert all(value is None or value >= 0 for value in (getattr(usage, name) for name in UsageReport.__struct_fields__))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("STOP", "stop"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("content_filter: RECITATION", "content_filter"),
        ("function_call_filter: MALFORMED_FUNCTION_CALL", "error"),
        ("eos_token", "stop"),
        ("max_new_tokens", "length"),
        ("abort", "interrupted"),
        ("guardrail_intervened", "content_filter"),
        ("not_yet_invented", "unknown"),
    ],
)
def test_vendors_words_for_the_end(raw: str, expected: str) -> None:
    assert finish_reason_of(raw, called_tools=False) == expected


def test_the_finish_reason_knows_what_was_delivered() -> None:
    assert finish_reason_of("stop", called_tools=True) == "tool_calls"
    assert finish_reason_of(None, called_tools=True) == "tool_calls"
    assert finish_reason_of("length", called_tools=True) == "length"
    assert finish_reason_of("tool_calls", called_tools=False) == "stop"
    assert finish_reason_of("content_filter", called_tools=False) == "content_filter"
    assert finish_reason_of(None, called_tools=False) == "unknown"
