"""The documents and judgements behind the results, where the reader has them.

A result holds the questions' texts and the found documents' ids. Given the folder that was judged,
recognised by its digest, the page also shows what these documents say and which were right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from biencoder.corpus.beir import is_beir_folder
from biencoder.errors import InputError
from biencoder.evaluate.judged_set import JudgedSet
from biencoder.evaluate.pages.page_set import read_set


@dataclass(frozen=True)
class Texts:
    """One judged set, by document id."""

    judged: JudgedSet

    @cached_property
    def _by_id(self) -> Mapping[str, str]:
        # Some corpora repeat the title at the head of the text.
        return {
            item.id: item.text if item.text.startswith(item.title) else item.full_text
            for item in self.judged.documents
        }

    def of(self, document: str) -> str:
        """What a document says; empty for an id that the corpus lacks."""
        return self._by_id.get(document, "")

    def relevant(self, query: str) -> list[str]:
        """The ids that were judged relevant, best grade first."""
        grades = self.judged.qrels[query]
        return sorted((id_ for id_ in grades if grades[id_] > 0), key=lambda id_: -grades[id_])


@dataclass(frozen=True)
class Library:
    """Judged sets by digest. strangers: folders that no result was measured on."""

    sets: Mapping[str, Texts] = field(default_factory=dict)
    strangers: tuple[Path, ...] = ()


def open_library(folders: Sequence[Path], digests: set[str], *, split: str = "test") -> Library:
    """Read the folders, and the folders in them, and keep those that were judged.

    Raises InputError for a folder that is not in BEIR layout and holds none that is.
    """
    sets: dict[str, Texts] = {}
    strangers: list[Path] = []
    for folder in folders:
        known = False
        for part in _beir_folders(folder):
            judged = read_set(part, split=split)
            if judged.digest in digests:
                sets[judged.digest] = Texts(judged)
                known = True
        if not known:
            strangers.append(folder)
    return Library(sets, tuple(strangers))


def _beir_folders(folder: Path) -> Iterator[Path]:
    inside = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [part for part in [folder, *inside] if part.is_dir() and is_beir_folder(part)]
    if not found:
        raise InputError(f"{folder} holds no corpus.jsonl", hint="give a folder in BEIR layout")
    yield from found
