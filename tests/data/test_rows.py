"""Training rows carry source and licence; a damaged line is told with its number."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest

from biencoder.data.rows import PairRow, TextRow, is_share_alike, read_pairs, read_texts
from biencoder.errors import InputError

PAIR = {"query": "q", "positive": "p", "source": "s", "licence": "CC BY 4.0"}


def lines(path: Path, *rows: object) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


@pytest.mark.parametrize("name", ["pairs.jsonl", "pairs.jsonl.gz"])
def test_pairs_are_read_in_order(tmp_path: Path, name: str) -> None:
    path = lines(tmp_path / name, PAIR, PAIR | {"query": "q2"})
    assert read_pairs(path) == [
        PairRow("q", "p", "s", "CC BY 4.0"),
        PairRow("q2", "p", "s", "CC BY 4.0"),
    ]


def test_short_texts_are_queries_and_passages_documents(tmp_path: Path) -> None:
    row = {"text": "t", "source": "s", "licence": "l"}
    path = lines(tmp_path / "t.jsonl", row | {"kind": "short"}, row | {"kind": "passage"})
    assert [text.role for text in read_texts(path)] == ["query", "document"]


def test_a_pairs_id_is_a_hash_of_both_texts_with_a_border_between() -> None:
    expected = hashlib.sha256(b"ab\x00c").hexdigest()[:16]
    assert PairRow("ab", "c", "s", "l").id == expected == PairRow("ab", "c", "x", "y").id
    assert PairRow("a", "bc", "s", "l").id != expected


def test_a_pair_is_two_texts_the_query_first() -> None:
    assert PairRow("q", "p", "s", "l").texts() == (
        TextRow("q", "query", "s", "l"),
        TextRow("p", "document", "s", "l"),
    )


@pytest.mark.parametrize("missing", PAIR)
def test_a_row_without_a_field_is_refused_with_line_and_field(tmp_path: Path, missing: str) -> None:
    damaged = {key: value for key, value in PAIR.items() if key != missing}
    with pytest.raises(InputError, match=f"line 2 lacks the text field '{missing}'"):
        read_pairs(lines(tmp_path / "pairs.jsonl", PAIR, damaged))


@pytest.mark.parametrize(
    ("licence", "alike"),
    [
        ("CC BY-SA 3.0", True),
        ("cc by-sa 4.0", True),
        ("CC BY SA 4.0", True),
        ("CC BY 4.0", False),
        ("Apache-2.0", False),
    ],
)
def test_share_alike_licences_are_known(licence: str, alike: bool) -> None:
    assert is_share_alike(licence) is alike
