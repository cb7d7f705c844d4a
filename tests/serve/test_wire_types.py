"""Any JSON value in any field: a request, or a refusal with a 4xx and a body; never another exception."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.serve.wire_client import QUIET, mini

from biencoder.serve.embeddings.embeddings import Asked, Embeddings
from biencoder.serve.embeddings.messages import MESSAGE_ROLES
from biencoder.serve.embeddings.names import Registry, Served
from biencoder.serve.embeddings.ranking import parse_ranking
from biencoder.serve.embeddings.wire import (
    EMBEDDING_TYPES,
    ENCODING_FORMATS,
    FIELDS,
    MODALITIES,
    EmbeddingRequest,
    parse,
)
from biencoder.serve.engine.engine import Engine
from biencoder.serve.errors import ApiError, error_body
from biencoder.serve.service import Service
from biencoder.serve.settings import Settings

LENIENT = Settings(max_client_batch=4)
STRICT = Settings(max_client_batch=4, strict_fields=True, quantised_base64="reject")

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.sampled_from(["", " ", "mini", "mini-query", "data:image/png;base64,AA==", "\x00", "𝕏"]),
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=5,
)
WORDS = st.sampled_from(
    [*EMBEDDING_TYPES, *ENCODING_FORMATS, *MODALITIES, "query", "passage", "NONE", "start", "End"]
)
PART = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["text", "image_url", "x"]) | JSON,
        "text": JSON,
        "image_url": JSON | st.fixed_dictionaries({"url": JSON}),
    },
)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(MESSAGE_ROLES) | JSON,
        "content": JSON | st.lists(PART | JSON, max_size=3),
    },
)
# Values that are nearly right reach further than any value does.
NEAR = st.one_of(
    JSON,
    WORDS,
    st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=5),
    st.lists(WORDS, max_size=5),
    st.lists(MESSAGE | JSON, max_size=3),
    st.integers(-1, 400),
)
NAMES = st.sampled_from([*FIELDS, *(name.title() for name in FIELDS), "other"]) | st.text(
    max_size=5
)
GOOD = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(["mini", "mini-query", "x"]),
        "input": st.text(max_size=5) | st.lists(st.text(min_size=1, max_size=5), max_size=5),
        "input_type": st.sampled_from(["query", "passage", "", "x"]),
        "messages": st.lists(MESSAGE, max_size=3),
    },
)
BODIES = st.builds(lambda good, rest: good | rest, GOOD, st.dictionaries(NAMES, NEAR, max_size=4))

HANDLER = Embeddings(Service(settings=QUIET, registry=Registry([Served("mini", Engine(mini()))])))


def must_be_sendable(error: ApiError, *statuses: int) -> None:
    body = orjson.loads(error_body(error, "id"))
    assert body["error"]["message"] == error.message != ""
    assert "\n" not in error.message
    assert error.status in statuses


def parsed(body: dict[str, Any], chosen: Settings) -> EmbeddingRequest | None:
    try:
        return parse(body, chosen)
    except ApiError as error:
        must_be_sendable(error, 400)
        return None


@settings(max_examples=150)
@given(BODIES, st.sampled_from([LENIENT, STRICT]))
@example({"model": "mini", "input": [[]], "DIMENSIONS": 64, "Dimensions": 64}, LENIENT)
@example({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, LENIENT)
def test_any_body_is_a_request_or_a_refusal(body: dict[str, Any], chosen: Settings) -> None:
    wanted = parsed(body, chosen)
    if wanted is None:
        return
    assert 1 <= len(wanted.texts) <= 4
    assert all(isinstance(text, str) for text in wanted.texts)
    assert wanted.modalities is None or len(wanted.modalities) == len(wanted.texts)
    assert wanted.messages is None or len(wanted.messages) == len(wanted.texts)
    assert wanted.dimensions is None or wanted.dimensions >= 1
    try:
        asked = HANDLER.check(wanted)
    except ApiError as error:
        must_be_sendable(error, 400, 404)
    else:
        assert isinstance(asked, Asked)
        assert asked.size in mini().dimensions
        assert len(asked.roles.by_item) == len(wanted.texts)


@settings(max_examples=80)
@given(st.sampled_from(FIELDS), JSON)
def test_any_value_in_one_field_of_a_good_request(field: str, value: Any) -> None:
    parsed({"model": "mini", "input": ["a"], "input_type": "query"} | {field: value}, STRICT)


def test_the_generated_bodies_reach_both_ends() -> None:
    """The laws above would hold for a parser that refuses everything."""
    good = {"model": "mini", "input": "a", "input_type": "query"}
    assert HANDLER.check(parse(good, LENIENT)).served.id == "mini"
    assert parsed({"model": "mini"}, LENIENT) is None


@settings(max_examples=80)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "model": st.just("mini") | JSON,
            "query": st.fixed_dictionaries({"text": SCALARS}) | JSON,
            "passages": st.lists(st.fixed_dictionaries({"text": SCALARS}) | JSON, max_size=5)
            | JSON,
            "truncate": WORDS | JSON,
        },
    )
)
def test_any_ranking_body_is_a_request_or_a_refusal(body: dict[str, Any]) -> None:
    try:
        _, texts, _ = parse_ranking(body, LENIENT)
    except ApiError as error:
        must_be_sendable(error, 400)
    else:
        assert 2 <= len(texts) <= 5
