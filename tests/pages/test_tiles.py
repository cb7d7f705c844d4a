"""The tile rule: the published table, the order of the candidates, and where each tile lies."""

from __future__ import annotations

import random

import pytest

from biencoder.errors import InputError
from biencoder.pages.tiles import Grid, candidates, choose_grid

# (width, height): columns and rows for at most 6, 4 and 2 tiles.
TABLE: dict[tuple[int, int], tuple[tuple[int, int], tuple[int, int], tuple[int, int]]] = {
    (64, 64): ((1, 1), (1, 1), (1, 1)),
    (512, 512): ((1, 1), (1, 1), (1, 1)),
    (660, 660): ((1, 1), (1, 1), (1, 1)),
    (661, 661): ((2, 2), (2, 2), (1, 1)),
    (640, 480): ((3, 2), (1, 1), (1, 1)),
    (612, 792): ((2, 3), (2, 2), (1, 1)),
    (1024, 1024): ((2, 2), (2, 2), (1, 1)),
    (1714, 1714): ((2, 3), (2, 2), (1, 1)),
    (1275, 1650): ((2, 3), (2, 2), (1, 2)),
    (2480, 3508): ((2, 3), (2, 2), (1, 2)),
    (1280, 680): ((2, 1), (2, 1), (2, 1)),
    (1920, 1080): ((3, 2), (2, 2), (2, 1)),
    (960, 540): ((2, 1), (2, 1), (2, 1)),
    (600, 2400): ((1, 4), (1, 4), (1, 2)),
    (825, 2250): ((1, 4), (1, 4), (1, 2)),
    (4110, 1176): ((4, 1), (4, 1), (2, 1)),
    (1176, 4110): ((1, 5), (1, 4), (1, 2)),
    (3000, 500): ((6, 1), (4, 1), (2, 1)),
    (100, 2000): ((1, 6), (1, 4), (1, 2)),
}
# What a Python set of the pairs gives when it is sorted by their product alone.
SET_ORDER_6 = [
    *((1, 1), (1, 2), (2, 1), (3, 1), (1, 3), (4, 1), (1, 4)),
    *((2, 2), (1, 5), (5, 1), (6, 1), (2, 3), (1, 6), (3, 2)),
]


@pytest.mark.parametrize(("size", "grids"), TABLE.items(), ids=str)
def test_the_published_table_of_sizes(
    size: tuple[int, int], grids: tuple[tuple[int, int], ...]
) -> None:
    chosen = [choose_grid(*size, max_tiles=most) for most in (6, 4, 2)]
    assert chosen == [Grid(*grid) for grid in grids]


def test_candidates_come_by_tiles_and_then_by_columns() -> None:
    assert [(grid.columns, grid.rows) for grid in candidates(6)] == [
        *((1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (1, 4), (2, 2)),
        *((4, 1), (1, 5), (5, 1), (1, 6), (2, 3), (3, 2), (6, 1)),
    ]


def test_the_order_of_a_python_set_chooses_the_same_grids() -> None:
    def by_set_order(width: int, height: int) -> tuple[int, int]:
        best, chosen = float("-inf"), (0, 0)
        for i, j in SET_ORDER_6:
            t, r = i / j, width / height
            score = min((i * j * 512 * 512) / (width * height), 0.6) * min(t / r, r / t)
            if score > best:
                best, chosen = score, (i, j)
        return chosen

    made = random.Random(6)
    sizes = [(made.randint(1, 6000), made.randint(1, 6000)) for _ in range(2000)]
    for size in [*sizes, *((side, side) for side in range(64, 6000, 7))]:
        assert choose_grid(*size, max_tiles=6) == Grid(*by_set_order(*size)), size


def test_a_wide_page_has_more_columns_than_rows() -> None:
    assert choose_grid(1280, 680, max_tiles=6) == Grid(columns=2, rows=1)


def test_small_tiles_follow_the_same_rule() -> None:
    for (width, height), grids in TABLE.items():
        if width % 8 == height % 8 == 0:
            grid = choose_grid(width // 8, height // 8, max_tiles=6, tile_size=64)
            assert grid == Grid(*grids[0])


def test_one_tile_is_the_only_grid_where_no_more_are_allowed() -> None:
    assert all(choose_grid(*size, max_tiles=1) == Grid(1, 1) for size in TABLE)


def test_a_thumbnail_follows_unless_the_only_tile_is_the_page_itself() -> None:
    assert [Grid(1, 1).count(thumbnail=wanted) for wanted in (False, True)] == [1, 1]
    assert [Grid(2, 3).count(thumbnail=wanted) for wanted in (False, True)] == [6, 7]


def test_boxes_go_row_by_row_and_cover_the_page() -> None:
    half, third = 1 / 2, 1 / 3
    assert Grid(2, 3).boxes() == (
        *((0, 0, half, third), (half, 0, 1, third)),
        *((0, third, half, 2 / 3), (half, third, 1, 2 / 3)),
        *((0, 2 / 3, half, 1), (half, 2 / 3, 1, 1)),
    )


def test_no_tiles_and_no_pixels_are_refused() -> None:
    with pytest.raises(InputError, match="max_tiles=0"):
        choose_grid(100, 100, max_tiles=0)
    with pytest.raises(InputError, match="0 x 100"):
        choose_grid(0, 100, max_tiles=6)
