"""Does a loaded model behave? Small runs whose outcome is known beforehand.

Shapes: T packed tokens, D hidden size.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from biencoder.diagnosis.findings import Finding
from biencoder.embedder.embedder import Embedder
from biencoder.models.attention import LONGEST_FOR_PRODUCTS
from biencoder.models.llama import LlamaEncoder
from biencoder.models.packed import Packed
from biencoder.types import Batch, IntArray

OURS = "A bi-encoder turns a question and a document into vectors of one space."
STRANGERS = (
    "Oxbow lakes are cut-off river bends.",
    "x",
    # As long as OURS for a byte-level vocabulary, so that both stand in one group of equal length.
    OURS[::-1],
)

# Causal attention leaves the first token exactly where it was; rounding cannot move it so far.
LEAST_MOVE = 1e-5
# 1 - cosine, alone and in company. The published 1b moves by 5.5e-5 in bfloat16.
COMPANY = {torch.float32: 1e-6, torch.bfloat16: 1e-3, torch.float16: 1e-3}


def tokenizer(embedder: Embedder) -> Finding:
    """BOS once, in front, and never EOS; with an empty text too."""
    bos, eos = embedder.config.bos_token_id, embedder.config.eos_token_id
    if bos is None:
        return Finding("tokenizer", "warning", "BOS unknown", "config.json has no bos_token_id")
    faults = []
    for text in (OURS, ""):
        ids = _ids(embedder, text).tolist()
        shown = "an empty text" if not text else "a text"
        if ids[:1] != [bos] or ids.count(bos) != 1:
            faults.append(f"{shown} has BOS {ids.count(bos)} times, first token {ids[:1]}")
        if eos is not None and eos in ids:
            faults.append(f"{shown} has EOS, {eos}")
    if faults:
        return Finding("tokenizer", "failed", "special tokens are wrong", "; ".join(faults))
    return Finding("tokenizer", "ok", f"BOS {bos} once, in front", f"EOS {eos} is never added")


@torch.inference_mode()
def bidirectional(embedder: Embedder) -> Finding:
    """Change only the last token: the first token's hidden state must move.

    A short text runs through the whole model. Longer texts take another attention kernel on a CPU,
    so one that is long enough for it runs through the first layer.
    """
    ids = _ids(embedder, OURS)
    short = _move_of_first(embedder.trunk, ids, embedder.trunk)
    long = _move_of_first(
        embedder.trunk, _repeated(ids, LONGEST_FOR_PRODUCTS + 8), _first_layer(embedder.trunk)
    )
    moved = short > LEAST_MOVE and long > LEAST_MOVE
    reason = "the first token sees the last" if moved else "the attention is causal or cut off"
    return Finding(
        "bidirectional",
        "ok" if moved else "failed",
        f"the first token moves by {short:.1e}, in a long text by {long:.1e}",
        f"changing only the last one; {reason}",
        {"move": short, "move_long": long},
    )


def company(embedder: Embedder) -> Finding:
    """An embedding must be the same alone and in a batch with strangers."""
    alone = embedder.encode_documents([OURS])[0]
    worst = 0.0
    for place in (0, 2, len(STRANGERS)):
        texts = [*STRANGERS[:place], OURS, *STRANGERS[place:]]
        together = embedder.encode_documents(texts)[place]
        worst = max(worst, 1.0 - cosine(alone, together))
    allowed = COMPANY[embedder.placement.dtype]
    fine = worst <= allowed
    reason = "rounding only" if fine else "texts of one batch see each other"
    return Finding(
        "alone, in company",
        "ok" if fine else "failed",
        f"1 - cosine is {worst:.1e}",
        f"{reason} (allowed: {allowed:.0e})",
        {"distance": worst, "allowed": allowed},
    )


def unit_vectors(embedder: Embedder) -> Finding:
    """Finite vectors of length 1, in every size on offer, in both roles, for an empty text too."""
    texts = [OURS, "", STRANGERS[0]]
    full = embedder.encode_documents(texts)
    parts = [full, embedder.encode_queries(texts)]
    parts += [embedder.encode_documents([OURS], dimensions=size) for size in embedder.dimensions]
    lengths = np.concatenate([np.linalg.norm(part.astype(np.float64), axis=1) for part in parts])
    # A vector that is not finite ended in an EncodingError before it came here.
    worst = float(np.abs(lengths - 1).max())
    apart = 1.0 - cosine(full[0], full[2])
    fine = worst < 1e-5 and apart > 1e-6
    note = "; the checkpoint's own files do not normalise, biencoder does"
    reason = "unlike texts have unlike vectors" if apart > 1e-6 else "unlike texts have one vector"
    return Finding(
        "vectors",
        "ok" if fine else "failed",
        f"finite, length 1 to {worst:.0e}",
        reason + (note if embedder.profile.normalizes is False else ""),
        {"length_error": worst, "unlike_texts_distance": apart},
    )


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine of two vectors, in float64: float32 could not tell 1 - 1e-7 from 1.

    Zero where one has no direction (length 0, NaN, infinity), so that no probe takes it for equal.
    """
    left, right = a.astype(np.float64), b.astype(np.float64)
    lengths = float(np.linalg.norm(left) * np.linalg.norm(right))
    return float(left @ right) / lengths if 0.0 < lengths < float("inf") else 0.0


def rows_of_equal_length(rows: list[IntArray], device: torch.device) -> Packed:
    """Token rows of one length as a packed batch."""
    count, length = len(rows), len(rows[0])
    batch = Batch(
        tokens_T=np.concatenate(rows),
        positions_T=np.tile(np.arange(length), count),
        bounds=np.arange(0, count * length + 1, length),
        rows_S=np.arange(count),
    )
    return Packed.from_batch(batch, device)


def _ids(embedder: Embedder, text: str) -> IntArray:
    prompts = embedder.profile.prompts
    encoded = embedder.tokenizer.encode(
        [text], prefix=prompts.document, max_tokens=embedder.max_tokens, truncate="END"
    )
    return encoded.ids[0]


def _repeated(ids: IntArray, length: int) -> IntArray:
    # The length at which the kernel changes, whatever the model reads: one layer has no limit.
    return np.resize(ids, length)


def _first_layer(trunk: LlamaEncoder) -> Callable[[Packed], Tensor]:
    def run(packed: Packed) -> Tensor:
        x_TD = trunk.embed_tokens(packed.tokens_T)
        rotary = trunk.rotary.at(packed.positions_T, packed.longest, x_TD.dtype)
        out: Tensor = trunk.layers[0](x_TD, rotary, packed)
        return out

    return run


def _move_of_first(trunk: LlamaEncoder, ids: IntArray, run: Callable[[Packed], Tensor]) -> float:
    """How far the first token's state moves when the last token changes, relative to its length."""
    changed = ids.copy()
    changed[-1] = next(int(token) for token in ids if token != ids[-1])
    packed = rows_of_equal_length([ids, changed], trunk.embed_tokens.weight.device)
    before, after = run(packed).view(2, len(ids), -1)[:, 0].double()
    return float(((before - after).norm() / before.norm()).item())
