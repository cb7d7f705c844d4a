"""Our model in mteb's hands: its scores worked out again, its prompts word by word, its bounds."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mteb
import numpy as np
import pytest
import torch
from datasets import Dataset
from mteb.abstasks import AbsTaskRetrieval
from mteb.abstasks.aggregated_task import AbsTaskAggregate
from mteb.models import EncoderProtocol, SearchProtocol
from mteb.models.model_implementations.nvidia_models import TASK_PROMPTS, LlamaEmbedNemotron
from mteb.types import PromptType
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from tests import tiny
from tests.evaluate import mteb_tasks
from torch.utils.data import DataLoader

from biencoder import Embedder
from biencoder.batching.schedule import WINDOW_TEXTS
from biencoder.config.dialects import write_d1
from biencoder.config.prompts import BRIGHT_INSTRUCTIONS
from biencoder.corpus.beir import read_corpus, read_qrels, read_queries
from biencoder.embedder import stream
from biencoder.embedder.notices import LicenceWarning
from biencoder.errors import DimensionError, InputError
from biencoder.evaluate.metrics import ndcg_at, rank, recall_at
from biencoder.evaluate.mteb_model import MtebModel
from biencoder.evaluate.mteb_prompts import bright_domain, task_prompt
from biencoder.text.tokenizer import TextTokenizer

DOCS = Path(__file__).parents[2] / "examples" / "fastapi-docs" / "en"
QUESTION = "Instruct: Given a question, retrieve passages that answer the question\nQuery: "
CLAIM = "Instruct: Given a claim, find documents that refute the claim\nQuery: "
SIMILAR = "Instruct: Retrieve semantically similar text\nQuery: "

pytestmark = pytest.mark.filterwarnings(f"ignore::{LicenceWarning.__module__}.LicenceWarning")


@pytest.fixture(scope="module")
def mini() -> Embedder:
    return Embedder.load("mini", dtype="float32", device="cpu")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the tokenizer is given, prompt and text in one."""
    seen: list[str] = []
    original = TextTokenizer._encode_batch

    def spy(self: TextTokenizer, texts: list[str]) -> list[Any]:
        seen.extend(texts)
        return original(self, texts)

    monkeypatch.setattr(TextTokenizer, "_encode_batch", spy)
    return seen


def member(tmp_path: Path, shape: str) -> Embedder:
    folder = tiny.name_member(tiny.write_checkpoint(tmp_path / shape, shape), shape)
    return Embedder.load(folder, dtype="float32", device="cpu")


def scores(model: MtebModel, task: Any) -> dict[str, Any]:
    """What mteb says of the one subset of a task."""
    result = mteb.evaluate(model, task, cache=None, co2_tracker=False, show_progress_bar=False)
    (entry,) = result.task_results[0].scores["test"]
    return dict(entry)


def loader(texts: list[str]) -> Any:
    return DataLoader(Dataset.from_dict({"text": texts}), batch_size=4)


def encode(
    model: MtebModel, texts: list[str], task: Any, side: PromptType | None, subset: str = "default"
) -> Any:
    metadata = mteb.get_task(task).metadata if isinstance(task, str) else task.metadata
    return model.encode(
        loader(texts), task_metadata=metadata, hf_split="test", hf_subset=subset, prompt_type=side
    )


# --- the values -----------------------------------------------------------------------------


def test_mteb_takes_it_for_an_encoder_and_nothing_else(mini: Embedder) -> None:
    model = MtebModel(mini)
    assert isinstance(model, EncoderProtocol)
    assert not isinstance(model, SearchProtocol)
    assert (model.mteb_model_meta.name, model.mteb_model_meta.embed_dim) == ("biencoder/mini", 384)


def test_retrieval_equals_our_metrics_over_our_vectors(mini: Embedder) -> None:
    pages = [replace(page, text=page.text[:400]) for page in list(read_corpus(DOCS))[:40]]
    ids = [page.id for page in pages]
    qrels = {
        query: grades for query, grades in read_qrels(DOCS).items() if grades.keys() <= set(ids)
    }
    queries = {id_: text for id_, text in read_queries(DOCS).items() if id_ in qrels}
    assert len(queries) > 50
    task = mteb_tasks.retrieval(
        "LocalDocs",
        {page.id: page.text for page in pages},
        queries,
        qrels,
        titles={page.id: page.title for page in pages},
    )
    found = scores(MtebModel(mini), task)

    documents = mini.encode_documents([page.full_text for page in pages])
    cosines = mini.encode_queries(list(queries.values())) @ documents.T
    rankings = [rank(dict(zip(ids, row, strict=True))) for row in cosines.tolist()]
    grades = [qrels[query] for query in queries]
    ndcg = np.mean([ndcg_at(10, r, g) for r, g in zip(rankings, grades, strict=True)])
    recall = np.mean([recall_at(5, r, g) for r, g in zip(rankings, grades, strict=True)])
    assert found["ndcg_at_10"] == pytest.approx(ndcg, abs=1e-5)
    assert found["recall_at_5"] == pytest.approx(recall, abs=1e-5)
    assert 0.3 < ndcg < 0.99, "a corpus that is too easy would hide a mistake"


def test_sts_equals_scipys_spearman_of_our_cosines(mini: Embedder) -> None:
    left, right, grades = zip(*mteb_tasks.PAIRS, strict=True)
    cosines = (mini.encode_queries(left) * mini.encode_queries(right)).sum(axis=1)
    expected = spearmanr(cosines, grades).statistic
    assert scores(MtebModel(mini), mteb_tasks.sts())["cosine_spearman"] == pytest.approx(expected)
    assert expected < 0.999


def test_classification_equals_a_regression_on_our_vectors(mini: Embedder) -> None:
    found = scores(MtebModel(mini), mteb_tasks.classification())
    learn, judge = mteb_tasks.LEARN, mteb_tasks.JUDGE
    # Eight texts a label are there and eight are drawn: every experiment learns from all of them.
    regression = LogisticRegression(max_iter=100)
    regression.fit(mini.encode_queries(learn), mteb_tasks.alternating(learn))
    expected = regression.score(mini.encode_queries(judge), mteb_tasks.alternating(judge))
    assert found["accuracy"] == pytest.approx(expected)
    assert 0 < expected < 1


def test_clustering_parts_two_subjects_that_lie_apart(mini: Embedder) -> None:
    vectors = mini.encode_queries(mteb_tasks.RIVERS + mteb_tasks.BREAD)
    centres = np.stack([vectors[:12].mean(axis=0), vectors[12:].mean(axis=0)])
    nearest = (vectors @ centres.T).argmax(axis=1)
    assert nearest.tolist() == [0] * 12 + [1] * 12, "the texts do not lie apart"
    assert scores(MtebModel(mini), mteb_tasks.clustering())["v_measure"] == pytest.approx(1.0)


def test_vectors_are_float32_unit_and_in_order(mini: Embedder) -> None:
    texts = mteb_tasks.RIVERS
    vectors = encode(MtebModel(mini), texts, mteb_tasks.sts(), None)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(vectors, mini.encode_queries(texts))


def test_similarity_is_the_cosine_in_float32_tensors(mini: Embedder) -> None:
    model = MtebModel(mini)
    a = np.array([[3.0, 4.0], [0.0, 2.0]], dtype=np.float32)
    b = np.array([[1.0, 0.0], [0.0, 5.0]], dtype=np.float32)
    expected = torch.tensor([[0.6, 0.8], [0.0, 1.0]])
    torch.testing.assert_close(model.similarity(a, b), expected)
    torch.testing.assert_close(model.similarity_pairwise(a, b), expected.diagonal())


# --- what must not be ranked ----------------------------------------------------------------

PROBLEM = "Knead the dough until it is smooth and elastic."
ANSWER = "Kneading makes the gluten of the dough strong and elastic."


def test_an_excluded_document_is_not_ranked(mini: Embedder) -> None:
    documents = {"itself": PROBLEM, "answer": ANSWER, "other": mteb_tasks.RIVERS[0]}
    candidates = {"q": ["answer", "other"]}
    task = ({"q": PROBLEM}, {"q": {"answer": 1}})
    all_ranked = mteb_tasks.retrieval("LocalAll", documents, *task)
    without = mteb_tasks.retrieval("LocalWithout", documents, *task, candidates=candidates)
    # The problem finds itself first, so its answer is second: 1 / log2(3).
    assert scores(MtebModel(mini), all_ranked)["ndcg_at_10"] == pytest.approx(0.63093)
    assert scores(MtebModel(mini), without)["ndcg_at_10"] == 1


def test_a_document_with_the_querys_own_id_is_not_ranked(mini: Embedder) -> None:
    assert mteb.get_task("ArguAna").ignore_identical_ids
    documents = {"q": PROBLEM, "answer": ANSWER, "other": mteb_tasks.RIVERS[0]}
    task = (documents, {"q": PROBLEM}, {"q": {"answer": 1}})
    kept = mteb_tasks.retrieval("LocalKept", *task)
    left_out = mteb_tasks.retrieval("LocalLeftOut", *task, same_ids_left_out=True)
    assert scores(MtebModel(mini), kept)["ndcg_at_10"] == pytest.approx(0.63093)
    assert scores(MtebModel(mini), left_out)["ndcg_at_10"] == 1


# --- the prompts ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "side", "prefix"),
    [
        ("MLQARetrieval", PromptType.query, QUESTION),
        ("MLQARetrieval", PromptType.document, ""),
        ("AlloprofReranking", PromptType.query, QUESTION),
        ("AlloprofReranking", PromptType.document, ""),
        ("ArguAna", PromptType.query, CLAIM),
        ("ArguAna", PromptType.document, CLAIM),
        ("STS12", None, SIMILAR),
        ("SprintDuplicateQuestions", None, SIMILAR),
        ("Tatoeba", None, "Instruct: Retrieve parallel sentences\nQuery: "),
        (
            "SIB200ClusteringS2S",
            None,
            "Instruct: Identify the category of documents\nQuery: ",
        ),
        (
            "TwentyNewsgroupsClustering.v2",
            None,
            "Instruct: Identify the topic or theme of the given news articles\nQuery: ",
        ),
    ],
)
def test_the_8b_reads_the_instruction_of_its_task(
    task: str, side: PromptType | None, prefix: str, tmp_path: Path, read: list[str]
) -> None:
    model = MtebModel(member(tmp_path, "8b"))
    encode(model, ["why?", "query: why?"], task, side)
    assert read == [f"{prefix}why?", f"{prefix}query: why?"]
    assert model.prompts == {side.value if side else "text": {prefix: None}}


def test_the_8bs_instructions_are_those_of_mtebs_own_wrapper(tmp_path: Path) -> None:
    prompts = member(tmp_path, "8b").profile.prompts
    wrapper = object.__new__(LlamaEmbedNemotron)
    wrapper.task_prompts = TASK_PROMPTS
    names = ("MTEB(Multilingual, v2)", "MTEB(eng, v2)", "BEIR", "BRIGHT(v1.1)", "ViDoRe(v3)")
    tasks = {task.metadata.name: task for name in names for task in mteb.get_benchmark(name).tasks}
    assert len(tasks) > 190
    for task in tasks.values():
        if isinstance(task, AbsTaskAggregate):  # only its parts are encoded
            continue
        metadata, searched = task.metadata, isinstance(task, AbsTaskRetrieval)
        for side in (PromptType.query, PromptType.document) if searched else (None,):
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Prompt type .* not found")
                expected = wrapper._get_task_specific_instruction(metadata, side)
            ours = task_prompt(prompts, metadata, side)
            prefix = prompts.prefix(ours.role, ours.instruction)
            assert prefix == wrapper._instruction_template(expected), (metadata.name, side)


@pytest.mark.parametrize("shape", ["1b", "300m"])
def test_a_fixed_prompt_goes_by_side_and_everything_else_is_a_query(
    shape: str, tmp_path: Path, read: list[str]
) -> None:
    model = MtebModel(member(tmp_path, shape))
    for side in (PromptType.query, PromptType.document, None):
        encode(model, ["why?"], "ArguAna", side)
    assert read == ["query: why?", "passage: why?", "query: why?"]


def test_the_3b_reads_each_of_its_twelve_instructions_on_bright(
    tmp_path: Path, read: list[str]
) -> None:
    model = MtebModel(member(tmp_path, "3b"))
    tasks = mteb.get_benchmark("BRIGHT(v1.1)").tasks
    assert len(tasks) == 20
    for task in tasks:
        encode(model, ["why?"], task, PromptType.query)
        encode(model, ["because"], task, PromptType.document)
    assert set(read[1::2]) == {"passage: because"}
    written = {f"Instruct: {text}\nQuery: why?" for text in BRIGHT_INSTRUCTIONS.values()}
    assert set(read[::2]) == written
    domains = [bright_domain(task.metadata.name) for task in tasks]
    assert read[::2] == [
        f"Instruct: {BRIGHT_INSTRUCTIONS[str(domain)]}\nQuery: why?" for domain in domains
    ]


def test_the_3bs_instruction_follows_the_subset_of_the_older_bright(
    tmp_path: Path, read: list[str]
) -> None:
    model = MtebModel(member(tmp_path, "3b"))
    encode(model, ["why?"], "BrightRetrieval", PromptType.query, subset="pony")
    assert read == [f"Instruct: {BRIGHT_INSTRUCTIONS['pony']}\nQuery: why?"]


@pytest.mark.parametrize(("shape", "prefix"), [("3b", "query: "), ("8b", QUESTION)])
def test_plain_prompts_know_no_task(
    shape: str, prefix: str, tmp_path: Path, read: list[str]
) -> None:
    model = MtebModel(member(tmp_path, shape), prompting="plain")
    encode(model, ["why?"], "BrightPonyRetrieval", PromptType.query)
    encode(model, ["why?"], "STS12", None)
    assert read == [f"{prefix}why?"] * 2
    assert model.variant["prompting"] == "plain"


def test_an_unknown_prompt_rule_is_refused(mini: Embedder) -> None:
    with pytest.raises(InputError, match="the prompt rule 'best' is unknown"):
        MtebModel(mini, prompting="best")  # type: ignore[arg-type]


def test_a_document_is_its_title_and_text(mini: Embedder, read: list[str]) -> None:
    task = mteb_tasks.retrieval(
        "LocalTitle",
        {"d": "cut-off bends"},
        {"q": "lakes?"},
        {"q": {"d": 1}},
        titles={"d": "Oxbow"},
    )
    scores(MtebModel(mini), task)
    assert read == ["query: lakes?", "passage: Oxbow cut-off bends"]


# --- bounds, counts, names --------------------------------------------------------------------


def test_the_corpus_is_read_window_by_window(
    mini: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    total, read_so_far, at_each_window = 6 * WINDOW_TEXTS, 0, []

    class Counting:
        dataset = range(total)

        def __iter__(self) -> Iterator[dict[str, list[str]]]:
            nonlocal read_so_far
            for _ in range(0, total, 128):
                read_so_far += 128
                yield {"text": ["a"] * 128}

    def compute(ids: list[Any], *, dimensions: int, **_: Any) -> Any:
        at_each_window.append(read_so_far)
        return np.zeros((len(ids), dimensions), np.float32)

    monkeypatch.setattr(stream, "compute", compute)
    model = MtebModel(mini)
    vectors = model.encode(
        Counting(),  # type: ignore[arg-type]
        task_metadata=mteb.get_task("ArguAna").metadata,
        hf_split="test",
        hf_subset="default",
    )
    assert vectors.shape == (total, 384)
    assert len(at_each_window) == 6
    # The window that computes, the one that is prepared, and the text that closed it.
    for window, read_texts in enumerate(at_each_window, start=1):
        assert read_texts <= (window + 2) * WINDOW_TEXTS


def test_cut_and_unreadable_texts_are_counted(mini: Embedder) -> None:
    model = MtebModel(mini, max_tokens=16)
    encode(model, ["short", "river " * 40, "ชีวิตคือการเดินทางที่ยาวไกล"], "STS12", None)
    assert model.counts["texts"] == 3
    assert model.counts["cut"] >= 1
    assert model.counts["unreadable"] == 1
    assert model.counts["tokens"] <= 3 * 16
    model.reset()
    assert model.counts["cut"] == 0


def test_cutting_earlier_is_another_model(mini: Embedder) -> None:
    whole, short = MtebModel(mini), MtebModel(mini, max_tokens=16)
    text = ["river " * 40]
    assert mini.max_tokens == 512
    assert whole.revision != short.revision
    assert short.facts()["max_tokens"] == 16
    assert not np.array_equal(
        encode(whole, text, "STS12", None), encode(short, text, "STS12", None)
    )


def test_the_8b_is_cut_where_its_card_cuts_it(tmp_path: Path) -> None:
    folder = tiny.write_checkpoint(
        tmp_path / "8b",
        "8b",
        raw=write_d1(tiny.SHAPES["8b"]) | {"max_position_embeddings": 32768},
    )
    model = Embedder.load(tiny.name_member(folder, "8b"), dtype="float32", device="cpu")
    assert model.max_tokens == 32768
    assert MtebModel(model).embedder.max_tokens == 4096
    assert MtebModel(model, max_tokens=32768).embedder.max_tokens == 32768


@pytest.mark.parametrize("limit", [0, 513])
def test_a_limit_that_the_model_does_not_have_is_refused(mini: Embedder, limit: int) -> None:
    with pytest.raises(InputError, match="reads 1 to 512"):
        MtebModel(mini, max_tokens=limit)


def test_a_matryoshka_size_is_kept_apart(mini: Embedder) -> None:
    model = MtebModel(mini, dimensions=128)
    assert encode(model, ["x"], "STS12", None).shape == (1, 128)
    assert model.mteb_model_meta.experiment_name == "dimensions_128__dtype_float32"
    with pytest.raises(DimensionError):
        MtebModel(mini, dimensions=100)


def test_an_option_that_would_change_the_vectors_is_refused(mini: Embedder) -> None:
    with pytest.raises(InputError, match="'precision'"):
        MtebModel(mini).encode(
            loader(["x"]),
            task_metadata=mteb.get_task("STS12").metadata,
            hf_split="test",
            hf_subset="default",
            precision="int8",
        )


def test_inputs_without_text_are_refused(mini: Embedder) -> None:
    images = DataLoader(Dataset.from_dict({"image": [1, 2]}))
    with pytest.raises(InputError, match="has inputs without text"):
        MtebModel(mini).encode(
            images,
            task_metadata=mteb.get_task("STS12").metadata,
            hf_split="test",
            hf_subset="default",
        )


def test_a_folder_does_not_bear_a_published_name(tmp_path: Path) -> None:
    assert MtebModel(member(tmp_path, "8b")).name == "local/llama-embed-nemotron-8b"
