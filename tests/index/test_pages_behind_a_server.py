"""An index of pages whose model is behind a server: the one made here, but for the shares of tiles."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.index import made_index, made_pages
from tests.serve.in_thread import served

from biencoder import Embedder, Index
from biencoder.embedder.remote.connected import RemoteEmbedder
from biencoder.errors import FingerprintError, InputError
from biencoder.index.build import Options, index_folder
from biencoder.index.page_settings import PageOptions
from biencoder.index.rewrite import reindex
from biencoder.index.verify import verify
from biencoder.serve.embeddings.names import Served
from biencoder.serve.engine.engine import Engine

MODEL = "tiny-pages"
SCAN = "photo-1.png"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    model = Embedder.load(made_pages.checkpoint())
    with served(Served(MODEL, Engine(model))) as address:
        yield address


@pytest.fixture(scope="module")
def place(address: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages, indexed here and through the server; all to be read only."""
    place = tmp_path_factory.mktemp("pages")
    source = made_pages.write_sources(place / "source")
    made_pages.index(source, place / "here")
    index_folder(source, place / "there", reached(address))
    return place


def reached(address: str, **more: Any) -> Options:
    return replace(made_pages.OPTIONS, model=MODEL, server=address, **more)


def rows(folder: Path) -> dict[str, tuple[str, int | None, str, int, Any]]:
    mirror = Index.open(folder, embedder=made_pages.mini())._snapshot.mirror
    found = [mirror.row(number) for number in range(len(mirror.vectors_ND))]
    return {
        row["id"]: (row["source"], row["page"], row["text"], row["tokens"], vector)
        for row, vector in zip(found, np.asarray(mirror.vectors_ND), strict=True)
    }


def test_its_pages_are_those_of_an_index_made_here(place: Path) -> None:
    here, there = rows(place / "here"), rows(place / "there")
    pages = {id_ for id_, row in here.items() if row[0] != "note.md"}
    assert len(pages) == 6
    for id_ in pages:
        assert there[id_][:4] == here[id_][:4]
        np.testing.assert_allclose(there[id_][4], here[id_][4], rtol=0, atol=1e-5)
    facts = Index.open(place / "there").facts
    assert (facts.modality, facts.dpi, facts.max_tiles, facts.thumbnail) == (
        "image_text", 36, 6, True
    )  # fmt: skip
    assert facts.fingerprint == Index.open(place / "here").facts.fingerprint
    assert verify(place / "there").ok


def test_a_page_is_found_and_shown_but_no_share_is_told(place: Path) -> None:
    # Opened as it stands: the server is asked again.
    index = Index.open(place / "there")
    assert isinstance(index.embedder, RemoteEmbedder)
    hits = index.search("loud pump", mode="dense", top_k=7)
    local = made_pages.opened(place / "here").search("loud pump", mode="dense", top_k=7)
    assert [(hit.source, hit.page) for hit in hits] == [(hit.source, hit.page) for hit in local]
    (scan,) = [hit for hit in hits if hit.source == SCAN]
    assert scan.pictured
    assert index.page_image(scan.id) == made_pages.opened(place / "here").page_image(scan.id)
    query_D = index.question_vector("loud pump")
    assert index.page_shares(scan.id, query_D) is None
    assert made_pages.opened(place / "here").page_shares(scan.id, query_D) is not None


def test_either_index_opens_with_the_model_of_the_other(place: Path, address: str) -> None:
    there = Embedder.connect(address, MODEL)
    expected = made_pages.opened(place / "here").search("a lamp", mode="dense")
    for folder, model in ((place / "here", there), (place / "there", made_pages.mini())):
        hits = Index.open(folder, embedder=model).search("a lamp", mode="dense")
        assert [hit.source for hit in hits] == [hit.source for hit in expected]
        np.testing.assert_allclose(
            [hit.score for hit in hits], [hit.score for hit in expected], atol=1e-5
        )


def test_it_is_brought_up_to_date_at_its_server(place: Path, tmp_path: Path) -> None:
    source = shutil.copytree(place / "source", tmp_path / "source")
    folder = shutil.copytree(place / "there", tmp_path / "index")
    made_pages.change_sources(source)
    (source / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    tally = index_folder(source, folder, replace(Options(workers=1), moved=True))
    assert (tally.pages, tally.removed, list(tally.failures)) == (4, 1, ["broken.png"])
    assert verify(folder).ok


def test_re_embedding_here_gives_the_shares_back(place: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(place / "there", tmp_path / "index")
    reindex(folder, Options(workers=1, again=True), embedder=made_pages.mini())
    index = made_pages.opened(folder)
    (scan,) = [hit for hit in index.search("x", mode="dense", top_k=7) if hit.source == SCAN]
    assert index.page_shares(scan.id, index.question_vector("x")) is not None


def test_how_pages_are_seen_is_the_servers_to_say(
    place: Path, address: str, tmp_path: Path
) -> None:
    told = PageOptions(max_tiles=2, dpi=36)
    with pytest.raises(InputError, match="max_tiles are settings of a page model on this machine"):
        index_folder(place / "source", tmp_path / "new", reached(address, pages=told))
    assert not (tmp_path / "new").exists()
    other = Embedder.load(made_pages.checkpoint(), max_tiles=2)
    with served(Served(MODEL, Engine(other))) as fewer:
        folder = shutil.copytree(place / "there", tmp_path / "index")
        with pytest.raises(FingerprintError, match="up to 6 and a thumbnail, not up to 2"):
            Index.open(folder, embedder=Embedder.connect(fewer, MODEL))


def test_a_text_model_behind_a_server_indexes_no_images(place: Path, tmp_path: Path) -> None:
    with served(Served("mini", Engine(made_index.mini()))) as address:
        options = replace(reached(address), model="mini", pages=PageOptions(modality="image_text"))
        with pytest.raises(InputError, match="mini reads text only"):
            index_folder(place / "source", tmp_path / "new", options)
    assert not (tmp_path / "new").exists()
