"""The contract's rules as a table, and how they are looked at. Who reads the findings (a test, a command, a page) is not known here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias

from msgspec import Struct, structs

from parley.contract.errors import ParleyError
from parley.testing.findings import Finding, Findings, Section, failed
from parley.testing.rules import (
    calls,
    cancellation,
    declaration,
    ending,
    failures,
    faults,
    history,
    pieces,
    purity,
    recorded,
    redaction,
    requests,
    standing,
)
from parley.testing.subject import Subject

RULE_SECONDS = 60
"""So long one rule may take before it counts as failed."""

Scope: TypeAlias = Literal["wire", "provider"]


class Rule(Struct, frozen=True, kw_only=True):
    """Something that must hold. `look` yields what it finds, at least one finding; the name and section are filled in for it.

    `scope` "wire": what a wire decides; looked at once for each wire, with everything. "provider": looked at for each provider.
    `number` is the rule's place in the contract's list of what must always hold, where it stands there; `seconds` is how long it may
    take before it counts as failed.
    """

    name: str
    section: Section
    title: str
    look: Callable[[Subject], Findings]
    scope: Scope = "provider"
    number: int | None = None
    seconds: float = RULE_SECONDS


RULES: tuple[Rule, ...] = (
    Rule(name="interface", section="interface", title="It can be asked as a provider is", look=declaration.interface),
    Rule(name="capabilities", section="interface", title="It declares what its wire can say", look=declaration.capabilities),
    Rule(name="configuration", section="configuration", title="Its settings can be set", look=standing.configuration),
    Rule(name="registration", section="registration", title="It is found by its name", look=standing.registration),
    Rule(name="variables", section="environment variables", title="Lines for .env", look=standing.variables),
    Rule(name="panel", section="panel entry", title="Its entry in the settings panel", look=standing.panel),
    Rule(name="unit_tests", section="unit tests", title="A test that runs the contract", look=standing.unit_tests),
    Rule(name="completeness", section="documentation", title="Label, models and documentation", look=declaration.completeness),
    Rule(name="limits", section="limits", title="Rate limits are considered", look=declaration.limits),
    Rule(name="proof", section="contract", title="What it claims is proven", look=standing.proof),
    Rule(name="one_ending", section="streaming", title="Tokens, then exactly one end", look=ending.one_ending, number=2),
    Rule(name="one_error", section="error handling", title="A failure is told once", look=ending.one_error, number=2),
    Rule(name="streamed_and_complete", section="contract", title="Streamed, complete alike", look=ending.streamed_and_complete, number=1),
    Rule(name="usage", section="contract", title="Usage as it was sent", look=ending.usage),
    Rule(name="tool_calls", section="contract", title="Tool calls arrive whole", look=ending.tool_calls),
    Rule(name="one_cut", section="streaming", title="A cut stream is never a success", look=pieces.one_cut, number=4),
    Rule(name="every_cut", section="streaming", title="Cut after each event", look=pieces.every_cut, scope="wire", number=4),
    Rule(name="any_split", section="streaming", title="Any split of the bytes", look=pieces.any_split, scope="wire", number=3),
    Rule(name="statuses", section="error handling", title="Each status its error", look=failures.statuses),
    Rule(name="bodies", section="error handling", title="Each body of an error", look=failures.bodies, scope="wire"),
    Rule(name="no_answer", section="error handling", title="What is no answer is an error", look=failures.no_answer),
    Rule(name="error_inside", section="error handling", title="Errors inside answers", look=failures.error_inside, scope="wire", number=5),
    Rule(name="connection", section="error handling", title="The connection test says what to do", look=failures.connection, number=10),
    Rule(name="malformed", section="error handling", title="Malformed requests are refused", look=requests.malformed, number=9),
    Rule(name="unsupported", section="contract", title="What is missing is refused", look=requests.unsupported, number=8),
    Rule(name="options", section="contract", title="Every option is sent or told", look=requests.options, number=8),
    Rule(name="strictness", section="contract", title="Tuning is dropped with a warning", look=requests.strictness, number=8),
    Rule(name="cancellation", section="streaming", title="Cancelling closes the connection", look=cancellation.cancellation, number=6),
    Rule(name="callbacks", section="contract", title="Callbacks that raise", look=cancellation.callbacks, scope="wire", number=2),
    Rule(name="interleaved", section="contract", title="Calls at once do not mix", look=calls.interleaved, scope="wire"),
    Rule(name="history", section="contract", title="Conversations change provider", look=history.history, scope="wire", number=11),
    Rule(name="purity", section="contract", title="The codec does no I/O", look=purity.purity, scope="wire"),
    Rule(name="recordings", section="contract", title="Every recording is read right", look=recorded.recordings),
    Rule(name="selected_faults", section="faults", title="Faults of the service", look=faults.selected_faults, seconds=120),
    Rule(name="every_fault", section="faults", title="Every fault of the wall", look=faults.every_fault, scope="wire", seconds=600),
    Rule(name="redaction", section="contract", title="No key comes to light", look=redaction.redaction, number=7),
    Rule(name="conduct", section="contract", title="The guard had nothing to mend", look=calls.conduct, number=2),
)
"""In the order in which they are looked at; `conduct` is last, since it tells of the calls of all others."""


def rules_for(subject: Subject, *, everything: bool = False) -> list[Rule]:
    """What has to be looked at: all of it for a wire or a class of its author's own, less for a dialect of a wire that ships."""
    whole = everything or subject.codec is None or subject.has_wire_of_its_own
    return [rule for rule in RULES if whole or rule.scope == "provider"]


# What a provider's wire has a part in: looked at for each API that it speaks. What the wall of faults shows is the wire's alone.
_OF_EACH_API = frozenset(
    {"one_ending", "one_error", "streamed_and_complete", "usage", "tool_calls", "one_cut", "statuses", "unsupported", "options"}
    | {"strictness", "redaction", "conduct"}
)


async def look(rule: Rule, subject: Subject) -> list[Finding]:
    """What one rule finds, at least one finding, of each API that the provider speaks. A provider that fails where the rule expects no
    failure has failed it.
    """
    found = await _look(rule, subject)
    for other in subject.others:
        if rule.name in _OF_EACH_API or (rule.scope == "wire" and other.has_wire_of_its_own):
            with_api = f"with api={other.api}: "
            found += [structs.replace(finding, evidence=with_api + finding.evidence) for finding in await _look(rule, other)]
    return found


async def _look(rule: Rule, subject: Subject) -> list[Finding]:
    await subject.prepare()
    found: list[Finding] = []
    try:
        async with asyncio.timeout(rule.seconds):
            async for finding in rule.look(subject):
                found.append(finding)  # noqa: PERF401 - what was found before a failure counts
    except ParleyError as error:
        found.append(failed(f"{type(error).__name__}: {error.message}"))
    except TimeoutError:
        found.append(failed(f"it came to no end within {rule.seconds:g} s"))
    return [structs.replace(finding, rule=rule.name, section=rule.section) for finding in found]


async def examine(subject: Subject, rules: Iterable[Rule] | None = None) -> list[Finding]:
    """What these rules find (else those of `rules_for`), one after the other."""
    chosen = rules_for(subject) if rules is None else rules
    return [finding for rule in chosen for finding in await look(rule, subject)]
