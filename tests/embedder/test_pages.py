"""Pages through the Embedder: the vectors of the composition, mixed as alone, in order, parts that add up."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests import oracle, oracle_pages, tiny, tiny_pages
from tokenizers import Tokenizer
from torch import Tensor

from biencoder import Embedder
from biencoder.embedder.pages.cutting import cut_tiles
from biencoder.embedder.pages.page import Page
from biencoder.types import FloatArray, IntArray

TEXT = "where the river and the lakes are"
# Tiles with thumbnail, at six tiles of 64 pixels: one, 2 + 1, 6 + 1.
SIZES = {1: (60, 60), 3: (160, 85), 7: (160, 200)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_pages.write_checkpoint(tmp_path_factory.mktemp("pages") / "model")


@pytest.fixture(scope="module")
def vl(folder: Path) -> Embedder:
    return Embedder.load(folder, dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def composition() -> oracle_pages.Composition:
    return oracle_pages.Composition(tiny_pages.CONFIG, tiny_pages.weights())


def picture(tiles: int) -> Image.Image:
    return tiny_pages.picture(*SIZES[tiles], seed=tiles)


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def ids(tiles: int, text: str | None) -> IntArray:
    """What the published string would be tokenised to."""
    if not tiles:
        whole = f"passage: {text}"
    else:
        places = "<IMG_CONTEXT>" * (tiles * tiny_pages.CONFIG.tokens_per_tile)
        whole = f"passage: <img>{places}</img> {text or ''}"
    tokenizer = Tokenizer.from_str(tiny_pages.tokenizer_json())
    return np.array(tokenizer.encode(whole).ids, dtype=np.int64)


def reference(
    composition: oracle_pages.Composition, documents: list[tuple[int, str | None]]
) -> Tensor:
    """Unit vectors of documents given as tiles (0: no image) and text, each alone."""
    found = []
    for tiles, text in documents:
        pixels = None
        if tiles:
            seen = cut_tiles(picture(tiles), max_tiles=6, thumbnail=True, tile_size=64)
            assert len(seen.pixels_ISSC) == tiles
            pixels = torch.from_numpy(seen.pixels_ISSC)
        found.append((ids(tiles, text), pixels))
    with torch.inference_mode():
        return torch.nn.functional.normalize(composition.vectors(found))


def gather(
    model: Embedder, pages: list[Page], window_pages: int | None = None, *, parts: bool = False
) -> FloatArray:
    windows = model.encode_pages(pages, parts=parts, window_pages=window_pages)
    return np.concatenate([window.vectors for window in windows])


EVERY_KIND: list[tuple[int, str | None]] = [
    (7, None), (0, TEXT), (1, TEXT), (3, None), (0, "the"), (1, None), (7, TEXT), (3, "tea"), (7, ""),
]  # fmt: skip


def pages_of(kinds: list[tuple[int, str | None]]) -> list[Page]:
    return [Page(picture(tiles) if tiles else None, text) for tiles, text in kinds]


def test_every_kind_of_document_has_the_vector_of_the_composition(
    vl: Embedder, composition: oracle_pages.Composition
) -> None:
    vectors = torch.from_numpy(gather(vl, pages_of(EVERY_KIND)))
    expected = reference(composition, EVERY_KIND)
    assert oracle.cosines(vectors, expected).min() >= 0.999999
    torch.testing.assert_close(vectors, expected, rtol=1e-4, atol=1e-5)


def test_a_page_is_the_same_alone_and_in_any_company(vl: Embedder) -> None:
    pages = pages_of(EVERY_KIND)
    alone = np.concatenate([gather(vl, [page]) for page in pages])
    for window in (1, 2, 9):
        np.testing.assert_allclose(gather(vl, pages, window), alone, atol=1e-6)
    np.testing.assert_allclose(gather(vl, pages[::-1])[::-1], alone, atol=1e-6)


def test_one_batch_of_all_gives_what_small_batches_give(folder: Path, vl: Embedder) -> None:
    wide = Embedder.load(folder, dtype="float32", device="cpu")
    narrow = Embedder.load(folder, dtype="float32", device="cpu")
    wide.token_budget, narrow.token_budget = 100_000, 1
    pages = pages_of(EVERY_KIND)
    np.testing.assert_allclose(gather(wide, pages, 99), gather(narrow, pages, 99), atol=1e-6)


def test_every_vector_has_length_one_and_is_float32(vl: Embedder) -> None:
    vectors = gather(vl, pages_of(EVERY_KIND))
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_the_parts_of_a_page_add_up_to_its_vector(vl: Embedder) -> None:
    pages = pages_of(EVERY_KIND)
    (window,) = vl.encode_pages(pages, parts=True, window_pages=99)
    for (tiles, _), vector, detail in zip(EVERY_KIND, window.vectors, window.details, strict=True):
        assert detail.parts is not None
        assert detail.parts.shape == (tiles + 1, 64)
        assert detail.parts.dtype == np.float32
        np.testing.assert_allclose(detail.parts.sum(axis=0), vector, atol=1e-6)
        assert (detail.grid is None, detail.thumbnail) == (tiles == 0, tiles > 1)
    np.testing.assert_array_equal(window.vectors, gather(vl, pages, 99))


def test_a_part_is_the_sum_of_its_own_tiles_states(
    vl: Embedder, composition: oracle_pages.Composition
) -> None:
    pixels = cut_tiles(picture(3), max_tiles=6, thumbnail=True, tile_size=64).pixels_ISSC
    tokens = ids(3, TEXT)
    with torch.inference_mode():
        states = composition.states(tokens, torch.from_numpy(pixels))
    scale = 1 / (states.mean(dim=0).norm() * len(states))
    places = np.flatnonzero(tokens == tiny_pages.CONTEXT).reshape(3, 4)
    expected = torch.stack([states[tile].sum(dim=0) for tile in places]) * scale
    (window,) = vl.encode_pages([Page(picture(3), TEXT)], parts=True)
    parts = window.details[0].parts
    assert parts is not None
    np.testing.assert_allclose(parts[:3], expected.numpy(), atol=1e-5)


def test_images_alone_and_with_texts_come_back_in_order(vl: Embedder) -> None:
    images = [picture(7), picture(1), picture(3)]
    texts = ["the river", None, "tea"]
    np.testing.assert_array_equal(
        vl.encode_documents(images=images),
        np.concatenate([vl.encode_documents(images=[image]) for image in images]),
    )
    np.testing.assert_allclose(
        vl.encode_documents(texts, images=images),
        gather(vl, [Page(i, t) for i, t in zip(images, texts, strict=True)]),
        atol=1e-6,
    )


def test_texts_of_a_page_model_are_those_of_its_language_model(vl: Embedder) -> None:
    weights = tiny_pages.weights()
    own = {
        name.removeprefix("language_model."): tensor
        for name, tensor in weights.items()
        if name.startswith("language_model.")
    }
    stock = oracle.stock_model(tiny_pages.CONFIG.text, own)
    whole = tiny.tokenizer()
    for vectors, prefix in (
        (vl.encode_documents(tiny.TEXTS), "passage: "),
        (vl.encode_queries(tiny.TEXTS), "query: "),
        (gather(vl, [Page(text=text) for text in tiny.TEXTS]), "passage: "),
    ):
        tokens = [np.array(whole.encode(prefix + text).ids) for text in tiny.TEXTS]
        with torch.inference_mode():
            expected = oracle.vectors(stock, tokens)
        torch.testing.assert_close(torch.from_numpy(vectors), expected, rtol=1e-4, atol=1e-5)


def test_a_picture_is_the_same_from_a_path_bytes_and_memory(vl: Embedder, tmp_path: Path) -> None:
    image = picture(3)
    image.save(tmp_path / "page.png")
    path = tmp_path / "page.png"
    vectors = vl.encode_documents(images=[image, path, str(path), png(image)])
    np.testing.assert_allclose(vectors, vectors[[0, 0, 0, 0]], atol=1e-6)


def test_no_images_make_no_vectors(vl: Embedder) -> None:
    assert vl.encode_documents(images=[]).shape == (0, 64)
    assert list(vl.encode_pages([])) == []


def test_windows_count_tokens_and_say_how_each_page_was_seen(vl: Embedder) -> None:
    (window,) = vl.encode_pages(pages_of([(7, None), (0, TEXT)]))
    lengths = [len(ids(7, None)), len(ids(0, TEXT))]
    assert window.tokens == sum(lengths)
    assert [detail.tokens for detail in window.details] == lengths
    grids = [(detail.grid and (detail.grid.columns, detail.grid.rows)) for detail in window.details]
    assert grids == [(2, 3), None]
    assert [detail.parts for detail in window.details] == [None, None]


def test_literal_image_tokens_in_a_text_put_no_picture_anywhere(vl: Embedder) -> None:
    text = "a <IMG_CONTEXT> b </img> c <img><IMG_CONTEXT>"
    pages = [Page(picture(3), text), Page(text=text), Page(picture(1))]
    alone = np.concatenate([gather(vl, [page]) for page in pages])
    np.testing.assert_allclose(gather(vl, pages), alone, atol=1e-6)
    vl.encode_queries([text])


def test_a_window_holds_few_images_and_many_texts(vl: Embedder) -> None:
    image = picture(1)
    windows = list(vl.encode_pages([Page(image)] * 5 + [Page(text="tea")] * 40, window_pages=2))
    assert [window.pages for window in windows] == [2, 2, 41]
    assert [window.first_row for window in windows] == [0, 2, 4]
