"""`[limits]`, `[cache]` and the limits of providers, as `parley.toml` has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from parley.contract.capabilities import Limits
from parley.contract.errors import ConfigurationError
from parley.dispatch.limits import rules_of
from parley.registry.limit_tables import CacheTable, LimitTable, QueueTable
from parley.registry.loading import Registry


def registry(directory: Path, text: str, **environ: str) -> Registry:
    (directory / "parley.toml").write_text(text, encoding="utf-8")
    return Registry.from_environment(environ={"A": "key-a", "B": "key-b", **environ}, directory=directory)


def test_everything_that_can_be_limited(tmp_path: Path) -> None:
    read = registry(
        tmp_path,
        """
        [[providers]]
        name = "acme"
        provider = "openai-compatible"
        endpoint = "http://127.0.0.1:9/v1"
        keys = ["env:A", "env:B"]
        limits = {requests_per_minute = 100}
        key_limits = {concurrency = 5}
        [limits]
        user = {tokens_per_day = 50_000, concurrency = 0}
        key = {requests_per_minute = 10}
        queue = {size = 5, timeout = 2.5}
        [cache]
        enabled = true
        ttl_seconds = 60
        """,
        OPENAI_API_KEY="sk-for-tests-only",
        OPENAI_LIMITS='{"tokens_per_minute": 1000}',
    )
    read.check()
    rules = rules_of(read)
    assert rules.providers == {"acme": Limits(requests_per_minute=100), "openai": Limits(tokens_per_minute=1000)}
    assert rules.provider_keys == {"acme": Limits(concurrency=5)}
    user, key = Limits(tokens_per_day=50_000), Limits(requests_per_minute=10)
    assert rules.table == LimitTable(user=user, key=key, queue=QueueTable(size=5, timeout=2.5))
    assert read.file.cache == CacheTable(enabled=True, ttl_seconds=60)


def test_nothing_said_is_no_limit(tmp_path: Path) -> None:
    assert rules_of(registry(tmp_path, "")).empty


@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        ("[limits]\nuser = {requests_per_minute = -1}", "limits.user.requests_per_minute", "is -1; give a count, or 0 for none"),
        ("[limits]\nkey = {tokens_per_day = 1.5}", "limits.key.tokens_per_day", "must be a whole number, not a number"),
        ("[limits]\nusers = {concurrency = 1}", "limits.users", 'Did you mean "user"?'),
        ("[limits.user]\nconcurency = 1", "limits.user.concurency", 'Did you mean "concurrency"?'),
        ("[limits.queue]\nsize = -5", "limits.queue.size", "is -5; give a count, or 0 if nobody is to wait"),
        ("[limits.queue]\ntimeout = -0.5", "limits.queue.timeout", "is -0.5; give seconds"),
        ("[limits.queue]\ntimeout = inf", "limits.queue.timeout", "is inf; give seconds"),
        ("limits = 5", "limits", "must be a table of user, key, queue"),
        ("[cache]\nttl_seconds = 0", "cache.ttl_seconds", "is 0; give seconds above 0"),
        ("[cache]\nttl_seconds = nan", "cache.ttl_seconds", "is nan; give seconds above 0"),
        ("[cache]\nmax_bytes = -1", "cache.max_bytes", "is -1; give a number of bytes above 0"),
        ('[[providers]]\nname = "openai"\nkey_limits = {concurrency = -2}', "providers[0] (openai).key_limits.concurrency", "is -2"),
        ('[[providers]]\nname = "openai"\nlimits = {concurrency = -2}', "providers[0] (openai).limits", "has concurrency = -2"),
    ],
)
def test_what_is_no_limit_is_refused_with_its_place(tmp_path: Path, text: str, place: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        registry(tmp_path, text).check()
    [problem] = caught.value.fields
    assert problem.path == f"parley.toml: {place}"
    assert told in problem.message
