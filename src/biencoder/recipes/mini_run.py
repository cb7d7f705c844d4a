"""Runs of the recipe `mini`: the whole one and the two-minute one, told line by line."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from biencoder.config.family import MINI
from biencoder.corpus.beir import Document, read_corpus, read_qrels, read_queries
from biencoder.data.rows import TextRow
from biencoder.drafts import write_json
from biencoder.embedder.device import place
from biencoder.embedder.embedder import Embedder
from biencoder.embedder.hub import Source
from biencoder.embedder.profile import Profile
from biencoder.errors import EncodingError
from biencoder.evaluate.judged_set import JudgedSet, judge
from biencoder.models.llama import LlamaEncoder
from biencoder.recipes import mini
from biencoder.recipes.mini_card import write_card
from biencoder.recipes.mini_data import Bundle, load_mini_data
from biencoder.text.tokenizer import TextTokenizer
from biencoder.train.distil import DistilSettings, distil
from biencoder.train.teacher import MiniLMTeacher
from biencoder.train.teacher_cache import TeacherCache


def train(data: Path, to: Path, cache_folder: Path) -> Iterator[str]:
    """The whole recipe; the finished model with card, log and manifest is ``to/model``."""
    loaded = load_mini_data(data, share=mini.SHARE)
    yield f"{sum(map(len, loaded.bundles)):,} texts to train on, {len(loaded.held_out):,} pairs held out"
    questions = mini.holdout_questions(loaded.held_out)
    watched = mini.holdout_questions(loaded.held_out[: mini.EVALUATED_PAIRS])
    facts = yield from _run(loaded.bundles, watched, questions, mini.SETTINGS, to, cache_folder)
    write_json(to / "model" / "manifest.json", loaded.manifest)
    (to / "model" / "training_log.jsonl").write_bytes((to / "steps.jsonl").read_bytes())
    write_card(to / "model", facts, loaded.manifest)
    yield f"the model lies in {to / 'model'}"


def smoke(data: Path, to: Path, cache_folder: Path) -> Iterator[str]:
    """About two minutes on a BEIR folder: four documents of five train, the fifth judges.

    Raises EncodingError where the student does not beat its start.
    """
    documents = {document.id: document.full_text for document in read_corpus(data)}
    held_out = {id_ for id_ in documents if _bucket(id_) == 0}
    queries, qrels = read_queries(data), read_qrels(data)
    judged = {id_: row for id_, row in qrels.items() if set(row) & held_out}
    passages = [text for id_, text in documents.items() if id_ not in held_out]
    bundles: list[Bundle] = [
        (TextRow(part, "document", str(data), "as stated there"),)
        for part in dict.fromkeys(part for text in passages for part in _paragraphs(text))
    ]
    bundles += [
        (TextRow(text, "query", str(data), "as stated there"),)
        for text in dict.fromkeys(text for id_, text in queries.items() if id_ not in judged)
    ]
    questions = judge(
        [Document(id_, "", text) for id_, text in documents.items()],
        [(id_, queries[id_]) for id_ in judged],
        judged,
        name="pages that were not trained on",
    )
    settings, epochs = mini.SMOKE_SETTINGS, mini.SMOKE_EPOCHS
    facts = yield from _run(
        bundles, questions, questions, settings, to, cache_folder, epochs=epochs
    )
    start, end = facts["start"]["ndcg@10"], facts["student"]["ndcg@10"]
    if end <= start:
        raise EncodingError(
            f"the smoke run did not learn: nDCG@10 {start:.3f} before, {end:.3f} after"
        )
    yield f"nDCG@10 on pages that were not trained on: {start:.3f} before, {end:.3f} after"


def _run(
    bundles: Sequence[Bundle],
    watched: JudgedSet,
    questions: JudgedSet,
    settings: DistilSettings,
    to: Path,
    cache_folder: Path,
    *,
    epochs: int = 1,
) -> Generator[str, None, dict[str, Any]]:
    """Teacher vectors, training, saving; returns the figures for the card."""
    began = time.time()
    teacher = MiniLMTeacher()
    cache = TeacherCache(cache_folder, teacher=teacher.identity)
    texts = [row.text for bundle in bundles for row in bundle]
    for done, total in mini.fill_cache(cache, teacher, texts):
        yield f"teacher: {done:,} of {total:,} texts"
    tokenizer = mini.mini_tokenizer(teacher)
    prepared, axes = mini.prepare(bundles, cache, tokenizer, epochs=epochs)
    model = mini.build_student(teacher, axes)
    start = mini.score_student(model.to(torch.bfloat16), tokenizer, watched)
    model = mini.build_student(teacher, axes)
    yield (
        f"{len(prepared.plan.steps):,} steps, {sum(map(len, prepared.ids)):,} tokens; "
        f"nDCG@10 at the start {start['ndcg@10']:.3f}"
    )

    def evaluate(student: LlamaEncoder) -> dict[str, float]:
        return mini.score_student(student, tokenizer, watched)

    for record in distil(model, prepared, settings, folder=to, evaluate=evaluate):
        if record.step % 100 == 0:
            yield (
                f"step {record.step:,}: loss {record.loss:.4f}, cosine {1 - record.cosine:.3f}, "
                f"{record.tokens / record.seconds:,.0f} tokens/s"
            )
    save_student(model, tokenizer, to / "model")
    student = mini.score_student(model, tokenizer, questions)
    reference = mini.score_teacher(teacher, questions)
    return {
        "start": start,
        "student": student,
        "teacher": reference,
        "texts": len(texts),
        "tokens": sum(map(len, prepared.ids)),
        "steps": len(prepared.plan.steps),
        "seconds": time.time() - began,
        "settings": mini.describe_settings(settings),
    }


def save_student(model: LlamaEncoder, tokenizer: TextTokenizer, folder: Path) -> None:
    """The student in bfloat16 as a folder of the family."""
    profile = Profile(
        name=MINI.id,
        member=MINI,
        recognised_by="its recipe",
        prompts=MINI.prompts,
        prompts_from="the family's table",
        dimensions=MINI.dimensions,
        max_tokens=MINI.max_tokens,
        license=MINI.license,
        commercial_use=MINI.commercial_use,
        random_weights=False,
        normalizes=True,
    )
    placement = place("bfloat16", "cpu")
    source = Source(Path(__file__).with_name("no-licence-files"), MINI, None, None)
    Embedder(
        trunk=model, tokenizer=tokenizer, profile=profile, placement=placement, source=source
    ).save(folder)


def _bucket(id_: str) -> int:
    return hashlib.sha256(id_.encode()).digest()[0] % 5


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in text.split("\n\n") if len(part.split()) >= 8]
