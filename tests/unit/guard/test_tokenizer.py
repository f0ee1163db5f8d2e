"""The packaged tokenizer: exact, bounded, and missing without harm. The counts were made with tiktoken 0.14 and its published ranks."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from parley.guard import tokenizer
from parley.guard.token_families import Encoding
from parley.guard.token_text import estimated_tokens
from parley.guard.tokens import FamilyTokenCounter

# text, o200k_base, cl100k_base
COUNTED: list[tuple[str, int, int]] = [
    ("Hello, world!", 4, 4),
    ("The baker opened the door of her shop and set the baskets of fresh rolls on the bench outside.", 20, 20),
    ('def area(width: float, height: float) -> float:\n    """In square metres."""\n    return width * height\n', 25, 25),
    ('{"city": "Ulm", "days": 3, "units": "celsius", "hourly": false}', 26, 26),
    ("Order 4711-0815: 1,234,567.89 EUR, due 2026-12-24.", 27, 27),
    ("# Title\n\n* first\n* second\n\n| a | b |\n|---|---|\n| 1 | 2 |\n", 26, 26),
    ("Am Morgen öffnete der Bäcker die Tür seines Ladens und stellte die Körbe mit frischen Brötchen auf die Bänke vor dem Haus.", 33, 39),
    ("Утром пекарь открыл дверь своей лавки и поставил корзины со свежими булочками на скамейки перед домом.", 31, 49),
    ("早上,面包师打开店门,把装着新鲜面包的篮子放在屋前的长凳上。", 30, 39),
    ("朝、パン屋は店の扉を開けて、焼きたてのパンのかごを家の前のベンチに並べました。", 36, 44),
    ("아침에 빵집 주인은 가게 문을 열고 갓 구운 빵 바구니를 집 앞 벤치에 놓았습니다.", 33, 45),
    ("في الصباح فتح الخباز باب متجره ووضع سلال الخبز الطازج على المقاعد أمام البيت.", 25, 53),
    ("🎉 done ✅", 4, 6),
    ("<|endoftext|> and <|im_start|> are text here", 17, 16),
    ("a" * 1000, 125, 125),
]
HOSTILE = "".join(chr(97 + index * 7919 % 26) for index in range(1_000_000))


@pytest.mark.parametrize(("text", "o200k", "cl100k"), COUNTED)
def test_counts_are_exact(text: str, o200k: int, cl100k: int) -> None:
    assert tokenizer.load("o200k_base")
    assert tokenizer.load("cl100k_base")
    assert (tokenizer.count(text, "o200k_base"), tokenizer.count(text, "cl100k_base")) == (o200k, cl100k)
    assert FamilyTokenCounter().count(text, model="gpt-4o") == o200k
    assert FamilyTokenCounter().count(text, model="gpt-4-turbo") == cl100k


@pytest.mark.parametrize(("text", "o200k"), [(text, o200k) for text, o200k, _ in COUNTED if len(text) > 30 and len(text) < 500])
def test_the_estimate_is_near_without_a_tokenizer(text: str, o200k: int) -> None:
    assert estimated_tokens(text) == pytest.approx(o200k, rel=0.35)


def test_the_estimates_of_many_texts_are_nearer() -> None:
    texts = [(text, o200k) for text, o200k, _ in COUNTED if len(text) < 500]
    assert sum(estimated_tokens(text) for text, _ in texts) == pytest.approx(sum(o200k for _, o200k in texts), rel=0.1)
    assert estimated_tokens("") == 0
    assert estimated_tokens("\n") >= 1


@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
@pytest.mark.parametrize(
    "text",
    [HOSTILE, "a" * 1_000_000, "漢" * 300_000, " " * 1_000_000, "👩‍👩‍👧" * 100_000],
    ids=["letters", "one", "han", "spaces", "family"],
)
def test_no_text_is_slow(text: str, encoding: Encoding) -> None:
    tokenizer.load(encoding)
    begun = time.perf_counter()
    tokens = tokenizer.count(text, encoding)
    assert time.perf_counter() - begun < 1
    assert 0 < tokens <= 4 * len(text)


def test_what_is_measured_in_pieces_is_near_the_whole() -> None:
    tokenizer.load("o200k_base")
    page = "\n".join(text for text, _, _ in COUNTED)
    times = 1_000_000 // len(page)
    assert tokenizer.count(page * times, "o200k_base") == pytest.approx(tokenizer.count(page, "o200k_base") * times, rel=0.03)


def test_a_lone_surrogate_counts() -> None:
    tokenizer.load("o200k_base")
    assert tokenizer.count("a\ud800b", "o200k_base") > 0


def test_importing_parley_loads_no_tokenizer() -> None:
    code = "import sys, parley, parley.guard.tokens; print('toktok' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


def test_without_the_extra_tokens_are_estimated() -> None:
    code = (
        "import sys; sys.modules['toktok'] = None\n"
        "from parley.guard import tokenizer\n"
        "from parley.guard.tokens import FamilyTokenCounter\n"
        "counter = FamilyTokenCounter()\n"
        "counter.prepare('gpt-5')\n"
        "print(tokenizer.load('o200k_base'), counter.ready('gpt-5'), counter.count('The baker opened the door.', model='gpt-5'))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert said[:2] == ["False", "True"]
    assert 4 <= int(said[2]) <= 8
