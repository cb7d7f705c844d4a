"""The folder of an index: which generation is live, whatever became of index.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.index.made_index import damage

from biencoder.errors import IndexDamagedError, InputError, OutputError
from biencoder.index.facts import Facts, write_facts
from biencoder.index.layout import Layout, check_place, create_layout, is_index, read_layout
from biencoder.index.recovery import take_over
from biencoder.index.table_files import RecoveryWarning

WAYS = ("zero", "half", "filled")
REEMBEDDING = Facts(model="mini", fingerprint="f", dimensions=384, purpose="reindex")


def _grown(folder: Path) -> Layout:
    """g1 was live and is kept, g2 is live, g3 is being built."""
    folder.mkdir()
    layout = create_layout(folder)
    for name in ("g2", "g3"):
        assert layout.next_name() == name
        (folder / name).mkdir()
    layout = layout.write(live="g2", kept=("g1",))
    write_facts(layout.generation("g3"), REEMBEDDING)
    return layout.write(building="g3")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    layout = _grown(tmp_path / "index")
    assert read_layout(tmp_path / "index") == layout
    assert (layout.live, layout.building, layout.kept) == ("g2", "g3", ("g1",))
    assert layout.generation().table == tmp_path / "index" / "g2" / "chunks.lance"


@pytest.mark.parametrize("how", WAYS)
def test_a_damaged_index_json_is_made_anew_by_the_writer_and_done_without_by_a_reader(
    tmp_path: Path, how: str
) -> None:
    layout = _grown(tmp_path / "index")
    damage(tmp_path / "index" / "index.json", how)
    assert read_layout(tmp_path / "index") == layout
    with pytest.warns(RecoveryWarning, match="g2 is live"):
        assert take_over(tmp_path / "index") == layout
    assert json.loads((tmp_path / "index" / "index.json").read_text())["live"] == "g2"


def test_a_generation_counts_as_live_only_once_index_json_has_said_so(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    layout = create_layout(tmp_path / "index")
    (tmp_path / "index" / "g2").mkdir()
    layout.write(building="g2")
    damage(tmp_path / "index" / "index.json", "zero")
    assert read_layout(tmp_path / "index").live == "g1"


@pytest.mark.parametrize(
    "text",
    ["null", "[]", "7", "{}", '{"format": 1}', '{"format": 1, "live": null, "kept": []}']
    + [
        json.dumps({"format": 1, "live": live, "building": building, "kept": kept})
        for live, building, kept in (
            ("../g1", None, []),
            ("g1", "g2/..", []),
            ("g1", None, ["g", "g0x"]),
            ("g1", None, "g1"),
            ("g1", None, [None]),
        )
    ],
)
def test_an_index_json_that_names_no_generations_counts_as_damaged(
    tmp_path: Path, text: str
) -> None:
    layout = _grown(tmp_path / "index")
    (tmp_path / "index" / "index.json").write_text(text)
    assert read_layout(tmp_path / "index") == layout


def test_another_format_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    _grown(tmp_path / "index")
    path = tmp_path / "index" / "index.json"
    text = json.dumps({"format": 2, "anything": "else"})
    path.write_text(text)
    for read in (read_layout, take_over):
        with pytest.raises(IndexDamagedError, match="format 2, this version reads 1"):
            read(tmp_path / "index")
    assert path.read_text() == text


def test_without_any_generation_that_was_live_the_error_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text("")
    with pytest.raises(IndexDamagedError, match="index the sources anew"):
        read_layout(tmp_path)


def test_a_folder_without_an_index_is_told(tmp_path: Path) -> None:
    assert not is_index(tmp_path)
    with pytest.raises(InputError, match="is no index"):
        read_layout(tmp_path)


def test_a_folder_of_something_else_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "thesis.md").write_text("years of work")
    with pytest.raises(InputError, match="is there already"):
        check_place(tmp_path)
    with pytest.raises(InputError, match="is there already"):
        check_place(tmp_path / "thesis.md")


def test_what_a_run_left_that_was_killed_at_its_very_beginning_is_no_hindrance(
    tmp_path: Path,
) -> None:
    (tmp_path / "lock").touch()
    (tmp_path / "g1").mkdir()
    (tmp_path / ".index.json.draft-1").touch()
    check_place(tmp_path)
    create_layout(tmp_path)
    assert take_over(tmp_path).live == "g1"
    assert {path.name for path in tmp_path.iterdir()} == {"lock", "g1", "index.json"}


def test_the_writer_removes_generations_that_nothing_names(tmp_path: Path) -> None:
    _grown(tmp_path / "index")
    (tmp_path / "index" / "g4" / "chunks.lance").mkdir(parents=True)
    (tmp_path / "index" / "garden").mkdir()
    take_over(tmp_path / "index")
    names = {path.name for path in (tmp_path / "index").iterdir()}
    assert names == {"g1", "g2", "g3", "garden", "index.json"}


def test_a_full_disk_leaves_the_old_index_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = _grown(tmp_path / "index")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        layout.write(live="g3")
    assert read_layout(tmp_path / "index") == layout
