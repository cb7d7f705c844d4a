"""Into which grid of square tiles a page is cut: the model's rule, to the last bit.

The rule weighs how much of the page's area the grid can hold against how well its shape fits. It is
not the nearest-ratio rule of InternVL, from which it differs on almost half of all sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

from biencoder.errors import InputError

TILE_SIZE = 512
# More area than this share of the page's own is not weighed: enlarging is no merit.
_AREA_CAP = 0.6


@dataclass(frozen=True, slots=True)
class Grid:
    """Tiles of a page; tile ``row * columns + column`` lies at that row and column.

    >>> Grid(3, 2).count(thumbnail=True), Grid(1, 1).count(thumbnail=True)
    (7, 1)
    """

    columns: int
    rows: int

    @property
    def tiles(self) -> int:
        """Tiles of the grid itself, without thumbnail."""
        return self.columns * self.rows

    def has_thumbnail(self, *, thumbnail: bool) -> bool:
        """Whether the whole page follows as a last tile: asked for, and not the only tile itself."""
        return thumbnail and self.tiles != 1

    def count(self, *, thumbnail: bool) -> int:
        """Tiles that the model sees, the thumbnail among them."""
        return self.tiles + self.has_thumbnail(thumbnail=thumbnail)

    def boxes(self) -> tuple[tuple[float, float, float, float], ...]:
        """(left, top, right, bottom) of each tile as fractions of the page, in tile order.

        >>> Grid(2, 1).boxes()
        ((0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0))
        """
        return tuple(
            (
                column / self.columns,
                row / self.rows,
                (column + 1) / self.columns,
                (row + 1) / self.rows,
            )
            for row in range(self.rows)
            for column in range(self.columns)
        )


def candidates(max_tiles: int) -> tuple[Grid, ...]:
    """Every grid of at most ``max_tiles`` tiles, in the order in which they are weighed.

    The reference sorts a Python set by the number of tiles alone, so the order among equals is that
    of the set; up to six tiles, fewer columns first chooses the same grids. Raises InputError for
    a limit below 1.
    """
    if max_tiles < 1:
        raise InputError(f"max_tiles={max_tiles}: a page has at least 1 tile", hint="give 1 to 12")
    grids = (
        Grid(columns, rows)
        for columns in range(1, max_tiles + 1)
        for rows in range(1, max_tiles // columns + 1)
    )
    return tuple(sorted(grids, key=lambda grid: (grid.tiles, grid.columns)))


def choose_grid(width: int, height: int, *, max_tiles: int, tile_size: int = TILE_SIZE) -> Grid:
    """The grid for a page of ``width`` by ``height`` pixels.

    Grids tie mathematically on large pages and the last bit decides, so these are the reference's
    own operations on doubles, in its order; the first of equals wins. Raises InputError for a side
    below 1. Source: the reference processor in Automodel.

    >>> choose_grid(1280, 680, max_tiles=6)
    Grid(columns=2, rows=1)
    """
    if width < 1 or height < 1:
        raise InputError(f"a page of {width} x {height} pixels has nothing to see")
    ratio = width / height
    grids = candidates(max_tiles)
    chosen, best = grids[0], float("-inf")
    for grid in grids:
        grid_ratio = grid.columns / grid.rows
        area = (grid.columns * grid.rows * tile_size * tile_size) / (width * height)
        score = min(area, _AREA_CAP) * min(grid_ratio / ratio, ratio / grid_ratio)
        if score > best:
            chosen, best = grid, score
    return chosen
