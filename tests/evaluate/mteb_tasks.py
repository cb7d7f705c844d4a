"""Small tasks of every kind that mteb has protocols for, made of texts in memory: no network, no cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datasets import Dataset, DatasetDict
from mteb.abstasks import AbsTaskClassification, AbsTaskClustering, AbsTaskRetrieval, AbsTaskSTS
from mteb.abstasks.task_metadata import TaskMetadata

Ids = Mapping[str, str]
Qrels = Mapping[str, Mapping[str, int]]

RIVERS = [
    "Oxbow lakes are cut-off river bends.",
    "A meander grows until the river takes the short way.",
    "Gravel and sand settle where the stream slows down.",
    "In spring the melting snow floods the valley of the river.",
    "The delta is the mud that the river leaves at the sea.",
    "Upstream of the dam the valley became a lake.",
    "Waterfalls wear their edge away and wander upstream.",
    "The banks of the river are held by the roots of willows.",
    "A canal joins the two rivers above the lock.",
    "Fish climb the river in autumn to spawn in gravel beds.",
    "The source of the stream is a spring below the glacier.",
    "High water carries sand from the river to the coast.",
]
BREAD = [
    "Knead the dough until it is smooth and elastic.",
    "Sourdough bread needs flour, water, salt and patience.",
    "Bake the loaf in a hot oven until the crust is brown.",
    "Yeast turns sugar into gas, and the dough rises.",
    "Rye flour makes a dense loaf with a sour crumb.",
    "Let the dough rest overnight in the refrigerator.",
    "A pinch of salt strengthens the gluten of the dough.",
    "Butter and eggs make a soft and sweet brioche.",
    "Dust the basket with flour before the loaf goes in.",
    "Steam in the oven gives the bread a shiny crust.",
    "Wholemeal flour takes up more water than white flour.",
    "Slice the bread only when the loaf has cooled.",
]
LEARN, JUDGE = RIVERS[:8] + BREAD[:8], RIVERS[8:] + BREAD[8:]
PAIRS: list[tuple[str, str, float]] = [
    ("The river flooded the valley.", "The valley was flooded by the river.", 5.0),
    ("Bake the bread in a hot oven.", "The loaf goes into the hot oven.", 4.0),
    ("A man plays the guitar.", "Someone is making music.", 3.0),
    ("The dough rests overnight.", "Bread needs patience.", 2.5),
    ("The river is long.", "The road is long.", 1.5),
    ("A cat sleeps on the sofa.", "The parliament passed a law.", 0.0),
    ("Snow melts in spring.", "The price of copper fell.", 0.2),
]


def alternating(texts: Sequence[str]) -> list[int]:
    """0, 1, 0, 1 and so on."""
    return [row % 2 for row in range(len(texts))]


def _metadata(name: str, kind: str, main_score: str, **more: Any) -> TaskMetadata:
    facts: dict[str, Any] = {
        "dataset": {"path": f"local/{name}", "revision": "1"},
        "description": "Texts in memory.",
        "category": "t2t",
        "modalities": ["text"],
        "eval_splits": ["test"],
        "eval_langs": ["eng-Latn"],
    }
    return TaskMetadata(name=name, type=kind, main_score=main_score, **(facts | more))


def retrieval(
    name: str,
    documents: Ids,
    queries: Ids,
    qrels: Qrels,
    *,
    candidates: Mapping[str, Sequence[str]] | None = None,
    same_ids_left_out: bool = False,
    titles: Ids | None = None,
    subsets: Sequence[str] = ("default",),
    missing: BaseException | None = None,
    kind: str = "Retrieval",
    prompt: Any = None,
    **more: Any,
) -> AbsTaskRetrieval:
    """A retrieval task; ``candidates`` is mteb's ``top_ranked``, ``missing`` is raised on loading.

    Several subsets hold the same data under different names.
    """

    class Local(AbsTaskRetrieval):  # type: ignore[misc]
        metadata = _metadata(name, kind, "ndcg_at_10", prompt=prompt, **more)
        ignore_identical_ids = same_ids_left_out
        loads = 0

        def load_data(self, *_: object, **__: object) -> None:
            type(self).loads += 1
            if missing is not None:
                raise missing
            corpus = [
                {"id": id_, "title": (titles or {}).get(id_, ""), "text": text}
                for id_, text in documents.items()
            ]
            asked = [{"id": id_, "text": text} for id_, text in queries.items()]
            self.dataset = {
                subset: {
                    "test": {
                        "corpus": Dataset.from_list(corpus),
                        "queries": Dataset.from_list(asked),
                        "relevant_docs": {id_: dict(grades) for id_, grades in qrels.items()},
                        "top_ranked": candidates,
                    }
                }
                for subset in subsets
            }
            self.data_loaded = True

    if tuple(subsets) != ("default",):
        Local.metadata = Local.metadata.model_copy(
            update={"eval_langs": {subset: ["eng-Latn"] for subset in subsets}}
        )
    return Local()


def sts(name: str = "LocalSTS", pairs: Sequence[tuple[str, str, float]] = PAIRS) -> AbsTaskSTS:
    """Pairs with grades of likeness."""

    class Local(AbsTaskSTS):  # type: ignore[misc]
        metadata = _metadata(name, "STS", "cosine_spearman")

        def load_data(self, *_: object, **__: object) -> None:
            columns = ("sentence1", "sentence2", "score")
            rows = [dict(zip(columns, pair, strict=True)) for pair in pairs]
            self.dataset = DatasetDict({"test": Dataset.from_list(rows)})
            self.data_loaded = True

    return Local()


def classification(name: str = "LocalClassification") -> AbsTaskClassification:
    """Every second text has one label, whatever it is about: hard, so that a score tells something.

    Eight texts of each label to learn from, four to judge.
    """

    class Local(AbsTaskClassification):  # type: ignore[misc]
        metadata = _metadata(name, "Classification", "accuracy")
        n_experiments = 2

        def load_data(self, *_: object, **__: object) -> None:
            parts = {"train": LEARN, "test": JUDGE}
            self.dataset = DatasetDict(
                {
                    split: Dataset.from_dict({"text": texts, "label": alternating(texts)})
                    for split, texts in parts.items()
                }
            )
            self.data_loaded = True

    return Local()


def clustering(name: str = "LocalClustering") -> AbsTaskClustering:
    """Rivers and bread, all mixed."""

    class Local(AbsTaskClustering):  # type: ignore[misc]
        metadata = _metadata(name, "Clustering", "v_measure")
        max_fraction_of_documents_to_embed = None
        max_documents_per_cluster = 24
        n_clusters = 3

        def load_data(self, *_: object, **__: object) -> None:
            labels = ["river"] * len(RIVERS) + ["bread"] * len(BREAD)
            rows = Dataset.from_dict({"sentences": RIVERS + BREAD, "labels": labels})
            self.dataset = DatasetDict({"test": rows})
            self.data_loaded = True

    return Local()
