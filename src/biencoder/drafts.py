"""Files and folders that appear when they are whole: written as a draft beside, then renamed.

A full disk or a kill never leaves half a result under the name that was asked for.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from biencoder.errors import OutputError


def check_folder(folder: Path) -> None:
    """Raise OutputError where ``folder`` can neither be written into nor be made; makes nothing."""
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise OutputError(
            f"{folder} cannot be a folder: {nearest} is a file", hint="give another place"
        )
    if not os.access(nearest, os.W_OK):
        raise OutputError(f"{nearest} may not be written into", hint="give another place")


def check_file(path: Path, *, new_parents: bool = True) -> None:
    """Raise OutputError where ``path`` cannot become a file.

    new_parents: whether missing folders above it are going to be made.
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder, not a file", hint="give the file's name with it")
    if not new_parents and not path.parent.exists():
        raise OutputError(f"there is no folder {path.parent} to write {path.name} into")
    check_folder(path.parent)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A draft that takes the name ``path`` when all went well, and is removed if not.

    Raises OutputError where the folder is missing or the file cannot be written.
    """
    check_file(path, new_parents=False)
    draft = path.with_name(f".{path.name}.draft-{os.getpid()}")
    try:
        yield draft
        draft.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path} could not be written: {error.strerror or error}",
            hint="is the disk full or the folder read-only?",
        ) from error
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A draft folder that takes the name ``folder`` when all went well, and is removed if not.

    Raises OutputError where something is there already, or where it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} exists and is not empty", hint="give a new folder")
    draft = folder.with_name(f".{folder.name}.draft-{os.getpid()}")
    try:
        draft.mkdir(parents=True)
        yield draft
        if folder.exists():
            folder.rmdir()
        draft.replace(folder)
    except OSError as error:
        raise OutputError(
            f"{folder} could not be written: {error}", hint="is the disk full or read-only?"
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def make_folder(folder: Path) -> None:
    """A folder with its parents, where it is not there yet; raises OutputError where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        check_folder(folder)
        raise OutputError(
            f"the folder {folder} could not be made: {error.strerror or error}"
        ) from error


def write_text(path: Path, text: str) -> None:
    """One text in UTF-8, whole or not at all; parents are made.

    Half a surrogate pair, which JSON may hold and UTF-8 may not, is written as JSON's escape.
    """
    make_folder(path.parent)
    with new_file(path) as draft:
        draft.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, value: object) -> None:
    """One JSON value, whole or not at all; parents are made."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")
