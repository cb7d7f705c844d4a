"""How values and other people's texts are written on the page and in the terminal."""

from __future__ import annotations

import re

_METRICS = {
    "ndcg": "nDCG",
    "recall": "Recall",
    "mrr": "MRR",
    "map": "MAP",
    "precision": "Precision",
    "hit_rate": "Hit rate",
    "same language": "Same language",
}
# Control characters and halves of surrogate pairs: a page may not hold them, a terminal obeys them.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def visible(text: str) -> str:
    """The text with a mark in place of every character that cannot be shown.

    >>> visible("a\\x00b\\x1b[31m")
    'a␀b␛[31m'
    """
    return _UNPRINTABLE.sub(lambda found: _mark(ord(found[0])), text)


def one_line(text: str, limit: int = 300) -> str:
    """On one line, cut to ``limit`` characters; whatever cannot be shown is marked.

    >>> one_line("one\\n  two three", 8)
    'one two…'
    """
    line = visible(" ".join(text.split()))
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def metric_name(metric: str) -> str:
    """As people write it.

    >>> metric_name("ndcg@10"), metric_name("recall_at_5")
    ('nDCG@10', 'Recall@5')
    """
    kind, _, cut = metric.replace("_at_", "@").partition("@")
    return _METRICS.get(kind, kind.replace("_", " ")) + (f"@{cut}" if cut else "")


def percent(value: float) -> str:
    """A fraction times 100, one decimal.

    >>> percent(0.90644)
    '90.6'
    """
    return f"{100 * value:.1f}"


def quantity(value: float) -> str:
    """Three digits that count, thousands apart.

    >>> quantity(1536), quantity(12.34), quantity(0.5), quantity(48213.9)
    ('1,536', '12.3', '0.5', '48,200')
    """
    if value == int(value) and abs(value) < 100_000:
        return f"{int(value):,}"
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:g}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun.

    >>> counted(1, "set"), counted(1200, "query", "queries")
    ('1 set', '1,200 queries')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def slug(text: str) -> str:
    """For an anchor.

    >>> slug("What was left out")
    'what-was-left-out'
    """
    return re.sub(r"\W+", "-", text.lower()).strip("-")


def _mark(code: int) -> str:
    # Unicode has a picture for each of the first 32.
    return chr(0x2400 + code) if code < 0x20 else "\ufffd"
