"""mteb's benchmarks for our models, task by task.

Each task's scores go into mteb's own layout under ``OUTPUT/mteb/results``, subset by subset, so a
killed run resumes and a finished task is not run again. A summary of the benchmark is written anew
after every task, to ``OUTPUT/benchmarks``.

A task whose data cannot be had is listed with the reason, and the rest goes on. An error while a
task is scored is no such reason: it comes out.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from biencoder.embedder.encoder import Encoder
from biencoder.embedder.pages.page import Modality
from biencoder.errors import InputError
from biencoder.evaluate.benchmark_result import (
    BenchmarkResult,
    TaskScore,
    Unavailable,
    load_benchmark_result,
    means,
    newest,
    place_of_summary,
    save_benchmark_result,
)
from biencoder.evaluate.conditions import conditions
from biencoder.evaluate.extra import HOW_TO_INSTALL, require_mteb
from biencoder.evaluate.mteb_model import MtebModel, Progress
from biencoder.evaluate.mteb_prompts import Prompting
from biencoder.evaluate.mteb_run import run_task
from biencoder.evaluate.results import result_path

if TYPE_CHECKING:
    from mteb.abstasks.abstask import AbsTask

Tell: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TaskChoice:
    """A task of mteb, or a part of it. Empty: all of the task's own."""

    name: str
    splits: tuple[str, ...] = ()
    subsets: tuple[str, ...] = ()

    def load(self) -> AbsTask:
        """The task, without its data. Raises InputError where this mteb does not have it."""
        import mteb

        try:
            return mteb.get_task(
                self.name, eval_splits=self.splits or None, hf_subsets=self.subsets or None
            )
        except KeyError as error:
            raise InputError(
                f"the installed mteb has no task {self.name}",
                hint=f"it wants another release; {HOW_TO_INSTALL}",
            ) from error


# mteb knows these as tasks only. Its development splits are left out: the cards report test.
_FROM_TASKS: dict[str, TaskChoice] = {
    "MIRACL": TaskChoice("MIRACLRetrieval"),
    "MIRACL(hard negatives)": TaskChoice("MIRACLRetrievalHardNegatives"),
    "MLQA": TaskChoice("MLQARetrieval", splits=("test",)),
    "MLDR": TaskChoice("MultiLongDocRetrieval", splits=("test",)),
}
# One of mteb's benchmarks, cut to one split: the cards' BRIGHT is the mean over the short twelve.
_ONE_SPLIT: dict[str, tuple[str, str]] = {
    "BRIGHT(v1.1, short)": ("BRIGHT(v1.1)", "standard"),
    "BRIGHT(v1.1, long)": ("BRIGHT(v1.1)", "long"),
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one mean is to be taken over. ``metric``: None for each task's main one.

    asked: the benchmark or suite with its options, as `BenchmarkResult`. given: scores that do not
    come from mteb. unavailable, left_out: known before the run.
    """

    title: str
    tasks: Sequence[AbsTask]
    expected: Mapping[str, tuple[str, str]]
    metric: str | None = None
    asked: Mapping[str, Any] = field(default_factory=dict)
    given: Sequence[TaskScore] = ()
    unavailable: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


def run_benchmark(
    embedder: Encoder,
    name: str,
    *,
    output: Path,
    tasks: Sequence[str] | None = None,
    languages: Sequence[str] | None = None,
    prompting: Prompting = "family",
    max_tokens: int | None = None,
    dimensions: int | None = None,
    modality: Modality | None = None,
    progress: Progress | None = None,
    tell: Tell | None = None,
) -> BenchmarkResult:
    """Judge a model on a benchmark by mteb's name for it.

    tasks: only these of its tasks; the mean is then not the benchmark's. languages: only subsets in
    these, as mteb writes them (``eng``, ``deu-Latn``). prompting, max_tokens, dimensions,
    modality: as `MtebModel`. tell: gets a line per task.

    Raises InputError for a benchmark, task or language that mteb does not know.
    """
    model = MtebModel(
        embedder,
        prompting=prompting,
        max_tokens=max_tokens,
        dimensions=dimensions,
        modality=modality,
        progress=progress,
    )
    plan = plan_benchmark(name, tasks=tasks, languages=languages)
    return run_plan(model, plan, output=output, tell=tell)


def run_plan(
    model: MtebModel, plan: Plan, *, output: Path, tell: Tell | None = None
) -> BenchmarkResult:
    """Run the tasks of a plan and keep the summary up to date."""
    plain = result_path(output / "benchmarks", plan.title, _label(model))
    path = place_of_summary(plain, model.facts(), plan.asked)
    counted = _counted_before(path)
    done, unavailable = list(plan.given), dict(plan.unavailable)
    result = _result(model, plan, done, unavailable)
    for task in plan.tasks:
        outcome = run_task(
            task, model, output / "mteb", metric=plan.metric, before=counted.get(task.metadata.name)
        )
        if isinstance(outcome, Unavailable):
            unavailable[outcome.name] = outcome.reason
        else:
            done.append(outcome)
        if tell:
            tell(_line(outcome))
        result = _result(model, plan, done, unavailable)
        save_benchmark_result(result, path)
    save_benchmark_result(result, path)
    return result


def plan_benchmark(
    name: str, *, tasks: Sequence[str] | None = None, languages: Sequence[str] | None = None
) -> Plan:
    """Which tasks a benchmark has, and which of them are asked for."""
    require_mteb()
    whole, members = benchmark_tasks(name)
    title = whole
    left_out: dict[str, str] = {}
    if languages:
        members, left_out = _in_languages(members, languages)
        title = f"{whole}, languages {'+'.join(languages)}"
    kinds = {
        task.metadata.name: (str(task.metadata.type), str(task.metadata.main_score))
        for task in members
    }
    if tasks:
        for asked in tasks:
            if asked not in kinds:
                raise _unknown(f"task of {title}", asked, list(kinds))
        left_out |= {each: "not asked for" for each in kinds if each not in tasks}
    return Plan(
        title=title,
        tasks=[task for task in members if task.metadata.name not in left_out],
        expected=kinds,
        asked=asked_of(benchmark=whole, languages=languages, tasks=tasks),
        left_out=left_out,
    )


def asked_of(**options: str | Sequence[str] | None) -> dict[str, Any]:
    """Those that were given, as plain values for JSON."""
    return {
        name: value if isinstance(value, str) else list(value)
        for name, value in options.items()
        if value
    }


def benchmark_names() -> list[str]:
    """Every name that `run_benchmark` takes, mteb's other spellings included."""
    import mteb

    there = mteb.get_benchmarks()
    names = {bench.name for bench in there} | {alias for b in there for alias in b.aliases or ()}
    return sorted(names | _FROM_TASKS.keys() | _ONE_SPLIT.keys())


def benchmark_tasks(name: str) -> tuple[str, list[AbsTask]]:
    """The benchmark's proper name and its tasks, without their data; case does not matter."""
    import mteb

    names = {known.lower(): known for known in benchmark_names()}
    known = names.get(name.lower())
    if known is None:
        raise _unknown("benchmark", name, list(names.values()))
    if known in _FROM_TASKS:
        return known, [_FROM_TASKS[known].load()]
    if known in _ONE_SPLIT:
        whole, split = _ONE_SPLIT[known]
        return known, [
            _own_copy(task) for task in mteb.get_benchmark(whole).tasks if split in task.eval_splits
        ]
    benchmark = mteb.get_benchmark(known)
    return benchmark.name, [_own_copy(task) for task in benchmark.tasks]


def _own_copy(task: AbsTask) -> AbsTask:
    """The same choice of splits and subsets: mteb's registry hands out one object to everybody."""
    fresh = type(task)()
    fresh.filter_eval_splits(list(task.eval_splits))
    fresh.hf_subsets = list(task.hf_subsets)
    return fresh


def _in_languages(
    tasks: Sequence[AbsTask], languages: Sequence[str]
) -> tuple[list[AbsTask], dict[str, str]]:
    from mteb.languages import check_language_code

    for language in languages:
        try:
            check_language_code(language)
        except ValueError as error:
            raise InputError(
                f"mteb does not know the language {language!r}", hint="write it as eng or deu-Latn"
            ) from error
    kept: list[AbsTask] = []
    without: dict[str, str] = {}
    for task in tasks:
        try:
            kept.append(task.filter_languages(list(languages), hf_subsets=list(task.hf_subsets)))
        except ValueError:
            without[task.metadata.name] = f"has no part in {', '.join(languages)}"
    return kept, without


def _label(model: MtebModel) -> str:
    return ", ".join([model.name, *(f"{key} {value}" for key, value in model.variant.items())])


def _result(
    model: MtebModel, plan: Plan, done: Sequence[TaskScore], unavailable: Mapping[str, str]
) -> BenchmarkResult:
    return BenchmarkResult(
        benchmark=plan.title,
        model=model.facts(),
        tasks=tuple(done),
        unavailable=dict(unavailable),
        left_out=plan.left_out,
        means=means(done, plan.expected),
        note=plan.note,
        asked=plan.asked,
        # Scores that stood already keep their date.
        conditions=newest(each.conditions for each in done) or conditions(),
    )


def _counted_before(path: Path) -> Mapping[str, TaskScore]:
    """The tasks of an earlier summary: mteb's files do not hold our counts."""
    return {task.name: task for task in load_benchmark_result(path).tasks} if path.exists() else {}


def _line(outcome: TaskScore | Unavailable) -> str:
    if isinstance(outcome, Unavailable):
        return f"{outcome.name}: unavailable: {outcome.reason}"
    cut = outcome.counts.get("cut", 0)
    told = f", {cut:,} of {outcome.counts['texts']:,} texts cut" if cut else ""
    other = outcome.mteb and outcome.mteb != version("mteb")
    told += f", scored by mteb {outcome.mteb}, not {version('mteb')}" if other else ""
    return f"{outcome.name}: {outcome.metric} {100 * outcome.score:.2f}{told}"


def _unknown(kind: str, name: str, known: Sequence[str]) -> InputError:
    lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.4)
    nearest = f"did you mean {lower[near[0]]!r}? " if near else ""
    listed = ", ".join(known) if len(known) <= 20 else f"{len(known)} are known, as in mteb"
    return InputError(f"there is no {kind} {name!r}", hint=f"{nearest}known: {listed}")
