"""Traces: one span a request, joined to the caller's, with numbers and without texts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.serve.wire_client import Wire, opened

from biencoder.embedder.embedder import Embedder
from biencoder.errors import MissingExtraError
from biencoder.serve.app import build_app
from biencoder.serve.embeddings.names import Served
from biencoder.serve.engine.engine import Engine
from biencoder.serve.tracing import provider

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def spans() -> Iterator[tuple[TracerProvider, InMemorySpanExporter]]:
    exporter = InMemorySpanExporter()
    traces = provider(SimpleSpanProcessor(exporter))
    yield traces, exporter
    traces.shutdown()


@pytest.fixture
def wire(model: Embedder, spans: tuple[TracerProvider, Any]) -> Iterator[Wire]:
    with opened(Served("tiny", Engine(model))) as opened_wire:
        opened_wire.app = build_app(opened_wire.service, spans[0])
        yield opened_wire


def test_a_request_is_one_span_with_its_stages_joined_to_the_callers(
    wire: Wire, spans: tuple[Any, InMemorySpanExporter]
) -> None:
    content = b'{"model": "tiny", "input": "a secret river", "input_type": "query"}'
    headers = {"traceparent": PARENT, "x-request-id": "mine", "user-agent": "secret"}
    wire.send("POST", "/v1/embeddings?secret=1", content=content, headers=headers)
    (span,) = spans[1].get_finished_spans()
    assert span.name == "POST /v1/embeddings"
    assert span.context is not None
    assert f"{span.context.trace_id:032x}" == PARENT.split("-")[1]
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == PARENT.split("-")[2]
    attributes = dict(span.attributes or {})
    assert attributes["http.response.status_code"] == 200
    assert attributes["http.route"] == "/v1/embeddings"
    assert attributes["biencoder.request_id"] == "mine"
    for stage in ("tokenize_ms", "queue_ms", "inference_ms", "tokens"):
        assert float(str(attributes[f"biencoder.{stage}"])) >= 0
    assert "secret" not in str(attributes)
    assert span.resource.attributes["service.name"] == "biencoder"


def test_a_refusal_is_a_span_too_and_a_made_up_path_names_nothing(
    wire: Wire, spans: tuple[Any, InMemorySpanExporter]
) -> None:
    wire.send("GET", "/made/up")
    (span,) = spans[1].get_finished_spans()
    attributes = dict(span.attributes or {})
    assert (span.name, attributes["http.response.status_code"]) == ("GET", 404)
    assert "made" not in str(attributes)


def test_without_the_extra_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(MissingExtraError, match="OpenTelemetry") as caught:
        provider()
    assert (
        caught.value.hint
        == "in biencoder's source folder: pip install -c constraints.txt -e '.[otel]'"
    )
