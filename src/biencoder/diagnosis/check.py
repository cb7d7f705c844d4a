"""All that `biencoder check` looks at, in order; each finding comes as soon as it is known."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator

from biencoder.config.dialects import read_json
from biencoder.config.page_model import PageConfig
from biencoder.diagnosis import identity, probes
from biencoder.diagnosis.card import card_scores
from biencoder.diagnosis.cost import hours, memory
from biencoder.diagnosis.findings import Finding, attempt, has_failed
from biencoder.diagnosis.pages import cost as page_cost
from biencoder.diagnosis.pages import identity as page_identity
from biencoder.diagnosis.pages.examine import examine_pages
from biencoder.diagnosis.parity import parity
from biencoder.embedder.device import Placement, place
from biencoder.embedder.embedder import Embedder
from biencoder.embedder.hub import Source, locate
from biencoder.embedder.loading import read_config
from biencoder.embedder.notices import BiencoderWarning
from biencoder.embedder.pages.loading import read_page_config, read_page_limits
from biencoder.embedder.profile import read_profile
from biencoder.errors import CheckpointError, InputError

DOCUMENTS = 1_000_000


def check(name: str, *, dtype: str = "auto", documents: int = DOCUMENTS) -> Iterator[Finding]:
    """Findings about a model, by family name, folder or hub id.

    A checkpoint that must not be loaded ends in a failed finding. Raises UnknownModelError,
    DeviceError, or InputError where ``documents`` is not positive: then there is nothing to check.
    """
    if documents < 1:
        raise InputError(f"--documents {documents} is not a positive number")
    placement, source = place(dtype), locate(name)
    before = []
    for finding in _before_loading(source, placement):
        before.append(finding)
        yield finding
    if has_failed(before):
        return
    start = time.perf_counter()
    try:
        embedder = _load(name, dtype)
    except CheckpointError as error:
        yield Finding("loading", "failed", type(error).__name__, str(error))
        return
    yield identity.placement(embedder, time.perf_counter() - start)
    yield from examine(embedder, documents=documents)


def examine(embedder: Embedder, *, documents: int = DOCUMENTS) -> Iterator[Finding]:
    """Findings about a loaded model: what it is, how it behaves, what it costs."""
    profile, config, side = embedder.profile, embedder.config, embedder.pages
    folder = identity.base_folder(embedder.source)
    yield identity.member(profile)
    yield identity.weights(embedder)
    if side is None:
        yield identity.parameters(profile, config)
    else:
        yield page_identity.parameters(profile, side.config)
    yield identity.licence(profile)
    yield identity.prompts(profile)
    if side is None:
        yield identity.max_tokens(profile)
    else:
        yield page_identity.limits(side, folder)
        yield page_identity.tiles(folder, side.config)
    yield identity.dimensions(profile, config)
    yield attempt("tokenizer", lambda: probes.tokenizer(embedder))
    yield attempt("bidirectional", lambda: probes.bidirectional(embedder))
    yield attempt("alone, in company", lambda: probes.company(embedder))
    yield attempt("vectors", lambda: probes.unit_vectors(embedder))
    raw = read_json(folder / "config.json")
    yield attempt(
        "transformers", lambda: parity(embedder, raw if side is None else raw["llm_config"])
    )
    yield attempt("card's scores", lambda: card_scores(embedder))
    yield attempt("hours", lambda: hours(embedder, documents))
    if side is not None:
        yield from examine_pages(side, raw, embedder.placement, documents)


def _before_loading(source: Source, placement: Placement) -> Iterator[Finding]:
    folder = identity.base_folder(source)
    pages: list[PageConfig] = []

    def dialect() -> Finding:
        config = read_page_config(folder)
        if config is None:
            return identity.dialect(source)
        pages.append(config)
        return page_identity.dialect(folder)

    first = attempt("dialect", dialect)
    yield first
    if first.state == "failed":
        return
    if pages:
        yield attempt("tensors", lambda: page_identity.tensors(folder, pages[0]))
        yield page_cost.memory(pages[0], placement, read_page_limits(folder))
        return
    config = read_config(folder)
    yield attempt("tensors", lambda: identity.tensors(source))
    profile = read_profile(folder, config, name=folder.name, member=source.member)
    yield memory(config, placement, profile.max_tokens)


def _load(name: str, dtype: str) -> Embedder:
    with warnings.catch_warnings():
        # What loading warns about (licence, prompts) has a finding of its own here.
        warnings.simplefilter("ignore", BiencoderWarning)
        return Embedder.load(name, dtype=dtype)
