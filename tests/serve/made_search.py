"""A small index served for tests: its sources, its service, and an engine that counts its questions."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from starlette.testclient import TestClient
from tests.index import made_index
from tests.reading import made

from biencoder.embedder.embedder import Embedder
from biencoder.index.build import Options, index_folder
from biencoder.serve.app import build_app
from biencoder.serve.embeddings.names import Registry
from biencoder.serve.engine.engine import Embedded, Engine, Timings
from biencoder.serve.search.search import SearchService
from biencoder.serve.service import Service
from biencoder.serve.settings import Settings

QUESTION = "how do I reset the kettle?"
_PART = (
    "## Part {0}\n\nThe kettle's part {0} is listed with its order number {1} and is sold for at least"
    " ten years after the last kettle was made, by every shop that has sold the kettle itself."
)
_RESET = (
    "## Reset the kettle\n\nTo reset the kettle, hold its **red button** for ten seconds. It then"
    " forgets every temperature that was set."
)
_PARTS = [_PART.format(number, 7 * number) for number in range(1, 9)]
TEXTS = {
    "guides/kettle.md": "\n\n".join(["# Kettle", *_PARTS[:4], _RESET, *_PARTS[4:]]) + "\n",
    "guides/lamp.md": "# Lamp\n\nThe lamp turns green when it is charged.\n",
    "notes/bees.txt": "Bees dance to show where flowers are.",
    "notes/hostile.txt": "<script>document.title='owned'</script> <img src=x onerror=\"document.title"
    "='owned'\"> is how some walruses greet browsers.",
}
ROWS: list[dict[str, Any]] = [
    {"_id": "r1", "title": "Ants", "text": "Ants follow trails of scent.", "year": 1959},
    {"_id": "../r2", "title": "Moths", "text": "Moths fly to lamps at night.", "year": 2024},
]
OPTIONS = Options(workers=1, chunk_tokens=64)


def write_sources(folder: Path) -> Path:
    """Markdown, plain text, rows and a PDF of two pages."""
    for name, text in TEXTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    (folder / "animals.jsonl").write_text(lines, encoding="utf-8")
    pages = ["The pump is loud when its filter is full.", "Walruses sleep on ice."]
    (folder / "manual.pdf").write_bytes(made.pdf(pages, title="Pump manual"))
    return folder


def write_index(place: Path) -> Path:
    """The index of those sources, which lie beside it."""
    made_index.index(write_sources(place / "sources"), place / "index", OPTIONS)
    return place / "index"


def add_source(place: Path, name: str, text: str) -> None:
    """One more document, indexed."""
    (place / "sources" / name).write_text(text, encoding="utf-8")
    index_folder(place / "sources", place / "index", OPTIONS, embedder=made_index.mini())


def service(
    folders: Path | Sequence[Path],
    *,
    feedback: Path,
    engines: Sequence[Any] | None = None,
    say: Callable[[str], None] = lambda line: None,
    **settings: Any,
) -> Service:
    """A ready service of one index or several. engines: without them, the mini's."""
    places = [folders] if isinstance(folders, Path) else list(folders)
    given = [CountingEngine()] if engines is None else engines
    searching = SearchService.open(
        places, engines=[cast(Engine, engine) for engine in given], feedback=feedback, say=say
    )
    return Service(
        settings=Settings(**settings), registry=Registry([]), searching=searching, state="ready"
    )


def client(served: Service, **headers: str) -> TestClient:
    """A client of the whole application, as it is served."""
    return TestClient(build_app(served), headers=headers)


class CountingEngine:
    """Answers as the mini does, or another model, and keeps what it was asked."""

    def __init__(self, embedder: Embedder | None = None) -> None:
        self.embedder = embedder or made_index.mini()
        self.asked: list[str] = []

    async def embed(
        self, texts: Sequence[str], *, dimensions: int | None = None, **given: Any
    ) -> Embedded:
        assert given["role"] == "query"
        self.asked += texts
        vectors = self.embedder.encode_queries(texts, dimensions=dimensions)
        timings = Timings(tokenize=0.0, queue=0.0, inference=0.0)
        return Embedded(vectors=vectors, tokens=0, truncated=0, timings=timings)
