"""OpenTelemetry traces, as an extra: one span a request, with the stages that the answer's headers tell.

Where spans go is said by OpenTelemetry's own variables (``OTEL_EXPORTER_OTLP_ENDPOINT`` and others).
A caller's ``traceparent`` is joined. No span holds a text, a key, a query string or an address.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from biencoder.errors import MissingExtraError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

# Response header to attribute, in milliseconds.
_STAGES = {
    b"x-tokenization-time": "biencoder.tokenize_ms",
    b"x-queue-time": "biencoder.queue_ms",
    b"x-inference-time": "biencoder.inference_ms",
    b"x-compute-tokens": "biencoder.tokens",
}
_PROPAGATED = (b"traceparent", b"tracestate")


def provider(processor: SpanProcessor | None = None) -> TracerProvider:
    """Where spans are made; without a processor they are sent by OTLP over HTTP, in the background.

    Raises MissingExtraError where the packages are not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise MissingExtraError(
            "traces need OpenTelemetry",
            hint="in biencoder's source folder: pip install -c constraints.txt -e '.[otel]'",
        ) from error
    # What the environment says about the service wins over our name for it.
    resource = Resource({"service.name": "biencoder"}).merge(OTELResourceDetector().detect())
    made = TracerProvider(resource=resource)
    made.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter()))
    return made


class Tracing:
    """ASGI middleware: a server span around each request."""

    def __init__(self, app: ASGIApp, *, provider: TracerProvider) -> None:
        self.app = app
        self._tracer = provider.get_tracer("biencoder.serve")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        method = scope["method"]
        context = TraceContextTextMapPropagator().extract(_carrier(scope["headers"]))
        with self._tracer.start_as_current_span(
            method,
            context=context,
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method, "url.scheme": scope["scheme"]},
            record_exception=False,
        ) as span:

            async def traced(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attributes(_attributes(message))
                await send(message)

            try:
                await self.app(scope, receive, traced)
            finally:
                route = getattr(scope.get("route"), "path", None)
                if route is not None:
                    span.update_name(f"{method} {route}")
                    span.set_attribute("http.route", route)


def _carrier(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    return {
        name.decode(): value.decode("latin-1") for name, value in headers if name in _PROPAGATED
    }


def _attributes(message: Message) -> dict[str, Any]:
    headers = dict(message.get("headers", ()))
    found: dict[str, Any] = {"http.response.status_code": message["status"]}
    for name, attribute in _STAGES.items():
        if name in headers:
            found[attribute] = float(headers[name])
    if message["status"] >= 500:
        found["error.type"] = str(message["status"])
    if b"x-request-id" in headers:
        found["biencoder.request_id"] = headers[b"x-request-id"].decode()
    return found
