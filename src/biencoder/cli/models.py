"""`biencoder models`: the family as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from biencoder.cli.show import print_json

if TYPE_CHECKING:
    from biencoder.config.family import Member
    from biencoder.config.page_model import PageConfig

NAME = "models"
HELP = "List the family: names, sizes, dimensions, prompts, limits, licences, what is inferred."


def run(
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List the family."""
    from biencoder.config.family import FAMILY

    rows = [describe(member) for member in FAMILY]
    if json_:
        print_json(rows)
    else:
        _print_cards(rows)


def describe(member: Member) -> dict[str, Any]:
    """One member as a JSON object; ``parameters`` are those of its files, counted without weights."""
    return {
        "id": member.id,
        "aliases": list(member.aliases),
        "parameters": _parameters(member),
        "hidden_size": member.hidden_size,
        "layers": None if member.config is None else member.config.num_hidden_layers,
        "dimensions": list(member.dimensions),
        "max_tokens": member.max_tokens,
        "prompts": {
            "query": member.prompts.query,
            "document": member.prompts.document,
            "instruction": member.prompts.instruction_template,
            "bright_instructions": member.prompts.bright,
        },
        "license": member.license,
        "commercial_use": member.commercial_use,
        "weights": member.weights,
        "inferred": list(member.inferred),
        "note": member.note,
        "pages": None if member.pages is None else _pages(member.pages),
    }


def _parameters(member: Member) -> int | None:
    from biencoder.models.checkpoint import count_parameters
    from biencoder.models.page_checkpoint import count_page_parameters

    if member.pages is not None:
        return count_page_parameters(member.pages).stored
    return None if member.config is None else count_parameters(member.config)


def _pages(pages: PageConfig) -> dict[str, Any]:
    from biencoder.config.page_model import PageLimits
    from biencoder.models.page_checkpoint import count_page_parameters

    limits = PageLimits()
    return {
        "modalities": ["text", "image", "image_text"],
        "parameters_run": count_page_parameters(pages).run,
        "max_tiles": pages.max_tiles,
        "thumbnail": pages.thumbnail,
        "tokens_per_tile": pages.tokens_per_tile,
        "limits": {
            "query": pages.query_tokens,
            "text": limits.text,
            "image": limits.image,
            "image_text": limits.image_text,
        },
    }


def _print_cards(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for row in rows:
        table = Table(show_header=False, box=None, padding=(0, 1), title_justify="left")
        table.title = f"[bold]{row['id']}[/bold]"
        table.add_column(style="dim", width=14)
        table.add_column(overflow="fold")
        for label, value in _lines(row):
            table.add_row(label, value)
        console.print(table)
        console.print()


def _lines(row: dict[str, Any]) -> list[tuple[str, str]]:
    parameters, pages = row["parameters"], row["pages"]
    prompts = row["prompts"]
    counted = "not known" if parameters is None else f"{parameters:,}"
    if pages is not None:
        counted += f", of which {pages['parameters_run']:,} run: the tower's pooling head is unused"
    lines = [
        ("also called", ", ".join(row["aliases"])),
        ("parameters", counted),
        ("dimensions", ", ".join(map(str, row["dimensions"]))),
        ("reads", f"up to {row['max_tokens']:,} tokens"),
        ("prompts", f"query {prompts['query']!r}, document {prompts['document']!r}"),
        ("licence", row["license"]),
        ("commercial use", "yes" if row["commercial_use"] else "no"),
        ("weights", row["weights"]),
    ]
    if pages is not None:
        beside = " and a thumbnail" if pages["thumbnail"] else ""
        told = f"up to {pages['max_tiles']} tiles{beside}, {pages['tokens_per_tile']} tokens a tile"
        lines.append(("page images", told))
    if row["inferred"]:
        lines.append(("inferred", ", ".join(row["inferred"])))
    if row["note"]:
        lines.append(("note", row["note"]))
    return lines
