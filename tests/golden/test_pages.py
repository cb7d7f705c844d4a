"""The published page model, where its weights lie in the cache: its tokens, its sizes, and what it finds.

Its card prints no scores, so what is held here is an order: each question's own page comes first.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.golden.test_cards import load, needs

from biencoder.embedder.embedder import Embedder
from biencoder.reading.pdf_pages import pdf_pages

pytestmark = needs("vl")

PDFS = Path(__file__).parents[2] / "examples" / "documents" / "pdf"
# A question and the file whose first page answers it.
QUESTIONS = {
    "how should a government agency budget for software projects?": "18f-technology-budgeting-handbook",
    "report on the investigation of an aircraft accident": "ntsb-20080102X00002",
}


@pytest.fixture(scope="module")
def vl() -> Embedder:
    return load("vl")


def test_the_image_tokens_are_those_of_the_notes(vl: Embedder) -> None:
    assert vl.pages is not None
    ids = vl.pages.tokenizer.image(7, limit=2048).ids.tolist()
    start = ids.index(128256)
    assert ids[0] == 128000
    assert ids[start : start + 1794] == [128256, *[128258] * 1792, 128257]
    assert ids[start + 1794 :] == vl.pages.tokenizer.text.pieces(" ").tolist()


def test_it_has_the_published_number_of_parameters_without_the_head(vl: Embedder) -> None:
    assert vl.origin.parameters == 1_663_014_128


@pytest.mark.parametrize("with_text", [False, True])
def test_each_question_finds_its_own_page(with_text: bool, vl: Embedder) -> None:
    pages = [next(iter(pdf_pages(PDFS / f"{name}.pdf", notes=[]))) for name in QUESTIONS.values()]
    documents = vl.encode_documents(
        [page.text for page in pages] if with_text else None,
        images=[page.image() for page in pages],
        truncate="END",
    )
    scores = vl.encode_queries(list(QUESTIONS)) @ documents.T
    assert scores.argmax(axis=1).tolist() == [*range(len(QUESTIONS))]
