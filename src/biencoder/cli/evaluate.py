"""`biencoder evaluate`: judge a model on folders, benchmarks and suites."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from biencoder.cli.reach import KeyFile, Server
from biencoder.cli.show import Advance, progress, say, warnings_as_lines
from biencoder.cli.show_benchmark import show_benchmark
from biencoder.cli.show_results import show_results

if TYPE_CHECKING:
    from biencoder.evaluate.benchmark_result import BenchmarkResult
    from biencoder.evaluate.judged_set import SameId
    from biencoder.evaluate.results import Result
    from biencoder.evaluate.settings import Settings
    from biencoder.evaluate.systems import EmbedderSystem
    from biencoder.types import Precision

NAME = "evaluate"
HELP = "Judge a model on folders in BEIR layout, on mteb's benchmarks or on the cards' suites."


class SameIds(StrEnum):
    """Closed choices, for the shell."""

    auto = "auto"
    drop = "drop"
    keep = "keep"


class Prompting(StrEnum):
    """Closed choices, for the shell."""

    family = "family"
    plain = "plain"


def run(
    model: Annotated[str, typer.Option(help="Family name, folder or hub id.")] = "mini",
    server: Server = None,
    api_key_file: KeyFile = None,
    data: Annotated[
        list[Path] | None, typer.Option(help="A folder in BEIR layout; may be repeated.")
    ] = None,
    aligned: Annotated[
        Path | None, typer.Option(help="A folder of such folders, one a language, with equal ids.")
    ] = None,
    languages: Annotated[
        str, typer.Option(help="Of the aligned folder, as en,de; of a benchmark, as eng,deu.")
    ] = "",
    queries_from: Annotated[
        Path | None, typer.Option(help="Take the questions from this folder.")
    ] = None,
    benchmark: Annotated[
        str | None, typer.Option(help='As mteb names it: "BRIGHT(v1.1)", "MTEB(Multilingual, v2)".')
    ] = None,
    suite: Annotated[
        str | None, typer.Option(help="qa, multilingual, mlqa or long-documents, as on the cards.")
    ] = None,
    folder: Annotated[
        list[str] | None, typer.Option(help="A suite's set from a folder, as TechQA=PATH.")
    ] = None,
    tasks: Annotated[str, typer.Option(help="Only these tasks of a benchmark, as A,B.")] = "",
    split: Annotated[str, typer.Option(help="Which qrels file.")] = "test",
    same_id: Annotated[
        SameIds, typer.Option(help="Whether a document with the query's own id may be found.")
    ] = SameIds.auto,
    dimensions: Annotated[str, typer.Option(help="Sizes, as 128,384, or all.")] = "",
    precision: Annotated[str, typer.Option(help="As float32,int8,binary.")] = "float32",
    prompting: Annotated[
        Prompting, typer.Option(help="Of a benchmark: each task's own prompt, or the plain two.")
    ] = Prompting.family,
    instruction: Annotated[
        str | None, typer.Option(help="A task, for models that take one.")
    ] = None,
    bm25: Annotated[bool, typer.Option(help="Judge BM25 beside the model.")] = True,
    bm25_tokens: Annotated[str, typer.Option(help="auto, words, bigrams or trigrams.")] = "auto",
    bm25_k1: Annotated[float, typer.Option(help="How soon repeated words stop counting.")] = 0.9,
    bm25_b: Annotated[float, typer.Option(help="How much long documents are held back.")] = 0.4,
    bm25_query_weights: Annotated[
        bool, typer.Option(help="Weigh the question's words too, as BRIGHT does.")
    ] = False,
    output: Annotated[
        Path, typer.Option(help="Where results go; what stands there is not made again.")
    ] = Path("results"),
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Judge, save, show."""
    with warnings_as_lines():
        from biencoder.embedder.reach import Reach, open_encoder
        from biencoder.errors import InputError
        from biencoder.evaluate.aligned import evaluate_aligned
        from biencoder.evaluate.settings import Settings
        from biencoder.evaluate.systems import EmbedderSystem

        asked = [what for what in (data, aligned, benchmark, suite) if what]
        if len(asked) != 1:
            raise InputError(
                "say what to judge the model on",
                hint="one of --data FOLDER, --aligned FOLDER, --benchmark NAME, --suite NAME",
            )
        strays = {
            "--tasks": bool(tasks) and not benchmark,
            "--folder": bool(folder) and not suite,
            "--queries-from": queries_from is not None and not data,
            "--languages": bool(languages) and not (aligned or benchmark),
        }
        for option, stray in strays.items():
            if stray:
                raise InputError(f"{option} means nothing here", hint="see --help for its place")
        reach = Reach(model=model, server=server or "", api_key_file=api_key_file)
        system = EmbedderSystem(open_encoder(reach), instruction)
        lexical = {
            "tokens": bm25_tokens,
            "k1": bm25_k1,
            "b": bm25_b,
            "query_weights": bm25_query_weights,
        }
        settings = Settings(
            dimensions=_sizes(dimensions, system),
            precisions=_precisions(precision),
            bm25=lexical if bm25 else None,
        )
        if benchmark or suite:
            choice = _Whole(benchmark, suite, _listed(tasks), _listed(languages), folder or [])
            result = _whole(choice, system, settings, prompting, split, output)
            show_benchmark(result, output, json_)
            # Nothing was judged: a script must not take that for a success.
            raise typer.Exit(0 if result.tasks else 1)
        if aligned:
            results = evaluate_aligned(
                system,
                aligned,
                languages=_listed(languages),
                split=split,
                settings=settings,
                output=output,
                progress=_bar,
            )
        else:
            results = _folders(
                system, data or [], settings, split, queries_from, same_id.value, output
            )
        show_results(results, output, json_)


@dataclass(frozen=True)
class _Whole:
    """A benchmark or a suite, and which parts of it."""

    benchmark: str | None
    suite: str | None
    tasks: list[str]
    languages: list[str]
    folders: list[str]


def _whole(
    choice: _Whole,
    system: EmbedderSystem,
    settings: Settings,
    prompting: Prompting,
    split: str,
    output: Path,
) -> BenchmarkResult:
    from biencoder.errors import InputError
    from biencoder.evaluate.benchmarks import run_benchmark
    from biencoder.evaluate.judged_set import read_judged_set
    from biencoder.evaluate.run import evaluate
    from biencoder.evaluate.suites import parse_folders, run_suite

    if settings.precisions != ("float32",) or len(settings.dimensions) > 1:
        raise InputError(
            "a benchmark is judged at one size, in float32",
            hint="give one of --dimensions, no --precision; folders (--data) take several",
        )
    if system.instruction is not None:
        raise InputError("a benchmark's tasks bring their own instructions: leave yours out")
    size = settings.dimensions[0] if settings.dimensions else None

    def judge_folder(path: Path) -> Result:
        judged = read_judged_set(path, split=split)
        return evaluate(system, judged, settings=settings, output=output, progress=_bar)[0]

    if choice.suite:
        return run_suite(
            system.embedder,
            choice.suite,
            output=output,
            folders=parse_folders(choice.folders),
            judge_folder=judge_folder,
            prompting=prompting.value,
            dimensions=size,
            progress=_bar,
            tell=say,
        )
    return run_benchmark(
        system.embedder,
        choice.benchmark or "",
        output=output,
        tasks=choice.tasks or None,
        languages=choice.languages or None,
        prompting=prompting.value,
        dimensions=size,
        progress=_bar,
        tell=say,
    )


def _folders(
    system: EmbedderSystem,
    folders: list[Path],
    settings: Settings,
    split: str,
    queries_from: Path | None,
    same_id: SameId,
    output: Path,
) -> Iterator[Result]:
    from biencoder.evaluate.judged_set import read_judged_set
    from biencoder.evaluate.run import evaluate

    for folder in folders:
        judged = read_judged_set(folder, split=split, queries_from=queries_from, same_id=same_id)
        for note, count in judged.notes.items():
            say(f"{judged.name}: {count:,} {note}")
        yield from evaluate(system, judged, settings=settings, output=output, progress=_bar)


def _bar(label: str, total: int) -> AbstractContextManager[Advance]:
    return progress(label, total=total, unit="texts")


def _sizes(text: str, system: EmbedderSystem) -> tuple[int, ...]:
    from biencoder.errors import InputError

    if text == "all":
        return tuple(system.dimensions)
    try:
        return tuple(int(size) for size in _listed(text))
    except ValueError:
        raise InputError(
            f"--dimensions {text!r} is no list of numbers", hint="as 128,384, or all"
        ) from None


def _precisions(text: str) -> tuple[Precision, ...]:
    from biencoder.errors import InputError
    from biencoder.types import PRECISIONS

    asked = _listed(text)
    unknown = [name for name in asked if name not in PRECISIONS]
    if unknown or not asked:
        raise InputError(
            f"--precision {text!r} is not known", hint=f"one or more of {', '.join(PRECISIONS)}"
        )
    return tuple(name for name in PRECISIONS if name in asked)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
