"""What is counted, under the names of the contract; a registry of its own for each service."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeAlias

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

if TYPE_CHECKING:
    from biencoder.serve.engine.engine import BatchFacts, Timings
    from biencoder.serve.settings import WireRole

Modality: TypeAlias = Literal["text", "image", "text_image"]

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

# From a short query on a GPU to the deadline of a request.
_SECONDS = tuple(0.0005 * 2.0**power for power in range(19))
_TOKENS = tuple(float(2**power) for power in range(4, 18))
_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)


class Metrics:
    """Counters and histograms; every method may be called from any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = self._counter("requests", "Answered requests.", "route", "status")
        self._request_seconds = self._histogram(
            "request_seconds",
            "First byte of the body wanted to last byte given.",
            _SECONDS,
            "route",
        )
        self._queue_seconds = self._histogram("queue_seconds", "Waiting for the model.", _SECONDS)
        self._tokenize_seconds = self._histogram("tokenize_seconds", "Until tokenised.", _SECONDS)
        self._inference_seconds = self._histogram("inference_seconds", "In the model.", _SECONDS)
        self._batch_tokens = self._histogram("batch_tokens", "Tokens of a batch.", _TOKENS)
        self._batch_fill = self._histogram(
            "batch_fill_ratio", "Tokens of a batch / its budget.", _SHARES
        )
        self._inputs = self._counter("inputs", "Embedded inputs.", "role", "modality")
        self._truncated = self._counter("truncated_inputs", "Inputs cut to the model's limit.")
        self._role_missing = self._counter(
            "role_missing", "Requests without input_type that took the default."
        )
        self._rejected = self._counter("rejected", "Refused requests, by error code.", "reason")
        self._cancelled = self._counter(
            "cancelled", "Inputs dropped because their client had gone."
        )
        self._images = self._counter("images", "Embedded images.")
        self._saturated = self._counter(
            "quantised_saturated", "Numbers outside the range of a fixed int8 scale."
        )
        self._queue_tokens = self._gauge("queue_tokens", "Tokens that wait or are computed.")
        self._ready = self._gauge("ready", "1 while requests are taken.")

    def watch(self, *, queued_tokens: Callable[[], float], ready: Callable[[], float]) -> None:
        """Where the two gauges are read at each scrape."""
        self._queue_tokens.set_function(queued_tokens)
        self._ready.set_function(ready)

    def request(self, route: str, status: int, seconds: float) -> None:
        """One answered request. route: the path's pattern, so that the number of labels is bounded."""
        self._requests.labels(route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def stages(self, timings: Timings) -> None:
        """Where one request's time went."""
        self._tokenize_seconds.observe(timings.tokenize)
        self._queue_seconds.observe(timings.queue)
        self._inference_seconds.observe(timings.inference)

    def batch(self, facts: BatchFacts) -> None:
        """One computed batch."""
        self._batch_tokens.observe(facts.tokens)
        self._batch_fill.observe(facts.fill)
        if facts.cancelled:
            self._cancelled.inc(facts.cancelled)

    def inputs(self, role: WireRole, count: int, modality: Modality = "text") -> None:
        """So many texts (or images) were embedded."""
        self._inputs.labels(role, modality).inc(count)
        if modality != "text":
            self._images.inc(count)

    def truncated(self, count: int) -> None:
        """So many inputs were cut."""
        self._truncated.inc(count)

    def role_missing(self) -> None:
        """A request named no role, and the default was taken."""
        self._role_missing.inc()

    def rejected(self, reason: str) -> None:
        """A request was refused. reason: the error's code, one of a closed list."""
        self._rejected.labels(reason).inc()

    def cancelled(self, count: int) -> None:
        """So many inputs were dropped before they cost compute."""
        self._cancelled.inc(count)

    def saturated(self, count: int) -> None:
        """So many numbers were clipped by a fixed int8 scale."""
        self._saturated.inc(count)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        return Counter(name, help_, labels, namespace="biencoder", registry=self.registry)

    def _gauge(self, name: str, help_: str) -> Gauge:
        return Gauge(name, help_, namespace="biencoder", registry=self.registry)

    def _histogram(
        self, name: str, help_: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(
            name, help_, labels, namespace="biencoder", registry=self.registry, buckets=buckets
        )
