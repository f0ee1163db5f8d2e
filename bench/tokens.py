"""How far our token counts are from what the vendors counted: the error per family, before (characters / 4) and now.

python bench/tokens.py                    the table (PARLEY_RECORDINGS names the folder of recordings)
python bench/tokens.py --list gemini      every exchange of a family
python bench/tokens.py --estimate         as where no tokenizer is installed
python bench/tokens.py --fit              fits each family's fixed costs, and shows the error on exchanges held out
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from token_samples import Sample, samples

from parley.contract.messages import ToolCall, ToolResult
from parley.contract.options import SchemaFormat
from parley.guard import tokenizer
from parley.guard.token_families import Family, families, family_of
from parley.guard.token_rendering import schema_text, tool_text
from parley.guard.tokens import FamilyTokenCounter, part_texts, prompt_texts

COUNTER = FamilyTokenCounter()
Pair = tuple[int, int, int]  # counted by the vendor, by us, by characters / 4


def quarter(text: str) -> int:
    return -(-len(text) // 4)


def pairs(every: Sequence[Sample]) -> Iterator[tuple[str, str, Sample, Pair]]:
    """Family, kind, and the three counts of every prompt and answer."""
    for sample in every:
        family, model = family_of(sample.model).name, sample.model
        if sample.prompt_tokens:
            tools = (f"{tool.name} {tool.description} {tool.parameters}" for tool in sample.request.options.tools or ())
            before = quarter("\n".join([*prompt_texts(sample.request), *tools]))
            ours = COUNTER.count_prompt(sample.request, model=model)
            yield family, f"prompt, {sample.kind}", sample, (sample.prompt_tokens, ours, before)
        if sample.output_tokens:
            before, ours = quarter("".join(part_texts(sample.output))), COUNTER.count_output(sample.output, model=model)
            kind = sample.output_kind
            yield family, f"answer, {kind}", sample, (sample.output_tokens, ours, before)
            if kind == "plain" and before >= 20:
                yield family, "answer, 20 tokens up", sample, (sample.output_tokens, ours, before)


def errors(found: Sequence[Pair], which: int) -> tuple[float, float]:
    """Median and 95th percentile of |ours - theirs| / theirs."""
    off = [abs(pair[which] - pair[0]) / pair[0] for pair in found]
    return statistics.median(off), float(np.quantile(off, 0.95))


GROUPS = (
    ("OpenAI", ("gpt", "o4", "o-s")),
    ("Claude", ("claude",)),
    ("Gemini", ("gemini", "gemma")),
    ("Llama", ("llama",)),
    ("Mistral", ("mistral",)),
    ("Qwen", ("qwen",)),
    ("DeepSeek", ("deepseek",)),
    ("Cohere", ("command",)),
    ("Nova", ("nova",)),
    ("Grok", ("grok",)),
    ("GLM", ("glm",)),
)


def group_of(family: str) -> str:
    return next((name for name, starts in GROUPS if family.startswith(starts)), "other")


def table(every: Sequence[Sample]) -> None:
    found: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for family, kind, _, counts in pairs(every):
        found[group_of(family), kind].append(counts)
        found["all", kind].append(counts)
        if kind.startswith("prompt"):
            found[group_of(family), "prompt, all of them"].append(counts)
            found["all", "prompt, all of them"].append(counts)
    print(f"{'family':10} {'what':22} {'n':>4}   characters / 4: median  95 %    now: median  95 %")
    for (family, kind), counts in sorted(found.items()):
        before, now = errors(counts, 2), errors(counts, 1)
        print(f"{family:10} {kind:22} {len(counts):4} {before[0]:22.1%} {before[1]:6.0%} {now[0]:13.1%} {now[1]:6.0%}")


def listing(every: Sequence[Sample], wanted: str) -> None:
    for family, kind, sample, (theirs, ours, _) in pairs(every):
        if family.startswith(wanted):
            off = f"{ours - theirs:+5} {(ours - theirs) / theirs:+7.1%}"
            print(f"{theirs:6} {ours:6} {off} {kind:22} {family:18} {sample.model[:32]:32} {sample.file[-50:]}")


def features(sample: Sample, family: Family) -> list[float]:
    """What each fixed cost is multiplied with."""
    request = sample.request
    parts = [part for message in request.messages for part in message.parts]
    tools = request.options.tools or []
    schema = request.options.response_format
    return [
        1,
        len(request.messages) + bool(request.system_prompt),
        sum(isinstance(part, ToolCall) for part in parts),
        sum(isinstance(part, ToolResult) for part in parts),
        bool(tools),
        len(tools),
        sum(tokenizer.count(tool_text(tool), family.encoding) for tool in tools),
        isinstance(schema, SchemaFormat),
        tokenizer.count(schema_text(schema), family.encoding) if isinstance(schema, SchemaFormat) else 0,
    ]


COSTS = ("per_prompt", "per_message", "per_call", "per_result", "tools", "per_tool", "tool_factor", "schema", "schema_factor")


def fit(every: Sequence[Sample]) -> None:
    """For each family: its costs fitted to all of its prompts, and the errors on folds that the fit did not see."""
    unseen: list[float] = []
    for family in families():
        own = [sample for sample in every if family_of(sample.model) is family and sample.prompt_tokens and sample.kind != "images"]
        if len(own) >= 3:
            unseen += fit_prompts(family, own)
        fit_answers(family, [sample for sample in every if family_of(sample.model) is family and sample.output_tokens])
    print(f"prompts held out, all families: n={len(unseen)} median {statistics.median(unseen):.1%}, 95 % {np.quantile(unseen, 0.95):.0%}")


def has_tools_beside_system(sample: Sample) -> bool:
    request = sample.request
    return bool(request.options.tools) and (bool(request.system_prompt) or any(message.role == "system" for message in request.messages))


def fit_prompts(family: Family, own: Sequence[Sample]) -> list[float]:
    """Prints the fit; the errors on exchanges held out."""
    texts = [sum(tokenizer.count(piece, family.encoding) for piece in prompt_texts(sample.request)) for sample in own]
    text = family.factor * np.array(texts, float)
    rows = np.array([features(sample, family) for sample in own], float)
    prior = np.array([getattr(family, cost) for cost in COSTS], float)
    theirs = np.array([sample.prompt_tokens for sample in own], float)
    beside = np.array([family.tools_beside_system if has_tools_beside_system(sample) else 0 for sample in own])
    rest = np.maximum(theirs - text - beside, 0)
    held_out = np.zeros(len(own))
    folds = np.arange(len(own)) % 5
    for fold in range(5):
        kept = folds != fold
        held_out[~kept] = (rows @ solve(rows[kept], rest[kept], theirs=theirs[kept], prior=prior) + text)[~kept]
    costs = solve(rows, rest, theirs=theirs, prior=prior)
    now, unseen = np.abs(rows @ costs + text - theirs) / theirs, np.abs(held_out - theirs) / theirs
    seen = f"fit {np.median(now):.1%} {np.quantile(now, 0.95):.0%}, held out {np.median(unseen):.1%} {np.quantile(unseen, 0.95):.0%}"
    print(f"{family.name:18} prompts n={len(own):3} {seen}")
    print("    " + "  ".join(f"{name}={value:.1f}" for name, value in zip(COSTS, costs, strict=True)))
    return [float(error) for error in unseen]


def fit_answers(family: Family, written: Sequence[Sample]) -> None:
    """Prints the factor of long answers, and what stands beside the text of short ones and of calls."""
    factors: list[float] = []
    replies: list[float] = []
    per_call: list[float] = []
    for sample in written:
        theirs = sample.output_tokens or 0
        ours = sum(tokenizer.count(piece, family.encoding) for piece in part_texts(sample.output))
        calls = sum(isinstance(part, ToolCall) for part in sample.output)
        if calls:
            per_call.append((theirs - family.factor * ours - family.per_reply) / calls)
        else:
            replies.append(theirs - family.factor * ours)
            factors += [theirs / ours] if ours >= 30 else []
    for name, found in (("factor", factors), ("per_reply", replies), ("per_reply_call", per_call)):
        if found:
            print(f"    {name}={statistics.median(found):.2f} (n={len(found)})")


def solve(rows: Any, rest: Any, *, theirs: Any, prior: Any) -> Any:
    """Costs of at least 0 with the least errors relative to the whole prompt, drawn to those that stand now; outliers weigh little."""
    costs = prior.copy()
    scale = np.maximum(prior, 4.0)
    for _ in range(60):
        off = np.abs(rows @ costs - rest) / theirs
        weights = (1 / theirs / np.sqrt(np.maximum(off, 0.01)))[:, None]
        left = (rows * weights).T @ (rows * weights) + np.diag(0.03 / scale**2)
        right = (rows * weights).T @ (rest * weights[:, 0]) + 0.03 * prior / scale**2
        free = np.ones(len(prior), dtype=bool)
        for _ in range(len(prior)):
            costs = np.zeros_like(prior)
            costs[free] = np.linalg.solve(left[np.ix_(free, free)], right[free])
            if (costs >= 0).all():
                break
            free &= costs >= 0
    return costs


def speed() -> None:
    text = "The tokens of an answer are counted when its vendor did not. " * 64
    hostile = "".join(chr(97 + index * 7919 % 26) for index in range(1_000_000))
    for name, given, times in (
        ("4 KB of prose", text[:4096], 200),
        ("1 MB without a space", hostile, 3),
        ("1 MB of one letter", "a" * 1_000_000, 3),
    ):
        begun = time.perf_counter()
        for _ in range(times):
            COUNTER.count(given, model="gpt-5")
        print(f"{name:22} {(time.perf_counter() - begun) / times * 1000:8.3f} ms")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", metavar="FAMILY")
    parser.add_argument("--estimate", action="store_true")
    parser.add_argument("--fit", action="store_true")
    given = parser.parse_args()
    begun = time.perf_counter()
    if not given.estimate:
        exact = [tokenizer.load("o200k_base"), tokenizer.load("cl100k_base")]
        took = f"loaded in {time.perf_counter() - begun:.2f} s"
        print(f"tokenizer: {took if all(exact) else 'not installed; pip install parley-ai[tokens]'}")
    every = list(samples())
    if not every:
        print("no recordings: PARLEY_RECORDINGS names their folder", file=sys.stderr)
        return 1
    if given.list is not None:
        listing(every, given.list)
    elif given.fit:
        fit(every)
    else:
        table(every)
        speed()
    return 0


if __name__ == "__main__":
    sys.exit(main())
