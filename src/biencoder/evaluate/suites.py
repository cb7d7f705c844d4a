"""The suites behind the model cards' tables: which sets, which parts of them, which mean.

All report Recall@5, and the mean is macro: over the sets, each counting once. Where the card's own
data are not public or not the same, the suite says so; its figure then stands beside the card's
and does not repeat it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from biencoder.embedder.encoder import Encoder
from biencoder.errors import InputError
from biencoder.evaluate.benchmark_result import BenchmarkResult, TaskScore
from biencoder.evaluate.benchmarks import Plan, TaskChoice, Tell, asked_of, run_plan
from biencoder.evaluate.extra import require_mteb
from biencoder.evaluate.judged_set import noted
from biencoder.evaluate.mteb_model import MtebModel, Progress
from biencoder.evaluate.mteb_prompts import Prompting, task_prompt
from biencoder.evaluate.results import Result
from biencoder.evaluate.systems import EmbedderSystem

METRIC = "recall_at_5"
TEST = "test"
_OWN_METRIC = "recall@5"

JudgeFolder = Callable[[EmbedderSystem, Path], Sequence[Result]]
"""Judges a system on a folder in BEIR layout; its result, with ``recall@5``, comes first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SuiteSet:
    """One set of a suite. ``task``: None where mteb has none and only a folder can give it."""

    name: str
    task: TaskChoice | None

    @property
    def single(self) -> bool:
        """Whether one folder can stand for it: it has one split and no languages to average."""
        return self.task is None or not self.task.subsets


@dataclass(frozen=True, kw_only=True, slots=True)
class Suite:
    """One column of the cards' tables."""

    name: str
    about: str
    sets: tuple[SuiteSet, ...]
    differs: str = ""


_MLQA_LANGUAGES = ("ara", "deu", "eng", "spa", "hin", "vie", "zho")
_MIRACL_LANGUAGES = (
    *("ar", "bn", "de", "en", "es", "fa", "fi", "fr", "hi"),
    *("id", "ja", "ko", "ru", "sw", "te", "th", "yo", "zh"),
)
_MLDR_LANGUAGES = ("ar", "de", "en", "es", "fr", "hi", "it", "ja", "ko", "pt", "ru", "th", "zh")


def _test(task: str, *subsets: str) -> TaskChoice:
    return TaskChoice(task, splits=("test",), subsets=subsets)


SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        Suite(
            name="qa",
            about="questions on English text: NQ, HotpotQA, FiQA, TechQA; macro mean of four sets",
            sets=(
                SuiteSet(name="NQ", task=_test("NQ")),
                SuiteSet(name="HotpotQA", task=_test("HotpotQA")),
                SuiteSet(name="FiQA", task=_test("FiQA2018")),
                SuiteSet(name="TechQA", task=None),
            ),
        ),
        Suite(
            name="multilingual",
            about="MIRACL with hard negatives, mean of the 18 languages of its development set",
            sets=(
                SuiteSet(
                    name="MIRACL",
                    task=TaskChoice(
                        "MIRACLRetrievalHardNegatives", splits=("dev",), subsets=_MIRACL_LANGUAGES
                    ),
                ),
            ),
            differs="the cards used hard negatives of their own, and further translated languages",
        ),
        Suite(
            name="mlqa",
            about="MLQA, test split, the seven sets whose questions and paragraphs share a language",
            sets=(
                SuiteSet(
                    name="MLQA",
                    task=_test("MLQARetrieval", *(f"{code}-{code}" for code in _MLQA_LANGUAGES)),
                ),
            ),
        ),
        Suite(
            name="long-documents",
            about="MLDR, test split, mean of 13 languages",
            sets=(SuiteSet(name="MLDR", task=_test("MultiLongDocRetrieval", *_MLDR_LANGUAGES)),),
            differs="the 300m card speaks of 12 languages without naming them",
        ),
    )
}


def run_suite(
    embedder: Encoder,
    name: str,
    *,
    output: Path,
    folders: Mapping[str, Path] | None = None,
    judge_folder: JudgeFolder | None = None,
    prompting: Prompting = "family",
    max_tokens: int | None = None,
    dimensions: int | None = None,
    progress: Progress | None = None,
    tell: Tell | None = None,
) -> BenchmarkResult:
    """Judge a model on a suite; sets that cannot be had are named, and the mean says so.

    folders: BEIR folders by set, for what mteb does not have (TechQA) or cannot fetch here;
    ``judge_folder`` judges them, with the limit and the instruction that mteb's sets have here. The
    rest as `run_benchmark`.

    Raises InputError for an unknown suite, or a folder for a set that the suite does not have.
    """
    suite = suite_named(name)
    require_mteb()
    folders = _checked(folders or {}, suite)
    if folders and judge_folder is None:
        raise InputError("folders were given, and nothing that judges them", hint="judge_folder=")
    model = MtebModel(
        embedder,
        prompting=prompting,
        max_tokens=max_tokens,
        dimensions=dimensions,
        progress=progress,
    )
    sets = {set_.name: set_ for set_ in suite.sets}
    given = [
        _from_folder(name, judge_folder(_as_in_mteb(model, sets[name]), path))
        for name, path in folders.items()
        if judge_folder
    ]
    return run_plan(model, plan_suite(suite, given), output=output, tell=tell)


def plan_suite(suite: Suite, given: Sequence[TaskScore] = ()) -> Plan:
    """The tasks behind a suite, without those that folders have given."""
    there = {score.name: next(iter(score.scores)) for score in given}
    tasks, unavailable = [], {}
    expected: dict[str, tuple[str, str]] = {}
    for set_ in suite.sets:
        name = set_.name if set_.task is None or set_.name in there else set_.task.name
        expected[name] = ("Retrieval", METRIC)
        if set_.name in there:
            continue
        if set_.task is None:
            unavailable[name] = (
                f"mteb does not have it; give a folder in BEIR layout: --folder {name}=PATH"
            )
        else:
            tasks.append(set_.task.load())
    split = next((split for split in there.values() if split != TEST), None)
    return Plan(
        title=f"suite {suite.name}",
        tasks=tasks,
        expected=expected,
        metric=METRIC,
        asked=asked_of(suite=suite.name, folder=list(there), split=split),
        given=given,
        unavailable=unavailable,
        note="; ".join(filter(None, (suite.about, suite.differs))),
    )


def suite_named(name: str) -> Suite:
    """The suite. Raises InputError that lists them all for an unknown one."""
    if name in SUITES:
        return SUITES[name]
    near = difflib.get_close_matches(name, SUITES, n=1, cutoff=0.4)
    nearest = f"did you mean {near[0]!r}? " if near else ""
    raise InputError(f"there is no suite {name!r}", hint=f"{nearest}known: {', '.join(SUITES)}")


def parse_folders(options: Sequence[str]) -> dict[str, Path]:
    """``["TechQA=data/techqa"]`` to a mapping.

    >>> parse_folders(["TechQA=data/techqa"])["TechQA"].as_posix()
    'data/techqa'
    """
    folders: dict[str, Path] = {}
    for option in options:
        name, equals, path = option.partition("=")
        if not (name and equals and path):
            raise InputError(f"--folder {option!r} is not NAME=PATH", hint="as TechQA=data/techqa")
        folders[name] = Path(path)
    return folders


def _checked(folders: Mapping[str, Path], suite: Suite) -> Mapping[str, Path]:
    single = [set_.name for set_ in suite.sets if set_.single]
    for name in folders:
        if name not in single:
            raise InputError(
                f"the suite {suite.name} has no set {name!r} that a folder can give",
                hint=f"sets of one folder: {', '.join(single) or 'none'}",
            )
    return folders


def _as_in_mteb(model: MtebModel, set_: SuiteSet) -> EmbedderSystem:
    """The model as mteb's sets of the same mean meet it: cut as early, told the same task."""
    from mteb.abstasks import AbsTaskRetrieval
    from mteb.types import PromptType

    prompts = model.embedder.profile.prompts
    if set_.task is not None:
        task = set_.task.load().metadata
        told = task_prompt(prompts, task, PromptType.query, prompting=model.prompting).instruction
    elif prompts.instruction_template is not None and model.prompting == "family":
        # What mteb says of a retrieval task that says nothing of itself.
        told = AbsTaskRetrieval.abstask_prompt
    else:
        told = None
    return EmbedderSystem(model.embedder, told)


def _from_folder(name: str, results: Sequence[Result]) -> TaskScore:
    result, *beside = results
    value = result.metrics[_OWN_METRIC]
    notes = (noted(what, count) for what, count in result.data.get("notes", {}).items())
    return TaskScore(
        name=name,
        type="Retrieval",
        metric=METRIC,
        score=value,
        scores={str(result.settings.get("split", TEST)): {"default": value}},
        metrics=result.metrics,
        intervals=result.intervals,
        bm25=next((_baseline(lexical) for lexical in beside), None),
        prompts={side: (text,) for side, text in result.model.get("prompts", {}).items()},
        counts=_counts(result),
        seconds=result.speed.get("seconds"),
        note="; ".join((f"from the folder {result.dataset}", *notes)),
        data=str(result.data.get("digest", "")),
        conditions=result.conditions,
    )


def _counts(result: Result) -> dict[str, int]:
    """Texts, tokens, cut and unreadable texts of both sides together, as of mteb's tasks."""
    notes = result.data.get("notes", {})
    counts = {"texts": result.data["documents"] + result.data["queries"]}
    counts["tokens"] = int(result.speed["tokens"])
    for what in ("cut", "unreadable"):
        counts[what] = notes.get(f"documents {what}", 0) + notes.get(f"queries {what}", 0)
    return counts


def _baseline(result: Result) -> dict[str, object]:
    return {
        "metrics": dict(result.metrics),
        "intervals": dict(result.intervals),
        "model": dict(result.model),
    }
