"""What the server counts, for Prometheus. Every label has a bounded set of values. Knows no service; who counts is told what to say."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from parley.contract.response import Attempt

CONTENT_TYPE: Final = "text/plain; version=0.0.4"
MAX_PROVIDERS: Final = 100
OTHER: Final = "other"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class _Labelled(dict[tuple[str, ...], Any]):
    """A metric's parts by their labels, each looked up once: the library's own look-up takes longer than the counting."""

    def __init__(self, metric: Any) -> None:
        super().__init__()
        self._metric = metric

    def __missing__(self, labels: tuple[str, ...]) -> Any:
        part = self[labels] = self._metric.labels(*labels)
        return part


class Metrics:
    """The metrics of one server; several in one process do not meet."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = _Labelled(Counter("parley_requests", "Answered requests", ["route", "method", "status"], registry=self._registry))
        self._request_seconds = _Labelled(
            Histogram("parley_request_seconds", "Time until an answer was whole", ["route"], buckets=_SECONDS, registry=self._registry)
        )
        self._active_streams = Gauge("parley_active_streams", "Streams with a reader now", registry=self._registry)
        self._sockets = Gauge("parley_sockets", "Open WebSockets", registry=self._registry)
        self._first_token_seconds = _Labelled(
            Histogram("parley_first_token_seconds", "Time to the first token", ["provider"], buckets=_SECONDS, registry=self._registry)
        )
        self._tokens = _Labelled(Counter("parley_tokens", "Tokens of finished answers", ["provider", "kind"], registry=self._registry))
        self._provider_errors = _Labelled(
            Counter("parley_answer_errors", "Answers that failed", ["provider", "code"], registry=self._registry)
        )
        self._attempts = _Labelled(
            Counter("parley_attempts_failed", "Tries of a provider that failed", ["provider", "code"], registry=self._registry)
        )
        self._refusals = _Labelled(
            Counter("parley_limit_refusals", "Requests that a limit of ours refused", ["scope", "code"], registry=self._registry)
        )
        self._lookups = _Labelled(Counter("parley_cache_lookups", "Answers looked for in the cache", ["result"], registry=self._registry))
        self._providers: set[str] = set()

    def watch_bus(self, *, connected: Callable[[], bool], replicas: Callable[[], int]) -> None:
        """What is asked whenever the metrics are read."""
        gauge = Gauge("parley_bus_connected", "1 while other replicas can be reached, or there are none", registry=self._registry)
        gauge.set_function(lambda: float(connected()))
        Gauge("parley_replicas", "Replicas that live, as last known", registry=self._registry).set_function(lambda: float(replicas()))

    def count_request(self, scope: Any, *, status: int, seconds: float) -> None:
        """An answer is out. The route is its template, never the path: paths are without end."""
        route = str(scope.get("path_template") or OTHER)
        method = scope["method"] if scope["type"] == "http" and scope["method"] in _METHODS else OTHER
        self._requests[route, method, str(status)].inc()
        self._request_seconds[route,].observe(seconds)

    def stream_opened(self) -> None:
        """A reader began to read a stream."""
        self._active_streams.inc()

    def stream_closed(self) -> None:
        """A reader has gone or has it all."""
        self._active_streams.dec()

    def socket_opened(self) -> None:
        """A WebSocket was opened."""
        self._sockets.inc()

    def socket_closed(self) -> None:
        """A WebSocket is closed."""
        self._sockets.dec()

    def answer_finished(self, provider: str, *, prompt_tokens: int, completion_tokens: int, first_token_ms: float | None) -> None:
        """An answer is whole."""
        label = self._provider(provider)
        self._tokens[label, "prompt"].inc(prompt_tokens)
        self._tokens[label, "completion"].inc(completion_tokens)
        if first_token_ms is not None:
            self._first_token_seconds[label,].observe(first_token_ms / 1000)

    def attempts_failed(self, attempts: Iterable[Attempt]) -> None:
        """Tries that failed, whether or not another target answered then."""
        for attempt in attempts:
            self._attempts[self._provider(attempt.provider), attempt.code].inc()

    def answer_failed(self, provider: str | None, code: str) -> None:
        """An answer ended in an error; `code` is of our own closed vocabulary."""
        self._provider_errors[self._provider(provider or OTHER), code].inc()

    def refused(self, scope: str, code: str) -> None:
        """A limit of ours was in the way; both words are of closed vocabularies."""
        self._refusals[scope, code].inc()

    def looked_up(self, hit: bool) -> None:
        """An answer was looked for in the cache."""
        self._lookups["hit" if hit else "miss",].inc()

    def watch(self, name: str, explanation: str, value: Callable[[], float]) -> None:
        """One more gauge, whose value is asked for when it is read."""
        Gauge(name, explanation, registry=self._registry).set_function(value)

    def exposition(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self._registry)

    def _provider(self, name: str) -> str:
        if name not in self._providers:
            if len(self._providers) >= MAX_PROVIDERS:
                return OTHER
            self._providers.add(name)
        return name
