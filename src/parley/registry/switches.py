"""The operator's two switches: what surroundings Parley runs in, and whether the demo may answer. Knows no provider."""

from __future__ import annotations

from parley.contract.errors import FieldProblem
from parley.guard.suggestions import did_you_mean
from parley.registry.environment import Environment

SURROUNDINGS = ("local", "development", "production")
_ON, _OFF = ("on", "true", "yes", "1"), ("off", "false", "no", "0")


def switch_problems(environment: Environment) -> list[FieldProblem]:
    """Words that stand in a switch and mean nothing."""
    problems: list[FieldProblem] = []
    for variable, known in (("PARLEY_ENV", SURROUNDINGS), ("DEMO", (*_ON, *_OFF))):
        value = (environment.get(variable) or known[0]).strip().lower()
        if value not in known:
            choices = SURROUNDINGS if known is SURROUNDINGS else ("on", "off")
            problems.append(FieldProblem(path=variable, message=f"must be one of {', '.join(choices)}.{did_you_mean(value, choices)}"))
    return problems


def why_the_demo_is_off(environment: Environment) -> str | None:
    """Why it must not answer; None where it may. In production it answers on request only."""
    switch = (environment.get("DEMO") or "").strip().lower()
    if switch in _OFF:
        return "the demo is off (DEMO=off)"
    production = (environment.get("PARLEY_ENV") or "").strip().lower() == "production"
    if production and switch not in _ON:
        return "the demo is off in production; set DEMO=on to allow it"
    return None
