"""`biencoder`: the list of verbs, and how an error reaches a person.

Only typer is imported here; each verb's work is imported when it is called, so that `--help` is
there at once.
"""

from __future__ import annotations

import sys

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
    help="Llama-based embedding models: embed, search, check, train. No remote code, no API key.",
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
for verb in VERBS:
    app.command(name=verb.NAME, help=verb.HELP)(verb.run)


def main() -> None:
    """Run a verb. An error that a user can mend is one message on stderr and exit code 1."""
    try:
        app()
    except BiencoderError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        # The reader (`head`, say) has gone; that is no fault.
        sys.stderr.close()
        sys.exit(0)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        sys.exit(130)
