"""What an input to a page model is: every spelling of an image, and texts that only look like one."""

from __future__ import annotations

import time
from typing import Any

import pytest

from biencoder.serve.embeddings.items import check_items, read_items
from biencoder.serve.embeddings.messages import Message
from biencoder.serve.embeddings.wire import EmbeddingRequest, Modality
from biencoder.serve.errors import ApiError

PNG = "data:image/png;base64,iVBORw0KGgo="


def request(*texts: str, **fields: Any) -> EmbeddingRequest:
    return EmbeddingRequest(model="m", texts=texts, **fields)


def fault(asked: EmbeddingRequest, role: Any = "passage") -> ApiError:
    """The refusal of a request, all of whose inputs have one role."""
    items = read_items(asked, "vl")
    with pytest.raises(ApiError) as refusal:
        check_items(items, [role] * len(items), asked, model="vl", truncate=asked.truncate)
    return refusal.value


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (PNG, None),
        (f"  {PNG}\n", None),
        (f"A page\n{PNG}", "A page"),
        (f"A page {PNG}", "A page"),
        (f"two\nlines\r\n{PNG}", "two\nlines"),
        (f"<img src='{PNG}'/>", None),
        (f'<IMG alt="a b" src = "{PNG}">', None),
        (f"a caption <img src='{PNG}'/>", "a caption"),
        (f"<img src='{PNG}'/>\na caption", "a caption"),
        (f"before <img src='{PNG}'/> after", "before after"),
        ("data:image/jpeg;base64,iVBORw\n  0KGgo", None),
        (PNG.replace("data:image/png;base64", "DATA:IMAGE/PNG;BASE64"), None),
    ],
)
def test_every_spelling_of_an_image_is_read(sent: str, text: str | None) -> None:
    (item,) = read_items(request(sent), "vl")
    assert item.fault is None
    assert item.text == text
    # Blanks are dropped, and the padding is made up for: the library reads base64 strictly.
    assert item.image == PNG
    assert item.modality == ("image" if text is None else "text_image")


def test_a_message_holds_an_image_and_a_text() -> None:
    messages = (Message("user", "a page", (PNG,)), Message("query", "why?", ()))
    items = read_items(request("a page", "why?", messages=messages), "vl")
    assert [item.modality for item in items] == ["text_image", "text"]


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "<img src='logo.png'> is how a page shows its mark",
        "<img src='https://example.org/a.png'> stands in a page's source",
        "data:image/png is a type",
        "<IMG_CONTEXT> <image> <img>",
    ],
)
def test_a_text_that_holds_no_image_stays_a_text(text: str) -> None:
    (item,) = read_items(request(text), "vl")
    assert (item.text, item.modality, item.fault) == (text, "text", None)


def test_a_text_that_is_said_to_be_one_is_not_looked_at() -> None:
    (item,) = read_items(request(PNG, modalities=("text",)), "vl")
    assert (item.text, item.modality) == (PNG, "text")


@pytest.mark.parametrize(
    ("sent", "phrase"),
    [
        (f"{PNG} and a text behind it!", "stands last"),
        (f"{PNG[:-1]}A\nand a longer text in letters only", "stands last"),
        (f"data:image/png;base64,{'A' * 4000}\nhello", "stands last"),
        (f"<img src='{PNG}'/><img src='{PNG}'/>", "more than one image"),
        (f"{PNG}\n{PNG}", "stands last"),
        ("<img src='https://example.org/a.png'/>", "never fetched"),
        ("data:image/png;asset_id,a1b2", "asset references"),
    ],
)
def test_an_image_that_cannot_be_taken_is_refused_with_its_place(sent: str, phrase: str) -> None:
    error = fault(request("a", sent))
    assert (error.code, error.param) == ("invalid_image", "input[1]")
    assert phrase in error.message


@pytest.mark.parametrize("url", ["https://example.org/a.png", "file:///etc/passwd", "", "x"])
def test_nothing_but_a_data_url_is_taken_from_a_message(url: str) -> None:
    error = fault(request("", messages=(Message("user", "", (url,)),)))
    assert (error.code, error.param) == ("invalid_image", "messages[0]")
    assert "data:image/png;base64" in error.message


def test_a_message_with_two_images_is_refused() -> None:
    error = fault(request("", messages=(Message("user", "", (PNG, PNG)),)))
    assert (error.code, "2 images" in error.message) == ("invalid_image", True)


@pytest.mark.parametrize(
    ("sent", "said", "phrase"),
    [
        ("a text", "image", "'image' for vl, but holds no image"),
        ("a text", "text_image", "'text_image' for vl, but holds no image"),
        (f"a text\n{PNG}", "image", "'image' for vl, but holds a text beside it"),
        (PNG, "text_image", "'text_image' for vl, but holds an image and no text"),
    ],
)
def test_a_modality_that_contradicts_its_input_is_refused(
    sent: str, said: Modality, phrase: str
) -> None:
    error = fault(request(sent, modalities=(said,)))
    assert (error.code, error.param) == ("unsupported_modality", "input[0]")
    assert phrase in error.message


def test_an_image_is_no_query_and_is_never_cut_from_its_beginning() -> None:
    error = fault(request(PNG), role="query")
    assert (error.code, error.param) == ("unsupported_modality", "input[0]")
    error = fault(request(PNG, truncate="START"))
    assert (error.code, error.param) == ("invalid_request", "truncate")


@pytest.mark.parametrize(
    "text",
    [
        "<img " + f"src='{PNG}' " * 20_000,
        "<img " + f"src='{PNG}' " * 20_000 + ">",
        f"<img src='{PNG}'>" * 20_000,
        "<img " + "src " * 100_000 + ">",
        "<img src=" + " " * 200_000,
        "data:image/" + "a" * 2_000_000,
        "data:image/" * 200_000,
        "data:image/png;base64," + "A" * 2_000_000 + "!",
        PNG * 50_000,
        " " * 1_000_000 + PNG,
    ],
)
def test_no_text_makes_the_look_for_images_slow(text: str) -> None:
    began = time.process_time()
    read_items(request(text), "vl")
    assert time.process_time() - began < 1.0
