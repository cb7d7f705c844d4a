"""Hostile values select the rows that equal them and no other, from text to both engines."""

from __future__ import annotations

import random
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa
import pytest

from biencoder.errors import InputError
from biencoder.index.filter_check import check
from biencoder.index.filter_compile import mask, to_arrow, to_lance
from biencoder.index.filter_parser import parse
from biencoder.index.filters import Filter, col

KNOWN = [
    *("", " ", "'", "''", '"', "`", "\\", "\\'", "\\\\", "%", "_", "%%", "\0", "\n", "\r\n", "\t"),
    *("' OR '1'='1", "x' OR '1'='1", "' OR 1=1 --", "'; DROP TABLE rows; --", "1 OR true", "null"),
    *(
        "\\' OR 1=1 --",
        "\\'' OR true OR ''='",
        "a' /* */ or 'a'='a",
        "*/ or /*",
        "-- ",
        "#",
        "${a}",
    ),
    *("’ OR ’1’=’1", "＇ OR ＇1＇=＇1", "ʼ", "\u202e' ro", "\u200b'", "\ufeff'", "\u2028'", "\x85"),
    *("__lancedb_binary_placeholder_0__", "X'00'", "e'\\x27'", "$1", "?", ":id", "{{id}}", "{0}"),
    *("col('id')", "id", "id = id", "'||'", "' || id || '", "\x1a", "\x08", "\x7f", "a\0' or 1=1"),
    *(
        "é",
        "e\u0301",
        "\U0010ffff",
        "\ud7ff",
        "\ue000",
        "true",
        "0",
        "-0",
        "1e309",
        "NaN",
        "x" * 3000,
    ),
]
PIECES = [
    *KNOWN[:-1],
    " or ",
    " and ",
    " not ",
    "=",
    "(",
    ")",
    "--",
    "id",
    "text",
    "true",
    "a",
    "1",
]


def _hostile() -> list[str]:
    source = random.Random(9)
    values = dict.fromkeys(KNOWN)
    while len(values) < 1_000:
        values["".join(source.choices(PIECES, k=source.randint(1, 6)))] = None
    return list(values)


HOSTILE = _hostile()
TABLE = pa.table(
    {
        "id": HOSTILE,
        "text": HOSTILE[::-1],
        "row": range(len(HOSTILE)),
    }
)
LAST = len(HOSTILE) - 1


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> lancedb.table.Table:
    return lancedb.connect(tmp_path_factory.mktemp("hostile")).create_table("rows", TABLE)


def _quoted(value: str) -> tuple[str, str]:
    doubled, escaped = value.replace("\\", "\\\\"), value.replace("\\", "\\\\")
    return "'" + doubled.replace("'", "''") + "'", '"' + escaped.replace('"', '\\"') + '"'


def _lance(table: lancedb.table.Table, filter_: Filter) -> list[int]:
    found = table.search().where(to_lance(filter_)).select(["row"]).limit(5_000).to_arrow()
    return sorted(found["row"].to_numpy().tolist())


def _arrow(filter_: Filter) -> list[int]:
    rows: list[int] = np.flatnonzero(mask(filter_, TABLE)).tolist()
    assert TABLE.filter(to_arrow(filter_))["row"].to_pylist() == rows
    return rows


def test_there_are_1000_different_hostile_values() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) == 1_000


def test_a_hostile_value_read_from_text_is_that_value() -> None:
    for value in HOSTILE:
        for quoted in _quoted(value):
            assert repr(parse(f"id = {quoted}")) == repr(col("id") == value)
            assert repr(parse(f"id in ({quoted}) or text contains {quoted}")) == repr(
                col("id").isin([value]) | col("text").contains(value)
            )


def test_a_hostile_value_selects_its_own_row_in_memory() -> None:
    for row, value in enumerate(HOSTILE):
        assert _arrow(col("id") == value) == [row]
        assert _arrow(col("text") == value) == [LAST - row]


def test_a_hostile_value_selects_its_own_rows_in_the_store(store: lancedb.table.Table) -> None:
    for row, value in enumerate(HOSTILE):
        filter_ = (col("id") == value) | col("text").isin([value])
        assert _lance(store, filter_) == sorted({row, LAST - row})


def test_hostile_prefixes_and_parts_match_as_plain_text(store: lancedb.table.Table) -> None:
    for value in HOSTILE[::10]:
        prefix, part = col("id").startswith(value), col("id").contains(value)
        begins = [row for row, text in enumerate(HOSTILE) if text.startswith(value)]
        holds = [row for row, text in enumerate(HOSTILE) if value in text]
        assert _arrow(prefix) == _lance(store, prefix) == begins
        assert _arrow(part) == _lance(store, part) == holds


def test_all_hostile_values_at_once_select_all_and_their_denial_none(
    store: lancedb.table.Table,
) -> None:
    everyone = col("id").isin(HOSTILE)
    assert _arrow(everyone) == _lance(store, everyone) == list(range(1_000))
    assert _arrow(~everyone) == _lance(store, ~everyone) == []


def test_deleting_by_a_hostile_id_takes_one_row(tmp_path: Path) -> None:
    table = lancedb.connect(tmp_path).create_table("rows", TABLE)
    for count, value in enumerate(KNOWN, start=1):
        table.delete(to_lance(col("id") == value))
        assert table.count_rows() == 1_000 - count, value
    assert set(table.to_arrow()["id"].to_pylist()) == set(HOSTILE) - set(KNOWN)


def _refusal(text: str) -> InputError | None:
    try:
        check(parse(text), {"id": "text", "text": "text"})
    except InputError as error:
        return error
    return None


def test_hostile_text_in_place_of_a_filter_is_refused_on_printable_lines() -> None:
    refusals = [_refusal(text) for text in HOSTILE]
    told = [refusal for refusal in refusals if refusal is not None]
    assert len(told) == len(HOSTILE)
    assert all(str(refusal).replace("\n", "").isprintable() for refusal in told)


@pytest.mark.parametrize(
    "text",
    ["id = '' OR '1'='1'", "id = 'a' or 1=1", "id = 'a' or true", "id = id", "true", "1 = 1"],
)
def test_a_condition_without_a_column_is_no_filter(text: str) -> None:
    with pytest.raises(InputError, match="expected a"):
        parse(text)


def test_half_a_surrogate_pair_is_refused_wherever_a_text_is_given() -> None:
    for value in ("\ud800", "a\udfff", "\udc80' or 1=1"):
        for build in (col("id").__eq__, col("id").startswith, col("id").contains):
            with pytest.raises(InputError, match="surrogate"):
                build(value)
        with pytest.raises(InputError, match="surrogate"):
            parse(f'id = "{value}"')


def test_no_hostile_text_is_a_column_unless_it_is_a_plain_name() -> None:
    for value in HOSTILE:
        if value.isascii() and value.isidentifier() and len(value) <= 64:
            assert col(value).name == value
        else:
            with pytest.raises(InputError, match="cannot be a column's name"):
                col(value)
