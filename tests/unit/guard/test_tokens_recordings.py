"""Our counts against those that vendors reported, by family: a ceiling on the error, well above what `bench/tokens.py` shows."""

from __future__ import annotations

import statistics
from collections import defaultdict
from pathlib import Path

import pytest

from parley.guard import tokenizer
from parley.testing.recordings import recordings_directory

BENCH = Path(__file__).parents[3] / "bench"
MOST = {
    ("OpenAI", "prompt, plain"): 0.01,
    ("OpenAI", "prompt, tools"): 0.06,
    ("OpenAI", "answer, 20 tokens up"): 0.01,
    ("Claude", "prompt, tools"): 0.05,
    ("Claude", "answer, 20 tokens up"): 0.08,
    ("Gemini", "prompt, plain"): 0.1,
    ("Gemini", "answer, 20 tokens up"): 0.08,
    ("Llama", "prompt, plain"): 0.08,
    ("Mistral", "prompt, tools"): 0.08,
    ("DeepSeek", "prompt, tools"): 0.1,
    ("Cohere", "prompt, tools"): 0.08,
}


@pytest.mark.skipif(recordings_directory() is None, reason="the recordings are not here (PARLEY_RECORDINGS)")
def test_the_median_error_of_each_family_stays_low(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    from tokens import group_of, pairs, samples  # type: ignore[import-not-found]

    tokenizer.load("o200k_base")
    tokenizer.load("cl100k_base")
    off: dict[tuple[str, str], list[float]] = defaultdict(list)
    for family, kind, _, (theirs, ours, _) in pairs(list(samples())):
        off[group_of(family), kind].append(abs(ours - theirs) / theirs)
    assert {key: statistics.median(off[key]) for key in MOST if statistics.median(off[key]) > MOST[key]} == {}
