"""The options of `evaluate`, each with its sentence of help; defaults stand in `evaluate.run`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer


class SameIds(StrEnum):
    """Closed choices, for the shell."""

    auto = "auto"
    drop = "drop"
    keep = "keep"


class Prompting(StrEnum):
    """Closed choices, for the shell."""

    family = "family"
    plain = "plain"


class Modality(StrEnum):
    """Closed choices, for the shell."""

    text = "text"
    image = "image"
    image_text = "image_text"


Model: TypeAlias = Annotated[str, typer.Option(help="Family name, folder or hub id.")]
Data: TypeAlias = Annotated[
    list[Path] | None, typer.Option(help="A folder in BEIR layout; may be repeated.")
]
Aligned: TypeAlias = Annotated[
    Path | None, typer.Option(help="A folder of such folders, one a language, with equal ids.")
]
Languages: TypeAlias = Annotated[
    str, typer.Option(help="Of the aligned folder, as en,de; of a benchmark, as eng,deu.")
]
QueriesFrom: TypeAlias = Annotated[
    Path | None, typer.Option(help="Take the questions from this folder.")
]
Benchmark: TypeAlias = Annotated[
    str | None, typer.Option(help='As mteb names it: "BRIGHT(v1.1)", "MTEB(Multilingual, v2)".')
]
Suite: TypeAlias = Annotated[
    str | None, typer.Option(help="qa, multilingual, mlqa or long-documents, as on the cards.")
]
Folder: TypeAlias = Annotated[
    list[str] | None, typer.Option(help="A suite's set from a folder, as TechQA=PATH.")
]
Tasks: TypeAlias = Annotated[str, typer.Option(help="Only these tasks of a benchmark, as A,B.")]
Split: TypeAlias = Annotated[str, typer.Option(help="Which qrels file of the folders.")]
SameId: TypeAlias = Annotated[
    SameIds, typer.Option(help="Whether a document with the query's own id may be found.")
]
Dimensions: TypeAlias = Annotated[str, typer.Option(help="Sizes, as 128,384, or all.")]
Precision: TypeAlias = Annotated[str, typer.Option(help="As float32,int8,binary.")]
Prompts: TypeAlias = Annotated[
    Prompting, typer.Option(help="Of a benchmark: each task's own prompt, or the plain two.")
]
Instruction: TypeAlias = Annotated[
    str | None, typer.Option(help="A task, for models that take one.")
]
Modalities: TypeAlias = Annotated[
    Modality | None,
    typer.Option(
        "--modality",
        help="What of a page to read; without it, all that the model and the pages have.",
    ),
]
MaxTiles: TypeAlias = Annotated[
    int | None, typer.Option(help="Of a page model: most tiles that a page is cut into.")
]
Thumbnail: TypeAlias = Annotated[
    bool | None,
    typer.Option(help="Of a page model: whether the whole page comes behind its tiles."),
]
Dpi: TypeAlias = Annotated[int, typer.Option(help="At which the pages of PDFs are drawn.")]
Lexical: TypeAlias = Annotated[
    bool, typer.Option(help="Judge BM25 beside the model; needs the extra eval.")
]
LexicalTokens: TypeAlias = Annotated[str, typer.Option(help="auto, words, bigrams or trigrams.")]
LexicalK1: TypeAlias = Annotated[float, typer.Option(help="How soon repeated words stop counting.")]
LexicalB: TypeAlias = Annotated[float, typer.Option(help="How much long documents are held back.")]
LexicalQueryWeights: TypeAlias = Annotated[
    bool, typer.Option(help="Weigh the question's words too, as BRIGHT does.")
]
Output: TypeAlias = Annotated[
    Path, typer.Option(help="Where results go; what stands there is not made again.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
