"""What an index is made of: a file, a BEIR folder's corpus, or a folder's files."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from biencoder.errors import InputError
from biencoder.index.layout import is_index
from biencoder.index.page_sources import is_image, with_images
from biencoder.reading.folder import FolderListing, list_folder, listed_name
from biencoder.reading.kinds import IMAGE_SUFFIXES, KINDS, kind_of

# The plain file is taken where both stand, as `evaluate` does.
_CORPUS = ("corpus.jsonl", "corpus.jsonl.gz")
_QUERIES = ("queries.jsonl", "queries.jsonl.gz")
# What people put beside a corpus to say where it is from.
_ABOUT = frozenset(["readme", "license", "licence", "notice", "citation"])


def list_sources(
    root: Path,
    *,
    images: bool = False,
    stands: Callable[[Path], bool] = lambda path: False,
) -> FolderListing:
    """What is to be indexed under a name; what is not read is among ``others``.

    images: image files are among those that are read. stands: whether a file's documents are in the
    index; such a file is read on, though its folder has become one in BEIR's layout. Raises as
    `check_source`.
    """
    if check_source(root, images=images):
        return FolderListing((root,), (), ())
    listing = with_images(list_folder(root)) if images else list_folder(root)
    # An index may lie inside the folder that it was made of.
    indices = {path.parent for path in listing.others if path.name == "index.json"}
    indices = {folder for folder in indices if is_index(folder)}
    outside = FolderListing(
        tuple(path for path in listing.files if not indices.intersection(path.parents)),
        tuple(path for path in listing.others if not indices.intersection(path.parents)),
        tuple(pair for pair in listing.failures if not indices.intersection(pair[0].parents)),
    )
    return _corpus_alone(root, outside, stands)


def check_source(root: Path, *, images: bool = False) -> bool:
    """Whether a source is a single file; nothing is walked.

    Raises InputError where it is not there, cannot be opened, or is a file that is not read here.
    """
    try:
        is_file = stat.S_ISREG(root.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"there is no file or folder {root}") from error
    except OSError as error:
        # A folder above it may not be entered.
        raise InputError(f"{root} cannot be opened: {error.strerror or error}") from error
    if is_file:
        if listed_name(root, root.parent) != root.name:
            name = listed_name(root, root.parent)
            raise InputError(f"{name} has a name that is not UTF-8", hint="rename it")
        if kind_of(root) is None and not (images and is_image(root)):
            raise InputError(f"{root} is of a kind that is not read here", hint=_readable(images))
    return is_file


def check_first(root: Path, *, images: bool = False) -> None:
    """Raise InputError where there is nothing to make a new index of."""
    listing = list_sources(root, images=images)
    if not listing.files and not listing.failures:
        raise nothing_to_read(root, images)


def nothing_to_read(root: Path, images: bool) -> InputError:
    """Of a folder that has no file of the kinds that are read."""
    return InputError(f"{root} holds no file that can be read here", hint=_readable(images))


def _readable(images: bool) -> str:
    kinds = [*KINDS, *(IMAGE_SUFFIXES if images else ())]
    return f"readable are {', '.join(sorted(kinds))}"


def _corpus_alone(
    root: Path, listing: FolderListing, stands: Callable[[Path], bool]
) -> FolderListing:
    """A BEIR folder without its queries, which are no documents; any other folder as it is.

    A file of that name alone makes no BEIR folder: there must be queries or judgements beside it, and
    nothing else that could be a document but what tells about the corpus.
    """
    layout = [root / name for name in (*_CORPUS, *_QUERIES)]
    own = [path for path in layout if path in listing.files]
    corpus = [path for path in own if path.name in _CORPUS]
    judged = len(own) > len(corpus) or (root / "qrels").is_dir()
    about = [path for path in listing.files if _tells_about(root, path)]
    if not corpus or not judged or len(own) + len(about) < len(listing.files):
        return listing
    left_out = {path for path in (*own, *about) if path != corpus[0] and not stands(path)}
    return replace(
        listing,
        files=tuple(path for path in listing.files if path not in left_out),
        others=tuple(sorted((*listing.others, *left_out), key=Path.as_posix)),
    )


def _tells_about(root: Path, path: Path) -> bool:
    return path.parent == root and path.stem.lower() in _ABOUT
