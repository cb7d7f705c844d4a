"""The README's Borda table: votes counted from the shipped score tables, the card's beside.

    python benchmarks/leaderboard.py

Results: `results/leaderboard.json`.
"""

from __future__ import annotations

from typing import Any

from biencoder.evaluate.leaderboard import Standing, card_votes, leaderboard
from biencoder.evaluate.score_table import read_scores, read_types
from harness import write_results

# What is shown of each table: the card's seven models, the first three of the newer one.
TABLES = {"October 2025": "mmteb-2025-10", "August 2026": "mmteb-2026-08"}
FIRST = 3


def main() -> None:
    """Rank both tables and write the lines that are shown."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for title, name in TABLES.items():
        table = read_scores(name)
        standings = leaderboard(table, read_types()).standings
        printed = card_votes(table)
        shown = [row for row in standings if row.model in printed] or standings[:FIRST]
        tables[title] = [line(row, printed.get(row.model)) for row in shown]
        for row in tables[title]:
            print(title, row)
    print(write_results("leaderboard", {"tables": tables}))


def line(row: Standing, printed: float | None) -> dict[str, Any]:
    """One model's votes."""
    return {"rank": row.rank, "model": row.model, "votes": row.votes, "card votes": printed}


if __name__ == "__main__":
    main()
