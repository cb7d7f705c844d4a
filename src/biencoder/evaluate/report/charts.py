"""The pictures: lines, bars, points. Drawn as SVG whose colours the style sheet decides.

Every series has a colour, a shape and a dash of its own, so no picture rests on colour alone; every
mark carries its value as a title, so no picture needs a script.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from biencoder.evaluate.report.axes import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Scale,
    drawing,
    label,
    line,
    log_ticks,
    round_ticks,
    x_axis,
    y_axis,
)
from biencoder.evaluate.report.markup import Html, joined, tag
from biencoder.evaluate.report.words import one_line

_HEIGHT = 236
_BAR, _BAR_GAP = 14, 4
REFERENCE = -1
"""The style of the baseline: grey, as what others are measured against."""
# Corners around the place of a mark; the first shape is a circle.
_SHAPES: tuple[tuple[tuple[float, float], ...], ...] = (
    (),
    ((-4, -4), (4, -4), (4, 4), (-4, 4)),
    ((0, -5.2), (5, 3.8), (-5, 3.8)),
    ((0, -5.5), (5.5, 0), (0, 5.5), (-5.5, 0)),
    ((0, 5.2), (5, -3.8), (-5, -3.8)),
    ((-2, -5.5), (2, -5.5), (2, 5.5), (-2, 5.5)),
)
STYLES = len(_SHAPES)


@dataclass(frozen=True, slots=True)
class Point:
    """A mark. y, low, high: in percent; an interval is drawn where both ends are given."""

    x: float
    y: float
    tip: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one name and style."""

    name: str
    style: int
    points: tuple[Point, ...]


def line_chart(
    head: str,
    series: Sequence[Series],
    *,
    x_title: str,
    x_ticks: Sequence[float],
    levels: Sequence[tuple[str, float]] = (),
) -> Html:
    """Score against a size, the size on a logarithmic axis. levels: names and heights to reach."""
    points = [point for each in series for point in each.points]
    heights = [point.y for point in points] + [height for _, height in levels]
    ticks = round_ticks(min(heights), max(heights))
    bottom = _HEIGHT - BOTTOM
    x = Scale(min(x_ticks), max(x_ticks), LEFT + 8, WIDTH - RIGHT - 8, log=True)
    y = Scale(ticks[0], ticks[-1], bottom, TOP)
    parts: list[str] = [y_axis(y, ticks), x_axis(x, x_ticks, bottom, x_title)]
    parts.append(_levels(levels, y))
    parts += [_line(each, x, y) for each in series]
    names = ", ".join(each.name for each in series)
    return drawing(f"{head}: {x_title} and score, {names}", _HEIGHT, *parts, head=head)


def scatter(head: str, series: Sequence[Series], *, x_title: str) -> Html:
    """A named mark for each system, its interval upright; x on a logarithmic axis."""
    points = [point for each in series for point in each.points]
    edges = [edge for p in points for edge in (p.y, p.low, p.high) if edge is not None]
    y_ticks = round_ticks(min(edges), max(edges))
    x_ticks = log_ticks(min(point.x for point in points), max(point.x for point in points))
    bottom = _HEIGHT - BOTTOM
    x = Scale(x_ticks[0], x_ticks[-1], LEFT + 8, WIDTH - RIGHT - 8, log=True)
    y = Scale(y_ticks[0], y_ticks[-1], bottom, TOP)
    parts: list[str] = [y_axis(y, y_ticks), x_axis(x, x_ticks, bottom, x_title)]
    for each in series:
        for point in each.points:
            parts.append(_whisker(point, x, y, each.style))
            parts.append(_mark(x(point.x), y(point.y), each.style, point.tip))
    names = ", ".join(each.name for each in series)
    return drawing(f"{head}: {x_title} and score of {names}", _HEIGHT, *parts, head=head)


def bars(head: str, series: Sequence[Series], longest: float) -> Html:
    """A bar for each series' one point, with its interval; ``longest`` is the full width."""
    scale = Scale(0, longest, 0, WIDTH - 46)
    parts: list[str] = []
    for row, each in enumerate(series):
        point, top = each.points[0], row * (_BAR + _BAR_GAP)
        middle = top + _BAR / 2
        bar = tag(
            "rect",
            tag("title", point.tip),
            x=0,
            y=top,
            width=max(scale(point.y), 1),
            height=_BAR,
            rx=2,
            class_=f"bar {style_class(each.style)}",
        )
        end = scale(point.y)
        parts.append(bar)
        if point.low is not None and point.high is not None:
            low, end = scale(point.low), scale(point.high)
            parts.append(line(low, middle, end, middle, "interval"))
            parts += [line(at, middle - 3, at, middle + 3, "interval") for at in (low, end)]
        parts.append(label(end + 6, middle + 4, f"{point.y:.1f}", "value"))
    height = len(series) * (_BAR + _BAR_GAP)
    values = ", ".join(f"{each.name} {each.points[0].y:.1f}" for each in series)
    return drawing(f"{head}: {values}", height, *parts, head=head)


def legend(series: Iterable[tuple[str, int]], *, lines: bool = False, solid: bool = False) -> Html:
    """Names beside their marks, or beside lines, or beside filled bars."""
    items = [
        tag("li", _swatch(style, lines, solid), " ", tag("bdi", one_line(name, 60), dir="auto"))
        for name, style in series
    ]
    return tag("ul", *items, class_="legend")


def style_class(style: int) -> str:
    """The class that the style sheet colours."""
    return "s-ref" if style == REFERENCE else f"s{style % STYLES}"


def _line(series: Series, x: Scale, y: Scale) -> Html:
    places = [(x(point.x), y(point.y), point.tip) for point in series.points]
    path = tag(
        "polyline",
        points=" ".join(f"{left:g},{top:g}" for left, top, _ in places),
        class_=f"line {style_class(series.style)}",
    )
    return joined([path, *(_mark(left, top, series.style, tip) for left, top, tip in places)])


def _levels(levels: Sequence[tuple[str, float]], y: Scale) -> Html:
    """Heights across the picture; names change sides, so that two near ones do not touch."""
    lines = [line(LEFT, y(height), WIDTH - RIGHT, y(height), "level") for _, height in levels]
    names = []
    for place, (name, height) in enumerate(levels):
        x, anchor = (LEFT + 2, None) if place % 2 else (WIDTH - RIGHT, "end")
        names.append(label(x, y(height) - 4, one_line(name, 40), "level-name", anchor))
    return joined([*lines, *names])


def _whisker(point: Point, x: Scale, y: Scale, style: int) -> Html:
    if point.low is None or point.high is None:
        return Html("")
    return line(x(point.x), y(point.low), x(point.x), y(point.high), f"line {style_class(style)}")


def _mark(x: float, y: float, style: int, tip: str) -> Html:
    """A shape for each style; the title shows where a pointer rests."""
    title, kind = tag("title", tip), f"mark {style_class(style)}"
    if style == REFERENCE:
        path = f"M{x - 4:g} {y - 4:g}L{x + 4:g} {y + 4:g}M{x - 4:g} {y + 4:g}L{x + 4:g} {y - 4:g}"
        return tag("path", title, d=path, class_=f"cross {style_class(style)}")
    corners = _SHAPES[style % STYLES]
    if not corners:
        return tag("circle", title, cx=x, cy=y, r=4.5, class_=kind)
    points = " ".join(f"{x + dx:g},{y + dy:g}" for dx, dy in corners)
    return tag("polygon", title, points=points, class_=kind)


def _swatch(style: int, lines: bool, solid: bool) -> Html:
    if solid:
        shape = tag("rect", x=4, y=2, width=20, height=10, rx=2, class_=f"bar {style_class(style)}")
        parts: list[str] = [shape]
    else:
        stroke = line(0, 7, 28, 7, f"line {style_class(style)}") if lines else Html("")
        parts = [stroke, _mark(14, 7, style, "")]
    return tag("svg", *parts, viewBox="0 0 28 14", class_="swatch", aria_hidden="true")


def difference_bar(low: float, value: float, high: float, reach: float) -> Html:
    """A difference with its interval on a line whose middle is zero; ``reach`` is half of it."""
    x = Scale(-reach or -1, reach or 1, 6, 138)
    parts = [
        line(6, 8, 138, 8, "grid"),
        line(x(0), 1, x(0), 15, "axis"),
        line(x(low), 8, x(high), 8, "line s0"),
        *(line(x(end), 3, x(end), 13, "line s0") for end in (low, high)),
        tag("circle", cx=x(value), cy=8, r=3.5, class_="mark s0"),
    ]
    return tag("svg", *parts, viewBox="0 0 144 16", class_="difference", aria_hidden="true")
