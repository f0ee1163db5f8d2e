"""Whom a request can be sent to: a provider's model, by each of its keys; and what a model's name stands for: one of them, or a route.

Sends nothing and orders nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cached_property

from parley.contract.capabilities import ExtraOption
from parley.contract.errors import ParleyError
from parley.dispatch.circuit import Circuit
from parley.guard.guarded import GuardedProvider
from parley.registry.configuration_file import Strategy, StreamGuard


class Line:
    """One of a target's keys: the provider that has it, and how it did. `key` tells it apart from the others, "" = there is one only."""

    __slots__ = ("circuit", "key", "provider")

    def __init__(self, provider: GuardedProvider, *, key: str = "") -> None:
        self.provider = provider
        self.key = key
        self.circuit = Circuit()


class Target:
    """One model of one provider. All routes that lead to it share it, and with it what is known of its health.

    `running` counts the tries under way. `problem` is why it can answer nobody: then it has no lines.
    `last_failure` says in words what was last held against it.
    """

    def __init__(
        self,
        provider: str,
        model: str,
        *,
        lines: Sequence[Line] = (),
        problem: ParleyError | None = None,
        context_tokens: Callable[[], int] = lambda: 0,
    ) -> None:
        self.provider = provider
        self.model = model
        self.name = f"{provider}/{model}" if model else provider
        self.lines = lines
        self.problem = problem
        self.running = 0
        self.last_failure = ""
        self._context_tokens = context_tokens
        self._turn = -1

    @property
    def context_tokens(self) -> int:
        """How much it reads at once; 0 = unknown."""
        return self._context_tokens()

    def ready(self, now: float) -> bool:
        """Whether it may be asked by any of its keys."""
        return any(line.circuit.ready(now) for line in self.lines)

    def ordered_away(self, now: float) -> float:
        """For how long all its keys are of no use, as the provider said itself; 0 where it said no such thing."""
        if not all(line.circuit.limited and line.circuit.seconds_to_rest(now) for line in self.lines):
            return 0.0
        return min((line.circuit.seconds_to_rest(now) for line in self.lines), default=0.0)

    def line(self, now: float, *, tried: Collection[Line] = ()) -> Line:
        """By which key to ask now: in turn, those that rest last, those that were tried for this request before them."""
        lines = self.lines
        if len(lines) == 1:
            return lines[0]
        self._turn += 1
        in_turn = [lines[(self._turn + place) % len(lines)] for place in range(len(lines))]
        return min(in_turn, key=lambda line: (not line.circuit.ready(now), line.circuit.seconds_to_rest(now), line in tried))


class Destination:
    """What a model's name stands for. A single provider is one target without `strategy`, a route several in its order.

    `name` is the provider's or the route's, `model` the provider's own name of the model ("" where it has none, and for a route).
    """

    def __init__(
        self,
        name: str,
        model: str,
        targets: Sequence[Target],
        *,
        strategy: Strategy | None = None,
        stream_guard: StreamGuard = "error",
        weights: Sequence[float] = (),
    ) -> None:
        self.name = name
        self.model = model
        self.targets = targets
        self.strategy: Strategy | None = strategy
        self.stream_guard: StreamGuard = stream_guard
        self.weights = dict(zip(targets, weights, strict=True)) if weights else dict.fromkeys(targets, 1.0)
        self.usable = [target for target in targets if target.problem is None]

    @property
    def providers(self) -> Sequence[tuple[GuardedProvider, str]]:
        """Every provider that may answer, in order, each with its own name of the model."""
        return [(target.lines[0].provider, target.model) for target in self.usable]

    @cached_property
    def wire(self) -> str:
        """The name of the wire that all of them speak; empty where they speak several, or none."""
        wires = {provider.wire_of(model) for provider, model in self.providers}
        return wires.pop() if len(wires) == 1 else ""

    @cached_property
    def extra_options(self) -> Sequence[ExtraOption] | None:
        """The options of their own that all of them take; None = any."""
        declared = [options for provider, _ in self.providers if (options := provider.extra_options) is not None]
        if not declared:
            return None
        common = set[str].intersection(*({option.name for option in options} for options in declared))
        return [option for option in declared[0] if option.name in common]
