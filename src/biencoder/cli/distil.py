"""`biencoder distil`: train a model of the package's own recipes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from biencoder.cli.show import say, warnings_as_lines

NAME = "distil"
SMOKE_DATA = Path("examples/fastapi-docs/en")
HELP = "Train a small model from a teacher, by a recipe of the package."


def run(
    recipe: Annotated[str, typer.Option(help="The recipe's name: mini.")] = "mini",
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with pairs/ and texts/. With --smoke: a BEIR folder."),
    ] = None,
    to: Annotated[
        Path, typer.Option(help="Folder for the run; the model comes into model/.")
    ] = Path("runs/mini"),
    cache: Annotated[Path, typer.Option(help="Teacher vectors, kept between runs.")] = Path(
        "runs/teacher-cache"
    ),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --to.")] = False,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Two minutes on a small folder; must beat its start.")
    ] = False,
) -> None:
    """Train; prints one line per hundred steps and where the model lies."""
    from biencoder.errors import InputError
    from biencoder.recipes import mini_run

    if recipe != "mini":
        raise InputError(f"there is no recipe {recipe!r}", hint="known: mini")
    if (to / "state").exists() and not resume:
        raise InputError(
            f"{to} holds a run already", hint="go on with --resume, or give another --to"
        )
    if data is None and not smoke:
        raise InputError(
            "the recipe needs its training texts",
            hint="give --data FOLDER with pairs/english.jsonl.gz and texts/english.jsonl.gz, or --smoke",
        )
    data = data or SMOKE_DATA
    with warnings_as_lines():
        work = mini_run.smoke if smoke else mini_run.train
        for line in work(data, to, cache):
            say(line)
