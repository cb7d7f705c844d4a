"""Walking a folder: every file is to read, of another kind, or a failure with its reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.reading import made

from biencoder.errors import InputError
from biencoder.reading.folder import FolderListing, list_folder


def _places(root: Path, paths: tuple[Path, ...]) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


def _failures(root: Path, listing: FolderListing) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): why.reason for path, why in listing.failures}


def test_files_come_in_the_order_of_their_paths_and_hidden_ones_do_not(tmp_path: Path) -> None:
    for name in ("b/z.PDF", "b.md", "a/x.Html", "b-1.txt", ".git/x.md", "a/.x.md", "r.jsonl.gz"):
        made.write(tmp_path / name, "text")
    made.write(tmp_path / "tool.exe", "x")
    made.write(tmp_path / "a" / "noname", "x")
    listing = list_folder(tmp_path)
    assert _places(tmp_path, listing.files) == [
        "a/x.Html",
        "b-1.txt",
        "b.md",
        "b/z.PDF",
        "r.jsonl.gz",
    ]
    assert _places(tmp_path, listing.others) == ["a/noname", "tool.exe"]
    assert listing.failures == ()


def test_links_are_followed_to_files_inside_only(tmp_path: Path) -> None:
    outside = made.write(tmp_path / "outside" / "secret.md", "secret")
    root = tmp_path / "root"
    inside = made.write(root / "real" / "a.md", "tea")
    (root / "link.md").symlink_to(inside)
    (root / "away.md").symlink_to(outside)
    (root / "away").symlink_to(outside.parent)
    (root / "again").symlink_to(inside.parent)
    (root / "gone.md").symlink_to(root / "nothing.md")
    (root / "circle.md").symlink_to(root / "circle.md")
    listing = list_folder(root)
    assert _places(root, listing.files) == ["link.md", "real/a.md"]
    failures = _failures(root, listing)
    assert list(failures) == ["again", "away", "away.md", "circle.md", "gone.md"]
    assert failures["away"] == failures["away.md"]
    assert "leaves the folder" in failures["away"]
    assert "read at its own place" in failures["again"]
    assert "does not exist" in failures["gone.md"]
    assert "symbolic links" in failures["circle.md"]


def test_a_pipe_and_a_name_that_is_no_text_are_failures(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    odd = tmp_path / os.fsdecode(b"caf\xe9.md")
    made.write(odd, "tea")
    assert _failures(tmp_path, list_folder(tmp_path)) == {
        "pipe.md": "is no regular file",
        odd.name: "has a name that is not UTF-8: rename it",
    }


def test_what_may_not_be_opened_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.write(tmp_path / "open.md", "tea")
    made.write(tmp_path / "closed.md", "tea")
    made.write(tmp_path / "dark" / "in.md", "tea")
    access, scandir = os.access, os.scandir

    def refuse(path: Path) -> object:
        if path.name == "dark":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    # Tests may run as root, whom no permission stops.
    monkeypatch.setattr(os, "access", lambda p, mode: p.name != "closed.md" and access(p, mode))
    monkeypatch.setattr(os, "scandir", refuse)
    listing = list_folder(tmp_path)
    assert _places(tmp_path, listing.files) == ["open.md"]
    assert set(_failures(tmp_path, listing).values()) == {"cannot be opened: Permission denied"}
    assert set(_failures(tmp_path, listing)) == {"closed.md", "dark"}


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no folder"):
        list_folder(tmp_path / "nowhere")
