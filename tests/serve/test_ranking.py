"""POST /v1/ranking: off unless asked for; passages by falling dot product."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.serve.wire_client import QUIET, Wire, mini, opened

from biencoder.serve.embeddings.ranking import rankings

QUERY = "Where do oxbow lakes come from?"
PASSAGES = [
    "The price of copper fell.",
    "An oxbow lake is a cut-off bend of a river.",
    "Rivers meander.",
]


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with opened(settings=replace(QUIET, ranking=True)) as opened_wire:
        yield opened_wire


def body(**changes: Any) -> dict[str, Any]:
    passages = [{"text": text} for text in PASSAGES]
    return {"model": "mini", "query": {"text": QUERY}, "passages": passages} | changes


def test_it_is_off_unless_asked_for() -> None:
    with opened() as wire:
        assert wire.post("/v1/ranking", **body()).status_code == 404


def test_passages_come_by_falling_score_with_the_index_they_had(wire: Wire) -> None:
    answer = wire.post("/v1/ranking", **body()).json()
    scores = mini().encode_documents(PASSAGES) @ mini().encode_queries([QUERY])[0]
    assert [each["index"] for each in answer["rankings"]] == np.argsort(-scores).tolist()
    assert answer["rankings"][0]["index"] == 1
    for each in answer["rankings"]:
        assert each["logit"] == pytest.approx(float(scores[each["index"]]), abs=1e-5)
    assert answer["score"] == "dot product of unit vectors"
    tokens = mini().tokenizer.counts(PASSAGES, "passage: ")
    tokens += mini().tokenizer.counts([QUERY], "query: ")
    assert answer["usage"]["total_tokens"] == sum(tokens)


def test_equal_scores_keep_their_order() -> None:
    vectors = np.array([[1, 0], [0, 1], [1, 0], [0, 1], [1, 0]], dtype=np.float32)
    answer = rankings(vectors, model="m", tokens=1)
    assert answer.startswith(b'{"rankings":[{"index":1,"logit":1.0},{"index":3,"logit":1.0},')


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"model": None}, "invalid_request", "model"),
        ({"model": "x"}, "model_not_found", "model"),
        ({"query": None}, "invalid_request", "query"),
        ({"query": "a"}, "invalid_request", "query"),
        ({"query": {"text": " "}}, "empty_input", "query"),
        ({"passages": None}, "invalid_request", "passages"),
        ({"passages": []}, "empty_input", "passages"),
        ({"passages": [{"text": "a"}, {"text": ""}]}, "empty_input", "passages[1]"),
        ({"passages": [{"text": "a"}, "b"]}, "invalid_request", "passages[1]"),
        ({"truncate": "START"}, "invalid_request", "truncate"),
        ({"query": {"text": "word " * 900}}, "context_length_exceeded", "query"),
        (
            {"passages": [{"text": "a"}, {"text": "word " * 900}]},
            "context_length_exceeded",
            "passages[1]",
        ),
    ],
)
def test_a_refusal_names_its_place(
    wire: Wire, changes: dict[str, Any], code: str, param: str
) -> None:
    error = wire.post("/v1/ranking", **body(**changes)).json()["error"]
    assert (error["code"], error["param"]) == (code, param)


def test_long_passages_are_cut_where_that_is_allowed(wire: Wire) -> None:
    passages = [{"text": "word " * 900}, {"text": "a lake"}]
    answer = wire.post("/v1/ranking", **body(passages=passages, truncate="end"))
    assert answer.status_code == 200
    assert len(answer.json()["rankings"]) == 2
