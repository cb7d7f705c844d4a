"""The house's own laws: imports point down, no cycles, files and functions of a readable size."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "biencoder"
FILES = sorted(SOURCE.rglob("*.py"))

# Rooms by floor; a room may import itself and any room on a lower floor.
FLOORS: dict[str, float] = {
    "errors": 0,
    "types": 0,
    "drafts": 0.5,
    "config": 1,
    "models": 2,
    "text": 3,
    "batching": 3,
    "corpus": 3,
    "pages": 3,
    "reading": 3.5,
    "embedder": 4,
    "diagnosis": 5,
    "index": 5,
    "data": 6,
    "train": 6,
    "evaluate": 6,
    "serve": 7,
    "recipes": 7.5,
    "cli": 8,
    "__main__": 9,
}
TORCHLESS = {
    *("errors", "types", "drafts", "config", "text", "batching", "corpus", "pages", "reading"),
}
# errors is the ground that even types may stand on; the others on one floor are strangers.
NEIGHBOURS = {("types", "errors")}


def _room(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield f"{node.module}"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _rooms_imported(path: Path) -> set[str]:
    found = (name.split(".") for name in _imports(path) if name.startswith("biencoder."))
    return {parts[1] for parts in found if parts[1] in FLOORS} - {_room(path)}


def test_every_room_has_a_floor() -> None:
    rooms = {_room(path) for path in FILES} - {"__init__"}
    assert rooms == set(FLOORS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_down(path: Path) -> None:
    room = _room(path)
    if room == "__init__":
        return
    for other in _rooms_imported(path):
        below = FLOORS[other] < FLOORS[room]
        assert below or (room, other) in NEIGHBOURS, f"{room} imports {other}"


def test_no_cycle_between_rooms() -> None:
    graph: dict[str, set[str]] = {}
    for path in FILES:
        if _room(path) != "__init__":
            graph.setdefault(_room(path), set()).update(_rooms_imported(path))
    tuple(graphlib.TopologicalSorter(graph).static_order())


def test_no_file_is_longer_than_300_lines() -> None:
    long = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {path: lines for path, lines in long.items() if lines > 300} == {}


def test_95_percent_of_functions_fit_in_45_lines() -> None:
    lengths = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    fitting = sum(length <= 45 for length in lengths)
    assert fitting / len(lengths) >= 0.95


def test_the_lower_rooms_need_no_torch() -> None:
    modules = [
        "biencoder." + ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        for path in FILES
        if _room(path) in TORCHLESS and path.stem != "__init__"
    ]
    code = f"import sys, {', '.join(modules)}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_help_needs_neither_torch_nor_numpy() -> None:
    code = "import sys, biencoder.cli.app; sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_nothing_is_called_utils_or_helpers() -> None:
    names = {part for path in FILES for part in path.relative_to(SOURCE).with_suffix("").parts}
    assert names.isdisjoint({"utils", "helpers", "common", "misc"})
