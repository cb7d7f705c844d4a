"""Page images over the wire: the library's own vectors, by every road, and refusals for what is none."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.serve import made_pages
from tests.serve.made_pages import MODEL, TALL, WIDE, image, url
from tests.serve.wire_client import QUIET, Wire, mini, opened

from biencoder.embedder.pages.page import Page
from biencoder.serve.embeddings.names import Served
from biencoder.serve.engine.engine import Engine
from biencoder.serve.engine.pages import SERVED_PICTURES
from biencoder.types import FloatArray

PAGE, OTHER = image(TALL, 1), image(WIDE, 2, "JPEG")
SAID = "The pump is loud."


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """The tiny page model, and beside it one that reads text only."""
    with opened(Served(MODEL, Engine(made_pages.model())), Served("mini", Engine(mini()))) as both:
        yield both


def embed(wire: Wire, *inputs: str, **fields: Any) -> FloatArray:
    """The vectors of a request that must succeed."""
    return np.array(answer(wire, *inputs, **fields)["vectors"], dtype=np.float32)


def answer(wire: Wire, *inputs: str, **fields: Any) -> dict[str, Any]:
    body = {"model": MODEL, "input": list(inputs), **fields}
    response = wire.post(**{name: value for name, value in body.items() if value != []})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    found["vectors"] = [item["embedding"] for item in found["data"]]
    found["headers"] = response.headers
    return found


def refused(wire: Wire, *inputs: str, **fields: Any) -> tuple[int, str, str | None, str]:
    response = wire.post(**{"model": MODEL, "input": list(inputs)} | fields)
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"], error["message"]


def library(*pages: Page, **options: Any) -> FloatArray:
    windows = list(made_pages.model().encode_pages(pages, **options))
    assert not any(window.failed for window in windows)
    return np.concatenate([window.vectors for window in windows])


def test_an_image_alone_and_with_its_text_are_the_librarys_own_vectors(wire: Wire) -> None:
    given = embed(wire, url(PAGE), f"{SAID}\n{url(OTHER)}", f"<img src='{url(OTHER)}'/>")
    wanted = library(Page(PAGE), Page(OTHER, SAID), Page(OTHER))
    np.testing.assert_allclose(given, wanted, rtol=0, atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(given, axis=1), 1, rtol=0, atol=1e-6)


def test_images_texts_and_questions_in_one_request_keep_their_places(wire: Wire) -> None:
    messages = [
        {"role": "query", "content": "why?"},
        {"role": "passage", "content": [{"type": "image_url", "image_url": {"url": url(PAGE)}}]},
        {"role": "document", "content": SAID},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": SAID},
                {"type": "image_url", "image_url": url(OTHER)},
            ],
        },
    ]
    found = wire.post(model=MODEL, messages=messages).json()
    given = np.array([item["embedding"] for item in found["data"]], dtype=np.float32)
    model = made_pages.model()
    wanted = np.concatenate(
        (
            model.encode_queries(["why?"]),
            library(Page(PAGE)),
            model.encode_documents([SAID]),
            library(Page(OTHER, SAID)),
        )
    )
    np.testing.assert_allclose(given, wanted, rtol=0, atol=2e-6)
    assert found["usage"]["num_images"] == 2


def test_usage_counts_visual_tokens_and_a_text_alone_has_no_images(wire: Wire) -> None:
    config = made_pages.model().pages.config  # type: ignore[union-attr]
    tokens = answer(wire, url(PAGE))["usage"]["prompt_tokens"]
    # Two columns and three rows, a thumbnail, and the few tokens around them.
    assert 7 * config.tokens_per_tile < tokens < 7 * config.tokens_per_tile + 16
    assert "num_images" not in answer(wire, SAID, input_type="passage")["usage"]
    assert answer(wire, f"{SAID}\n{url(PAGE)}")["headers"]["x-compute-characters"] == str(len(SAID))


def test_an_image_needs_no_role_and_a_text_beside_it_does(wire: Wire) -> None:
    np.testing.assert_array_equal(
        embed(wire, url(PAGE)), embed(wire, url(PAGE), input_type="passage")
    )
    assert refused(wire, url(PAGE), SAID)[:3] == (400, "missing_input_type", "input_type")


def test_a_stated_text_is_embedded_as_the_text_that_it_is(wire: Wire) -> None:
    quoted = url(b"\x89PNG")
    given = embed(wire, quoted, modality="text", input_type="passage")
    np.testing.assert_allclose(
        given, made_pages.model().encode_documents([quoted]), rtol=0, atol=2e-6
    )


@pytest.mark.parametrize(
    ("sent", "phrase"),
    [
        (url(b""), "empty"),
        (url(b"no image at all"), "no image of a kind"),
        (url(PAGE[: len(PAGE) // 2]), "damaged or truncated"),
        ("data:image/png;base64,A*B", "not sound base64"),
        ("data:image/png;base64,AAA-", "base64"),
        (url(image((1, 40))), "1 x 40"),
        (url(image((2, 800))), "200 times"),
        (url(b"GIF89a" + b"\0" * 40), "PNG, JPEG, WEBP"),
    ],
)
def test_what_is_no_image_is_refused_in_words_of_our_own(
    wire: Wire, sent: str, phrase: str
) -> None:
    status, code, param, message = refused(wire, url(PAGE), sent)
    assert (status, code, param) == (400, "invalid_image", "input[1]")
    assert phrase in message
    assert "0x" not in message


def test_a_bad_image_fails_its_own_request_only(wire: Wire) -> None:
    assert refused(wire, url(b"bad"))[1] == "invalid_image"
    np.testing.assert_array_equal(embed(wire, url(PAGE)), embed(wire, url(PAGE)))


@pytest.mark.parametrize(
    ("limits", "phrase"),
    [({"max_bytes": 100}, "100 bytes"), ({"max_pixels": 1000}, "1,000 in all are decoded")],
)
def test_an_image_over_a_limit_is_refused(limits: dict[str, Any], phrase: str) -> None:
    engine = Engine(made_pages.model(), pictures=replace(SERVED_PICTURES, **limits))
    with opened(Served(MODEL, engine)) as small:
        status, code, _, message = refused(small, url(PAGE))
    assert (status, code) == (400, "invalid_image")
    assert phrase in message


def test_an_image_is_no_question(wire: Wire) -> None:
    status, code, param, _ = refused(wire, url(PAGE), input_type="query")
    assert (status, code, param) == (400, "unsupported_modality", "input[0]")
    assert refused(wire, url(PAGE), model=f"{MODEL}-query")[1] == "unsupported_modality"


def test_a_text_model_still_reads_no_image(wire: Wire) -> None:
    assert refused(wire, url(PAGE), model="mini", input_type="passage")[1] == "unsupported_modality"


def test_a_texts_end_is_cut_and_never_the_image() -> None:
    model = made_pages.model()
    assert model.pages is not None
    visual = 7 * model.pages.config.tokens_per_tile
    engine = Engine(model, max_tokens=visual + 40)
    long = f"{'river ' * 200}\n{url(PAGE)}"
    with opened(Served(MODEL, engine)) as wire:
        found = answer(wire, long, truncate="END")
        assert found["usage"]["prompt_tokens"] == visual + 40
        assert found["headers"]["x-biencoder-truncated"] == "1"
        status, code, param, message = refused(wire, f"a {url(PAGE)}", long)
        assert (status, code, param) == (400, "context_length_exceeded", "input[1]")
        assert f"exceeds maximum allowed token size {visual + 40}" in message
        assert refused(wire, long, truncate="START")[2] == "truncate"
    with opened(Served(MODEL, Engine(model, max_tokens=visual))) as wire:
        assert refused(wire, url(PAGE), truncate="END")[1] == "context_length_exceeded"


def test_a_question_has_the_shorter_limit_of_questions(wire: Wire) -> None:
    config = made_pages.model().pages.config  # type: ignore[union-attr]
    text = "river " * (2 * config.query_tokens)
    _, code, _, message = refused(wire, text, input_type="query")
    assert code == "context_length_exceeded"
    assert message.endswith(f"maximum allowed token size {config.query_tokens}")
    assert len(embed(wire, text, input_type="passage")) == 1


def test_every_type_of_numbers_is_given_for_images_too(wire: Wire) -> None:
    exact = embed(wire, url(PAGE))
    sent = answer(wire, url(PAGE), encoding_format="base64")["vectors"][0]
    np.testing.assert_array_equal(np.frombuffer(base64.b64decode(sent), "<f4"), exact[0])
    bits = answer(wire, url(PAGE), embedding_type="ubinary")["vectors"][0]
    assert bits == np.packbits(exact[0] > 0).tolist()


def test_metrics_and_metadata_tell_of_images(wire: Wire) -> None:
    before = wire.counted("images")
    embed(wire, url(PAGE), f"{SAID}\n{url(OTHER)}")
    assert wire.counted("images") - before == 2
    assert wire.counted("inputs", role="passage", modality="text_image") >= 1
    infos = wire.send("GET", "/v1/metadata").json()["modelInfo"]
    assert infos[0]["modalities"] == ["text", "image", "text_image"]
    assert infos[1]["modalities"] == ["text"]
    assert infos[0]["pages"] == {
        "maxTiles": 6,
        "thumbnail": True,
        "tileSize": 64,
        "maxTokens": {"query": 512, "text": 4096, "image": 2048, "text_image": 4096},
        "maxImageBytes": 20 * 1024 * 1024,
        "maxImagePixels": 50_000_000,
        "maxBodyBytes": 32 * 1024 * 1024,
    }
    assert infos[1]["pages"] is None
    schema = wire.send("GET", "/openapi.json").json()["components"]["schemas"]["EmbeddingRequest"]
    assert schema["properties"]["modality"]["anyOf"][0]["enum"][:3] == [
        "text",
        "image",
        "text_image",
    ]


def test_the_settings_limit_of_an_images_bytes_comes_from_a_nims_environment() -> None:
    from biencoder.serve.environment import resolve

    found = resolve({}, {"NIM_SERVER_MAX_IMAGE_BYTES": "4096"}).settings
    assert (found.max_image_bytes, QUIET.max_image_bytes) == (4096, 20 * 1024 * 1024)
