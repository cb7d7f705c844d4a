"""Pages judged through mteb's hands and through ours, in three modalities.

The weights are random: what is shown is the road, not how well a trained model finds anything.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import mteb
import numpy as np
import pytest
from mteb.types import PromptType
from tests import tiny, tiny_pages
from tests.evaluate import made_pages, mteb_tasks
from tests.evaluate.page_tasks import page_task

from biencoder import Embedder
from biencoder.embedder.pages.page import Modality
from biencoder.errors import InputError
from biencoder.evaluate.benchmark_result import TaskScore, Unavailable
from biencoder.evaluate.benchmarks import plan_benchmark
from biencoder.evaluate.mteb_model import MtebModel
from biencoder.evaluate.mteb_run import run_task
from biencoder.evaluate.pages.page_set import PageSet, read_set
from biencoder.evaluate.pages.system import PageSystem, PageWarning
from biencoder.evaluate.run import evaluate
from biencoder.evaluate.settings import Settings

# The quickest of the shipped PDFs, eight pages in all, and the four questions about them.
FILES = (
    "nvingest-table-test",
    "nvingest-woods-frost",
    "ntsb-20080102X00002",
    "nvingest-embedded-table",
)
ALONE = Settings(bm25=None, dpi=20)
MODALITIES: tuple[Modality, ...] = ("text", "image", "image_text")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    folder = tiny_pages.write_checkpoint(tmp_path_factory.mktemp("model") / "tiny")
    tiny.edit_json(folder / "biencoder.json", name="tiny", random_seed=0)
    return Embedder.load(folder, dtype="float32", device="cpu", max_tiles=2)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> PageSet:
    """A part of examples/pdf-questions, over the PDFs as they ship; long texts are shortened."""
    source, folder = (
        made_pages.EXAMPLES / "pdf-questions",
        tmp_path_factory.mktemp("data") / "shipped",
    )
    rows = [json.loads(line) for line in (source / "corpus.jsonl").read_text().splitlines()]
    rows = [row for row in rows if Path(row["pdf"]).stem in FILES]
    for row in rows:
        row["pdf"], row["text"] = os.path.relpath(source / row["pdf"], folder), row["text"][:300]
    whole = read_set(source)
    kept = {row["_id"] for row in rows}
    qrels = {id_: found for id_, found in whole.qrels.items() if found.keys() <= kept}
    judged = read_set(made_pages.folder_of(folder, rows, qrels, {**whole.queries}))
    assert isinstance(judged, PageSet)
    assert (len(judged.documents), len(judged.queries)) == (8, 4)
    return judged


def of_mteb(task: Any, model: MtebModel, folder: Path) -> TaskScore:
    outcome = run_task(task, model, folder, metric="recall_at_5")
    assert isinstance(outcome, TaskScore)
    return outcome


@pytest.mark.parametrize("modality", MODALITIES)
def test_mteb_and_we_agree_on_the_shipped_pages(
    modality: Modality, model: Embedder, shipped: PageSet, tmp_path: Path
) -> None:
    ours = evaluate(model, shipped, settings=replace(ALONE, modality=modality))[0]
    scored = of_mteb(page_task(shipped), MtebModel(model, modality=modality), tmp_path)
    # mteb's files round to six decimals.
    assert scored.score == pytest.approx(ours.metrics["recall@5"], abs=1e-6)
    assert scored.counts["texts"] == 8 + 4
    assert ours.model["random_weights"] is True
    entry = json.loads(next(tmp_path.rglob("LocalPages.json")).read_text())["scores"]["test"][0]
    for name in ("ndcg@10", "recall@10", "map@100"):
        assert entry[name.replace("@", "_at_")] == pytest.approx(ours.metrics[name], abs=1e-5)


def test_the_three_modalities_are_three_systems_over_one_set(
    model: Embedder, shipped: PageSet, tmp_path: Path
) -> None:
    results = [
        evaluate(model, shipped, settings=replace(ALONE, modality=modality), output=tmp_path)[0]
        for modality in MODALITIES
    ]
    assert [result.system for result in results] == ["tiny", "tiny, image", "tiny, image_text"]
    assert len({result.data["digest"] for result in results}) == 1
    rankings = [[query.ranking for query in result.queries] for result in results]
    assert rankings[0] != rankings[1] != rankings[2] != rankings[0]
    facts = results[2].model
    assert (facts["modality"], facts["max_tiles"], facts["thumbnail"]) == ("image_text", 2, True)
    assert (facts["dpi"], facts["pictures"]) == (20, shipped.pictures)
    assert facts["max_tokens"] == model.pages.limits.image_text  # type: ignore[union-attr]
    assert "modality" not in results[0].model


def test_unless_told_a_page_is_read_whole_and_a_text_is_read(
    model: Embedder, tmp_path: Path
) -> None:
    pages = made_pages.images(tmp_path / "pages")
    assert evaluate(model, pages, settings=ALONE)[0].model["modality"] == "image_text"
    rows = [{"_id": "a", "text": "tea"}, {"_id": "b", "text": "cake"}]
    texts = made_pages.folder_of(tmp_path / "texts", rows, {"q": {"a": 1}})
    assert "modality" not in evaluate(model, texts, settings=ALONE)[0].model


def test_documents_are_what_the_model_makes_of_the_same_pages(
    model: Embedder, tmp_path: Path
) -> None:
    judged = read_set(made_pages.images(tmp_path / "set"))
    assert isinstance(judged, PageSet)
    system = PageSystem(model, judged=judged, modality="image_text", dpi=20)
    (part,) = system.encode(system.documents, "document")
    images = [judged.sources[id_].path for id_ in judged.ids]
    expected = model.encode_documents(judged.ids, images=images)
    np.testing.assert_allclose(part.vectors, expected, atol=1e-6)


def test_a_run_that_goes_on_in_a_pdf_gives_the_same_vectors(
    model: Embedder, shipped: PageSet
) -> None:
    system = PageSystem(model, judged=shipped, modality="image", dpi=20)
    pages = system.documents
    whole = np.concatenate([part.vectors for part in system.encode(pages, "document")])
    rest = np.concatenate([part.vectors for part in system.encode(pages[2:], "document")])
    np.testing.assert_allclose(rest, whole[2:], atol=1e-6)


def test_a_page_that_cannot_be_read_is_found_by_nobody(model: Embedder, tmp_path: Path) -> None:
    folder = made_pages.images(tmp_path / "set")
    sound = evaluate(model, folder, settings=ALONE)[0]
    (folder / "pages/green.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    with pytest.warns(PageWarning, match=r"green is found by no query: .*green\.png is a damaged"):
        result = evaluate(model, folder, settings=ALONE)[0]
    assert result.data["notes"] == {"documents without a usable picture, found by no query": 1}
    found = [id_ for id_, _ in sound.queries[0].ranking]
    assert [id_ for id_, _ in result.queries[0].ranking] == [id_ for id_ in found if id_ != "green"]


def test_a_set_without_a_single_picture_is_no_result(model: Embedder, tmp_path: Path) -> None:
    folder = made_pages.images(tmp_path / "set")
    for path in (folder / "pages").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"no page could be embedded; the first: .*blue\.png"):
        evaluate(model, folder, settings=ALONE)


def test_another_picture_or_resolution_is_judged_anew(model: Embedder, tmp_path: Path) -> None:
    folder, output = made_pages.images(tmp_path / "set"), tmp_path / "out"
    first = evaluate(model, folder, settings=ALONE, output=output)[0]
    assert evaluate(model, folder, settings=ALONE, output=output) == [first]
    other = evaluate(model, folder, settings=replace(ALONE, dpi=21), output=output)[0]
    assert (first.model["dpi"], other.model["dpi"]) == (20, 21)


# --- what a task's documents have, and what a model reads -------------------------------------


def test_image_documents_are_read_as_images_or_not_at_all(
    model: Embedder, shipped: PageSet, tmp_path: Path
) -> None:
    task = page_task(shipped, with_text=False)
    scored = of_mteb(task, MtebModel(model), tmp_path)
    assert scored.note == "of the documents the images were read"
    for asked in ("text", "image_text"):
        outcome = run_task(task, MtebModel(model, modality=asked), tmp_path / asked)
        assert outcome == Unavailable(
            name="LocalPages", reason=f"its documents are image, and {asked} was asked for"
        )


def test_a_text_model_reads_the_text_of_pages(shipped: PageSet, tmp_path: Path) -> None:
    folder = tiny.name_member(tiny.write_checkpoint(tmp_path / "1b", "1b"), "1b")
    texts = MtebModel(Embedder.load(folder, dtype="float32", device="cpu"))
    scored = of_mteb(page_task(shipped), texts, tmp_path)
    assert scored.note == "documents have image and text; only the text was read"
    with pytest.raises(InputError, match="reads text only, not image"):
        MtebModel(texts.embedder, modality="image")


def test_a_page_model_does_tasks_of_text_as_ever(model: Embedder, tmp_path: Path) -> None:
    ids = {"a": "tea", "b": "cake"}
    task = mteb_tasks.retrieval("Texts", ids, {"q": "tea?"}, {"q": {"a": 1}})
    assert of_mteb(task, MtebModel(model), tmp_path).note == ""
    outcome = run_task(task, MtebModel(model, modality="image"), tmp_path / "image")
    assert isinstance(outcome, Unavailable)
    assert outcome.reason == "its documents are text, and image was asked for"


def test_modality_and_tiles_keep_results_apart(model: Embedder) -> None:
    plain, image = MtebModel(model), MtebModel(model, modality="image")
    assert image.variant == plain.variant | {"modality": "image"}
    assert plain.variant["max_tiles"] == "2"
    assert image.facts()["modality"] == "image"
    assert plain.mteb_model_meta.modalities == ["text", "image"]


@pytest.mark.parametrize(
    ("name", "tasks"),
    [("ViDoRe(v1)", 10), ("ViDoRe(v2)", 4), ("ViDoRe(v3)", 10), ("vidore(v3.1)", 10)],
)
def test_vidore_resolves_by_name(name: str, tasks: int, model: Embedder) -> None:
    plan = plan_benchmark(name)
    assert len(plan.tasks) == tasks
    texts_too = name == "vidore(v3.1)"
    for task in plan.tasks:
        assert list(task.metadata.get_modalities(PromptType.query)) == ["text"]
        assert MtebModel(model).read_of(task.metadata) == ("image_text" if texts_too else "image")
        assert MtebModel(model, modality="image").read_of(task.metadata) == "image"


def test_a_broken_page_of_a_benchmark_is_no_score(model: Embedder, shipped: PageSet) -> None:
    task = page_task(shipped)
    task.load_data()
    corpus = task.dataset["default"]["test"]["corpus"].select([0])
    batch = {"image": [None], "text": ["words"]}

    class Loader(list[Any]):
        dataset = corpus

    with pytest.raises(InputError, match="LocalPages: page 1 cannot be read"):
        MtebModel(model, modality="image").encode(
            Loader([batch]),  # type: ignore[arg-type]
            task_metadata=task.metadata,
            hf_split="test",
            hf_subset="default",
            prompt_type=PromptType.document,
        )


def test_mteb_takes_the_page_model_for_an_encoder(model: Embedder) -> None:
    assert isinstance(MtebModel(model), mteb.models.EncoderProtocol)
