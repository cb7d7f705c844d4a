"""The ids of page documents: exact segments, only the text is ever cut, nothing written is a picture."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import tiny, tiny_pages
from tests.tiny_pages import CONTEXT, END_IMG, IMG
from tokenizers import Tokenizer

from biencoder.errors import CheckpointError, InputError, TooLongError
from biencoder.text.page_tokens import ImageMarks, PageTokenizer
from biencoder.text.tokenizer import TextTokenizer

PER_TILE = 4
# BOS, prompt, <img> and </img>: what stands around the places.
HEAD = [tiny.BOS, *tiny.tokenizer().encode("passage: ", add_special_tokens=False).ids]
REAL_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def write_tokenizer(folder: Path, text: str | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(text or tiny_pages.tokenizer_json(), encoding="utf-8")
    return folder


def load(folder: Path, *, vocab_size: int = 310, context_id: int = CONTEXT) -> PageTokenizer:
    return PageTokenizer.from_folder(
        folder,
        vocab_size=vocab_size,
        context_id=context_id,
        prefix="passage: ",
        tokens_per_tile=PER_TILE,
    )


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> PageTokenizer:
    return load(write_tokenizer(tmp_path_factory.mktemp("tokenizer")))


def plain(text: str) -> list[int]:
    """The library's ids of a text, by a tokenizer that never heard of images."""
    ids: list[int] = tiny.tokenizer().encode(text, add_special_tokens=False).ids
    return ids


def block(tiles: int) -> list[int]:
    return [*HEAD, IMG, *[CONTEXT] * (tiles * PER_TILE), END_IMG]


@pytest.mark.parametrize("tiles", [1, 3, 7])
def test_an_image_is_its_places_between_two_marks_and_ends_in_a_space(
    tiles: int, tokenizer: PageTokenizer
) -> None:
    page = tokenizer.image(tiles, limit=2048)
    assert page.ids.tolist() == [*block(tiles), *plain(" ")]
    assert (page.image_start, page.image_tokens) == (len(HEAD) + 1, tiles * PER_TILE)
    assert set(page.ids[page.image_start :][: page.image_tokens]) == {CONTEXT}
    assert (page.counted, page.cut) == (len(page.ids), False)


@given(REAL_TEXT)
def test_an_image_and_a_text_are_tokenised_as_the_reference_does_the_whole_string(
    text: str,
) -> None:
    whole = Tokenizer.from_str(tiny_pages.tokenizer_json())
    places = "<IMG_CONTEXT>" * (2 * PER_TILE)
    expected = whole.encode(f"passage: <img>{places}</img> {text}").ids
    page = _made().image_text(2, text, limit=4096, truncate="NONE")
    assert page.ids.tolist() == expected


def _made() -> PageTokenizer:
    text = TextTokenizer(tiny.tokenizer())
    marks = ImageMarks(IMG, CONTEXT, END_IMG)
    return PageTokenizer(text, marks=marks, prefix="passage: ", tokens_per_tile=PER_TILE)


@pytest.mark.parametrize("literal", ["<img>", "</img>", "<IMG_CONTEXT>", "<image>"])
def test_an_image_token_written_in_a_text_is_plain_text(
    literal: str, tokenizer: PageTokenizer
) -> None:
    text = f"see {literal}{literal} there"
    page = tokenizer.image_text(1, text, limit=2048, truncate="NONE")
    assert page.ids.tolist() == [*block(1), *plain(" " + text)]
    assert (page.ids == CONTEXT).sum() == PER_TILE
    (alone,) = tokenizer.text.encode([text], prefix="query: ", max_tokens=500, truncate="NONE").ids
    assert alone.tolist() == [tiny.BOS, *plain("query: " + text)]


def test_the_tokens_behind_those_of_the_image_keep_their_numbers(tokenizer: PageTokenizer) -> None:
    fillers = "".join(tiny_pages.FILLERS)
    assert tokenizer.text.pieces(fillers).tolist() == list(range(303, 310))
    assert tokenizer.text.pieces("<|end_of_text|>").tolist() == [tiny.EOS]


def test_of_an_image_with_a_text_only_the_texts_end_is_cut(tokenizer: PageTokenizer) -> None:
    text = "the river and the lakes " * 6
    frame = len(block(7))
    limit = frame + 10
    page = tokenizer.image_text(7, text, limit=limit, truncate="END")
    assert page.ids.tolist() == [*block(7), *plain(" " + text)[:10]]
    assert page.counted == frame + len(plain(" " + text))
    assert page.cut
    with pytest.raises(TooLongError, match=f"{page.counted:,} tokens .* limit is {limit:,}"):
        tokenizer.image_text(7, text, limit=limit, truncate="NONE")


def test_at_the_limit_nothing_is_cut_and_one_token_more_is_refused(
    tokenizer: PageTokenizer,
) -> None:
    words = plain(" a river")
    limit = len(block(3)) + len(words)
    page = tokenizer.image_text(3, "a river", limit=limit, truncate="NONE")
    assert (len(page.ids), page.cut) == (limit, False)
    with pytest.raises(TooLongError):
        tokenizer.image_text(3, "a river", limit=limit - 1, truncate="NONE")


@pytest.mark.parametrize("truncate", ["NONE", "END"])
def test_an_image_over_the_limit_is_refused_and_never_cut(
    truncate: str, tokenizer: PageTokenizer
) -> None:
    limit = len(block(8)) - 1
    with pytest.raises(TooLongError, match=r"8 tiles is 44 tokens[\s\S]*an image is never cut"):
        tokenizer.image_text(8, "text", limit=limit, truncate=truncate)  # type: ignore[arg-type]
    with pytest.raises(TooLongError, match="8 tiles is 45 tokens"):
        tokenizer.image(8, limit=len(block(8)))
    assert len(tokenizer.image(7, limit=limit).ids) == len(block(7)) + 1


def test_room_for_no_text_at_all_leaves_the_image(tokenizer: PageTokenizer) -> None:
    page = tokenizer.image_text(2, "a river", limit=len(block(2)), truncate="END")
    assert page.ids.tolist() == block(2)
    assert page.cut


def test_the_beginning_of_an_image_cannot_be_cut(tokenizer: PageTokenizer) -> None:
    with pytest.raises(InputError, match=r"START.*would cut the image"):
        tokenizer.image_text(1, "a river", limit=2048, truncate="START")


def test_of_a_book_beside_an_image_only_its_head_is_read(tokenizer: PageTokenizer) -> None:
    book = "river " * 200_000
    page = tokenizer.image_text(1, book, limit=100, truncate="END")
    assert len(page.ids) == 100
    assert page.cut
    with pytest.raises(TooLongError, match="at least"):
        tokenizer.image_text(1, book, limit=100, truncate="NONE")


def test_a_tokenizer_without_the_image_tokens_is_refused(tmp_path: Path) -> None:
    folder = write_tokenizer(tmp_path, tiny.tokenizer_json())
    with pytest.raises(CheckpointError, match="'<img>' is missing"):
        load(folder)


def test_places_of_another_number_than_the_configurations_are_refused(tmp_path: Path) -> None:
    folder = write_tokenizer(tmp_path)
    with pytest.raises(CheckpointError, match=r"is 302 .* img_context_token_id=303"):
        load(folder, context_id=303)


def test_an_image_token_beyond_the_embedding_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="'<IMG_CONTEXT>' is 302, beyond the embedding table"):
        load(write_tokenizer(tmp_path), vocab_size=302, context_id=302)


def test_other_added_tokens_beyond_the_table_are_read_as_text(tmp_path: Path) -> None:
    tokenizer = load(write_tokenizer(tmp_path), vocab_size=303)
    assert max(tokenizer.text.pieces("".join(tiny_pages.FILLERS))) < 300


def test_a_tokenizer_that_ends_each_text_with_a_token_is_refused(tmp_path: Path) -> None:
    raw = json.loads(tiny_pages.tokenizer_json())
    raw["post_processor"]["single"].append(
        {"SpecialToken": {"id": "<|end_of_text|>", "type_id": 0}}
    )
    raw["post_processor"]["special_tokens"]["<|end_of_text|>"] = {
        "id": "<|end_of_text|>",
        "ids": [tiny.EOS],
        "tokens": ["<|end_of_text|>"],
    }
    with pytest.raises(CheckpointError, match="puts a token behind each text"):
        load(write_tokenizer(tmp_path, json.dumps(raw)))
