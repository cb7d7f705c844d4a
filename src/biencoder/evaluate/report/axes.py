"""From values to places in a picture: scales, round ticks, axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from biencoder.evaluate.report.markup import Html, foreign, joined, tag
from biencoder.evaluate.report.words import quantity

WIDTH = 360
# Room for tick labels on the left and below, for half a mark above and on the right.
LEFT, RIGHT, TOP, BOTTOM = 38, 14, 12, 40


@dataclass(frozen=True, slots=True)
class Scale:
    """One axis: ``low`` stands at pixel ``start``, ``high`` at ``stop``."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The value's pixel, one decimal.

        >>> Scale(1, 100, 0, 300, log=True)(10)
        150.0
        """
        low, high, value = (math.log(v) if self.log else v for v in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.5
        return round(self.start + share * (self.stop - self.start), 1)


def round_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten from below ``low`` to above ``high``.

    >>> round_ticks(43.3, 55.2)
    [42.0, 44.0, 46.0, 48.0, 50.0, 52.0, 54.0, 56.0]
    >>> round_ticks(0, 96)
    [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    """
    span = max(high - low, 1.0)
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(s * power for s in (1, 2, 5, 10) if span / (s * power) <= most)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(count * step, 10) for count in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times the powers of ten around the values, or the powers alone where many fit.

    >>> log_ticks(3.4, 1366)
    [1.0, 10.0, 100.0, 1000.0, 10000.0]
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    decades = [10.0**power for power in powers]
    if len(decades) > 3:
        return decades
    ticks = [round(decade * step, 10) for decade in decades for step in (1, 2, 5)]
    first = max((tick for tick in ticks if tick <= low), default=ticks[0])
    last = min((tick for tick in ticks if tick >= high), default=ticks[-1])
    return [tick for tick in ticks if first <= tick <= last]


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Html:
    """A straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def label(
    x: float, y: float, text: str, kind: str = "tick", anchor: str | None = None, **more: object
) -> Html:
    """A short text. anchor: ``middle`` or ``end`` where it does not begin at ``x``."""
    return tag("text", text, x=x, y=y, class_=kind, text_anchor=anchor, **more)


def y_axis(scale: Scale, ticks: Iterable[float]) -> Html:
    """Faint lines across the picture with their values on the left."""
    parts = [
        joined(
            [
                line(LEFT, scale(tick), WIDTH - RIGHT, scale(tick), "grid"),
                label(LEFT - 6, scale(tick) + 4, quantity(tick), anchor="end"),
            ]
        )
        for tick in ticks
    ]
    return joined(parts)


def x_axis(scale: Scale, ticks: Sequence[float], bottom: float, title: str) -> Html:
    """Values under the picture and what they are; those that would touch are left out."""
    parts: list[str] = [line(LEFT, bottom, WIDTH - RIGHT, bottom, "axis")]
    taken: list[tuple[float, float]] = []
    # The ends are named first: they say how far the axis goes.
    for tick in (*ticks[:1], *ticks[-1:], *ticks[1:-1]):
        x, text = scale(tick), quantity(tick)
        half = 3.4 * len(text)
        parts.append(line(x, bottom, x, bottom + 4, "axis"))
        if all(abs(x - other) >= half + other_half + 5 for other, other_half in taken):
            parts.append(label(x, bottom + 17, text, anchor="middle"))
            taken.append((x, half))
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(label(middle, bottom + 34, title, "axis-title", "middle"))
    return joined(parts)


def drawing(title: str, height: float, *children: str, head: str = "") -> Html:
    """A picture with its name for those who cannot see it, and a heading for those who can."""
    svg = tag(
        "svg",
        tag("title", title),
        *children,
        viewBox=f"0 0 {WIDTH} {height:g}",
        role="img",
        class_="chart",
    )
    heading = tag("h3", foreign(head)) if head else Html("")
    return tag("div", heading, svg, class_="picture")
