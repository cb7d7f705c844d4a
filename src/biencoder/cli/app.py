"""`biencoder`: the list of verbs, and how an error reaches a person.

Only typer is imported here; each verb's work is imported when it is called, so that `--help` is
there at once.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from biencoder.cli import (
    check,
    compact,
    compare,
    distil,
    doctor,
    embed,
    evaluate,
    export,
    index,
    leaderboard,
    models,
    random,
    reindex,
    report,
    search,
    serve,
    status,
    verify,
)
from biencoder.errors import BiencoderError

app = typer.Typer(
    name="biencoder",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
VERBS = (
    *(models, embed, search, serve),
    *(index, status, verify, compact, reindex, export),
    *(evaluate, compare, leaderboard, report),
    *(check, random, doctor, distil),
)


def _tell_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"biencoder {version('biencoder')}")
        raise typer.Exit


@app.callback(
    help="Llama-based embedding models: embed, search, check, train. No remote code, no API key."
)
def biencoder(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """What stands before the verb."""


for verb in VERBS:
    app.command(name=verb.NAME, help=verb.HELP)(verb.run)


def main() -> None:
    """Run a verb. An error that a user can mend is one message on stderr and exit code 1.

    A reader that has gone (`head`, say) is no fault: exit code 0.
    """
    try:
        try:
            app()
        finally:
            # Short output waits in the buffer until here.
            sys.stdout.flush()
    except BiencoderError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        _reader_gone()
    except SystemExit as stop:
        # typer and rich turn a broken pipe into exit code 1 before it comes here.
        if not isinstance(stop.__context__, BrokenPipeError):
            raise
        _reader_gone()
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        sys.exit(130)


def _reader_gone() -> None:
    # What is left in the buffer has to go somewhere when Python ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(0)
