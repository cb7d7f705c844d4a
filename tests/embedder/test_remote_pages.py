"""Pages through a server: the vectors that the same model gives here, a bad page alone, or one sentence."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.embedder.stand_in import Json, StandIn, encoded, serving
from tests.serve import made_pages
from tests.serve.in_thread import QUIET, served
from tests.serve.made_pages import TALL, WIDE, image, url

from biencoder import Embedder
from biencoder.config.page_model import PageLimits
from biencoder.embedder.notices import TruncationWarning
from biencoder.embedder.pages.listed import page_windows
from biencoder.embedder.pages.page import Page, PageWindow
from biencoder.embedder.remote.connected import RemoteEmbedder
from biencoder.embedder.remote.endpoint import Endpoint
from biencoder.embedder.remote.pages import PAGES_AT_ONCE, Pace
from biencoder.errors import ImageError, InputError, RemoteError, TooLongError
from biencoder.serve.embeddings.names import Served
from biencoder.serve.engine.engine import Engine
from biencoder.serve.engine.pages import SERVED_PICTURES
from biencoder.types import FloatArray

PAGE, OTHER = image(TALL, 1), image(WIDE, 2, "JPEG")
SMALL = Image.new("RGB", (40, 40), (200, 30, 30))
SAID = "The pump is loud."
QUOTING = f"As in {url(PAGE)[:200]} or <img src='{url(OTHER)[:90]}'/> or <IMG_CONTEXT>."


def here() -> Embedder:
    return made_pages.model()


def page_model(**settings: Any) -> Served:
    return Served(made_pages.MODEL, Engine(here(), **settings))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The tiny page model, and beside it one that reads text only."""
    text_model = Embedder.load("mini", dtype="float32", device="cpu")
    with served(page_model(), Served("mini", Engine(text_model))) as address:
        yield address


@pytest.fixture
def there(address: str) -> RemoteEmbedder:
    return Embedder.connect(address, made_pages.MODEL)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Json]:
    """The body of every request for vectors."""
    bodies: list[Json] = []
    ask = Endpoint.ask

    def noting(self: Endpoint, path: str, body: Any = None, stop: Any = None) -> Any:
        if path == "/embeddings":
            bodies.append(body)
        return ask(self, path, body, stop)

    monkeypatch.setattr(Endpoint, "ask", noting)
    return bodies


def same(given: FloatArray, expected: FloatArray) -> None:
    assert given.dtype == np.float32
    np.testing.assert_allclose(given, expected, rtol=0, atol=2e-6)


def gathered(windows: list[PageWindow]) -> FloatArray:
    return np.concatenate([window.vectors for window in windows])


# --- the same vectors ---------------------------------------------------------------------------


def test_images_texts_both_and_questions_have_the_local_vectors(there: RemoteEmbedder) -> None:
    same(
        there.encode_documents(images=[PAGE, OTHER]), here().encode_documents(images=[PAGE, OTHER])
    )
    both: dict[str, Any] = {"texts": [SAID, "walrus"], "images": [OTHER, PAGE]}
    same(there.encode_documents(**both), here().encode_documents(**both))
    same(there.encode_documents([SAID]), here().encode_documents([SAID]))
    same(there.encode_queries(["why?"]), here().encode_queries(["why?"]))
    mixed: dict[str, Any] = {
        "texts": [None, SAID, "tea", None],
        "images": [PAGE, None, OTHER, SMALL],
    }
    same(there.encode_documents(**mixed), here().encode_documents(**mixed))


def test_a_picture_may_be_a_path_bytes_a_data_url_or_an_image(
    there: RemoteEmbedder, tmp_path: Path
) -> None:
    path = tmp_path / "page.webp"
    path.write_bytes(image(WIDE, 3, "WEBP"))
    grey, deep = Image.new("L", (90, 70), 40), Image.new("I;16", (70, 90), 40_000)
    images: list[Any] = [path, str(path), PAGE, url(OTHER), SMALL, grey, deep]
    same(there.encode_documents(images=images), here().encode_documents(images=images))


def test_a_turned_photo_is_turned_once(there: RemoteEmbedder, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    made_pages.decoded(OTHER).save(tmp_path / "turned.jpg", exif=exif)
    (window,) = there.encode_pages([Page(tmp_path / "turned.jpg")])
    (expected,) = here().encode_pages([Page(tmp_path / "turned.jpg")])
    same(window.vectors, expected.vectors)
    assert window.details[0].grid == expected.details[0].grid


def test_a_text_that_quotes_an_image_stays_a_text(there: RemoteEmbedder) -> None:
    texts: list[str | None] = [QUOTING, QUOTING, "\r\n said \r"]
    given = there.encode_documents(texts, images=[PAGE, None, OTHER])
    same(given, here().encode_documents(texts, images=[PAGE, None, OTHER]))
    same(there.encode_documents([QUOTING]), here().encode_documents([QUOTING]))
    same(there.encode_queries([QUOTING]), here().encode_queries([QUOTING]))


def test_a_blank_text_beside_an_image_is_none(there: RemoteEmbedder) -> None:
    given = there.encode_documents(["", " \n"], images=[PAGE, PAGE])
    same(given, here().encode_documents(images=[PAGE, PAGE]))


def test_many_pages_come_back_in_order_as_they_are_seen_here(there: RemoteEmbedder) -> None:
    count = 19
    pages = [
        Page(made_pages.decoded(image((60 + 10 * row, 200 - 9 * row), row)) if row % 4 else None,
             f"page {row}" if row % 3 or not row % 4 else None)
        for row in range(count)
    ]  # fmt: skip
    given, expected = list(there.encode_pages(iter(pages))), list(here().encode_pages(pages))
    same(gathered(given), gathered(expected))
    assert [row for window in given for row in window.rows] == list(range(count))
    assert sum(window.pages for window in given) == count
    seen = [detail for window in given for detail in window.details]
    assert seen == [detail for window in expected for detail in window.details]
    assert sum(window.tokens for window in given) == sum(window.tokens for window in expected)
    narrow = list(there.encode_pages(pages, window_pages=2))
    same(gathered(narrow), gathered(expected))
    assert max(window.pages for window in narrow) <= 4


def test_no_images_give_no_vectors_and_no_request(there: RemoteEmbedder, sent: list[Json]) -> None:
    assert there.encode_documents(images=[]).shape == (0, 64)
    assert list(there.encode_pages([])) == []
    assert sent == []


# --- what goes over the wire --------------------------------------------------------------------


def test_a_file_is_sent_as_it_is_and_an_image_as_a_png(
    there: RemoteEmbedder, sent: list[Json]
) -> None:
    there.encode_documents(images=[OTHER])
    there.encode_documents(images=[SMALL])
    there.encode_documents([SAID], images=[PAGE])
    file, drawn, both = sent
    assert file == {
        "model": made_pages.MODEL,
        "input": [url(OTHER, "image/jpeg")],
        "input_type": "passage",
        "encoding_format": "base64",
        "truncate": "NONE",
        "modality": "image",
    }
    content = base64.b64decode(drawn["input"][0].removeprefix("data:image/png;base64,"))
    np.testing.assert_array_equal(np.asarray(made_pages.decoded(content)), np.asarray(SMALL))
    assert (both["modality"], both["input_type"]) == ("text_image", "passage")
    (message,) = both["messages"]
    assert message["content"] == [
        {"type": "text", "text": SAID},
        {"type": "image_url", "image_url": {"url": url(PAGE)}},
    ]


def test_a_stream_that_nobody_wants_any_more_stops_asking(
    there: RemoteEmbedder, sent: list[Json]
) -> None:
    stream = there.encode_pages(Page(SMALL) for _ in range(1000))
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert len(sent) <= 3 * PAGES_AT_ONCE


def test_as_many_pages_are_on_their_way_as_the_server_answers_in_time() -> None:
    pace, found = Pace(), []
    for seconds in (0.1, 4, 1, 1, 9, 21, 300, 30, 30, 30, 10, 2):
        found.append(pace())
        pace.took(seconds)
    assert found == [2, 4, 8, 16, PAGES_AT_ONCE, 16, 8, 4, 2, 1, 1, 1]
    assert pace() == 2
    windows = page_windows([Page(b"")] * 9, most=iter([1, 3, 2, 9]).__next__)
    assert [(row, len(run)) for row, run in windows] == [(0, 1), (1, 3), (4, 2), (6, 3)]


# --- pages that cannot be encoded ---------------------------------------------------------------


def test_a_bad_page_fails_alone_with_its_row_and_reason(
    there: RemoteEmbedder, tmp_path: Path
) -> None:
    strip = Image.new("RGB", (2, 900))
    good = [Page(PAGE), Page(text="tea"), Page(SMALL, "the river")]
    pages = [
        Page(b"no image"), good[0], Page(), good[1], Page(tmp_path / "gone.png"), Page(PAGE, 7),  # type: ignore[arg-type]
        Page(text="word " * 9000), Page(strip), Page(text=" "), good[2], Page(PAGE[:2000]),
    ]  # fmt: skip
    windows = list(there.encode_pages(pages, window_pages=2))
    assert [row for window in windows for row in window.rows] == [1, 3, 9]
    assert sum(window.pages for window in windows) == len(pages)
    failed = {f.row: f.reason for window in windows for f in window.failed}
    assert failed.keys() == {0, 2, 4, 5, 6, 7, 8, 10}
    assert "PNG, JPEG, WEBP" in failed[0]
    assert "neither an image nor a text" in failed[2]
    assert "gone.png cannot be opened" in failed[4]
    assert "its text is a int" in failed[5]
    assert "exceeds maximum allowed token size 4096" in failed[6]
    assert "at most 200 times the shorter" in failed[7]
    assert "its text is empty" in failed[8]
    assert "damaged or truncated PNG" in failed[10]
    same(gathered(windows), np.concatenate([w.vectors for w in here().encode_pages(good)]))


def test_a_bad_image_names_its_page_before_anything_is_sent(
    there: RemoteEmbedder, sent: list[Json]
) -> None:
    with pytest.raises(ImageError, match="page 9: the image is a damaged"):
        there.encode_documents(images=[*[PAGE] * 9, PAGE[:2000]])
    assert sent == []
    strip = Image.new("RGB", (2, 900))
    with pytest.raises(ImageError, match=r"page 1: 127\.0\.0\.1:\d+ refuses it: the image has 2 x"):
        there.encode_documents(images=[PAGE, strip])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"images": PAGE}, "one image was given"),
        ({"images": [PAGE], "texts": ["a", "b"]}, "2 texts were given for 1 images"),
        ({"images": [PAGE], "truncate": "START"}, "would cut the images"),
        ({"images": [PAGE], "texts": "a"}, "one string was given"),
        ({"images": [PAGE], "dimensions": 32}, "no vectors of 32"),
        ({"images": [None]}, "page 0: it has neither"),
        ({}, "neither texts nor images"),
        ({"texts": [PAGE]}, "text 0 is bytes"),
    ],
)
def test_bad_calls_are_refused_as_they_are_here(
    call: dict[str, Any], message: str, there: RemoteEmbedder, sent: list[Json]
) -> None:
    for model in (there, here()):
        with pytest.raises(InputError, match=message):
            model.encode_documents(**call)
    assert sent == []


def test_the_shares_of_tiles_no_server_tells(there: RemoteEmbedder) -> None:
    with pytest.raises(InputError, match="does not tell what each tile adds"):
        there.encode_pages([Page(PAGE)], parts=True)
    with pytest.raises(InputError, match="window_pages is 0"):
        there.encode_pages([Page(PAGE)], window_pages=0)
    ((failure,), *_) = [
        window.failed for window in there.encode_pages([Page(PAGE)], truncate="START")
    ]
    assert "would cut the image" in failure.reason


def test_a_text_model_behind_a_server_refuses_images(address: str, sent: list[Json]) -> None:
    text_model = Embedder.connect(address, "mini")
    assert (text_model.pages, text_model.modalities) == (None, ("text",))
    for refused in (
        lambda: text_model.encode_documents(images=[PAGE]),
        lambda: text_model.encode_pages([Page(PAGE)]),
    ):
        with pytest.raises(InputError, match="reads text only, as far as the server tells") as told:
            refused()
        assert "llama-nemotron-embed-vl-1b-v2" in str(told.value)
    assert sent == []


# --- what the server states ---------------------------------------------------------------------


def test_it_is_the_same_model_by_all_that_it_states(there: RemoteEmbedder) -> None:
    side = here().pages
    assert (there.pages is None, side is None) == (False, False)
    assert there.modalities == here().modalities == ("text", "image", "image_text")
    for fact in ("max_tiles", "thumbnail", "limits"):
        assert getattr(there.pages, fact) == getattr(side, fact)
    assert there.fingerprint() == here().fingerprint()
    assert there.max_tokens == here().max_tokens


def test_limits_that_a_server_lowers_are_stated_and_part_of_its_fingerprint() -> None:
    lower = PageLimits(image=48, image_text=48, text=48)
    local = Embedder.load(made_pages.checkpoint(), dtype="float32", device="cpu", page_limits=lower)
    words = "why is the pump loud " * 5
    with served(page_model(max_tokens=48)) as address:
        there = Embedder.connect(address, made_pages.MODEL)
        assert there.pages is not None
        assert there.pages.limits == lower
        assert there.fingerprint() == local.fingerprint() != here().fingerprint()
        with pytest.raises(TooLongError, match="page 1: it is too long for pages: Input length"):
            there.encode_documents([None, words], images=[PAGE, PAGE])
        with pytest.warns(TruncationWarning, match="1 of 2 pages had their text cut"):
            cut = there.encode_documents([None, words], images=[PAGE, PAGE], truncate="END")
        with pytest.warns(TruncationWarning):
            expected = local.encode_documents([None, words], images=[PAGE, PAGE], truncate="END")
        same(cut, expected)


def test_nothing_larger_than_the_server_takes_is_sent(sent: list[Json]) -> None:
    limits = replace(SERVED_PICTURES, max_bytes=3000)
    with served(page_model(pictures=limits)) as address:
        there = Embedder.connect(address, made_pages.MODEL)
        pages = [Page(PAGE), Page(SMALL), Page(made_pages.decoded(OTHER))]
        (window,) = there.encode_pages(pages, window_pages=3)
        assert window.rows == (1,)
        assert [failure.row for failure in window.failed] == [0, 2]
        assert "larger than the 3,000 bytes" in window.failed[0].reason
        assert "as a PNG; at most 3,000 are taken" in window.failed[1].reason
    assert len(sent) == 1
    narrow = replace(QUIET, max_body_bytes=6000)
    with served(page_model(), settings=narrow) as address:
        (window,) = Embedder.connect(address, made_pages.MODEL).encode_pages(
            [Page(PAGE), Page(SMALL)]
        )
        assert window.rows == (1,)
        assert "at most 6,000 are taken" in window.failed[0].reason


STATED: Json = {
    "maxTiles": 6,
    "thumbnail": True,
    "tileSize": 512,
    "maxTokens": {"query": 512, "text": 8192, "image": 2048, "text_image": 10240},
    "maxImageBytes": 20_000_000,
    "maxImagePixels": 50_000_000,
    "maxBodyBytes": 32_000_000,
}


@pytest.mark.parametrize(
    "odd",
    [
        [],
        {},
        STATED | {"maxTiles": 0},
        STATED | {"maxTiles": True},
        STATED | {"thumbnail": "yes"},
        STATED | {"maxTokens": {"text": 5}},
        STATED | {"maxBodyBytes": "32"},
    ],
)
def test_odd_statements_on_pages_are_refused(odd: object) -> None:
    with (
        serving(entry={"pages": odd}) as server,
        pytest.raises(RemoteError, match="states odd things of 'mini'"),
    ):
        Embedder.connect(server.url, "mini")


# --- a server that states nothing: the family's table, and a look whether it sees ----------------

VL = "nvidia/llama-nemotron-embed-vl-1b-v2"


def _nim(reads: Callable[[str], int]) -> Any:
    """Vectors of 2,048 numbers; ``reads``: by how much an input of this modality is moved."""

    def widen(number: int, body: Json, right: Json) -> Json:
        vectors = np.frombuffer(base64.b64decode(right["data"][0]["embedding"]), "<f4")
        wide = np.roll(np.pad(vectors, (0, 2048 - 384)), reads(body.get("modality", "text")))
        return right | {"data": [{"index": 0, "embedding": encoded(wide)}]}

    return serving(states=False, id=VL, meddle=widen)


def _asked(server: StandIn, modality: str) -> list[Json]:
    return [body for body in server.asked if body.get("modality") == modality]


def test_a_nim_is_sent_images_in_the_documented_spelling() -> None:
    with _nim(lambda modality: {"image": 7, "text_image": 9}.get(modality, 0)) as server:
        there = Embedder.connect(server.url, VL)
        assert there.pages is not None
        assert (there.pages.max_tiles, there.pages.thumbnail) == (6, True)
        assert there.pages.limits == PageLimits()
        server.asked.clear()
        assert there.encode_documents(["tea"], images=[SMALL]).shape == (1, 2048)
        (body,) = server.asked
        text, picture = body["input"][0].split("\n")
        assert (text, picture[:22]) == ("tea", "data:image/png;base64,")
        assert (body["modality"], body["input_type"]) == ("text_image", "passage")
        # Of a text with a data URL nobody knows what it takes for the image.
        with pytest.raises(InputError, match="page 0: its text quotes a data URL"):
            there.encode_documents([QUOTING], images=[SMALL])


def test_a_server_that_takes_an_image_for_its_letters_is_sent_none() -> None:
    with _nim(lambda modality: 0) as server:
        there = Embedder.connect(server.url, VL)
        assert len(_asked(server, "image")) == len(_asked(server, "text")) == 1
        assert there.modalities == ("text",)
        with pytest.raises(InputError, match="reads text only, as far as the server tells"):
            there.encode_documents(images=[SMALL])
