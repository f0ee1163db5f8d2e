"""What a run of `test_recordings.py` shows of every recording, by wire: right or wrong, whole and in pieces; and what is out of scope."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from parley.testing.recordings import IndexRow

WAYS = ("whole", "split", "error")
NO_CHATS = {
    "count-tokens": "counts of tokens, tested with their codecs",
    "embeddings": "embeddings, tested with their codecs",
    "generate": "completions of a text, without a conversation",
    "rerank": "reranking",
}
OUT_OF_SCOPE = {
    "bedrock-invoke": "bodies of each model's own; Claude's are tested with their codec",
    "cohere": "embeddings, tested with their codec, and reranking",
    "cohere-v1": "Cohere's first version, which its second replaces",
    "gemini-interactions": "an API that keeps the conversation itself",
    "openai-completions": "text completions, without a conversation",
    "openai-embeddings": NO_CHATS["embeddings"],
    "openai-moderation": "moderation",
    "together": "reranking",
}


def in_scope(row: IndexRow) -> bool:
    return (row.wire_family not in OUT_OF_SCOPE and not row.provider.endswith(tuple(NO_CHATS))) or row.provider == "gemini-generate"


def outcomes(reports: Iterable[Any]) -> Iterator[tuple[str, str, str, bool]]:
    """Wire, recording, way and whether it was right, of each test's properties."""
    for report in reports:
        told = dict(report.user_properties)
        if report.when == "call" and "recording" in told:
            for way in told["ways"]:
                yield told["wire"], told["recording"], way, way in told["right"]


def table(reports: Iterable[Any]) -> Iterator[str]:
    """A line for each wire. A recording that several providers call theirs counts once, as wrong where one of them reads it wrong."""
    right: dict[tuple[str, str, str], bool] = {}
    for wire, recording, way, is_right in outcomes(reports):
        key = wire, recording, way
        right[key] = right.get(key, True) and is_right
    by_wire: dict[str, Counter[tuple[str, bool]]] = defaultdict(Counter)
    for (wire, _, way), is_right in right.items():
        by_wire[wire][way, is_right] += 1
        by_wire["all"][way, is_right] += 1
    if not by_wire:
        return
    yield f"{'wire':24}{'replies':>9}{'whole right':>13}{'wrong':>7}{'in pieces right':>17}{'wrong':>7}{'errors right':>14}{'wrong':>7}"
    for wire in sorted(by_wire, key=lambda name: (name == "all", name)):
        counts = by_wire[wire]
        replies = counts["whole", True] + counts["whole", False]
        cells = [counts[way, is_right] for way in WAYS for is_right in (True, False)]
        yield f"{wire:24}{replies:9}{cells[0]:13}{cells[1]:7}{cells[2]:17}{cells[3]:7}{cells[4]:14}{cells[5]:7}"


def left_out(rows: Sequence[IndexRow]) -> Iterator[str]:
    """How many recordings are not replayed here, and why."""
    counts: Counter[str] = Counter()
    for row in rows:
        if row.kind == "models":
            counts["a list of models, read by a test of its own"] += 1
        elif not in_scope(row):
            of_provider = next((reason for ending, reason in NO_CHATS.items() if row.provider.endswith(ending)), "")
            counts[OUT_OF_SCOPE.get(row.wire_family, of_provider)] += 1
    for reason, count in sorted(counts.items(), key=lambda item: -item[1]):
        yield f"{count:6}  {reason}"
