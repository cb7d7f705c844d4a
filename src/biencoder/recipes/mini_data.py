"""The training texts of `mini`: which rows, which are set aside, which leak, where each comes from."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biencoder.corpus.beir import is_beir_folder, read_corpus, read_queries
from biencoder.data.holdout import choose_holdout, split_by_ids
from biencoder.data.leakage import LeakCheck
from biencoder.data.rows import PairRow, TextRow, is_share_alike, read_pairs, read_texts

HOLDOUT_PAIRS = 2000
HOLDOUT_IDS = Path(__file__).with_name("mini_holdout.txt")
# FastAPI's documentation is the demo and an evaluation set, so it must not be trained on.
EXCLUDED_SOURCES = ("fastapi/fastapi",)
# Books would be a third of the passages; their prose is far from what people search.
BOOKS, MAX_BOOKS = "mlschmitt/classic-books-markdown", 25_000
EVALUATION_FOLDERS = ("xquad/en", "cranfield", "fastapi-docs/en")

Bundle = tuple[TextRow, ...]


@dataclass(frozen=True, slots=True)
class MiniData:
    """Bundles to train on (a pair stays together), held-out pairs, and the account of both."""

    bundles: list[Bundle]
    held_out: list[PairRow]
    manifest: dict[str, Any]


def text_key(text: str) -> str:
    """SHA-256 of a text, in hex: its name in caches and its place in the sampling order."""
    return hashlib.sha256(text.encode()).hexdigest()


def load_mini_data(data: Path, *, share: float) -> MiniData:
    """Read pairs and texts below ``data``, set the held-out pairs aside, drop leaks, sample.

    share: the part of the clean texts to use, chosen by their hash, 0 to 1.
    """
    pairs, texts = (
        read_pairs(data / "pairs/english.jsonl.gz"),
        read_texts(data / "texts/english.jsonl.gz"),
    )
    usable_pairs = [row for row in pairs if _is_usable(row.source, row.licence)]
    usable_texts = _thin_books([row for row in texts if _is_usable(row.source, row.licence)])
    training, held_out = split_by_ids(usable_pairs, HOLDOUT_IDS.read_text().split())
    check = LeakCheck([*_evaluation_texts(data), *_pair_texts(held_out)])
    clean_pairs, pair_leaks = check.clean(training, lambda row: (row.query, row.positive))
    clean_texts, text_leaks = check.clean(usable_texts, lambda row: (row.text,))
    bundles = _sample(clean_pairs, clean_texts, share)
    manifest = {
        "files": {
            path.name: _file_hash(data / path)
            for path in (Path("pairs/english.jsonl.gz"), Path("texts/english.jsonl.gz"))
        },
        "left_out": {
            "licence CC BY-SA or excluded source": len(pairs)
            + len(texts)
            - len(usable_pairs)
            - sum(1 for row in texts if _is_usable(row.source, row.licence)),
            f"{BOOKS} above {MAX_BOOKS}": sum(
                1 for row in texts if _is_usable(row.source, row.licence)
            )
            - len(usable_texts),
            "held-out pairs": len(held_out),
            "leaks of pairs": dict(pair_leaks),
            "leaks of texts": dict(text_leaks),
        },
        "share": share,
        "protected": [*EVALUATION_FOLDERS, "held-out pairs"],
        "sources": _account(bundles),
    }
    return MiniData(bundles, held_out, manifest)


def write_holdout_ids(data: Path) -> int:
    """Choose the held-out pairs and write their ids beside the recipe: done once, then committed."""
    pairs = [
        row
        for row in read_pairs(data / "pairs/english.jsonl.gz")
        if _is_usable(row.source, row.licence)
    ]
    chosen = choose_holdout(pairs, HOLDOUT_PAIRS)
    HOLDOUT_IDS.write_text("".join(f"{id_}\n" for id_ in sorted(row.id for row in chosen)))
    return len(chosen)


def _is_usable(source: str, licence: str) -> bool:
    return source not in EXCLUDED_SOURCES and not is_share_alike(licence)


def _thin_books(rows: list[TextRow]) -> list[TextRow]:
    books = sorted((row for row in rows if row.source == BOOKS), key=lambda row: text_key(row.text))
    return [row for row in rows if row.source != BOOKS] + books[:MAX_BOOKS]


def _evaluation_texts(data: Path) -> list[str]:
    texts: list[str] = []
    for name in EVALUATION_FOLDERS:
        if is_beir_folder(data / name):
            texts.extend(document.text for document in read_corpus(data / name))
            texts.extend(read_queries(data / name).values())
    return texts


def _pair_texts(pairs: Iterable[PairRow]) -> list[str]:
    return [text for pair in pairs for text in (pair.query, pair.positive)]


def _sample(pairs: Sequence[PairRow], texts: Sequence[TextRow], share: float) -> list[Bundle]:
    """Texts below the share in hash order, each once; both halves of a pair make one bundle."""
    border = f"{int(share * 16**8):08x}" if share < 1 else "g"
    seen: set[str] = set()
    bundles: list[Bundle] = []
    for rows in [*(pair.texts() for pair in pairs), *((row,) for row in texts)]:
        fresh = [row for row in rows if (key := text_key(row.text)) < border and key not in seen]
        seen.update(text_key(row.text) for row in fresh)
        if fresh:
            bundles.append(tuple(fresh))
    return bundles


def _account(bundles: Iterable[Bundle]) -> list[dict[str, Any]]:
    counts: Counter[tuple[str, str, str]] = Counter()
    keys: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for bundle in bundles:
        for row in bundle:
            counts[row.source, row.licence, row.role] += 1
            keys[row.source, row.licence].append(text_key(row.text))
    return [
        {
            "repository": source,
            "licence": licence,
            "queries": counts[source, licence, "query"],
            "documents": counts[source, licence, "document"],
            "sha256": hashlib.sha256("".join(sorted(hashes)).encode()).hexdigest(),
        }
        for (source, licence), hashes in sorted(keys.items())
    ]


def _file_hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
