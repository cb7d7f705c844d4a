"""Small folders of documents with questions whose answers are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TEXTS = {
    "lakes.md": "# Lakes\n\nWater.\n\n## Oxbow lakes\n\nAn oxbow lake is a cut-off bend of a river.\n",
    "trees/pine.txt": "Pine trees keep their needles for several years.",
    "trees/oak.txt": "Oak trees lose their leaves in autumn, and acorns feed jays.",
    "trees/rare.txt": "The zyzzogeton is a leafhopper that only a dictionary knows.",
}
ROWS: list[dict[str, Any]] = [
    {"_id": "r1", "title": "Bees", "text": "Bees dance to show where flowers are.", "year": 1946},
    {"_id": "r2", "title": "Ants", "text": "Ants follow trails of scent.", "year": 1959},
    {"_id": "r3", "text": "Moths fly to lamps at night.", "metadata": {"year": 2024, "seen": True}},
]


def write_documents(folder: Path) -> Path:
    """Text, Markdown and rows."""
    for name, text in TEXTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    (folder / "animals.jsonl").write_text(lines, encoding="utf-8")
    return folder
