"""`biencoder random`: a full-size checkpoint with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from biencoder.cli.show import say

NAME = "random"
HELP = "Write a full-size checkpoint with random weights, for trying memory and speed."


def run(
    name: Annotated[str, typer.Argument(help="A model of the family, for example 1b.")],
    to: Annotated[Path, typer.Option(help="A new folder.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same weights.")] = 0,
) -> None:
    """Write the checkpoint shard by shard."""
    import shutil

    from biencoder.config.family import member_named
    from biencoder.embedder.random_checkpoint import (
        random_checkpoint_bytes,
        write_random_checkpoint,
    )
    from biencoder.errors import OutputError

    member = member_named(name)
    needed = random_checkpoint_bytes(member)
    parent = next(path for path in (to, *to.absolute().parents) if path.exists())
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise OutputError(
            f"{member.name} takes {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free",
            hint="give a folder on another disk",
        )
    written = write_random_checkpoint(member, to, seed=seed)
    say(
        f"{written / 1e9:.2f} GB of random weights for {member.name} in {to}; its vectors mean nothing"
    )
