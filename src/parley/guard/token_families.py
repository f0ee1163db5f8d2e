"""What is known of how families of models count: the tokenizer or the factor, the fixed costs, the way images are cut. Knows no text.

The numbers lie in `token_families.json`: fixed costs and factors fitted to recorded usage, image formulas from the vendors' documents.
`bench/tokens.py` measures them again.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

Encoding: TypeAlias = Literal["o200k_base", "cl100k_base"]


class ImageTokens(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an image is cut and what a piece costs.

    `tiles`: scaled to fit `edge`, then its shorter side down to `short_edge`, `per_piece` for each tile of `size` pixels, and `base`.
    `patches`: scaled down to `edge` and to `most` patches of `size` pixels, `per_piece` each, and `per_row`. `fixed`: `base` for any.
    """

    method: Literal["tiles", "patches", "fixed"] = "patches"
    base: int = 0
    per_piece: float = 1
    per_row: int = 0
    size: int = 28
    edge: int = 4096
    short_edge: int = 0
    most: int = 4096


class Family(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one family counts, in tokens.

    Text costs `factor` times its tokens in `encoding`; `exact` says that this is the family's own. Fixed costs are per prompt, per
    message (more for an assistant's), for reasoning that was asked for, per call and result in a message, for having tools at all and
    per tool beside its declaration (times `tool_factor`, and `tools_beside_system` where the system message holds them), likewise for a
    schema; and per reply, per call in it, once for several.
    """

    name: str
    pattern: str
    encoding: Encoding = "o200k_base"
    exact: bool = False
    factor: float = 1.05
    per_prompt: float = 3
    per_message: float = 4
    per_assistant: float = 0
    per_reasoning: float = 0
    per_call: float = 6
    per_result: float = 6
    tools: float = 100
    per_tool: float = 8
    tool_factor: float = 1.5
    tools_beside_system: float = 0
    schema: float = 0
    schema_factor: float = 0
    per_reply: float = 0
    per_reply_call: float = 6
    per_parallel_reply: float = 0
    image: ImageTokens = ImageTokens()


@lru_cache(maxsize=1)
def families() -> tuple[Family, ...]:
    """All families, the first that matches a model is its own; the last matches any."""
    data = files("parley.guard").joinpath("token_families.json").read_bytes()
    return msgspec.json.decode(data, type=tuple[Family, ...])


@lru_cache(maxsize=1024)
def family_of(model: str) -> Family:
    """The family of a model, by its id in whatever vendor's spelling."""
    spelled = model[:200].lower()
    return next(family for family in families() if re.search(family.pattern, spelled))
