"""An index heals: damaged files, a lost ledger, a full disk, a vanished source, a broken-off run."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest
from tests.index import made_index

from biencoder import Index
from biencoder.errors import BiencoderError, IndexDamagedError, LockedError, OutputError
from biencoder.index.durable import bytes_below
from biencoder.index.layout import Generation
from biencoder.index.ledger import Ledger
from biencoder.index.lock import writing
from biencoder.index.mirror import make_mirror, open_mirror
from biencoder.index.store import Store
from biencoder.index.table_files import RecoveryWarning, manifest_versions
from biencoder.index.writer import open_writer

# Where something is lost, that is told; one test looks at what is told.
pytestmark = pytest.mark.filterwarnings("ignore::biencoder.index.table_files.RecoveryWarning")

WAYS = ("zero", "half", "filled")
KINDS = (
    "ledger.sqlite",
    "mirror.json",
    "latest_version_hint.json",
    "*.manifest",
    "*.txn",
    "*_tokens.lance",
    "metadata.lance",
    "data/*.lance",
    "*.arrow",
    "generation.json",
    "index.json",
    "was-live",
)


@pytest.fixture(scope="module")
def names(_made: Path) -> list[Path]:
    """The files of `folder`, newest first."""
    return [path.relative_to(_made / "index") for path in made_index.newest_files(_made / "index")]


def check_healing(
    source: Path, folder: Path, whole: made_index.Contents, damaged: list[Path], how: str
) -> None:
    """A reader finds all, or less where rows are damaged, or an error; then, or at once, a writer.

    The newest manifest is of the full-text index; the one before it knows the newest rows.
    """
    expected = made_index.answers(folder)
    rows = any(name.parent.name in ("data", "_deletions") for name in damaged)
    rows = rows or sum(name.suffix == ".manifest" for name in damaged) > 1
    where = f"{how}: {', '.join(map(str, damaged))}"
    for reads in (True, False):
        copy = shutil.copytree(folder, folder.with_name("copy"))
        for name in damaged:
            made_index.damage(copy / name, how)
        if reads:
            found = _answers(copy)
            assert found == expected or rows, where
        tally = made_index.index(source, copy)
        assert made_index.contents(copy) == whole, where
        assert tally.documents == 0 or rows, where
        shutil.rmtree(copy)


def _answers(folder: Path) -> list[list[str]] | None:
    """What a reader finds; None where a clear error says that nothing can be read."""
    try:
        return made_index.answers(folder)
    except BiencoderError:
        return None


@pytest.mark.parametrize("kind", KINDS)
def test_any_file_may_be_damaged(
    source: Path, folder: Path, whole: made_index.Contents, names: list[Path], kind: str
) -> None:
    """One way each here, all files in all ways in the soak."""
    how = WAYS[KINDS.index(kind) % len(WAYS)]
    name = next(name for name in names if name.match(kind))
    check_healing(source, folder, whole, [name], how)


@pytest.mark.parametrize("how", WAYS)
def test_without_its_newest_manifest_an_index_has_all_its_rows(
    source: Path, folder: Path, whole: made_index.Contents, names: list[Path], how: str
) -> None:
    """LanceDB cannot open an empty one, and takes one of zeros for an empty table."""
    manifest = next(name for name in names if name.suffix == ".manifest")
    check_healing(source, folder, whole, [manifest], how)


@pytest.mark.soak
@pytest.mark.parametrize("how", WAYS)
def test_every_file_may_be_damaged_in_every_way(
    source: Path, folder: Path, whole: made_index.Contents, names: list[Path], how: str
) -> None:
    for name in names:
        check_healing(source, folder, whole, [name], how)


@pytest.mark.parametrize(("count", "how"), [(3, "zero"), (14, "half"), (30, "filled")])
def test_the_newest_files_may_be_damaged_together(
    source: Path, folder: Path, whole: made_index.Contents, names: list[Path], count: int, how: str
) -> None:
    check_healing(source, folder, whole, names[:count], how)


@pytest.mark.soak
@pytest.mark.parametrize("how", WAYS)
def test_any_number_of_the_newest_files_may_be_damaged(
    source: Path, folder: Path, whole: made_index.Contents, names: list[Path], how: str
) -> None:
    # The oldest, generation.json, says what the index is: see the next test.
    for count in range(2, len(names) - 3):
        check_healing(source, folder, whole, names[:count], how)


@pytest.mark.parametrize("how", WAYS)
def test_with_every_file_damaged_the_error_says_what_to_do(
    source: Path, folder: Path, names: list[Path], how: str
) -> None:
    for name in names:
        made_index.damage(folder / name, how)
    for attempt in (lambda: Index.open(folder), lambda: made_index.index(source, folder)):
        with pytest.raises(IndexDamagedError, match="remove the index's folder"):
            attempt()


def test_the_newest_rows_damaged_only_the_newest_commits_are_read_again(
    source: Path, folder: Path, whole: made_index.Contents, names: list[Path]
) -> None:
    newest = next(name for name in names if name.parent.name == "data")
    made_index.damage(folder / newest, "zero")
    with pytest.warns(RecoveryWarning, match="are read again"):
        tally = made_index.index(source, folder)
    assert 0 < tally.documents < len(whole.checksums) / 2
    assert made_index.contents(folder) == whole


def test_a_ledger_that_is_lost_is_made_anew_from_the_table_and_nothing_is_embedded_again(
    source: Path, folder: Path, whole: made_index.Contents
) -> None:
    before = made_index.acknowledged(made_index.live(folder))
    assert before == whole.checksums
    for path in made_index.live(folder).glob("ledger.sqlite*"):
        path.unlink()
    with pytest.warns(RecoveryWarning, match="43 documents stand"):
        tally = made_index.index(source, folder)
    assert (tally.documents, tally.unchanged) == (0, 43)
    assert made_index.acknowledged(made_index.live(folder)) == before
    assert made_index.contents(folder) == whole


def test_a_ledger_that_is_corrupted_is_kept_aside(
    source: Path, folder: Path, whole: made_index.Contents
) -> None:
    ledger = made_index.live(folder) / "ledger.sqlite"
    data = bytearray(ledger.read_bytes())
    data[100:] = random.Random(0).randbytes(len(data) - 100)
    ledger.write_bytes(data)
    with pytest.warns(RecoveryWarning, match="is made anew from the table"):
        tally = made_index.index(source, folder)
    assert tally.documents == 0
    assert made_index.contents(folder) == whole
    lost = made_index.live(folder) / "lost"
    assert any(path.read_bytes() == data for path in lost.iterdir())


def test_a_version_that_nobody_acknowledged_is_removed_by_the_next_run(
    source: Path, folder: Path, whole: made_index.Contents
) -> None:
    """However often a run is stopped (a full disk), what it left takes no more space."""
    expected = made_index.answers(folder)
    sizes = []
    for _ in range(3):
        Store.open(made_index.live(folder)).delete_sources(list(whole.checksums))
        assert made_index.answers(folder) == expected
        tally = made_index.index(source, folder)
        assert (tally.documents, made_index.contents(folder)) == (0, whole)
        assert list((made_index.live(folder) / "quarantine").glob("*")) == []
        sizes.append(bytes_below(made_index.live(folder) / "chunks.lance"))
    assert sizes == sizes[:1] * 3


def test_what_nobody_acknowledged_is_kept_where_the_acknowledged_version_does_not_open(
    folder: Path, whole: made_index.Contents
) -> None:
    generation = made_index.live(folder)
    stranger = generation / "chunks.lance" / "data" / "stranger.lance"
    stranger.write_bytes(b"rows of nobody")
    newest = min((generation / "chunks.lance" / "_versions").glob("*.manifest"))
    newest.write_bytes(newest.read_bytes()[:-200] + bytes(100) + newest.read_bytes()[-100:])
    with pytest.warns(RecoveryWarning), open_writer(Generation(generation), 384):
        pass
    assert list((generation / "quarantine").rglob("stranger.lance"))


def test_a_first_run_that_came_to_no_row_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, to = made_index.write_sources(tmp_path / "source", count=2), tmp_path / "index"

    def half(folder: Path, schema: object) -> None:
        (folder / "chunks.lance" / "_transactions").mkdir(parents=True)
        (folder / "chunks.lance" / "_transactions" / "0.txn").write_bytes(b"half")
        raise OutputError("No space left on device")

    for _ in range(2):
        with monkeypatch.context() as disk:
            disk.setattr(Store, "create", half)
            with pytest.raises(OutputError):
                made_index.index(source, to)
    made_index.index(source, to)
    assert not (made_index.live(to) / "quarantine").exists()
    assert len(made_index.contents(to).checksums) == 12


def test_what_an_earlier_version_left_in_quarantine_goes_and_damaged_files_stay(
    source: Path, folder: Path
) -> None:
    quarantine = made_index.live(folder) / "quarantine"
    for name in ("20250101T000000-1-unfinished/data", "20250101T000000-1/data"):
        (quarantine / name).mkdir(parents=True)
        (quarantine / name / "a.lance").write_bytes(b"x")
    made_index.index(source, folder)
    assert [path.name for path in quarantine.iterdir()] == ["20250101T000000-1"]


def test_cleaning_up_never_removes_the_ledger_s_version(source: Path, tmp_path: Path) -> None:
    many = shutil.copytree(source, tmp_path / "many")
    to = tmp_path / "cleaned"
    for number in range(6):
        (many / "page-000.md").write_text(f"The lamp says {number}.")
        made_index.index(many, to)
        ledger = Ledger(made_index.live(to) / "ledger.sqlite", read_only=True)
        version = ledger.fact("acknowledged")["version"]
        there = manifest_versions(made_index.live(to) / "chunks.lance")
        kept = [pair[0] for pair in ledger.versions()]
        ledger.close()
        assert (there[0], kept[-1]) == (version, version)
        assert set(kept) <= set(there)
        assert len(kept) <= 8
        indices = list((made_index.live(to) / "chunks.lance" / "_indices").iterdir())
        assert 1 <= len(indices) <= 2


def test_a_mirror_of_another_version_with_the_same_number_is_not_taken(folder: Path) -> None:
    """After damage a number may be given again."""
    index = Index.open(folder, embedder=made_index.mini())
    (mirror,) = (made_index.live(folder) / "mirror").iterdir()
    store = Store.open(made_index.live(folder))
    store.delete_sources(["page-000.md"])
    stale = mirror.with_name(mirror.name.replace(f"{index.version}-", f"{store.version}-"))
    mirror.replace(stale)
    assert open_mirror(stale.parent, index.facts, store.version) is None
    assert len(make_mirror(stale.parent, store, index.facts).vectors_ND) == store.rows()
    made = open_mirror(stale.parent, index.facts, store.version)
    assert made is not None
    assert len(made.vectors_ND) == store.rows()


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("name", ["mirror.json", "vectors.npy", "columns.arrow"])
def test_a_damaged_mirror_is_made_anew_without_a_word(folder: Path, name: str, how: str) -> None:
    expected = made_index.answers(folder)
    (mirror,) = (made_index.live(folder) / "mirror").iterdir()
    made_index.damage(mirror / name, how)
    assert made_index.answers(folder) == expected


def test_a_reader_of_a_damaged_index_is_told_that_a_writer_is_at_work(folder: Path) -> None:
    newest = min((made_index.live(folder) / "chunks.lance" / "_versions").glob("*.manifest"))
    made_index.damage(newest, "zero")
    with writing(folder / "lock", verb="index"):
        with pytest.raises(LockedError, match="`biencoder index`"):
            Index.open(folder)
        assert newest.exists()


def test_a_reader_in_front_of_damage_that_only_the_text_index_has_heals_it_while_it_is_open(
    folder: Path,
) -> None:
    expected = made_index.answers(folder)
    index = Index.open(folder, embedder=made_index.mini())
    for path in (made_index.live(folder) / "chunks.lance" / "_indices").rglob("*.lance"):
        made_index.damage(path, "filled")
    with pytest.warns(RecoveryWarning, match="0 are read again"):
        hits = index.search(made_index.QUESTIONS[0], mode="lexical", top_k=len(index))
    assert [hit.id for hit in hits] == expected[1]


def test_a_reader_never_empties_an_index(folder: Path, source: Path) -> None:
    generation = made_index.live(folder)
    shutil.rmtree(generation / "mirror")
    for path in (generation / "chunks.lance" / "data").iterdir():
        made_index.damage(path, "zero")
    for _ in range(2):
        with pytest.raises(IndexDamagedError, match="index its sources again"):
            Index.open(folder)
    assert made_index.index(source, folder).documents == 43


def test_what_made_an_index_is_known_twice(source: Path, folder: Path) -> None:
    beside = made_index.live(folder) / "generation.json"
    text = beside.read_bytes()
    beside.write_bytes(b"")
    made_index.index(source, folder)
    assert beside.read_bytes() == text
    (made_index.live(folder) / "ledger.sqlite").unlink()
    made_index.index(source, folder)
    beside.unlink()
    assert Index.open(folder, embedder=made_index.mini()).facts.model == "mini"
