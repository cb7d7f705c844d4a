"""What `evaluate` does once its options are read: folders, languages, benchmarks, suites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biencoder.cli.show import Advance, progress, say
from biencoder.cli.show_results import show_results

if TYPE_CHECKING:
    from biencoder.embedder.pages.page import Modality
    from biencoder.evaluate.benchmark_result import BenchmarkResult
    from biencoder.evaluate.judged_set import JudgedSet, SameId
    from biencoder.evaluate.mteb_prompts import Prompting
    from biencoder.evaluate.results import Result
    from biencoder.evaluate.settings import Settings
    from biencoder.evaluate.systems import EmbedderSystem


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One call's options. Exactly one of data, aligned, benchmark and suite says what to judge on."""

    data: tuple[Path, ...]
    aligned: Path | None
    languages: tuple[str, ...]
    queries_from: Path | None
    benchmark: str | None
    suite: str | None
    folders: tuple[str, ...]
    tasks: tuple[str, ...]
    split: str
    same_id: SameId
    dimensions: str
    precisions: tuple[str, ...]
    prompting: Prompting
    instruction: str | None
    modality: Modality | None
    max_tiles: int | None
    thumbnail: bool | None
    dpi: int
    bm25: Mapping[str, Any] | None
    output: Path
    as_json: bool

    @property
    def whole(self) -> bool:
        """Whether a benchmark or suite is asked for."""
        return self.benchmark is not None or self.suite is not None


def sound_folders(asked: Asked) -> tuple[Path, ...]:
    """The folders that can be judged; the others are named. Raises where there is none to judge.

    Each is read whole and let go again, so that only one is in memory at a time: reading is quick
    beside encoding.
    """
    from biencoder.errors import InputError
    from biencoder.evaluate.pages.page_set import with_pictures

    sound: list[Path] = []
    faults: list[InputError] = []
    for folder in asked.data:
        try:
            judged = _read(folder, asked)
            if asked.modality in ("image", "image_text"):
                with_pictures(judged)
            sound.append(folder)
        except InputError as error:
            faults.append(error)
    if faults and not sound:
        raise InputError("\n".join(fault.message for fault in faults), hint=faults[0].hint)
    for fault in faults:
        say(f"Error: {fault}")
    if faults:
        say(f"Judged are the others: {', '.join(map(str, sound))}")
    return tuple(sound)


def judge_folders(
    asked: Asked, system: EmbedderSystem, settings: Settings, folders: Sequence[Path]
) -> Iterator[Result]:
    """Results of each folder, one after the other."""
    from biencoder.evaluate.run import evaluate

    for folder in folders:
        judged = _read(folder, asked)
        _say_notes(judged)
        yield from evaluate(system, judged, settings=settings, output=asked.output, progress=_bar)


def judge_languages(asked: Asked, system: EmbedderSystem, settings: Settings) -> Iterator[Result]:
    """Results of each pair of languages of an aligned folder."""
    from biencoder.evaluate.aligned import evaluate_aligned

    assert asked.aligned is not None
    yield from evaluate_aligned(
        system,
        asked.aligned,
        languages=asked.languages,
        split=asked.split,
        same_id=asked.same_id,
        settings=settings,
        output=asked.output,
        progress=_bar,
        tell=say,
    )


def judge_whole(asked: Asked, system: EmbedderSystem, settings: Settings) -> BenchmarkResult:
    """The result of a benchmark or suite. Raises InputError for forms that it is not judged in."""
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

    def judge_folder(system: EmbedderSystem, path: Path) -> Sequence[Result]:
        judged = read_judged_set(path, split=asked.split, same_id=asked.same_id)
        _say_notes(judged)
        return evaluate(system, judged, settings=settings, output=asked.output, progress=_bar)

    shared: dict[str, Any] = {
        "output": asked.output,
        "prompting": asked.prompting,
        "dimensions": settings.dimensions[0] if settings.dimensions else None,
        "progress": _bar,
        "tell": say,
    }
    if asked.suite:
        folders = parse_folders(asked.folders)
        return run_suite(
            system.embedder, asked.suite, folders=folders, judge_folder=judge_folder, **shared
        )
    return run_benchmark(
        system.embedder,
        asked.benchmark or "",
        tasks=asked.tasks or None,
        languages=asked.languages or None,
        modality=settings.modality,
        **shared,
    )


def show_as_judged(results: Iterator[Result], asked: Asked) -> None:
    """The table of all results, or of those that were done when something came between."""
    done: list[Result] = []
    try:
        for result in results:
            done.append(result)
    finally:
        if done:
            show_results(done, asked.output, asked.as_json)


def _read(folder: Path, asked: Asked) -> JudgedSet:
    from biencoder.evaluate.folder import read_folder

    return read_folder(
        folder, split=asked.split, queries_from=asked.queries_from, same_id=asked.same_id
    )


def _say_notes(judged: JudgedSet) -> None:
    from biencoder.evaluate.judged_set import noted

    for note, count in judged.notes.items():
        say(f"{judged.name}: {noted(note, count)}")


def _bar(label: str, total: int) -> AbstractContextManager[Advance]:
    return progress(label, total=total, unit="texts")
