"""`biencoder check`: is this checkpoint loaded right?"""

from __future__ import annotations

from typing import Annotated

import typer

from biencoder.cli.show import print_json, warnings_as_lines

NAME = "check"
HELP = "Tell whether a checkpoint is loaded right, what it is, and what it costs here."


def run(
    model: Annotated[str, typer.Argument(help="Family name, checkpoint folder or hub id.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
    documents: Annotated[
        int, typer.Option(help="Documents of 130 tokens, and pages, for the estimate of hours.")
    ] = 1_000_000,
    dtype: Annotated[
        str, typer.Option(help="auto, bfloat16, float32 or float16 (GPU only).")
    ] = "auto",
) -> None:
    """One line a check: ok, warning or failed. Exit code 1 if something failed."""
    import shutil

    from biencoder.diagnosis.check import check
    from biencoder.diagnosis.findings import has_failed

    width = shutil.get_terminal_size((100, 24)).columns
    findings = []
    with warnings_as_lines():
        for finding in check(model, dtype=dtype, documents=documents):
            findings.append(finding)
            if not as_json:
                typer.echo(finding.as_lines(width))
    failed = has_failed(findings)
    if as_json:
        lines = [finding.as_json() for finding in findings]
        print_json({"model": model, "passed": not failed, "findings": lines})
    if failed:
        raise typer.Exit(1)
