"""Which page of a PDF answers a question? By the page's looks, by looks and text, by its text alone."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path

import numpy as np

from biencoder import Embedder
from biencoder.reading.pdf_pages import pdf_pages

MODEL = "nvidia/llama-nemotron-embed-vl-1b-v2"
PDF = Path(__file__).with_name("documents") / "pdf/nvingest-multimodal-test.pdf"
QUESTION = "which chart compares animals with what they do?"


def main() -> None:
    """Encode every page in three ways and rank them; several seconds a page on a CPU."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("question", nargs="?", default=QUESTION)
    parser.add_argument("--pdf", type=Path, default=PDF)
    parser.add_argument("--model", default=MODEL, help="the page model's name or folder")
    options = parser.parse_args()
    model = Embedder.load(options.model, max_tiles=6, thumbnail=True)
    lost: list[str] = []
    with closing(pdf_pages(options.pdf, notes=lost)) as drawn:
        pages = [(page.number, page.image(), page.text) for page in drawn]
    numbers, images, texts = zip(*pages, strict=True)
    # An empty string is a text; a scan without a text layer has none.
    layers = [text or None for text in texts]
    ways = {
        "image": model.encode_documents(images=images),
        "image and text": model.encode_documents(layers, images=images, truncate="END"),
        "text": model.encode_documents(texts, truncate="END"),
    }
    query = model.encode_queries([options.question])
    print(f"{options.question}\n{options.pdf.name}, {len(pages)} pages, {options.model}")
    for way, documents in ways.items():
        scores = model.similarity(query, documents)[0]
        best = np.argsort(-scores, kind="stable")
        ranked = ", ".join(f"page {numbers[row]} ({scores[row]:.3f})" for row in best)
        print(f"by {way}: {ranked}")
    for note in lost:
        print(f"{options.pdf.name}: {note}")


if __name__ == "__main__":
    main()
