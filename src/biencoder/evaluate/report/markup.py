"""HTML and SVG elements. Whatever is not `Html` already is text, and is escaped."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from biencoder.evaluate.report.words import one_line, visible

_DIGITS, _WHOLE = 12, 16
_VOID = frozenset({"br", "meta", "link", "hr"})


class Html(str):
    """Finished markup. An f-string or a sum with it is a plain string again, so it is escaped."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: object) -> Html:
    """One element. ``class_`` stands for class, ``_`` for ``-``; False and None leave one out.

    >>> tag("a", "<b>", href="#x", class_="link", hidden=False)
    '<a href="#x" class="link">&lt;b&gt;</a>'
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{joined(children)}</{name}>")


def joined(parts: Iterable[str], between: str = "") -> Html:
    """Parts one after another; texts among them are escaped."""
    return Html(_escaped(between).join(map(_escaped, parts)))


def foreign(text: str, limit: int = 300) -> Html:
    """Somebody's text: on one line, cut, and unable to turn the direction of its neighbours."""
    return tag("bdi", one_line(text, limit) or "(empty)", dir="auto")


def short(digest: str) -> Html:
    """The first twelve digits of a hash; the whole of it shows where a pointer rests.

    A fingerprint is whole with its sixteen: it is compared with what other verbs print.
    """
    if len(digest) <= _WHOLE:
        return tag("code", foreign(digest))
    return tag("code", foreign(digest[:_DIGITS]), title=one_line(digest))


def th(*content: str, scope: str = "col", **attributes: object) -> Html:
    """A heading cell."""
    return tag("th", *content, scope=scope, **attributes)


def td(*content: str, **attributes: object) -> Html:
    """A value's cell."""
    return tag("td", *content, **attributes)


def count_cell(count: object) -> Html:
    """A whole number's cell, a dash for what is none."""
    return td(f"{count:,}" if isinstance(count, int) else "–", class_="number")


def tr(*cells: str, **attributes: object) -> Html:
    """A row."""
    return tag("tr", *cells, **attributes)


def table(caption: str, head: Sequence[Html], body: Sequence[Html], *, kind: str = "") -> Html:
    """A table that scrolls in its own frame where the screen is too narrow. head, body: rows."""
    whole = tag(
        "table",
        tag("caption", tag("span", caption)),
        tag("thead", *head),
        tag("tbody", *body),
        class_=kind or None,
    )
    # Without tabindex, a keyboard could not scroll the frame.
    return tag(
        "div", whole, class_="scroll", role="region", aria_label=_unmarked(caption), tabindex=0
    )


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page with its place in the contents."""

    id: str
    title: str
    html: Html


def section(id_: str, title: str, lead: str, *children: str) -> Section:
    """A part of the page: its heading is a link to itself, its lead says what it shows."""
    anchor = tag("a", "#", class_="anchor", href=f"#{id_}", aria_label=f"Link to {title}")
    heading = tag("h2", title, " ", anchor, id=f"{id_}-title")
    lead_ = tag("p", lead, class_="lead")
    whole = tag("section", heading, lead_, *children, id=id_, aria_labelledby=f"{id_}-title")
    return Section(id_, title, whole)


def figure(caption: str, *children: str, legend: str = "", pairs: bool = False) -> Html:
    """Pictures side by side, as many as fit or two by two, under one legend and over one caption."""
    grid = tag("div", *children, class_="charts pairs" if pairs else "charts")
    return tag("figure", legend, grid, tag("figcaption", caption))


def details(summary: str, *children: str, open_: bool = False) -> Html:
    """A part that is folded away."""
    return tag("details", tag("summary", summary), *children, open=open_)


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{_escaped(str(value))}"'


def _unmarked(text: str) -> str:
    """The text alone, for attributes."""
    return html.unescape(re.sub(r"<[^>]+>", "", text)) if isinstance(text, Html) else text


def _escaped(text: str) -> str:
    return text if isinstance(text, Html) else html.escape(visible(text))
