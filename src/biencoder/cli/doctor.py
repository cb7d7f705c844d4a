"""`biencoder doctor`: is this machine set up right?"""

from __future__ import annotations

from typing import Annotated

import typer

from biencoder.cli.show import print_json, warnings_as_lines

NAME = "doctor"
HELP = "Tell what this machine has, how fast it multiplies, what is slow and what to do."


def run(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """One line a fact, then one line for each thing that can be made better."""
    import shutil

    from biencoder.diagnosis.doctor import doctor

    width = shutil.get_terminal_size((100, 24)).columns
    findings = []
    with warnings_as_lines():
        for finding in doctor():
            findings.append(finding)
            if not as_json:
                typer.echo(finding.as_lines(width))
    if as_json:
        print_json({"findings": [finding.as_json() for finding in findings]})
