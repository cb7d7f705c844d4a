"""Images to a text model: refused where the whole item is one, never where a text quotes one."""

from __future__ import annotations

import time

import pytest

from biencoder.serve.embeddings.images import is_image, refuse_images
from biencoder.serve.embeddings.messages import Message
from biencoder.serve.embeddings.wire import EmbeddingRequest, Modality
from biencoder.serve.errors import ApiError

PNG = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    "text",
    [
        PNG,
        f"  {PNG}\n",
        PNG.upper(),
        "data:image/svg+xml;base64,AAAA",
        "data:image/jpeg;base64,AA\nAA",
        "data:image/png;asset_id,a1b2-c3",
        f"<img src='{PNG}'/>",
        f'<IMG alt="a b" src="{PNG}">',
        f"<img\nsrc = '{PNG}' width=3 />",
    ],
)
def test_an_item_that_is_an_image_as_a_whole(text: str) -> None:
    assert is_image(text)
    with pytest.raises(ApiError) as refusal:
        refuse_images(EmbeddingRequest(model="m", texts=["a", text]), "mini")
    assert (refusal.value.code, refusal.value.param) == ("unsupported_modality", "input[1]")
    assert "mini reads modality 'text' only" in refusal.value.message
    assert "'image'" in refusal.value.message
    stated = EmbeddingRequest(model="m", texts=["a", text], modalities=("text", "text"))
    refuse_images(stated, "mini")


@pytest.mark.parametrize(
    "text",
    [
        f"As an example: {PNG}",
        f"{PNG} is how a page carries its icon.",
        f"<img src='{PNG}'/> and a caption",
        f"<img src='{PNG}'/><img src='{PNG}'/>",
        f"<p><img src='{PNG}'></p>",
        "<img src='logo.png'>",
        f"<img src='{PNG}\">",
        "data:image/png",
        "data: image",
        "<IMG_CONTEXT>",
        "<image>",
        "plain",
    ],
)
def test_a_text_that_quotes_an_image_stays_a_text(text: str) -> None:
    assert not is_image(text)
    refuse_images(EmbeddingRequest(model="m", texts=[text]), "mini")


@pytest.mark.parametrize("modality", ["image", "text_image"])
def test_a_stated_image_is_refused_whatever_the_item_holds(modality: Modality) -> None:
    with pytest.raises(ApiError) as refusal:
        refuse_images(EmbeddingRequest(model="m", texts=["a"], modalities=(modality,)), "mini")
    assert refusal.value.code == "unsupported_modality"
    assert modality in refusal.value.message


@pytest.mark.parametrize(
    ("text", "modality", "phrase"),
    [
        ("", None, "modality 'image'"),
        ("a", None, "modality 'text_image'"),
        ("a", "text", "is said to be text, but holds an image"),
    ],
)
def test_an_image_part_of_a_message_is_refused(
    text: str, modality: Modality | None, phrase: str
) -> None:
    request = EmbeddingRequest(
        model=None,
        texts=[text],
        messages=(Message("user", text, (PNG,)),),
        modalities=(modality,),
    )
    with pytest.raises(ApiError, match="mini") as refusal:
        refuse_images(request, "mini")
    assert refusal.value.param == "messages[0]"
    assert phrase in refusal.value.message


@pytest.mark.parametrize(
    "text",
    [
        "<img " + f"src='{PNG}' " * 20_000,
        "<img " + f"src='{PNG}' " * 20_000 + ">",
        "<img " + f"src='{PNG}' " * 20_000 + "<>",
        "<img " + "src " * 100_000 + ">",
        "<img " + "src='data:image/" * 50_000 + ">",
        "data:image/" + "a" * 2_000_000,
        "data:image/png;base64," + "A" * 2_000_000 + "!",
    ],
)
def test_no_text_makes_the_look_for_images_slow(text: str) -> None:
    began = time.process_time()
    is_image(text)
    assert time.process_time() - began < 0.5
