"""Both engines select the rows that three-valued logic, in plain Python, says."""

from __future__ import annotations

from pathlib import Path

import lancedb
import numpy as np
import pytest
from hypothesis import given, settings
from lancedb.index import FTS, BTree
from tests.index.made_filters import COLUMNS, FILTERS, ROWS, TABLE, TEXTS, expected

from biencoder.index.filter_check import check
from biencoder.index.filter_compile import mask, to_arrow, to_lance
from biencoder.index.filter_parser import parse
from biencoder.index.filters import Filter, col


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> lancedb.table.Table:
    return lancedb.connect(tmp_path_factory.mktemp("store")).create_table("rows", TABLE)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> lancedb.table.Table:
    table = lancedb.connect(tmp_path_factory.mktemp("indexed")).create_table("rows", TABLE)
    for column in ("source", "page", "score"):
        table.create_index(column, config=BTree())
    table.create_index("words", config=FTS())
    return table


def _from_lance(table: lancedb.table.Table, filter_: Filter) -> list[int]:
    found = table.search().where(to_lance(filter_)).select(["row"]).limit(10_000).to_arrow()
    return sorted(found["row"].to_numpy().tolist())


@settings(max_examples=300, deadline=None)
@given(filter_=FILTERS)
def test_pyarrow_selects_what_three_valued_logic_says(filter_: Filter) -> None:
    fitted = check(filter_, COLUMNS)
    rows = expected(filter_)
    assert np.flatnonzero(mask(fitted, TABLE)).tolist() == rows
    assert TABLE.filter(to_arrow(fitted))["row"].to_pylist() == rows


@settings(max_examples=200, deadline=None)
@given(filter_=FILTERS)
def test_lancedb_selects_the_same_rows_with_and_without_indices(
    store: lancedb.table.Table, indexed: lancedb.table.Table, filter_: Filter
) -> None:
    fitted = check(filter_, COLUMNS)
    rows = expected(filter_)
    assert _from_lance(store, fitted) == rows
    assert _from_lance(indexed, fitted) == rows


def test_the_largest_filters_run_in_both_engines(store: lancedb.table.Table) -> None:
    wide = parse(" or ".join(f"page={number}" for number in range(800)))
    deep: Filter = col("page") >= 0
    for level in range(98):
        part = col("page") == level
        deep = ~deep if level % 3 == 0 else deep & ~part if level % 3 == 1 else deep | part
    many = col("row").isin(range(5_000))
    for filter_ in (check(wide, COLUMNS), check(deep, COLUMNS), many):
        rows = expected(filter_)
        assert np.flatnonzero(mask(filter_, TABLE)).tolist() == rows
        assert _from_lance(store, filter_) == rows


def test_an_empty_table_has_an_empty_mask() -> None:
    filter_ = col("page").isin([1]) & col("source").startswith("a")
    assert mask(filter_, TABLE.slice(0, 0)).shape == (0,)


A, B = col("source").isin(["", "a"]), col("source").isin(["b", "ab"])
MANY = col("page").isin(range(10)) & col("page").isin(range(10, 20))


@pytest.mark.parametrize(
    "filter_",
    [~(A & B), ~A | ~B, ~(A & ~A), A | ~A, ~A & ~B, ~(A | ~B), ~MANY, ~(~MANY | B), ~~~(A & B)],
)  # the engine's own simplifications of lists take a missing value for one that is in no list
def test_a_missing_value_is_in_no_list_and_in_no_denial(
    store: lancedb.table.Table, indexed: lancedb.table.Table, filter_: Filter
) -> None:
    rows = expected(filter_)
    assert _from_lance(store, filter_) == _from_lance(indexed, filter_) == rows
    assert np.flatnonzero(mask(filter_, TABLE)).tolist() == rows


def test_every_prefix_is_a_range_of_lancedbs_order(store: lancedb.table.Table) -> None:
    for prefix in [*TEXTS, "a.", "\ud7ff\U0010ffff", "\U0010ffff\U0010ffff", "a\U0010ffff"]:
        filter_ = col("source").startswith(prefix)
        assert _from_lance(store, filter_) == expected(filter_)


def test_text_search_counts_only_filtered_rows_towards_its_limit(
    indexed: lancedb.table.Table,
) -> None:
    filter_ = (col("row") >= 40) & (col("page").is_null() | (col("page") < 10))
    search = indexed.search("cup", query_type="fts", fts_columns="words")
    found = search.where(to_lance(filter_), prefilter=True).limit(5).to_arrow()["row"].to_pylist()
    allowed = {row for row in expected(filter_) if row % 2}
    assert len(allowed) >= 5
    assert len(set(found)) == 5
    assert set(found) <= allowed


def test_deleting_takes_the_selected_rows_and_no_other(tmp_path: Path) -> None:
    table = lancedb.connect(tmp_path).create_table("rows", TABLE)
    filter_ = check(parse("Order is null or not page in (0, 1) and source != ''"), COLUMNS)
    gone = set(expected(filter_))
    assert 0 < len(gone) < ROWS
    table.delete(to_lance(filter_))
    assert set(table.to_arrow()["row"].to_pylist()) == set(range(ROWS)) - gone
