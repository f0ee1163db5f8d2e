"""What the end of each answer says, to metrics and to the health that providers are shown with. Changes nothing about them."""

from __future__ import annotations

from parley.contract.errors import ParleyError
from parley.server.metrics import Metrics
from parley.services.generations import OnEnd
from parley.services.health import Health
from parley.storage.messages import MessageRecord


def observer(metrics: Metrics, health: Health) -> OnEnd:
    """What is called once for each answer that this process has made, when it is over."""

    def observe(message: MessageRecord, error: ParleyError | None) -> None:
        provider = message.provider or ""
        metrics.attempts_failed(message.details.attempts)
        if error is not None:
            metrics.answer_failed(provider, str(error.code))
            health.record(provider, error)
            return
        if message.details.cached:
            return  # nobody was asked
        usage = message.details.usage
        metrics.answer_finished(
            provider,
            prompt_tokens=usage.prompt_tokens if usage else 0,
            completion_tokens=usage.completion_tokens if usage else 0,
            first_token_ms=message.details.time_to_first_token_ms,
        )
        # A stopped answer may have said nothing yet, which proves nothing.
        if message.finish_reason not in {"cancelled", "interrupted"}:
            health.record(provider, None)

    return observe
