"""The card's printed scores, computed again: only where the weights are the published ones."""

from __future__ import annotations

import numpy as np

from biencoder.diagnosis.findings import Finding
from biencoder.diagnosis.golden import CARD_SAMPLES, TOLERANCE, CardSample
from biencoder.embedder.embedder import Embedder

NAME = "card's scores"


def card_scores(embedder: Embedder) -> Finding:
    """The largest difference between the card's cosines and ours."""
    profile = embedder.profile
    if profile.member is None or embedder.source.repository != profile.member.id:
        reason = "the weights were not fetched under the member's published name"
        return Finding(NAME, "ok", "not compared", reason)
    if profile.random_weights:
        return Finding(NAME, "ok", "not compared", "the weights are random")
    sample = CARD_SAMPLES.get(profile.member.id)
    if sample is None:
        return Finding(NAME, "ok", "not compared", "the card's strings are not known here")
    return compare(embedder, sample)


def compare(embedder: Embedder, sample: CardSample) -> Finding:
    """The model's cosines for a card's strings beside the printed ones."""
    ours = embedder.similarity(
        embedder.encode_queries(sample.queries), embedder.encode_documents(sample.documents)
    )
    printed = np.asarray(sample.scores)
    difference = float(np.abs(ours - printed).max())
    pairs = zip(ours.ravel().tolist(), printed.ravel().tolist(), strict=True)
    shown = "; ".join(f"{mine:.4f} for {theirs:.4f}" for mine, theirs in pairs)
    return Finding(
        NAME,
        "ok" if difference <= TOLERANCE else "failed",
        f"differ by at most {difference:.1e}",
        f"{shown} (the card: {sample.printed_with}; allowed: {TOLERANCE})",
        {"ours": ours.ravel().tolist(), "printed": printed.ravel().tolist()},
    )
