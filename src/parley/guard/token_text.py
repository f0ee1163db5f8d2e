"""How many tokens a text has, by the look of it: words by length, digits, marks, scripts. Knows no tokenizer and no model.

The measure is that of o200k_base; the weights are a least-squares fit to it over English, code, JSON and Markdown, and for other
scripts over plain prose. It stands in where no tokenizer is installed, and costs a fraction of a millisecond for a page of text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

MAX_MEASURED_CHARACTERS = 256 * 1024
"""Of a longer text, so much is measured, in pieces spread over all of it."""
_PIECES = 64

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_DIGITS = re.compile(r"[0-9]+")
_SPACES = re.compile(r" ?[^\S ]\s*|  \s*")
_MARKS = re.compile(r"[!-/:-@[-`{-~]+")
_DIGITS_PER_TOKEN = 3
_WORD_TOKENS = ((4, 0.95), (7, 1.1), (11, 1.2))
_LONG_WORD_TOKENS, _LONG_WORD_CHARACTERS, _PER_MORE_CHARACTER = 1.2, 12, 0.22
_SPACE_TOKENS = 1.05
_MARK_TOKENS, _PER_MORE_MARK = 0.78, 0.09
_SCRIPTS = (
    (re.compile(r"[\u00c0-\u036f]"), 0.5),
    (re.compile(r"[\u1e00-\u1eff]"), 0.0),  # Vietnamese: short syllables, each a token by its ASCII letters
    (re.compile(r"[\u0400-\u058f]"), 0.35),
    (re.compile(r"[\u0370-\u03ff\u0590-\u05ff]"), 0.55),
    (re.compile(r"[\u0600-\u08ff]"), 0.4),
    (re.compile(r"[\u0900-\u10ff]"), 0.48),
    (re.compile(r"[\u2010-\u2027\u3000-\u30ff\uff00-\uffef]"), 0.8),
    (re.compile(r"[\u3400-\u9fff\U00020000-\U0003347f]"), 0.95),
    (re.compile(r"[\u1100-\u11ff\uac00-\ud7af]"), 1.0),
)
_OTHER_TOKENS = 1.6
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


def measured(text: str, count: Callable[[str], float]) -> int:
    """What `count` says of the text; of one that is very long, of pieces of it, and in proportion."""
    if len(text) <= MAX_MEASURED_CHARACTERS:
        return round(count(text))
    length, step = MAX_MEASURED_CHARACTERS // _PIECES, len(text) / _PIECES
    pieces = (text[int(number * step) : int(number * step) + length] for number in range(_PIECES))
    return round(sum(count(piece) for piece in pieces) * len(text) / MAX_MEASURED_CHARACTERS)


def estimated_tokens(text: str) -> float:
    """Tokens of a text, 0 for none; at least one for any other."""
    if not text:
        return 0.0
    tokens = sum(_word_tokens(length) * times for length, times in Counter(map(len, _WORDS.findall(text))).items())
    tokens += sum(-(-len(digits) // _DIGITS_PER_TOKEN) for digits in _DIGITS.findall(text))
    tokens += _SPACE_TOKENS * len(_SPACES.findall(text))
    marks = _MARKS.findall(text)
    tokens += _MARK_TOKENS * len(marks) + _PER_MORE_MARK * (sum(map(len, marks)) - len(marks))
    if not text.isascii():
        tokens += _other_tokens(text)
    return max(1.0, tokens)


def _word_tokens(length: int) -> float:
    for most, tokens in _WORD_TOKENS:
        if length <= most:
            return tokens
    return _LONG_WORD_TOKENS + (length - _LONG_WORD_CHARACTERS) * _PER_MORE_CHARACTER


def _other_tokens(text: str) -> float:
    """What lies beyond ASCII, by script; marks and pictures cost most."""
    left = len(_NOT_ASCII.findall(text))
    tokens = 0.0
    for script, weight in _SCRIPTS:
        found = len(script.findall(text))
        left -= found
        tokens += weight * found
    return tokens + _OTHER_TOKENS * left
