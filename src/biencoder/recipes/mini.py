"""`mini`: a small English member of the family, distilled from all-MiniLM-L6-v2.

    biencoder distil --recipe mini --data ../shared/data --to runs/mini

Cost and score are in the model card that the run writes (``README.md`` beside the weights).
``--smoke`` trains for about two minutes on text of this repository and must beat its start.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import torch
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

from biencoder.config.family import MINI
from biencoder.config.model import LlamaConfig
from biencoder.corpus.beir import Document
from biencoder.data.rows import PairRow
from biencoder.embedder.stream import compute
from biencoder.evaluate.judged_set import JudgedSet, judge
from biencoder.evaluate.scoring import score_encoder
from biencoder.models.llama import LlamaEncoder
from biencoder.recipes.mini_data import Bundle
from biencoder.text.tokenizer import TextTokenizer
from biencoder.train.distil import DistilData, DistilSettings, principal_axes
from biencoder.train.plan import plan_steps
from biencoder.train.teacher import MiniLMTeacher
from biencoder.train.teacher_cache import TeacherCache
from biencoder.types import FloatArray, IntArray, Role

SEED = 20261121
TOKENS_PER_STEP = 8192
TRAINED_TOKENS = 256
SHARE = 0.5
EVALUATED_PAIRS = 500
MEASURES = ("ndcg@10", "recall@5")

SETTINGS = DistilSettings(sizes=MINI.dimensions, warmup_steps=100, evaluate_every=250)
# The repository's own text is small: some passes over it fill two minutes. So few steps need a lower
# rate: at 5e-4 after 5 steps of warm-up the teacher's token table is lost (nDCG@10 0.286, then 0.057).
SMOKE_EPOCHS = 4
SMOKE_SETTINGS = replace(
    SETTINGS, learning_rate=1e-4, warmup_steps=20, evaluate_every=10_000, save_every=10_000
)

Progress = Callable[[str, int, int], None]


def mini_config() -> LlamaConfig:
    """The student's sizes, from the family's table."""
    assert MINI.config is not None
    return MINI.config


def mini_tokenizer(teacher: MiniLMTeacher) -> TextTokenizer:
    """The teacher's pieces; as in the rest of the family one token in front and none behind."""
    tokenizer = Tokenizer.from_file(str(teacher.folder / "tokenizer.json"))
    first = tokenizer.token_to_id("[CLS]")
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A", special_tokens=[("[CLS]", first)]
    )
    return TextTokenizer(tokenizer)


def tokenize(tokenizer: TextTokenizer, texts: Sequence[str], role: Role) -> list[IntArray]:
    """Tokens with the role's prompt, cut at the trained length."""
    return tokenizer.encode(
        texts,
        prefix=MINI.prompts.prefix(role),
        max_tokens=TRAINED_TOKENS,
        truncate="END",
    ).ids


def build_student(teacher: MiniLMTeacher, axes: FloatArray) -> LlamaEncoder:
    """A student that starts as an average of word vectors.

    The token table holds the teacher's outputs for single pieces, centred and turned onto the
    principal axes; the layers' outputs start near zero, so the average passes through unchanged.
    """
    torch.manual_seed(SEED)
    model = LlamaEncoder(mini_config())
    vectors = teacher.token_vectors()
    table = (vectors - vectors.mean(axis=0)) @ axes
    with torch.no_grad():
        model.embed_tokens.weight.copy_(torch.from_numpy(table))
        for name, parameter in model.layers.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                parameter.normal_(0.0, 0.001)
            elif parameter.dim() == 2:
                parameter.normal_(0.0, parameter.shape[1] ** -0.5)
    return model


def prepare(
    bundles: Sequence[Bundle], cache: TeacherCache, tokenizer: TextTokenizer, *, epochs: int = 1
) -> tuple[DistilData, FloatArray]:
    """Tokens, turned targets and the step plan; also the axes, shape (384, 384)."""
    rows = [row for bundle in bundles for row in bundle]
    ids: list[IntArray] = [np.empty(0, np.int64)] * len(rows)
    for role in ("query", "document"):
        places = [place for place, row in enumerate(rows) if row.role == role]
        for place, tokens in zip(
            places, tokenize(tokenizer, [rows[place].text for place in places], role), strict=True
        ):
            ids[place] = tokens
    targets = cache.vectors([row.text for row in rows])
    axes = principal_axes(targets[:: max(1, len(targets) // 50_000)])
    starts = np.cumsum([0, *(len(bundle) for bundle in bundles)])
    plan = plan_steps(
        [range(start, stop) for start, stop in pairwise(starts)],
        np.asarray([len(tokens) for tokens in ids]),
        tokens_per_step=TOKENS_PER_STEP,
        seed=SEED,
        epochs=epochs,
    )
    identity = hashlib.sha256("".join(row.role + row.text for row in rows).encode()).hexdigest()
    return DistilData(ids, (targets @ axes).astype(np.float16), plan, identity), axes


def score_student(
    model: LlamaEncoder, tokenizer: TextTokenizer, questions: JudgedSet
) -> dict[str, float]:
    """nDCG@10 and Recall@5 of a student on questions, full size."""

    def encode(texts: Sequence[str], role: Role) -> FloatArray:
        ids = tokenize(tokenizer, texts, role)
        size = model.config.hidden_size
        return compute(ids, model=model, dimensions=size, token_budget=1024)

    return score_encoder(questions, encode, MEASURES)


def score_teacher(teacher: MiniLMTeacher, questions: JudgedSet) -> dict[str, float]:
    """The same figures of the teacher, which reads the texts without prompts."""
    return score_encoder(questions, lambda texts, role: teacher.encode(texts), MEASURES)


def holdout_questions(pairs: Sequence[PairRow]) -> JudgedSet:
    """Held-out pairs as a retrieval task: find the positive among all held-out positives."""
    positives = dict.fromkeys(pair.positive for pair in pairs)
    place = {text: f"p{number}" for number, text in enumerate(positives)}
    return judge(
        [Document(id_, "", text) for text, id_ in place.items()],
        [(pair.id, pair.query) for pair in pairs],
        {pair.id: {place[pair.positive]: 1} for pair in pairs},
        name="held-out pairs",
    )


def fill_cache(
    cache: TeacherCache, teacher: MiniLMTeacher, texts: Sequence[str]
) -> Iterator[tuple[int, int]]:
    """Encode what the cache lacks; yields ``(done, total)``."""
    total = len(cache.missing(texts))
    for done in cache.fill(texts, teacher.encode):
        yield done, total


def describe_settings(settings: DistilSettings) -> str:
    """The settings as one JSON line for the card and the log."""
    return json.dumps(
        asdict(settings) | {"tokens_per_step": TOKENS_PER_STEP, "seed": SEED, "share": SHARE}
    )
