"""Pages that cannot be encoded: one clear sentence, before anything is computed, the neighbours unharmed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests import tiny_pages
from tests.embedder.test_pages import TEXT, folder, gather, ids, picture, png, vl

from biencoder import Embedder
from biencoder.config.page_model import PageLimits
from biencoder.embedder.notices import TruncationWarning
from biencoder.embedder.pages.page import Page
from biencoder.errors import DimensionError, ImageError, InputError, TooLongError
from biencoder.text.page_tokens import PageTokenizer

__all__ = ["folder", "vl"]


def test_more_pages_than_one_window_are_looked_at_first(
    vl: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [picture(1)] * 9
    expected = vl.encode_documents(images=images[:1])
    np.testing.assert_allclose(
        vl.encode_documents(images=images), np.repeat(expected, 9, axis=0), atol=1e-6
    )

    def computed(*_: object, **__: object) -> None:
        raise AssertionError("computed before every page was known to be sound")

    monkeypatch.setattr("biencoder.embedder.pages.stream.compute_pages", computed)
    with pytest.raises(ImageError, match="page 9: the image is a damaged"):
        vl.encode_documents(images=[*images, png(picture(7))[:2000]])


def test_a_bad_page_fails_alone_with_its_row_and_reason(vl: Embedder, tmp_path: Path) -> None:
    good = [Page(picture(1)), Page(text="tea"), Page(picture(3), "the river")]
    pages = [
        Page(b"no image"), good[0], Page(), good[1], Page(tmp_path / "gone.png"),
        Page(picture(1), 7), Page(text="word " * 9000), good[2],  # type: ignore[arg-type]
    ]  # fmt: skip
    windows = list(vl.encode_pages(pages, window_pages=2))
    assert [row for window in windows for row in window.rows] == [1, 3, 7]
    assert sum(window.pages for window in windows) == len(pages)
    failed = {f.row: f.reason for window in windows for f in window.failed}
    assert failed.keys() == {0, 2, 4, 5, 6}
    assert "PNG, JPEG, WEBP" in failed[0]
    assert "neither an image nor a text" in failed[2]
    assert "gone.png cannot be opened" in failed[4]
    assert "its text is a int" in failed[5]
    assert "the model reads at most 4,096" in failed[6]
    vectors = np.concatenate([window.vectors for window in windows])
    np.testing.assert_allclose(vectors, gather(vl, good), atol=1e-6)


def test_too_long_a_text_beside_an_image_is_refused_or_cut_and_counted(folder: Path) -> None:
    vl = Embedder.load(folder, dtype="float32", page_limits=PageLimits(image_text=40))
    with pytest.raises(TooLongError, match="page 0: image and text have"):
        vl.encode_documents([TEXT * 9], images=[picture(7)])
    with pytest.warns(TruncationWarning, match="1 of 2 pages") as said:
        vectors = vl.encode_documents([TEXT * 9, None], images=[picture(7)] * 2, truncate="END")
    assert [warning.filename for warning in said] == [__file__]
    assert abs(vectors[0] - vectors[1]).max() > 1e-4


def test_eight_tiles_do_not_fit_where_seven_do(folder: Path) -> None:
    limit = PageLimits(image=len(ids(7, None)))
    square = tiny_pages.picture(64 * 7, 64)
    for tiles, fits in ((6, True), (7, False)):
        vl = Embedder.load(folder, dtype="float32", max_tiles=tiles, page_limits=limit)
        (window,) = vl.encode_pages([Page(square)])
        assert bool(window.rows) is fits
    assert "never cut" in window.failed[0].reason


def test_places_that_are_not_those_of_the_pages_own_tiles_stop_the_run(
    vl: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = PageTokenizer.image

    def one_more(self: PageTokenizer, tiles: int, *, limit: int) -> object:
        return honest(self, tiles + 1, limit=limit)

    monkeypatch.setattr(PageTokenizer, "image", one_more)
    with pytest.raises(AssertionError, match="page 0: 16 places, 3 tiles"):
        vl.encode_documents(images=[picture(3)])


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("2 texts were given for 1 images", {"texts": ["a", "b"], "images": [b""]}),
        ("one image was given where a list", {"images": b"abc"}),
        ("one image was given where a list", {"images": "page.png"}),
        ("one image was given where a list", {"images": Path("page.png")}),
        ("one image was given where a list", {"images": tiny_pages.picture(9, 9)}),
        ("one string was given where a list", {"texts": "abc", "images": [b""]}),
        ("neither texts nor images", {}),
        ("would cut the images", {"images": [b"x"], "truncate": "START"}),
        ("truncate='MIDDLE'", {"images": [b"x"], "truncate": "MIDDLE"}),
        ("page 0: the image is empty", {"images": [b""]}),
        ("page 1: it has neither", {"images": [tiny_pages.picture(9, 9), None]}),
        ("page 0: an image cannot be a int", {"images": [7]}),
    ],
)
def test_what_cannot_be_a_page_is_one_sentence(
    message: str, arguments: dict[str, object], vl: Embedder
) -> None:
    with pytest.raises(InputError, match=message):
        vl.encode_documents(**arguments)  # type: ignore[arg-type]


def test_sizes_are_not_offered_that_the_model_was_not_trained_for(vl: Embedder) -> None:
    with pytest.raises(DimensionError):
        vl.encode_documents(images=[picture(1)], dimensions=32)
    with pytest.raises(DimensionError):
        vl.encode_pages([Page(picture(1))], dimensions=32)


def test_an_image_is_no_query(vl: Embedder) -> None:
    for image in (picture(1), b"bytes", Path("page.png")):
        with pytest.raises(InputError, match=r"text 0 is [\s\S]*encode_documents\(images="):
            vl.encode_queries([image])  # type: ignore[list-item]


def test_a_text_model_names_the_page_model_for_images(model: Embedder) -> None:
    message = r"reads text only, no images\nHint: .*llama-nemotron-embed-vl-1b-v2"
    with pytest.raises(InputError, match=message):
        model.encode_documents(images=[picture(1)])
    with pytest.raises(InputError, match=message):
        model.encode_pages([Page(picture(1))])
    assert model.modalities == ("text",)


def test_only_pages_are_pages(vl: Embedder) -> None:
    with pytest.raises(InputError, match="page 0 is str, not a Page"):
        list(vl.encode_pages(["page.png"]))  # type: ignore[list-item]
    with pytest.raises(InputError, match="window_pages is 0"):
        vl.encode_pages([], window_pages=0)
