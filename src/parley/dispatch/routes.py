"""In which order the targets of a route are tried: by its strategy, then by health, room and context. Sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from parley.contract.messages import Part, TextPart, ToolCall, ToolResult
from parley.contract.request import ChatRequest
from parley.dispatch.admission import Admission
from parley.dispatch.targets import Destination, Target

CHARACTERS_PER_TOKEN = 4
LEAST_CHARACTERS_PER_TOKEN = 6
"""Hardly any text has fewer tokens than one for so many characters: what is too long by this measure is too long."""
USUAL_ANSWER_TOKENS = 1024


class Order:
    """The targets that are left for one request, the best first. `resting` are those that are asked only when nobody else is left."""

    def __init__(self, destination: Destination, *, now: float, admission: Admission, jitter: Callable[[], float]) -> None:
        wanted = _by_strategy(destination, jitter)
        ready = [target for target in wanted if target.ready(now)]
        if len(ready) > 1:
            ready.sort(key=lambda target: admission.headroom(target.provider) <= 0)
        resting = [target for target in wanted if target not in ready and not target.ordered_away(now)]
        self.left = [*ready, *resting]
        self.resting = frozenset(resting)
        self.preferred = wanted[0]

    def narrow(self, keep: Callable[[Target], bool]) -> None:
        """Only these may still be asked."""
        self.left = [target for target in self.left if keep(target)]


def _by_strategy(destination: Destination, jitter: Callable[[], float]) -> Sequence[Target]:
    targets, weights = destination.usable, destination.weights
    if destination.strategy == "weighted":
        # The order of these keys is a drawing without putting back (Efraimidis and Spirakis).
        return sorted(targets, key=lambda target: max(jitter(), 1e-12) ** (1 / weights[target]), reverse=True)
    if destination.strategy == "least_busy":
        return sorted(targets, key=lambda target: target.running / weights[target])
    return targets


def prompt_tokens(request: ChatRequest, *, characters_per_token: int = CHARACTERS_PER_TOKEN) -> int:
    """About how long the prompt is, without a tokenizer: dispatch waits for none."""
    characters = len(request.system_prompt or "")
    for message in request.messages:
        content = message.content
        characters += len(content) if isinstance(content, str) else _characters(content)
    return characters // characters_per_token


def expected_tokens(request: ChatRequest) -> int:
    """About what the request will use: its prompt and the longest answer that it allows."""
    return prompt_tokens(request) + (request.options.max_tokens or USUAL_ANSWER_TOKENS)


def _characters(parts: Iterable[Part]) -> int:
    count = 0
    for part in parts:
        if isinstance(part, TextPart):
            count += len(part.text)
        elif isinstance(part, ToolCall):
            count += len(part.arguments)
        elif isinstance(part, ToolResult):
            count += len(part.content) if isinstance(part.content, str) else _characters(part.content)
    return count
