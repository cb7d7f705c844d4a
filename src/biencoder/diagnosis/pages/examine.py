"""All that `check` tries with images on a loaded page model, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from biencoder.diagnosis.findings import Finding, attempt
from biencoder.diagnosis.pages import cost, probes
from biencoder.diagnosis.pages.parity import NAME, page_parity
from biencoder.embedder.device import Placement
from biencoder.embedder.pages.side import PageSide


def examine_pages(
    side: PageSide, raw: Mapping[str, Any], where: Placement, pages: int
) -> Iterator[Finding]:
    """Findings about a page model's behaviour and cost.

    raw: config.json as it stands on the disk. pages: for the estimate of hours.
    """
    yield attempt("image tokens", lambda: probes.image_tokens(side))
    yield attempt("tiles alone", lambda: probes.tiles_apart(side))
    yield attempt("page in company", lambda: probes.company(side, where.dtype, where.token_budget))
    yield attempt(NAME, lambda: page_parity(side, raw, where.dtype))
    yield attempt("pages an hour", lambda: cost.pages_an_hour(side, where, pages))
