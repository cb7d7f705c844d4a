"""`biencoder evaluate`: judge a model on folders, benchmarks and suites."""

from __future__ import annotations

from collections.abc import Sequence
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
_LEXICAL = ("bm25_tokens", "bm25_k1", "bm25_b", "bm25_query_weights")
# Options that mean something only beside some of the ways to say what to judge on.
_PLACES: dict[str, tuple[str, ...]] = {
    "languages": ("--aligned", "--benchmark"),
    "queries_from": ("--data",),
    "tasks": ("--benchmark",),
    "folder": ("--suite",),
    "split": ("--data", "--aligned", "--folder"),
    "same_id": ("--data", "--aligned", "--folder"),
    "prompting": ("--benchmark", "--suite"),
    "modality": ("--data", "--benchmark"),
    "max_tiles": ("--data", "--benchmark"),
    "thumbnail": ("--data", "--benchmark"),
    "dpi": ("--data",),
    **dict.fromkeys(_LEXICAL, ("--data", "--aligned", "--folder")),
}


def run(
    context: typer.Context,
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
        _check_places(asked, _said(context))
        judge(asked, model, server, api_key_file)


def judge(asked: Asked, model: str, server: str | None, api_key_file: Path | None) -> None:
    """Everything that can be refused is refused before the model is loaded."""
    _check(asked)
    sound = sound_folders(asked)
    from biencoder.embedder.pages.settings import PageSettings
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


def _said(context: typer.Context) -> list[str]:
    """The parameters that stood on the command line, even where they repeat a default."""
    return [
        name
        for name in context.params
        if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]


def _check_places(asked: Asked, said: Sequence[str]) -> None:
    """Raise InputError for an option that would be accepted and change nothing."""
    from biencoder.errors import InputError

    ways = {
        "--data": bool(asked.data),
        "--aligned": asked.aligned is not None,
        "--benchmark": asked.benchmark is not None,
        "--suite": asked.suite is not None,
        "--folder": bool(asked.folders) and asked.suite is not None,
    }
    for name in said:
        places = _PLACES.get(name, tuple(ways))
        option = f"--{name.replace('_', '-')}"
        if any(ways.values()) and not any(ways[place] for place in places):
            raise InputError(
                f"{option} means nothing here", hint=f"it belongs to {' or '.join(places)}"
            )
        if name in _LEXICAL and asked.bm25 is None:
            raise InputError(f"{option} means nothing here", hint="--no-bm25 leaves BM25 out")


def _check(asked: Asked) -> None:
    from biencoder.drafts import check_folder
    from biencoder.errors import InputError
    from biencoder.evaluate.extra import require_mteb

    if sum(map(bool, (asked.data, asked.aligned, asked.benchmark, asked.suite))) != 1:
        raise InputError(
            "say what to judge the model on",
            hint="one of --data FOLDER, --aligned FOLDER, --benchmark NAME, --suite NAME",
        )
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
