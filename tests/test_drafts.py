"""A file or folder appears when it is whole, or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from biencoder.drafts import new_file, new_folder, write_json, write_text
from biencoder.errors import OutputError


def test_a_fault_on_the_way_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail(draft: Path) -> None:
        draft.write_text("new, ha")
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half"), new_file(target) as draft:
        fail(draft)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No space left") as caught, new_file(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "disk full" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="there is no folder"), new_file(tmp_path / "no" / "a"):
        pass


def test_a_folder_appears_whole_and_never_over_another(tmp_path: Path) -> None:
    with new_folder(tmp_path / "model") as draft:
        (draft / "weights").write_text("w")
        assert not (tmp_path / "model").exists()
    assert (tmp_path / "model" / "weights").read_text() == "w"
    with pytest.raises(OutputError, match="not empty"), new_folder(tmp_path / "model"):
        pass
    with pytest.raises(ValueError, match="stop"), new_folder(tmp_path / "other"):
        raise ValueError("stop")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_text_and_json_make_their_folders(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "b.txt", "Grüße")
    write_json(tmp_path / "c" / "d.json", {"ü": 1})
    assert (tmp_path / "a" / "b.txt").read_text(encoding="utf-8") == "Grüße"
    assert (tmp_path / "c" / "d.json").read_text(encoding="utf-8") == '{\n  "ü": 1\n}\n'
