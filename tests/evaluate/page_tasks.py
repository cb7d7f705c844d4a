"""Retrieval tasks of mteb in ViDoRe's layout, made of a folder of pages: no network, no cache."""

from __future__ import annotations

import io
from typing import Any

from datasets import Dataset, Features, Value
from datasets import Image as ImageColumn
from mteb.abstasks import AbsTaskRetrieval
from mteb.abstasks.task_metadata import TaskMetadata

from biencoder.evaluate.pages.page_set import PageSet
from biencoder.evaluate.pages.pictures import Pictured


def page_task(
    judged: PageSet, *, name: str = "LocalPages", with_text: bool = True, dpi: int = 20
) -> AbsTaskRetrieval:
    """Documents as ViDoRe v3.1 has them, image and text; without text, as v1 to v3 have them."""

    class Local(AbsTaskRetrieval):  # type: ignore[misc]
        metadata = TaskMetadata(
            name=name,
            type="DocumentUnderstanding",
            main_score="ndcg_at_5",
            dataset={"path": f"local/{name}", "revision": "1"},
            description="Pages of PDFs.",
            category="t2it" if with_text else "t2i",
            modalities=["text", "image"],
            eval_splits=["test"],
            eval_langs=["eng-Latn"],
        )

        def load_data(self, *_: object, **__: object) -> None:
            rows = _rows(judged, dpi)
            features = Features(id=Value("string"), text=Value("string"), image=ImageColumn())
            corpus = Dataset.from_list(rows, features=features)
            asked = [{"id": id_, "text": text} for id_, text in judged.queries.items()]
            self.dataset = {
                "default": {
                    "test": {
                        "corpus": corpus if with_text else corpus.remove_columns("text"),
                        "queries": Dataset.from_list(asked),
                        "relevant_docs": {id_: dict(found) for id_, found in judged.qrels.items()},
                        "top_ranked": None,
                    }
                }
            }
            self.data_loaded = True

    return Local()


def _rows(judged: PageSet, dpi: int) -> list[dict[str, Any]]:
    pages = judged.pages(with_text=True)
    rows = []
    for judged_page, page in zip(pages, Pictured(pages, dpi=dpi), strict=True):
        file = io.BytesIO()
        page.image.save(file, format="PNG")  # type: ignore[union-attr]
        image = {"bytes": file.getvalue(), "path": None}
        rows.append({"id": judged_page.id, "text": judged_page.text, "image": image})
    return rows
