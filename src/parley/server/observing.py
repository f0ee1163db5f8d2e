"""Watches answers to their end, for metrics and for the health that providers are shown with. Changes nothing about them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Final

from parley.contract.errors import ParleyError
from parley.server.metrics import Metrics
from parley.services.generations import Generation
from parley.services.health import Health

MAX_COUNTED: Final = 10_000


class Observer:
    """One waiting task for each answer that is being made."""

    def __init__(self, *, metrics: Metrics, health: Health) -> None:
        self._metrics = metrics
        self._health = health
        self._tasks: set[asyncio.Task[None]] = set()
        self._counted: OrderedDict[str, None] = OrderedDict()

    def watch(self, generation: Generation) -> None:
        """Count this answer when it ends, once: a repeated send with the same idempotency key is the same answer."""
        if generation.message_id in self._counted:
            return
        self._counted[generation.message_id] = None
        if len(self._counted) > MAX_COUNTED:
            self._counted.popitem(last=False)
        task = asyncio.get_running_loop().create_task(self._await_end(generation))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _await_end(self, generation: Generation) -> None:
        try:
            message = await generation.wait()
        except ParleyError as error:
            self._metrics.answer_failed(error.provider, str(error.code))
            if error.provider is not None:
                self._health.record(error.provider, error)
            return
        provider = message.provider or ""
        usage = message.details.usage
        self._metrics.answer_finished(
            provider,
            prompt_tokens=usage.prompt_tokens if usage else 0,
            completion_tokens=usage.completion_tokens if usage else 0,
            first_token_ms=message.details.time_to_first_token_ms,
        )
        if message.finish_reason != "cancelled":
            self._health.record(provider, None)
