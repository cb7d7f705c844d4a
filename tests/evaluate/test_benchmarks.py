"""Benchmarks and suites: what runs, what cannot be had, what is not run twice, which mean is given."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import datasets
import mteb
import pytest
from datasets import Dataset
from mteb.abstasks.aggregate_task_metadata import AggregateTaskMetadata
from mteb.abstasks.aggregated_task import AbsTaskAggregate
from mteb.types import PromptType
from tests import tiny
from tests.evaluate import mteb_tasks

from biencoder import Embedder
from biencoder.cli.show_benchmark import show_benchmark
from biencoder.embedder.notices import LicenceWarning
from biencoder.errors import InputError
from biencoder.evaluate import Settings, benchmarks, evaluate, mteb_run
from biencoder.evaluate.benchmark_result import BenchmarkResult, load_benchmark_result
from biencoder.evaluate.benchmarks import (
    Plan,
    benchmark_names,
    benchmark_tasks,
    plan_benchmark,
    run_benchmark,
    run_plan,
)
from biencoder.evaluate.mteb_model import MtebModel
from biencoder.evaluate.mteb_prompts import task_prompt
from biencoder.evaluate.results import Result
from biencoder.evaluate.suites import SUITES, parse_folders, plan_suite, run_suite
from biencoder.evaluate.systems import EmbedderSystem

pytestmark = pytest.mark.filterwarnings(f"ignore::{LicenceWarning.__module__}.LicenceWarning")

OFFLINE = ConnectionError("Couldn't reach 'local/far' on the Hub")
DOCUMENTS = {"river": mteb_tasks.RIVERS[0], "bread": mteb_tasks.BREAD[0]}
QUERIES = {"q": "What is an oxbow lake?"}
QRELS = {"q": {"river": 1}}


@pytest.fixture(scope="module")
def mini() -> Embedder:
    return Embedder.load("mini", dtype="float32", device="cpu")


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks whose texts were encoded, one entry a call."""
    calls: list[str] = []
    original = MtebModel.encode

    def spy(self: MtebModel, inputs: Any, *, task_metadata: Any, **more: Any) -> Any:
        calls.append(task_metadata.name)
        return original(self, inputs, task_metadata=task_metadata, **more)

    monkeypatch.setattr(MtebModel, "encode", spy)
    return calls


def local(name: str, **more: Any) -> Any:
    return mteb_tasks.retrieval(name, DOCUMENTS, QUERIES, QRELS, **more)


def plan(*tasks: Any, title: str = "local", **more: Any) -> Plan:
    kinds = {t.metadata.name: (str(t.metadata.type), str(t.metadata.main_score)) for t in tasks}
    return Plan(title=title, tasks=tasks, expected=kinds, **more)


def run(
    mini: Embedder, output: Path, *tasks: Any, tell: Callable[[str], None] | None = None
) -> BenchmarkResult:
    return run_plan(MtebModel(mini), plan(*tasks), output=output, tell=tell)


# --- what cannot be had -----------------------------------------------------------------------


def test_a_task_that_cannot_be_had_is_named_and_the_rest_goes_on(
    mini: Embedder, tmp_path: Path
) -> None:
    told: list[str] = []
    tasks = local("LocalFar", missing=OFFLINE), local("LocalNear")
    result = run(mini, tmp_path, *tasks, tell=told.append)
    reason = "ConnectionError: Couldn't reach 'local/far' on the Hub"
    assert result.unavailable == {"LocalFar": reason}
    assert [task.name for task in result.tasks] == ["LocalNear"]
    assert told == [f"LocalFar: unavailable: {reason}", "LocalNear: ndcg_at_10 100.00"]


def test_a_mean_that_lacks_a_task_is_not_the_mean(mini: Embedder, tmp_path: Path) -> None:
    result = run(mini, tmp_path, local("LocalFar", missing=OFFLINE), local("LocalNear"))
    assert (result.mean, result.complete) == (None, False)
    (partial,) = result.means
    assert (partial.value, partial.tasks, partial.expected) == (1.0, 1, 2)
    assert partial.missing == ("LocalFar",)
    assert str(partial) == "all tasks: 100.00 over 1 of 2 tasks, not the mean"


def test_a_mean_over_all_tasks_is_the_mean_of_their_means(mini: Embedder, tmp_path: Path) -> None:
    result = run(mini, tmp_path, mteb_tasks.sts(), local("LocalNear"))
    sts, retrieval = result.tasks
    assert result.complete
    assert result.mean == pytest.approx((sts.score + retrieval.score) / 2)
    assert [(mean.name, mean.tasks) for mean in result.means] == [
        ("all tasks", 2),
        ("STS", 1),
        ("Retrieval", 1),
    ]


def test_an_error_while_scoring_is_no_missing_data(
    mini: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("a mistake of ours")

    monkeypatch.setattr(MtebModel, "encode", broken)
    with pytest.raises(OSError, match="a mistake of ours"):
        run(mini, tmp_path, local("LocalNear"))


def test_an_error_of_another_kind_while_loading_comes_out(mini: Embedder, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two different rows"):
        run(mini, tmp_path, local("LocalBroken", missing=ValueError("two different rows")))


def test_data_of_which_only_another_part_is_cached_cannot_be_had(
    mini: Embedder, tmp_path: Path
) -> None:
    partly = ValueError("Couldn't find cache for local/x for config 'de'\nAvailable: ['en']")
    result = run(mini, tmp_path, local("LocalPartly", missing=partly))
    assert result.unavailable == {
        "LocalPartly": "ValueError: Couldn't find cache for local/x for config 'de'"
    }


def test_a_benchmark_without_the_network_names_every_task(mini: Embedder, tmp_path: Path) -> None:
    result = run_benchmark(mini, "nanobeir", output=tmp_path)
    assert result.benchmark == "NanoBEIR"
    assert len(result.unavailable) == 13
    assert result.means[0].value is None
    assert "Couldn't reach" in result.unavailable["NanoNQRetrieval"]


@pytest.mark.parametrize("name", ["ViDoRe(v1)", "ViDoRe(v2)", "ViDoRe(v3)"])
def test_pages_are_refused_in_a_sentence(name: str, mini: Embedder, tmp_path: Path) -> None:
    result = run_benchmark(mini, name, output=tmp_path)
    assert len(result.unavailable) == result.means[0].expected > 0
    reason = "its documents are image, and biencoder/mini reads text only"
    assert set(result.unavailable.values()) == {reason}


def test_the_text_of_pages_that_have_one_is_read(mini: Embedder, tmp_path: Path) -> None:
    both = local("LocalPages", category="t2it", modalities=["text", "image"])
    (task,) = run(mini, tmp_path, both).tasks
    assert task.note == "documents have image and text; only the text was read"


# --- resuming -----------------------------------------------------------------------------------


def test_what_stands_is_not_encoded_again(
    mini: Embedder, tmp_path: Path, encoded: list[str]
) -> None:
    first = run(mini, tmp_path, local("LocalNear"), mteb_tasks.sts())
    assert encoded
    encoded.clear()
    second = run(mini, tmp_path, local("LocalNear"), mteb_tasks.sts())
    assert encoded == []
    assert second.tasks == first.tasks, "counts, prompts and seconds are kept with the scores"


def test_a_killed_run_goes_on_where_it_was(
    mini: Embedder, tmp_path: Path, encoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kill = local("LocalKill", missing=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run(mini, tmp_path, local("LocalNear"), kill)
    kept = load_benchmark_result(tmp_path / "benchmarks" / "local" / _name(mini))
    assert not kept.complete
    encoded.clear()
    result = run(mini, tmp_path, local("LocalNear"), local("LocalKill"))
    assert set(encoded) == {"LocalKill"}
    assert result.complete


def test_a_killed_task_goes_on_with_the_next_subset(
    mini: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    original = MtebModel.encode

    def until_de(self: MtebModel, inputs: Any, *, hf_subset: str, **more: Any) -> Any:
        seen.append(hf_subset)
        if hf_subset == "de" and seen.count("de") == 1:
            raise KeyboardInterrupt
        return original(self, inputs, hf_subset=hf_subset, **more)

    monkeypatch.setattr(MtebModel, "encode", until_de)
    with pytest.raises(KeyboardInterrupt):
        run(mini, tmp_path, local("LocalTwo", subsets=("en", "de")))
    seen.clear()
    seen.append("de")
    (task,) = run(mini, tmp_path, local("LocalTwo", subsets=("en", "de"))).tasks
    assert set(seen) == {"de"}
    assert task.scores == {"test": {"en": 1.0, "de": 1.0}}
    assert "the last run" in task.note


def test_half_a_file_is_made_anew(mini: Embedder, tmp_path: Path, encoded: list[str]) -> None:
    first = run(mini, tmp_path, local("LocalNear"))
    (file,) = (tmp_path / "mteb").rglob("LocalNear.json")
    whole = file.read_text()
    file.write_text(whole[: len(whole) // 2])
    encoded.clear()
    assert run(mini, tmp_path, local("LocalNear")).mean == first.mean
    assert encoded


def test_another_form_of_the_model_has_results_of_its_own(
    mini: Embedder, tmp_path: Path, encoded: list[str]
) -> None:
    run(mini, tmp_path, local("LocalNear"))
    encoded.clear()
    for model in (MtebModel(mini, dimensions=64), MtebModel(mini, max_tokens=32)):
        run_plan(model, plan(local("LocalNear")), output=tmp_path)
    assert encoded.count("LocalNear") == 4
    assert len(list((tmp_path / "mteb").rglob("LocalNear.json"))) == 3


def test_results_lie_in_mtebs_own_layout(mini: Embedder, tmp_path: Path) -> None:
    run(mini, tmp_path, local("LocalNear"))
    cache = mteb.ResultCache(tmp_path / "mteb")
    model = MtebModel(mini)
    stored = cache.load_task_result("LocalNear", model.mteb_model_meta)
    assert stored is not None
    assert stored.get_score() == 1.0
    place = cache.get_task_result_path("LocalNear", model.mteb_model_meta)
    assert place.is_relative_to(tmp_path / "mteb" / "results" / "biencoder__mini" / model.revision)


def test_a_summary_is_read_back_as_it_was(mini: Embedder, tmp_path: Path) -> None:
    result = run(mini, tmp_path, local("LocalNear"), local("LocalFar", missing=OFFLINE))
    path = tmp_path / "benchmarks" / "local" / _name(mini)
    assert load_benchmark_result(path) == result
    stored = json.loads(path.read_text())
    assert stored["format"] == "biencoder-benchmark-1"
    assert stored["mean"] is None
    assert stored["model"]["prompts"] == {"query": "query: ", "document": "passage: "}
    assert stored["counts"]["texts"] == 3
    path.write_text("{}")
    with pytest.raises(InputError, match="is no result"):
        load_benchmark_result(path)


def test_what_stands_keeps_its_date_and_says_which_data_and_which_mteb_gave_it(
    mini: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = pin_the_date(monkeypatch, "2026-01-01 09:00 UTC")
    (first,) = run(mini, tmp_path, local("LocalNear")).tasks
    assert (first.data, first.mteb) == ("1", metadata.version("mteb"))
    day["date"] = "2026-02-02 09:00 UTC"
    again = run(mini, tmp_path, local("LocalNear"))
    assert again.conditions["date"] == again.tasks[0].conditions["date"] == "2026-01-01 09:00 UTC"
    more = run(mini, tmp_path, local("LocalNear"), local("LocalNew"))
    assert [task.conditions["date"][:10] for task in more.tasks] == ["2026-01-01", "2026-02-02"]
    assert more.conditions["date"] == "2026-02-02 09:00 UTC"


def test_scores_of_another_mteb_are_told_and_not_taken_for_measured_now(
    mini: Embedder, tmp_path: Path
) -> None:
    run(mini, tmp_path, local("LocalNear"))
    (file,) = (tmp_path / "mteb").rglob("LocalNear.json")
    stored = json.loads(file.read_text())
    stored["mteb_version"] = "2.0.1"
    stored["date"] = "2025-03-04T05:06:07Z"
    for entry in stored["scores"]["test"]:
        entry["mteb_version"] = "2.0.1"
    file.write_text(json.dumps(stored))
    (tmp_path / "benchmarks" / "local" / _name(mini)).unlink()
    told: list[str] = []
    (task,) = run(mini, tmp_path, local("LocalNear"), tell=told.append).tasks
    assert task.mteb == "2.0.1"
    assert task.conditions == {"versions": {"mteb": "2.0.1"}, "date": "2025-03-04 05:06 UTC"}
    assert told[0].endswith(f"scored by mteb 2.0.1, not {metadata.version('mteb')}")


def test_a_part_of_a_benchmark_does_not_overwrite_the_whole(mini: Embedder, tmp_path: Path) -> None:
    whole, part = {"benchmark": "local"}, {"benchmark": "local", "tasks": ["LocalNear"]}
    for asked, tasks in ((whole, ("LocalNear", "LocalNew")), (part, ("LocalNear",)), (whole, ())):
        chosen = plan(*map(local, tasks or ("LocalNear", "LocalNew")), asked=asked)
        run_plan(MtebModel(mini), chosen, output=tmp_path)
    kept = [load_benchmark_result(path) for path in (tmp_path / "benchmarks").rglob("*.json")]
    assert sorted((len(each.tasks), dict(each.asked)) for each in kept) == [(1, part), (2, whole)]


def test_the_metrics_of_a_task_have_our_names_and_are_means_over_its_subsets(
    mini: Embedder, tmp_path: Path
) -> None:
    result = run(mini, tmp_path, local("LocalTwo", subsets=("en", "de")), mteb_tasks.sts())
    searched, similar = result.tasks
    assert searched.metrics["ndcg@10"] == searched.metrics["recall@5"] == 1.0
    assert similar.metrics == {similar.metric: similar.score}
    record = result.record()
    assert [task["dataset"] for task in record["tasks"]] == ["LocalTwo", similar.name]
    assert record["tasks"][0]["metrics"] == dict(searched.metrics)
    assert record["tasks"][0]["bm25"] is None
    assert record["metrics"] == {}, "a mean of two different measures is none of either"


def test_a_mean_of_tasks_is_combined_from_parts(
    mini: Embedder, tmp_path: Path, encoded: list[str]
) -> None:
    result = run(mini, tmp_path, _aggregate(local("LocalPartA"), local("LocalPartB")))
    assert result.mean == 1.0
    assert result.tasks[0].counts["texts"] == 6
    encoded.clear()
    run(mini, tmp_path, _aggregate(local("LocalPartA"), local("LocalPartB")))
    assert encoded == []
    far = run(mini, tmp_path, _aggregate(local("LocalPartA"), local("LocalPartC", missing=OFFLINE)))
    assert far.unavailable["LocalWhole"].startswith("its part LocalPartC is unavailable")


# --- which tasks --------------------------------------------------------------------------------


def test_an_unknown_benchmark_names_the_nearest(mini: Embedder, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"did you mean 'BRIGHT\(v1\.1\)'"):
        run_benchmark(mini, "BRIGT(v1.1)", output=tmp_path)


def test_an_unknown_task_or_language_is_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'NanoNQRetrieval'"):
        plan_benchmark("NanoBEIR", tasks=["NanoNQRetrival"])
    with pytest.raises(InputError, match="write it as eng"):
        plan_benchmark("MIRACL", languages=["german"])


@pytest.mark.parametrize(
    ("name", "tasks"),
    [
        ("BRIGHT(v1.1)", 20),
        ("BRIGHT(v1.1, short)", 12),
        ("BRIGHT(v1.1, long)", 8),
        ("MTEB(Multilingual, v2)", 131),
        ("MTEB(eng, v2)", 41),
        ("BEIR", 15),
        ("NanoBEIR", 13),
        ("MIRACL", 1),
        ("MLQA", 1),
        ("MLDR", 1),
        ("ViDoRe(v1)", 10),
        ("ViDoRe(v2)", 4),
        ("ViDoRe(v3)", 10),
    ],
)
def test_the_benchmarks_of_the_cards_are_there(name: str, tasks: int) -> None:
    assert name in benchmark_names()
    assert len(benchmark_tasks(name)[1]) == tasks


def test_only_the_test_split_of_mlqa_and_mldr_is_run() -> None:
    for name, subsets in (("MLQA", 49), ("MLDR", 13)):
        ((task,),) = (benchmark_tasks(name)[1],)
        assert (list(task.eval_splits), len(task.hf_subsets)) == (["test"], subsets)


def test_a_choice_of_tasks_or_languages_is_told() -> None:
    some = plan_benchmark("NanoBEIR", tasks=["NanoNQRetrieval"])
    assert [task.metadata.name for task in some.tasks] == ["NanoNQRetrieval"]
    assert len(some.expected) == 13, "the mean of one task is not the benchmark's"
    assert set(some.left_out.values()) == {"not asked for"}
    german = plan_benchmark("MIRACL", languages=["deu", "eng"])
    assert german.title == "MIRACL, languages deu+eng"
    assert german.tasks[0].hf_subsets == ["de", "en"]


def test_bright_runs_whole_with_excluded_documents_and_instructions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mini: Embedder
) -> None:
    monkeypatch.setattr(datasets, "load_dataset", _bright("biology", "leetcode"))
    result = run_benchmark(mini, "BRIGHT(v1.1, short)", output=tmp_path)
    # The problem itself stands in the corpus: were it ranked, its answer would be second.
    assert {task.name: task.score for task in result.tasks} == {
        "BrightBiologyRetrieval": 1.0,
        "BrightLeetcodeRetrieval": 1.0,
    }
    assert len(result.unavailable) == 10
    folder = tiny.name_member(tiny.write_checkpoint(tmp_path / "3b", "3b"), "3b")
    reasoning = Embedder.load(folder, dtype="float32", device="cpu")
    result = run_benchmark(
        reasoning, "BRIGHT(v1.1)", output=tmp_path, tasks=["BrightLeetcodeRetrieval"]
    )
    assert result.tasks[0].prompts == {
        "query": (
            "Instruct: Given a Coding problem, retrieve relevant examples that help answer the "
            "problem.\nQuery: ",
        ),
        "document": ("passage: ",),
    }


# --- suites -------------------------------------------------------------------------------------


def test_the_suites_are_the_cards_sets() -> None:
    tasks = {
        name: [
            (t.metadata.name, list(t.eval_splits), t.hf_subsets) for t in plan_suite(suite).tasks
        ]
        for name, suite in SUITES.items()
    }
    test = ["test"]
    assert tasks["qa"] == [(n, test, ["default"]) for n in ("NQ", "HotpotQA", "FiQA2018")]
    ((mlqa, split, subsets),) = tasks["mlqa"]
    assert (mlqa, split) == ("MLQARetrieval", test)
    assert sorted(subsets) == sorted(
        f"{c}-{c}" for c in ("ara", "deu", "eng", "spa", "hin", "vie", "zho")
    )
    ((miracl, split, subsets),) = tasks["multilingual"]
    assert (miracl, split, len(subsets)) == ("MIRACLRetrievalHardNegatives", ["dev"], 18)
    ((mldr, split, subsets),) = tasks["long-documents"]
    assert (mldr, split, len(subsets)) == ("MultiLongDocRetrieval", test, 13)


def test_a_suite_reports_recall_at_5_and_says_what_it_lacks(mini: Embedder, tmp_path: Path) -> None:
    result = run_suite(mini, "qa", output=tmp_path)
    assert result.benchmark == "suite qa"
    assert result.mean is None
    assert result.means[0].missing == ("NQ", "HotpotQA", "FiQA2018", "TechQA")
    assert "--folder TechQA=PATH" in result.unavailable["TechQA"]


def test_folders_give_what_mteb_cannot(mini: Embedder, tmp_path: Path) -> None:
    folders = {name: _beir(tmp_path / name, name) for name in ("NQ", "HotpotQA", "FiQA", "TechQA")}
    result = run_suite(
        mini,
        "qa",
        output=tmp_path,
        folders=folders,
        judge_folder=lambda system, path: evaluate(system, path, settings=Settings(bm25=None)),
    )
    assert result.complete
    assert [task.metric for task in result.tasks] == ["recall_at_5"] * 4
    # Recall@5: in NQ one of the two relevant documents is none of the corpus.
    assert [task.score for task in result.tasks] == [0.5, 1.0, 1.0, 1.0]
    assert result.mean == pytest.approx(3.5 / 4)


def test_a_suites_folder_is_cut_and_instructed_as_mtebs_sets_of_the_same_mean(
    tmp_path: Path,
) -> None:
    folder = tiny.name_member(tiny.write_checkpoint(tmp_path / "8b", "8b"), "8b")
    large = Embedder.load(folder, dtype="float32", device="cpu")
    folders = {name: _beir(tmp_path / name, name) for name in ("FiQA", "TechQA")}

    def facts(**options: Any) -> dict[str, Any]:
        seen: dict[str, Any] = {}

        def judge(system: EmbedderSystem, path: Path) -> list[Result]:
            seen[path.name] = system.facts()
            return evaluate(system, path, settings=Settings(bm25=None))

        run_suite(
            large, "qa", output=tmp_path / "r", folders=folders, judge_folder=judge, **options
        )
        return seen

    seen = facts(max_tokens=17)
    assert {each["max_tokens"] for each in seen.values()} == {17}
    assert seen["TechQA"]["prompts"]["query"] == (
        "Instruct: Retrieve text based on user query.\nQuery: "
    )
    task = mteb.get_task("FiQA2018")
    expected = task_prompt(large.profile.prompts, task.metadata, PromptType.query).instruction
    assert expected
    assert seen["FiQA"]["prompts"]["query"] == f"Instruct: {expected}\nQuery: "
    plain = facts(prompting="plain")["FiQA"]["prompts"]["query"]
    assert plain == large.profile.prompts.prefix("query")


def test_what_a_folder_of_a_suite_had_cut_is_counted_as_in_mtebs_sets(
    mini: Embedder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run_suite(
        mini,
        "qa",
        output=tmp_path / "r",
        max_tokens=6,
        folders={"TechQA": _beir(tmp_path / "TechQA", "TechQA")},
        judge_folder=lambda system, path: evaluate(system, path, settings=Settings(bm25=None)),
    )
    (task,) = result.tasks
    # Six words and more, and the prompt before them.
    assert {name: task.counts[name] for name in ("texts", "cut", "unreadable")} == {
        "texts": 3,
        "cut": 3,
        "unreadable": 0,
    }
    show_benchmark(result, tmp_path / "r", as_json=False)
    told = capsys.readouterr()
    assert re.search(r"TechQA +recall_at_5 +\d+\.00 +3$", told.out, re.MULTILINE)
    assert "TechQA: from the folder" in told.err
    assert "queries cut: 1" in told.err
    assert "documents cut: 2" in told.err


def test_a_folder_for_no_set_of_the_suite_is_refused(mini: Embedder, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="sets of one folder: NQ, HotpotQA, FiQA, TechQA"):
        run_suite(mini, "qa", output=tmp_path, folders={"Tech": tmp_path})
    with pytest.raises(InputError, match="sets of one folder: none"):
        run_suite(mini, "mlqa", output=tmp_path, folders={"MLQA": tmp_path})
    with pytest.raises(InputError, match="is not NAME=PATH"):
        parse_folders(["techqa"])
    with pytest.raises(InputError, match="did you mean 'mlqa'"):
        run_suite(mini, "mlq", output=tmp_path)


def test_a_suite_takes_its_metric_from_mtebs_scores(mini: Embedder, tmp_path: Path) -> None:
    documents = {str(number): text for number, text in enumerate(mteb_tasks.RIVERS)}
    task = mteb_tasks.retrieval("LocalRecall", documents, QUERIES, {"q": {"0": 1, "gone": 1}})
    whole = plan(task, metric="recall_at_5")
    result = run_plan(MtebModel(mini), whole, output=tmp_path)
    assert (result.metric, result.tasks[0].score) == ("recall_at_5", 0.5)


def pin_the_date(monkeypatch: pytest.MonkeyPatch, date: str) -> dict[str, str]:
    """What our files give as date; the caller moves it on."""
    day = {"date": date}
    for module in (mteb_run, benchmarks):
        monkeypatch.setattr(module, "conditions", lambda: dict(day))
    return day


# --- parts --------------------------------------------------------------------------------------


def _name(mini: Embedder) -> str:
    assert str(mini.placement.dtype) == "torch.float32"
    return "biencoder-mini-dtype-float32.json"


def _aggregate(*parts: Any) -> Any:
    class Whole(AbsTaskAggregate):  # type: ignore[misc]
        metadata = AggregateTaskMetadata(
            name="LocalWhole",
            description="Two in one.",
            tasks=list(parts),
            main_score="ndcg_at_10",
            type="Retrieval",
            eval_splits=["test"],
        )

    return Whole()


def _bright(*domains: str) -> Callable[..., Dataset]:
    """What the hub would give of BRIGHT: a problem that stands in its own corpus, and is excluded."""
    problem, answer = mteb_tasks.BREAD[0], "Kneading makes the gluten of the dough elastic."

    def load(path: str, name: str, *, split: str, **_: Any) -> Dataset:
        if split not in domains:
            raise ConnectionError(f"Couldn't reach {path!r} on the Hub")
        if name == "examples":
            question = {"id": "q", "query": problem, "gold_ids": ["answer"]}
            return Dataset.from_list(
                [question | {"gold_ids_long": ["answer"], "excluded_ids": ["itself"]}]
            )
        texts = {"itself": problem, "answer": answer, "river": mteb_tasks.RIVERS[0]}
        return Dataset.from_list([{"id": id_, "content": text} for id_, text in texts.items()])

    return load


def _beir(folder: Path, name: str) -> Path:
    (folder / "qrels").mkdir(parents=True)
    rows: Sequence[tuple[str, str]] = list(DOCUMENTS.items())
    (folder / "corpus.jsonl").write_text(
        "".join(json.dumps({"_id": id_, "title": "", "text": text}) + "\n" for id_, text in rows)
    )
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": QUERIES["q"]}) + "\n")
    gone = "q\tgone\t1\n" if name == "NQ" else ""
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\nq\triver\t1\n{gone}")
    return folder
