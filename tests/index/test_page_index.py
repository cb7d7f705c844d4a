"""Pages by their looks in an index: one row a page, its picture and its parts beside the table."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests import tiny_pages
from tests.index import made_index, made_pages
from tests.index.made_disk import watch
from tests.reading import made

from biencoder import Embedder, Index
from biencoder.config.page_model import PageLimits
from biencoder.embedder.pages.page import Page, PageWindow
from biencoder.errors import FingerprintError, InputError, OutputError
from biencoder.index.build import Options, index_folder
from biencoder.index.compaction import compact
from biencoder.index.facts import Facts, read_facts
from biencoder.index.layout import read_layout
from biencoder.index.ledger import Ledger
from biencoder.index.page_files import PageFiles
from biencoder.index.page_rows import page_rows
from biencoder.index.page_settings import PageOptions
from biencoder.index.rewrite import reindex
from biencoder.index.store import Store
from biencoder.index.table_files import RecoveryWarning
from biencoder.index.verify import verify
from biencoder.reading.pdf_pages import pdf_pages


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sources and their index, both to be read only."""
    place = tmp_path_factory.mktemp("pages")
    made_pages.index(made_pages.write_sources(place / "source"), place / "index")
    return place


@pytest.fixture
def source(place: Path, tmp_path: Path) -> Path:
    """The sources in a place of their own."""
    return made_pages.write_sources(tmp_path / "source")


@pytest.fixture
def folder(place: Path, source: Path, tmp_path: Path) -> Path:
    """An index of them."""
    copied = shutil.copytree(place / "index", tmp_path / "index")
    made_pages.index(source, copied, replace(made_pages.OPTIONS, moved=True))
    return copied


def _rows(index: Index) -> dict[tuple[str, int | None], dict[str, Any]]:
    mirror = index._snapshot.mirror
    rows = [mirror.row(row) for row in range(len(index))]
    for number, row in enumerate(rows):
        row["vector"] = np.asarray(mirror.vectors_ND[number])
    return {(row["source"], row["page"]): row for row in rows}


def _facts(folder: Path) -> Facts:
    return read_facts(read_layout(folder).generation())


def _faults(folder: Path) -> dict[str, int]:
    return {check.name: check.faults for check in verify(folder).checks if check.faults}


def _counted(monkeypatch: pytest.MonkeyPatch, stop_after: int = 99) -> list[int]:
    """How many pages the model computes, window by window; it stops as if killed after some."""
    computed: list[int] = []
    encode = Embedder.encode_pages

    def counting(self: Embedder, pages: Iterable[Page], **options: Any) -> Iterator[PageWindow]:
        for window in encode(self, pages, **options, window_pages=1):
            if len(computed) == stop_after:
                raise KeyboardInterrupt
            computed.append(window.pages)
            yield window

    monkeypatch.setattr(Embedder, "encode_pages", counting)
    return computed


def test_a_page_is_a_row_and_other_kinds_are_passages(place: Path) -> None:
    rows = _rows(made_pages.opened(place / "index"))
    assert {name: row["text"] for name, row in rows.items()} == {
        ("report.pdf", 1): "Hold the lamp button.",
        ("report.pdf", 2): "A loud pump.",
        ("report.pdf", 3): "",
        ("photo-0.png", None): "",
        ("photo-1.png", None): "",
        ("photo-2.png", None): "",
        ("note.md", None): "# Tea\n\nA kettle for tea.\n",
    }
    facts = _facts(place / "index")
    assert (facts.modality, facts.dpi, facts.max_tiles, facts.thumbnail) == (
        "image_text", 36, 6, True
    )  # fmt: skip


@pytest.mark.parametrize("modality", ["image_text", "image"])
def test_a_row_holds_the_models_vector_of_the_image_and_the_words_stay_for_bm25(
    modality: Any, source: Path, tmp_path: Path
) -> None:
    to = tmp_path / "new"
    made_pages.index(source, to, Options(workers=1, pages=PageOptions(modality=modality, dpi=36)))
    rows = _rows(made_pages.opened(to))
    pages = list(pdf_pages(source / "report.pdf", notes=[], dpi=36))
    words: list[str | None] = [page.text if modality == "image_text" else None for page in pages]
    words[2] = None
    expected = made_pages.mini().encode_documents(words, images=[page.image() for page in pages])
    for page, vector_D in zip(pages, expected, strict=True):
        np.testing.assert_allclose(
            rows["report.pdf", page.number]["vector"], vector_D, rtol=1e-5, atol=1e-6
        )
    photo = made_pages.mini().encode_documents(images=[source / "photo-1.png"])[0]
    np.testing.assert_allclose(rows["photo-1.png", None]["vector"], photo, rtol=1e-5, atol=1e-6)
    best = made_pages.opened(to).search("loud pump", mode="lexical")
    assert [(hit.source, hit.page) for hit in best] == [("report.pdf", 2)]


def test_as_text_a_page_model_indexes_as_a_text_model_does(source: Path, tmp_path: Path) -> None:
    to = tmp_path / "text"
    tally = made_pages.index(source, to, Options(workers=1, pages=PageOptions(modality="text")))
    assert [path.name for path in tally.others] == ["photo-0.png", "photo-1.png", "photo-2.png"]
    rows = _rows(made_pages.opened(to))
    assert set(rows) == {("report.pdf", 1), ("report.pdf", 2), ("note.md", None)}
    assert list(made_pages.page_files(to)) == []
    assert not made_pages.opened(to).search("pump")[0].pictured


def test_a_picture_for_people_stands_beside_each_page_and_beside_nothing_else(
    place: Path, source: Path
) -> None:
    index = made_pages.opened(place / "index")
    for (name, page), row in _rows(index).items():
        data = index.page_image(row["id"])
        assert (data is None) == (name == "note.md")
        if data is not None:
            picture = Image.open(io.BytesIO(data))
            assert picture.format == "WEBP"
            assert picture.size == ((200, 90) if page is None else (306, 396))
    assert {hit.source: hit.pictured for hit in index.search("tea", mode="dense")}[
        "note.md"
    ] is False
    wide = tiny_pages.picture(3000, 1500)
    wide.save(source / "wide.jpg")
    to = source.parent / "wide"
    made_pages.index(source / "wide.jpg", to)
    (hit,) = made_pages.opened(to).search("anything", mode="dense")
    data = made_pages.opened(to).page_image(hit.id)
    assert data is not None
    assert Image.open(io.BytesIO(data)).size == (1024, 512)


@pytest.mark.parametrize("id_", ["", "../../ledger", "0" * 32, "a" * 31 + "/", "…" * 32])
def test_an_id_that_is_no_pages_opens_nothing(place: Path, id_: str) -> None:
    index = made_pages.opened(place / "index")
    assert index.page_image(id_) is None
    assert index.page_shares(id_, index.question_vector("lamp")) is None


def test_the_shares_of_the_tiles_and_the_rest_are_the_score(place: Path) -> None:
    index = made_pages.opened(place / "index")
    query_D = index.question_vector("a lamp")
    hits = index.search_vector("a lamp", lambda: query_D, mode="dense", top_k=9)
    assert len(hits) == 7
    for hit in hits:
        shares = index.page_shares(hit.id, query_D)
        if hit.source == "note.md":
            assert shares is None
            continue
        assert shares is not None
        assert shares.thumbnail is not None
        whole = sum(share for _, share in shares.tiles) + shares.thumbnail + shares.rest
        assert whole == pytest.approx(hit.dense, abs=1e-5)
        assert shares.score == pytest.approx(hit.dense, abs=1e-5)


def test_each_share_is_what_the_model_says_of_that_tile_at_its_place(
    place: Path, source: Path
) -> None:
    index = made_pages.opened(place / "index")
    query_D = index.question_vector("a lamp")
    (window,) = made_pages.mini().encode_pages([Page(source / "photo-2.png")], parts=True)
    parts = window.details[0].parts
    assert parts is not None
    row = _rows(index)["photo-2.png", None]
    shares = index.page_shares(row["id"], query_D)
    assert shares is not None
    # 200 x 90 in tiles: three columns, one row; half precision keeps three digits.
    assert [box for box, _ in shares.tiles] == [
        (0, 0, 1 / 3, 1), (1 / 3, 0, 2 / 3, 1), (2 / 3, 0, 1, 1)
    ]  # fmt: skip
    assert shares.thumbnail is not None
    found = [*(share for _, share in shares.tiles), shares.thumbnail, shares.rest]
    np.testing.assert_allclose(found, parts @ query_D, atol=2e-3)


def test_what_cannot_be_read_is_told_and_the_rest_is_indexed(source: Path, tmp_path: Path) -> None:
    (source / "a-damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (source / "b-secret.pdf").write_bytes(made.encrypted_pdf())
    (source / "c-empty.webp").write_bytes(b"")
    # A thumbnail and six tiles are too many for this limit; with words another limit counts.
    embedder = Embedder.load(made_pages.checkpoint(), page_limits=PageLimits(image=35))
    tally = index_folder(source, tmp_path / "new", made_pages.OPTIONS, embedder=embedder)
    assert {name: reason.split(":")[0] for name, reason in tally.failures.items()} == {
        "a-damaged.png": "the image is a damaged or truncated PNG image",
        "b-secret.pdf": "is encrypted",
        "c-empty.webp": "is empty",
    }
    assert (tally.documents, tally.pages) == (5, 5)
    assert "page 3 was left out: an image of 7 tiles is" in tally.notes["report.pdf"][0]


def test_a_text_that_is_too_long_beside_its_image_is_cut_and_told(
    source: Path, tmp_path: Path
) -> None:
    embedder = Embedder.load(made_pages.checkpoint(), page_limits=PageLimits(image_text=44))
    tally = index_folder(source, tmp_path / "new", made_pages.OPTIONS, embedder=embedder)
    assert tally.failures == {}
    (note,) = tally.notes["report.pdf"]
    assert note.startswith("page 1 and 1 more: the end of the text was not embedded")
    rows = _rows(Index.open(tmp_path / "new", embedder=embedder))
    assert rows["report.pdf", 1]["text"] == "Hold the lamp button."


def test_a_scan_without_any_word_in_the_index_is_found_by_its_looks(
    source: Path, tmp_path: Path
) -> None:
    made_pages.index(source / "photo-0.png", tmp_path / "one")
    index = made_pages.opened(tmp_path / "one")
    assert index.search("lamp", mode="lexical") == []
    assert [hit.source for hit in index.search("lamp")] == ["photo-0.png"]


def test_what_changed_is_read_again_and_the_pictures_of_what_left_go(
    folder: Path, source: Path
) -> None:
    before = made_pages.contents(folder).pictures
    made_pages.change_sources(source)
    tally = made_pages.index(source, folder)
    assert (tally.documents, tally.pages, tally.removed, tally.unchanged) == (3, 4, 1, 2)
    after = made_pages.contents(folder).pictures
    assert len(after) == 5
    assert len(before.keys() & after.keys()) == 1
    assert {path.stem for path in made_pages.page_files(folder)} == after.keys()
    assert _faults(folder) == {}


def test_a_run_that_was_stopped_goes_on_from_the_pages_that_are_there(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = tmp_path / "new"
    with monkeypatch.context() as stopped:
        # The second page of the report is not done, and so its document is not.
        computed = _counted(stopped, stop_after=5)
        with pytest.raises(KeyboardInterrupt):
            made_pages.index(source, to)
        assert computed == [1] * 5
    assert "report.pdf" not in made_index.acknowledged(made_index.live(to))
    with monkeypatch.context() as going_on:
        computed = _counted(going_on)
        tally = made_pages.index(source, to)
    assert len(computed) == 1
    assert tally.failures == {}
    made_pages.index(source, tmp_path / "undisturbed")
    assert made_pages.contents(to) == made_pages.contents(tmp_path / "undisturbed")


def test_both_files_of_a_page_are_on_the_disk_before_its_row_is_acknowledged(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = tmp_path / "new"
    disk, set_fact = watch(to, monkeypatch), Ledger.set_fact
    pages: list[int] = []

    def looking(ledger: Ledger, name: str, value: Any) -> None:
        if name == "acknowledged" and value is not None:
            generation = ledger.path.parent
            rows = list(page_rows(Store.open(generation, value["version"]), ledger, _facts(to)))
            pages.append(len(rows))
            for id_, source in rows:
                above = generation / "pages" / id_[:2]
                for path in (above / f"{id_}.webp", above / f"{id_}.npz", above, above.parent):
                    assert disk.has(path), f"{source}: {path.name}"
        set_fact(ledger, name, value)

    monkeypatch.setattr(Ledger, "set_fact", looking)
    made_pages.index(source, to)
    assert pages[0] == 0
    assert pages[-1] == 6
    assert len(set(pages)) > 2
    made_pages.change_sources(source)
    made_pages.index(source, to)
    compact(to)
    assert pages[-1] == 5


def test_a_row_whose_picture_is_gone_is_not_acknowledged(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PageFiles, "write", lambda *values: None)
    with pytest.raises(OutputError, match="could not be written"):
        made_pages.index(source / "photo-0.png", tmp_path / "new")
    assert made_index.acknowledged(made_index.live(tmp_path / "new")) == {}


def test_a_missing_picture_is_made_again_and_its_neighbours_are_not(
    folder: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = made_pages.contents(folder)
    id_ = _rows(made_pages.opened(folder))["report.pdf", 2]["id"]
    (made_index.live(folder) / "pages" / id_[:2] / f"{id_}.webp").unlink()
    assert made_pages.opened(folder).page_image(id_) is None
    assert _faults(folder) == {"pages": 1}
    computed = _counted(monkeypatch)
    made_pages.index(source, folder)
    assert computed == [1]
    assert made_pages.contents(folder) == before


def test_a_table_that_is_lost_is_made_again_of_the_pages_that_are_there(
    folder: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = made_pages.contents(folder)
    shutil.rmtree(made_index.live(folder) / "chunks.lance")
    computed = _counted(monkeypatch)
    with pytest.warns(RecoveryWarning, match="every document is read again"):
        made_pages.index(source, folder)
    assert computed == []
    assert made_pages.contents(folder) == before


DAMAGES = {
    "a picture cut short": lambda first, second: first.write_bytes(first.read_bytes()[:-9]),
    "a picture of another page": lambda first, second: first.write_bytes(second.read_bytes()),
    "parts of another page": lambda first, second: (
        first.with_suffix(".npz").write_bytes(second.with_suffix(".npz").read_bytes()),
        first.write_bytes(second.read_bytes()),
    ),
    "parts of zeros": lambda first, second: first.with_suffix(".npz").write_bytes(bytes(900)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_verify_finds_a_damaged_page_and_retrying_heals_it(
    damage: Any, folder: Path, source: Path
) -> None:
    before = made_pages.contents(folder)
    rows = _rows(made_pages.opened(folder))
    ids = [rows[name, None]["id"] for name in ("photo-1.png", "photo-2.png")]
    damage(*(made_index.live(folder) / "pages" / id_[:2] / f"{id_}.webp" for id_ in ids))
    assert _faults(folder) == {"pages": 1}
    made_pages.index(source, folder, replace(made_pages.OPTIONS, retry=True))
    assert made_pages.contents(folder) == before


def test_a_file_that_belongs_to_no_page_is_found_and_removed(folder: Path, source: Path) -> None:
    stranger = made_index.live(folder) / "pages" / "00" / f"{'0' * 32}.webp"
    stranger.parent.mkdir(exist_ok=True)
    stranger.write_bytes(b"a page that left")
    assert _faults(folder) == {"page files": 1}
    made_pages.index(source, folder)
    assert not stranger.exists()


def test_other_tiles_are_refused_with_what_to_do(folder: Path, source: Path) -> None:
    embedder = Embedder.load(made_pages.checkpoint(), max_tiles=2)
    with pytest.raises(FingerprintError, match="up to 6 and a thumbnail, not up to 2") as refused:
        Index.open(folder, embedder=embedder)
    assert "biencoder reindex" in str(refused.value)
    told = PageOptions(max_tiles=2)
    with pytest.raises(FingerprintError, match="tiles of a page") as refused:
        index_folder(source, folder, Options(workers=1, pages=told))
    assert "--max-tiles 2" in str(refused.value)
    with pytest.raises(FingerprintError, match="modality: 'image_text' in the index, 'image'"):
        made_pages.index(source, folder, Options(pages=PageOptions(modality="image")))
    with pytest.raises(FingerprintError, match="dpi: 36 in the index, 72 asked for"):
        made_pages.index(source, folder, Options(pages=PageOptions(dpi=72)))


def test_an_index_loads_its_model_with_the_settings_that_made_it(
    source: Path, tmp_path: Path
) -> None:
    to = tmp_path / "new"
    pages = PageOptions(max_tiles=1, thumbnail=False, limits=PageLimits(image_text=100), dpi=36)
    index_folder(source, to, Options(model=str(made_pages.checkpoint()), workers=1, pages=pages))
    side = Index.open(to).embedder.pages
    assert side is not None
    assert (side.max_tiles, side.thumbnail) == (1, False)
    assert side.limits.image_text == 100
    assert index_folder(source, to, Options(workers=1)).unchanged == 5


def test_images_and_a_text_model_are_refused_in_a_sentence(source: Path, tmp_path: Path) -> None:
    options = Options(pages=PageOptions(modality="image"))
    with pytest.raises(InputError, match="mini reads text only") as refused:
        made_index.index(source, tmp_path / "new", options)
    assert "llama-nemotron-embed-vl-1b-v2" in str(refused.value)
    with pytest.raises(InputError, match="of a kind that is not read here"):
        made_index.index(source / "photo-0.png", tmp_path / "new", Options())
    assert not (tmp_path / "new").exists()
    with pytest.raises(InputError, match="modality 'pixels' is unknown"):
        PageOptions(modality="pixels")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="dpi=0"):
        PageOptions(dpi=0)


def test_an_index_from_before_there_were_pages_reads_as_it_did(
    source: Path, tmp_path: Path
) -> None:
    to = tmp_path / "old"
    made_index.index(source / "note.md", to)
    copy = made_index.live(to) / "generation.json"
    known = json.loads(copy.read_text(encoding="utf-8"))
    for name in ("modality", "dpi", "max_tiles", "thumbnail"):
        del known[name]
    for name in ("image_tokens", "image_text_tokens", "text_tokens"):
        del known[name]
    copy.write_text(json.dumps(known), encoding="utf-8")
    assert Index.open(to, embedder=made_index.mini()).facts.modality == "text"
    assert made_index.index(source / "note.md", to).unchanged == 1


def test_purging_leaves_no_byte_of_a_deleted_page(folder: Path, source: Path) -> None:
    index = made_pages.opened(folder)
    secret = index.page_image(_rows(index)["photo-0.png", None]["id"])
    assert secret is not None
    # As large a part as would tell anything.
    assert len(made_index.holds_bytes(folder, secret[-200:])) == 1
    (source / "photo-0.png").unlink()
    made_pages.index(source, folder)
    compact(folder, purge=True)
    assert made_index.holds_bytes(folder, secret[-200:]) == []
    assert made_index.holds_bytes(folder, b"photo-0") == []
    assert len(made_pages.contents(folder).pictures) == 5


def test_compaction_keeps_every_page(folder: Path) -> None:
    before = made_pages.contents(folder)
    compact(folder)
    assert made_pages.contents(folder) == before
    assert _faults(folder) == {}


def test_reindexing_reads_the_pages_from_their_sources_again(folder: Path) -> None:
    options = Options(workers=1, pages=PageOptions(modality="image"))
    tally = reindex(folder, options, embedder=made_pages.mini())
    assert (tally.documents, tally.pages) == (5, 6)
    index = made_pages.opened(folder)
    # What was not said is as it was.
    assert (index.facts.modality, index.facts.dpi) == ("image", 36)
    assert _faults(folder) == {}
    assert reindex(folder, Options(), embedder=made_pages.mini()).as_before
    assert len(made_pages.contents(folder).pictures) == 6


def test_reindexing_is_refused_where_a_source_is_not_as_it_was(folder: Path, source: Path) -> None:
    before = made_pages.contents(folder)
    (source / "photo-2.png").unlink()
    options = Options(workers=1, pages=PageOptions(modality="image"))
    with pytest.raises(InputError, match=r"first photo-2\.png") as refused:
        reindex(folder, options, embedder=made_pages.mini())
    assert f"biencoder index {source} --to {folder}" in str(refused.value)
    assert made_pages.contents(folder) == before
    assert read_layout(folder).building is None


def test_a_text_model_takes_an_index_of_pages_over_as_passages(folder: Path) -> None:
    tally = reindex(folder, Options(workers=1, model="mini"), embedder=made_index.mini())
    assert (tally.documents, tally.pages) == (2, 0)
    facts = Index.open(folder, embedder=made_index.mini()).facts
    assert (facts.modality, facts.dpi, facts.max_tiles) == ("text", 0, 0)
