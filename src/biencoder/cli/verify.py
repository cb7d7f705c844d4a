"""`biencoder verify`: does an index agree with itself, its sources and its model?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from biencoder.cli.show import print_json, say, warnings_as_lines
from biencoder.cli.show_index import FAULTS, bar

if TYPE_CHECKING:
    from rich.text import Text

    from biencoder.index.verify import Sources, Verification
    from biencoder.index.verify_table import Check

NAME = "verify"
HELP = "Compare an index with itself, its sources and its model; measure what searching finds."

# What holds where a check is ok, and what was looked at.
_CLAIMS = {
    "files": ("files are as they were written", "file"),
    "model": ("the model here is the one that made it", "model"),
    "table": ("the table can be read", "table"),
    "mirror": ("the mirror equals the table", "passage"),
    "missing": ("no document lacks passages", "document"),
    "extra": ("every document in the table is known", "document"),
    "duplicates": ("no passage stands there twice", "passage"),
    "contents": ("texts and vectors are those stored", "document"),
    "full text": ("the full-text index is complete", "passage"),
    "pages": ("each page has its picture and its parts", "page"),
    "page files": ("no picture is left of a page that went", "file"),
    "sources": ("every file read is accounted for", "file"),
}


def run(
    folder: Annotated[Path, typer.Argument(help="The index.")],
    sample: Annotated[
        int, typer.Option(help="How many passages are asked for their neighbours.")
    ] = 200,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Look at everything, and change nothing."""
    with warnings_as_lines():
        from biencoder.index.verify import verify

        found = verify(folder, sample=sample, meter=bar)
        if json_:
            print_json({"index": str(folder), "ok": found.ok, **asdict(found)})
        else:
            _print(found)
        if not found.ok:
            say(
                f"{folder} has faults: `biencoder index` heals what can be healed from the "
                "sources, `biencoder reindex` makes all vectors anew"
            )
            raise typer.Exit(FAULTS)


def _print(found: Verification) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(soft_wrap=True)
    for check in found.checks:
        console.print(_verdict(check))
        for line in _examples(check):
            console.print(Text(f"       {line}", "red"))
    for line in (_sources_line(found.sources), _recall_line(found)):
        console.print(Text(line))


def _verdict(check: Check) -> Text:
    from rich.text import Text

    from biencoder.evaluate.report.words import counted

    claim, unit = _CLAIMS[check.name]
    if check.not_yet and not check.faults:
        state, style, detail = "–", "dim", check.not_yet
    elif check.faults:
        state, style, detail = "FAULT", "bold red", counted(check.faults, "fault")
    else:
        # Where nothing could be compared, nothing is claimed.
        state, style = ("ok", "green") if check.looked_at else ("–", "dim")
        detail = counted(check.looked_at, unit)
    width = max(len(claim) for claim, _ in _CLAIMS.values())
    return Text(f"{state:5}", style).append(f"  {claim:{width}}  {detail}", "default")


def _examples(check: Check) -> Iterator[str]:
    from biencoder.evaluate.report.words import one_line

    yield from map(one_line, check.first)
    if check.faults > len(check.first):
        yield f"and {check.faults - len(check.first):,} more"


def _sources_line(sources: Sources) -> str:
    if sources.not_looked_at:
        return f"The sources were not looked at: {sources.not_looked_at}."
    from biencoder.evaluate.report.words import counted

    if not (sources.changed or sources.new or sources.gone or sources.planned):
        return "The sources are as they were when they were indexed."
    return (
        f"Since the last run: {counted(sources.changed, 'file')} changed, {sources.new:,} new, "
        f"{counted(sources.gone, 'document')} gone, {sources.planned:,} not finished; "
        "index again to bring them in."
    )


def _recall_line(found: Verification) -> str:
    if found.recall is None:
        missing = any(check.name == "mirror" and check.not_yet for check in found.checks)
        why = ": searching needs the mirror, which is not made yet" if missing else ""
        return f"Recall was not measured{why}."
    return (
        f"Searching finds {100 * found.recall:.1f} % of the ten nearest passages "
        f"({found.sampled:,} asked, candidates: {found.candidates})."
    )
