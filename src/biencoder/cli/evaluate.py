"""`biencoder evaluate`: judge a model on folders, benchmarks and suites."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from biencoder.cli import evaluate_options as options
from biencoder.cli.judging import (
    Asked,
    judge_folders,
    judge_languages,
    judge_whole,
    show_as_judged,
    sound_folders,
)
from biencoder.cli.reach import KeyFile, Server
from biencoder.cli.show import warnings_as_lines
from biencoder.cli.show_benchmark import show_benchmark

if TYPE_CHECKING:
    from biencoder.evaluate.settings import Settings
    from biencoder.evaluate.systems import EmbedderSystem

NAME = "evaluate"
HELP = "Judge a model on folders in BEIR layout, on mteb's benchmarks or on the cards' suites."
_DPI = 150


def run(
    model: options.Model = "mini",
    server: Server = None,
    api_key_file: KeyFile = None,
    data: options.Data = None,
    aligned: options.Aligned = None,
    languages: options.Languages = "",
    queries_from: options.QueriesFrom = None,
    benchmark: options.Benchmark = None,
    suite: options.Suite = None,
    folder: options.Folder = None,
    tasks: options.Tasks = "",
    split: options.Split = "test",
    same_id: options.SameId = options.SameIds.auto,
    dimensions: options.Dimensions = "",
    precision: options.Precision = "float32",
    prompting: options.Prompts = options.Prompting.family,
    instruction: options.Instruction = None,
    modality: options.Modalities = None,
    max_tiles: options.MaxTiles = None,
    thumbnail: options.Thumbnail = None,
    dpi: options.Dpi = _DPI,
    bm25: options.Lexical = True,
    bm25_tokens: options.LexicalTokens = "auto",
    bm25_k1: options.LexicalK1 = 0.9,
    bm25_b: options.LexicalB = 0.4,
    bm25_query_weights: options.LexicalQueryWeights = False,
    output: options.Output = Path("results"),
    json_: options.AsJson = False,
) -> None:
    """Judge, save, show."""
    lexical = {"tokens": bm25_tokens, "k1": bm25_k1, "b": bm25_b}
    asked = Asked(
        data=tuple(data or ()),
        aligned=aligned,
        languages=listed(languages),
        queries_from=queries_from,
        benchmark=benchmark,
        suite=suite,
        folders=tuple(folder or ()),
        tasks=listed(tasks),
        split=split,
        same_id=same_id.value,
        dimensions=dimensions,
        precisions=listed(precision),
        prompting=prompting.value,
        instruction=instruction,
        modality=modality.value if modality else None,
        max_tiles=max_tiles,
        thumbnail=thumbnail,
        dpi=dpi,
        bm25=lexical | {"query_weights": bm25_query_weights} if bm25 else None,
        output=output,
        as_json=json_,
    )
    with warnings_as_lines():
        judge(asked, model, server, api_key_file)


def judge(asked: Asked, model: str, server: str | None, api_key_file: Path | None) -> None:
    """Everything that can be refused is refused before the model is loaded."""
    _check(asked)
    sound = sound_folders(asked)
    from biencoder.embedder.pages.side import PageSettings
    from biencoder.embedder.reach import Reach, open_encoder
    from biencoder.evaluate.systems import EmbedderSystem

    reach = Reach(model=model, server=server or "", api_key_file=api_key_file)
    tiles = PageSettings(max_tiles=asked.max_tiles, thumbnail=asked.thumbnail)
    system = EmbedderSystem(open_encoder(reach, settings=tiles), asked.instruction)
    settings = _settings(asked, system)
    if asked.whole:
        result = judge_whole(asked, system, settings)
        show_benchmark(result, asked.output, asked.as_json)
        # Nothing was judged: a script must not take that for a success.
        raise typer.Exit(0 if result.tasks else 1)
    if asked.aligned:
        show_as_judged(judge_languages(asked, system, settings), asked)
    else:
        show_as_judged(judge_folders(asked, system, settings, sound), asked)
    raise typer.Exit(0 if len(sound) == len(asked.data) else 1)


def listed(text: str) -> tuple[str, ...]:
    """The parts between commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _check(asked: Asked) -> None:
    from biencoder.drafts import check_folder
    from biencoder.errors import InputError
    from biencoder.evaluate.extra import require_mteb

    if sum(map(bool, (asked.data, asked.aligned, asked.benchmark, asked.suite))) != 1:
        raise InputError(
            "say what to judge the model on",
            hint="one of --data FOLDER, --aligned FOLDER, --benchmark NAME, --suite NAME",
        )
    strays = {
        "--tasks": bool(asked.tasks) and not asked.benchmark,
        "--folder": bool(asked.folders) and not asked.suite,
        "--queries-from": asked.queries_from is not None and not asked.data,
        "--modality": asked.modality is not None and not (asked.data or asked.benchmark),
        "--languages": bool(asked.languages) and not (asked.aligned or asked.benchmark),
    }
    for option, stray in strays.items():
        if stray:
            raise InputError(f"{option} means nothing here", hint="see --help for its place")
    check_folder(asked.output)
    if asked.whole:
        require_mteb()
    if asked.bm25 is not None and (asked.folders or not asked.whole):
        from biencoder.evaluate.bm25 import BM25

        BM25([], **asked.bm25)


def _settings(asked: Asked, system: EmbedderSystem) -> Settings:
    from biencoder.errors import InputError
    from biencoder.evaluate.settings import Settings
    from biencoder.types import PRECISIONS

    unknown = [name for name in asked.precisions if name not in PRECISIONS]
    if unknown or not asked.precisions:
        raise InputError(
            f"--precision {', '.join(asked.precisions)!r} is not known",
            hint=f"one or more of {', '.join(PRECISIONS)}",
        )
    return Settings(
        dimensions=_sizes(asked.dimensions, system),
        precisions=tuple(name for name in PRECISIONS if name in asked.precisions),
        bm25=asked.bm25,
        modality=asked.modality,
        dpi=asked.dpi,
    )


def _sizes(text: str, system: EmbedderSystem) -> tuple[int, ...]:
    from biencoder.errors import InputError

    if text == "all":
        return tuple(system.dimensions)
    try:
        return tuple(int(size) for size in listed(text))
    except ValueError:
        raise InputError(
            f"--dimensions {text!r} is no list of numbers", hint="as 128,384, or all"
        ) from None
